"""Whether a family of your own keeps the laws that play, training and gymnasium rely on.

Letters: N tasks played; H steps of an episode at most.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces

from metarl.errors import require

from .encoding import draw_member
from .environment import Environment
from .signatures import check_signatures
from .task_checks import all_finite

TASKS_PLAYED = 4
LONGEST_PLAYED = 1000  # steps


def check_environment(environment: Environment, seed: int = 0) -> Environment:
    """Checks a family of your own: its shapes, then some episodes of random actions.

    Args:
      environment: the family.
      seed: of tasks, luck and actions.

    Returns:
      The same environment.

    Raises:
      InvalidInput: a function fails or gives other shapes than the spaces say; an observation lies
        outside its space; a number is not finite; an episode is longer than the horizon, or than
        `fixed_length` says; the same key gives other numbers the second time.
    """
    check_signatures(environment)
    played, again = (_play_randomly(environment, seed) for _ in range(2))
    name = f"Environment {environment.name!r}"
    same = jax.tree.map(lambda a, b: np.array_equal(a, b, equal_nan=True), played, again)
    require(
        all(jax.tree.leaves(same)),
        f"{name}: the same key gives other numbers the second time; draw random numbers from the "
        "key alone.",
    )
    task, first, observations, rewards, ended = played
    for path, leaf in jax.tree_util.tree_leaves_with_path(task):
        require(
            all_finite(leaf),
            f"{name}: draw_task gives NaN or infinity{jax.tree_util.keystr(path)}.",
        )
    before = np.cumsum(ended, axis=1) - ended == 0  # [N, H], up to the end of the episode
    require(all_finite(rewards[before]), f"{name}: a reward is NaN or infinite.")
    seen = np.concatenate([first, observations[before]])
    _check_members(name, environment.observation_space, seen)
    _check_lengths(name, environment, ended)
    return environment


def _check_members(name: str, space: spaces.Space, observations: np.ndarray) -> None:
    for observation in observations:
        require(
            space.contains(np.asarray(observation, space.dtype)),
            f"{name}: observation {observation} is not in the observation space {space}.",
        )


def _check_lengths(name: str, environment: Environment, ended: np.ndarray) -> None:
    if ended.shape[1] < environment.horizon:
        return
    require(
        bool(ended.any(axis=1).all()),
        f"{name}: an episode has not ended after {environment.horizon} steps, its horizon; "
        "`truncated` must be true at the latest then.",
    )
    require(
        not environment.fixed_length or not ended[:, :-1].any(),
        f"{name}: an episode ended before its horizon {environment.horizon}; with fixed_length none "
        "may.",
    )


def _play_randomly(environment: Environment, seed: int) -> Any:
    """Returns task, first observation [N], observations, rewards and ends [N, H] of random actions."""

    def play_one(key: jax.Array) -> Any:
        task_key, reset_key, steps_key = jax.random.split(key, 3)
        task = environment.sample_task(task_key)

        def advance(state: Any, index: jax.Array) -> Any:
            action_key, step_key = jax.random.split(jax.random.fold_in(steps_key, index))
            action = draw_member(action_key, environment.action_space)
            step = environment.step(step_key, state, action, task)
            return step.state, (step.observation, step.reward, step.terminated | step.truncated)

        steps = min(environment.horizon, LONGEST_PLAYED)
        first, state = environment.reset(reset_key, task)
        _, seen = jax.lax.scan(advance, state, jnp.arange(steps))
        return task, first, *seen

    # Some steps of a few worlds: compiling takes far longer than playing, so it does no more than it must.
    compiled = jax.jit(jax.vmap(play_one), compiler_options={"xla_backend_optimization_level": 0})
    return jax.device_get(compiled(jax.random.split(jax.random.key(seed), TASKS_PLAYED)))
