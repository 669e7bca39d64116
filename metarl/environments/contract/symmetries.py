"""Symmetries of what an agent sees and does: another picture of the same world, by numbers that change places.

A symmetry moves the numbers of an observation's features and the actions. A world has it if what is seen
says all that matters of the task: where the goal is not shown, the picture turned round is another task, not
the same one. The eight rotations and reflections of a square are made by `square_symmetries`.

Letters: G symmetries, the identity first; F features of an observation; A actions.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Symmetries(NamedTuple):
    """A group of symmetries, as permutations."""

    features: np.ndarray  # [G, F] where each number of the features goes
    actions: np.ndarray  # [G, A] what each action becomes

    @classmethod
    def none(cls, features: int, actions: int) -> Symmetries:
        """Returns the group of the identity alone."""
        return cls(np.arange(features)[None], np.arange(actions)[None])

    @property
    def products(self) -> np.ndarray:
        """The number of g h, first h and then g, [G, G]."""
        both = np.concatenate([self.features, self.features.shape[1] + self.actions], axis=1)
        number = {row.tobytes(): place for place, row in enumerate(both)}
        return np.array([[number[g[h].tobytes()] for h in both] for g in both])


def square_symmetries(
    sizes: Sequence[int], points: Sequence[tuple[int, int]], side: int, moves: np.ndarray
) -> Symmetries:
    """Returns the eight symmetries of a square of cells, of observations that are `MultiDiscrete`.

    Args:
      sizes: how many values each number of an observation has.
      points: which two numbers are column and row of a point; the others stay what they are.
      side: cells along one side; larger values of a column or row, which mean nowhere, stay too.
      moves: column and row that each action adds, [A, 2].
    """
    first = np.cumsum([0, *sizes])
    features, actions = [], []
    for swap, *flips in itertools.product((False, True), repeat=3):
        moved = np.arange(first[-1])
        for point in points:
            for axis, number in enumerate(point):
                after = 1 - axis if swap else axis
                values = np.arange(sizes[number])
                flipped = np.where(values < side, side - 1 - values, values)
                values = flipped if flips[after] else values
                moved[first[number] : first[number + 1]] = first[point[after]] + values
        features.append(moved)
        turned = (moves[:, ::-1] if swap else moves) * np.where(flips, -1, 1)
        actions.append((turned[:, None] == moves[None]).all(axis=-1).argmax(axis=1))
    return Symmetries(np.array(features), np.array(actions))
