"""A clean stop: the first signal asks, the second one insists.

Interrupting in the middle of a generation would lose it. So the first SIGINT or SIGTERM is only
remembered, for the loop to look at when a generation is complete; the second raises
KeyboardInterrupt wherever the process is.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_NOTICE = b"\nStopping when this generation is complete; once more stops at once.\n"


class GivenUp(Exception):
    """A job has left a generation unfinished since a stop is requested; who goes on computes it again."""


class Interruption:
    """Context in which the first signal is remembered as `requested`.

    Outside the main thread Python delivers no signals: there it changes nothing, and `request` can
    be called instead.
    """

    def __init__(self) -> None:
        """Nothing is requested yet."""
        self.requested = False
        self._previous: dict[signal.Signals, Any] = {}

    def request(self) -> None:
        """Asks the loop to stop when its generation is complete."""
        self.requested = True

    def __enter__(self) -> Interruption:
        """Takes over the two signals."""
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._receive) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        """Gives the two signals back."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.request()
        os.write(2, _NOTICE)  # not print: the signal may have come in the middle of one
