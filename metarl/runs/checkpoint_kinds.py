"""Which kind of checkpoints a run has.

npz: one file a checkpoint, written before `save` returns, for small states. orbax: one directory a
checkpoint, written in the background, for networks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from metarl.errors import unknown_name

from .checkpoints import Checkpoints
from .npz_checkpoints import NpzCheckpoints
from .orbax_checkpoints import OrbaxCheckpoints

CheckpointKind = Literal["npz", "orbax"]
_KINDS: dict[str, CheckpointKind] = {"train": "orbax"}  # by job; npz for all others


def checkpoint_kind(job: str) -> CheckpointKind:
    """Returns how a new run of a job keeps its checkpoints."""
    return _KINDS.get(job, "npz")


def make_checkpoints(kind: str, directory: Path) -> Checkpoints:
    """Returns the checkpoints in a directory.

    Raises:
      InvalidInput: this version of metarl knows no such kind.
    """
    if kind == "npz":
        return NpzCheckpoints(directory)
    if kind == "orbax":
        return OrbaxCheckpoints(directory)
    raise unknown_name("kind of checkpoints", kind, get_args(CheckpointKind))
