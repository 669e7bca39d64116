"""search job: one generation after another, from asking for rules to telling what they are worth.

    ask        the strategy proposes K rules
    sort       filtered out on probes; met before (by fingerprint); new
    train      the new ones, by every judge: each problem at each horizon
    reward     finite numbers; the floor for whatever failed
    remember   cache (all rules judged), archive (the best), records (the best so far)
    tell       the strategy learns

All randomness of generation n comes from the root seed and n, so a search that was resumed equals one that was not.

Letters: K rules of a generation, J judges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import jax
import numpy as np

from metarl import problems as problem_suite
from metarl.errors import require
from metarl.runs import Progress, RunDirectory, drive, flatten_tree, restore_tree
from metarl.update_rules import Grammar, Interpreter

from . import filters, strategies
from .archive import Archive
from .cache import Cache
from .candidates import Judgement, Trial, Verdicts, make_judgement
from .config import SearchConfig
from .evaluators import DEFAULT_WIDTH, LocalEvaluator
from .judges import Judge, judges_of, rounds
from .probes import ProbeOutputs, Probes, fingerprints
from .records import Records
from .reference import Reference, tuned_adam
from .rewards import FLOOR, loss_rewards, metric_floor, metric_rewards

DEFAULT_BUDGET = 2_000
_CHECKPOINT_SECONDS = 10.0
_ACCELERATOR_WIDTH = 64
# What two searches must share for rules and rewards of one to stand in the archive of the other.
_SHARED_WITH_ARCHIVE = (
    *("problem", "reward", "training", "filters", "seed"),
    *("different_operands", "no_final_addition", "reuse_values"),
)

Earlier = tuple[SearchConfig, dict[str, np.ndarray]]


@dataclass(frozen=True)
class Counts:
    """How many rules went which way; every sampled rule is counted once below it."""

    generation: int = 0
    sampled: int = 0
    trained: int = 0
    failed: int = 0  # of the trained: diverged somewhere, or not worth a full run
    repeated: int = 0
    filtered: Mapping[str, int] = field(default_factory=dict)  # by reason
    beyond_budget: int = 0
    steps: int = 0  # optimizer steps executed


@dataclass(frozen=True)
class SearchState:
    """A search between two generations."""

    strategy: Any
    archive: Archive
    cache: Cache
    counts: Counts
    records: Records = field(default_factory=Records)


class Sorting(NamedTuple):
    """What became of the K rules of a generation before training."""

    outputs: ProbeOutputs
    fingerprints: list[bytes]
    reasons: list[filters.Verdict]
    passes: np.ndarray  # [K] bool
    repeated: np.ndarray  # [K] bool, met before in the search or earlier in the generation
    new: np.ndarray  # places of the rules to train


class Earned(NamedTuple):
    """What K rules earned by training."""

    rewards: np.ndarray  # [K] finite
    rates: np.ndarray  # [K, J]; NaN where a rule did not reach a judge
    losses: np.ndarray  # [K, J]; +inf where a run diverged, or a rule did not reach a judge
    steps: int  # optimizer steps executed


class SearchJob:
    """A search as a job for `runs.drive`.

    Args:
      config: the settings, valid.
      earlier: settings and checkpoint arrays of a run to start from (`init_from`).

    Raises:
      InvalidInput: an unknown problem, space or strategy, or a problem that cannot be trained on.
    """

    def __init__(self, config: SearchConfig, earlier: Earlier | None = None):
        """Looks everything up by name; nothing is compiled before the first generation."""
        self.config, self._earlier = config, earlier
        self.grammar = grammar_of(config)
        self._strategy = strategies.make(config.strategy, self.grammar, config)
        self.problems = [problem_suite.load(name) for name in dict.fromkeys(config.problem)]
        self.judges = judges_of(self.problems, config.training.steps, config.training.horizons)
        self._floor = metric_floor(self.problems) if config.reward == "accuracy" else FLOOR
        self._probes = Probes(Interpreter(self.grammar))
        self._key = jax.random.key(config.seed)
        self._budget = config.budget or (None if config.minutes else DEFAULT_BUDGET)
        self._twin: SearchJob | None = None

    @cached_property
    def references(self) -> dict[str, Reference]:
        """Tuned Adam on the replicates of the search, by judge."""
        if self._twin is not None:
            return self._twin.references
        return {
            judge.name: tuned_adam(
                judge.problem, self._judgements[judge.name], search_trial(judge.steps, self.config)
            )
            for judge in self.judges
        }

    @cached_property
    def _judgements(self) -> dict[str, Judgement]:
        if self._twin is not None:
            return self._twin._judgements
        return {j.name: search_judgement(j, self.grammar, self.config) for j in self.judges}

    @cached_property
    def _evaluator(self) -> LocalEvaluator:
        return local_evaluator(self._judgements)

    def share_programs(self, other: SearchJob) -> None:
        """Takes over what another search has compiled, which judges rules of the same grammar in the same way.

        Raises:
          InvalidInput: it does not.
        """
        for name in (*_SHARED_WITH_ARCHIVE, "space", "depth"):
            ours, theirs = getattr(self.config, name), getattr(other.config, name)
            require(
                ours == theirs,
                f"Searches share programs at the same {name}, not {theirs!r} and {ours!r}.",
            )
        self._twin, self._probes = other, other._probes

    def init(self) -> SearchState:
        """Returns the state before the first generation."""
        fresh = SearchState(self._fresh_strategy(), Archive(), Cache(), Counts())
        if self._earlier is None:
            return fresh
        before, arrays = self._earlier
        taken = replace(self.load(arrays, {"counts": {}}), records=Records())
        # rewards are comparable only where the same replicates judged in the same way
        same = all(getattr(self.config, n) == getattr(before, n) for n in _SHARED_WITH_ARCHIVE)
        return taken if same else replace(fresh, strategy=taken.strategy)

    def update(self, state: SearchState) -> tuple[SearchState, dict[str, Any]]:
        """Runs one generation."""
        ask_key, tell_key = self._keys(state.counts.generation)
        strategy, proposals = self._strategy.ask(ask_key, state.strategy, self.config.batch_size)
        tokens = np.asarray(proposals.tokens)
        sorting = self._sort(tokens, state)
        rewards, steps = self._train(tokens, sorting, state)
        feedback = strategies.Feedback(rewards, sorting.repeated, np.float32(self._floor))
        strategy, learning = self._strategy.tell(tell_key, strategy, proposals, feedback)
        counts = self._count(state.counts, sorting, rewards, steps)
        for best in state.archive.best(1):
            state.records.note(counts.trained, best)
        state = replace(state, strategy=strategy, counts=counts)
        return state, self._metrics(state, sorting, rewards, learning)

    def finished(self, state: SearchState) -> bool:
        """Tells whether the budget is spent."""
        return self._budget is not None and state.counts.trained >= self._budget

    def position(self, state: SearchState) -> tuple[int, int | None]:
        """Returns the rules trained, and the budget."""
        return state.counts.trained, self._budget

    def save(self, state: SearchState) -> tuple[dict[str, np.ndarray], Any]:
        """Returns the state as arrays and JSON."""
        parts = {
            "strategy": flatten_tree(state.strategy),
            "archive": state.archive.to_arrays(),
            "cache": state.cache.to_arrays(),
            "records": state.records.to_arrays(),
        }
        arrays = {
            f"{part}|{name}": array
            for part, found in parts.items()
            for name, array in found.items()
        }
        return arrays, {"counts": asdict(state.counts)}

    def load(self, arrays: dict[str, np.ndarray], meta: Any) -> SearchState:
        """Inverse of `save`.

        Raises:
          InvalidInput: the arrays are those of another strategy or controller.
        """
        names = ("strategy", "archive", "cache", "records")
        parts: dict[str, dict[str, np.ndarray]] = {name: {} for name in names}
        for name, array in arrays.items():
            part, _, rest = name.partition("|")
            parts[part][rest] = array
        return SearchState(
            restore_tree(self._fresh_strategy(), parts["strategy"]),
            Archive.from_arrays(parts["archive"]),
            Cache.from_arrays(parts["cache"]),
            Counts(**meta["counts"]),
            Records.from_arrays(parts["records"]),
        )

    def close(self) -> None:
        """Frees threads and devices."""
        if "_evaluator" in self.__dict__:
            self._evaluator.close()

    def _fresh_strategy(self) -> Any:
        return self._strategy.init(self._keys(-1)[0])

    def _keys(self, generation: int) -> jax.Array:
        return jax.random.split(jax.random.fold_in(self._key, generation + 1))

    def _sort(self, tokens: np.ndarray, state: SearchState) -> Sorting:
        outputs = self._probes.outputs(tokens)
        reasons = filters.judge(outputs, self._probes, self.config.filters)
        passes = np.array([reason == filters.Verdict.PASSES for reason in reasons])
        prints = fingerprints(outputs.update)
        met: set[bytes] = set()
        repeated = np.zeros(len(tokens), bool)
        for place in np.flatnonzero(passes):
            repeated[place] = prints[place] in state.cache or prints[place] in met
            met.add(prints[place])
        new = np.flatnonzero(passes & ~repeated)
        if self._budget is not None:
            new = new[: self._budget - state.counts.trained]
        return Sorting(outputs, prints, reasons, passes, repeated, new)

    def _train(
        self, tokens: np.ndarray, sorting: Sorting, state: SearchState
    ) -> tuple[np.ndarray, int]:
        """Trains the new rules, remembers them, and returns the rewards of all, [K], and the steps executed."""
        rewards, steps, new = np.full(len(tokens), self._floor, np.float32), 0, sorting.new
        if len(new):
            grid = np.tile(
                np.asarray(self.config.training.learning_rates, np.float32), (len(new), 1)
            )
            earned = self._judge(tokens[new], grid)
            steps = earned.steps
            rewards[new] = final = self._less_penalty(earned.rewards, sorting)
            for place, reward, rate in zip(new, final, earned.rates, strict=True):
                state.cache.add(sorting.fingerprints[place], reward, rate)
            good = np.isfinite(earned.losses).all(axis=1)
            state.archive.add(
                tokens[new][good], final[good], earned.rates[good], earned.losses[good],
                sorting.outputs.update[new][good],
            )  # fmt: skip
        for place in np.flatnonzero(sorting.repeated):
            known = state.cache.get(sorting.fingerprints[place])
            rewards[place] = self._floor if known is None else known.reward
        return rewards, steps

    def _judge(self, tokens: np.ndarray, grid: np.ndarray) -> Earned:
        """Trains rules horizon by horizon; those at or below the hurdle stop there, with the reward they have."""
        count, names = len(tokens), [judge.name for judge in self.judges]
        rewards = np.full(count, self._floor, np.float32)
        rates = np.full((count, len(names)), np.nan, np.float32)
        losses, steps = np.full((count, len(names)), np.inf, np.float32), 0
        going, verdicts = np.arange(count), {}
        for judges in rounds(self.judges):
            asked = [judge.name for judge in judges]
            found = self._evaluator.evaluate(tokens[going], grid[going], asked)
            for name, verdict in found.items():
                rates[going, names.index(name)] = verdict.rate
                losses[going, names.index(name)] = verdict.losses.mean(axis=1)
                steps += int(verdict.steps.sum())
            verdicts |= found
            rewards[going] = so_far = self._reward(verdicts)
            passes = so_far > self._hurdle
            going = going[passes]
            verdicts = {name: Verdicts(*(x[passes] for x in v)) for name, v in verdicts.items()}
            if len(going) == 0:
                break
        return Earned(rewards, rates, losses, steps)

    @property
    def _hurdle(self) -> float:
        """The reward above which a rule goes on; a loss that is not finite cannot be made good by a longer run."""
        if self.config.training.hurdle is not None:
            return self.config.training.hurdle
        return self._floor if self.config.reward == "loss" else -np.inf

    def _less_penalty(self, rewards: np.ndarray, sorting: Sorting) -> np.ndarray:
        """Returns the rewards of the new rules less what they pay for not being odd; never below the floor."""
        penalty = self.config.filters.oddness_penalty
        if penalty == 0:
            return rewards
        lacking = 1.0 - filters.oddness(ProbeOutputs(*(x[sorting.new] for x in sorting.outputs)))
        return np.maximum(rewards - penalty * lacking, self._floor).astype(np.float32)

    def _reward(self, verdicts: Mapping[str, Verdicts]) -> np.ndarray:
        if self.config.reward == "accuracy":
            return metric_rewards(verdicts, {judge.name: judge.problem for judge in self.judges})
        references = {name: reference.losses for name, reference in self.references.items()}
        return loss_rewards(verdicts, references, self.config.training.judge_cap)

    def _count(self, before: Counts, sorting: Sorting, rewards: np.ndarray, steps: int) -> Counts:
        here = filters.counts(sorting.reasons)
        del here[str(filters.Verdict.PASSES)]
        filtered = {name: before.filtered.get(name, 0) + count for name, count in here.items()}
        unseen = int((sorting.passes & ~sorting.repeated).sum())
        return Counts(
            before.generation + 1,
            before.sampled + len(rewards),
            before.trained + len(sorting.new),
            before.failed + int((rewards[sorting.new] <= self._floor).sum()),
            before.repeated + int(sorting.repeated.sum()),
            filtered,
            before.beyond_budget + unseen - len(sorting.new),
            before.steps + steps,
        )

    def _metrics(
        self, state: SearchState, sorting: Sorting, rewards: np.ndarray, learning: dict[str, float]
    ) -> dict[str, Any]:
        counts, best = state.counts, state.archive.best(1)
        trained = rewards[sorting.new]
        distinct = len(
            {p for p, good in zip(sorting.fingerprints, sorting.passes, strict=True) if good}
        )
        return {
            "sampled": counts.sampled,
            "trained": counts.trained,
            "failed": counts.failed,
            "repeated": counts.repeated,
            "filtered": sum(counts.filtered.values()),
            "distinct_share": distinct / len(rewards),
            "mean_reward": float(trained.mean()) if len(trained) else None,
            "better_than_adam": float((trained > 0).mean()) if len(trained) else None,
            "best_reward": float(best[0].reward) if best else None,
            "best_rule": state.archive.texts(self.grammar, 1)[0] if best else None,
            "steps": counts.steps,
            **learning,
        }


def drive_search(
    job: SearchJob,
    run: RunDirectory,
    progress: Progress,
    *,
    minutes: float | None = None,
    owner: RunDirectory | None = None,
) -> SearchState:
    """Runs a search to its end, or goes on with one, and returns its last state.

    Args:
      job: the search; its threads are freed at the end.
      run: its directory.
      progress: where it tells how it goes.
      minutes: a time limit.
      owner: the run that a person resumes, if that is not the search's own.

    Raises:
      KeyboardInterrupt: a signal came; everything is kept.
    """
    try:
        state, outcome = drive(
            job,
            run,
            progress,
            minutes=minutes,
            checkpoint_seconds=_CHECKPOINT_SECONDS,
            unit="rules",
            describe=describe,
            owner=owner or run,
        )
    finally:
        job.close()
    if outcome == "interrupted":
        raise KeyboardInterrupt
    return state


def describe(metrics: Mapping[str, Any]) -> str:
    """Returns the line that the progress display shows of a generation."""
    if not metrics.get("best_rule"):
        return "no rule has learnt yet"
    mean = metrics["mean_reward"]
    parts = [f"best {metrics['best_reward']:+.3f}  {metrics['best_rule']}"]
    if mean is not None:
        parts.append(f"mean {mean:+.2f}")
    parts.append(f"distinct {metrics['distinct_share']:.0%}")
    if "entropy" in metrics:
        parts.append(f"entropy {metrics['entropy']:.2f}")
    parts.append(f"failed {metrics['failed']}, repeated {metrics['repeated']}")
    return " · ".join(parts)


def grammar_of(config: SearchConfig) -> Grammar:
    """Returns the grammar that a configuration searches."""
    return Grammar(
        config.space,
        config.depth,
        different_operands=config.different_operands,
        no_final_addition=config.no_final_addition,
        reuse_values=config.reuse_values,
    )


def search_trial(steps: int, config: SearchConfig) -> Trial:
    """Returns how a candidate is run during the search by a judge of so many steps."""
    training = config.training
    return Trial(
        max(1, round(training.sweep_fraction * steps)),
        steps,
        sweep_replicates=1,
        full_replicates=training.seeds,
        num_rates=len(training.learning_rates),
        refine=training.refine,
        give_up=training.give_up,
    )


def search_judgement(judge: Judge, grammar: Grammar, config: SearchConfig) -> Judgement:
    """Returns the program of a judge during the search."""
    trial = search_trial(judge.steps, config)
    seeds = judge.seeds(config.seed, "search", trial.replicates)
    return make_judgement(judge.problem, grammar, trial, "search", seeds, executor())


def local_evaluator(judgements: Mapping[str, Judgement]) -> LocalEvaluator:
    """Returns the evaluator of this process, with the width that suits its devices."""
    width = DEFAULT_WIDTH if executor() == "switch" else _ACCELERATOR_WIDTH
    return LocalEvaluator(judgements, width)


def executor() -> Any:
    """Returns "switch" on a CPU, where lanes run one by one, and "select" where they run side by side."""
    return "switch" if jax.default_backend() == "cpu" else "select"
