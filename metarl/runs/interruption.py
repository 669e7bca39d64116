"""A clean stop: the first signal asks, the second one insists.

Interrupting in the middle of a generation would lose it. So the first SIGINT or SIGTERM is only
remembered, for the loop to look at when a generation is complete, or for a job that can leave one
unfinished; the second raises KeyboardInterrupt wherever the process is.

Python runs a handler in the main thread alone, between two of its own steps: while jax compiles or
computes there, signals wait. A thread hears of them at once, says what is waited for, and ends the
process on the second signal where a command line has allowed that (`leave_when_insisted`). So does
the handler itself while a module is imported: an extension that is interrupted as it is made fails
in ways of its own, jax's by an ImportError or an abort. An error that is raised where Python lets
none through, as in a callback of its garbage collector, is dropped: there the signal is sent anew.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

_INTERRUPTED = 128 + 2  # as a shell reports SIGINT
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_IMPORTER = "<frozen importlib._bootstrap>"  # the file that Python names in frames of an import
_NOTICE = "Stopping when what is compiled or computed now is done; once more stops at once."
_MOMENT = 0.5  # seconds in which the main thread, if it can, says by itself what is waited for
_PATIENCE = 2.0  # and ends by itself when the second signal came
_ANEW = 0.01  # seconds until a signal is sent anew that had no effect

_may_leave = threading.Event()
_goodbyes: list[str] = []  # of the blocks under way, the innermost last
INTERRUPTED = "metarl: interrupted"  # what is said at last, as by a command line


class GivenUp(Exception):
    """A job has left a generation unfinished since a stop is requested; who goes on computes it again."""


class Interrupted(KeyboardInterrupt):
    """A signal has ended the work, and it has been said how to go on."""


def leave_when_insisted() -> None:
    """Lets a second signal end the process while its main thread is in a call that lets none through.

    For a process that is a command of metarl and nothing else: what a caller would do afterwards, is not done.
    """
    _may_leave.set()


@contextlib.contextmanager
def leaving_with(goodbye: str) -> Iterator[None]:
    """Has something said where a signal ends the process in the midst of the block, which can then say nothing.

    Args:
      goodbye: lines, in which it stands how to go on.
    """
    _goodbyes.append(goodbye)
    try:
        yield
    finally:
        _goodbyes.pop()


class Interruption:
    """Context in which the first signal is remembered as `requested`.

    Outside the main thread Python delivers no signals: there it changes nothing, and `request` can
    be called instead.

    Args:
      patient: whether the first signal only asks; otherwise it raises KeyboardInterrupt already.

    Attributes:
      requested: whether to stop.
    """

    def __init__(self, *, patient: bool = True) -> None:
        """Nothing is requested yet."""
        self.requested = False
        self._patient = patient
        self._previous: dict[signal.Signals, Any] = {}
        self._heard = self._handled = 0  # signals, by the thread and by the main thread
        self._said = threading.Lock()  # taken by who says it first
        self._insisted = threading.Event()  # upon, and the main thread knows it

    def request(self) -> None:
        """Asks the loop to stop when its generation is complete."""
        self.requested = True

    def __enter__(self) -> Interruption:
        """Takes over the two signals."""
        if threading.current_thread() is threading.main_thread():
            # first: what a handler raises within a collection of garbage comes to the hook alone
            self._unraisable, sys.unraisablehook = sys.unraisablehook, self._insist
            self._previous = {number: signal.signal(number, self._receive) for number in _SIGNALS}
            self._ear, mouth = os.pipe()
            os.set_blocking(mouth, False)
            self._mouth = mouth, signal.set_wakeup_fd(mouth, warn_on_full_buffer=False)
            threading.Thread(target=self._listen, name="signals", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Gives the two signals back."""
        if not self._previous:
            return
        self._insisted.set()
        mouth, before = self._mouth
        signal.set_wakeup_fd(before)
        os.close(mouth)  # so the thread ends
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        sys.unraisablehook = self._unraisable

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._handled = max(self._handled + 1, self._heard)  # signals that waited come as one
        if self._handled > 1 or not self._patient:
            self._insisted.set()
            if _may_leave.is_set() and _imports(frame):
                self._leave()
            raise KeyboardInterrupt
        self.request()
        self._say()

    def _insist(self, dropped: sys.UnraisableHookArgs) -> None:
        """Sends a signal anew whose KeyboardInterrupt had no effect; other errors are for who told of them before."""
        if not isinstance(dropped.exc_value, KeyboardInterrupt):
            self._unraisable(dropped)
            return
        again = threading.Timer(_ANEW, os.kill, (os.getpid(), signal.SIGINT))
        again.daemon = True
        again.start()

    def _listen(self) -> None:
        while heard := os.read(self._ear, 16):
            for number in heard:
                if number in _SIGNALS:
                    self._hear()
        os.close(self._ear)

    def _hear(self) -> None:
        self._heard += 1
        if self._heard > 1:
            if not self._insisted.wait(_PATIENCE) and _may_leave.is_set():
                self._leave()
        elif not self._insisted.wait(_MOMENT) and not self._handled:
            self.request()
            self._say()

    def _leave(self) -> None:
        _write(_goodbyes[-1] if _goodbyes else INTERRUPTED)
        os._exit(_INTERRUPTED)

    def _say(self) -> None:
        if self._said.acquire(blocking=False):
            _write(_NOTICE)


def _imports(frame: FrameType | None) -> bool:
    """Returns whether a module is being imported, in this frame or in one that waits for it."""
    while frame is not None:
        if frame.f_code.co_filename == _IMPORTER:
            return True
        frame = frame.f_back
    return False


def _write(text: str) -> None:
    os.write(2, f"\n{text}\n".encode())  # not print: the signal may have come in the middle of one
