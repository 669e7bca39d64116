"""MDPs and grids, for people: the states, what leads where, the way that was gone, and where one is.

Letters: S states; A actions; D cells along one side; T states of an episode so far.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from ..contract.canvas import BODY, GOAL, PALE, START, WALL, WAY, Canvas

SIDE = 240  # pixels of a picture, about


def draw_graph(task: Any, states: Any) -> np.ndarray:
    """Returns an MDP as a graph [240, 240, 3] uint8.

    The states stand on a circle, the first on the right. A line joins each state with the likeliest
    next state of each action; the greener a state, the greater the mean reward of its best action.

    Args:
      task: a `TabularMDP`.
      states: `MDPState`s [T]; the last is where one is.
    """
    canvas = Canvas(SIDE, SIDE)
    rewards = np.asarray(task.mean_rewards).max(axis=-1)  # [S]
    likeliest = np.asarray(task.transitions).argmax(axis=-1)  # [S, A]
    count, places = len(rewards), np.asarray(states.place)  # [T]
    angles = 2 * np.pi * np.arange(count) / count
    at = SIDE / 2 + 0.42 * SIDE * np.stack([np.cos(angles), np.sin(angles)], axis=-1)  # [S, 2]
    for state, following in {(s, int(t)) for s in range(count) for t in likeliest[s] if s != t}:
        canvas.line(at[state], at[following], PALE)
    for before, after in pairwise(places[-8:]):  # the last steps alone, or all is one tangle
        canvas.line(at[before], at[after], WAY, thickness=2)
    radius = max(3.0, min(12.0, 0.3 * math.tau * 0.42 * SIDE / count))
    share = (rewards - rewards.min()) / (np.ptp(rewards) or 1.0)  # [S]
    for state in range(count):
        canvas.disc(at[state], radius, WALL)
        colour = (255 + share[state] * (START.astype(float) - 255)).astype(np.uint8)
        canvas.disc(at[state], radius - 1, colour)
    canvas.disc(at[places[-1]], 0.6 * radius, BODY)
    return canvas.picture()


def draw_grid(size: int, task: Any, states: Any) -> np.ndarray:
    """Returns a grid from above [about 240, about 240, 3] uint8: start green, goal red, the way blue.

    Args:
      size: D.
      task: a `GridTask`.
      states: `GridState`s [T]; the last is where one is.
    """
    return _draw_cells(size, ((task.start, START), (task.goal, GOAL)), states.place)


def draw_dark_room(size: int, task: Any, states: Any) -> np.ndarray:
    """Returns a dark room, lit [about 240, about 240, 3] uint8: goal or door red, key green, the way blue.

    Args:
      size: D.
      task: a `DarkRoomTask`.
      states: `DarkRoomState`s [T]; the last is where one is.
    """
    colours = (START, GOAL)[-len(task.targets) :]
    return _draw_cells(size, tuple(zip(task.targets, colours, strict=True)), states.place)


def draw_rooms(size: int, task: Any, states: Any) -> np.ndarray:
    """Returns three rooms side by side: key green until it is taken, door red, the way blue.

    Args:
      size: D.
      task: a `KeyToDoorTask`.
      states: `KeyToDoorState`s [T]; the last is where one is.
    """
    rooms, places = np.asarray(states.room), np.asarray(states.place)
    held = bool(np.asarray(states.has_key)[-1])
    marks = ((() if held else ((task.key, START),)), (), ((task.door, GOAL),))
    drawn = [
        _draw_cells(size, marks[room], places[rooms == room], room == rooms[-1])
        for room in range(3)
    ]
    wall = np.full((len(drawn[0]), 6, 3), WALL, np.uint8)
    return np.concatenate([drawn[0], wall, drawn[1], wall, drawn[2]], axis=1)


def _draw_cells(
    size: int, marks: tuple[tuple[Any, np.ndarray], ...], places: Any, is_here: bool = True
) -> np.ndarray:
    """Returns a grid with cells marked, the way through `places` [T], and one who is at its end, if here."""
    cell = max(SIDE // size, 4)  # pixels
    canvas = Canvas(size * cell + 1, size * cell + 1)
    for index in range(size + 1):
        canvas.line((index * cell, 0), (index * cell, size * cell), PALE)
        canvas.line((0, index * cell), (size * cell, index * cell), PALE)
    for place, colour in marks:
        canvas.rectangle(
            _corner(place, size, cell) + 2, _corner(place, size, cell) + cell - 1, colour
        )
    middles = [_corner(place, size, cell) + cell / 2 for place in np.asarray(places)]
    for before, after in pairwise(middles):
        canvas.line(before, after, WAY, thickness=3)
    if is_here:
        canvas.disc(middles[-1], 0.3 * cell, BODY)
    return canvas.picture()


def _corner(place: Any, size: int, cell: int) -> np.ndarray:
    return np.array([int(place) % size, int(place) // size]) * cell
