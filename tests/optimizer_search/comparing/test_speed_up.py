"""What a step is worth: exact without noise, and by simulation unbiased with intervals that hold what they say."""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from made_up_measurements import measured
from tuned_losses import DECADES, draw

from metarl.optimizer_search.comparing.measurements import AdamRuns, Choices, Measured, Record
from metarl.optimizer_search.comparing.problem_results import speed_up_runs
from metarl.optimizer_search.comparing.scores import speed_up_over
from metarl.optimizer_search.comparing.settings_of_runs import Setting
from metarl.optimizer_search.comparing.speed_up import (
    Doubt,
    error_by_tuning,
    falls_with_length,
    log_ratios,
    speed_up_interval,
    speed_up_rows,
    speed_ups,
)
from metarl.optimizer_search.comparing.tuning_noise import REDRAWS, likely_choices
from metarl.statistics import Interval, iqm

HORIZONS = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
RIVALS = (1.0, 0.5, 1.25, 3.0)
Law = Callable[[Any], Any]  # horizon -> log loss


def power(slope: float) -> Law:
    return lambda h: -slope * np.log(h)


def bent(slope: float) -> Law:
    """A loss that falls ever faster."""
    return lambda h: -slope * np.log(h) - 0.1 * slope * np.log(h) ** 2


def drawn(rng: np.random.Generator, law: Law, noise: float, seeds: int, speed: float) -> np.ndarray:
    """Returns rows of a rival whose law is Adam's at `speed`; every run has a noise of its own."""
    lengths = np.exp(law(HORIZONS) + noise * rng.normal(size=(seeds, len(HORIZONS))))
    rival = np.exp(law(speed) + noise * rng.normal(size=seeds))
    return paired(rival, lengths)


def paired(rival: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Returns rows of losses [S] beside Adam's [S, H]."""
    return speed_up_rows(log_ratios(rival, lengths[:, 2]), lengths)


@pytest.mark.parametrize("law", [power(0.3), power(0.01), bent(0.3)])
@pytest.mark.parametrize("speed", RIVALS)
def test_without_noise_a_speed_is_what_it_is(law, speed):
    rows = drawn(np.random.default_rng(0), law, 0.0, 8, speed)
    assert speed_up_interval(rows, HORIZONS) == pytest.approx((speed,) * 3, rel=1e-6)
    two = speed_up_interval(rows[:, [0, 1, 5]], HORIZONS[[0, 4]])  # a line through two lengths
    slope = (law(4.0) - law(0.25)) / math.log(16.0)
    expected = math.exp((law(speed) - law(1.0)) / slope)
    assert two is not None and two.estimate == pytest.approx(min(expected, 4.0), rel=1e-6)


def test_it_is_the_root_of_the_fit_to_the_iqms():
    """Against a fit and a walk along it."""
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(24, 6)) * 0.05 + np.log([0.9, 2.0, 1.4, 1.0, 0.8, 0.7])
    fits = np.array([np.polyfit(np.log(HORIZONS), row[1:], 2) for row in rows])
    curvature, slope, _ = (float(iqm(column)) for column in fits.T)
    difference = float(iqm(rows[:, 0]))
    walk = np.linspace(np.log(0.25), np.log(4.0), 200_001)
    gap = np.abs(slope * walk + curvature * walk**2 - difference)
    falling = slope + 2 * curvature * walk < 0
    expected = float(np.exp(walk[np.argmin(np.where(falling, gap, np.inf))]))
    assert float(speed_ups(rows, HORIZONS, 0)) == pytest.approx(expected, rel=1e-4)
    many = np.stack([rows, 1.5 * rows[::-1]])
    alone = [float(speed_ups(one, HORIZONS, 0)) for one in many]
    np.testing.assert_allclose(speed_ups(many, HORIZONS, 1), alone, rtol=1e-12)


def test_adam_itself_reads_one_however_noisy():
    for seed in range(20):
        rows = drawn(np.random.default_rng(seed), power(0.5), 0.3, 20, 1.0)
        rows[:, 0] = 0.0
        found = speed_up_interval(rows, HORIZONS)
        assert found is None or found == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("slope", [0.0, -0.3])
def test_a_loss_that_does_not_fall_with_length_says_nothing_of_steps(slope):
    worlds = [drawn(np.random.default_rng(seed), power(slope), 0.2, 20, 1.0) for seed in range(20)]
    falling = [speed_up_interval(rows, HORIZONS) is not None for rows in worlds]
    assert sum(falling) <= 2 and (slope == 0.0 or not any(falling))  # three of 20 once in 900,000
    assert falls_with_length(drawn(np.random.default_rng(0), power(0.3), 0.2, 20, 1.0), HORIZONS)
    assert not falls_with_length(worlds[0][:, :2], HORIZONS[:1])


