"""journal: every result of a search on disk, from the moment it lands.

One JSON line for each verdict of a judge on a rule, under the identity of the result (see `specification`). A run that
is killed in the middle of a generation or of the selection finds there what it had computed already, whatever had
computed it. Before the first verdict of a judge stands a line with the judge's specification, so that the file can be
read without metarl.

Every line ends with the beginning of its own SHA-256. A last line that a dying process left unfinished is cut off, and
said; a damaged line elsewhere is skipped, and said, and its result is computed again: it costs seconds and no trust.
Numbers are float32 written as the doubles they are, exactly; "inf", "-inf" and "nan" are texts. The clock is in none.

Lines go to the operating system at once, and are forced to the disk at most every 50 ms: a killed process loses
nothing that landed, a power cut the last moments.

Letters: R' learning rates of the short runs, S replicates.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from metarl.errors import require
from metarl.reporting import counted

from ..judging.candidates import Verdicts
from .specification import plain_number

FILE = "journal.jsonl"  # in a run directory
_FORMAT, _VERSION = "metarl-journal", 1
_SYNC_SECONDS = 0.05
_LONGEST_LINE = 1 << 20  # bytes; a longer one is damaged
_SEAL = b', "sha256": "'
_SEAL_DIGITS = 16

Say = Callable[[str], None]


class JournalEntry(NamedTuple):
    """A verdict of one judge on one rule."""

    key: str  # identity of the result
    specification: str  # digest of the judge's specification
    tokens: np.ndarray  # [L]
    grid: np.ndarray  # [R], the learning rates that were given
    verdict: Verdicts  # without a leading axis: [R'], [R'], [], [S], [S], []


class Journal:
    """Results on disk by identity; many threads may ask and write.

    Args:
      path: the file; created with the first result.
      say: told what was found damaged.

    Raises:
      InvalidInput: the file is something else, or of another version.
      OSError: it cannot be read.
    """

    def __init__(self, path: Path, say: Say = lambda text: None):
        """Reads where each result lies."""
        self.path, self._lock = Path(path), threading.Lock()
        self._places: dict[str, tuple[int, int]] = {}  # identity -> offset and length of its line
        self._specified: set[str] = set()
        self._end = 0  # behind the last whole line
        self._file: int | None = None
        self._synced, self._dirty = 0.0, False
        if self.path.exists():
            self._read(say)

    def __len__(self) -> int:
        return len(self._places)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def get(self, key: str) -> Verdicts | None:
        """Returns the verdict of that identity, None if it is not known."""
        with self._lock:
            place = self._places.get(key)
            if place is None:
                return None
            offset, length = place
            line = os.pread(self._open(), length, offset)
        return _verdict(_unsealed(line))

    def add(self, entries: Iterable[JournalEntry], specification: Mapping[str, Any]) -> None:
        """Writes verdicts of one judge that are not known yet.

        Args:
          entries: all with the digest of the specification.
          specification: of the judge; written before its first verdict.

        Raises:
          OSError: they could not be written (no space); what was written before is intact.
        """
        with self._lock:
            for entry in entries:
                if entry.key in self._places:
                    continue
                if entry.specification not in self._specified:
                    named = {"specification": dict(specification), "digest": entry.specification}
                    self._append(named)
                    self._specified.add(entry.specification)
                self._places[entry.key] = self._append(_document(entry))
            if time.monotonic() - self._synced >= _SYNC_SECONDS:
                self._sync()

    def sync(self) -> None:
        """Returns when every result is on the disk."""
        with self._lock:
            self._sync()

    def close(self) -> None:
        """Forces what is written to the disk and closes the file."""
        with self._lock:
            self._sync()
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _read(self, say: Say) -> None:
        damaged, torn = [], False
        with open(self.path, "rb") as file:
            number = 0
            while line := file.readline(_LONGEST_LINE):
                number += 1
                if not line.endswith(b"\n") and file.tell() == os.fstat(file.fileno()).st_size:
                    torn = True
                    break
                if not self._note(line):
                    damaged.append(number)
                self._end += len(line)
        require(
            not damaged or len(damaged) < number - torn,
            f"{str(self.path)!r} is not a journal of metarl: it has no intact line. Move it away.",
        )
        if torn:
            say(f"{self.path.name}: the last line was left unfinished; its result is lost.")
        if damaged:
            few = ", ".join(map(str, damaged[:3])) + " ..." * (len(damaged) > 3)
            say(
                f"{self.path.name}: {counted(len(damaged), 'damaged line')} skipped ({few}); what "
                "was there is computed again."
            )

    def _note(self, line: bytes) -> bool:
        """Remembers where a line's result lies; returns whether the line is intact."""
        document = _unsealed(line)
        if document is None:
            return False
        if document.get("format") == _FORMAT:
            version = document.get("version")
            require(
                version == _VERSION,
                f"Journal {str(self.path)!r} has format {version!r}; this metarl reads {_VERSION}. "
                "Use the version that made it.",
            )
            return True
        if isinstance(document.get("digest"), str):
            self._specified.add(document["digest"])
            return True
        if _verdict(document) is None or not isinstance(document.get("key"), str):
            return False
        self._places[document["key"]] = (self._end, len(line))
        return True

    def _open(self) -> int:
        """Returns the open file; the first time, cuts an unfinished line off or writes the heading."""
        if self._file is None:
            new = not self.path.exists()
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
            self._file = os.open(self.path, flags, 0o644)
            if os.fstat(self._file).st_size > self._end:
                os.ftruncate(self._file, self._end)
            if new or self._end == 0:
                self._append({"format": _FORMAT, "version": _VERSION})
        return self._file

    def _append(self, document: Mapping[str, Any]) -> tuple[int, int]:
        """Writes one line and returns where it lies; a line that cannot be written leaves nothing behind."""
        line, file = _sealed(document), self._open()
        self._dirty, written = True, 0
        try:
            while written < len(line):  # one write may stop early
                written += os.write(file, line[written:])
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(file, self._end)
            raise OSError(error.errno, error.strerror, str(self.path)) from error
        place = (self._end, len(line))
        self._end += len(line)
        return place

    def _sync(self) -> None:
        if self._dirty and self._file is not None:
            os.fsync(self._file)
            self._dirty, self._synced = False, time.monotonic()


