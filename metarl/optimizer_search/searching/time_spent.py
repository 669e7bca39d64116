"""time spent: how long a search waits for training, and how long its strategy thinks.

What a strategy costs beside training counts as well when strategies are compared. A session's first generation is left
out, and so is what later ones compile: a strategy compiles as it begins to learn, or as what it learns from grows. None
of it reaches the state of a search or its log, which do not tell of the clock.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Literal, get_args

from metarl.runs import compilation_seconds

Part = Literal["whole", "strategy", "sorting", "training"]


class TimeSpent:
    """Seconds of the generations of this session, but for the first and for compiling.

    Args:
      compiling: seconds of compiling so far, from anywhere. What another thread compiles for the search, as to train
        ahead, counts as compiling of the part that is timed then.
    """

    def __init__(self, compiling: Callable[[], float] = compilation_seconds):
        """Begins before the first generation."""
        self._compiling = compiling
        self._seconds: list[dict[Part, float]] = []
        self._now = _nothing()

    @property
    def generations(self) -> tuple[dict[Part, float], ...]:
        """Seconds of each generation after the first, by part: in all, of the strategy, of sorting, of training."""
        return tuple(self._seconds[1:])

    @contextlib.contextmanager
    def generation(self) -> Iterator[None]:
        """Times a generation."""
        self._now = _nothing()
        with self.part("whole"):
            yield
        self._seconds.append(self._now)

    @contextlib.contextmanager
    def part(self, name: Part) -> Iterator[None]:
        """Times a part of a generation."""
        began, compiled = time.perf_counter(), self._compiling()
        yield
        took = time.perf_counter() - began - (self._compiling() - compiled)
        self._now[name] += max(took, 0.0)

    def to_json(self) -> dict[str, float]:
        """Returns what a generation took of the strategy's time, and which share of the search was not training.

        Returns:
          "strategy_seconds_a_generation" and "share_outside_training"; {} before there are two generations.
        """
        if not self.generations:
            return {}
        whole, strategy, training = (
            sum(seconds[part] for seconds in self.generations)
            for part in ("whole", "strategy", "training")
        )
        return {
            "strategy_seconds_a_generation": strategy / len(self.generations),
            "share_outside_training": 1.0 - training / whole if whole else 0.0,
        }


def _nothing() -> dict[Part, float]:
    return dict.fromkeys(get_args(Part), 0.0)


def time_text(spent: dict[str, float]) -> str:
    """Returns in words what `TimeSpent.to_json` found."""
    return (
        f"beside training the strategy took {spent['strategy_seconds_a_generation']:.2g} s a generation; "
        f"{spent['share_outside_training']:.1%} of the search was not training"
    )