def test_beyond_the_lengths_that_were_run_the_last_stands_and_the_interval_is_open():
    rng = np.random.default_rng(0)
    fast = speed_up_interval(drawn(rng, power(0.5), 0.02, 20, 16.0), HORIZONS)
    slow = speed_up_interval(drawn(rng, power(0.5), 0.02, 20, 0.02), HORIZONS)
    assert fast == (4.0, 4.0, math.inf) and slow == (0.25, 0.0, 0.25)
    lengths = np.exp(drawn(rng, power(0.5), 0.02, 20, 1.0)[:, 1:])
    diverged = paired(np.full(20, np.inf), lengths)
    assert speed_up_interval(diverged, HORIZONS) == (0.25, 0.0, 0.25)
    solved = paired(np.zeros(20), lengths)
    assert speed_up_interval(solved, HORIZONS) == (4.0, 4.0, math.inf)


def test_a_loss_below_the_lowest_of_the_fit_is_worth_the_longest():
    """Adam's loss rises again: no length of it ends as low."""
    rows = drawn(np.random.default_rng(0), lambda h: 0.3 * (np.log(h) - 0.5) ** 2, 0.01, 20, 1.0)
    rows[:, 0] += np.log(0.8)
    found = speed_up_interval(rows, HORIZONS)
    assert found is not None and found.estimate == 4.0 and found.high == math.inf


def test_few_seeds_have_no_interval():
    rows = drawn(np.random.default_rng(0), power(0.5), 0.001, 5, 3.0)
    found = speed_up_interval(rows, HORIZONS)
    assert found is not None and found[1:] == (0.0, math.inf)
    assert found.estimate == pytest.approx(3.0, rel=0.05)


def simulated(
    law: Law, noise: float, seeds: int, speed: float, count: int
) -> tuple[float, float, float]:
    """Returns of so many data sets the geometric mean, the median width, and the share that is covered.

    Those without a speed-up are left out, as in a comparison.
    """
    rng = np.random.default_rng(round(1000 * noise) + seeds)
    found = [
        speed_up_interval(drawn(rng, law, noise, seeds, speed), HORIZONS) for _ in range(count)
    ]
    return summary(found, speed)


def summary(found: list[Interval | None], speed: float) -> tuple[float, float, float]:
    """Returns geometric mean, median width and the share that is covered, of those that there are."""
    intervals = [one for one in found if one is not None]
    assert len(intervals) >= len(found) / 2
    estimates = np.log([one.estimate for one in intervals])
    widths = [one.high / one.low if one.low > 0 else math.inf for one in intervals]
    covered = np.mean([one.low <= speed <= one.high for one in intervals])
    return float(np.exp(estimates.mean())), float(np.median(widths)), float(covered)


@pytest.mark.parametrize("speed", RIVALS)
def test_speeds_read_what_they_are(speed):
    """The mean of 100 varies by 0.5 %; of 100 intervals that cover in 93 %, 78 or fewer do once in 300,000 times."""
    mean, width, covered = simulated(power(0.5), 0.05, 20, speed, 100)
    assert width < 1.5 and mean == pytest.approx(speed, rel=0.05)
    assert covered > 0.78


WORLDS = {
    "gentle": (power(0.05), 0.01, 20),
    "usual": (power(0.2), 0.05, 60),
    "steep and noisy": (power(1.0), 0.3, 60),
    "bent": (bent(0.5), 0.05, 20),
    "noisy": (power(0.2), 0.3, 60),
    "very noisy": (power(1.0), 1.0, 20),
}


@pytest.mark.slow
@pytest.mark.parametrize("speed", RIVALS)
@pytest.mark.parametrize("world", WORLDS)
def test_in_every_world_speeds_are_unbiased_and_intervals_cover(world, speed):
    """With 3,000 data sets a coverage of 93 to 97 % is found between 91.1 and 98.3 %, but once in 30,000 times."""
    mean, width, covered = simulated(*WORLDS[world], speed, 3000)
    if width < 1.5:
        assert mean == pytest.approx(speed, rel=0.05)
    assert 0.911 < covered < 0.983


TUNED = 10


