"""Progress on standard error: a live display on a terminal, now and then a line everywhere else.

A display is told where the job stands; it works out the rate and the time left itself. Standard
output stays free for results.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Protocol, TextIO

_PLAIN_SECONDS = 5.0  # shortest time between two plain lines


class Progress(Protocol):
    """Where progress is shown; begun and ended once for every phase of a job."""

    def begin(self, label: str, unit: str) -> None:
        """Starts a phase; `unit` is what its positions count, in the plural."""
        ...

    def report(
        self, position: int, total: int | None, text: str = "", seconds_left: float | None = None
    ) -> None:
        """Shows a position.

        Args:
          position: how far the phase has come.
          total: how far it is to go; None if that is not known.
          text: one line more, in the words of the job.
          seconds_left: to the end of the time limit, if there is one.
        """
        ...

    def message(self, text: str) -> None:
        """Prints a line that stays, also when progress is not wanted."""
        ...

    def end(self) -> None:
        """Ends the phase; its last position stays in sight."""
        ...


def progress_on_stderr(*, quiet: bool = False) -> Progress:
    """Returns what fits standard error: live on a terminal, plain elsewhere, none if `quiet`."""
    if quiet:
        return SilentProgress()
    return LiveProgress() if sys.stderr.isatty() else PlainProgress()


class SilentProgress:
    """Shows no progress; messages are printed all the same."""

    def begin(self, label: str, unit: str) -> None:
        """Does nothing."""

    def report(
        self, position: int, total: int | None, text: str = "", seconds_left: float | None = None
    ) -> None:
        """Does nothing."""

    def message(self, text: str) -> None:
        """Prints a line."""
        print(text, file=sys.stderr, flush=True)

    def end(self) -> None:
        """Does nothing."""


class PlainProgress:
    """A plain line at most every few seconds; the last position of a phase is always shown."""

    def __init__(
        self,
        stream: TextIO | None = None,
        seconds: float = _PLAIN_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ):
        """Prints to `stream` (standard error if None) at most every `seconds`."""
        self._stream, self._seconds, self._clock = stream, seconds, clock
        self._pace: Pace | None = None

    def begin(self, label: str, unit: str) -> None:
        """Starts a phase, in silence."""
        self._pace = Pace(label, unit, self._clock)
        self._printed, self._pending = -float("inf"), ""

    def report(
        self, position: int, total: int | None, text: str = "", seconds_left: float | None = None
    ) -> None:
        """Prints the position if it is time to."""
        assert self._pace is not None, "begin comes first"
        status = self._pace.status(position, total, seconds_left)
        self._pending = f"{self._pace.label}: {status}" + (f" | {text}" if text else "")
        if self._clock() - self._printed >= self._seconds:
            self._print_pending()

    def message(self, text: str) -> None:
        """Prints a line."""
        print(text, file=self._stream or sys.stderr, flush=True)

    def end(self) -> None:
        """Prints the last position, unless it was the last thing printed."""
        if self._pace is not None and self._pending:
            self._print_pending()
        self._pace = None

    def _print_pending(self) -> None:
        self.message(self._pending)
        self._printed, self._pending = self._clock(), ""


class LiveProgress:
    """A bar with the numbers and the job's own line, redrawn in place by rich."""

    def __init__(self, console: Any = None, clock: Callable[[], float] = time.monotonic):
        """Draws on `console`, a `rich.console.Console` (one on standard error if None)."""
        from rich.console import Console

        self._console = console or Console(stderr=True)
        self._clock = clock
        self._live: Any = None

    def begin(self, label: str, unit: str) -> None:
        """Starts a phase."""
        from rich.live import Live

        self._pace = Pace(label, unit, self._clock)
        self._live = Live(console=self._console, refresh_per_second=4, redirect_stdout=False)
        self._live.start()

    def report(
        self, position: int, total: int | None, text: str = "", seconds_left: float | None = None
    ) -> None:
        """Draws the position."""
        from rich.console import Group
        from rich.padding import Padding
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        status = f"{self._pace.label}  {self._pace.status(position, total, seconds_left)}"
        # Text, not str: rules hold brackets, which rich would read as markup.
        lines = [Text(line, no_wrap=True, overflow="ellipsis") for line in (status, text) if line]
        # A bar does not end its line; what it is padded into does.
        bar = [Padding(ProgressBar(total=total, completed=position), 0)] if total else []
        self._live.update(Group(*bar, *lines))

    def message(self, text: str) -> None:
        """Prints a line above the display."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def end(self) -> None:
        """Leaves the last position on the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None


class Pace:
    """Rate and time left of one phase, from the positions since it began.

    The first step of a phase often compiles what the others only run. So once a second one is done the rate is that of
    all steps but the first, and before that nothing is said of the time left.
    """

    def __init__(self, label: str, unit: str, clock: Callable[[], float]):
        """Starts the clock with the first position, which may be that of a resumed run."""
        self.label, self.unit, self._clock = label, unit, clock
        self._first: tuple[float, int] | None = None
        self._warm: tuple[float, int] | None = None  # when the first step was done

    def status(self, position: int, total: int | None, seconds_left: float | None) -> str:
        """Returns, for example, "120/1,000 rules, 12.3 rules/s, 1:12 left"."""
        now = self._clock()
        self._first = self._first or (now, position)
        if self._warm is None and position > self._first[1]:
            self._warm = (now, position)
        is_warm = self._warm is not None and position > self._warm[1]
        begun, start = self._warm if self._warm is not None and is_warm else self._first
        rate = (position - start) / (now - begun) if now > begun else 0.0
        done = position_text(position, total, self.unit)
        left = [seconds_left] if seconds_left is not None else []
        left += (
            [max(0, total - position) / rate] if total is not None and is_warm and rate > 0 else []
        )
        parts = [
            done,
            *([f"{rate:.3g} {self.unit}/s"] if rate else []),
            *([f"{_clock_time(min(left))} left"] if left else []),
        ]
        return ", ".join(parts)


def position_text(position: int, total: int | None, unit: str) -> str:
    """Returns how far a run has come.

    >>> position_text(120, 1_000, "rules"), position_text(1, None, "rules"), position_text(0, 1, "problems")
    ('120/1,000 rules', '1 rule', '0/1 problem')
    """
    many = position if total is None else total
    done = f"{position:,}" if total is None else f"{position:,}/{total:,}"
    return f"{done} {unit.removesuffix('s') if many == 1 else unit}".rstrip()


def _clock_time(seconds: float) -> str:
    """Returns 75 as "1:15" and 3675 as "1:01:15"."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
