"""telling apart: which problems tell tuned optimizers apart, and what a run costs.

Nine standard optimizers are tuned on a problem as a comparison tunes them, on a few tuning seeds, and run at the rates
found on others, the same for all. Everything is judged on "search" splits: what the report of a comparison sees is not
looked at. Differences d_s of the logarithms of two optimizers' final losses on the same seeds s have the mean m and the
variance v; of the 36 pairs the middle one counts, so that one optimizer that diverges now and then decides nothing.

    spread    root of the median of m² - v / S: how far apart tuned optimizers are, 0.1 for some 10 % of the loss
    noise     root of the median of v / 2: what one run on a seed that is the same for all adds to that
    at half   the share of the fall of log loss, from the first step to the last, that the best optimizer has behind it
              at half the steps: near 1 the loss is finished early

A problem tells optimizers apart if the spread is above the noise and the loss is not finished at half the steps. As in
a comparison no ratio counts as more than a factor of ten, here around the seed's median.

Letters: O optimizers, P pairs of them, S seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from metarl import problems as problem_suite
from metarl.errors import require
from metarl.problems import Problem
from metarl.runs import Progress, SilentProgress
from metarl.statistics import fewest_runs

from ..comparing.comparison import standard_optimizers
from ..comparing.contest import Contest, Crew
from ..comparing.problem_names import suite_names
from ..comparing.settings_of_runs import Axes, runs_of
from ..comparing.tuning import tune
from ..judging.evaluators import driven_devices, executor
from ..settings.compare_config import CompareConfig
from ..training.inner_training import check_start
from ..training.seeding import replicate_seeds

OPTIMIZERS = (
    *("sgd", "momentum", "nesterov", "rmsprop", "adam"),
    *("adamw", "nadam", "sign-sgd", "lion"),
)
FINISHED = 0.95  # of the fall, at half the steps
_MOST = math.log(10.0)
_LEAST_LOSS = 1e-12
_ROUNDING = 1e-9


class Components(NamedTuple):
    """What the losses of tuned optimizers on the same seeds differ by."""

    spread: float  # between two optimizers
    noise: float  # of a run
    pairs: int  # of optimizers, whose 95 % interval of the paired difference excludes 0


def measure_problems(
    names: Sequence[str],
    *,
    tuning_seeds: int = 2,
    seeds: int = 8,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Returns the document of `metarl bench problems`.

    Args:
      names: of problems, or search, held-out and all.
      tuning_seeds: that learning rates are chosen on; half-decades on half of them.
      seeds: S, others, that the numbers are of.
      seed: of everything random.
      progress: where progress is shown; nowhere if None.

    Returns:
      "seed", "tuning_seeds", "seeds", "optimizers" and under "measured_problems" for each: "family", "steps", "spread",
      "noise", "ratio" of the two, "pairs" told apart, "at_half", "seconds" a run of Adam, "tells_apart", "best", and
      under "runs" by optimizer its learning rate and its final losses [S] (null where a run diverged). All but the
      seconds are the same whenever the same is asked.

    Raises:
      InvalidInput: an unknown problem, one whose loss is not finite before the first step or ends below zero, or too
        few seeds.
    """
    require(tuning_seeds >= 1, f"tuning_seeds must be at least 1, not {tuning_seeds}.")
    require(
        seeds >= fewest_runs(),
        f"seeds must be at least {fewest_runs()}, not {seeds}: fewer have no intervals.",
    )
    progress = progress or SilentProgress()
    suite = [problem_suite.load(name) for name in suite_names(names)]
    drawn = replicate_seeds(seed, "tuning", tuning_seeds + seeds)
    found: dict[str, Any] = {}
    progress.begin("problems", "problems")
    try:
        for number, problem in enumerate(suite):
            progress.report(number, len(suite), problem.name)
            check_start(problem)
            found[problem.name] = _measured(problem, drawn[:tuning_seeds], drawn[tuning_seeds:])
        progress.report(len(suite), len(suite))
    finally:
        progress.end()
    return {
        "seed": seed,
        "tuning_seeds": tuning_seeds,
        "seeds": seeds,
        "optimizers": list(OPTIMIZERS),
        "measured_problems": found,
    }


