"""speed-up: how many of tuned Adam's steps a step of another optimizer is worth.

Adam, tuned anew for each, is run at several lengths. Its logarithmic loss is fitted by a parabola in the logarithm of
the length, seed by seed, and the fit is asked at which length it gains or loses as much as the other optimizer does:

    d = log(its loss / Adam's on the same seed)        b x + c x² = d        speed-up = exp(x)

d is averaged over the settings that tuning may have chosen for either (tuning_noise.py).

b and c are the fit's slope and curvature at Adam's own length, x = 0. Of seeds the interquartile means count. For
every x, d - b x - c x² is one number per seed, so whether x can be the answer is a test of that number against zero:
Student's, with the Winsorized variance of a trimmed mean. The interval holds every x that passes; where the fit is so
uncertain that all do on one side, it has no end there. A copy of Adam reads 1, however noisy the runs are.

What tuning leaves uncertain widens that test. Another choice would have moved d, and Adam's logarithmic loss at each
length, where it was tuned anew; with the weights u_h and v_h by which the fit makes b and c of the H losses,

    error²(x) = error² of d by tuning + deviation² Σ_h (u_h x + v_h x²)²

Both are known at Adam's own length alone, where alternative settings were run. The deviation of Adam's loss is taken to
be the same at every length, and that of one length independent of that of others.

A loss that does not fall with length (b < 0 by the same test, wrong once in 1,000 times where tuning leaves no doubt)
says nothing about steps, and such a problem has no speed-up. Beyond the lengths that were run, and beyond the length at
which the fit stops falling, the last length stands, with an interval that is open there.

Letters: S seeds, H horizons, G points of a grid of x.

References: Fieller (1954), Some Problems in Interval Estimation, for the inversion; Tukey and McLaughlin (1963) for the
interval of a trimmed mean.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from metarl.statistics import Interval, fewest_runs, iqm

_GRID = 80  # steps of x on either side of 0
_DOUBT = 1e-3  # that a loss which does not fall is taken for one that does
_CONFIDENCE = 0.95
_TINY, _HUGE = 1e-12, 1e300  # losses beyond are those, as everywhere in a comparison


class Doubt(NamedTuple):
    """What the choice of settings leaves uncertain, in logarithms of losses.

    Attributes:
      difference: standard error of d.
      length: standard deviation of Adam's loss at one length.
    """

    difference: float = 0.0
    length: float = 0.0


NO_DOUBT = Doubt()


class _Terms(NamedTuple):
    """Of every seed."""

    difference: np.ndarray  # d [..., S]
    slope: np.ndarray  # b [..., S]
    curvature: np.ndarray  # c [..., S]


def log_ratios(losses: ArrayLike, adams: ArrayLike) -> np.ndarray:
    """Returns the logarithms of loss / Adam's loss, finite for any losses of at least 0.

    Args:
      losses: final losses of an optimizer, +inf for a diverged run, [..., S].
      adams: of tuned Adam on the same seeds, [..., S].
    """
    return _logarithms(losses) - _logarithms(adams)


def speed_up_rows(differences: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Returns what a speed-up is computed from, paired by seed, [S, 1 + H].

    Args:
      differences: d, see `log_ratios`, [S].
      lengths: final losses of tuned Adam in runs of other lengths, [S, H].
    """
    return np.concatenate([differences[:, None], _logarithms(lengths)], axis=1)


def falls_with_length(rows: np.ndarray, horizons: np.ndarray, doubt: Doubt = NO_DOUBT) -> bool:
    """Tells whether Adam's loss falls with the length of the run, beyond doubt.

    Args:
      rows: see `speed_up_rows`, [S, 1 + H]; of any optimizer.
      horizons: [H] multiples of the steps, rising.
      doubt: of the choice of settings; of Adam's at each length counts.
    """
    if len(horizons) < 2 or len(rows) < 2:
        return False
    mean, of_seeds, freedom = _trimmed(_terms(rows, horizons).slope)
    slope, _ = _weights(horizons)
    error = np.sqrt(of_seeds**2 + (doubt.length * slope) @ (doubt.length * slope))
    return bool(-mean > stats.t.ppf(1.0 - _DOUBT, freedom) * error)


def speed_ups(rows: np.ndarray, horizons: np.ndarray, axis: int) -> np.ndarray:
    """Returns Adam-equivalent steps over steps.

    Args:
      rows: see `speed_up_rows`, [..., S, 1 + H] with the seeds at `axis`.
      horizons: [H] multiples of the steps, rising.
      axis: of the seeds.
    """
    terms = _terms(np.moveaxis(rows, axis, -2), horizons)
    d, b, c = (iqm(term) for term in terms)
    return np.exp(_root(d, b, c, horizons))


def error_by_tuning(rows: np.ndarray, horizons: np.ndarray, doubt: Doubt) -> float:
    """Returns the standard error of the logarithm of a speed-up that the choice of settings adds.

    It is half of what the logarithm moves by where d moves by its error at that speed-up either way.

    Args:
      rows: see `speed_up_rows`, [S, 1 + H].
      horizons: [H] multiples of the steps, rising.
      doubt: of the choice.
    """
    d, b, c = (iqm(term) for term in _terms(rows, horizons))
    error = np.sqrt(_variance(_root(d, b, c, horizons), horizons, doubt))
    fewest, most = _root(d + np.array([error, -error]), b, c, horizons)
    return float(most - fewest) / 2.0


