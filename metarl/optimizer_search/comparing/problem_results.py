"""problem results: what the measurements on one problem say of each optimizer.

    target            the median final test loss of the best tuned reference, chosen by its tuning loss
    steps to target   the first measured step at which a run is at or below it
    relative loss     loss / Adam's on the same seed, clipped to a factor of ten; a diverged run counts as ten; the IQM
                      over seeds is that of logarithms
    difference        to tuned Adam, paired by seed, IQM over pairs
                      (both averaged over the settings that tuning may have chosen, see tuning_noise.py)
    verdict           better or worse than Adam where the 95 % interval of the relative loss excludes 1
    speed-up          Adam-equivalent steps over the steps taken, averaged in the same way, see speed_up.py

Losses below zero have no logarithm. A problem on which a run ends there (a log-likelihood of one's own) has no relative
losses and no speed-ups; its verdicts are those of the differences.

Letters: S seeds, C points of a curve, H horizons, R learning rates.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from metarl.statistics import Interval, bootstrap_interval, iqm, paired_differences

from .entrants import BASELINE
from .measurements import Measured, Record
from .speed_up import (
    Doubt,
    falls_with_length,
    log_ratios,
    speed_up_interval,
    speed_up_rows,
)
from .tuning_noise import Finals, certain, deviation_by_choice, smoothed

WORST = 10.0  # the factor to which a loss relative to Adam's is clipped
_TARGET_SEEDS = 20
_TINY = 1e-12  # losses below this are zero for all that single precision can tell
_HUGE = 1e300


Verdict = Literal["better", "worse", "unclear"]


class Versus(NamedTuple):
    """How one optimizer's losses stand to another's of the same seeds."""

    difference: Interval  # IQM over pairs
    ratio: (
        Interval | None
    )  # exp of the IQM of logarithms over pairs; None where losses are below zero

    @property
    def verdict(self) -> Verdict:
        """What the ratio says, or the difference where there is none."""
        side = self.difference.side(0.0) if self.ratio is None else self.ratio.side(1.0)
        return ("unclear", "worse", "better")[side]


class EntrantResult(NamedTuple):
    """What one entrant did on one problem."""

    learning_rate: float
    schedule: str
    weight_decay: float
    extra: dict[str, float]  # what was changed of its own settings, by name
    rate_scale: float  # its grid is the common one times this
    final_loss: Interval  # IQM over seeds
    metric: Interval | None
    steps_to_target: Interval | None  # None when the target was reached in no run
    seconds_to_target: float | None
    reached_target: float  # share of runs
    difference_to_adam: Interval  # IQM over pairs, entrant minus Adam
    relative_loss: (
        Interval | None
    )  # to Adam's, IQM of logarithms over seeds; None where losses are below zero
    verdict: Verdict  # of the relative loss, else of the difference
    speed_up: (
        Interval | None
    )  # None where Adam's lengths were not run, or its loss does not fall with length
    state_bytes_per_parameter: float
    step_time_relative_to_adam: float
    compile_seconds: float | None
    diverged: int
    curves: np.ndarray  # [S, C], test losses
    metrics: np.ndarray  # [S], final metric
    tuning_losses: (
        np.ndarray
    )  # [R], mean over tuning seeds, at the chosen schedule and weight decay


class ProblemResult(NamedTuple):
    """All entrants on one problem."""

    metric: str | None
    steps: int
    points: np.ndarray  # [C], optimizer steps at which the curves were measured
    learning_rates: np.ndarray  # [R]
    report_seeds: int
    runs_spent: int  # on tuning, all entrants together
    on_edge: tuple[str, ...]
    target: float
    target_of: str  # the reference that set it
    entries: dict[str, EntrantResult]
    measured: Measured


def analyse(measured: Measured) -> ProblemResult:
    """Returns what the measurements say."""
    target_of = best_reference(measured)
    target = float(np.median(measured.records[target_of].losses[:_TARGET_SEEDS, -1]))
    return ProblemResult(
        metric=measured.metric,
        steps=measured.steps,
        points=measured.points,
        learning_rates=measured.learning_rates,
        report_seeds=len(measured.report_seeds),
        runs_spent=sum(
            record.tuning.size + record.finer.losses.size for record in measured.records.values()
        ),
        on_edge=measured.on_edge,
        target=target,
        target_of=target_of,
        entries={label: _entry(measured, label, target) for label in measured.records},
        measured=measured,
    )


def best_reference(measured: Measured) -> str:
    """Returns the reference of the lowest loss in tuning; Adam where nothing was tuned."""
    tuned = {
        label: _lowest_in_tuning(record)
        for label, record in measured.records.items()
        if label in measured.references and record.tuning.size
    }
    return min(tuned, key=lambda label: tuned[label]) if tuned else BASELINE


def _lowest_in_tuning(record: Record) -> float:
    """Returns the lowest mean loss, of the finer points where there are any: they alone are on all tuning seeds."""
    losses = record.finer.losses if record.finer.losses.size else record.tuning
    return float(losses.mean(axis=-1).min())


def _logarithm(losses: ArrayLike) -> np.ndarray:
    return np.log(np.clip(np.asarray(losses, float), _TINY, _HUGE))


def relative_losses(losses: ArrayLike, adams: ArrayLike) -> np.ndarray:
    """Returns loss / Adam's loss by seed, clipped to a factor of ten either way, [S].

    A diverged run counts as ten, a run of Adam's alone as a tenth, both as one.
    """
    logarithms = np.clip(
        _logarithm(losses) - _logarithm(adams), -10.0, 10.0
    )  # far beyond WORST, below overflow
    return np.clip(np.exp(logarithms), 1 / WORST, WORST)


def log_relative_losses(losses: ArrayLike, adams: ArrayLike) -> np.ndarray:
    """Returns the logarithms of `relative_losses`, [S]."""
    return np.log(relative_losses(losses, adams))


def versus(ours: Finals, others: Finals, ratios: bool = True) -> Versus:
    """Returns how losses stand to another's, paired by seed.

    Args:
      ours: losses of one, +inf for a diverged run.
      others: of the same seeds.
      ratios: whether losses of this problem have ratios, see `have_ratios`.
    """
    differences, error = smoothed(paired_differences, ours, others)
    difference = bootstrap_interval(differences, iqm, error=error)
    if not ratios:
        return Versus(difference, None)
    logarithms, error = smoothed(log_relative_losses, ours, others)
    return Versus(difference, exponential(bootstrap_interval(logarithms, iqm, error=error)))


def exponential(logarithms: Interval) -> Interval:
    """Returns the interval of ratios of which these are the logarithms."""
    return Interval(*(float(np.exp(x)) for x in logarithms))


def have_ratios(losses: Iterable[np.ndarray]) -> bool:
    """Tells whether no run of any optimizer on a problem ended below zero."""
    return all(bool((row >= 0).all()) for row in losses)


def final_losses(measured: Measured) -> dict[str, np.ndarray]:
    """Returns the test losses at the end of the runs by label, [S], +inf for a diverged run."""
    return {label: record.losses[:, -1] for label, record in measured.records.items()}


def finals_of(record: Record) -> Finals:
    """Returns where an entrant's runs ended, at all settings that the report ran."""
    if record.choices is None:
        return certain(record.losses[:, -1])
    return Finals(record.choices.losses, record.choices.tuning, record.choices.other_seeds)


