"""Files that are either whole or not there.

A file is written beside its place under a temporary name, forced to the disk and renamed. A process
that dies, or a disk that fills up, at any moment leaves the old file or the new one, never a part
of one.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metarl import reading
from metarl.errors import InvalidInput

PARTIAL = (
    ".partial"  # ending of a file that is still being written; one that is left over can be removed
)


def write_durably(path: Path, content: bytes) -> None:
    """Writes `content` to `path` in one step, and returns when it is on the disk.

    Args:
      path: the file to create or to replace; its directory exists.
      content: all of its bytes.

    Raises:
      OSError: it could not be written (no space, no permission); `path` is as it was before, and
        the error names it.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    try:
        with open(partial, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            # "No space left on device" comes without a name, and the temporary one would tell the
            # user nothing.
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Forces the names in a directory to the disk: a renamed file is not safe before."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (
            errno.EINVAL,
            errno.ENOTSUP,
        ):  # some network file systems have no such call
            raise
    finally:
        os.close(descriptor)


def json_bytes(content: Any) -> bytes:
    """Returns strict JSON for people to read, indented; NaN and infinity are refused."""
    try:
        text = json.dumps(content, indent=2, allow_nan=False, default=_plain)
    except ValueError as error:
        raise InvalidInput(
            f"JSON has no NaN and no infinity, but was given one: {error}."
        ) from error
    return (text + "\n").encode()


def read_json_object(path: Path) -> dict[str, Any]:
    """Returns the JSON object in a file of a run; a link that leads out of its directory is not followed.

    Raises:
      InvalidInput: the file is not one JSON object.
      OSError: it cannot be read.
    """
    return reading.read_json_object(path, beneath=path.parent)


def _plain(value: Any) -> Any:
    """Returns what JSON can hold for arrays, paths, and mappings that are not dicts."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON: {value!r}")
