"""sorting: what becomes of the rules of a generation before any is trained.

A rule is filtered out on probes, or met before (by its fingerprint: in the search, in flight, or earlier in its own
generation), or new; of the new ones as many are trained as the budget has room for.

Letters: K rules of a generation, L tokens.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import NamedTuple

import numpy as np

from ..screening import filters
from ..screening.probes import ProbeOutputs, Probes, rule_fingerprints
from ..settings.config import FilterConfig


class Sorting(NamedTuple):
    """What became of the K rules of a generation before training."""

    outputs: ProbeOutputs
    fingerprints: list[bytes]  # of the rules that pass the filters; empty for the others
    reasons: list[filters.Verdict]
    passes: np.ndarray  # [K] bool
    repeated: np.ndarray  # [K] bool, met before in the search or earlier in the generation
    new: np.ndarray  # places of the rules to train

    @property
    def distinct(self) -> int:
        """How many different rules pass the filters."""
        pairs = zip(self.fingerprints, self.passes, strict=True)
        return len({fingerprint for fingerprint, passes in pairs if passes})


def sort(
    tokens: np.ndarray,
    probes: Probes,
    hurdles: FilterConfig,
    known: Container[bytes],
    in_flight: Iterable[Sorting] = (),
    room: int | None = None,
) -> Sorting:
    """Returns which rules of a generation are filtered, known and new.

    Args:
      tokens: of its rules, [K, L].
      probes: of the grammar.
      hurdles: the bounds of the filters.
      known: fingerprints of the rules that were judged.
      in_flight: the generations that were asked for and are not told yet.
      room: the most rules to train; no bound if None.
    """
    outputs = probes.outputs(tokens)
    reasons = filters.screen(outputs, probes, hurdles, tokens)
    passes = np.array([reason == filters.Verdict.PASSES for reason in reasons])
    fingerprints = [b""] * len(tokens)
    good = np.flatnonzero(passes)
    prints = rule_fingerprints(probes.exact_updates(tokens[good]))
    for place, fingerprint in zip(good, prints, strict=True):
        fingerprints[place] = fingerprint
    met = {sorting.fingerprints[place] for sorting in in_flight for place in sorting.new}
    repeated = np.zeros(len(tokens), bool)
    for place in good:
        repeated[place] = fingerprints[place] in known or fingerprints[place] in met
        met.add(fingerprints[place])
    new = np.flatnonzero(passes & ~repeated)[:room]
    return Sorting(outputs, fingerprints, reasons, passes, repeated, new)