def tuned(
    rng: np.random.Generator, law: Law, curvature: float, noise: float, seeds: int, speed: float
) -> Measured:
    """Returns Adam, tuned at each length, and a rival, tuned too: seven rates on ten seeds.

    Each has its best rate somewhere between two eighths of a decade, at each length another.
    """
    levels = [rng.normal(0, 0.3, count) for count in (seeds, TUNED)]

    def entrant(level: float) -> Choices:
        report, tuning = draw(rng, level, curvature, noise, levels)
        places = likely_choices(tuning)
        settings = tuple(Setting(float(10.0 ** DECADES[i])) for i in places)
        return Choices(settings, tuning[places], report[places])

    adams = [entrant(float(law(h))) for h in HORIZONS]
    lengths = np.stack([one.losses[0] for one in adams], axis=1)
    records = {"adam": record(adams[2]), "rival": record(entrant(float(law(speed))))}
    return measured(records=records, adam=AdamRuns(HORIZONS, lengths))


def record(choices: Choices) -> Record:
    ends = choices.losses[0][:, None]
    return Record(
        choices.settings[0], np.zeros((0, 1, 1, 0)), ends, ends, 1.0, 8.0, choices=choices
    )


def with_and_without(worlds: list[Measured]) -> list[list[Interval | None]]:
    """Returns the intervals of the rival's speed-ups, and those that seeds alone give at the chosen settings."""
    found = []
    for world in worlds:
        runs = speed_up_runs(world, "rival")
        certain = {k: one._replace(choices=None) for k, one in world.records.items()}
        bare = speed_up_runs(world._replace(records=certain), "rival")
        assert bare is None or bare.doubt == (0.0, 0.0)
        found.append([one and speed_up_interval(*one) for one in (runs, bare)])
    return [list(column) for column in zip(*found, strict=True)]


@pytest.mark.parametrize("speed", [pytest.param(1.0, marks=pytest.mark.slow), 3.0])
def test_intervals_hold_the_noise_of_tuning(speed):
    """Of 100 intervals that cover in 93 %, 78 or fewer do once in 300,000 times; those of seeds alone are too short."""
    rng = np.random.default_rng(round(100 * speed))
    worlds = [tuned(rng, power(0.5), 0.5, 0.06, 240, speed) for _ in range(100)]
    whole, bare = (summary(found, speed) for found in with_and_without(worlds))
    assert whole[0] == pytest.approx(speed, rel=0.05) and whole[1] < 1.5
    assert whole[2] > 0.78
    assert bare[2] < whole[2]


TUNED_WORLDS = {
    "many seeds": (power(0.5), 0.5, 0.06, 240),
    "gentle": (power(0.2), 0.5, 0.06, 60),
    "usual": (power(0.5), 2.0, 0.2, 60),
    "few seeds": (power(1.0), 0.5, 0.2, 20),
    "steep": (power(1.0), 2.0, 0.2, 60),
    "bent": (bent(0.5), 2.0, 0.06, 60),
}


@pytest.mark.slow
@pytest.mark.parametrize("speed", RIVALS)
@pytest.mark.parametrize("world", TUNED_WORLDS)
def test_in_every_world_intervals_hold_the_noise_of_tuning(world, speed):
    """With 500 data sets a coverage of 92 to 97 % is found between 87 and 99.7 %, but once in 10,000 times."""
    rng = np.random.default_rng([round(100 * speed), len(world)])
    worlds = [tuned(rng, *TUNED_WORLDS[world], speed) for _ in range(500)]
    whole, bare = (summary(found, speed) for found in with_and_without(worlds))
    print(
        f"{world}, {speed}: {whole[2]:.3f}, width {whole[1]:.2f}; seeds alone {bare[2]:.3f}, {bare[1]:.2f}"
    )
    if whole[1] < 1.5:
        assert whole[0] == pytest.approx(speed, rel=0.05)
    assert 0.87 < whole[2] < 0.997


@pytest.mark.slow
@pytest.mark.parametrize("world", TUNED_WORLDS)
def test_a_loss_that_does_not_fall_is_seldom_taken_for_one_that_does_by_tuning(world):
    """Of 400 such losses of which 3 % are, 28 or more are once in 25,000 times."""
    _, curvature, noise, seeds = TUNED_WORLDS[world]
    rng, whole, bare = np.random.default_rng(5), 0, 0
    for _ in range(400):
        flat = tuned(rng, power(0.0), curvature, noise, seeds, 1.0)
        whole += speed_up_runs(flat, "rival") is not None
        assert flat.adam is not None
        bare += falls_with_length(paired(np.ones(seeds), flat.adam.losses), HORIZONS)
    print(f"{world}: {whole} of 400, by seeds alone {bare}")
    assert whole < 28 and whole <= bare


