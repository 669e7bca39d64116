"""A maze from above, for people: walls, start, goal, the way that was gone, and who goes it.

Letters: n cells along one side; T states of an episode so far.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..contract.canvas import BODY, GOAL, GROUND, START, WALL, WAY

SIDE = 240  # pixels of the picture, about
FINE = 8  # points on the way between two states


def draw_map(task: Any, states: Any) -> np.ndarray:
    """Returns the maze from above [about 240, about 240, 3] uint8, x to the right and y upwards.

    Args:
      task: a `Maze`.
      states: a `MazeState` with a leading axis [T]; the last is where the body stands.
    """
    positions = np.asarray(states.position)  # [T, 2]
    heading = float(states.heading[-1])
    return _draw(task, positions, lambda *place: _draw_body(*place, heading=heading))


def draw_dark_map(task: Any, states: Any) -> np.ndarray:
    """Returns a dark maze from above [about 240, about 240, 3] uint8, lit for people.

    Args:
      task: a `DarkMaze`.
      states: a `DarkMazeState` with a leading axis [T]; the last is where one stands.
    """
    size, places = np.asarray(task.walls).shape[-1], np.asarray(states.place)
    positions = np.stack([places % size, places // size], axis=-1) + 0.5  # [T, 2]
    return _draw(task, positions, lambda picture, x, y, at: _disc(picture, x, y, at, 0.2, BODY))


def _draw(task: Any, positions: np.ndarray, draw_body: Callable[..., None]) -> np.ndarray:
    """Returns a maze from above, the way through positions [T, 2], and a body at its end."""
    walls = np.asarray(task.walls)
    size = walls.shape[-1]
    scale = max(SIDE // size, 4)  # pixels a cell
    edge = max(scale // 12, 1)  # pixels a wall
    extent = size * scale + edge
    picture = np.empty((extent, extent, 3), np.uint8)
    picture[:] = GROUND
    places = (np.arange(extent) + 0.5 - edge / 2) / scale  # in cells
    x, y = places[None], places[:, None]
    _disc(picture, x, y, _middle(task.start, size), 0.3, START)
    _disc(picture, x, y, _middle(task.goal, size), 0.3, GOAL)
    _draw_walls(picture, walls, scale, edge)
    _draw_way(picture, positions, scale, edge)
    draw_body(picture, x, y, positions[-1])
    return picture[::-1]


def _middle(cell: Any, size: int) -> np.ndarray:
    return np.array([int(cell) % size, int(cell) // size]) + 0.5


def _disc(
    picture: np.ndarray, x: np.ndarray, y: np.ndarray, at: np.ndarray, radius: float, colour: Any
) -> None:
    picture[(x - at[0]) ** 2 + (y - at[1]) ** 2 < radius**2] = colour


def _draw_walls(picture: np.ndarray, walls: np.ndarray, scale: int, edge: int) -> None:
    for line, cell in np.argwhere(walls[0]) * scale:
        picture[cell : cell + scale + edge, line : line + edge] = WALL
    for line, cell in np.argwhere(walls[1]) * scale:
        picture[line : line + edge, cell : cell + scale + edge] = WALL


def _draw_way(picture: np.ndarray, positions: np.ndarray, scale: int, edge: int) -> None:
    """Draws the way as a row of points, each of some pixels."""
    times = np.linspace(0, len(positions) - 1, (len(positions) - 1) * FINE + 1)
    known = np.arange(len(positions))
    way = np.stack([np.interp(times, known, positions[:, axis]) for axis in (0, 1)])
    columns, rows = np.round(way * scale + edge / 2 - 0.5).astype(int)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            picture[rows + down, columns + right] = WAY


def _draw_body(
    picture: np.ndarray, x: np.ndarray, y: np.ndarray, at: np.ndarray, *, heading: float
) -> None:
    """Draws an arrowhead: a triangle that points where the body looks."""
    ahead = (x - at[0]) * np.cos(heading) + (y - at[1]) * np.sin(heading)
    aside = (y - at[1]) * np.cos(heading) - (x - at[0]) * np.sin(heading)
    picture[(ahead > -0.18) & (ahead + 1.7 * np.abs(aside) < 0.28)] = BODY
