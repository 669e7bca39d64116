"""Correlation of ranks: does one order say anything about another?

Letters: N pairs, B resamples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from metarl.errors import require

from .aggregates import real_numbers
from .bootstrap import Interval, bootstrap_interval, fewest_runs


def rank_correlation(one: ArrayLike, other: ArrayLike, seed: int = 0) -> Interval:
    """Returns Spearman's rank correlation of pairs, with its 95 % bootstrap interval.

    Pairs are redrawn. Where all numbers of a side are equal the correlation is taken as 0; fewer than eight pairs
    (`fewest_runs`) say nothing, and their interval is [-1, 1].

    Args:
      one: [N] finite numbers.
      other: [N] finite numbers.
      seed: of the redraws.

    Raises:
      InvalidInput: the sides differ in length, are empty, or hold what is no finite real number.

    >>> round(rank_correlation([1, 2, 3, 4], [10, 20, 30, 15]).estimate, 3)
    0.4
    """
    left, right = real_numbers(one), real_numbers(other)
    require(
        left.shape == right.shape and left.ndim == 1 and left.size > 0,
        "A rank correlation needs two vectors of one length, and received the shapes "
        f"{left.shape} and {right.shape}.",
    )
    pairs = np.stack([left, right], axis=-1)  # [N, 2]
    require(bool(np.isfinite(pairs).all()), "A rank correlation needs finite numbers.")
    if len(pairs) < fewest_runs():
        return Interval(float(_spearman(pairs, 0)), -1.0, 1.0)
    return bootstrap_interval(pairs, _spearman, seed=seed)


def _spearman(pairs: np.ndarray, axis: int) -> np.ndarray:
    """Returns the correlation of the ranks of pairs [..., N, 2] along `axis`, the last but one."""
    ranks = rankdata(pairs, axis=axis)
    centred = ranks - ranks.mean(axis=axis, keepdims=True)
    product = (centred[..., 0] * centred[..., 1]).sum(axis=axis)
    size = np.sqrt((centred**2).sum(axis=axis).prod(axis=-1))
    return np.clip(np.where(size > 0, product / np.where(size > 0, size, 1.0), 0.0), -1.0, 1.0)
