"""forecast: what a search will train, how long that takes here, and how much memory it needs.

Time is measured, not guessed: a few warm steps of Adam on each problem, times the steps that the settings ask for. The
figure is an upper bound for the search, since hopeless rules stop early.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from metarl.problems import Problem
from metarl.runs import peak_memory_mb

from .comparison import comparison_size
from .config import SearchConfig
from .contest import Contest, Runs
from .entrants import BASELINE, references
from .judges import Judge, judges_of
from .pipeline import check
from .search_job import DEFAULT_BUDGET, search_trial

# A rule through the interpreter over the same steps of hard-coded Adam, measured by `metarl bench search`.
_INTERPRETER = 1.4
_COMPILE_SECONDS = 60.0


def estimate(config: SearchConfig) -> dict[str, Any]:
    """Returns what a search would do; writes nothing.

    Returns:
      "problems": by judge (a problem at one horizon), runs and steps of one rule and the measured microseconds a
      step; "rules"; "networks", trained at most in the search; "search_seconds" at most; "comparison_networks";
      "comparison_seconds"; "threads";
      "memory_mb", a rough bound for the process.

    Raises:
      InvalidInput: the settings cannot be used.
    """
    suite = check(config)
    threads = jax.local_device_count()
    training = config.training
    judges = judges_of(suite, training.steps, training.horizons)
    speeds = {p.name: _microseconds(p, training.steps or p.steps) for p in suite}
    costs = {j.name: _cost(j, config, speeds[j.problem.name]) for j in judges}
    rules = config.budget or DEFAULT_BUDGET
    twice = 2 if config.final.random_baseline and config.strategy != "random" else 1
    per_rule = sum(c["steps_per_rule"] * c["microseconds_per_step"] for c in costs.values())
    seconds = rules * twice * per_rule * 1e-6 * _INTERPRETER / threads
    runs = sum(cost["runs_per_rule"] for cost in costs.values())
    networks = comparison_size(config.finalists + 1, config.final)
    step = max(cost["microseconds_per_step"] for cost in costs.values())
    steps = max(cost["full_steps"] for cost in costs.values())
    return {
        "problems": costs,
        "held_out": list(config.final.held_out),
        "rules": rules if config.minutes is None else None,
        "networks": rules * runs * twice,
        "search_seconds": 60 * config.minutes * twice if config.minutes else seconds,
        "comparison_networks": networks * (1 + len(config.final.held_out)),
        "comparison_seconds": networks * steps * step * 1e-6 / threads + _COMPILE_SECONDS,
        "threads": threads,
        "memory_mb": round(peak_memory_mb() + 300),
    }


def _cost(judge: Judge, config: SearchConfig, microseconds: float) -> dict[str, Any]:
    trial = search_trial(judge.steps, config)
    sweep = trial.short_lanes
    return {
        "runs_per_rule": sweep + trial.full_lanes,
        "steps_per_rule": sweep * trial.sweep_steps + trial.full_lanes * trial.full_steps,
        "full_steps": trial.full_steps,
        "microseconds_per_step": microseconds,
    }


def _microseconds(problem: Problem, steps: int) -> float:
    """Returns the time of one warm step of Adam."""
    contest = Contest(problem, steps, [0], [1])
    adam = next(entrant for entrant in references() if entrant.label == BASELINE)
    device = jax.local_devices()[0]
    one = Runs(np.full(1, 1e-3), np.zeros(1), np.zeros(1), contest.report)
    seconds = [contest.seconds_per_step(adam, one, device) for _ in range(4)][1:]
    return float(np.median(seconds)) * 1e6