@pytest.mark.slow
def test_over_several_problems_intervals_hold_the_noise_of_tuning():
    """With 500 data sets a coverage of 92 to 97 % is found between 87 and 99.7 %, but once in 10,000 times."""
    rng, held = np.random.default_rng(0), 0
    for _ in range(500):
        worlds = [tuned(rng, power(0.5), 0.5, 0.06, 60, speed) for speed in (1.0, 1.25, 2.0, 0.8)]
        entries: Any = {"rival": types.SimpleNamespace(speed_up=Interval(1.0, 1.0, 1.0))}
        results: Any = [types.SimpleNamespace(measured=one, entries=entries) for one in worlds]
        found = speed_up_over("rival", results)
        assert found is not None
        held += not found.excludes(2.0**0.25)
    print(f"over four problems: {held / 500:.3f}")
    assert 0.87 < held / 500 < 0.997


def test_a_difference_is_that_of_losses_averaged_over_what_redraws_choose():
    """Against a loop over redraws."""
    world = tuned(np.random.default_rng(0), power(0.5), 0.5, 0.06, 60, 1.25)
    runs = speed_up_runs(world, "rival")
    assert runs is not None
    drawn_seeds = np.random.default_rng([0, 0]).integers(0, TUNED, size=(REDRAWS, TUNED))
    total, adams = np.zeros(60), []
    for drawn_once in drawn_seeds:
        ends = []
        for one in world.records.values():
            assert one.choices is not None
            place = np.argmin(one.choices.tuning[:, drawn_once].mean(axis=1))
            ends.append(np.log(one.choices.losses[place]))
        total += ends[1] - ends[0]
        adams.append(ends[0])
    np.testing.assert_allclose(runs.rows[:, 0], total / REDRAWS, rtol=1e-9)
    apart = iqm(np.array(adams) - np.mean(adams, axis=0))
    assert 0 < runs.doubt.length < apart.std()  # less the report's own noise
    adam = speed_up_runs(world, "adam")
    assert adam is not None and not adam.rows[:, 0].any() and adam.doubt.difference == 0.0
    itself = speed_up_interval(*adam)
    assert itself is not None and itself.estimate == 1.0


def test_a_loss_falls_only_where_it_does_so_beyond_what_tuning_leaves_in_doubt():
    rows = drawn(np.random.default_rng(0), power(0.1), 0.01, 60, 1.0)
    assert falls_with_length(rows, HORIZONS, Doubt(1.0, 0.01))
    assert not falls_with_length(rows, HORIZONS, Doubt(0.0, 0.2))
    assert speed_up_interval(rows, HORIZONS, Doubt(0.0, 0.2)) is None


def test_a_doubt_widens_an_interval_by_what_it_adds_to_the_test():
    """At every x by the weights of the fit, of which a loop finds what one length moves."""
    rows = drawn(np.random.default_rng(0), power(0.5), 0.001, 60, 3.0)
    doubt = Doubt(0.03, 0.05)
    found = speed_up_interval(rows, HORIZONS, doubt)
    assert found is not None
    squares, x = doubt.difference**2, math.log(3.0)
    for place in range(len(HORIZONS)):
        loss = np.eye(len(HORIZONS))[place]
        curvature, slope, _ = np.polyfit(np.log(HORIZONS), loss, 2)
        squares += (doubt.length * (slope * x + curvature * x**2)) ** 2
    in_steps = math.sqrt(squares) / 0.5  # of log x, by a slope of 0.5
    assert error_by_tuning(rows, HORIZONS, doubt) == pytest.approx(in_steps, rel=0.02)
    width = math.log(found.high / found.low)
    assert width == pytest.approx(2 * 2.045 * in_steps, rel=0.1)  # Student's, 29 degrees
    assert speed_up_interval(rows, HORIZONS, Doubt(1.0, 0.0)) == (found.estimate, 0.0, math.inf)
    beyond = drawn(np.random.default_rng(0), power(0.5), 0.001, 60, 64.0)
    assert error_by_tuning(beyond, HORIZONS, doubt) == 0.0


def test_a_setting_that_diverges_counts_as_a_factor_of_ten():
    world = tuned(np.random.default_rng(0), power(0.5), 2.0, 0.2, 12, 1.25)
    choices = world.records["rival"].choices
    assert choices is not None
    shares = []
    for worse in (10.0, np.inf):
        losses = choices.losses.astype(np.float32)  # as they are measured
        losses[1] = worse * losses[0]
        rival = world.records["rival"]._replace(choices=choices._replace(losses=losses))
        runs = speed_up_runs(world._replace(records={**world.records, "rival": rival}), "rival")
        assert runs is not None and np.isfinite(runs.doubt).all()
        shares.append(runs.rows[:, 0])
    np.testing.assert_allclose(*shares, rtol=1e-5)
