"""Filters: cheap hurdles that a rule must pass before it is trained.

Four in five random rules cannot train anything: they overflow, ignore the gradient, or climb. A few
microseconds on fixed probes show it. The hurdles stand in an order, and a rule's verdict is the
first it fails.

Letters: K rules; n numbers of a probe, in B blocks.

Reference: ENOS, arXiv:2209.13575, which filters by dependence on the input, both signs and the mean
cosine with the gradient; the hurdle of oddness is ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

import numpy as np

from ..settings.config import FilterConfig
from .probes import ProbeOutputs, Probes, profiles


class Verdict(StrEnum):
    """What the filters say about a rule, in the order of the hurdles."""

    NOT_FINITE = "not finite"
    CONSTANT = "constant"  # does not depend on its input
    ONE_SIGN = "one sign"
    UPHILL = "uphill"  # mean cosine with the gradient below the bound
    NOT_ODD = "not odd"  # the update of the flipped state is not minus the update
    TOO_LARGE = "too large"  # more nodes than the bound
    PASSES = "passes"


def screen(
    outputs: ProbeOutputs, probes: Probes, config: FilterConfig, tokens: np.ndarray | None = None
) -> list[Verdict]:
    """Judges rules by their updates on the probes, and by their size where that is bounded.

    With u the update in state s, and cosines taken block by block, so that late and small gradients
    count as much as early and large ones:

      not finite   u(s), u(-s) or u(moved s) holds inf or NaN
      constant     u(moved s) = u(s), to the bit
      one sign     u(s) <= 0 or u(s) >= 0 everywhere
      uphill       mean cos(u(s), g) < min_cosine
      not odd      mean cos(u(-s), -u(s)) < min_oddness
      too large    more than max_size nodes (`Grammar.rule_sizes`)

    A bound of -1 turns its hurdle off, and so does a max_size of None.

    Args:
      outputs: of K rules.
      probes: that gave them.
      config: the bounds.
      tokens: of the rules, [K, L]; only a bound on their size asks for them.

    Returns:
      K verdicts.
    """
    gradients = probes.gradients.reshape(1, -1)
    uphill = _mean_cosine(outputs.update, gradients) < config.min_cosine
    not_odd = oddness(outputs) < config.min_oddness
    both = (outputs.update > 0).any(axis=1) & (outputs.update < 0).any(axis=1)
    fails = {
        Verdict.NOT_FINITE: ~np.all([np.isfinite(x).all(axis=1) for x in outputs], axis=0),
        Verdict.CONSTANT: (outputs.moved == outputs.update).all(axis=1),
        Verdict.ONE_SIGN: ~both & config.both_signs,
        Verdict.UPHILL: uphill & (config.min_cosine > -1),
        Verdict.NOT_ODD: not_odd & (config.min_oddness > -1),
    }
    verdicts = np.full(len(outputs.update), Verdict.PASSES, dtype=object)
    for verdict in reversed(fails):
        verdicts[fails[verdict]] = verdict
    if config.max_size is not None:
        assert tokens is not None, "rules whose size is bounded are screened with their tokens"
        passing = np.flatnonzero(verdicts == Verdict.PASSES)
        large = probes.grammar.larger_than(config.max_size, tokens[passing])
        verdicts[passing[large]] = Verdict.TOO_LARGE
    return verdicts.tolist()


def oddness(outputs: ProbeOutputs) -> np.ndarray:
    """Returns the mean cosine of u(-s) and -u(s), [K]: 1 for a rule that treats both signs alike."""
    return _mean_cosine(outputs.flipped, -outputs.update)


def counts(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Returns how many rules got each verdict; all verdicts are there, in their order."""
    found = Counter(verdicts)
    return {str(verdict): found[verdict] for verdict in Verdict}


def _mean_cosine(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns the cosine between rows, averaged over blocks, [K]; a block of zeros counts as 0."""
    one, other = profiles(x).directions, profiles(y).directions
    # A block of a profile has length 1 / sqrt(B), so this sum is the mean over blocks.
    return np.nan_to_num(np.sum(one * other, axis=1), nan=-1.0)
