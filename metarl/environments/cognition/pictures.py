"""The two-step task and Harlow's, for people.

Letters: B bits of an object; T states of an episode so far.
"""

from __future__ import annotations

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
        bits = np.asarray(code) > 0  # [B]
        along = int(np.ceil(np.sqrt(len(bits))))
        tile = 96 / along
        for index in np.flatnonzero(bits):
            corner = np.array([left + 12, 12]) + tile * np.array([index % along, index // along])
            canvas.rectangle(corner, corner + tile, BODY)
    return canvas.picture()
