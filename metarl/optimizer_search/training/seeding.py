"""seeding: which replicate seeds each stage of an experiment uses.

Searching, choosing, tuning and reporting never share a seed, so nothing is reported on the starts and splits
that it was selected on. Paired comparisons use the same seeds for every competitor.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

Stage = Literal[
    "search", "choice", "tuning", "report", "funnel", "simplification", "meta-overfitting"
]

_STAGES: dict[Stage, int] = {
    "search": 0,
    "choice": 1,
    "tuning": 2,
    "report": 3,
    "funnel": 4,
    "simplification": 5,
    "meta-overfitting": 6,
}


def replicate_seeds(root: int, stage: Stage, count: int) -> list[int]:
    """Returns `count` seeds of a stage, in [0, 2^29).

    Stages never share a seed; a longer list begins like a shorter one.
    """
    words = np.random.SeedSequence([root, _STAGES[stage]]).generate_state(2 * count + 16)
    distinct = dict.fromkeys(int(word) >> 6 for word in words)
    block, place = divmod(_STAGES[stage], 4)  # four stages share a block of 2^28 numbers
    return [(block << 28) + seed * 4 + place for seed in list(distinct)[:count]]