def geometric_iqm(ratios: np.ndarray, axis: int = -1) -> np.ndarray:
    """Returns exp of the IQM of logarithms: halving and doubling cancel."""
    return np.exp(iqm(np.log(ratios), axis=axis))


def _entry(measured: Measured, label: str, target: float) -> EntrantResult:
    record, adam = measured.records[label], measured.records[BASELINE]
    final = record.losses[:, -1]
    steps = _steps_to(target, record.losses, measured.points)
    reached = np.isfinite(steps)
    to_target = bootstrap_interval(steps) if reached.any() else None
    seconds = record.seconds_per_step
    ratios = have_ratios(final_losses(measured).values())
    against = versus(finals_of(record), finals_of(adam), ratios)
    return EntrantResult(
        *record.setting[:3],
        extra=record.extra_of(record.setting),
        rate_scale=record.rate_scale,
        final_loss=bootstrap_interval(final),
        metric=_metric_interval(measured, record),
        steps_to_target=to_target,
        seconds_to_target=None if to_target is None else to_target.estimate * seconds,
        reached_target=float(reached.mean()),
        difference_to_adam=against.difference,
        relative_loss=against.ratio,
        verdict=against.verdict,
        speed_up=_speed_up(measured, label),
        state_bytes_per_parameter=record.state_bytes_per_parameter,
        step_time_relative_to_adam=seconds / adam.seconds_per_step,
        compile_seconds=record.compile_seconds,
        diverged=int(np.isinf(final).sum()),
        curves=record.losses,
        metrics=record.metrics[:, -1],
        tuning_losses=_along_the_chosen(measured, record),
    )


