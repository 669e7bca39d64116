"""Choosing an agent's settings on validation tasks."""

from __future__ import annotations

import numpy as np

from metarl.environments import Trial, play_split

from .making import grid, make
from .table import world_of


def tune(text: str, trial: Trial, preset: str = "matched", tasks: int = 1000, seed: int = 0) -> str:
    """Returns the best text of a grid, by mean return over validation tasks.

    All members of the grid meet the same tasks with the same luck, and share one compiled program
    as far as their settings are traced.

    Args:
      text: an agent's name; settings given with it are fixed.
      trial: the environment and the budget.
      preset: whose grid, "paper" or "matched".
      tasks: how many of the validation split.
      seed: of tasks and luck.

    Raises:
      InvalidInput: see `make`.
    """
    texts = grid(text, world_of(trial.environment), preset)
    if len(texts) == 1:
        return texts[0]
    return texts[int(np.argmax([mean_return(member, trial, tasks, seed) for member in texts]))]


def mean_return(text: str, trial: Trial, tasks: int, seed: int) -> float:
    """Returns the mean return of a whole trial over validation tasks."""
    played = play_split(make(text, trial), trial, seed, tasks, "validation")
    return float(np.mean(played.totals))