def speed_up_interval(
    rows: np.ndarray, horizons: np.ndarray, doubt: Doubt = NO_DOUBT
) -> Interval | None:
    """Returns the speed-up on one problem with its 95 % interval; None where Adam's loss does not fall with length.

    Args:
      rows: see `speed_up_rows`, [S, 1 + H].
      horizons: [H] multiples of the steps, rising.
      doubt: of the choice of settings.
    """
    if not falls_with_length(rows, horizons, doubt):
        return None
    estimate = float(speed_ups(rows, horizons, 0))
    if len(rows) < fewest_runs():
        return Interval(estimate, 0.0, np.inf)
    low, high = _accepted(_terms(rows, horizons), horizons, np.log(estimate), doubt)
    return Interval(estimate, float(np.exp(low)), float(np.exp(high)))


def _terms(rows: np.ndarray, horizons: np.ndarray) -> _Terms:
    slope, curvature = _weights(horizons)
    return _Terms(rows[..., 0], rows[..., 1:] @ slope, rows[..., 1:] @ curvature)


def _weights(horizons: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns by which weights of the logarithmic losses the fit makes its slope and its curvature, [H] each."""
    lengths = np.log(horizons)
    degree = min(2, len(lengths) - 1)
    powers = lengths[:, None] ** np.arange(degree + 1)  # [H, 1 + degree]
    slope, *curvature = np.linalg.pinv(powers)[1:]
    return slope, curvature[0] if curvature else np.zeros_like(slope)


def _variance(x: ArrayLike, horizons: np.ndarray, doubt: Doubt) -> np.ndarray:
    """Returns the variance of d - b x - c x² by the choice of settings, [...]."""
    slope, curvature = _weights(horizons)
    place = np.asarray(x, float)[..., None]
    moved = place * slope + place**2 * curvature  # [..., H]
    return doubt.difference**2 + doubt.length**2 * (moved**2).sum(axis=-1)


def _logarithms(losses: ArrayLike) -> np.ndarray:
    return np.log(np.clip(np.asarray(losses, float), _TINY, _HUGE))


def _root(d: np.ndarray, b: np.ndarray, c: np.ndarray, horizons: np.ndarray) -> np.ndarray:
    """Returns the x of b x + c x² = d on the falling branch through 0, within the horizons.

    Where there is none, the loss is lower than the fit's lowest, or higher than its highest.
    """
    shortest, longest = np.log(horizons[[0, -1]])
    inside = b * b + 4.0 * c * d
    safe = np.where((b < 0) & (inside >= 0), b - np.sqrt(np.maximum(inside, 0.0)), -1.0)
    beyond = np.where(d < 0, longest, np.where(d > 0, shortest, 0.0))
    found = np.where((b < 0) & (inside >= 0), 2.0 * d / safe, beyond)
    return np.clip(found, shortest, longest)


def _accepted(
    terms: _Terms, horizons: np.ndarray, estimate: float, doubt: Doubt
) -> tuple[float, float]:
    """Returns the least and the largest x that pass the test; infinite where those at the end do."""
    shortest, longest = np.log(horizons[[0, -1]])
    sides = [np.linspace(0.0, end, _GRID + 1) for end in (min(shortest, 0.0), max(longest, 0.0))]
    grid = np.unique([*sides[0], *sides[1], estimate])
    b, c = float(iqm(terms.slope)), float(iqm(terms.curvature))
    grid = grid[(b + 2.0 * c * grid < 0) | (grid == 0)]  # where the fit falls
    values = (
        terms.difference[:, None] - np.outer(terms.slope, grid) - np.outer(terms.curvature, grid**2)
    )
    mean, of_seeds, freedom = _trimmed(values.T)  # [G]
    error = np.sqrt(of_seeds**2 + _variance(grid, horizons, doubt))
    excess = np.abs(mean) - stats.t.ppf((1.0 + _CONFIDENCE) / 2.0, freedom) * error
    passed = np.flatnonzero(excess <= 0)
    if not passed.size:  # beyond an end, or without any noise
        passed = np.array([np.argmin(np.abs(mean))])
    first, last = passed[0], passed[-1]
    low = _crossing(grid, excess, first, first - 1) if first > 0 else -np.inf
    high = _crossing(grid, excess, last, last + 1) if last + 1 < len(grid) else np.inf
    return min(low, estimate), max(high, estimate)


def _crossing(grid: np.ndarray, excess: np.ndarray, inside: int, outside: int) -> float:
    """Returns where between two neighbours the excess is zero; the inner one where it is positive there too."""
    rise = excess[outside] - excess[inside]
    share = 0.0 if excess[inside] >= 0 or rise <= 0 else -excess[inside] / rise
    return float(grid[inside] + share * (grid[outside] - grid[inside]))


def _trimmed(values: Any) -> tuple[np.ndarray, np.ndarray, int]:
    """Returns interquartile means along the last axis, their standard errors, and Student's degrees of freedom."""
    ordered = np.sort(values, axis=-1)
    count = ordered.shape[-1]
    cut = count // 4
    winsorized = np.clip(ordered, ordered[..., cut, None], ordered[..., count - cut - 1, None])
    error = winsorized.std(axis=-1, ddof=1) / ((1.0 - 2.0 * cut / count) * np.sqrt(count))
    return iqm(values), error, count - 2 * cut - 1
