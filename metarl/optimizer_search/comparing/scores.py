"""scores: all problems together: how good, how fast, how sure, at what cost.

    relative loss   exp of the IQM over problems of the IQM over seeds of log(loss / Adam's loss on the same seed); each
                    ratio clipped to a factor of ten, a diverged run counts as ten
    speed-up        geometric mean of Adam-equivalent steps over steps (speed_up.py), over the problems on which Adam's
                    loss falls with the length of the run
    wins, losses    problems on which the 95 % interval of the relative loss excludes 1

Problems with losses below zero, which have no ratios, are won and lost by differences and enter nothing else.

Intervals are 95 %, by a bootstrap of seeds within each problem: the problems are the ones that were chosen, the seeds a
sample. They hold the noise of tuning too (tuning_noise.py). `problems_redrawn` is the relative loss where problems are
drawn anew too; it takes eight of them.

Letters: S seeds, H horizons, P problems, F factors.

Reference: Agarwal et al. (2021), Deep Reinforcement Learning at the Edge of the Statistical Precipice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from metarl.statistics import (
    Interval,
    geometric_mean,
    interval_to_json,
    iqm,
    number_from_json,
    performance_profile,
    stratified_bootstrap,
)

from .entrants import BASELINE
from .problem_results import (
    ProblemResult,
    exponential,
    final_losses,
    finals_of,
    have_ratios,
    log_relative_losses,
    speed_up_runs,
)
from .speed_up import error_by_tuning, speed_up_interval, speed_ups
from .tuning_noise import Finals, smoothed

_TINY = 1e-12


class Score(NamedTuple):
    """One optimizer over all problems."""

    relative_loss: Interval
    problems_redrawn: Interval  # the same, as a statement about problems like these
    speed_up: Interval | None
    wins: tuple[str, ...]  # names of problems
    losses: tuple[str, ...]
    unclear: tuple[str, ...]
    diverged: float  # share of the report's runs
    state_bytes_per_parameter: float  # mean over problems
    step_time_relative_to_adam: float  # geometric mean over problems
    compile_seconds: float | None

    def to_json(self) -> dict[str, Any]:
        """Returns plain values."""
        return {
            **self._asdict(),
            "relative_loss": interval_to_json(self.relative_loss),
            "problems_redrawn": interval_to_json(self.problems_redrawn),
            "speed_up": interval_to_json(self.speed_up, "geometric_mean"),
            **{name: list(getattr(self, name)) for name in ("wins", "losses", "unclear")},
        }


def score(problems: Mapping[str, ProblemResult]) -> dict[str, Score]:
    """Returns the scores of all who took part in every problem, the lowest relative loss first."""
    scores = {label: _score(label, problems) for label in score_labels(list(problems.values()))}
    return dict(sorted(scores.items(), key=lambda item: item[1].relative_loss))


def performance_profiles(
    details: Mapping[str, Any], labels: Sequence[str], factors: ArrayLike
) -> dict[str, np.ndarray]:
    """Returns by label the share of problems on which its loss is within each factor of the lowest, [F].

    Args:
      details: of a comparison, see `Comparison.to_document`.
      labels: who is asked about; all took part in every problem.
      factors: at least 1, [F].
    """
    costs = [
        [
            max(number_from_json(one["entries"][label]["final_loss"]["iqm"]), _TINY)
            for one in details.values()
        ]
        for label in labels
    ]
    return dict(zip(labels, performance_profile(costs, factors), strict=True))


def score_labels(results: Sequence[ProblemResult]) -> list[str]:
    """Returns who took part in every problem."""
    return [label for label in results[0].entries if all(label in r.entries for r in results)]


def _score(label: str, problems: Mapping[str, ProblemResult]) -> Score:
    results = list(problems.values())
    entries = [result.entries[label] for result in results]
    wins, losses, unclear = (
        tuple(name for name, r in problems.items() if r.entries[label].verdict == verdict)
        for verdict in ("better", "worse", "unclear")
    )
    times = [entry.step_time_relative_to_adam for entry in entries]
    compiling = [e.compile_seconds for e in entries if e.compile_seconds is not None]
    return Score(
        relative_loss=relative_loss_over(results, label, BASELINE),
        problems_redrawn=relative_loss_over(results, label, BASELINE, redraw_problems=True),
        speed_up=speed_up_over(label, results),
        wins=wins,
        losses=losses,
        unclear=unclear,
        diverged=sum(e.diverged for e in entries) / sum(len(e.curves) for e in entries),
        state_bytes_per_parameter=float(np.mean([e.state_bytes_per_parameter for e in entries])),
        step_time_relative_to_adam=float(geometric_mean(times)),
        compile_seconds=compiling[0] if compiling else None,
    )


def relative_loss_over(
    results: Sequence[ProblemResult], label: str, baseline: str, redraw_problems: bool = False
) -> Interval:
    """Returns the relative loss over problems, see above, to any of those who took part.

    Args:
      results: of the problems.
      label: whose.
      baseline: whose loss is 1.
      redraw_problems: see `relative_loss_of`.
    """
    pairs = [
        (finals_of(r.measured.records[label]), finals_of(r.measured.records[baseline]))
        for r in results
        if have_ratios(final_losses(r.measured).values())
    ]
    return relative_loss_of(pairs, redraw_problems)


def relative_loss_of(
    pairs: Sequence[tuple[Finals, Finals]], redraw_problems: bool = False
) -> Interval:
    """Returns the same from the losses themselves, by problem those of the optimizer and of the baseline.

    Without any problem nothing is known: 1 between 0 and infinity.

    Args:
      pairs: by problem.
      redraw_problems: whether problems are drawn anew too, not only seeds within each.
    """
    if not pairs:
        return Interval(1.0, 0.0, np.inf)
    found = [
        smoothed(log_relative_losses, ours, others, place)
        for place, (ours, others) in enumerate(pairs)
    ]
    logarithms = stratified_bootstrap(
        [one.values for one in found],
        iqm,
        iqm,
        redraw_strata=redraw_problems,
        errors=[one.error for one in found],
    )
    return exponential(logarithms)


def speed_up_over(label: str, results: Sequence[ProblemResult]) -> Interval | None:
    """Returns the geometric mean of the speed-ups over the problems that have one; None where none has.

    Of several problems each is clipped to the lengths that were run, and so is the interval.
    """
    measured = [r.measured for r in results if r.entries[label].speed_up is not None]
    runs = [speed_up_runs(one, label, place) for place, one in enumerate(measured)]
    found = [one for one in runs if one is not None]
    if not found:
        return None
    if len(found) == 1:
        return speed_up_interval(*found[0])
    horizons = found[0].horizons
    shortest, longest = np.log(horizons[[0, -1]])

    def within(rows: np.ndarray, axis: int) -> np.ndarray:
        return np.log(speed_ups(rows, horizons, axis))

    def across(logarithms: np.ndarray, axis: int) -> np.ndarray:
        return np.clip(logarithms, shortest, longest).mean(axis)

    errors = [error_by_tuning(*one) for one in found]
    return exponential(
        stratified_bootstrap([one.rows for one in found], within, across, errors=errors)
    )
