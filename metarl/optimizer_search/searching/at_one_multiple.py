"""at one multiple: a generation whose rules have one multiple of tuned Adam's learning rate for all judges.

    short   every new rule at R multiples, then at the half-decades beside the best, on one replicate by every judge
    full    those that go on, at their two best multiples, on the full replicates; the better one counts

The best is what is best for all judges together (`judging.one_multiple`). Short runs are at multiples of the rate of
Adam tuned for their length, full runs at multiples of that of Adam tuned for theirs. With racing only the three
multiples are tried that are nearest to what the size of the rule's update predicts, and the best sixth goes on;
otherwise all multiples are, and all rules that did not fail go on.

Letters: K rules, L tokens, R multiples tried, J judges, S replicates.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..judging.candidates import Verdicts
from ..judging.one_multiple import Runs, runs_at, scores_of_multiples
from ..judging.reference import Reference
from ..judging.rewards import FLOOR
from ..screening.sizes import predicted_log_rates
from .programs import SearchPrograms, short_name
from .racing import Raced

_BESIDE = 10.0 ** np.array([-0.5, 0.5])


def race_at_one_multiple(
    tokens: np.ndarray, updates: np.ndarray, programs: SearchPrograms, share: float
) -> Raced:
    """Runs rules by all judges, a share of them in full.

    Args:
      tokens: [K, L], K at least 1.
      updates: of the rules on the probes, [K, n].
      programs: of the search.
      share: of the rules that goes on; 1 for all that did not fail.

    Returns:
      What was found; rates are multiples.
    """
    multiples = tried_multiples(programs, updates)
    sweep, steps = _short_runs(tokens, multiples, programs)
    if programs.config.racing or programs.config.training.refine:
        best = _short_scores(sweep, programs).argmax(axis=1)
        beside = multiples[np.arange(len(tokens)), best, None] * _BESIDE
        more, again = _short_runs(tokens, beside, programs)
        multiples, steps = np.concatenate([multiples, beside], axis=1), steps + again
        sweep = {name: np.concatenate([sweep[name], more[name]], axis=1) for name in sweep}
    scores = _short_scores(sweep, programs)
    short = np.maximum(scores.max(axis=1), FLOOR)
    order = np.argsort(-short, kind="stable")[: int(np.ceil(share * len(tokens)))]
    went_on = np.zeros(len(tokens), bool)
    went_on[order] = short[order] > FLOOR
    best = np.argsort(-scores, axis=1, kind="stable")[:, : 1 + programs.config.training.refine]
    two = np.take_along_axis(multiples, best, axis=1)
    found, spent = _full_runs(tokens, two, went_on, programs)
    verdicts = {
        name: verdict._replace(rates=multiples, sweep=sweep[name])
        for name, verdict in found.items()
    }
    return Raced(verdicts, went_on, short, steps + spent)


def tried_multiples(programs: SearchPrograms, updates: np.ndarray) -> np.ndarray:
    """Returns the multiples of short runs, consecutive ones of the search, [K, R]."""
    multiples = np.sort(np.asarray(programs.config.training.multiples))
    count, adam = programs.rates_tried, programs.adam_update
    if not programs.config.racing or adam is None or count == len(multiples):
        return np.tile(multiples, (len(updates), 1))
    predicted = predicted_log_rates(updates, adam, 1.0)
    nearest = np.abs(np.log10(multiples) - predicted[:, None]).argmin(axis=1)
    first = np.clip(nearest - count // 2, 0, len(multiples) - count)
    return multiples[first[:, None] + np.arange(count)]


def _short_runs(
    tokens: np.ndarray, multiples: np.ndarray, programs: SearchPrograms
) -> tuple[dict[str, np.ndarray], int]:
    """Returns the losses of short runs by judge, [K, R] each, and the steps executed."""
    names = {judge.name: short_name(judge.name) for judge in programs.judges}
    runs = _runs(tokens, multiples, names, programs.short_references, programs)
    losses = {name: found.losses[:, :, 0] for name, found in runs.items()}
    return losses, sum(int(found.steps.sum()) for found in runs.values())


def _short_scores(sweep: Mapping[str, np.ndarray], programs: SearchPrograms) -> np.ndarray:
    """Returns what each multiple is worth by short runs, [K, R]; -inf where it is not worth a full run."""
    training = programs.config.training
    starts = programs.short_starts
    return scores_of_multiples(
        {name: losses[:, :, None] for name, losses in sweep.items()},
        {name: reference.losses for name, reference in programs.short_references.items()},
        training.judge_cap,
        # a problem whose loss starts at or below zero has no scale to give up by
        {n: training.give_up * start if start > 0 else np.inf for n, start in starts.items()},
    )


def _full_runs(
    tokens: np.ndarray, multiples: np.ndarray, went_on: np.ndarray, programs: SearchPrograms
) -> tuple[dict[str, Verdicts], int]:
    """Returns verdicts on all rules, some of which run in full, at the better of their multiples, [K, R]; and steps."""
    count, replicates = len(tokens), programs.config.training.seeds
    places, rate = np.flatnonzero(went_on), multiples[:, 0].copy()
    found = {judge.name: _unknown(count, replicates, rate) for judge in programs.judges}
    if len(places) == 0:
        return found, 0
    names = {name: name for name in found}
    runs = _runs(tokens[places], multiples[places], names, programs.references, programs)
    adam = {name: reference.losses for name, reference in programs.references.items()}
    losses = {name: one.losses for name, one in runs.items()}
    cap = programs.config.training.judge_cap
    better, rows = scores_of_multiples(losses, adam, cap).argmax(axis=1), np.arange(len(places))
    rate[places] = multiples[places, better]
    for name, verdict in found.items():
        verdict.losses[places] = runs[name].losses[rows, better]
        verdict.metrics[places] = runs[name].metrics[rows, better]
        verdict.steps[places] = runs[name].steps
        found[name] = verdict._replace(rate=rate)
    return found, sum(int(one.steps.sum()) for one in runs.values())


def _runs(
    tokens: np.ndarray,
    multiples: np.ndarray,
    names: Mapping[str, str],
    adam: Mapping[str, Reference],
    programs: SearchPrograms,
) -> dict[str, Runs]:
    """Returns the runs of rules at multiples, [K, R], of each judge's own Adam, by judge."""
    return {
        judge: runs_at(programs.evaluator, name, tokens, multiples * adam[judge].learning_rate)
        for judge, name in names.items()
    }


def _unknown(count: int, replicates: int, rate: np.ndarray) -> Verdicts:
    """Returns verdicts on rules that had no full runs."""
    losses = np.full((count, replicates), np.inf, np.float32)
    none = np.zeros((count, 0))
    return Verdicts(
        none, none, rate, losses, np.full_like(losses, np.nan), np.zeros(count, np.int32)
    )
