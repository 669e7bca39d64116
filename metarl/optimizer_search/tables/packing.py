"""packing: losses as bytes, relative to tuned Adam's, and the hash that tells a damaged file.

    code 0            the run diverged
    code c = 1...251  loss = Adam's · exp(0.04 (c - 126)), Adam's on the same replicate and the same data, at the end

So a loss is changed by 2 % at most (0.02 in its logarithm), ten times less than two runs of one rule differ by. What is
more than e^5 = 148 times worse or better than Adam is kept as that: rewards are clipped there too.

Letters: K functions; R learning rates; S replicates; C checkpoints, M = C + 2 moments: those, choice data, test data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

STEP = 0.04  # of the logarithm
ROUNDING = STEP / 2  # the most that the logarithm of a loss is changed by
_CLIP = 5.0
_MIDDLE = round(_CLIP / STEP) + 1  # the code of Adam's loss
_DIVERGED = 0
_TINY = 1e-12  # losses below this are zero for all that single precision can tell


class Losses(NamedTuple):
    """Held-out losses of runs, +inf where they diverged; numpy outside of programs."""

    search: Any  # [..., C], at the checkpoints
    choice: Any  # [...], at the end
    test: Any  # [...], at the end


def pack(losses: Losses, adam: Losses) -> np.ndarray:
    """Returns losses as codes, uint8 [K, R, M, S]: in this order they are compressed best.

    Args:
      losses: search [K, R, S, C], choice and test [K, R, S].
      adam: tuned Adam's, at the end, on search, choice and test data, [S] each.
    """
    moments = np.concatenate([losses.search, losses.choice[..., None], losses.test[..., None]], -1)
    moments = np.swapaxes(moments, 2, 3).astype(np.float64)  # [K, R, M, S]
    good = np.isfinite(moments)
    logs = np.log(np.maximum(np.where(good, moments, 1.0), _TINY))
    relative = np.clip(logs - _log_references(adam, moments.shape[2]), -_CLIP, _CLIP)
    return np.where(good, np.rint(relative / STEP) + _MIDDLE, _DIVERGED).astype(np.uint8)


def unpack(codes: np.ndarray, adam: Losses) -> Losses:
    """Returns the losses that codes stand for, float32; inverse of `pack` but for its rounding."""
    logs = (codes.astype(np.float64) - _MIDDLE) * STEP + _log_references(adam, codes.shape[2])
    losses = np.where(codes == _DIVERGED, np.inf, np.exp(logs)).astype(np.float32)
    moments = np.ascontiguousarray(np.moveaxis(losses, 2, 0))  # [M, K, R, S]
    return Losses(np.ascontiguousarray(np.moveaxis(moments[:-2], 0, 3)), moments[-2], moments[-1])


def tuned(runs: Losses) -> tuple[Losses, Losses]:
    """Returns tuned Adam's losses, [S] each, and at which of its learning rates it has them.

    Args:
      runs: search [R, S, C], choice and test [R, S].
    """
    ends = Losses(runs.search[..., -1], runs.choice, runs.test)
    best = Losses(*(int(np.argmin(x.mean(axis=1))) for x in ends))
    return Losses(*(x[at] for x, at in zip(ends, best, strict=True))), best


def content_hash(document: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """Returns the SHA-256 of all that a file holds, but for the hash itself."""
    plain = {name: value for name, value in document.items() if name != "sha256"}
    found = hashlib.sha256(json.dumps(plain, sort_keys=True, allow_nan=False).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        found.update(f"{name} {array.dtype.str} {array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def _log_references(adam: Losses, moments: int) -> np.ndarray:
    """Returns the logarithm of Adam's loss for each moment and replicate, [M, S]."""
    rows = [adam.search] * (moments - 2) + [adam.choice, adam.test]
    return np.log(np.maximum(np.stack(rows).astype(np.float64), _TINY))
