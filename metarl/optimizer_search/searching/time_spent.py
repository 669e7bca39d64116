"""time spent: how long a search waits for training, and how long its strategy thinks.

What a strategy costs beside training counts as well when strategies are compared. A session's first generation is left
out, and so is what later ones compile: a strategy compiles as it begins to learn, or as what it learns from grows. None
of it reaches the state of a search or its log, which do not tell of the clock.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Literal

from metarl.runs import compilation_seconds

Part = Literal["whole", "strategy", "training"]


class TimeSpent:
    """Seconds of the generations of this session, but for the first and for compiling.

    Args:
      compiling: seconds of compiling so far, from anywhere. What another thread compiles for the search, as to train
        ahead, counts as compiling of the part that is timed then.
    """

    def __init__(self, compiling: Callable[[], float] = compilation_seconds):
        """Begins before the first generation."""
        self._compiling = compiling
        self._generations = -1  # that were counted; the first is not
        self._seconds: dict[Part, float] = {"whole": 0.0, "strategy": 0.0, "training": 0.0}

    @contextlib.contextmanager
    def generation(self) -> Iterator[None]:
        """Times a generation."""
        with self.part("whole"):
            yield
        self._generations += 1

    @contextlib.contextmanager
    def part(self, name: Part) -> Iterator[None]:
        """Times a part of a generation."""
        began, compiled = time.perf_counter(), self._compiling()
        yield
        took = time.perf_counter() - began - (self._compiling() - compiled)
        if self._generations >= 0:
            self._seconds[name] += max(took, 0.0)

    def to_json(self) -> dict[str, float]:
        """Returns what a generation took of the strategy's time, and which share of the search was not training.

        Returns:
          "strategy_seconds_a_generation" and "share_outside_training"; {} before there are two generations.
        """
        if self._generations < 1:
            return {}
        whole = self._seconds["whole"]
        return {
            "strategy_seconds_a_generation": self._seconds["strategy"] / self._generations,
            "share_outside_training": 1.0 - self._seconds["training"] / whole if whole else 0.0,
        }


def time_text(spent: dict[str, float]) -> str:
    """Returns in words what `TimeSpent.to_json` found."""
    return (
        f"beside training the strategy took {spent['strategy_seconds_a_generation']:.2g} s a generation; "
        f"{spent['share_outside_training']:.1%} of the search was not training"
    )
