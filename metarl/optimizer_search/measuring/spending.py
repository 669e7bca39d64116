"""spending: what the optimizer steps of a search buy, by schedules replayed on tables of rules.

A search spends steps on finding a rule's learning rate, on full runs of it, and in the choice on more of both. A
schedule says how: which rates are tried and for how long, which share of a generation goes on to full runs, how many
rules enter the choice and how their number is halved. What it is worth is the true score of the one rule handed over.

The table's replicates are taken for all there are: every run draws one of them, the same for all rules, so a schedule
may ask for more runs than the table has replicates; the truth is the score on test data over all of them, the learning
rate chosen on choice data. Rules come in random order, in generations, so that no strategy has a part in it; or a
strategy proposes them, and is told what a search by the schedule tells it.

Differs from a search in earnest: a short run is the first part of a full one; of a run that diverged the steps up to
the moment that found it so are counted.

Letters: K rules, R learning rates, S replicates, C moments of a run, N rules trained, B rates tried, T runs.

References: Karnin, Koren, Somekh (2013), Almost Optimal Exploration in Multi-Armed Bandits (sequential halving);
Jamieson and Talwalkar (2016), Non-stochastic Best Arm Identification and Hyperparameter Optimization, arXiv:1502.07943.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
from scipy.optimize import isotonic_regression

from metarl.statistics import Interval, bootstrap_interval

from ..judging.rewards import FLOOR, relative_scores
from ..screening.sizes import predicted_log_rates
from ..searching.racing import lowered
from ..strategies import Strategy
from ..tables import RuleTable, TableJudge, truth
from ..tables.sweeping import CHECKPOINTS
from .replay import Places, replay

_AROUND = np.arange(-2, 3)  # half-decades that the choice tries beside a rule's rate


@dataclass(frozen=True)
class SearchSchedule:
    """How a generation is trained.

    Attributes:
      decades: whole decades tried in short runs, those nearest the rate that a rule's size predicts; 7 are all.
      fraction: length of a short run, a share of a full one: 1/8, 1/4, 1/2 or 1.
      rungs: share of the generation that goes on, and full runs that each then has at its two best rates.
      generation: new rules trained together.
    """

    decades: int
    fraction: float
    rungs: tuple[tuple[float, int], ...]
    generation: int = 16


@dataclass(frozen=True)
class ChoiceSchedule:
    """How the best of a search are judged again.

    Attributes:
      tuning: runs of each entrant at each half-decade around its rate; the best mean counts.
      rounds: rules that take part, the first round's entering, and the new runs that each then has.
      weight: of the search's own score in the ranking, in runs.
      report: fresh runs of each rule of the last round, which rank nothing.
    """

    tuning: int
    rounds: tuple[tuple[int, int], ...]
    weight: int = 0
    report: int = 0


class Searched(NamedTuple):
    """What a search knows of the rules of a table that it trained; of the others nothing is meant."""

    rung: np.ndarray  # [K] rungs of full runs that a rule had
    score: np.ndarray  # [K] by the last of them
    place: np.ndarray  # [K] of its learning rate
    steps: np.ndarray  # [K] in units of a full run


class World:
    """The rules of a table by one judge, where every run draws one of the table's replicates.

    Args:
      table: of the rules.
      judge: one of its judges.
      updates: of the rules on the probes, [K, n].
      adam: place of Adam among the rules.
    """

    def __init__(self, table: RuleTable, judge: TableJudge, updates: np.ndarray, adam: int):
        """Takes the scores of all runs out of the table."""
        losses = table.losses(judge)
        self.along = relative_scores(
            np.moveaxis(losses, 3, 0), judge.adam["search"]
        )  # [C, K, R, S]
        self.choice = relative_scores(table.choice(judge), judge.adam["choice"])  # [K, R, S]
        self.truth = truth(table, judge)  # [K]
        alive = np.isfinite(losses)
        ends = np.where(alive.all(axis=3), len(CHECKPOINTS) - 1, np.argmin(alive, axis=3))
        self.taken = np.asarray(judge.checkpoint_steps)[ends] / judge.steps  # [K, R, S]
        self.start = relative_scores(judge.start, judge.adam["search"])  # [S]
        tuned = judge.adam_runs["search"].min(axis=0)  # [S, C], for each replicate and length
        self.adam_along = relative_scores(tuned.T, judge.adam["search"])  # [C, S]
        logs = np.log10(table.rates)
        self.decades = np.flatnonzero(np.abs(logs - np.rint(logs)) < 0.01)  # [7 or 8]
        self.decades = self.decades[(self.decades > 0) & (self.decades < len(logs) - 1)]
        predicted = predicted_log_rates(updates, updates[adam], judge.adam_rates["search"])
        nearest = np.abs(logs[self.decades] - predicted[:, None]).argmin(axis=1)
        self.nearest = nearest  # [K], among the decades

    def tried(self, count: int) -> np.ndarray:
        """Returns the places of the decades that are tried, [K, B]."""
        first = np.clip(self.nearest - count // 2, 0, len(self.decades) - count)
        return self.decades[first[:, None] + np.arange(count)]


class Training:
    """The rules that one search trains, generation by generation, and what is known of them.

    Args:
      world: the rules and their runs.
      schedule: of the steps.
      generator: of the replicates, the same for all rules.

    Attributes:
      known: of the rules trained so far; changed as more are.
    """

    def __init__(self, world: World, schedule: SearchSchedule, generator: np.random.Generator):
        """Has every rule's runs at hand; none of them counts before its rule is trained."""
        runs = sum(new for _, new in schedule.rungs)
        short, *full = generator.integers(world.along.shape[-1], size=1 + runs).tolist()
        self._schedule = schedule
        self._two, score, steps = _sweep(world, schedule, short)
        rows = np.arange(len(world.truth))[:, None, None]
        self._scores = world.along[-1][rows, self._two[:, :, None], full]  # [K, 2, T]
        self._taken = world.taken[rows, self._two[:, :, None], full]
        self._short_adam = world.adam_along[CHECKPOINTS.index(schedule.fraction), short]
        self._hopeless = ~(score > world.start[short])
        score = np.where(self._hopeless | ~np.isfinite(score), FLOOR, score)
        self.known = Searched(np.zeros(len(score), int), score, self._two[:, 0].copy(), steps)

    def train(self, members: np.ndarray) -> np.ndarray:
        """Trains a generation, and returns what a strategy would be told of its rules.

        Args:
          members: places of the rules, [n].

        Returns:
          Their rewards, [n], as `searching.racing` has them: of rules that were stopped after short runs the score
          beside Adam tuned for these, lowered where need be.
        """
        rung, score, place, steps = self.known
        going, begun = members[~self._hopeless[members]], 0
        for number, (share, new) in enumerate(self._schedule.rungs, 1):
            keep = int(np.ceil(share * len(members)))
            going = going[np.argsort(-score[going], kind="stable")[:keep]]
            means = self._scores[going, :, : begun + new].mean(axis=2)  # [n, 2]
            steps[going] += self._taken[going, :, begun : begun + new].sum(axis=(1, 2))
            score[going] = np.nan_to_num(means.max(axis=1), neginf=FLOOR)
            place[going] = self._two[going, means.argmax(axis=1)]
            rung[going], begun = number, begun + new
        rewards, last = score[members].copy(), rung[members] == len(self._schedule.rungs)
        stopped = ~last & (rewards > FLOOR)
        short = stopped & (rung[members] == 0)
        rewards[short] = np.maximum(rewards[short] - self._short_adam, FLOOR)
        rewards[stopped] = lowered(rewards[stopped], rewards[last])
        return rewards


