"""The metric log: one JSON object a line, one line a generation.

Lines are only ever appended, whole, so the log can be followed while the run goes on. JSON has no
NaN: numbers that are not finite are written as null. A line that a dying process left unfinished is
dropped, and on resuming so is every line after the checkpoint: then the log of a resumed run is
that of one that never stopped.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from metarl.errors import InvalidInput
from metarl.reading import MOST_LINE, parse_json

from .tensorboard import EventFiles, follow

GENERATION = "generation"  # counts from 1; every row has it


class MetricLog:
    """Rows on disk, in the order of their generations."""

    def __init__(self, path: Path):
        """Names the file; nothing is opened or created before the first row."""
        self.path = Path(path)
        self._file: Any = None
        self._events: EventFiles | None = None

    def append(self, row: Mapping[str, Any]) -> None:
        """Writes one row and hands it to the operating system.

        Args:
          row: names to numbers, text or lists of them; `generation` is one of the names.

        Raises:
          OSError: it could not be written.
        """
        row = _strict(row)
        line = json.dumps(row, allow_nan=False) + "\n"
        if self._file is None:
            self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115 (open for the whole run)
        _write_whole(self._file, line.encode(), self.path)
        if self._events is not None:
            self._events.add(row)

    def rows(self) -> list[dict[str, Any]]:
        """Returns every row, without an unfinished last line; an absent file has none.

        Raises:
          InvalidInput: a line before the last is damaged.
        """
        return [line.row for line in self._lines()]

    def truncate(self, after: int) -> None:
        """Drops the rows of the generations after `after`, and an unfinished last line.

        What is appended from now on goes to TensorBoard too, where the run has a folder for it.
        """
        self.close()
        if self.path.exists():
            self._truncate(after)
        self._events = follow(self.path.parent, self.rows)

    def _truncate(self, after: int) -> None:
        kept = 0
        for line in self._lines() if after else ():
            if line.row[GENERATION] <= after:
                kept = line.end
            if line.row[GENERATION] >= after:
                break  # what comes behind goes, whatever it is: after a power cut it may be zeros
        os.truncate(self.path, kept)

    def sync(self) -> None:
        """Returns when every row is on the disk: a checkpoint must never be ahead of its log."""
        if self._file is not None:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file; the next row opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._events is not None:
            self._events.close()
            self._events = None

    def _lines(self) -> Iterator[_Line]:
        if not self.path.exists():
            return
        with open(self.path, "rb") as file:
            end = 0
            for number in itertools.count(1):
                text = file.readline(MOST_LINE)
                if not text.endswith(b"\n") and len(text) < MOST_LINE:
                    return  # the process died while writing it
                end += len(text)
                yield _Line(_parsed(text, number, self.path), end)


class _Line(NamedTuple):
    row: dict[str, Any]
    end: int  # bytes from the start of the file to behind the line


def _parsed(text: bytes, number: int, path: Path) -> dict[str, Any]:
    with contextlib.suppress(InvalidInput):
        row = parse_json(text, "the line", MOST_LINE)
        if isinstance(row, dict) and type(row.get(GENERATION)) is int:
            return row
    raise InvalidInput(
        f"Line {number} of the metric log {str(path)!r} is damaged. "
        "Remove that line to go on without it."
    )


def _write_whole(file: Any, content: bytes, path: Path) -> None:
    """Writes all of `content` (one write may stop early), and names the file if it fails."""
    try:
        while content:
            content = content[file.write(content) :]
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _strict(value: Any) -> Any:
    """Returns `value` in plain Python, with None for numbers that are not finite."""
    if isinstance(value, Mapping):
        return {name: _strict(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(member) for member in value]
    if hasattr(value, "tolist"):
        return _strict(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
