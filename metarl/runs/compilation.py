"""Compiling: as if for the first time, to measure how long it takes; and how long it has taken so far."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

_COMPILE_EVENTS = (
    "/jax/core/compile/"  # how jax begins the names of what it measures: trace, lower, compile
)


_nobody_waits = contextvars.ContextVar("nobody waits", default=False)


def compilation_seconds() -> float:
    """Returns how long this process has been tracing, lowering and compiling (or reading compiled
    programs from jax's cache), since the first call of this function; but for what is `compiled_beside`.
    """
    return _compilations().seconds


@contextlib.contextmanager
def compiled_beside() -> Iterator[None]:
    """What is compiled inside does not count: it is for later, and nobody whose time is taken waits for it.

    It holds for this thread, and for those to which it hands work with a copy of its context.
    """
    before = _nobody_waits.set(True)
    try:
        yield
    finally:
        _nobody_waits.reset(before)


class Compilations:
    """The union of the spans of time in which jax compiled: they lie within each other, and beside each
    other in several threads.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        """Knows of nothing yet; `clock` gives seconds, from anywhere."""
        self.seconds = 0.0
        self._clock, self._lock = clock, threading.Lock()
        self._spans: list[tuple[float, float]] = []  # begin and end, apart, the latest last

    def note(self, event: str, duration_secs: float, **kwargs: Any) -> None:
        """Hears from jax that what took so many seconds has just ended."""
        if _nobody_waits.get() or not event.startswith(_COMPILE_EVENTS):
            return
        with self._lock:
            end = self._clock()
            begin = end - duration_secs
            while self._spans and self._spans[-1][1] > begin:
                inner_begin, inner_end = self._spans.pop()
                self.seconds -= inner_end - inner_begin
                begin = min(begin, inner_begin)
            self.seconds += end - begin
            self._spans.append((begin, end))


@functools.cache
def _compilations() -> Compilations:
    import jax.monitoring

    found = Compilations()
    jax.monitoring.register_event_duration_secs_listener(found.note)
    return found


@contextlib.contextmanager
def without_compilation_cache() -> Iterator[None]:
    """Neither reads nor writes jax's cache of compiled programs inside the block.

    jax asks once in a process whether there is a cache, and must be made to ask again.
    """
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    before = jax.config.jax_enable_compilation_cache  # type: ignore[attr-defined]
    jax.config.update("jax_enable_compilation_cache", False)
    compilation_cache.reset_cache()
    try:
        yield
    finally:
        jax.config.update("jax_enable_compilation_cache", before)
        compilation_cache.reset_cache()
