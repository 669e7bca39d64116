"""How often a compiled program gets something done in a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax

SECONDS = 2.0  # of a round


def per_second(program: Callable[[], Any], count: int) -> float:
    """Returns how many a second, over some two seconds; the program makes `count` of them."""
    return rates_of(program, count)[0]


def rates_of(program: Callable[[], Any], count: int) -> tuple[float, float]:
    """Returns how many a second, and how many a second of processor time, over some two seconds.

    The second is that of all threads of this process. With one thread on a CPU other work of the machine changes
    it little; of what an accelerator does it says nothing.
    """
    done, began, busy = 0, time.perf_counter(), time.process_time()
    while (passed := time.perf_counter() - began) < SECONDS:
        jax.block_until_ready(program())
        done += count
    return done / passed, done / (time.process_time() - busy)
