"""panel: the judges of one stage after the search, with seeds and tuned Adam of their own.

Choice, further problems, simplification and the look at meta-overfitting all ask the same of a rule: its reward's
measure on data and seeds that the search has not seen, tuned anew. A panel holds the programs of one such stage,
compiled once and asked as often as needed; a rule's scores do not depend on what else is asked.

Where a search judges rules at one multiple of tuned Adam's rate (`one_multiple`), a rule comes to a panel with its
multiple, and nothing of it is tuned there: Adam is, and the rule follows.

Letters: K rules, L tokens, R learning rates, J judges, S replicates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from metarl.update_rules import Grammar

from ..settings.config import SearchConfig
from ..training.seeding import Stage
from .candidates import Judgement, Trial, Verdicts, in_the_ways_of, make_judgement
from .evaluators import Backend, Evaluator, begin_compiling, executor, local_evaluator
from .judges import Judge
from .reference import Reference, finely_tuned_adam, tuned_adam
from .rewards import loss_rewards, metric_rewards, metric_scores, run_rewards

# Half-decades around the rate of the search, whose grid has whole decades.
REFINEMENT = 10.0 ** np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
_SWEEP_SEEDS = 2  # where a rule's rate is not known yet, and seven decades are swept


class Scores(NamedTuple):
    """What K rules are worth; under the reward "loss" relative to tuned Adam, whose score is 0."""

    total: (
        np.ndarray
    )  # [K], the mean over judges, each capped if that is asked for; the floor where a run diverged
    by_judge: dict[str, np.ndarray]  # [K] each, not capped
    replicates: np.ndarray  # [K, S], the mean over judges run by run; -inf where one diverged
    rates: dict[str, np.ndarray]  # [K] each, tuned learning rates


class Panel:
    """The judges of one stage.

    Args:
      judges: by whom rules are judged, each on the "choice" data of its problem.
      grammar: of the rules' tokens.
      config: of the search; its reward is the measure, its seed the root.
      stage: whose seeds are used.
      trial_of: steps -> how a rule is run.
      backend: where rules are trained.
    """

    def __init__(
        self,
        judges: Sequence[Judge],
        grammar: Grammar,
        config: SearchConfig,
        stage: Stage,
        trial_of: Callable[[int], Trial],
        backend: Backend = local_evaluator,
    ):
        """Nothing is compiled before the first question."""
        self.judges, self.grammar = list(judges), grammar
        self._config, self._trial_of, self._backend = config, trial_of, backend
        self._stage: Stage = stage

    @property
    def names(self) -> list[str]:
        """Names of the judges."""
        return [judge.name for judge in self.judges]

    def scores(self, tokens: np.ndarray, rates: np.ndarray | None = None) -> Scores:
        """Tunes and judges rules.

        Args:
          tokens: [K, L].
          rates: [K, J, R] learning rates to try; those of the search's sweep if None. Multiples of tuned Adam's, with
            R = 1, where a search has one for all problems.
        """
        if self._config.training.one_rate:
            assert rates is not None and rates.shape[-1] == 1, "a rule comes with its multiple"
            adam_rates = [self._tuned[name].learning_rate for name in self.names]
            rates = (rates * np.array(adam_rates)[:, None]).astype(np.float32)
        if rates is None:
            grid = np.asarray(self._config.training.learning_rates, np.float32)
            rates = np.tile(grid, (len(tokens), len(self.judges), 1))
        verdicts = {
            name: self._evaluator.evaluate(tokens, rates[:, place], [name])[name]
            for place, name in enumerate(self.names)
        }
        adam = {} if self._config.reward == "accuracy" else self._adam
        return scored(verdicts, self.judges, self._config, adam)

    def prepare(self) -> None:
        """Compiles what `scores` will ask for, and trains Adam; nothing of it depends on the rules."""
        begin_compiling(self._evaluator)
        if self._config.reward == "loss":
            _ = self._adam

    def close(self) -> None:
        """Frees threads and devices."""
        if "_evaluator" in self.__dict__:
            self._evaluator.close()

    @cached_property
    def _judgements(self) -> dict[str, Judgement]:
        judgements = {}
        for judge in self.judges:
            trial = self._trial_of(judge.steps)
            seeds = judge.seeds(self._config.seed, self._stage, trial.replicates)
            judgements[judge.name] = make_judgement(
                judge.problem, self.grammar, trial, "choice", seeds, executor()
            )
        return judgements

    @cached_property
    def _evaluator(self) -> Evaluator:
        return self._backend(self._judgements)

    @cached_property
    def _tuned(self) -> dict[str, Reference]:
        """Tuned Adam on the same replicates, by judge; to an eighth of a decade where rules follow its rate."""
        tuned = finely_tuned_adam if self._config.training.one_rate else tuned_adam
        return {
            judge.name: tuned(
                judge.problem, self._judgements[judge.name], self._trial_of(judge.steps)
            )
            for judge in self.judges
        }

    @property
    def _adam(self) -> dict[str, np.ndarray]:
        """Its losses, by judge, [S]."""
        return {name: tuned.losses for name, tuned in self._tuned.items()}


def scored(
    verdicts: Mapping[str, Verdicts],
    judges: Sequence[Judge],
    config: SearchConfig,
    adam: Mapping[str, np.ndarray],
) -> Scores:
    """Returns what verdicts amount to.

    Args:
      verdicts: by judge.
      judges: who gave them.
      config: of the search; its reward is the measure.
      adam: tuned Adam's losses on the same replicates, by judge; not looked at under the reward "accuracy".
    """
    if config.reward == "accuracy":
        problems = {judge.name: judge.problem for judge in judges}
        total = metric_rewards(verdicts, problems)
        alone = {n: metric_rewards({n: v}, problems) for n, v in verdicts.items()}
        runs = [metric_scores(v, problems[n]) for n, v in verdicts.items()]
    else:
        cap = config.training.judge_cap
        total = loss_rewards(verdicts, adam, cap)
        alone = {n: loss_rewards({n: v}, adam) for n, v in verdicts.items()}
        runs = [run_rewards(v, adam[n]) for n, v in verdicts.items()]
        runs = runs if cap is None else np.minimum(runs, cap)
    tuned = {name: np.asarray(v.rate) for name, v in verdicts.items()}
    return Scores(total, alone, np.mean(runs, axis=0), tuned)


def sweeping_trial(steps: int, seeds: int, config: SearchConfig) -> Trial:
    """Returns how a rule is run whose rate is not known: the search's decades on short runs, then half-decades.

    Where a search has one multiple of Adam's rate for all problems, a rule comes with it and is run in full at once.
    """
    training = config.training
    if training.one_rate:
        return trial_at_one_rate(steps, seeds, config)
    return Trial(
        max(1, round(training.sweep_fraction * steps)),
        steps,
        sweep_replicates=_SWEEP_SEEDS,
        full_replicates=seeds,
        num_rates=len(training.learning_rates),
        refine=True,
        give_up=training.give_up,
        **in_the_ways_of(training),
    )


def trial_at_one_rate(steps: int, seeds: int, config: SearchConfig) -> Trial:
    """Returns how a rule that comes with its learning rate is run, at once in full."""
    return Trial(steps, steps, 0, seeds, 1, **in_the_ways_of(config.training))


def around(rates: np.ndarray) -> np.ndarray:
    """Returns the half-decades around learning rates, [..., R], for rates [...]."""
    return np.asarray(rates, np.float32)[..., None] * REFINEMENT.astype(np.float32)
