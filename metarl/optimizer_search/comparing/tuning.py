"""tuning: the same points for everybody, ever finer around the best learning rate.

    half-decades     fifteen learning rates, times the schedules and weight decays of the comparison; widened for all
                     when the best learning rate of one lies on the edge; on half of the tuning seeds
    finer points     at the best schedule and weight decay, the half-decades beside the best learning rate and the
                     quarters between, then the eighths of a decade beside the best of those; on all tuning seeds
    extra points     each of an entrant's extra settings (extras.py) at the best of these rates and a quarter of a
                     decade beside it; who has fewer settings tries sixteenths of a decade, as many runs

Everybody tries as many points. What counts is the mean of the losses, so a point at which one run diverges is never
chosen while there is another. Whose runs diverge at every point takes the one where the fewest do. Who has a factor of
around 1 in place of a learning rate has points around 1 (`Entrant.rate_scale`).

Letters: E entrants, R learning rates, D schedules, W weight decays, J finer points, S tuning seeds, Q all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from ..judging.evaluators import Device
from ..settings.compare_config import CompareConfig
from ..training.seeding import replicate_seeds
from .contest import Contest
from .entrants import Entrant
from .settings_of_runs import Axes, Points, Setting, runs_at
from .tuning_noise import likely_choices, lowest

# Exponent i stands for the learning rate 10^(i/2).
GRID = range(-10, 5)
_WIDENING = 2
_MOST_WIDENINGS = 4
# Decades from the best point so far, one stage after the other.
_FINER = ((-0.5, -0.25, 0.0, 0.25, 0.5), (-0.125, 0.125))
_EXTRA = (-0.25, 0.0, 0.25)
FINER_POINTS = sum(map(len, _FINER))

Each = Callable[[Callable[[Any, Device], Any], Sequence[Any]], list[Any]]


class Tuned(NamedTuple):
    """What tuning found."""

    learning_rates: np.ndarray  # [R]
    axes: Axes
    losses: Mapping[str, np.ndarray]  # by label, final losses on "search" splits, [R, D, W, S]
    scales: Mapping[str, float] = MappingProxyType({})  # by label, of the rates; 1 where not named
    finer: Mapping[str, Points] = MappingProxyType(
        {}
    )  # by label; of nobody where there was one stage

    def best(self, label: str) -> Setting:
        """Returns the point of the fewest divergences and then the lowest mean loss; of equal ones the lower rate."""
        if label in self.finer:
            found = self.finer[label]
            return found.settings[int(lowest(found.losses))]
        rate, schedule, decay = self._best(label)
        return Setting(
            float(self.learning_rates[rate] * self.scales.get(label, 1.0)),
            self.axes.schedules[schedule],
            self.axes.weight_decays[decay],
        )

    def _best(self, label: str) -> tuple[int, int, int]:
        losses = self.losses[label]  # [R, D, W, S]
        first = lowest(losses.reshape(-1, losses.shape[-1]))
        rate, schedule, decay = np.unravel_index(first, losses.shape[:-1])
        return int(rate), int(schedule), int(decay)

    def likely(self, label: str) -> Points:
        """Returns the points that the report runs: the chosen one, and others that it may have been."""
        if label not in self.finer:
            return Points((self.best(label),), np.zeros((1, 0)))
        found = self.finer[label]
        places = likely_choices(found.losses)
        return Points(tuple(found.settings[i] for i in places), found.losses[places])

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
        grids = [*self.losses.values(), *(found.losses for found in self.finer.values())]
        return sum(losses.size for losses in grids)


def tune(contest: Contest, field: Sequence[Entrant], each: Each) -> Tuned:
    """Returns the losses of all entrants over one grid, and at finer points around the best of each.

    Args:
      contest: the problem and its tuning seeds.
      field: the entrants.
      each: (work, items) -> work(item, device) of each item, in order; such as `Crew.map`.
    """
    first = (len(contest.tuning) + 1) // 2
    tuned = sweep(contest, field, each, seeds=first)

    def refine(entrant: Entrant, device: Device) -> Points:
        found = Points((), np.zeros((0, len(contest.tuning))))
        centre = tuned.best(entrant.label)
        for decades in _FINER:
            rates = [centre.learning_rate * 10.0**d for d in decades]
            settings = tuple(centre._replace(learning_rate=rate) for rate in rates)
            losses = _losses_at(contest, entrant, settings, device)
            found = Points((*found.settings, *settings), np.concatenate([found.losses, losses]))
            centre = found.settings[int(lowest(found.losses))]
        settings = tuple(_extra_points(entrant, centre, contest.axes.extra_points))
        if settings:
            losses = _losses_at(contest, entrant, settings, device)
            found = Points((*found.settings, *settings), np.concatenate([found.losses, losses]))
        return _by_rate(found)

    finer = dict(zip(tuned.losses, each(refine, field), strict=True))
    return tuned._replace(finer=finer)


def finer_points(extra_points: int) -> int:
    """Returns J, how many points everybody tries on all tuning seeds."""
    return FINER_POINTS + extra_points * len(_EXTRA)


def _extra_points(entrant: Entrant, centre: Setting, count: int) -> list[Setting]:
    """Returns `count` extra settings at three rates each, or as many more rates for those that it has not."""
    known = min(count, len(entrant.extras.tried))
    points = [(place, decades) for place in range(1, known + 1) for decades in _EXTRA]
    missing = (count - known) * len(_EXTRA)
    sixteenths = [sign * (2 * step + 1) / 16 for step in range(missing) for sign in (-1, 1)]
    points += [(0, decades) for decades in sixteenths[:missing]]
    return [
        centre._replace(learning_rate=centre.learning_rate * 10.0**decades, extra=place)
        for place, decades in points
    ]


def _by_rate(found: Points) -> Points:
    order = sorted(range(len(found.settings)), key=lambda place: found.settings[place])
    return Points(tuple(found.settings[place] for place in order), found.losses[order])


def _losses_at(
    contest: Contest, entrant: Entrant, settings: Sequence[Setting], device: Device
) -> np.ndarray:
    """Returns the losses of an entrant at some settings on its tuning seeds, [J, Q]."""
    runs = runs_at(settings, contest.axes, contest.tuning_of(entrant))
    return contest.tune(entrant, runs, device).reshape(len(settings), -1)


def sweep(
    contest: Contest,
    field: Sequence[Entrant],
    each: Each,
    *,
    widen: bool = True,
    seeds: int | None = None,
) -> Tuned:
    """Returns the losses of all entrants over the half-decades.

    Args:
      contest: the problem and its tuning seeds.
      field: the entrants.
      each: (work, items) -> work(item, device) of each item, in order; such as `Crew.map`.
      widen: whether the grid grows where a best rate lies on its edge.
      seeds: how many of the tuning seeds; all if not given.
    """
    exponents, todo = list(GRID), list(GRID)
    found: dict[str, dict[int, np.ndarray]] = {entrant.label: {} for entrant in field}
    for _ in range(_MOST_WIDENINGS + 1):
        for entrant, losses in zip(field, each(_sweep(contest, todo, seeds), field), strict=True):
            found[entrant.label].update(zip(todo, losses, strict=True))
        below, above = _beyond(exponents, found) if widen else ([], [])
        todo = [*below, *above]
        if not todo or len(exponents) >= len(GRID) + _MOST_WIDENINGS * _WIDENING:
            break
        exponents = [*below, *exponents, *above]
    losses = {label: np.stack([row[i] for i in exponents]) for label, row in found.items()}
    scales = {entrant.label: entrant.rate_scale for entrant in field}
    return Tuned(rates_of(exponents), contest.axes, losses, scales)


def tuning_seeds(config: CompareConfig) -> tuple[list[int], list[int]]:
    """Returns the seeds that everybody is tuned on, and those of who is tuned on others, as many."""
    both = replicate_seeds(config.seed, "tuning", 2 * config.tuning_seeds)
    return both[: config.tuning_seeds], both[config.tuning_seeds :]


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
    contest: Contest, exponents: Sequence[int], seeds: int | None
) -> Callable[[Entrant, Device], Sequence[np.ndarray]]:
    """Returns (entrant, device) -> losses at each exponent, [D, W, S]."""
    axes = contest.axes
    grid = [
        Setting(float(rate), schedule, decay)
        for rate in rates_of(exponents)
        for schedule in axes.schedules
        for decay in axes.weight_decays
    ]
    shape = (len(exponents), len(axes.schedules), len(axes.weight_decays), -1)

    def sweep(entrant: Entrant, device: Device) -> Sequence[np.ndarray]:
        runs = runs_at(grid, axes, contest.tuning_of(entrant)[:seeds])
        own = runs._replace(rates=runs.rates * entrant.rate_scale)
        return list(contest.tune(entrant, own, device).reshape(shape))

    return sweep
