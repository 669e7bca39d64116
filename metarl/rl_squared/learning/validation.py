"""Validation: every so many environment steps the agent is tried on validation tasks; the best is kept.

Whoever is tried meets the same tasks with the same luck, so also the agent that acts at random, which
shows whether anything has been learnt.

Letters: N tasks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from metarl import classical_agents
from metarl.environments import Agent, Trial, play, play_on_host
from metarl.statistics import mean_interval

from .sizes import Sizes
from .train_state import Params, TrainProgress, TrainState


def is_due(progress: TrainProgress, every: int, sizes: Sizes) -> bool:
    """Tells whether it is time: `every` so many environment steps, and at the end of the budget."""
    if progress.tried_at == progress.env_steps:
        return False
    if progress.env_steps // every > max(progress.tried_at, 0) // every:
        return True
    return sizes.env_steps is not None and progress.env_steps >= sizes.env_steps


def validation_returns(
    agent: Agent,
    trial: Trial,
    key: jax.Array,
    tasks: int,
    each_step: Callable[[], None] | None = None,
) -> np.ndarray:
    """Returns the trial returns on so many validation tasks [N], by sampled actions.

    Args:
      agent: who acts.
      trial: the environment and the budget.
      key: of tasks and luck.
      tasks: how many.
      each_step: called before every step in worlds on the host; what it raises ends the play.
    """
    task_key, key = jax.random.split(key)
    environment = trial.environment
    if environment.on_host:
        seed = int(jax.random.bits(key))
        played = play_on_host(agent, trial, seed, tasks, "validation", each_step=each_step)
        return np.asarray(played.totals)
    drawn = environment.sample_tasks(task_key, tasks, "validation")
    return np.asarray(play(agent, trial, key, drawn).totals)


class BesideRandom(NamedTuple):
    """An agent beside one that acts at random, on the same validation tasks."""

    random_return: float
    beats_random: bool  # the 95 % interval of the differences by task lies above 0


def beside_random(
    agent: Agent,
    trial: Trial,
    key: jax.Array,
    tasks: int,
    each_step: Callable[[], None] | None = None,
) -> BesideRandom:
    """Compares an agent with the random one on so many validation tasks; see `validation_returns`."""
    blind = classical_agents.make("random", trial)
    by_chance = validation_returns(blind, trial, jax.random.clone(key), tasks, each_step)
    gain = validation_returns(agent, trial, key, tasks, each_step) - by_chance
    return BesideRandom(float(np.mean(by_chance)), bool(mean_interval(gain).low > 0))


def with_best(
    state: TrainState, candidates: Sequence[Params], scores: Sequence[float], rested: bool = False
) -> tuple[TrainState, dict[str, Any]]:
    """Returns the state in which the best agent so far is kept, and what is logged.

    Args:
      state: of which the candidates are.
      candidates: parameters of acting policies, one for each seed.
      scores: their mean returns on validation tasks.
      rested: the policy is what it was at the trial before, which says nothing of how long there was no new best.
    """
    progress, score = state.progress, max(scores)
    better = score > progress.best_score
    without_best = progress.without_best + (not rested)
    tried = progress._replace(
        tried_at=progress.env_steps,
        best_score=max(score, progress.best_score),
        best_at=progress.env_steps if better else progress.best_at,
        without_best=0 if better else without_best,
    )
    best = candidates[int(np.argmax(scores))] if better else state.best
    logged: dict[str, Any] = {"validation_return": score}
    if len(scores) > 1:
        logged["validation_returns"] = list(scores)
    return dataclasses.replace(state, best=best, progress=tried), logged


def fresh_best_score(progress: TrainProgress) -> float | None:
    """Returns the validation return of a state that has just been found the best so far."""
    just_tried = progress.tried_at == progress.env_steps > 0
    return progress.best_score if just_tried and progress.without_best == 0 else None
