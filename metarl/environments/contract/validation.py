"""Whether a family of your own keeps the laws that play, training and gymnasium rely on.

Letters: N tasks played of each split; H steps of an episode at most.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces

from metarl.errors import require

from .encoding import draw_member
from .environment import SPLITS, Environment
from .signatures import check_signatures
from .task_checks import all_finite

TASKS_PLAYED, TASKS_DRAWN = 4, 64  # of each split
LONGEST_PLAYED = 1000  # steps


def check_environment(environment: Environment, seed: int = 0) -> Environment:
    """Checks a family of your own: its shapes, then some episodes of random actions in each split.

    Args:
      environment: the family.
      seed: of tasks, luck and actions.

    Returns:
      The same environment.

    Raises:
      InvalidInput: a function fails or gives other shapes than the spaces say; an observation lies
        outside its space; a number is not finite; an episode is longer than the horizon, or than
        `fixed_length` says; the same key gives other numbers the second time; a task of one split
        is in another, and `shared_tasks` does not say so.
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
    tasks, first, observations, rewards, ended = played
    for split, drawn in zip(SPLITS, tasks, strict=True):
        for path, leaf in jax.tree_util.tree_leaves_with_path(drawn):
            place = jax.tree_util.keystr(path)
            require(
                all_finite(leaf),
                f"{name}: draw_task gives NaN or infinity{place} in split {split!r}.",
            )
    if not environment.shared_tasks:
        _check_disjoint(name, tasks)
    before = np.cumsum(ended, axis=1) - ended == 0  # [N, H], up to the end of the episode
    require(all_finite(rewards[before]), f"{name}: a reward is NaN or infinite.")
    seen = np.concatenate([first, observations[before]])
    _check_members(name, environment.observation_space, seen)
    _check_lengths(name, environment, ended)
    return environment


def _check_disjoint(name: str, tasks: Sequence[Any]) -> None:
    """Refuses splits of which one holds a task of another; the tasks of each have an axis [N]."""

    def rows(drawn: Any) -> list[bytes]:
        leaves = [np.asarray(leaf).reshape(TASKS_DRAWN, -1) for leaf in jax.tree.leaves(drawn)]
        return [b"".join(leaf[i].tobytes() for leaf in leaves) for i in range(TASKS_DRAWN)]

    drawn = dict(zip(SPLITS, map(rows, tasks), strict=True))
    for split, other in itertools.combinations(SPLITS, 2):
        shared = sum(row in set(drawn[split]) for row in drawn[other])
        require(
            not shared,
            f"{name}: {shared} of {TASKS_DRAWN} tasks drawn for {other!r} were drawn for {split!r} "
            "too; no split may hold a task of another. Deal them out in draw_task by its `split`, or "
            "say shared_tasks=True where there are too few.",
        )


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
    """Returns tasks of each split; first observations [3 N], observations, rewards and ends [3 N, H]."""

    def draw(key: jax.Array) -> list[Any]:
        keys = jax.random.split(key, TASKS_DRAWN)
        return [jax.vmap(lambda key: environment.sample_task(key, split))(keys) for split in SPLITS]  # noqa: B023

    def play_one(key: jax.Array, task: Any) -> Any:
        reset_key, steps_key = jax.random.split(key)

        def advance(state: Any, index: jax.Array) -> Any:
            action_key, step_key = jax.random.split(jax.random.fold_in(steps_key, index))
            action = draw_member(action_key, environment.action_space)
            step = environment.step(step_key, state, action, task)
            return step.state, (step.observation, step.reward, step.terminated | step.truncated)

        steps = min(environment.horizon, LONGEST_PLAYED)
        first, state = environment.reset(reset_key, task)
        _, seen = jax.lax.scan(advance, state, jnp.arange(steps))
        return first, *seen

    def play_all(key: jax.Array) -> Any:
        tasks_key, worlds_key = jax.random.split(key)
        tasks = draw(tasks_key)
        played = jax.tree.map(
            lambda *drawn: jnp.concatenate([x[:TASKS_PLAYED] for x in drawn]), *tasks
        )
        keys = jax.random.split(worlds_key, len(SPLITS) * TASKS_PLAYED)
        return tasks, *jax.vmap(play_one)(keys, played)

    # Some steps of a few worlds: compiling takes far longer than playing, so it does no more than it must.
    compiled = jax.jit(play_all, compiler_options={"xla_backend_optimization_level": 0})
    return jax.device_get(compiled(jax.random.key(seed)))
