"""The state of a training between two chunks, and how it goes to the disk and comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from metarl.runs import flatten_tree, restore_tree

Params = Any


class TrainProgress(NamedTuple):
    """Where a training stands; numbers on the host."""

    imitation: int = 0  # updates done
    reinforcement: int = 0
    env_steps: int = 0
    tried_at: int = -1  # environment steps at the last trial on validation tasks
    best_score: float = float("-inf")
    best_at: int = 0
    without_best: int = 0  # trials on validation tasks since


@dataclass(frozen=True)
class TrainState:
    """A training between two chunks."""

    learner: Any  # of the phase, with a leading axis of seeds if there are several
    best: Params  # of the acting policy
    progress: TrainProgress


def saved(state: TrainState) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Returns the whole state, as arrays and JSON."""
    arrays = flatten_tree({"learner": state.learner, "best": state.best})
    progress = state.progress._asdict()
    if progress["best_score"] == float("-inf"):
        progress["best_score"] = None
    return arrays, progress


def loaded_progress(meta: Mapping[str, Any]) -> TrainProgress:
    """Returns the progress that `saved` has made JSON of."""
    score = meta["best_score"]
    return TrainProgress(**{**meta, "best_score": float("-inf") if score is None else score})


def loaded(
    learner: Any, best: Params, progress: TrainProgress, arrays: Mapping[str, np.ndarray]
) -> TrainState:
    """Returns the state that `saved` has made arrays of.

    Args:
      learner: its shapes and types.
      best: likewise.
      progress: of that state.
      arrays: as `saved` gave them.
    """
    tree = restore_tree({"learner": learner, "best": best}, arrays)
    return TrainState(tree["learner"], tree["best"], progress)
