"""The bytes of a file: of a regular file, no more than allowed, and not by way of a link that leads elsewhere."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from metarl.errors import InvalidInput, require


def read_bytes(path: Path, most: int, beneath: Path | None = None) -> bytes:
    """Returns what is in a file.

    Args:
      path: of the file.
      most: bytes; a larger file is refused before any of it is read.
      beneath: a directory that the file must lie in when all links are followed; None for any.

    Raises:
      InvalidInput: it is larger, lies elsewhere, or is no regular file (a device, a pipe ...).
      OSError: it cannot be read.
    """
    if beneath is not None:
        _require_beneath(path, beneath)
    with open(path, "rb", opener=_open_without_waiting) as file:
        status = os.fstat(file.fileno())
        require(stat.S_ISREG(status.st_mode), f"{str(path)!r} is not a regular file.")
        size = status.st_size
        require(
            size <= most,
            f"{str(path)!r} has {size:,} bytes; of such a file at most {most:,} are read.",
        )
        return file.read(size)  # what is appended meanwhile is left for the next time


def _open_without_waiting(path: str, flags: int) -> int:
    """Opens a file; a named pipe that nobody writes to would otherwise be waited for."""
    return os.open(path, flags | os.O_NONBLOCK)


def _require_beneath(path: Path, directory: Path) -> None:
    real, top = os.path.realpath(path), os.path.realpath(directory)
    if os.path.commonpath([real, top]) != top:
        raise InvalidInput(
            f"{str(path)!r} is a link that leads out of {str(directory)!r}; it is not followed. "
            "Put the file itself there."
        )
