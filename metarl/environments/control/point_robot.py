"""Point robot: a point in the plane walks to a goal that it does not see; rewards tell how far away it is.

Each action is a velocity, clipped to ±0.1 in each direction; an episode begins in the origin. Goals:

    goals=square   uniform in [-1/2, 1/2]²
    goals=circle   uniform on the upper half of the circle of radius 1

The reward is minus the squared distance from the goal after the step; with sparse=true it is 1 minus
the distance within 0.2 of the goal, and 0 elsewhere. An episode terminates within 0.01 of the goal (not if
sparse, where staying pays), and is truncated after H steps. Goals are real numbers, so no two tasks are the same.

References: Finn, Abbeel, Levine (2017), arXiv:1703.03400, section 5.3 (square, H = 100); Rakelly et al. (2019),
arXiv:1903.08254 (half circle, sparse rewards).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces

from ..contract.environment import Environment, Split, Step
from ..contract.setting_checks import one_of, whole_number, yes_or_no
from .pictures import draw_point

SPEED = 0.1  # the greatest step along x, and along y
THERE = 0.01  # so near is at the goal
NEAR = 0.2  # so near pays, if rewards are sparse


class PointRobotTask(NamedTuple):
    """A task."""

    goal: jax.Array  # [2]


class PointRobotState(NamedTuple):
    """Where an episode stands."""

    place: jax.Array  # [2]
    time: jax.Array  # [] int32


def point_robot(horizon: int = 100, goals: str = "square", sparse: bool = False) -> Environment:
    """Returns point robots; the module's docstring tells their rules.

    Args:
      horizon: H.
      goals: "square" or "circle".
      sparse: only near the goal there is a reward.

    Raises:
      InvalidInput: a setting is not accepted.
    """
    horizon, sparse = whole_number("horizon", horizon), yes_or_no("sparse", sparse)
    goals = one_of("goals", goals, ("square", "circle"))

    def draw_task(key: jax.Array, split: Split) -> PointRobotTask:
        del split
        if goals == "square":
            return PointRobotTask(jax.random.uniform(key, (2,), minval=-0.5, maxval=0.5))
        angle = jax.random.uniform(key, maxval=np.pi)
        return PointRobotTask(jnp.stack([jnp.cos(angle), jnp.sin(angle)]))

    def reset(key: jax.Array, task: PointRobotTask) -> tuple[jax.Array, PointRobotState]:
        del key, task
        origin = jnp.zeros(2)
        return origin, PointRobotState(origin, jnp.zeros((), jnp.int32))

    def step(
        key: jax.Array, state: PointRobotState, action: jax.Array, task: PointRobotTask
    ) -> Step:
        del key
        following = PointRobotState(_moved(state, action), state.time + 1)
        away = _away(following.place, task)
        terminated = (away < THERE) & (not sparse)
        truncated = (following.time >= horizon) & ~terminated
        reward = _reward(following.place, task, sparse)
        return Step(following.place, following, reward, terminated, truncated, {})

    def optimal_return(task: PointRobotTask) -> jax.Array:
        """The steps along x and y help each other nowhere, so the best are the straight ones."""

        def walk(place: jax.Array, _: Any):
            there = (_away(place, task) < THERE) & (not sparse)
            place = place + jnp.clip(task.goal - place, -SPEED, SPEED)
            return place, jnp.where(there, 0.0, _reward(place, task, sparse))

        return jnp.sum(jax.lax.scan(walk, jnp.zeros(2), length=horizon)[1])

    return Environment(
        name="point-robot",
        settings={"horizon": horizon, "goals": goals, "sparse": sparse},
        observation_space=spaces.Box(-np.inf, np.inf, (2,), np.float32),
        action_space=spaces.Box(-SPEED, SPEED, (2,), np.float32),
        horizon=horizon,
        draw_task=draw_task,
        reset=reset,
        step=step,
        fixed_length=sparse,
        optimal_return=optimal_return,
        mean_reward=lambda state, action, task: _reward(_moved(state, action), task, sparse),
        task_features=lambda task: 2 * task.goal,
        views={"top": draw_point},
        description="a point in the plane walks to a goal that is told by rewards alone",
    )


def _moved(state: PointRobotState, action: jax.Array) -> jax.Array:
    return state.place + jnp.clip(action, -SPEED, SPEED)


def _away(place: jax.Array, task: PointRobotTask) -> jax.Array:
    return jnp.sqrt(jnp.sum((place - task.goal) ** 2))


def _reward(place: jax.Array, task: PointRobotTask, sparse: bool) -> jax.Array:
    away = _away(place, task)
    return jnp.where(away <= NEAR, 1 - away, 0.0) if sparse else -(away**2)
