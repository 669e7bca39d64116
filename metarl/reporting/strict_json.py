"""JSON that every reader accepts: no NaN, no Infinity, no surprise types.

Python writes NaN and Infinity into JSON, which the standard has no words for and other readers
refuse; here they become null. NumPy and JAX scalars and arrays, NamedTuples, dataclasses, paths and
sets come out as their plain counterparts.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from .files import write_file


def to_json(value: Any, indent: int | None = 2) -> str:
    """Returns `value` as strict JSON.

    Args:
      value: dictionaries, sequences, dataclasses, NamedTuples (written as objects), numbers, texts,
        arrays and paths.
      indent: spaces per level, or None for a single line.

    Returns:
      The text, without a final newline; NaN and infinities are null.

    Raises:
      TypeError: on a type that has no counterpart in JSON.

    >>> to_json({"loss": float("inf"), "steps": [1, 2]}, indent=None)
    '{"loss": null, "steps": [1, 2]}'
    """
    return json.dumps(_plain(value), indent=indent, allow_nan=False, ensure_ascii=False)


def write_json(path: str | os.PathLike[str], value: Any) -> Path:
    """Writes `to_json(value)` and a newline as one whole file; returns the path."""
    return write_file(path, to_json(value) + "\n")


def _plain(value: Any) -> Any:
    """Returns `value` in dictionaries, lists, texts, finite numbers, booleans and None."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if hasattr(value, "tolist"):  # NumPy and JAX, scalars and arrays
        return _plain(value.tolist())
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Set):
        return [_plain(item) for item in sorted(value)]
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{type(value).__name__} has no counterpart in JSON: {value!r:.100}")


def _key(key: Any) -> str:
    """Returns a dictionary's key as text; numbers are accepted, nothing else."""
    plain = _plain(key)
    if isinstance(plain, str):
        return plain
    if isinstance(plain, int | float) and not isinstance(plain, bool):
        return str(plain)
    raise TypeError(f"A key of a JSON object is a text or a number; received {key!r:.100}")
