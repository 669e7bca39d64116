"""A checkpoint in one file: the whole state of a job, either intact or refused.

A checkpoint is a flat dict of arrays and a JSON value. Its file is one line of text and then a
numpy archive:

    metarl-checkpoint VERSION BYTES SHA256
    <BYTES bytes of .npz, whose SHA256 it is>

So a file that was cut short, damaged or written by another version is known before anything in it
is believed. Nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from metarl.errors import InvalidInput
from metarl.reading import MOST_ARRAYS, parse_json, read_arrays, read_bytes

from .durable import json_bytes, write_durably

FORMAT_VERSION = 1
_HEADER = re.compile(rb"metarl-checkpoint (\d{1,18}) (\d{1,18}) ([0-9a-f]{64})\n")
_LONGEST_HEADER = 120  # bytes
_META, _ARRAY = "meta", "array/"
_WAY_BACK = "Remove it to have what it held computed again."
OTHER_VERSION = (
    "Resume with the version of metarl that wrote it; the run's provenance.json names it."
)


class UnusableCheckpoint(InvalidInput):
    """A checkpoint that cannot be used, and what can be done."""


class DamagedCheckpoint(UnusableCheckpoint):
    """A checkpoint that is cut short or damaged, so that an older one may stand in for it.

    Attributes:
      fault: what is wrong with it, to be read behind its name.
    """

    def __init__(self, path: Path, fault: str):
        """Names the checkpoint and what is wrong with it."""
        super().__init__(f"Checkpoint {str(path)!r} {fault}. {_WAY_BACK}")
        self.fault = fault


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
      DamagedCheckpoint: it is cut short or damaged.
      UnusableCheckpoint: it is of another version.
      OSError: it cannot be read.
    """
    path = Path(path)
    payload = _verified_payload(path)
    try:
        # Nothing in it is compressed, so its arrays are no larger than itself.
        members = read_arrays(payload, "its archive", most=len(payload))
        described = parse_json(members[_META].tobytes(), "its description")
        names = [name for name in members if name.startswith(_ARRAY)]
        arrays = {name.removeprefix(_ARRAY): members[name] for name in names}
        meta, extra_types = described["meta"], described["extra_types"]
        return {name: _typed(array, extra_types.get(name)) for name, array in arrays.items()}, meta
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnusableCheckpoint(
            f"Checkpoint {str(path)!r} is whole but holds something else ({error}). {_WAY_BACK}"
        ) from error


def _verified_payload(path: Path) -> bytes:
    """Returns the archive in a checkpoint, once its length and hash are found right."""
    content = read_bytes(path, MOST_ARRAYS)
    header = _HEADER.match(content)
    if header is None:
        whole_line = b"\n" in content[:_LONGEST_HEADER]
        fault = "is damaged in its first line" if whole_line else "is cut short"
        raise DamagedCheckpoint(path, fault)
    version, length = int(header[1]), int(header[2])
    if version != FORMAT_VERSION:
        raise UnusableCheckpoint(
            f"Checkpoint {str(path)!r} has format {version}, and this version of metarl reads "
            f"format {FORMAT_VERSION}. {OTHER_VERSION}"
        )
    payload = content[header.end() :]
    if len(payload) < length:
        raise DamagedCheckpoint(path, f"is cut short ({len(payload):,} of {length:,} bytes)")
    if hashlib.sha256(payload).hexdigest() != header[3].decode():
        raise DamagedCheckpoint(
            path, "is damaged (its bytes do not have the hash that was stored with them)"
        )
    return payload


def _is_extra(array: np.ndarray) -> bool:
    """Tells whether an array has one of the types that jax adds to numpy."""
    return array.dtype.type.__module__ == "ml_dtypes"


def _typed(array: np.ndarray, extra_type: str | None) -> np.ndarray:
    """Returns the array in the type that was saved under `extra_type`."""
    if extra_type is None:
        return array
    import ml_dtypes

    return array.view(np.dtype(getattr(ml_dtypes, extra_type)))