def _measured(problem: Problem, tuning: Sequence[int], fresh: Sequence[int]) -> dict[str, Any]:
    """Tunes everybody on a problem, and returns what their runs on fresh seeds say of it."""
    field = [one for one in standard_optimizers(OPTIMIZERS) if one.label in OPTIMIZERS]
    axes = Axes(CompareConfig().schedules)
    devices = driven_devices()
    # two points: half the steps, and the end
    contest = Contest(problem, problem.steps, tuning, fresh, points=2, axes=axes, devices=devices)
    if executor() == "switch":
        contest.share(field)
    with Crew(devices) as crew:
        tuned = tune(contest, field, crew.map)
        chosen = {one.label: tuned.best(one.label) for one in field}
        curves = crew.map(
            lambda one, device: contest.follow(
                one, runs_of(chosen[one.label], axes, contest.report), device
            ),
            field,
        )
        adam = next(one for one in field if one.label == "adam")
        run = runs_of(axes.first(0.0), axes, contest.report[:1])  # no rate at which it may diverge
        seconds = problem.steps * contest.seconds_per_step(adam, run, crew.device(0))
    losses = np.stack(curves)  # [O, S, 2]
    require_ratios(problem.name, losses)
    parts = components(losses[:, :, -1])
    best = int(np.argmin(np.log(np.maximum(losses[:, :, -1], _LEAST_LOSS)).mean(axis=1)))
    start = contest.losses_at_start(contest.report)
    at_half = share_at_half(start, losses[best, :, 0], losses[best, :, -1])
    return {
        "family": problem.family,
        "steps": problem.steps,
        "spread": parts.spread,
        "noise": parts.noise,
        "ratio": parts.spread / max(parts.noise, _LEAST_LOSS),
        "pairs": parts.pairs,
        "at_half": at_half,
        "seconds": seconds,
        "tells_apart": parts.spread > parts.noise and at_half < FINISHED,
        "best": field[best].label,
        "runs": {
            one.label: {
                "learning_rate": chosen[one.label].learning_rate,
                "losses": [float(x) if np.isfinite(x) else None for x in rows[:, -1]],
            }
            for one, rows in zip(field, losses, strict=True)
        },
    }


def require_ratios(name: str, losses: np.ndarray) -> None:
    """Refuses a problem whose losses have no ratios.

    Raises:
      InvalidInput: a loss is below zero.
    """
    require(
        not (losses < 0).any(),
        f"Problem {name!r} ends below zero; ratios of its losses say nothing of it.",
    )


def components(losses: np.ndarray) -> Components:
    """Returns spread, noise and pairs told apart of final losses.

    A median of variances of few seeds is lower than the variance: that of χ², over its mean, is divided out.

    Args:
      losses: [O, S], above zero; infinite where a run diverged.
    """
    x = np.log(np.clip(losses, _LEAST_LOSS, 1 / _LEAST_LOSS))
    middle = np.median(x, axis=0, keepdims=True)  # [1, S]
    x = middle + np.clip(x - middle, -_MOST, _MOST)
    seeds = x.shape[1]
    first, second = np.triu_indices(len(x), 1)
    differences = x[first] - x[second]  # [P, S]
    mean, variance = differences.mean(axis=1), differences.var(axis=1, ddof=1)
    spread = np.median(np.square(mean) - variance / seeds)
    noise = np.median(variance) / 2 / (special.chdtri(seeds - 1, 0.5) / (seeds - 1))
    half_width = special.stdtrit(seeds - 1, 0.975) * np.sqrt(variance / seeds)
    return Components(
        float(np.sqrt(max(0.0, spread))),
        float(np.sqrt(noise)),
        int((np.abs(mean) > half_width + _ROUNDING).sum()),
    )


def share_at_half(start: np.ndarray, half: np.ndarray, end: np.ndarray) -> float:
    """Returns the share of the fall of log loss that is done at half the steps; 1 where the loss does not fall.

    Args:
      start: losses before the first step, [S].
      half: at half the steps, [S].
      end: at the end, [S].
    """
    first, middle, last = (
        float(np.log(np.clip(x, _LEAST_LOSS, 1 / _LEAST_LOSS)).mean()) for x in (start, half, end)
    )
    return (first - middle) / (first - last) if last < first else 1.0