def search(
    world: World, schedule: SearchSchedule, order: np.ndarray, generator: np.random.Generator
) -> Searched:
    """Trains rules in an order, generation by generation.

    Args:
      world: the rules and their runs.
      schedule: of the steps.
      order: places of the rules to train, [N].
      generator: of the replicates.
    """
    training = Training(world, schedule, generator)
    for first in range(0, len(order), schedule.generation):
        training.train(order[first : first + schedule.generation])
    return training.known


Search = Callable[[int], tuple[np.ndarray, Searched]]  # number -> rules trained [N], in order


def in_random_order(world: World, schedule: SearchSchedule, rules: int, seed: int) -> Search:
    """Returns searches of random rules, none of them twice.

    Args:
      world: the rules and their runs.
      schedule: of the searches.
      rules: that each trains.
      seed: search i trains the rules in the same order, on the same replicates, whatever the schedule.
    """

    def one(number: int) -> tuple[np.ndarray, Searched]:
        order = np.random.default_rng([seed, number, 0]).permutation(len(world.truth))[:rules]
        return order, search(world, schedule, order, np.random.default_rng([seed, number, 1]))

    return one


def proposed_by(
    strategy: Strategy,
    places: Places,
    world: World,
    schedule: SearchSchedule,
    rules: int,
    batch_size: int,
    seed: int,
) -> Search:
    """Returns searches whose rules a strategy proposes.

    Args:
      strategy: that proposes, and is told.
      places: which rule of the table a sequence of tokens is.
      world: the rules and their runs.
      schedule: of the searches; a generation is what the strategy proposes together.
      rules: that each trains, fewer where nothing new comes.
      batch_size: rules proposed in a generation.
      seed: search i has the same key and replicates whatever the schedule.
    """

    def one(number: int) -> tuple[np.ndarray, Searched]:
        training = Training(world, schedule, np.random.default_rng([seed, number, 1]))
        rewards = np.full(len(world.truth), FLOOR, np.float32)

        def train(members: np.ndarray) -> None:
            rewards[members] = training.train(members)

        key = jax.random.fold_in(jax.random.key(seed), number)
        found = replay(strategy, key, places, rewards, rules, batch_size, train)
        return found.trained, training.known

    return one