class SpeedUpRuns(NamedTuple):
    """What the speed-up of one optimizer on one problem is computed from."""

    rows: np.ndarray  # [S, 1 + H], see `speed_up_rows`
    horizons: np.ndarray  # [H]
    doubt: Doubt


def speed_up_runs(measured: Measured, label: str, place: int = 0) -> SpeedUpRuns | None:
    """Returns what the speed-up of one optimizer is computed from; None where there is none.

    There is none where Adam was not run at other lengths, and where its loss does not fall with them.

    Args:
      measured: on the problem.
      label: whose.
      place: of the problem among others, as in `smoothed`.
    """
    if measured.adam is None:
        return None
    final, (horizons, lengths) = final_losses(measured), measured.adam
    if not have_ratios([*final.values(), lengths]):
        return None
    ours, adams = (_near(finals_of(measured.records[one])) for one in (label, BASELINE))
    differences, error = smoothed(log_ratios, ours, adams, place)
    rows = speed_up_rows(differences, lengths)
    doubt = Doubt(error, deviation_by_choice(np.log(adams.losses), adams, place))
    found = SpeedUpRuns(rows, horizons, doubt)
    return found if falls_with_length(*found) else None


def _near(finals: Finals) -> Finals:
    """Returns the same with losses at other settings within a factor of ten of that at the chosen one, by seed.

    A run that diverges at a setting that tuning may have chosen counts as no more, as in a relative loss.
    """
    losses = np.clip(np.asarray(finals.losses, float), _TINY, _HUGE)  # single precision ends before
    return finals._replace(losses=np.clip(losses, losses[0] / WORST, losses[0] * WORST))


def _speed_up(measured: Measured, label: str) -> Interval | None:
    runs = speed_up_runs(measured, label)
    return None if runs is None else speed_up_interval(*runs)


def _metric_interval(measured: Measured, record: Record) -> Interval | None:
    """Returns the interval of the metric, diverged runs counting as chance; None if the problem has no metric."""
    if measured.metric is None:
        return None
    final = record.metrics[:, -1]
    good = np.isfinite(record.losses[:, -1]) & np.isfinite(final)
    return bootstrap_interval(np.where(good, final, measured.chance))


def _steps_to(target: float, losses: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Returns the first measured step at which each run's test loss is at or below the target, +inf if none, [S]."""
    below = losses <= target
    first = points[np.argmax(below, axis=1)].astype(float)
    return np.where(below.any(axis=1), first, np.inf)


def _along_the_chosen(measured: Measured, record: Record) -> np.ndarray:
    """Returns the mean losses of the half-decades at the chosen schedule and weight decay, [R]."""
    if not record.tuning.size:
        return np.zeros(0)
    schedule = measured.schedules.index(record.setting.schedule)
    decay = measured.weight_decays.index(record.setting.weight_decay)
    return record.tuning[:, schedule, decay].mean(axis=-1)
