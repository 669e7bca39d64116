"""Cart-pole, pendulum and point robot, for people: lengths are to scale, a pole is as long as its task has it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from ..contract.canvas import BODY, GOAL, PALE, WALL, WAY, Canvas

CART_WIDTH, CART_HEIGHT, TRACK = 320, 200, 50  # pixels; the height of the track
PENDULUM_SIDE = 240  # pixels


def draw_cart(farthest: float, task: Any, states: Any) -> np.ndarray:
    """Returns cart and pole [200, 320, 3] uint8; beyond the red marks the episode is over.

    Args:
      farthest: m, where the marks are.
      task: a `CartPole`.
      states: `CartPoleState`s with a leading axis; the last is drawn.
    """
    canvas, scale = (
        Canvas(CART_WIDTH, CART_HEIGHT),
        CART_WIDTH / (2 * farthest + 1),
    )  # pixels a metre
    middle = CART_WIDTH / 2
    canvas.line((0, TRACK), (CART_WIDTH, TRACK), PALE, thickness=2)
    for side in (-1, 1):
        mark = middle + side * farthest * scale
        canvas.line((mark, TRACK - 12), (mark, TRACK + 12), GOAL, thickness=2)
    hinge = np.array([middle + float(states.position[-1]) * scale, TRACK + 8.0])
    canvas.rectangle(hinge - np.array([20, 8]), hinge + np.array([20, 8]), WALL)
    angle, length = float(states.angle[-1]), 2 * float(task.half_length) * scale
    tip = hinge + length * np.array([np.sin(angle), np.cos(angle)])
    canvas.line(hinge, tip, BODY, thickness=5)
    canvas.disc(hinge, 4, WAY)
    return canvas.picture()


def draw_pendulum(task: Any, states: Any) -> np.ndarray:
    """Returns the pendulum [240, 240, 3] uint8; its goal is straight up.

    Args:
      task: a `Pendulum`.
      states: `PendulumState`s with a leading axis; the last is drawn.
    """
    canvas, hinge = Canvas(PENDULUM_SIDE, PENDULUM_SIDE), np.full(2, PENDULUM_SIDE / 2)
    metre = 0.2 * PENDULUM_SIDE  # so that one of twice the usual length is seen
    angle, length = float(states.angle[-1]), float(task.length) * metre
    canvas.line(hinge, hinge + np.array([0, length]), PALE, thickness=2)
    tip = hinge + length * np.array([-np.sin(angle), np.cos(angle)])  # it turns to the left
    canvas.line(hinge, tip, BODY, thickness=5)
    canvas.disc(tip, 6 * float(task.mass) ** (1 / 3), WALL)
    canvas.disc(hinge, 4, WAY)
    return canvas.picture()


def draw_point(task: Any, states: Any) -> np.ndarray:
    """Returns the plane from above [240, 240, 3] uint8, 2.4 wide: goal red, origin and way blue.

    Args:
      task: a `PointRobotTask`.
      states: `PointRobotState`s [T]; the last is where one is.
    """
    side = 240
    canvas, scale = Canvas(side, side), side / 2.4

    def at(place: Any) -> np.ndarray:
        return side / 2 + scale * np.asarray(place, float)

    canvas.line((0, side / 2), (side, side / 2), PALE)
    canvas.line((side / 2, 0), (side / 2, side), PALE)
    canvas.disc(at(task.goal), 6, GOAL)
    places = np.asarray(states.place)  # [T, 2]
    for before, after in pairwise(places):
        canvas.line(at(before), at(after), WAY, thickness=2)
    canvas.disc(at(places[-1]), 5, BODY)
    return canvas.picture()
