"""tuning: the same grid for everybody; widened for all when the best learning rate of one lies on its edge.

The grid is half-decades of the learning rate, times the schedules and weight decays of the comparison. Who has a factor
of around 1 in place of a learning rate has as many points around 1 (`Entrant.rate_scale`). Every entrant runs every
point of it on the same tuning seeds; what counts is the mean of the losses, so a point at which one run
diverges is never chosen while there is another. Whose runs diverge at every point takes the one where the fewest do.

Letters: E entrants, R learning rates, D schedules, W weight decays, S tuning seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from ..judging.evaluators import Device
from .contest import Contest
from .entrants import Entrant
from .settings_of_runs import Axes, Runs, Setting

# Exponent i stands for the learning rate 10^(i/2).
GRID = range(-10, 5)
_WIDENING = 2
_MOST_WIDENINGS = 4

Each = Callable[[Callable[[Any, Device], Any], Sequence[Any]], list[Any]]


class Tuned(NamedTuple):
    """What tuning found."""

    learning_rates: np.ndarray  # [R]
    axes: Axes
    losses: Mapping[str, np.ndarray]  # by label, final losses on "search" splits, [R, D, W, S]
    scales: Mapping[str, float] = MappingProxyType({})  # by label, of the rates; 1 where not named

    def best(self, label: str) -> Setting:
        """Returns the point of the fewest divergences and then the lowest mean loss; of equal ones the lower rate."""
        rate, schedule, decay = self._best(label)
        return Setting(
            float(self.learning_rates[rate] * self.scales.get(label, 1.0)),
            self.axes.schedules[schedule],
            self.axes.weight_decays[decay],
        )

    def _best(self, label: str) -> tuple[int, int, int]:
        losses = self.losses[label]  # [R, D, W, S]
        diverged = np.isinf(losses)
        means = np.where(diverged, 0.0, losses).mean(
            axis=-1
        )  # where equally many diverged, in the order of the rest
        first = np.lexsort((means.reshape(-1), diverged.sum(axis=-1).reshape(-1)))[0]
        rate, schedule, decay = np.unravel_index(first, means.shape)
        return int(rate), int(schedule), int(decay)

    def is_hopeless(self, label: str) -> bool:
        """Tells whether every point has a run that diverged."""
        return not np.isfinite(self.losses[label].mean(axis=-1)).any()

    @property
    def on_edge(self) -> tuple[str, ...]:
        """Entrants whose best rate lies on the grid's edge; none where nothing was tuned."""
        if not self.learning_rates.size:
            return ()
        edges = (0, len(self.learning_rates) - 1)
        return tuple(
            label
            for label in self.losses
            if not self.is_hopeless(label) and self._best(label)[0] in edges
        )

    @property
    def runs_spent(self) -> int:
        """Runs of all entrants together."""
        return sum(losses.size for losses in self.losses.values())


def tune(contest: Contest, field: Sequence[Entrant], each: Each, *, widen: bool = True) -> Tuned:
    """Returns the losses of all entrants over one grid.

    Args:
      contest: the problem and its tuning seeds.
      field: the entrants.
      each: (work, items) -> work(item, device) of each item, in order; such as `Crew.map`.
      widen: whether the grid grows where a best rate lies on its edge.
    """
    exponents, todo = list(GRID), list(GRID)
    found: dict[str, dict[int, np.ndarray]] = {entrant.label: {} for entrant in field}
    for _ in range(_MOST_WIDENINGS + 1):
        for entrant, losses in zip(field, each(_sweep(contest, todo), field), strict=True):
            found[entrant.label].update(zip(todo, losses, strict=True))
        below, above = _beyond(exponents, found) if widen else ([], [])
        todo = [*below, *above]
        if not todo or len(exponents) >= len(GRID) + _MOST_WIDENINGS * _WIDENING:
            break
        exponents = [*below, *exponents, *above]
    losses = {label: np.stack([row[i] for i in exponents]) for label, row in found.items()}
    scales = {entrant.label: entrant.rate_scale for entrant in field}
    return Tuned(rates_of(exponents), contest.axes, losses, scales)


def rates_of(exponents: Sequence[int]) -> np.ndarray:
    """Returns the learning rates of exponents, [R]."""
    return 10.0 ** (np.asarray(exponents) / 2.0)


def _beyond(
    exponents: list[int], found: Mapping[str, dict[int, np.ndarray]]
) -> tuple[list[int], list[int]]:
    """Returns the exponents to add below and above: none where no best rate lies on that edge."""
    best = set()
    for row in found.values():
        lowest = {i: float(losses.mean(axis=-1).min()) for i, losses in row.items()}
        if np.isfinite(list(lowest.values())).any():
            best.add(min(lowest, key=lambda i: (lowest[i], i)))
    first, last = exponents[0], exponents[-1]
    below = list(range(first - _WIDENING, first)) if first in best else []
    above = list(range(last + 1, last + 1 + _WIDENING)) if last in best else []
    return below, above


def _sweep(
    contest: Contest, exponents: Sequence[int]
) -> Callable[[Entrant, Device], Sequence[np.ndarray]]:
    """Returns (entrant, device) -> losses at each exponent, [D, W, S]."""
    axes = contest.axes
    shape = (len(exponents), len(axes.schedules), len(axes.weight_decays), len(contest.tuning))
    grid = np.meshgrid(
        rates_of(exponents),
        np.arange(len(axes.schedules)),
        axes.weight_decays,
        contest.tuning,
        indexing="ij",
    )
    runs = Runs(*(axis.reshape(-1) for axis in grid))

    def sweep(entrant: Entrant, device: Device) -> Sequence[np.ndarray]:
        own = runs._replace(rates=runs.rates * entrant.rate_scale)
        return list(contest.tune(entrant, own, device).reshape(shape))

    return sweep
