"""halving: many rules on few seeds, then fewer rules on more seeds, until a few are left that fresh seeds report on.

    first    every entrant's rate is tuned among half-decades on Q replicates; U others score it
    rounds   the better ones are tuned to an eighth of a decade on U further replicates, and run on portions of U more;
             all their runs rank them
    report   those left run on fresh portions, which rank nothing: what they say is not optimistic by selection

Half-decades alone would hand over the rule whose best rate lies next to one of them: to be off by a factor of 1.8 costs
a rule as much as good rules differ by. Adam's rate, too, is tuned to an eighth.

A score is a search's measure on choice data: under the reward "loss" the mean over judges of minus the log of the loss
over tuned Adam's on the same replicate. In the ranking the search's own reward counts as that many runs as it rests on.
A rule with a run that diverged is behind all others of its round, also where that happens in the report.

Differs from the paper, which shares the steps equally among its rounds and begins anew in each: here runs are kept, and
a rule's rate is chosen before.

Where a search judges rules at one multiple of tuned Adam's rate (`one_multiple`), so does its choice: rates are
multiples of Adam's, which is tuned on the replicates of the choice, and all judges together choose among them.

Letters: K rules, L tokens, R learning rates, J judges, Q tuning replicates, U replicates of a portion.

Reference: Karnin, Koren, Somekh (2013), Almost Optimal Exploration in Multi-Armed Bandits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from metarl.update_rules import Grammar

from ..settings.config import FinalistConfig, SearchConfig
from .candidates import (
    Judgement,
    Trial,
    Verdicts,
    in_the_ways_of,
    make_judgement,
    on_replicates,
)
from .evaluators import Backend, Evaluator, begin_compiling, executor, local_evaluator
from .judges import Judge
from .one_multiple import Runs, runs_at, scores_of_multiples
from .panel import REFINEMENT, Scores, scored, trial_at_one_rate
from .reference import NEAR, Reference, adam_losses, finely_tuned_adam
from .rewards import FLOOR, metric_floor

_TUNING_SEEDS = 3
_PORTIONS = 6  # of the seeds that report
_ADAM_PORTIONS = 3  # the first; Adam's rate is tuned on them, to an eighth of a decade too


class Rounds(NamedTuple):
    """How many rules are run on how many portions of seeds."""

    portion: int  # U
    later: tuple[tuple[int, int], ...]  # rules of each round after the first, and its portions
    report: int  # portions

    @property
    def portions(self) -> int:
        """Portions after the first round, those of the report last."""
        return sum(portions for _, portions in self.later) + self.report

    def document(self, entrants: int) -> list[dict[str, int]]:
        """Returns the rules and the new seeds of each round, the report last, where so many rules enter."""
        numbers = [(entrants, 1), *self.later, (self.later[-1][0], self.report)]
        return [
            {"rules": min(rules, entrants), "seeds": portions * self.portion}
            for rules, portions in numbers
        ]


class Halved(NamedTuple):
    """What became of K rules; places are among them."""

    order: list[int]  # the best first; those left at the end stand first
    scores: Scores  # of each on the seeds that count for it: of those left at the end the report's
    seeds: np.ndarray  # [K] int, how many these are
    first: np.ndarray  # [K], the score of the first round, on the same seeds for all


def rounds_of(final: FinalistConfig, left: int) -> Rounds:
    """Returns the rounds of a choice: three eighths of the entrants after the first, then an eighth.

    Args:
      final: its candidates enter; its choice seeds report, and give the portions' size.
      left: the fewest rules that are to be left.
    """
    portion = max(1, final.choice_seeds // _PORTIONS)
    last = max(-(-final.candidates // 8), left)
    middle = max(-(-3 * final.candidates // 8), last)
    return Rounds(portion, ((middle, 2), (last, 4)), -(-final.choice_seeds // portion))


def first_trial(steps: int, rounds: Rounds, config: SearchConfig) -> Trial:
    """Returns how a rule is run in the first round by a judge of so many steps: full length throughout."""
    training = config.training
    return Trial(
        steps,
        steps,
        _TUNING_SEEDS,
        rounds.portion,
        len(REFINEMENT),
        give_up=training.give_up,
        **in_the_ways_of(training),
    )


class HalvingPanel:
    """A search's judges on choice data, with fresh seeds.

    Args:
      judges: by whom rules are judged.
      grammar: of the rules' tokens.
      config: of the search; its reward is the measure, its seed the root.
      rounds: of the choice.
      backend: where rules are trained.
    """

    def __init__(
        self,
        judges: Sequence[Judge],
        grammar: Grammar,
        config: SearchConfig,
        rounds: Rounds,
        backend: Backend = local_evaluator,
    ):
        """Nothing is compiled before the first question."""
        self.judges, self.grammar, self.rounds = list(judges), grammar, rounds
        self._config, self._backend = config, backend

    @property
    def names(self) -> list[str]:
        """Names of the judges."""
        return [judge.name for judge in self.judges]

    def halve(self, tokens: np.ndarray, rates: np.ndarray, before: np.ndarray) -> Halved:
        """Ranks rules by halving their number.

        Args:
          tokens: [K, L], K at least 1.
          rates: [K, J, R] learning rates to try; multiples of Adam's, the same for all judges, with one for all.
          before: rewards of the search, [K].
        """
        verdicts = self._first(tokens, rates)
        scores = [self._scored(verdicts, slice(0, self.rounds.portion))] * len(tokens)
        first = scores[0].total
        seeds = np.full(len(tokens), self.rounds.portion)
        order, ended = self._ranked(np.arange(len(tokens)), first, seeds, before), []
        begun = 0
        for keep, portions in self.rounds.later:
            ended, order = [*order[keep:], *ended], order[:keep]
            tuned = 0
            if begun == 0:
                verdicts, tuned = self._finer(verdicts, tokens, order), 1
            verdicts = self._longer(verdicts, tokens, order, begun + tuned, portions - tuned)
            begun += portions
            now = self._scored(verdicts, slice(0, self.rounds.portion * (1 + begun)))
            for place in order:
                scores[place], seeds[place] = now, self.rounds.portion * (1 + begun)
            order = self._ranked(np.array(order, int), now.total, seeds, before)
        verdicts = self._longer(verdicts, tokens, order, begun, self.rounds.report)
        fresh = slice(self.rounds.portion * (1 + begun), None)
        report = self._scored(verdicts, fresh)
        for place in order:
            scores[place], seeds[place] = report, self.rounds.portion * self.rounds.report
        order.sort(key=lambda place: report.total[place] <= self._floor)  # stable
        return Halved([*order, *ended], _picked(scores, self.names), seeds, first)

    def scores(self, tokens: np.ndarray, rates: np.ndarray) -> Scores:
        """Tunes and judges rules on the seeds that report.

        Args:
          tokens: [K, L].
          rates: [K, J, R], as of `halve`.
        """
        begun, places = self.rounds.portions - self.rounds.report, range(len(tokens))
        verdicts = self._finer(self._first(tokens, rates), tokens, list(places))
        skipped = self._unknown(verdicts, begun - 1)
        verdicts = self._longer(skipped, tokens, list(places), begun, self.rounds.report)
        return self._scored(verdicts, slice(self.rounds.portion * (1 + begun), None))

    def prepare(self) -> None:
        """Compiles what `halve` will ask for, and trains Adam; nothing of it depends on the rules."""
        begin_compiling(self._evaluator)
        if self._config.reward == "loss":
            _ = self._adam
        if self.one_rate:
            _ = self._adam_while_tuning

    @property
    def one_rate(self) -> bool:
        """Whether all judges together choose a rule's rate, as a multiple of Adam's."""
        return self._config.training.one_rate

    @property
    def adam_rates(self) -> np.ndarray:
        """Tuned Adam's learning rate by each judge, [J]."""
        return np.array([self._tuned[name].learning_rate for name in self.names])

    def close(self) -> None:
        """Frees threads and devices."""
        if "_evaluator" in self.__dict__:
            self._evaluator.close()

    def _ranked(
        self, places: np.ndarray, total: np.ndarray, seeds: np.ndarray, before: np.ndarray
    ) -> list[int]:
        """Returns places in the order of all that is known of their rules, best first."""
        weight = self._config.training.seeds
        mixed = (total * seeds + before * weight) / (seeds + weight)
        mixed = np.where(total > self._floor, mixed, -np.inf)
        return places[np.argsort(-mixed[places], kind="stable")].tolist()

    def _first(self, tokens: np.ndarray, rates: np.ndarray) -> dict[str, Verdicts]:
        if self.one_rate:
            return self._first_at_one(tokens, rates[:, 0])
        return {
            name: self._evaluator.evaluate(tokens, rates[:, place], [name])[name]
            for place, name in enumerate(self.names)
        }

    def _first_at_one(self, tokens: np.ndarray, multiples: np.ndarray) -> dict[str, Verdicts]:
        """Returns the first round at the multiple of Adam's rate, of [K, R], that all judges together choose."""
        rates = {
            name: (multiples * adam).astype(np.float32)
            for name, adam in zip(self.names, self.adam_rates, strict=True)
        }
        tried = {
            name: runs_at(self._evaluator, _tuning(name), tokens, rates[name]) for name in rates
        }
        losses = {name: runs.losses for name, runs in tried.items()}
        best = self._best_of(losses, self._adam_while_tuning)
        found = {}
        for name, grid in rates.items():
            rate = grid[np.arange(len(tokens)), best]
            first = _first_round(name)
            verdict = self._evaluator.evaluate(tokens, rate[:, None], [first])[first]
            steps = verdict.steps + tried[name].steps
            sweep = losses[name].mean(axis=-1)
            found[name] = verdict._replace(rates=grid, sweep=sweep, rate=rate, steps=steps)
        return found

    def _best_of(
        self, losses: Mapping[str, np.ndarray], adam: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Returns the place of each rule's best rate, [K], for losses [K, R, S] at multiples of Adam's rate."""
        return scores_of_multiples(losses, adam, self._config.training.judge_cap).argmax(axis=1)

    def _finer(
        self, verdicts: Mapping[str, Verdicts], tokens: np.ndarray, places: Sequence[int]
    ) -> dict[str, Verdicts]:
        """Returns verdicts with the first portion, which some rules run at the best of the rates near theirs."""
        finer, rows, unit = self._unknown(verdicts, 1), np.array(places, int), self.rounds.portion
        if len(rows) == 0:
            return finer
        tried = {
            name: (verdict.rate[rows, None] * NEAR).astype(np.float32)  # [K, R]
            for name, verdict in finer.items()
        }
        found = {
            name: runs_at(self._evaluator, _portion(name, 0), tokens[rows], rates)
            for name, rates in tried.items()
        }
        each, best = np.arange(len(rows)), self._best_near(found)
        for name, verdict in finer.items():
            verdict.losses[rows, -unit:] = found[name].losses[each, best[name]]
            verdict.metrics[rows, -unit:] = found[name].metrics[each, best[name]]
            rate = np.array(verdict.rate)
            rate[rows] = tried[name][each, best[name]]
            finer[name] = verdict._replace(rate=rate)
        return finer

    def _best_near(self, found: Mapping[str, Runs]) -> dict[str, np.ndarray]:
        """Returns the place of each rule's best rate by each judge, [K], the same for all where one rate is for all."""
        losses = {name: runs.losses for name, runs in found.items()}
        if not self.one_rate:
            return {name: runs.mean(axis=2).argmin(axis=1) for name, runs in losses.items()}
        unit = self.rounds.portion
        best = self._best_of(losses, {n: a[unit : 2 * unit] for n, a in self._adam.items()})
        return dict.fromkeys(losses, best)

    def _longer(
        self,
        verdicts: Mapping[str, Verdicts],
        tokens: np.ndarray,
        places: Sequence[int],
        begun: int,
        portions: int,
    ) -> dict[str, Verdicts]:
        """Returns verdicts on all rules with further runs of some; of the others nothing is known there."""
        if portions == 0:
            return dict(verdicts)
        longer = self._unknown(verdicts, portions)
        rows, unit = np.array(places, int), self.rounds.portion
        for name, verdict in longer.items():
            if len(rows) == 0:
                continue
            asked = [_portion(name, begun + number) for number in range(portions)]
            found = self._evaluator.evaluate(tokens[rows], verdict.rate[rows, None], asked)
            for number, portion in enumerate(asked, -portions):
                columns = slice(number * unit, (number + 1) * unit or None)
                verdict.losses[rows, columns] = found[portion].losses
                verdict.metrics[rows, columns] = found[portion].metrics
        return longer

    def _unknown(self, verdicts: Mapping[str, Verdicts], portions: int) -> dict[str, Verdicts]:
        """Returns verdicts with so many portions more, of which nothing is known yet."""
        more = portions * self.rounds.portion

        def wider(values: np.ndarray, fill: float) -> np.ndarray:
            return np.concatenate([values, np.full((len(values), more), fill, np.float32)], axis=1)

        return {
            name: v._replace(losses=wider(v.losses, np.inf), metrics=wider(v.metrics, np.nan))
            for name, v in verdicts.items()
        }

    def _scored(self, verdicts: Mapping[str, Verdicts], runs: slice) -> Scores:
        part = {
            name: v._replace(losses=v.losses[:, runs], metrics=v.metrics[:, runs])
            for name, v in verdicts.items()
        }
        if self._config.reward == "accuracy":
            return scored(part, self.judges, self._config, {})
        adam = {
            name: losses[: part[name].losses.shape[1] + (runs.start or 0)][runs]
            for name, losses in self._adam.items()
        }
        return scored(part, self.judges, self._config, adam)

    @property
    def _floor(self) -> float:
        if self._config.reward == "accuracy":
            return metric_floor([judge.problem for judge in self.judges])
        return FLOOR

    def _seeds(self, judge: Judge) -> list[int]:
        """Returns the seeds of a judge: for tuning, for the first round, then portion by portion."""
        count = _TUNING_SEEDS + self.rounds.portion * (1 + self.rounds.portions)
        return judge.seeds(self._config.seed, "choice", count)

    @cached_property
    def _judgements(self) -> dict[str, Judgement]:
        found, unit = {}, self.rounds.portion
        for judge in self.judges:
            seeds = self._seeds(judge)
            make = (judge.problem, self.grammar)
            alone = trial_at_one_rate(judge.steps, unit, self._config)
            first, rest = seeds[: _TUNING_SEEDS + unit], seeds[_TUNING_SEEDS + unit :]
            if self.one_rate:
                few = trial_at_one_rate(judge.steps, _TUNING_SEEDS, self._config)
                ways = ("choice", first[:_TUNING_SEEDS], executor())
                found[_tuning(judge.name)] = make_judgement(*make, few, *ways)
                ways = ("choice", first[_TUNING_SEEDS:], executor())
                found[_first_round(judge.name)] = make_judgement(*make, alone, *ways)
            else:
                trial = first_trial(judge.steps, self.rounds, self._config)
                found[judge.name] = make_judgement(*make, trial, "choice", first, executor())
            for number in range(self.rounds.portions):
                own = rest[number * unit : (number + 1) * unit]
                name = _portion(judge.name, number)
                if self.one_rate:
                    found[name] = on_replicates(found[_first_round(judge.name)], own)
                elif number == 0:
                    found[name] = make_judgement(*make, alone, "choice", own, executor())
                else:
                    found[name] = on_replicates(found[_portion(judge.name, 0)], own)
        return found

    @cached_property
    def _evaluator(self) -> Evaluator:
        return self._backend(self._judgements)

    @cached_property
    def _tuned(self) -> dict[str, Reference]:
        """Adam on all replicates but those for tuning, by judge, its rate tuned on the first of them."""
        found = {}
        for judge in self.judges:
            seeds = self._seeds(judge)[_TUNING_SEEDS:]
            everything = on_replicates(self._judgements[_portion(judge.name, 0)], seeds)
            alone = trial_at_one_rate(judge.steps, len(seeds), self._config)
            tuned_on = _ADAM_PORTIONS * self.rounds.portion
            found[judge.name] = finely_tuned_adam(judge.problem, everything, alone, tuned_on)
        return found

    @cached_property
    def _adam(self) -> dict[str, np.ndarray]:
        """Its losses on these replicates, by judge."""
        return {name: tuned.losses for name, tuned in self._tuned.items()}

    @cached_property
    def _adam_while_tuning(self) -> dict[str, np.ndarray]:
        """Its losses on the replicates for tuning, by judge."""
        found = {}
        for judge in self.judges:
            few = trial_at_one_rate(judge.steps, _TUNING_SEEDS, self._config)
            rate = np.array([self._tuned[judge.name].learning_rate])
            judgement = self._judgements[_tuning(judge.name)]
            found[judge.name] = adam_losses(judge.problem, judgement, few, rate)[0]
        return found


def _portion(name: str, number: int) -> str:
    return f"{name}, portion {number + 1}"


def _tuning(name: str) -> str:
    return f"{name}, tuning"


def _first_round(name: str) -> str:
    return f"{name}, first round"


def _picked(scores: Sequence[Scores], names: Sequence[str]) -> Scores:
    """Returns the scores of each rule out of its own, without those of single runs."""
    rows = range(len(scores))
    return Scores(
        np.array([scores[k].total[k] for k in rows]),
        {name: np.array([scores[k].by_judge[name][k] for k in rows]) for name in names},
        np.zeros((len(scores), 0)),
        {name: np.array([scores[k].rates[name][k] for k in rows]) for name in names},
    )
