"""racing: a generation in which most rules are stopped after short runs.

    short   every new rule at the three learning rates of the search nearest to what its size predicts, then at the
            half-decades beside the best, in runs of a quarter of the steps, on one replicate
    full    the best sixth of the generation, at its two best rates, on the full replicates

A rule that is stopped has its short runs' reward: minus the log of its loss over that of Adam, tuned for that length,
on the same replicate. The rewards of all stopped rules of a generation are lowered together, if need be, so that none
is above a rule that went on and did not fail. So a strategy is told of a generation in the order of its rungs, and
within a rung in the order of what was measured there. A stopped rule stands in the cache, and not in the archive.

With several horizons the shortest decides who goes on. What is done depends on the generation alone: not on earlier
ones, on threads or on what is ready first.

Letters: K rules, L tokens, J judges, R learning rates of the search, B of them tried, S replicates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..judging.candidates import Verdicts
from ..judging.judges import Judge
from ..judging.rewards import FLOOR, relative_scores
from ..screening.sizes import predicted_log_rates
from .programs import SearchPrograms, short_name

SHARE = 1 / 6  # of a generation's new rules, at least one, that go on to full runs


class Raced(NamedTuple):
    """What some judges found of K rules."""

    verdicts: dict[str, Verdicts]  # of the full runs, by judge; +inf for a rule that did not go on
    went_on: np.ndarray  # [K] bool
    short: np.ndarray  # [K], reward of the short runs; the floor for a rule that failed there
    steps: int  # executed


def race(
    tokens: np.ndarray,
    updates: np.ndarray,
    judges: Sequence[Judge],
    programs: SearchPrograms,
    share: float = SHARE,
) -> Raced:
    """Runs rules by some judges, few of them in full.

    Args:
      tokens: [K, L], K at least 1.
      updates: of the rules on the probes, [K, n].
      judges: of one horizon.
      programs: of the search.
      share: of the rules that goes on; 1 for all that did not fail.
    """
    swept, scores = {}, []
    for judge in judges:
        name = short_name(judge.name)
        rates = tried_rates(programs, judge, updates)
        swept[judge.name] = verdict = programs.evaluator.evaluate(tokens, rates, [name])[name]
        scores.append(_short_scores(verdict, judge, programs))
    short = np.mean(scores, axis=0)
    short = np.where(np.isfinite(short), short, FLOOR)
    order = np.argsort(-short, kind="stable")[: int(np.ceil(share * len(tokens)))]
    went_on = np.zeros(len(tokens), bool)
    went_on[order] = short[order] > FLOOR
    found = {
        judge.name: _run_in_full(tokens, swept[judge.name], went_on, judge.name, programs)
        for judge in judges
    }
    steps = sum(int(v.steps.sum()) for v in (*swept.values(), *found.values()))
    return Raced(found, went_on, short, steps)


def lowered(short: np.ndarray, full: np.ndarray) -> np.ndarray:
    """Returns the rewards of stopped rules, lowered alike so that none is above one that went on and did not fail.

    Args:
      short: their rewards by short runs, [K].
      full: rewards of the rules that went on.
    """
    good = full[full > FLOOR]
    if len(good) == 0 or len(short) == 0:
        return short
    return np.maximum(short - max(0.0, float(short.max() - good.min())), FLOOR)


def tried_rates(programs: SearchPrograms, judge: Judge, updates: np.ndarray) -> np.ndarray:
    """Returns the learning rates of short runs, consecutive ones of the search, [K, B]."""
    rates = np.sort(np.asarray(programs.config.training.learning_rates, np.float32))
    count, adam = programs.rates_tried, programs.adam_update
    if adam is None or count == len(rates):
        return np.tile(rates, (len(updates), 1))
    suits = programs.references[judge.name].learning_rate
    predicted = predicted_log_rates(updates, adam, suits)
    nearest = np.abs(np.log10(rates) - predicted[:, None]).argmin(axis=1)
    first = np.clip(nearest - count // 2, 0, len(rates) - count)
    return rates[first[:, None] + np.arange(count)]


def _short_scores(verdict: Verdicts, judge: Judge, programs: SearchPrograms) -> np.ndarray:
    """Returns the rewards of short runs at their best rates, [K]; -inf for a rule that is not worth a full run."""
    lowest = verdict.sweep.min(axis=1)
    adam = programs.short_references[judge.name].losses  # [1]
    scores = relative_scores(lowest[:, None], adam)[:, 0]
    start = programs.judgements[short_name(judge.name)].baseline
    limit = programs.config.training.give_up * start if start > 0 else np.inf
    return np.where(lowest < limit, scores, -np.inf)


def _run_in_full(
    tokens: np.ndarray,
    swept: Verdicts,
    went_on: np.ndarray,
    name: str,
    programs: SearchPrograms,
) -> Verdicts:
    """Returns the full runs of some rules at the better of their two best rates, as verdicts on all."""
    count, replicates = len(tokens), programs.config.training.seeds
    losses = np.full((count, replicates), np.inf, np.float32)
    metrics, steps = np.full_like(losses, np.nan), np.zeros(count, np.int32)
    two = np.argsort(swept.sweep, axis=1, kind="stable")[:, :2]
    rates = np.take_along_axis(swept.rates, two, axis=1)  # [K, 2]
    rate = rates[:, 0].copy()
    places = np.flatnonzero(went_on)
    if len(places):
        twice = np.repeat(tokens[places], 2, axis=0)
        found = programs.evaluator.evaluate(twice, rates[places].reshape(-1, 1), [name])[name]
        runs = found.losses.reshape(-1, 2, replicates)
        better, rows = runs.mean(axis=2).argmin(axis=1), np.arange(len(places))
        losses[places] = runs[rows, better]
        metrics[places] = found.metrics.reshape(-1, 2, replicates)[rows, better]
        rate[places] = rates[places, better]
        steps[places] = found.steps.reshape(-1, 2).sum(axis=1)
    return Verdicts(swept.rates, swept.sweep, rate, losses, metrics, steps)


def of_rules(verdicts: Mapping[str, Verdicts], rows: np.ndarray) -> dict[str, Verdicts]:
    """Returns the verdicts on some rules."""
    return {name: Verdicts(*(x[rows] for x in v)) for name, v in verdicts.items()}
