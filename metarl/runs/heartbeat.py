"""heartbeat.json: where a run stands, rewritten every second while a process is at work in it.

A thread writes it, also during a long generation; so an old heartbeat beside a lock that is held
tells of a process that has stopped. It says as well how long the generation at work has taken and
how long the longest before it did, which tells of one that is stuck.

Times are of two clocks. The monotonic one counts where writer and reader share a boot of the
machine: it never goes back. The wall clock is for all other readers, and an age is never negative.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from metarl.errors import InvalidInput

from .durable import PARTIAL, json_bytes, read_json_object

HEARTBEAT = "heartbeat.json"
EVERY = 1.0  # seconds


class Heartbeat:
    """Writes the heartbeat of a run from `start` to `stop`; other threads may note things in it."""

    def __init__(self, directory: Path, clock: Callable[[], float] = time.monotonic):
        """Nothing is written before `start`."""
        self._path, self._clock = Path(directory) / HEARTBEAT, clock
        self._noted: dict[str, Any] = {}
        self._began: float | None = None  # the generation at work
        self._longest: float | None = None  # of the generations of this session
        self._first: tuple[float, int] | None = None  # when, and the position then
        self._stop: threading.Event | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins to beat."""
        for leftover in self._path.parent.glob(f".{HEARTBEAT}*{PARTIAL}"):
            with contextlib.suppress(OSError):
                leftover.unlink()
        self._noted, self._began, self._longest, self._first = {}, None, None, None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, args=(self._stop,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Writes the last one and ends the thread."""
        if self._thread is not None and self._stop is not None:
            self._began = None
            self._stop.set()
            self._thread.join()
            self._thread = None

    def note(self, position: int, total: int | None, unit: str) -> None:
        """Notes that a generation begins at this position, and so how long the one before took."""
        now = self._clock()
        if self._began is not None:
            self._longest = max(self._longest or 0.0, now - self._began)
        self._began = now
        self._first = self._first or (now, position)
        seconds, gained = now - self._first[0], position - self._first[1]
        rate = gained / seconds if seconds > 0 and gained > 0 else None
        self._noted = {"position": position, "total": total, "unit": unit, "rate": rate}

    def note_end(self) -> None:
        """Notes that no generation is at work any more."""
        self._began = None

    def _beat(self, stop: threading.Event) -> None:
        while True:
            ends = stop.is_set()
            # A disk that is full, or gone, is met by the run itself, which then says so.
            with contextlib.suppress(OSError):
                self._write(ends)
            if ends:
                return
            stop.wait(EVERY)

    def _write(self, ends: bool) -> None:
        noted = self._noted  # before `_began`, which `note` sets first
        now, began = self._clock(), self._began
        content = {
            "time": datetime.datetime.now().astimezone().isoformat(timespec="milliseconds"),
            "monotonic": time.monotonic(),
            "boot": _boot(),
            "process": os.getpid(),
            "every": EVERY,
            "ended": ends,
            "generation_seconds": None if began is None else round(max(0.0, now - began), 3),
            "longest_generation_seconds": self._longest,
            **noted,
        }
        partial = self._path.with_name(f".{HEARTBEAT}.{os.getpid()}{PARTIAL}")
        try:
            partial.write_bytes(json_bytes(content))
            os.replace(
                partial, self._path
            )  # whole or not there; a power cut may take the last ones
        finally:
            partial.unlink(missing_ok=True)


class Beat(NamedTuple):
    """The last heartbeat of a run, as a reader finds it."""

    age: float  # seconds since, never negative
    every: float  # seconds from one to the next
    ended: bool  # whether its process has left the run in order
    position: int | None
    total: int | None
    unit: str | None
    rate: float | None  # positions a second, of the session
    generation_seconds: float | None  # how long the generation at work had taken
    longest_generation_seconds: float | None

    @property
    def is_old(self) -> bool:
        """Tells whether several have been missed."""
        return self.age > max(15.0, 10.0 * self.every)

    @property
    def is_stuck(self) -> bool:
        """Tells whether the generation at work takes much longer than any before it."""
        if self.generation_seconds is None or self.longest_generation_seconds is None:
            return False
        now = self.generation_seconds + self.age
        return now > max(60.0, 10.0 * self.longest_generation_seconds)


def read_heartbeat(directory: Path) -> Beat | None:
    """Returns the last heartbeat; None if there is none that can be read."""
    try:
        found = read_json_object(Path(directory) / HEARTBEAT)
        age = _age(found)
        named = (found.get(name) for name in Beat._fields[3:])
        return Beat(age, float(found["every"]), found["ended"] is True, *named)
    except (InvalidInput, OSError, KeyError, TypeError, ValueError):
        return None


def _age(found: dict[str, Any]) -> float:
    if found["boot"] is not None and found["boot"] == _boot():
        return max(0.0, time.monotonic() - found["monotonic"])
    return max(0.0, time.time() - datetime.datetime.fromisoformat(found["time"]).timestamp())


def _boot() -> str | None:
    """Returns what names this boot of this machine; None where nothing does."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
