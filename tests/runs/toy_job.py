"""A job small enough to be killed: a random walk that keeps an archive, which grows.

As a program it drives the job in a run directory, for tests that need a process of its own:

    python toy_job.py RUN_DIR PAUSE CHECKPOINT_SECONDS
"""

from __future__ import annotations

import sys
import time
from typing import NamedTuple

import numpy as np

from metarl.runs import PlainProgress, RunDirectory, drive


class Walk(NamedTuple):
    generation: int
    position: int
    place: np.ndarray  # [2]
    archive: np.ndarray  # [position]


class ToyJob:
    """Moves on by three in each generation, except in every fourth, which gets nowhere."""

    def __init__(self, budget: int | None = 90, pause: float = 0.0, on_update=lambda: None):
        self.budget, self.pause, self.on_update = budget, pause, on_update

    def init(self) -> Walk:
        return Walk(0, 0, np.zeros(2), np.zeros(0, np.float32))

    def update(self, state: Walk):
        time.sleep(self.pause)
        self.on_update()
        random = np.random.default_rng(state.generation)
        gained = 0 if state.generation % 4 == 3 else 3
        archive = np.append(state.archive, random.random(gained, np.float32))
        place = np.sin(3 * state.place) + random.normal(size=2)
        walk = Walk(state.generation + 1, state.position + gained, place, archive)
        return walk, {"x": place[0], "best": archive.max(initial=-np.inf)}

    def finished(self, state: Walk) -> bool:
        return self.budget is not None and state.position >= self.budget

    def position(self, state: Walk):
        return state.position, self.budget

    def save(self, state: Walk):
        return {"place": state.place, "archive": state.archive}, [state.generation, state.position]

    def load(self, arrays, meta) -> Walk:
        generation, position = meta
        return Walk(generation, position, arrays["place"], arrays["archive"])


if __name__ == "__main__":
    directory, pause, checkpoint_seconds = sys.argv[1:]
    run = RunDirectory.open(directory)
    drive(
        ToyJob(pause=float(pause)),
        run,
        PlainProgress(seconds=0.0),
        checkpoint_seconds=float(checkpoint_seconds),
        unit="steps",
    )
