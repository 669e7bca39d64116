"""Means of many independent numbers, with intervals of Student's t.

A bootstrap is for a handful of runs; over a thousand tasks and more the normal approximation is as
good, and as quick as a mean:

  x̄ ± t s / √N                      s the standard deviation, t = 1.96 for 95 % and large N
  x̄ / ȳ ± t s_d / (ȳ √N)            s_d that of x - (x̄ / ȳ) y, which keeps what x and y share

t is the quantile of Student's distribution of N - 1 degrees. As in bootstrap.py fewer than eight
numbers get the interval (-inf, inf): two tasks that were both solved do not say that all are.

Letters: N tasks.

References:
  Cochran (1977), Sampling Techniques, section 2.11 (ratios).
  Wilson (1927), Probable Inference, the Law of Succession, and Statistical Inference (shares).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from metarl.errors import require

from .aggregates import as_array, checked_numbers
from .bootstrap import Interval, check_confidence, fewest_runs


class Mean(NamedTuple):
    """A mean, how far it can be trusted, and an interval of Student's t."""

    mean: float
    standard_error: float  # infinite for a single number; the bounds are for fewer than eight
    low: float
    high: float

    @property
    def estimate(self) -> float:
        """The mean, under the name that intervals have."""
        return self.mean


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> Mean:
    """Returns the mean of independent numbers with its interval.

    Args:
      values: [N] finite numbers.
      confidence: the nominal coverage, between 0 and 1.

    Raises:
      InvalidInput: if the values are no vector, empty or not finite, or the confidence is out of range.

    >>> mean_interval([1.0] * 8)
    Mean(mean=1.0, standard_error=0.0, low=1.0, high=1.0)
    """
    numbers = _finite_vector(values)
    return _interval(float(np.mean(numbers)), numbers, 1.0, confidence)


def ratio_interval(
    numerators: ArrayLike, denominators: ArrayLike, confidence: float = 0.95
) -> Mean:
    """Returns the ratio of two means over the same tasks, with its interval.

    Args:
      numerators: [N] finite numbers x.
      denominators: [N] finite numbers y of the same tasks, whose mean is not 0.
      confidence: the nominal coverage, between 0 and 1.

    Raises:
      InvalidInput: if the sides differ in length, the mean of the denominators is 0, or as in
        `mean_interval`.

    >>> ratio_interval([1.0, 2.0] * 4, [2.0, 4.0] * 4)
    Mean(mean=0.5, standard_error=0.0, low=0.5, high=0.5)
    """
    above, below = _finite_vector(numerators), _finite_vector(denominators)
    require(
        above.shape == below.shape,
        f"A ratio needs equally many numbers on both sides; received {above.size} and {below.size}.",
    )
    scale = float(np.mean(below))
    require(scale != 0, "The mean of the denominators is 0; there is no ratio.")
    ratio = float(np.mean(above)) / scale
    require(
        math.isfinite(ratio),
        f"The mean of the denominators is {scale:g}, next to nothing; there is no ratio.",
    )
    return _interval(ratio, above - ratio * below, abs(scale), confidence)


def share_interval(events: ArrayLike, confidence: float = 0.95) -> Interval:
    """Returns the share of trials in which something happened, with Wilson's interval.

    (p + z² / 2n ± z √(p (1 - p) / n + z² / 4n²)) / (1 + z² / n)      z the normal quantile, p the share of n

    Args:
      events: [N] true where it happened; ones and noughts are taken for true and false.
      confidence: the nominal coverage, between 0 and 1.

    Returns:
      The share and its interval, [0, 1] for fewer than eight trials; never of no length, also where all trials agree.

    Raises:
      InvalidInput: if there are no trials, one is neither true nor false, or the confidence is out of range.

    >>> share_interval([True] * 20).high, round(share_interval([True] * 20).low, 3)
    (1.0, 0.839)
    """
    require(
        bool(np.isin(as_array(events), (0, 1)).all()),
        "A share is of trials in which something happened or did not: true or false; received something else.",
    )
    numbers = _vector(events)
    n, share = numbers.size, float(numbers.mean())
    z = float(special.ndtri(0.5 + confidence / 2))
    if n < fewest_runs(confidence) or math.isinf(z):  # a confidence that is 1 but for rounding
        return Interval(share, 0.0, 1.0)
    middle, scale = share + z**2 / (2 * n), 1 + z**2 / n
    reach = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return Interval(share, max((middle - reach) / scale, 0.0), min((middle + reach) / scale, 1.0))


def _vector(values: ArrayLike) -> np.ndarray:
    numbers = checked_numbers(values)
    require(numbers.ndim == 1, f"Expected a vector of numbers; received shape {numbers.shape}.")
    return numbers


def _finite_vector(values: ArrayLike) -> np.ndarray:
    numbers = _vector(values)
    require(
        bool(np.isfinite(numbers).all()),
        "A mean with Student's interval takes finite numbers, and received infinite ones; `iqm` with "
        "`bootstrap_interval` takes those too.",
    )
    return numbers


def _standard_error(numbers: np.ndarray) -> float:
    if numbers.size == 1:
        return math.inf
    return float(np.std(numbers, ddof=1)) / math.sqrt(numbers.size)


def _interval(mean: float, numbers: np.ndarray, scale: float, confidence: float) -> Mean:
    """Returns the interval of a mean whose error is that of the numbers over the scale."""
    check_confidence(confidence)
    standard_error = _standard_error(numbers) / scale
    if numbers.size < fewest_runs(confidence):
        return Mean(mean, standard_error, -math.inf, math.inf)
    reach = float(special.stdtrit(numbers.size - 1, 0.5 + confidence / 2)) * standard_error
    return Mean(mean, standard_error, mean - reach, mean + reach)