def choose(
    world: World,
    schedule: ChoiceSchedule,
    ranked: np.ndarray,
    found: Searched,
    generator: np.random.Generator,
) -> tuple[int, float]:
    """Returns the rule that is handed over, -1 where there is none, and the steps that choosing took, in full runs.

    Args:
      world: the rules and their runs.
      schedule: of the runs.
      ranked: places of the search's rules, best first.
      found: what the search knows of them.
      generator: of the replicates.
    """
    replicates, rates = world.choice.shape[-1], world.choice.shape[1]
    if len(ranked) == 0:
        return -1, 0.0
    rows = ranked[: schedule.rounds[0][0]]
    tuning = generator.integers(replicates, size=schedule.tuning)
    around = np.clip(found.place[rows][:, None] + _AROUND, 0, rates - 1)  # [N, 5]
    tuned = world.choice[rows[:, None, None], around[:, :, None], tuning].mean(axis=2)
    place = around[np.arange(len(rows)), np.nan_to_num(tuned, neginf=FLOOR).argmax(axis=1)]
    spent, sums, runs = float(around.size * schedule.tuning), np.zeros(len(rows)), 0
    before = found.score[rows] * schedule.weight
    score = before
    for keep, new in schedule.rounds:
        best = np.argsort(-score, kind="stable")[:keep]
        rows, place, sums, before = rows[best], place[best], sums[best], before[best]
        seen = generator.integers(replicates, size=new)
        sums = sums + world.choice[rows[:, None], place[:, None], seen].sum(axis=1)
        runs, spent = runs + new, spent + float(len(rows) * new)
        mean = (sums + before) / (runs + schedule.weight)
        score = np.where(np.isfinite(mean), mean, FLOOR)
    return int(rows[score.argmax()]), spent + len(rows) * schedule.report


class Spent(NamedTuple):
    """What n searches came to at M numbers of rules trained."""

    true: np.ndarray  # [n, M], true score of the rule handed over
    in_top: np.ndarray  # [n, M] bool, whether it is among the best 1 % of the table
    search: np.ndarray  # [n, M], steps, in units of a full run
    choice: np.ndarray  # [n, M]


