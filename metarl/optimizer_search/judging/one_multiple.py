"""one multiple: rules judged at one multiple of tuned Adam's learning rate for all judges.

Who takes a rule to a problem of their own knows Adam's rate there, and little else. So a rule that is to be taken home
is scored at one multiple of it, the same for all problems and horizons: the score of a multiple is what a reward is,
the mean over judges of minus the log of the loss over tuned Adam's on the same replicates, each capped if that is asked
for. Where a run diverges at a multiple, or ends above a limit, on one problem, the multiple is of no use on any.

Letters: K rules, L tokens, R multiples, J judges, S replicates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from .evaluators import Evaluator
from .rewards import relative_scores


class Runs(NamedTuple):
    """Runs of K rules at R learning rates each."""

    losses: np.ndarray  # [K, R, S]; +inf where diverged
    metrics: np.ndarray  # [K, R, S]
    steps: np.ndarray  # [K], executed


def runs_at(evaluator: Evaluator, judgement: str, tokens: np.ndarray, rates: np.ndarray) -> Runs:
    """Returns the runs of rules at learning rates of their own.

    Args:
      evaluator: who trains.
      judgement: a name of one whose rules come with one rate.
      tokens: [K, L].
      rates: [K, R].
    """
    shape = rates.shape
    repeated = np.repeat(tokens, shape[1], axis=0)
    asked = np.asarray(rates, np.float32).reshape(-1, 1)
    found = evaluator.evaluate(repeated, asked, [judgement])[judgement]
    return Runs(
        found.losses.reshape(*shape, -1),
        found.metrics.reshape(*shape, -1),
        found.steps.reshape(shape).sum(axis=1),
    )


def scores_of_multiples(
    losses: Mapping[str, np.ndarray],
    adam: Mapping[str, np.ndarray],
    cap: float | None = None,
    limits: Mapping[str, float] | None = None,
) -> np.ndarray:
    """Returns the score of each multiple, [K, R]; -inf where it is of no use on some problem.

    Args:
      losses: by judge, at the same multiples of its own Adam's rate, [K, R, S].
      adam: by judge, tuned Adam's losses on the same replicates, [S].
      cap: the most that a judge's mean over replicates counts; None for no cap.
      limits: by judge, the mean loss from which on a multiple is of no use; None for no limit.
    """
    each = []
    for name, found in losses.items():
        score = relative_scores(found, adam[name]).mean(axis=-1)
        if limits is not None:
            score = np.where(found.mean(axis=-1) < limits[name], score, -np.inf)
        each.append(score if cap is None else np.minimum(score, cap))
    return np.mean(each, axis=0)
