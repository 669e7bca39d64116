"""What two runs must share if one was harmed and resumed: everything documented but for the clock.

metrics.jsonl   every row without "seconds"
checkpoint      of the last generation: every array (parameters, archive, cache) and the meta
agent.npz       of a training
outcome.json    without "seconds"
"""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path

import numpy as np

Fingerprint = dict[str, str]  # part -> SHA-256

_ONE_AT_A_TIME = threading.Lock()  # orbax reads with threads of its own


def fingerprint(place: Path) -> Fingerprint:
    """Returns the hashes of what a finished run has to show.

    Raises:
      ValueError: it is not finished, or cannot be read.
    """
    from metarl.runs import RunDirectory

    with _ONE_AT_A_TIME:
        run = RunDirectory.open(place)
        saved = run.checkpoints.load_newest()
    if saved is None or (run.outcome or {}).get("outcome") != "finished":
        raise ValueError(f"{place} is not finished")
    arrays, meta = saved
    rows = [_without_clock(row) for row in run.metrics.rows()]
    parts = {
        "metrics.jsonl": _json(rows),
        "checkpoint": _arrays(arrays) + _json([meta["generation"], meta["job"]]),
        "outcome.json": _json(_without_clock(run.outcome or {})),
    }
    agent = place / "agent.npz"
    if agent.exists():
        with np.load(agent, allow_pickle=False) as members:
            parts["agent.npz"] = _arrays({name: members[name] for name in members.files})
    return {name: hashlib.sha256(content).hexdigest() for name, content in parts.items()}


def differing(first: Fingerprint, second: Fingerprint) -> list[str]:
    """Returns the names of the parts that differ."""
    names = sorted({*first, *second})
    return [name for name in names if first.get(name) != second.get(name)]


def _without_clock(row: dict) -> dict:
    return {name: value for name, value in row.items() if name != "seconds"}


def _json(content: object) -> bytes:
    return json.dumps(content).encode()


def _arrays(arrays: dict[str, np.ndarray]) -> bytes:
    parts = (
        f"{name} {array.dtype} {array.shape}".encode() + array.tobytes()
        for name, array in arrays.items()
    )
    return b"".join(parts)
