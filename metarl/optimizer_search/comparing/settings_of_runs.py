"""settings of runs: what an entrant runs with, what everybody may choose from, and what runs give.

Letters: J runs or settings, C points of a run, K settings, S replicates, Q tuning seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..training.schedules import CONSTANT


class Setting(NamedTuple):
    """What an entrant runs with."""

    learning_rate: float
    schedule: str = CONSTANT
    weight_decay: float = 0.0
    extra: int = 0  # place among the entrant's extra settings, from 1; 0: none of them


class Axes(NamedTuple):
    """What everybody may choose beside the learning rate."""

    schedules: tuple[str, ...] = (CONSTANT,)
    weight_decays: tuple[float, ...] = (0.0,)
    extra_points: int = 0  # how many of their extra settings entrants try

    def first(self, learning_rate: float) -> Setting:
        """Returns the setting of a learning rate where nothing else was chosen."""
        return Setting(learning_rate, self.schedules[0], self.weight_decays[0])


PLAIN = Axes()


class Runs(NamedTuple):
    """Runs of one entrant: its settings and a replicate each."""

    rates: Any  # [J]
    schedules: Any  # [J], places among the axes' schedules
    weight_decays: Any  # [J]
    extras: Any  # [J], places among the entrant's extra settings
    replicates: Any  # [J]


def runs_of(setting: Setting, axes: Axes, replicates: np.ndarray) -> Runs:
    """Returns runs at one setting, one on each replicate.

    Args:
      setting: its schedule is one of the axes'.
      axes: of the contest that will run them.
      replicates: [J].
    """
    return runs_at([setting], axes, replicates)


def runs_at(settings: Sequence[Setting], axes: Axes, replicates: np.ndarray) -> Runs:
    """Returns runs at several settings, each on every replicate: those of the first setting, of the second ...

    Args:
      settings: [K]; their schedules are among the axes'.
      axes: of the contest that will run them.
      replicates: [S]; there are K S runs.
    """
    columns = [
        (s.learning_rate, axes.schedules.index(s.schedule), s.weight_decay, s.extra)
        for s in settings
    ]
    rates, schedules, decays, extras = (
        np.repeat(np.array(column), len(replicates)) for column in zip(*columns, strict=True)
    )
    return Runs(rates, schedules, decays, extras, np.tile(replicates, len(settings)))


class Points(NamedTuple):
    """What an entrant tried in tuning."""

    settings: tuple[Setting, ...]  # [J]
    losses: np.ndarray  # final losses on "search" splits, [J, Q]


class Curves(NamedTuple):
    """Held-out loss and metric at the points of each run; loss +inf once diverged, metric NaN if there is none."""

    losses: np.ndarray  # [J, C]
    metrics: np.ndarray  # [J, C]
