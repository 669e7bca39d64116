"""sizes: the learning rate that suits a rule, guessed from the size of its update on the probes.

A rule whose updates are ten times Adam's wants about a tenth of Adam's rate. Size is the root mean square of the update
at the two middle moments of the probes' imagined run, where most of a short run takes place, in their geometric mean.

Letters: K rules, n probe numbers in B blocks.
"""

from __future__ import annotations

import numpy as np

from .probes import BLOCKS, COORDINATES

_MIDDLE = slice(1, 3)  # of the B blocks


def log_sizes(updates: np.ndarray) -> np.ndarray:
    """Returns the size of updates on the probes as a logarithm to base 10, [K]; -inf for 0, NaN where not finite.

    Args:
      updates: [K, n], of `Probes.outputs`.
    """
    blocks = updates.reshape(-1, BLOCKS, COORDINATES)[:, _MIDDLE].astype(np.float64)
    with np.errstate(all="ignore"):
        return np.log10(np.sqrt((blocks**2).mean(axis=2))).mean(axis=1)


def predicted_log_rates(updates: np.ndarray, adam: np.ndarray, adam_rate: float) -> np.ndarray:
    """Returns the logarithm to base 10 of the learning rate that suits each rule, [K]; Adam's where that is unknown.

    Args:
      updates: of the rules on the probes, [K, n].
      adam: Adam's, [n].
      adam_rate: that suits Adam.
    """
    own = np.log10(adam_rate)
    with np.errstate(invalid="ignore"):
        found = own + log_sizes(adam[None]) - log_sizes(updates)
    return np.where(np.isfinite(found), found, own)
