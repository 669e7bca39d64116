"""default_rates: one learning rate for all problems, the track `default`.

It is a fixed multiple of Adam's 1e-3. A rule may bring its own multiple (`Entrant.learning_rate_multiple`); for all
others it is found here, on the search problems: the learning rate of the lowest mean over problems of
log(loss / tuned Adam's loss), each clipped to a factor of ten, on tuning seeds, under the first schedule and weight
decay of the comparison. Nothing of the problems that are reported enters.

Letters: R learning rates, P problems.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from metarl import problems as problem_suite
from metarl.reading import read_json_object
from metarl.reporting import counted, write_json

from ..settings.compare_config import CompareConfig
from .contest import Contest, Crew
from .entrants import ADAMS_RATE, BASELINE, Entrant
from .problem_results import log_relative_losses
from .settings_of_runs import Axes
from .tuning import GRID, rates_of, sweep, tuning_seeds

_FILE = "default_rates.json"


def default_rates(
    field: Sequence[Entrant],
    config: CompareConfig,
    say: Callable[[str], None],
    place: Path | None = None,
) -> dict[str, float]:
    """Returns everybody's one learning rate, by label.

    Args:
      field: the entrants, Adam among them.
      config: seeds and number of tuning seeds.
      say: called with a line about what is done next.
      place: a directory that keeps what was found; what lies there is not found again.
    """

    def find() -> dict[str, float]:
        multiples = {e.label: e.learning_rate_multiple for e in field}
        seeking = [e for e in field if e.learning_rate_multiple is None]
        if seeking:
            names = problem_suite.suite("search")
            multiples |= found_multiples(seeking, names, config, say)
        return {label: ADAMS_RATE * multiple for label, multiple in multiples.items() if multiple}

    return found_once(find, _FILE, place)


def found_once(
    find: Callable[[], dict[str, float]], file: str, place: Path | None
) -> dict[str, float]:
    """Returns numbers by label: those that lie in a file, else newly found and written there.

    Args:
      find: finds them.
      file: its name.
      place: its directory; where it is None nothing is kept.
    """
    if place is None:
        return find()
    path = place / file
    if path.exists():
        return read_json_object(path, beneath=place)
    found = find()
    write_json(path, found)
    return found


def found_multiples(
    entrants: Sequence[Entrant],
    problems: Sequence[str],
    config: CompareConfig,
    say: Callable[[str], None],
) -> dict[str, float]:
    """Returns by label the multiple of Adam's 1e-3 that is best over the problems.

    Args:
      entrants: Adam is added if it is not among them, as the yardstick.
      problems: names.
      config: seeds and number of tuning seeds.
      say: called with a line about what is done next.
    """
    from .entrants import entrant

    field = list(entrants)
    if BASELINE not in {e.label for e in field}:
        field.append(entrant(BASELINE))
    seeds, others = tuning_seeds(config)
    axes = Axes(config.schedules[:1], config.weight_decays[:1])  # those of the report
    relative: dict[str, list[np.ndarray]] = {e.label: [] for e in field}
    with Crew() as crew:
        for name in problems:
            say(f"{name}: default learning rates of {counted(len(field), 'optimizer')}")
            problem = problem_suite.load(name)
            contest = Contest(
                problem, problem.steps, seeds, seeds[:1], points=1, axes=axes, other_seeds=others
            )
            tuned = sweep(contest, field, crew.map, widen=False)
            losses = {label: x.mean(axis=-1)[:, 0, 0] for label, x in tuned.losses.items()}
            for label, row in losses.items():
                relative[label].append(log_relative_losses(row, losses[BASELINE].min()))
    rates = rates_of(GRID)
    return {
        e.label: float(
            rates[np.argmin(np.mean(relative[e.label], axis=0))] * e.rate_scale / ADAMS_RATE
        )
        for e in entrants
    }
