"""Grids of rules, for people: the grid with its objects, who walks in it, and the rules beside it.

Letters: D cells along one side; O objects; K hands; T states of an episode so far.
"""

from __future__ import annotations

import colorsys
from typing import Any

import numpy as np

from ..contract.canvas import BODY, GOAL, PALE, WALL, Canvas

SIDE = 240  # pixels of the grid, about
TILE, GAP = 16, 6  # pixels of a thing in a rule


def draw_rules(size: int, task: Any, states: Any) -> np.ndarray:
    """Returns the grid and, on its right, the rules [about 240, about 340, 3] uint8.

    Objects are squares, products discs, each of a colour; the goal is the large red disc. On the blue body
    lies what the hand holds. A row on the right is a rule: hand, object, what they make.

    Args:
      size: D.
      task: a `RuleTask`.
      states: `RuleState`s [T]; the last is where one is.
    """
    cell = max(SIDE // size, 4)
    side, rules = size * cell + 1, rules_of(task)
    height = max(side, len(rules) * (TILE + GAP) + GAP)
    canvas = Canvas(side + 5 * TILE + 4 * GAP, height)
    for index in range(size + 1):
        canvas.line((index * cell, 0), (index * cell, size * cell), PALE)
        canvas.line((0, index * cell), (size * cell, index * cell), PALE)
    hands, objects = np.shape(task.makes)
    place, hand, cells = (
        np.asarray(part)[-1] for part in (states.place, states.hand, states.objects)
    )

    def thing(kind: int, middle: np.ndarray, half: float) -> None:
        colour = colour_of(kind, hands)
        if 0 < kind <= objects:
            canvas.rectangle(middle - half, middle + half, colour)
        else:
            canvas.disc(middle, half, colour)

    for number, where in enumerate(cells):
        thing(1 + number, _middle(where, size, cell), 0.42 * cell)
    canvas.disc(_middle(place, size, cell), 0.3 * cell, WALL)
    canvas.disc(_middle(place, size, cell), 0.27 * cell, BODY)
    if hand:
        thing(int(hand), _middle(place, size, cell), 0.13 * cell)
    for row, rule in enumerate(rules):
        y = height - GAP - TILE / 2 - row * (TILE + GAP)
        for column, kind in enumerate(rule):
            x = side + GAP + TILE / 2 + (column + 0.5 * (column == 2)) * (TILE + GAP)
            thing(kind, np.array([x, y]), TILE / 2 * (1.3 if kind < 0 else 1.0))
    return canvas.picture()


def rules_of(task: Any) -> list[tuple[int, int, int]]:
    """Returns the rules of a task: hand, object as a hand would hold it, and what they make; pairs once."""
    makes = np.asarray(task.makes)  # [K, O]
    objects = makes.shape[1]
    return [
        (int(hand), 1 + int(other), int(makes[hand, other]))
        for hand, other in np.argwhere(makes != 0)
        if hand > objects or 0 < hand <= other
    ]


def colour_of(kind: int, hands: int) -> np.ndarray:
    """Returns the colour of what a hand may hold, 1 to K - 1, or of the goal, -1."""
    if kind < 0:
        return GOAL
    hue = 0.1 + 0.8 * (kind - 1) / max(hands - 1, 1)  # red is the goal's
    parts = colorsys.hsv_to_rgb(hue, 0.65, 0.85)
    return np.array([round(255 * part) for part in parts], np.uint8)


def _middle(place: Any, size: int, cell: int) -> np.ndarray:
    return (np.array([int(place) % size, int(place) // size]) + 0.5) * cell
