"""behaviour: what a rule does, seen on the probes before any training, in a few numbers.

Letters: K rules; n numbers that a rule gives on the probes, in B blocks of C.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..screening.probes import BLOCKS, COORDINATES, ProbeOutputs, Probes, profiles

NUMBERS = 4 + BLOCKS + 1  # of `notes`
_BINS = 12  # of every number of a cell, its ends included


class Behaviour(NamedTuple):
    """What K rules do; a positive factor of a rule changes nothing. What is not finite counts as 0."""

    along: np.ndarray  # [K] mean cosine of update and gradient
    behind: np.ndarray  # [K] mean cosine of update and moving average m
    evenness: (
        np.ndarray
    )  # [K] mean |u| over root mean square: 1 if all coordinates move alike, as under a sign
    log_sizes: np.ndarray  # [K, B] log length of every block, less the mean over blocks

    @property
    def decay(self) -> np.ndarray:
        """Log size of the update late in the run over early, [K]."""
        return self.log_sizes[:, -1] - self.log_sizes[:, 0]


def behaviour(updates: np.ndarray, probes: Probes) -> Behaviour:
    """Returns what rules do.

    Args:
      updates: on the probes, [K, n].
      probes: whose gradients and averages they are held against.
    """
    profile = profiles(np.nan_to_num(updates, posinf=0.0, neginf=0.0))
    blocks = profile.directions.reshape(-1, BLOCKS, COORDINATES) * np.sqrt(BLOCKS)  # length 1
    gradients, past = (_unit(x)[None] for x in (probes.gradients, probes.averages))
    return Behaviour(
        (blocks * gradients).sum(axis=2).mean(axis=1),
        (blocks * past).sum(axis=2).mean(axis=1),
        np.abs(blocks).mean(axis=2).mean(axis=1) * np.sqrt(COORDINATES),
        profile.log_sizes,
    )


def cells_of(updates: np.ndarray, probes: Probes) -> np.ndarray:
    """Returns the number of the cell of behaviour that each rule falls into, int64 [K] from 0.

    Args:
      updates: on the probes, [K, n].
      probes: on which they were run.
    """
    found = behaviour(updates, probes)
    bins = np.stack(
        [
            np.floor(5.0 * found.along) + 5.0,  # fifths
            np.floor(5.0 * found.behind) + 5.0,
            np.floor(10.0 * found.evenness),
            np.floor(found.decay / 2.0) + 6.0,  # a factor of e² a bin
        ]
    )
    whole = np.clip(bins, 0, _BINS - 1).astype(np.int64)  # [4, K]
    return (whole * _BINS ** np.arange(len(whole))[:, None]).sum(axis=0)


def notes(outputs: ProbeOutputs, probes: Probes) -> np.ndarray:
    """Returns behaviour as inputs of a network, float32 [K, 9], all about of size 1.

    The last number is 1 for a rule that is finite on all probes, and 0 for one that is not.
    """
    found = behaviour(outputs.update, probes)
    finite = np.isfinite(outputs.update).all(axis=1)
    columns = [found.along, found.behind, found.evenness, np.tanh(found.decay / 4.0)]
    columns += [*np.tanh(found.log_sizes.T / 4.0), finite]
    return np.stack(columns, axis=1).astype(np.float32)


def _unit(blocks: np.ndarray) -> np.ndarray:
    return blocks / np.linalg.norm(blocks, axis=1, keepdims=True)
