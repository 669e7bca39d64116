"""search job: one generation after another, from asking for rules to telling what they are worth.

    ask        the strategy proposes K rules
    sort       filtered out on probes; met before (by fingerprint); new
    train      the new ones, by every judge: each problem at each horizon
    reward     finite numbers; the floor for whatever failed
    remember   cache (all rules judged), archive (the best), records (the best so far)
    tell       the strategy learns

All randomness of generation n comes from the root seed and n, so a search that was resumed equals one that was not.
With `lag` generations in flight (see `in_flight`) the first two steps run ahead of the others, by a fixed number.

Letters: K rules of a generation, J judges.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import jax
import numpy as np

from metarl import problems as problem_suite
from metarl.errors import require
from metarl.runs import Progress, RunDirectory, drive, flatten_tree, restore_tree
from metarl.update_rules import LANGUAGE, Grammar, Interpreter

from .. import strategies
from ..journal.journal import FILE, Journal
from ..journal.journaled import journaling
from ..judging.candidates import Judgement, Trial, Verdicts, make_judgement
from ..judging.evaluators import Backend, Evaluator, executor, local_evaluator
from ..judging.judges import Judge, judges_of, rounds
from ..judging.reference import Reference, tuned_adam
from ..judging.rewards import FLOOR, loss_rewards, metric_floor, metric_rewards
from ..screening import filters
from ..screening.probes import ProbeOutputs, Probes, rule_fingerprints
from ..settings.config import SearchConfig
from ..settings.language import in_this_language, require_same_language
from . import in_flight
from .archive import Archive
from .cache import Cache
from .in_flight import GenerationThreads, InFlight
from .records import Records

DEFAULT_BUDGET = 2_000
_CHECKPOINT_SECONDS = 10.0
_PARTS = ("strategy", "archive", "cache", "records", "in_flight")  # of a checkpoint
# What two searches must share for rules and rewards of one to stand in the archive of the other.
_SHARED_WITH_ARCHIVE = (
    *("problem", "reward", "training", "filters", "seed"),
    *("different_operands", "no_final_addition", "reuse_values"),
)

Earlier = tuple[SearchConfig, dict[str, np.ndarray], Any]


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
    in_flight: tuple[InFlight, ...] = ()  # asked for and not told yet, in this order


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
      earlier: settings, checkpoint arrays and their meta of a run to start from (`init_from`).

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
        self._backend: Backend = local_evaluator
        self._crew: GenerationThreads[Earned | None] = GenerationThreads(self._train, config.lag)

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
    def _evaluator(self) -> Evaluator:
        return self._backend(self._judgements)

    def evaluate_with(self, backend: Backend) -> None:
        """Has candidates trained by a backend; before the first generation."""
        assert "_evaluator" not in self.__dict__, "the search has begun"
        self._backend = backend

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
        before, arrays, meta = self._earlier
        told = {name: array for name, array in arrays.items() if not name.startswith("in_flight|")}
        taken = replace(self._state(told, Counts()), records=Records())
        # rewards are comparable only where the same replicates judged in the same way
        same = all(getattr(self.config, n) == getattr(before, n) for n in _SHARED_WITH_ARCHIVE)
        same = same and in_this_language(meta)
        return taken if same else replace(fresh, strategy=taken.strategy)

    def update(self, state: SearchState) -> tuple[SearchState, dict[str, Any]]:
        """Asks for the next generation, and tells the strategy of the oldest one in flight."""
        while len(state.in_flight) <= self.config.lag:
            state = self._ask(state)
        self._begin(state.in_flight)
        (_, proposals, sorting), later = state.in_flight[0], state.in_flight[1:]
        rewards, steps = self._remember(state, self._crew.finish(state.in_flight[0]))
        feedback = strategies.Feedback(rewards, sorting.repeated, np.float32(self._floor))
        tell_key = self._keys(state.counts.generation)[1]
        strategy, learning = self._strategy.tell(tell_key, state.strategy, proposals, feedback)
        counts = self._count(state.counts, sorting, rewards, steps)
        for best in state.archive.best(1):
            state.records.note(counts.trained, best)
        state = replace(state, strategy=strategy, counts=counts, in_flight=later)
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
            "in_flight": in_flight.to_arrays(state.in_flight),
        }
        arrays = {
            f"{part}|{name}": array
            for part, found in parts.items()
            for name, array in found.items()
        }
        return arrays, {"counts": asdict(state.counts), "language": LANGUAGE["version"]}

    def load(self, arrays: dict[str, np.ndarray], meta: Any) -> SearchState:
        """Inverse of `save`.

        Raises:
          InvalidInput: the arrays are those of another strategy or controller, or of another version of the rule
            language: rewards and fingerprints of the two cannot be mixed.
        """
        require_same_language(meta, "The checkpoint of this search")
        return self._state(arrays, Counts(**meta["counts"]))

    def _state(self, arrays: dict[str, np.ndarray], counts: Counts) -> SearchState:
        parts: dict[str, dict[str, np.ndarray]] = {name: {} for name in _PARTS}
        for name, array in arrays.items():
            part, _, rest = name.partition("|")
            parts[part][rest] = array
        state = SearchState(
            restore_tree(self._fresh_strategy(), parts["strategy"]),
            Archive.from_arrays(parts["archive"]),
            Cache.from_arrays(parts["cache"]),
            counts,
            Records.from_arrays(parts["records"]),
        )
        # sorted anew: what is trained and what is in flight before a generation are the same set as when it was asked
        for proposals in in_flight.from_arrays(parts["in_flight"], self._example_proposals):
            state = self._take_off(state, proposals)
        return state

    def close(self) -> None:
        """Frees threads and devices."""
        if "_evaluator" in self.__dict__:
            self._evaluator.close()
        self._crew.close()

    def _ask(self, state: SearchState) -> SearchState:
        """Has the strategy propose the next generation."""
        key = self._keys(state.counts.generation + len(state.in_flight))[0]
        strategy, proposals = self._strategy.ask(key, state.strategy, self.config.batch_size)
        return self._take_off(replace(state, strategy=strategy), proposals)

    def _take_off(self, state: SearchState, proposals: strategies.Proposals) -> SearchState:
        generation = state.counts.generation + len(state.in_flight)
        sorting = self._sort(np.asarray(proposals.tokens), state)
        flight = InFlight(generation, proposals, sorting)
        return replace(state, in_flight=(*state.in_flight, flight))

    def _begin(self, flights: tuple[InFlight, ...]) -> None:
        """Has generations trained ahead; what their threads share is made here, once."""
        if self.config.lag == 0:
            return
        _ = self._evaluator
        if self.config.reward == "loss":
            _ = self.references
        for flight in flights:
            self._crew.begin(flight)

    def _example_proposals(self) -> strategies.Proposals:
        """Returns proposals as this strategy makes them."""
        fresh = self._fresh_strategy()
        return self._strategy.ask(self._keys(0)[0], fresh, self.config.batch_size)[1]

    def _fresh_strategy(self) -> Any:
        return self._strategy.init(self._keys(-1)[0])

    def _keys(self, generation: int) -> jax.Array:
        return jax.random.split(jax.random.fold_in(self._key, generation + 1))

    def _sort(self, tokens: np.ndarray, state: SearchState) -> Sorting:
        outputs = self._probes.outputs(tokens)
        reasons = filters.screen(outputs, self._probes, self.config.filters)
        passes = np.array([reason == filters.Verdict.PASSES for reason in reasons])
        prints = rule_fingerprints(outputs.update)
        before = [flight.sorting for flight in state.in_flight]
        met = {sorting.fingerprints[place] for sorting in before for place in sorting.new}
        repeated = np.zeros(len(tokens), bool)
        for place in np.flatnonzero(passes):
            repeated[place] = prints[place] in state.cache or prints[place] in met
            met.add(prints[place])
        new = np.flatnonzero(passes & ~repeated)
        if self._budget is not None:
            begun = state.counts.trained + sum(len(sorting.new) for sorting in before)
            new = new[: max(0, self._budget - begun)]
        return Sorting(outputs, prints, reasons, passes, repeated, new)

    def _train(self, flight: InFlight) -> Earned | None:
        """Trains the new rules of a generation, if there are any; the state plays no part."""
        new = flight.sorting.new
        if len(new) == 0:
            return None
        grid = np.asarray(self.config.training.learning_rates, np.float32)
        earned = self._judge(np.asarray(flight.proposals.tokens)[new], np.tile(grid, (len(new), 1)))
        return earned._replace(rewards=self._less_penalty(earned.rewards, flight.sorting))

    def _remember(self, state: SearchState, earned: Earned | None) -> tuple[np.ndarray, int]:
        """Remembers the oldest generation, and returns the rewards of all its rules, [K], and the steps executed."""
        (_, proposals, sorting), steps = state.in_flight[0], 0
        tokens, new = np.asarray(proposals.tokens), sorting.new
        rewards = np.full(len(tokens), self._floor, np.float32)
        if earned is not None:
            steps, rewards[new] = earned.steps, earned.rewards
            for place, reward, rate in zip(new, earned.rewards, earned.rates, strict=True):
                state.cache.add(sorting.fingerprints[place], reward, rate)
            good = np.isfinite(earned.losses).all(axis=1)
            state.archive.add(
                tokens[new][good], earned.rewards[good], earned.rates[good], earned.losses[good],
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
    backend: Backend | None = None,
) -> SearchState:
    """Runs a search to its end, or goes on with one, and returns its last state.

    Args:
      job: the search; its threads are freed at the end.
      run: its directory.
      progress: where it tells how it goes.
      minutes: a time limit.
      owner: the run that a person resumes, if that is not the search's own.
      backend: where candidates are trained, with a journal of its own; this process, and the run's journal, if None.

    Raises:
      KeyboardInterrupt: a signal came; everything is kept.
    """
    with contextlib.ExitStack() as stack:
        if backend is None:
            stack.enter_context(run.lock())
            journal = stack.enter_context(Journal(run.path / FILE, progress.message))
            backend = journaling(local_evaluator, journal)
        job.evaluate_with(backend)
        stack.callback(job.close)
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
