"""programs: by what a search judges rules: its judges, their compiled programs, tuned Adam, and who trains.

Everything is made when it is first needed, and two searches that judge rules of one grammar in the same way share it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from metarl.errors import InvalidInput, require
from metarl.problems import Problem
from metarl.update_rules import Grammar, parse

from ..judging.candidates import (
    Judgement,
    Trial,
    in_the_ways_of,
    loss_before_training,
    make_judgement,
    on_replicates,
)
from ..judging.evaluators import (
    Backend,
    Evaluator,
    begin_compiling,
    executor,
    local_evaluator,
    look_up_while_waiting,
)
from ..judging.judges import Judge, judges_of
from ..judging.panel import trial_at_one_rate
from ..judging.reference import Reference, adam_losses, finely_tuned_adam, tuned_adam
from ..judging.rewards import FLOOR, metric_floor
from ..screening.probes import Probes, probes_of
from ..settings.config import SearchConfig
from .sorting import Sorting, sort

# What two searches must share for rules and rewards of one to stand in the archive of the other.
SHARED_WITH_ARCHIVE = (
    *("problem", "reward", "training", "racing", "filters", "seed", "table"),
    *("different_operands", "no_final_addition", "reuse_values", "normalised"),
)

RATES_TRIED = 3
SHORT_RUN = 1 / 4  # of a full run


class SearchPrograms:
    """By what a search judges rules.

    Args:
      grammar: of the rules.
      problems: that rules are judged on.
      config: the settings of the search.

    Attributes:
      judges: the problems, each at each horizon.
      floor: the reward of whatever failed.

    Raises:
      InvalidInput: rewards are to be accuracies, and a problem has none.
    """

    def __init__(self, grammar: Grammar, problems: Sequence[Problem], config: SearchConfig):
        """Compiles nothing."""
        self.config, self.grammar = config, grammar
        self.judges = judges_of(problems, config.training.steps, config.training.horizons)
        self.floor = metric_floor(problems) if config.reward == "accuracy" else FLOOR
        self._twin: SearchPrograms | None = None
        self._backend: Backend = local_evaluator
        self._look_up: Callable[[], None] | None = None

    def share(self, other: SearchPrograms) -> None:
        """Takes over what another search has compiled, which judges rules of the same grammar in the same way.

        Raises:
          InvalidInput: it does not.
        """
        for name in (*SHARED_WITH_ARCHIVE, "space", "depth"):
            ours, theirs = getattr(self.config, name), getattr(other.config, name)
            require(
                ours == theirs,
                f"Searches share programs at the same {name}, not {theirs!r} and {ours!r}.",
            )
        self._twin = other

    def train_with(self, backend: Backend) -> None:
        """Has candidates trained by a backend; before the first generation."""
        assert "evaluator" not in self.__dict__, "the search has begun"
        self._backend = backend

    def look_up_while_waiting(self, look_up: Callable[[], None]) -> None:
        """Has a function called now and then while rules are trained, which may raise to give them up."""
        self._look_up = look_up
        if "evaluator" in self.__dict__:
            look_up_while_waiting(self.evaluator, look_up)

    @cached_property
    def probes(self) -> Probes:
        """On which rules are screened."""
        return probes_of(self.grammar)

    @cached_property
    def judgements(self) -> dict[str, Judgement]:
        """The compiled program of each judge, by its name."""
        if self._twin is not None:
            return self._twin.judgements
        found = {judge.name: self._judgement(judge) for judge in self.judges}
        if comes_with_its_rate(self.config):
            found |= {short_name(judge.name): self._short_judgement(judge) for judge in self.judges}
        return found

    @cached_property
    def references(self) -> dict[str, Reference]:
        """Tuned Adam on the replicates of the search, by judge."""
        if self._twin is not None:
            return self._twin.references
        tuned = finely_tuned_adam if self.config.training.one_rate else tuned_adam
        return {
            judge.name: tuned(
                judge.problem, self.judgements[judge.name], full_trial(judge.steps, self.config)
            )
            for judge in self.judges
        }

    @cached_property
    def short_references(self) -> dict[str, Reference]:
        """Adam tuned for the short runs that have a judgement of their own, on their replicate, by judge.

        Where rules follow its rate, that is tuned on the replicates of the full runs: one would be too few.
        """
        if self._twin is not None:
            return self._twin.short_references
        if self.config.training.one_rate:
            return {judge.name: self._followed_in_short_runs(judge) for judge in self.judges}
        return {
            judge.name: tuned_adam(
                judge.problem,
                self.judgements[short_name(judge.name)],
                replace(
                    short_trial(judge.steps, self),
                    full_steps=short_steps(judge.steps),
                    sweep_replicates=0,
                    full_replicates=1,
                ),
            )
            for judge in self.judges
        }

    @cached_property
    def short_starts(self) -> dict[str, float]:
        """The loss before training on the replicate of the short runs that have a judgement, by judge."""
        if self._twin is not None:
            return self._twin.short_starts
        return {
            judge.name: loss_before_training(self.judgements[short_name(judge.name)])
            for judge in self.judges
        }

    @cached_property
    def adam_update(self) -> np.ndarray | None:
        """What Adam does on the probes, [n]; None where the grammar cannot write it."""
        tokens = adam_tokens(self.grammar)
        if tokens is None:
            return None
        return self.probes.outputs(tokens[None]).update[0]

    @cached_property
    def rates_tried(self) -> int:
        """B, learning rates of racing's short runs before the half-decades: all where there is no Adam to go by."""
        training = self.config.training
        rates = len(training.multiples if training.one_rate else training.learning_rates)
        return rates if self.adam_update is None else min(RATES_TRIED, rates)

    @cached_property
    def evaluator(self) -> Evaluator:
        """Who trains candidates; freed by `close`."""
        found = self._backend(self.judgements)
        if self._look_up is not None:
            look_up_while_waiting(found, self._look_up)
        if self._twin is None:
            begin_compiling(found)
        return found

    def sort(
        self,
        tokens: np.ndarray,
        known: Container[bytes],
        in_flight: Iterable[Sorting] = (),
        room: int | None = None,
    ) -> Sorting:
        """Returns which rules of a generation are filtered, known and new; see `sorting.sort`."""
        return sort(tokens, self.probes, self.config.filters, known, in_flight, room)

    def prepare(self) -> None:
        """Makes what training needs, once, before threads share it."""
        _ = self.evaluator
        if self.config.reward == "loss":
            _ = self.references
        if comes_with_its_rate(self.config):
            _ = self.short_references, self.rates_tried
        if self.config.training.one_rate:
            _ = self.short_starts

    def close(self) -> None:
        """Frees threads and devices."""
        if "evaluator" in self.__dict__:
            self.evaluator.close()

    def _judgement(self, judge: Judge) -> Judgement:
        trial, seeds = full_trial(judge.steps, self.config), self._seeds(judge)
        own = seeds[1:] if comes_with_its_rate(self.config) else seeds
        return make_judgement(judge.problem, self.grammar, trial, "search", own, executor())

    def _short_judgement(self, judge: Judge) -> Judgement:
        """Returns the short runs of racing or of one rate, on the replicate that a sweep has without them."""
        trial, seeds = short_trial(judge.steps, self), self._seeds(judge)
        if self.config.training.one_rate:
            trial = trial_at_one_rate(short_length(judge.steps, self.config), 1, self.config)
        return make_judgement(judge.problem, self.grammar, trial, "search", seeds[:1], executor())

    def _followed_in_short_runs(self, judge: Judge) -> Reference:
        """Returns Adam on the replicate of a judge's short runs, its rate tuned on those of the full runs."""
        short = self.judgements[short_name(judge.name)]
        steps, others = short.recipe.trial.full_steps, self._seeds(judge)[1:]
        trial = trial_at_one_rate(steps, len(others), self.config)
        rate = finely_tuned_adam(judge.problem, on_replicates(short, others), trial).learning_rate
        once = trial_at_one_rate(steps, 1, self.config)
        return Reference(adam_losses(judge.problem, short, once, np.array([rate]))[0], rate)

    def _seeds(self, judge: Judge) -> list[int]:
        count = search_trial(judge.steps, self.config).replicates
        return judge.seeds(self.config.seed, "search", count)


