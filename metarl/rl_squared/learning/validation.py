"""Validation: every so many environment steps the agent is tried on validation tasks; the best is kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from metarl.environments import Agent, Trial, play, play_on_host

from .sizes import Sizes
from .train_state import Params, TrainProgress, TrainState


def is_due(progress: TrainProgress, every: int, sizes: Sizes) -> bool:
    """Tells whether it is time: `every` so many environment steps, and at the end of the budget."""
    if progress.tried_at == progress.env_steps:
        return False
    if progress.env_steps // every > max(progress.tried_at, 0) // every:
        return True
    updates = sizes.reinforcement_updates
    return updates is not None and progress.reinforcement >= updates


def validation_return(
    agent: Agent,
    trial: Trial,
    key: jax.Array,
    tasks: int,
    each_step: Callable[[], None] | None = None,
) -> float:
    """Returns the mean trial return on so many validation tasks, by sampled actions.

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
        return float(np.mean(played.totals))
    drawn = environment.sample_tasks(task_key, tasks, "validation")
    return float(np.mean(play(agent, trial, key, drawn).totals))


def with_best(
    state: TrainState, candidates: Sequence[Params], scores: Sequence[float]
) -> tuple[TrainState, dict[str, Any]]:
    """Returns the state in which the best agent so far is kept, and what is logged.

    Args:
      state: of which the candidates are.
      candidates: parameters of acting policies, one for each seed.
      scores: their mean returns on validation tasks.
    """
    progress, score = state.progress, max(scores)
    better = score > progress.best_score
    tried = progress._replace(
        tried_at=progress.env_steps,
        best_score=max(score, progress.best_score),
        best_at=progress.env_steps if better else progress.best_at,
        without_best=0 if better else progress.without_best + 1,
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