def spend(
    world: World,
    one: Search,
    choices: Sequence[ChoiceSchedule],
    marks: Sequence[int],
    searches: int,
    seed: int,
    top_share: float = 0.01,
) -> list[Spent]:
    """Returns what searches by one schedule come to, for each way of choosing; search i has its own draws.

    Args:
      world: the rules and their runs.
      one: searches once.
      choices: ways to choose of each search's rules.
      marks: numbers of rules trained at which a search ends, rising, [M].
      searches: n.
      seed: of the choice.
      top_share: share of the rules that are the best.
    """
    least = np.sort(world.truth)[-max(1, round(top_share * len(world.truth)))]
    found = np.zeros((len(choices), searches, len(marks), 4))
    for number in range(searches):
        order, known = one(number)
        for at, mark in enumerate(marks):
            trained = order[:mark]
            good = trained[known.score[trained] > FLOOR]
            ranked = good[np.lexsort((-known.score[good], -known.rung[good]))]
            for which, choice in enumerate(choices):
                drawn = np.random.default_rng([seed, number, 2])
                winner, spent = choose(world, choice, ranked, known, drawn)
                true = world.truth[winner] if winner >= 0 else FLOOR
                steps = known.steps[trained].sum()
                found[which, number, at] = true, true >= least, steps, spent
    return [Spent(x[..., 0], x[..., 1] > 0, x[..., 2], x[..., 3]) for x in found]


def _sweep(
    world: World, schedule: SearchSchedule, replicate: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the places of the two best rates [K, 2], the score of the best [K], and the steps [K]."""
    moment = CHECKPOINTS.index(schedule.fraction)
    scores = world.along[moment][:, :, replicate]  # [K, R]
    taken = np.minimum(world.taken[:, :, replicate], schedule.fraction)
    rows = np.arange(len(scores))
    tried = world.tried(schedule.decades)  # [K, B]
    best = tried[rows, scores[rows[:, None], tried].argmax(axis=1)]
    tried = np.concatenate([tried, best[:, None] + np.array([-1, 1])], axis=1)
    shown = scores[rows[:, None], tried]
    first = np.argsort(-shown, axis=1, kind="stable")[:, :2]
    two = tried[rows[:, None], first]
    return two, shown[rows, first[:, 0]], taken[rows[:, None], tried].sum(axis=1)


def steps_for(steps: np.ndarray, curve: np.ndarray, wanted: float) -> float:
    """Returns the steps at which a curve, made to rise, first has a value; +inf where it never has.

    Args:
      steps: rising, [M].
      curve: mean scores there, [M].
      wanted: a score; at least that of the first mark counts.
    """
    rising = isotonic_regression(curve).x
    if wanted > rising[-1]:
        return np.inf
    right = int(np.argmax(rising >= wanted))
    if right == 0:
        return float(steps[0])
    share = (wanted - rising[right - 1]) / (rising[right] - rising[right - 1])
    return float(np.exp(np.interp(share, [0, 1], np.log(steps[right - 1 : right + 1]))))


def steps_ratio(
    own: Spent, other: Spent, at: int, *, with_choice: bool = True, resamples: int = 1000
) -> Interval:
    """Returns the steps that searches need for the mean true score of others at a mark, over those the others need.

    Both are read from mean curves made to rise. The interval is 95 %, by the bootstrap of searches, which are paired.

    Args:
      own: the searches.
      other: as many others.
      at: the mark, among M.
      with_choice: whether the steps of the choice count.
      resamples: of the bootstrap.
    """
    parts = [x.search + x.choice if with_choice else x.search for x in (own, other)]
    rows = np.concatenate([own.true, parts[0], other.true, parts[1]], axis=1)  # [n, 4 M]

    def statistic(values: np.ndarray, axis: int) -> np.ndarray:
        means = np.moveaxis(values, axis, 0).mean(axis=0)  # [..., 4 M]
        flat = means.reshape(-1, 4, own.true.shape[1])
        ratios = [
            steps_for(row[1], row[0], _risen(row[2], at))
            / steps_for(row[3], row[2], _risen(row[2], at))
            for row in flat
        ]
        return np.reshape(ratios, means.shape[:-1])

    return bootstrap_interval(rows, statistic, resamples=resamples)


def _risen(curve: np.ndarray, at: int) -> float:
    """Returns a rising curve's value at a mark."""
    return float(isotonic_regression(curve).x[at])
