"""Tasks that can be counted, dealt out to the splits once and for all."""

from __future__ import annotations

import numpy as np

from .environment import Split

OF_TWENTY: dict[Split, tuple[int, int]] = {
    "train": (0, 14),
    "validation": (14, 17),
    "test": (17, 20),
}
"""Of twenty in a row, those from the first number to below the second; where tasks are too many for a list."""


def deal_out(tasks: np.ndarray) -> dict[Split, np.ndarray]:
    """Returns the tasks of each split: 70 % to train, 15 % to validation, 15 % to test.

    Args:
      tasks: [N, ...], different ones, at least three of them.
    """
    # numpy promises RandomState's numbers for all versions: who holds which task never changes.
    shuffled = np.random.RandomState(0).permutation(tasks)
    held_out = max(1, len(shuffled) * 15 // 100)
    validation, test, train = np.split(shuffled, [held_out, 2 * held_out])
    return {"train": train, "validation": validation, "test": test}
