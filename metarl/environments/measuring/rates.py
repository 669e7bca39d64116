"""How often a compiled program gets something done in a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax

SECONDS = 2.0  # of a round


def per_second(program: Callable[[], Any], count: int) -> float:
    """Returns how many a second, over some two seconds; the program makes `count` of them."""
    done, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < SECONDS:
        jax.block_until_ready(program())
        done += count
    return done / passed
