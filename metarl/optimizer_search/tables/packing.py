"""packing: losses as rounded logarithms, and the hash that tells a damaged file.

    code 0               the run diverged
    code c = 1, 2, ...   loss = exp(lowest + step * (c - 1))

A step of 0.01 changes a loss by half a percent at most. Losses outside the codes' range are clipped to it.

Letters: any shape.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

DIVERGED = 0
_MOST_CODES = 2**16 - 1
_TINY = 1e-12  # losses below this are zero for all that single precision can tell


class Packed(NamedTuple):
    """Losses as codes."""

    codes: np.ndarray  # uint8 or uint16
    lowest: float  # logarithm of the loss of code 1
    step: float  # of the logarithm


def pack(losses: np.ndarray, step: float) -> Packed:
    """Returns losses as codes; +inf is code 0."""
    good = np.isfinite(losses)
    logs = np.log(np.maximum(np.where(good, losses, 1.0), _TINY).astype(np.float64))
    lowest = float(np.floor(logs[good].min() / step) * step) if good.any() else 0.0
    codes = np.where(good, np.rint((logs - lowest) / step) + 1, DIVERGED)
    most = int(codes.max(initial=0))
    assert most <= _MOST_CODES, (most, step)
    return Packed(codes.astype(np.uint8 if most < 256 else np.uint16), lowest, step)


def unpack(packed: Packed) -> np.ndarray:
    """Returns losses, float32; +inf where a run diverged."""
    codes = packed.codes.astype(np.float64)
    losses = np.exp(packed.lowest + packed.step * (codes - 1))
    return np.where(packed.codes == DIVERGED, np.inf, losses).astype(np.float32)


def content_hash(document: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """Returns the SHA-256 of all that a file holds, but for the hash itself."""
    plain = {name: value for name, value in document.items() if name != "sha256"}
    found = hashlib.sha256(json.dumps(plain, sort_keys=True, allow_nan=False).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        found.update(f"{name} {array.dtype.str} {array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()
