"""gaussian process: what rules are likely to be worth, by what rules like them were worth.

A rule is a function, so the process lives where functions do: on the probes, before any training. Two rules are as
near as their updates there, up to the positive factor that a learning rate absorbs, and as their tokens:

  r² = |d - d'|² / a² + |s - s'|² / b²        k = exp(-r - h / c)

with d the directions and s the log sizes of the blocks (`probes.Profile`), h the share of tokens that differ. The
exponential kernel is rough, as worth is: a sign more or less can be everything. Lengths and noise are those of a
small grid under which what is known is likeliest, found one after the other; the scale is then given in closed form.

Letters: N rules known; M rules asked about; L tokens; n probe numbers in B blocks.

Reference: Rasmussen & Williams, "Gaussian Processes for Machine Learning", 2006, equations 2.25, 2.26 and 5.8, the
scale profiled out.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import NamedTuple

import chex
import numpy as np
from scipy import linalg

_LEAST_SCALE = 1e-6  # where all that is known is equal
_PASSES = 2  # over the settings of the kernel


class Described(NamedTuple):
    """Rules, by what they do and how they are written."""

    directions: np.ndarray  # [N, n], see `probes.Profile`; finite
    log_sizes: np.ndarray  # [N, B], finite
    tokens: np.ndarray  # [N, L]

    def rows(self, rows: np.ndarray | slice) -> Described:
        """Returns some of the rules."""
        return Described(*(column[rows] for column in self))

    def and_also(self, others: Described) -> Described:
        """Returns these rules and others behind them."""
        return Described(*(np.concatenate(columns) for columns in zip(self, others, strict=True)))


class Kernel(NamedTuple):
    """How fast worth changes from rule to rule."""

    directions: float = 1.0  # a
    sizes: float = 4.0  # b
    tokens: float = 1.0  # c
    noise: float = 0.1  # variance, that of the process being 1


GRID: Mapping[str, tuple[float, ...]] = {
    "directions": (0.3, 1.0, 3.0),  # which lie on a sphere of radius 1
    "sizes": (1.0, 4.0, 16.0),  # a block's log size varies by some 3 over random rules
    "tokens": (0.3, 1.0, 3.0, np.inf),
    "noise": (0.03, 0.1, 0.3, 1.0),
}
"""The values that are tried of each setting of the kernel."""


class Apart(NamedTuple):
    """How far N rules are from M others, before any kernel."""

    directions: np.ndarray  # [N, M] squared
    log_sizes: np.ndarray  # [N, M] squared
    tokens: np.ndarray  # [N, M] share that differs

    @classmethod
    def of(cls, rules: Described, others: Described) -> Apart:
        """Returns how far rules are from others."""
        return cls(
            _squared(rules.directions, others.directions),
            _squared(rules.log_sizes, others.log_sizes),
            np.mean(rules.tokens[:, None] != others.tokens[None], axis=2),
        )

    def covariance(self, kernel: Kernel) -> np.ndarray:
        """Returns k of every rule and every other, [N, M]."""
        squared = self.directions / kernel.directions**2 + self.log_sizes / kernel.sizes**2
        return np.exp(-np.sqrt(squared) - self.tokens / kernel.tokens)


class Foreseen(NamedTuple):
    """What M rules are worth: jointly normal."""

    mean: np.ndarray  # [M]
    covariance: np.ndarray  # [M, M], without the noise of a measurement

    def draws(self, generator: np.random.Generator, count: int, spread: float = 1.0) -> np.ndarray:
        """Returns so many worlds in which every rule has its worth, [count, M].

        Args:
          generator: of the worlds.
          count: of them.
          spread: times the deviations from the mean; 1 draws from the process, 0 gives the mean each time.
        """
        values, vectors = np.linalg.eigh(self.covariance)
        root = spread * vectors * np.sqrt(np.maximum(values, 0.0))
        return self.mean + generator.standard_normal((count, len(self.mean))) @ root.T


class GaussianProcess:
    """A process that was told what N rules are worth."""

    def __init__(
        self, rules: Described, worth: np.ndarray, kernel: Kernel, apart: Apart | None = None
    ):
        """Conditions on what is known.

        Args:
          rules: those known.
          worth: theirs, [N]; 0 is what is expected of rules far from all others.
          kernel: of the process.
          apart: how far they are from each other, if that is known.
        """
        chex.assert_shape(worth, (len(rules.directions),))
        self._rules, self._kernel = rules, kernel
        apart, noise = apart or Apart.of(rules, rules), kernel.noise * np.eye(len(worth))
        self._root = np.linalg.cholesky(apart.covariance(kernel) + noise)
        self._weights = linalg.cho_solve((self._root, True), worth)
        self.scale = max(float(worth @ self._weights) / max(len(worth), 1), _LEAST_SCALE)
        """Variance of the process, the likeliest one."""
        self.log_likelihood = (
            -0.5 * len(worth) * np.log(self.scale) - np.log(np.diagonal(self._root)).sum()
        )
        """Of what is known, up to a constant that depends on N alone."""

    def foresee(self, rules: Described) -> Foreseen:
        """Returns what M rules are worth."""
        near = covariance(self._rules, rules, self._kernel)  # [N, M]
        seen = linalg.solve_triangular(self._root, near, lower=True)
        left = covariance(rules, rules, self._kernel) - seen.T @ seen
        return Foreseen(near.T @ self._weights, self.scale * left)


def likeliest(rules: Described, worth: np.ndarray) -> Kernel:
    """Returns the kernel of the grid under which what N rules are worth, [N], is likeliest, setting by setting."""
    kernel, apart = Kernel(), Apart.of(rules, rules)

    @functools.cache  # a half of the kernels are met more than once
    def log_likelihood(kernel: Kernel) -> float:
        return GaussianProcess(rules, worth, kernel, apart).log_likelihood

    for setting in Kernel._fields * _PASSES:
        kernel = max(
            (kernel._replace(**{setting: value}) for value in GRID[setting]), key=log_likelihood
        )
    return kernel


def covariance(rules: Described, others: Described, kernel: Kernel) -> np.ndarray:
    """Returns k of every rule and every other, [N, M]."""
    return Apart.of(rules, others).covariance(kernel)


def distances(rules: Described, others: Described) -> np.ndarray:
    """Returns how far functions are from others, |d - d'| + |s - s'|, [N, M]: 0 where they are one."""
    return np.sqrt(_squared(rules.directions, others.directions)) + np.sqrt(
        _squared(rules.log_sizes, others.log_sizes)
    )


def _squared(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    squares = (x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1) - 2.0 * x @ y.T
    return np.maximum(squares, 0.0)
