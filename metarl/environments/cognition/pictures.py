"""The two-step task, Harlow's and the memory and planning game, for people.

Letters: B bits of an object; D cells along one side; T states of an episode so far.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from ..contract.canvas import BODY, GOAL, PALE, START, WALL, WAY, Canvas

SIDE = 240  # pixels
AT = np.array([[120, 200], [60, 120], [180, 120]])  # the first stage, and the states of the second
ACTIONS = np.array([[60, 170], [180, 170]])


def draw_two_step(task: Any, states: Any) -> np.ndarray:
    """Returns the two stages [240, 240, 3] uint8: the better state green, the last way blue.

    Thick lines are common transitions, thin ones rare. Below is a stroke for each round: high if the
    second state was that on the right, green if it was the better one then.

    Args:
      task: a `TwoStepTask`.
      states: `TwoStepState`s [T]; the last is where one is.
    """
    canvas = Canvas(SIDE, SIDE)
    places, better = np.asarray(states.place), np.asarray(states.better)  # [T]
    for action in (0, 1):
        commonly = 1 + (action ^ int(task.swapped))
        canvas.line(AT[0], ACTIONS[action], PALE, thickness=2)
        canvas.line(ACTIONS[action], AT[commonly], PALE, thickness=6)
        canvas.line(ACTIONS[action], AT[3 - commonly], PALE)
        canvas.disc(ACTIONS[action], 8, PALE)
    if places[-1]:
        canvas.line(AT[0], AT[places[-1]], WAY, thickness=3)
    for place in range(3):
        canvas.disc(AT[place], 22, WALL)
        canvas.disc(AT[place], 20, START if place == better[-1] else np.full(3, 255, np.uint8))
    canvas.disc(AT[places[-1]], 12, BODY)
    rounds = np.flatnonzero(places)  # of the episode so far
    shown = rounds[-45:]
    for column, time in enumerate(shown):
        left, high = 8 + 5 * column, places[time] == 2
        colour = START if places[time] == better[time] else GOAL
        canvas.rectangle((left, 50 if high else 20), (left + 4, 72 if high else 42), colour)
    return canvas.picture()


def draw_objects(task: Any, states: Any) -> np.ndarray:
    """Returns the two objects as they stand now [120, 240, 3] uint8; that which pays in a green frame.

    A code is drawn as tiles, row by row from the lower left, its ones dark.

    Args:
      task: a `HarlowTask`.
      states: `HarlowState`s [T].
    """
    canvas, side = Canvas(SIDE, SIDE // 2), int(np.asarray(states.side)[-1])
    for paying, code in ((True, task.paying), (False, task.other)):
        left = 120 * (side if paying else 1 - side)
        canvas.rectangle((left + 6, 6), (left + 114, 114), START if paying else WALL)
        canvas.rectangle((left + 10, 10), (left + 110, 110), np.full(3, 255, np.uint8))
        _tiles(canvas, np.asarray(code) > 0, np.array([left + 12, 12]), 96, BODY)
    return canvas.picture()


def draw_map(size: int, task: Any, states: Any) -> np.ndarray:
    """Returns the map [about 240, about 240, 3] uint8: the goal red, the way blue, and where one is.

    A symbol is drawn as tiles, the bits of its number row by row from the lower left. A step over an edge
    of the torus draws no way.

    Args:
      size: D.
      task: a `MemoryPlanningTask`.
      states: `MemoryPlanningState`s [T]; the last is where one is.
    """
    cell = max(SIDE // size, 4)
    canvas = Canvas(size * cell + 1, size * cell + 1)
    corners = cell * np.stack([np.arange(size**2) % size, np.arange(size**2) // size], axis=-1)
    goal, places = int(np.asarray(states.goal)[-1]), np.asarray(states.place)
    canvas.rectangle(corners[goal] + 2, corners[goal] + cell - 1, GOAL)
    numbers = np.arange(int(size**2 - 1).bit_length())
    for corner, symbol in zip(corners, np.asarray(task.symbols), strict=True):
        bits = (int(symbol) >> numbers) & 1 > 0
        _tiles(canvas, bits, corner + 0.25 * cell, cell / 2, WALL)
    for index in range(size + 1):
        canvas.line((index * cell, 0), (index * cell, size * cell), PALE)
        canvas.line((0, index * cell), (size * cell, index * cell), PALE)
    middles = corners[places] + cell / 2
    for before, after in pairwise(middles):
        if np.abs(after - before).max() <= cell:
            canvas.line(before, after, WAY, thickness=3)
    canvas.disc(middles[-1], 0.15 * cell, BODY)
    return canvas.picture()


def _tiles(
    canvas: Canvas, bits: np.ndarray, corner: np.ndarray, side: float, colour: np.ndarray
) -> None:
    """Draws bits as tiles of a square, its lower left corner given."""
    along = int(np.ceil(np.sqrt(len(bits))))
    tile = side / along
    for index in np.flatnonzero(bits):
        low = corner + tile * np.array([index % along, index // along])
        canvas.rectangle(low, low + tile, colour)