def _document(entry: JournalEntry) -> dict[str, Any]:
    found = entry.verdict
    return {
        "key": entry.key,
        "specification": entry.specification[:_SEAL_DIGITS],
        "tokens": np.asarray(entry.tokens).tolist(),
        "grid": _plain(entry.grid),
        "rates": _plain(found.rates),
        "sweep": _plain(found.sweep),
        "rate": plain_number(float(found.rate)),
        "losses": _plain(found.losses),
        "metrics": _plain(found.metrics),
        "steps": int(found.steps),
    }


def _verdict(document: Mapping[str, Any] | None) -> Verdicts | None:
    """Returns the verdict that a line holds, None if it holds none."""
    try:
        assert document is not None
        lists = {name: _floats(document[name]) for name in ("rates", "sweep", "losses", "metrics")}
        assert len(lists["rates"]) == len(lists["sweep"])
        assert len(lists["losses"]) == len(lists["metrics"])
        return Verdicts(
            **lists, rate=np.float32(float(document["rate"])), steps=np.int32(document["steps"])
        )
    except (AssertionError, KeyError, TypeError, ValueError, OverflowError):
        return None


def _plain(values: np.ndarray) -> list[float | str]:
    numbers = np.asarray(values, np.float32)
    plain = numbers.tolist()
    return plain if np.isfinite(numbers).all() else [plain_number(value) for value in plain]


def _floats(values: list[float | str]) -> np.ndarray:
    assert isinstance(values, list)
    with np.errstate(over="ignore"):  # of a forged number; what metarl writes is a float32
        return np.array([float(value) for value in values], np.float32)


def _sealed(document: Mapping[str, Any]) -> bytes:
    """Returns a document as one line that ends with its checksum."""
    body = json.dumps(document, allow_nan=False).encode()[:-1]
    return body + _SEAL + _checksum(body) + b'"}\n'


def _unsealed(line: bytes) -> dict[str, Any] | None:
    """Returns the document of a line, None if a byte of it has changed."""
    body, seal, rest = line.rpartition(_SEAL)
    if not seal or rest != _checksum(body) + b'"}\n':
        return None
    try:
        document = json.loads(body + b"}")
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest()[:_SEAL_DIGITS].encode()
