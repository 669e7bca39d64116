"""one rate: what somebody gets who takes a rule home, the track `one-rate`.

Adam's learning rate is tuned on each problem, as everybody's is on the track `tuned`; the others run at one multiple of
it, each at its own, the same for all problems. The multiples are found on the search problems: of half-decades from
1e-3 to 1e4, and then the quarters beside the best, the one of the lowest mean over problems and seeds of log(loss /
tuned Adam's mean loss), each clipped to a factor of ten, on tuning seeds. Nothing of the problems that are reported
enters.

Letters: R multiples, P problems, S tuning seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from metarl import problems as problem_suite
from metarl.reporting import counted

from ..judging.evaluators import Device
from ..settings.compare_config import CompareConfig
from .contest import Contest, Crew
from .default_rates import found_once
from .entrants import BASELINE, Entrant, entrant
from .problem_results import log_relative_losses
from .settings_of_runs import Axes, Points, Setting, runs_at
from .tuning import Tuned, tune, tuning_seeds

_FILE = "one_rate_multiples.json"
_HALF_DECADES = np.arange(-6, 9) / 2.0  # of the multiples
_QUARTERS = np.array([-0.25, 0.25])


def one_rate_multiples(
    field: Sequence[Entrant],
    config: CompareConfig,
    say: Callable[[str], None],
    place: Path | None = None,
) -> dict[str, float]:
    """Returns everybody's one multiple of Adam's tuned learning rate, by label; Adam's own is 1.

    Args:
      field: the entrants, Adam among them.
      config: seeds and number of tuning seeds.
      say: called with a line about what is done next.
      place: a directory that keeps what was found; what lies there is not found again.
    """
    names = problem_suite.suite("search")
    return found_once(lambda: found_multiples_of_adam(field, names, config, say), _FILE, place)


def found_multiples_of_adam(
    field: Sequence[Entrant],
    problems: Sequence[str],
    config: CompareConfig,
    say: Callable[[str], None],
) -> dict[str, float]:
    """Returns by label the multiple of tuned Adam's learning rate that is best over the problems.

    Args:
      field: the entrants, Adam among them.
      problems: names.
      config: seeds and number of tuning seeds.
      say: called with a line about what is done next.
    """
    others = [one for one in field if one.label != BASELINE]
    with Crew() as crew:
        courts = []
        for name in problems:
            say(f"{name}: multiples of Adam's learning rate of {counted(len(others), 'optimizer')}")
            courts.append(tuned_court(name, config, crew))
        halves = {e.label: _HALF_DECADES + np.log10(e.rate_scale) for e in others}
        first = _mean_log_losses(courts, others, halves, crew)
        best = {label: halves[label][np.argmin(row)] for label, row in first.items()}
        quarters = {label: centre + _QUARTERS for label, centre in best.items()}
        second = _mean_log_losses(courts, others, quarters, crew)
    found = {BASELINE: 1.0}
    for label in best:
        tried = [*halves[label], *quarters[label]]
        losses = [*first[label], *second[label]]
        found[label] = float(10.0 ** tried[int(np.argmin(losses))])
    return found


def followed(tuned: Tuned, multiple: float) -> Points:
    """Returns the points of the report of who follows Adam: Adam's, at a multiple of its rates, in its doubt."""
    points = tuned.likely(BASELINE)
    settings = (x._replace(learning_rate=x.learning_rate * multiple) for x in points.settings)
    return Points(tuple(settings), points.losses)


class Court(NamedTuple):
    """One search problem, and tuned Adam there."""

    contest: Contest
    adam: Setting
    loss: float  # its mean over tuning seeds


def tuned_court(name: str, config: CompareConfig, crew: Crew, extra_points: int = 0) -> Court:
    """Returns a search problem with Adam tuned on it, under the first schedule and weight decay of a comparison.

    Args:
      name: of the problem.
      config: seeds, number of tuning seeds, schedule and weight decay.
      crew: where it runs.
      extra_points: extra settings that runs of the contest may ask for; Adam is tuned without any.
    """
    problem, (seeds, others) = problem_suite.load(name), tuning_seeds(config)
    axes = Axes(config.schedules[:1], config.weight_decays[:1])

    def contest(axes: Axes) -> Contest:
        return Contest(
            problem, problem.steps, seeds, seeds[:1], points=1, axes=axes, other_seeds=others
        )

    plain = contest(axes)
    points = tune(plain, [entrant(BASELINE)], crew.map).likely(BASELINE)
    used = contest(axes._replace(extra_points=extra_points)) if extra_points else plain
    return Court(used, points.settings[0], float(points.losses[0].mean()))


def log_losses_at(
    court: Court, one: Entrant, settings: Sequence[Setting], seeds: slice, device: Device
) -> np.ndarray:
    """Returns an entrant's logarithmic losses relative to tuned Adam's mean, by setting and tuning seed, [J, S]."""
    contest = court.contest
    runs = runs_at(settings, contest.axes, contest.tuning_of(one)[seeds])
    losses = contest.tune(one, runs, device).reshape(len(settings), -1)
    return log_relative_losses(losses, court.loss)


def _mean_log_losses(
    courts: Sequence[Court],
    others: Sequence[Entrant],
    exponents: dict[str, np.ndarray],
    crew: Crew,
) -> dict[str, np.ndarray]:
    """Returns by label the mean over problems of the logarithmic losses relative to Adam's at some multiples, [R]."""
    totals = {one.label: np.zeros(len(exponents[one.label])) for one in others}
    for court in courts:

        def losses(one: Entrant, device: Device, court: Court = court) -> np.ndarray:
            rates = court.adam.learning_rate * 10.0 ** exponents[one.label]
            settings = [court.adam._replace(learning_rate=float(rate)) for rate in rates]
            return log_losses_at(court, one, settings, slice(None), device).mean(axis=-1)

        for one, row in zip(others, crew.map(losses, others), strict=True):
            totals[one.label] += row / len(courts)
    return totals