def grammar_of(config: SearchConfig) -> Grammar:
    """Returns the grammar that a configuration searches."""
    return Grammar(
        config.space,
        config.depth,
        different_operands=config.different_operands,
        no_final_addition=config.no_final_addition,
        reuse_values=config.reuse_values,
        normalised=config.normalised,
    )


def adam_tokens(grammar: Grammar) -> np.ndarray | None:
    """Returns Adam as a grammar writes it, [L]; None where it cannot."""
    try:
        return grammar.to_tokens(parse("rms(adam)" if grammar.normalised else "adam"))
    except InvalidInput:
        return None


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
        **in_the_ways_of(training),
    )


def full_trial(steps: int, config: SearchConfig) -> Trial:
    """Returns the trial of the judgement that has the full runs."""
    if not comes_with_its_rate(config):
        return search_trial(steps, config)
    return trial_at_one_rate(steps, config.training.seeds, config)


def comes_with_its_rate(config: SearchConfig) -> bool:
    """Returns whether a rule comes to its full runs with its rate: then short runs have a judgement of their own."""
    return config.racing or config.training.one_rate


def short_length(steps: int, config: SearchConfig) -> int:
    """Returns the length of a rule's short runs by a judge of so many steps."""
    return (
        short_steps(steps)
        if config.racing
        else max(1, round(config.training.sweep_fraction * steps))
    )


def short_trial(steps: int, programs: SearchPrograms) -> Trial:
    """Returns how a candidate is run by racing's short runs: a sweep without full runs."""
    training = programs.config.training
    return Trial(
        short_steps(steps),
        steps,
        1,
        0,
        programs.rates_tried,
        refine=True,
        give_up=training.give_up,
        **in_the_ways_of(training),
    )


def short_steps(steps: int) -> int:
    """Returns the length of racing's short runs by a judge of so many steps."""
    return max(1, round(SHORT_RUN * steps))


def short_name(judge: str) -> str:
    """Returns the name of the judgement that has a judge's short runs."""
    return f"{judge}{_SHORT}"


def judge_name(judgement: str) -> str:
    """Returns the judge of a judgement; inverse of `short_name`, too."""
    return judgement.removesuffix(_SHORT)


_SHORT = ", short runs"
