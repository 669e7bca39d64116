"""Whole files or none: text and bytes that appear under their name only when complete."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def write_file(path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Writes a file at once: readers see the old content or the new, never a part.

    Args:
      path: where to; its directory must exist.
      content: text (written as UTF-8, lines end as they are) or bytes.

    Returns:
      The path.

    Raises:
      OSError: if the directory is missing, full or cannot be written; nothing is left behind then.
    """
    target = Path(path)
    data = content.encode() if isinstance(content, str) else content
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o666 & ~_process_umask())  # mkstemp made it private
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    return target


def _process_umask() -> int:
    """Returns the umask, which can only be read by setting it."""
    current = os.umask(0o077)
    os.umask(current)
    return current
