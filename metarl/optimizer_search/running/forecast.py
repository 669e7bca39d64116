"""forecast: what a search will train, how long that takes here, and how much memory it needs.

Time is measured, not guessed: a few warm steps of Adam on each problem, times the steps that the settings ask for. The
figure is an upper bound for the search, since hopeless rules stop early. With racing it is the mean over the rules of a
generation, most of which have short runs alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from metarl import problems as problem_suite
from metarl.problems import Problem
from metarl.runs import peak_memory_mb

from ..comparing.comparison import comparison_size
from ..comparing.contest import Contest
from ..comparing.entrants import BASELINE, references
from ..comparing.settings_of_runs import runs_of
from ..judging.candidates import Trial
from ..judging.halving import Rounds, first_trial
from ..judging.judges import Judge, judges_of
from ..judging.panel import sweeping_trial
from ..judging.reference import HALF_DECADES, NEAR
from ..searching.programs import RATES_TRIED, comes_with_its_rate, search_trial, short_length
from ..searching.racing import SHARE
from ..searching.search_job import DEFAULT_BUDGET
from ..selecting.choice import choice_rounds
from ..selecting.meta_overfitting import MOMENTS
from ..settings.config import SearchConfig
from .pipeline import check, comparison_config

# A rule through the interpreter over the same steps of hard-coded Adam, measured by `metarl bench search`.
_INTERPRETER = 1.4
_COMPILE_SECONDS = 60.0
_CUTS = 25  # simpler rules judged for one finalist, all rounds together


def estimate(config: SearchConfig) -> dict[str, Any]:
    """Returns what a search would do; writes nothing.

    Returns:
      "problems": by judge (a problem at one horizon), runs and steps of one rule and the measured microseconds a
      step; "schedule" of the learning rates in search and choice; "rules"; "networks", trained at most in the search;
      "search_seconds" at most; "selection_seconds", of the stages between search and comparison, at most;
      "comparison_networks" and "comparison_seconds", on all problems of the comparison, unless its grid is widened;
      "threads"; "memory_mb", a rough bound for the process.

    Raises:
      InvalidInput: the settings cannot be used.
    """
    suite = check(config)
    threads = jax.local_device_count()
    training = config.training
    judges = judges_of(suite, training.steps, training.horizons)
    final = config.final
    compared = [problem_suite.load(name) for name in comparison_config(config).problem]
    others = [problem_suite.load(name) for name in (*final.funnel, *final.meta_overfitting)]
    everything = {p.name: p for p in (*suite, *others, *compared)}
    speeds = {n: _microseconds(p, training.steps or p.steps) for n, p in everything.items()}
    costs = {j.name: _cost(j, config, speeds[j.problem.name]) for j in judges}
    rules = config.budget or DEFAULT_BUDGET
    twice = 2 if final.random_baseline and config.strategy != "random" else 1
    per_rule = sum(c["steps_per_rule"] * c["microseconds_per_step"] for c in costs.values())
    seconds = rules * twice * per_rule * 1e-6 * _INTERPRETER / threads
    runs = sum(cost["runs_per_rule"] for cost in costs.values())
    networks = {p.name: comparison_size(config.finalists + 1, final, p) for p in compared}
    work = sum(networks[p.name] * (training.steps or p.steps) * speeds[p.name] for p in compared)
    return {
        "problems": costs,
        "schedule": training.schedule,
        "held_out": list(final.held_out),
        "rules": rules if config.minutes is None else None,
        "networks": round(rules * runs * twice),
        "search_seconds": 60 * config.minutes * twice if config.minutes else seconds,
        "selection_seconds": _selection_seconds(config, judges, speeds) / threads,
        "comparison_networks": sum(networks.values()),
        "comparison_seconds": work * 1e-6 / threads + _COMPILE_SECONDS,
        "threads": threads,
        "memory_mb": round(peak_memory_mb() + 300),
    }


def _selection_seconds(
    config: SearchConfig, judges: list[Judge], speeds: dict[str, float]
) -> float:
    """Returns the seconds of one thread that choice, further problems, simplification and meta-overfitting take."""
    final = config.final

    def sweeping(seeds: int) -> Callable[[int], Trial]:
        return lambda steps: sweeping_trial(steps, seeds, config)

    larger = judges_of(map(problem_suite.load, final.funnel), horizons=final.funnel_horizons)
    elsewhere = judges_of(map(problem_suite.load, final.meta_overfitting), config.training.steps)
    cuts = 0 if final.simplify is None else _CUTS * config.finalists
    panels = (
        (larger, sweeping(final.funnel_seeds), final.funnel_rules),
        (elsewhere, sweeping(final.funnel_seeds), MOMENTS),
        (judges, sweeping(final.choice_seeds), cuts),
    )
    rounds = choice_rounds(config)
    choosing = _choice_runs(rounds, final.candidates) + _choice_runs(rounds, MOMENTS, again=True)
    own = sum(choosing * judge.steps * speeds[judge.problem.name] * 1e-6 for judge in judges)
    return own + sum(
        _panel_steps(trial_of(judge.steps), rules) * speeds[judge.problem.name] * 1e-6
        for asked, trial_of, rules in panels
        for judge in asked
    )


def _choice_runs(rounds: Rounds, rules: int, again: bool = False) -> float:
    """Returns the runs, as many of Adam, of so many rules of a choice, or of rules that its panel judges again."""
    first = first_trial(1, rounds, SearchConfig())
    runs, tuning = rules * (first.short_lanes + first.full_lanes), len(NEAR) * rounds.portion
    if again:
        return _INTERPRETER * (runs + rules * (tuning + rounds.portion * rounds.report))
    _, *later = rounds.document(rules)
    runs += sum(part["rules"] * part["seeds"] for part in later)
    runs += later[0]["rules"] * (tuning - rounds.portion)
    adam = len(HALF_DECADES) * 3 * rounds.portion + tuning * (1 + rounds.portions)
    return _INTERPRETER * runs + adam


def _panel_steps(trial: Trial, rules: int) -> float:
    """Returns the steps in which a judge's panel tunes and runs so many rules, and Adam beside them."""
    if rules == 0:
        return 0.0
    each = trial.short_lanes * trial.sweep_steps + trial.full_lanes * trial.full_steps
    return (
        _INTERPRETER * rules * each + len(HALF_DECADES) * trial.full_replicates * trial.full_steps
    )


def _cost(judge: Judge, config: SearchConfig, microseconds: float) -> dict[str, Any]:
    """Returns runs and steps of one rule by a judge; with racing of the mean rule, that share of which goes on."""
    training = config.training
    if comes_with_its_rate(config):
        refined = config.racing or training.refine
        rates = len(training.multiples if training.one_rate else training.learning_rates)
        short = min(RATES_TRIED, rates) if config.racing else rates
        short += 2 * refined  # the half-decades beside the best
        full = (1 + refined) * training.seeds * (SHARE if config.racing else 1.0)
        steps = short * short_length(judge.steps, config) + full * judge.steps
        return {
            "runs_per_rule": short + full,
            "steps_per_rule": round(steps),
            "full_steps": judge.steps,
            "microseconds_per_step": microseconds,
        }
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
    one = runs_of(contest.axes.first(1e-3), contest.axes, contest.report)
    seconds = [contest.seconds_per_step(adam, one, device) for _ in range(4)][1:]
    return float(np.median(seconds)) * 1e6
