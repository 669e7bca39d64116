"""Checkpoints: the whole state of a job in one file that is either intact or refused.

A checkpoint is a flat dict of arrays and a JSON value. Its file is one line of text and then a
numpy archive:

    metarl-checkpoint VERSION BYTES SHA256
    <BYTES bytes of .npz, whose SHA256 it is>

So a file that was cut short, damaged or written by another version is known before anything in it
is believed. Nothing is unpickled. A damaged newest checkpoint is never skipped in silence: the user
decides whether to go back.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from metarl.errors import InvalidInput

from .durable import PARTIAL, json_bytes, write_durably

FORMAT_VERSION = 1
_ENDING = ".checkpoint"
_HEADER = re.compile(rb"metarl-checkpoint (\d+) (\d+) ([0-9a-f]{64})\n")
_LONGEST_HEADER = 120  # bytes
_META, _ARRAY = "meta", "array/"


class UnusableCheckpoint(InvalidInput):
    """A checkpoint that is cut short, damaged or of another version, and what can be done."""


def save_checkpoint(path: Path, arrays: Mapping[str, np.ndarray], meta: Any) -> None:
    """Writes a checkpoint; it is on the disk, whole, when this returns.

    Args:
      path: the file to create or to replace; its directory exists.
      arrays: any names, any shapes, also those of jax's extra types such as bfloat16.
      meta: whatever JSON can hold.

    Raises:
      OSError: it could not be written; `path` is as it was before.
    """
    content = {name: np.asarray(array) for name, array in arrays.items()}
    unpicklable = [name for name, array in content.items() if array.dtype.hasobject]
    if unpicklable:
        raise TypeError(f"checkpoints hold numbers, not Python objects: {', '.join(unpicklable)}")
    # numpy saves the types that jax adds (bfloat16, float8 ...) as anonymous bytes: their names
    # travel in the meta.
    extra_types = {name: array.dtype.name for name, array in content.items() if _is_extra(array)}
    described = json_bytes({"meta": meta, "extra_types": extra_types})
    members: Any = {_ARRAY + name: array for name, array in content.items()}
    buffer = io.BytesIO()
    np.savez(buffer, **{_META: np.frombuffer(described, np.uint8), **members})
    payload = buffer.getvalue()
    digest = hashlib.sha256(payload).hexdigest()
    header = f"metarl-checkpoint {FORMAT_VERSION} {len(payload)} {digest}\n".encode()
    write_durably(Path(path), header + payload)


def load_checkpoint(path: Path) -> tuple[dict[str, np.ndarray], Any]:
    """Reads a checkpoint.

    Args:
      path: a file that `save_checkpoint` wrote.

    Returns:
      The arrays and the meta, as they were given.

    Raises:
      UnusableCheckpoint: it is cut short, damaged or of another version.
      OSError: it cannot be read.
    """
    path = Path(path)
    payload = _verified_payload(path)
    try:
        with np.load(io.BytesIO(payload), allow_pickle=False) as archive:
            described = json.loads(archive[_META].tobytes())
            names = [name for name in archive.files if name.startswith(_ARRAY)]
            arrays = {name.removeprefix(_ARRAY): archive[name] for name in names}
        meta, extra_types = described["meta"], described["extra_types"]
        return {name: _typed(array, extra_types.get(name)) for name, array in arrays.items()}, meta
    except (ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise UnusableCheckpoint(
            f"Checkpoint {str(path)!r} is whole but holds something else ({error}). "
            + _way_back(path)
        ) from error


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one run: one file a generation, of which the newest `keep` are kept."""

    directory: Path
    keep: int = 2

    def sweep(self) -> None:
        """Creates the directory if need be and removes what a dead process left half-written."""
        self.directory.mkdir(exist_ok=True)
        for leftover in self.directory.glob(f".*{PARTIAL}"):
            leftover.unlink(missing_ok=True)

    def save(self, generation: int, arrays: Mapping[str, np.ndarray], meta: Any) -> Path:
        """Writes the checkpoint of a generation, then removes those that are too old to be kept."""
        path = self.directory / f"{generation:010d}{_ENDING}"
        save_checkpoint(path, arrays, meta)
        for old in self._oldest_first()[: -self.keep]:
            old.unlink(missing_ok=True)
        return path

    def newest(self) -> Path | None:
        """Returns the file of the highest generation, intact or not; None if there is none."""
        paths = self._oldest_first()
        return paths[-1] if paths else None

    def load_newest(self) -> tuple[dict[str, np.ndarray], Any] | None:
        """Returns the arrays and the meta of the newest checkpoint; None if there is none.

        Raises:
          UnusableCheckpoint: it is damaged; an older one is never taken in silence.
        """
        path = self.newest()
        return None if path is None else load_checkpoint(path)

    def _oldest_first(self) -> list[Path]:
        return sorted(self.directory.glob(f"[0-9]*{_ENDING}"))


class _Fault(Exception):
    """What is wrong with the bytes of a checkpoint; `advice` if it is not the usual one."""

    def __init__(self, fault: str, advice: str | None = None):
        super().__init__(fault)
        self.advice = advice


def _verified_payload(path: Path) -> bytes:
    """Returns the archive in a checkpoint, once its length and hash are found right."""
    try:
        return _payload(path.read_bytes())
    except _Fault as fault:
        advice = fault.advice or _way_back(path)
        raise UnusableCheckpoint(f"Checkpoint {str(path)!r} {fault}. {advice}") from None


def _payload(content: bytes) -> bytes:
    header = _HEADER.match(content)
    if header is None:
        whole_line = b"\n" in content[:_LONGEST_HEADER]
        raise _Fault("is damaged in its first line" if whole_line else "is cut short")
    version, length = int(header[1]), int(header[2])
    if version != FORMAT_VERSION:
        raise _Fault(
            f"has format {version}, and this version of metarl reads format {FORMAT_VERSION}",
            "Resume with the version of metarl that wrote it; the run's provenance.json names it.",
        )
    payload = content[header.end() :]
    if len(payload) < length:
        raise _Fault(f"is cut short ({len(payload):,} of {length:,} bytes)")
    if hashlib.sha256(payload).hexdigest() != header[3].decode():
        raise _Fault("is damaged (its bytes do not have the hash that was stored with them)")
    return payload


def _way_back(path: Path) -> str:
    """Returns what can be done about a checkpoint that cannot be believed."""
    older = sorted(other for other in path.parent.glob(f"*{_ENDING}") if other.name < path.name)
    intact = [other.name for other in older if _is_intact(other)]
    if intact:
        return f"An older one is intact ({intact[-1]}): remove this file to resume from there."
    return "No older one is intact: remove this file to resume from the beginning of the run."


def _is_intact(path: Path) -> bool:
    try:
        _payload(path.read_bytes())
    except (_Fault, OSError):
        return False
    return True


def _is_extra(array: np.ndarray) -> bool:
    """Tells whether an array has one of the types that jax adds to numpy."""
    return array.dtype.type.__module__ == "ml_dtypes"


def _typed(array: np.ndarray, extra_type: str | None) -> np.ndarray:
    """Returns the array in the type that was saved under `extra_type`."""
    if extra_type is None:
        return array
    import ml_dtypes

    return array.view(np.dtype(getattr(ml_dtypes, extra_type)))
