"""What a user names by `--output`: looked at before the work begins, and never replaced unasked."""

from __future__ import annotations

import os
from pathlib import Path

from metarl.errors import require

_OF_FILES = (".csv", ".gif", ".html", ".json", ".md", ".pdf", ".png", ".svg", ".txt")


def check_output(path: Path | None, force: bool, *, beside: tuple[str, ...] = ()) -> None:
    """Looks at the place of a file that is to be written.

    Args:
      path: what --output names; None is nothing to be written.
      force: whether --force was given: what is there may be replaced.
      beside: endings of files that are written beside it, in place of its own.

    Raises:
      InvalidInput: something is there already, or its folder is not.
    """
    if path is None:
        return
    require(
        path.parent.is_dir(),
        f"--output {str(path)!r}: there is no folder {str(path.parent)!r}. Make it, or name another.",
    )
    for place in (path, *(path.with_name(path.stem + ending) for ending in beside)):
        require(not place.is_dir(), f"--output {str(place)!r} is a directory; name a file in it.")
        require(
            force or not os.path.lexists(place),
            f"{str(place)!r} exists already. Name another file, or give --force to replace it.",
        )


def check_output_folder(path: Path | None, force: bool) -> None:
    """Looks at a folder that several files are to be written into.

    Args:
      path: what --output names; it is made if need be; None is nothing to be written.
      force: whether --force was given: files that are there may be replaced.

    Raises:
      InvalidInput: it holds something already, it is a file or has the name of one, or there is no folder to make it
        in.
    """
    if path is None:
        return
    require(
        path.parent.is_dir(),
        f"--output {str(path)!r}: there is no folder {str(path.parent)!r}. Make it, or name another.",
    )
    require(
        path.is_dir() or not os.path.lexists(path),
        f"--output {str(path)!r} is a file; name a folder.",
    )
    require(
        path.is_dir() or path.suffix.lower() not in _OF_FILES,
        f"--output {str(path)!r} has the name of a file, and several files are written; name a folder.",
    )
    require(
        force or not path.is_dir() or not any(path.iterdir()),
        f"--output {str(path)!r} holds files already. Name another folder, or give --force to replace them.",
    )
