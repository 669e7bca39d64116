"""Aggregates of losses, some of which may be infinite.

A diverged run is a loss of +inf. The mean of numbers of which some are infinite is taken as the
limit of M -> inf with M written in place of every +inf and -M in place of every -inf: the
infinities of one sign outvote those of the other, and equally many cancel. So an aggregate is
finite, +inf or -inf, and swapping the two sides of a comparison flips its sign.

Letters: N values along the aggregated axis.

Paper:
  Agarwal, Schwarzer, Castro, Courville, Bellemare (2021), Deep Reinforcement Learning at the Edge
    of the Statistical Precipice: the interquartile mean.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from metarl.errors import InvalidInput, require

TRIMMED_SHARE = 0.25  # of the values, at either end
_NOT_REAL = "Expected an array of real numbers; received {}."


def extended_mean(values: ArrayLike, axis: int = -1) -> np.ndarray:
    """Returns the mean of numbers that may be infinite.

    lim M -> inf of (M (n₊ - n₋) + Σ finite values) / N, with n₊ and n₋ the counts of +inf and -inf.

    Args:
      values: [..., N], without NaN.
      axis: the axis to average over.

    Returns:
      [...] The means, never NaN: finite where infinities are absent or cancel.

    Raises:
      InvalidInput: if there are no values, or a NaN among them.

    >>> float(extended_mean([1.0, 3.0])), float(extended_mean([1.0, float("inf")]))
    (2.0, inf)
    """
    numbers = checked_numbers(values)
    infinite = np.isinf(numbers)
    balance = np.sum(np.where(infinite, np.sign(numbers), 0.0), axis=axis)  # [...] n₊ - n₋
    finite_mean = np.mean(np.where(infinite, 0.0, numbers), axis=axis)
    return np.where(balance == 0, finite_mean, np.copysign(np.inf, balance))


def iqm(values: ArrayLike, axis: int = -1) -> np.ndarray:
    """Returns the interquartile mean: the mean after ⌊N / 4⌋ values are cut from either end.

    It uses more of the data than the median and, unlike the mean, survives a quarter of diverged
    runs. Equal to `scipy.stats.trim_mean(values, 0.25)`, and defined for infinite values too.

    Args:
      values: [..., N], without NaN.
      axis: the axis to aggregate over.

    Returns:
      [...] The interquartile means.

    Raises:
      InvalidInput: if there are no values, or a NaN among them.

    Reference:
      Agarwal et al. (2021), Section 4.3.

    >>> float(iqm([5.0, 1.0, 2.0, float("inf")]))
    3.5
    """
    ordered = np.sort(np.moveaxis(checked_numbers(values), axis, -1), axis=-1)
    count = ordered.shape[-1]
    cut = int(TRIMMED_SHARE * count)
    return extended_mean(ordered[..., cut : count - cut])


def geometric_mean(values: ArrayLike, axis: int = -1) -> np.ndarray:
    """Returns the geometric mean of ratios, such as speed-ups: exp(mean(log x)).

    The geometric mean of ratios is the reciprocal of that of their reciprocals, so it does not
    matter which side is put in the denominator. A ratio of 0 (never arrived) and one of inf (the
    other never arrived) are accepted; equally many of them cancel.

    Args:
      values: [..., N], not negative, without NaN.
      axis: the axis to aggregate over.

    Returns:
      [...] The geometric means, between 0 and inf.

    Raises:
      InvalidInput: if there are no values, a negative one or a NaN among them.

    >>> float(geometric_mean([0.5, 2.0]))
    1.0
    """
    numbers = checked_numbers(values)
    require(
        bool(np.all(numbers >= 0)), "A geometric mean takes ratios, and received a negative one."
    )
    logarithms = np.full(numbers.shape, -np.inf)
    np.log(numbers, out=logarithms, where=numbers > 0)
    return np.exp(extended_mean(logarithms, axis=axis))


def checked_numbers(values: ArrayLike) -> np.ndarray:
    """Returns `values` as float64 [..., N]; refuses scalars, no values, NaN, and what is no array of real numbers."""
    numbers = real_numbers(values)
    require(
        numbers.ndim > 0 and numbers.size > 0,
        f"Expected an array of at least one number, and received the shape {numbers.shape}.",
    )
    require(
        not np.isnan(numbers).any(),
        "Received NaN; write a diverged run as the worst value instead (+inf for a loss).",
    )
    return numbers


def real_numbers(values: ArrayLike) -> np.ndarray:
    """Returns `values` as float64; refuses what numpy would take for numbers by dropping or reading something."""
    require(
        not np.ma.is_masked(values),
        "Received a masked array, whose mask would be dropped; leave out what is masked (`.compressed()`).",
    )
    given = as_array(values)
    is_real = given.dtype.kind not in "cSUmM" and not issubclass(given.dtype.type, np.void)
    require(is_real, _NOT_REAL.format(given.dtype))
    try:
        return given.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(_NOT_REAL.format(given.dtype)) from error


def as_array(values: ArrayLike) -> np.ndarray:
    """Returns `values` as an array of whatever they are; refuses rows of different lengths."""
    try:
        return np.asarray(values)
    except ValueError as error:
        raise InvalidInput(_NOT_REAL.format("rows of different lengths")) from error
