"""A bandit's arms, for people: a bar for each, as high as its mean reward; the best one is green.

Letters: K arms.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..contract.canvas import PALE, START, WALL, WAY, Canvas

WIDTH, HEIGHT, MARGIN = 320, 200, 10  # pixels


def draw_arms(task: Any, states: Any) -> np.ndarray:
    """Returns the arms [200, 320, 3] uint8.

    Means from 0 to 1 fill the height; others are drawn between the least and the greatest, and 0.

    Args:
      task: a `Bandit`.
      states: with a leading axis; of a restless bandit the last one has the means.
    """
    return _draw_bars(np.asarray(states.means[-1] if hasattr(states, "means") else task.means))


def draw_arms_in_context(task: Any, states: Any) -> np.ndarray:
    """Returns the arms' mean rewards in the context that is seen now [200, 320, 3] uint8.

    Args:
      task: a `ContextualBandit`.
      states: `ContextState`s [T]; the last has the context.
    """
    return _draw_bars(np.asarray(task.weights) @ np.asarray(states.context)[-1])


def _draw_bars(means: np.ndarray) -> np.ndarray:
    """Returns a bar for each mean [K]."""
    low, high = min(float(means.min()), 0.0), max(float(means.max()), 0.0)
    if low == 0 and high <= 1:
        high = 1.0
    canvas, unit = Canvas(WIDTH, HEIGHT), (HEIGHT - 2 * MARGIN) / (high - low)
    ground = MARGIN - low * unit  # where a mean of 0 is
    width = (WIDTH - 2 * MARGIN) / len(means)
    for arm, mean in enumerate(means):
        left, right = MARGIN + (arm + 0.1) * width, MARGIN + (arm + 0.9) * width
        right = max(right, left + 1)
        canvas.rectangle((left, MARGIN), (right, HEIGHT - MARGIN), PALE)
        ends = sorted((ground, ground + mean * unit))
        canvas.rectangle((left, ends[0]), (right, ends[1]), START if arm == means.argmax() else WAY)
    canvas.line((MARGIN, ground), (WIDTH - MARGIN, ground), WALL)
    return canvas.picture()
