"""tuning noise: the settings that tuning may have chosen, and what the choice adds to an interval.

Tuning takes the point of the lowest mean loss on a handful of seeds; another handful would have taken another point.
So the tuning seeds are drawn anew, many times, the same for everybody who was tuned on them, and the report runs every
point that these redraws choose, but the rarest. Two optimizers are then compared at all pairs of their points, each
weighted by how often the redraws choose it:

    r_s = Σ_m p_m r_ms          of seed s, over pairs m of points: less noisy than at the one pair that was chosen

How uncertain the choice leaves that is the infinitesimal jackknife's: how the value of a redraw, t_b, goes with the
number of times n_bq that it holds tuning seed q,

    error² = Σ_q cov_b(n_bq, t_b)²      less what the report's own noise and the finite number of redraws add to it

A number of one entrant at the one point that was chosen varies more than such an average: by as much as from redraw to
redraw (`deviation_by_choice`).

Letters: J points of a tuning, K of them in the report, M pairs, Q tuning seeds, S seeds of the report, B redraws.

Reference: Efron (2014), Estimation and Accuracy after Model Selection, JASA 109, theorem 1 and remark J.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from metarl.statistics import iqm

REDRAWS = 2000
MOST_CHOICES = 4  # points in the report
_ENOUGH = 0.95  # share of the redraws whose choice is in the report


class Finals(NamedTuple):
    """Where an entrant's runs on a problem ended, at the setting that tuning chose and at others that it might have.

    Attributes:
      losses: final test losses, the chosen setting's first.
      tuning: losses of the same settings in tuning; Q is 0 where nothing was tuned.
      other_seeds: whether it was tuned on other seeds than the rest.
    """

    losses: np.ndarray  # [K, S]
    tuning: np.ndarray  # [K, Q]
    other_seeds: bool = False

    @property
    def end(self) -> np.ndarray:
        """Final test losses at the setting that was chosen, [S]."""
        return self.losses[0]


class Smoothed(NamedTuple):
    """What two entrants' paired runs say of each seed, averaged over the choices of tuning."""

    values: np.ndarray  # [S]
    error: float  # the standard error of their mean that the choice adds


def certain(losses: ArrayLike) -> Finals:
    """Returns the runs of one setting that is not in doubt.

    Args:
      losses: [S].
    """
    return Finals(np.asarray(losses, float)[None], np.zeros((1, 0)))


def smoothed(
    compare: Callable[[np.ndarray, np.ndarray], np.ndarray],
    ours: Finals,
    others: Finals,
    place: int = 0,
) -> Smoothed:
    """Returns what two entrants' paired runs say of each seed.

    Where a pair of points compares to something infinite, what was chosen counts alone.

    Args:
      compare: of final losses of both, [S] each, what counts of each pair, [S].
      ours: of one.
      others: of the other.
      place: of the problem among others; each has redraws of its own.
    """
    pairs = [(mine, theirs) for mine in ours.losses for theirs in others.losses]
    rows = np.array([compare(*pair) for pair in pairs])  # [M, S]
    if len(rows) == 1 or not np.isfinite(rows).all():
        return Smoothed(rows[0], 0.0)
    mine, held = _redrawn(ours, place)
    theirs, others_held = _redrawn(others, place)
    if ours.other_seeds != others.other_seeds or not held.shape[1]:
        held = np.concatenate([held, others_held], axis=1)
    taken = mine * len(others.losses) + theirs  # [B]
    shares = np.bincount(taken, minlength=len(rows)) / REDRAWS
    return Smoothed(shares @ rows, _error(rows, taken, held))


def deviation_by_choice(values: np.ndarray, finals: Finals, place: int = 0) -> float:
    """Returns the standard deviation, by the choice of tuning, of the IQM of one entrant's runs at the point chosen.

    Args:
      values: what counts of each run, finite, [K, S].
      finals: whose.
      place: of the problem among others; each has redraws of its own.
    """
    if len(values) == 1:
        return 0.0
    taken, _ = _redrawn(finals, place)
    shares = np.bincount(taken, minlength=len(values)) / REDRAWS
    apart = values - shares @ values  # [K, S], paired by seed
    middles = iqm(apart)  # [K]
    noise = apart.var(axis=-1, ddof=1) / apart.shape[-1]  # of the report
    return float(np.sqrt(max(shares @ ((middles - shares @ middles) ** 2 - noise), 0.0)))


def lowest(losses: np.ndarray) -> np.ndarray:
    """Returns the place of the fewest divergences and then the lowest mean loss, of equal ones the first, [...].

    Args:
      losses: [..., J, Q].
    """
    diverged = np.isinf(losses)
    counts = diverged.sum(axis=-1)
    finite = np.where(diverged, 0.0, losses).mean(
        axis=-1
    )  # of equally many, in the order of the rest
    return np.argmin(
        np.where(counts == counts.min(axis=-1, keepdims=True), finite, np.inf), axis=-1
    )


def likely_choices(losses: np.ndarray) -> list[int]:
    """Returns the places of the points for the report: the chosen one, then those that redraws choose most often.

    There are as many as 95 % of the redraws need, at most four.

    Args:
      losses: of all points, [J, Q].
    """
    chosen, _ = _redrawn(Finals(losses[:, :0], losses), 0)
    best, times = int(lowest(losses)), np.bincount(chosen, minlength=len(losses))
    order = sorted(range(len(losses)), key=lambda point: (point != best, -times[point], point))
    needed = int(np.searchsorted(np.cumsum(times[order]), _ENOUGH * REDRAWS)) + 1
    return order[: min(needed, MOST_CHOICES)]


def _redrawn(finals: Finals, place: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the point that each redraw of the tuning seeds chooses, [B], and how often it holds each seed, [B, Q]."""
    seeds = finals.tuning.shape[-1]
    if len(finals.tuning) == 1 and not seeds:
        return np.zeros(REDRAWS, int), np.zeros((REDRAWS, 0))
    drawn, held = _redraws(place, finals.other_seeds, seeds)
    return lowest(np.moveaxis(finals.tuning[:, drawn], 0, 1)), held


@lru_cache(maxsize=16)
def _redraws(place: int, other_seeds: bool, seeds: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the seeds of each redraw, and how often it holds each, [B, Q]; everybody's, so nobody may write there."""
    rng = np.random.default_rng([place, int(other_seeds)])
    drawn = rng.integers(0, seeds, size=(REDRAWS, seeds))
    held = (drawn[:, :, None] == np.arange(seeds)).sum(axis=1)
    for array in (drawn, held):
        array.flags.writeable = False
    return drawn, held


def _error(rows: np.ndarray, taken: np.ndarray, held: np.ndarray) -> float:
    """Returns the standard error that the choice among the rows adds.

    Args:
      rows: [M, S].
      taken: which of them each redraw takes, [B].
      held: how often a redraw holds each tuning seed, [B, Q].
    """
    values = iqm(rows)[taken]  # [B]
    away, excess = values - values.mean(), held - held.mean(axis=0)
    with_seed = excess.T @ away / len(taken)  # [Q]
    weights = excess.T @ (taken[:, None] == np.arange(len(rows))) / len(taken)  # [Q, M]
    noise = np.cov(rows).reshape(len(rows), -1) / rows.shape[-1]  # [M, M], of their means
    of_the_report = np.einsum("qm,mn,qn->", weights, noise, weights)
    of_few_redraws = held.shape[-1] * (away**2).sum() / len(taken) ** 2
    return float(np.sqrt(max((with_seed**2).sum() - of_the_report - of_few_redraws, 0.0)))
