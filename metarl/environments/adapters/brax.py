"""Bodies of brax as families of tasks, compiled into our programs; told by reward alone where to, or how fast.

    load("brax:halfcheetah", goal="velocity")

    goal=velocity    a task is a velocity v ~ U(0, fastest); the reward is -|v_x - v| - c |a|²
    goal=direction   a task is a direction d, 1 or -1; the reward is d v_x - c |a|². There are two tasks, so
                     all splits share them
    goal=none        the world's own reward; one task

c = 0.05 is the `control_cost`, as in `half-cheetah-velocity` and `-direction`, which MuJoCo steps on the host.
A fall terminates; brax's bodies have no clock of their own (`brax.envs.create` wraps one around), so ours
truncates. brax writes a step's metrics into the dict of the state before; we hand it a copy.

References: Freeman et al. (2021), arXiv:2106.13281; Finn et al. (2017), arXiv:1703.03400, section 5.3 (half
cheetah: goal velocities from 0 to 2, and directions).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces

from metarl.errors import require, unknown_name

from ..contract.environment import Environment, Split, Step
from ..contract.setting_checks import one_of, real_number, whole_number
from .pieces import CONTROL_COST, as_before, goal_reward, imported, strong

GOALS = ("none", "velocity", "direction")
BACKENDS = ("generalized", "spring", "positional", "mjx")
_VELOCITY = "x_velocity"


class BodyTask(NamedTuple):
    """A task."""

    goal: jax.Array  # [] velocity, or direction


class BodyState(NamedTuple):
    """Where an episode stands."""

    world: Any  # brax's own
    time: jax.Array  # [] int32


def brax_world(
    id: str,
    *,
    horizon: int = 200,
    goal: str = "none",
    fastest: float = 2.0,
    control_cost: float = CONTROL_COST,
    backend: str = BACKENDS[0],
) -> Environment:
    """Returns a body of brax by its name.

    Args:
      id: such as "halfcheetah".
      horizon: H; then an episode is truncated.
      goal: "none", "velocity" or "direction".
      fastest: the greatest goal velocity.
      control_cost: c, of a goal's reward.
      backend: of the physics: "generalized", "spring", "positional" or "mjx".

    Raises:
      InvalidInput: brax cannot be imported, has no such body, the body does not tell its velocity, or a
        setting is not accepted.
    """
    envs = imported("brax.envs", f"brax:{id}", "brax")
    horizon, goal = whole_number("horizon", horizon), one_of("goal", goal, GOALS)
    fastest = real_number("fastest", fastest, above=0.0)
    control_cost = real_number("control_cost", control_cost, least=0.0)
    backend = one_of("backend", backend, BACKENDS)
    known = tuple(envs._envs)
    if id not in known:
        raise unknown_name("body of brax", id, known)
    world = envs.get_environment(id, backend=backend)
    first = jax.eval_shape(world.reset, jax.eval_shape(lambda: jax.random.PRNGKey(0)))
    require(
        goal == "none" or _VELOCITY in first.metrics,
        f"Body {id!r} of brax does not tell {_VELOCITY}, by which goal={goal} is rewarded; halfcheetah does.",
    )

    def draw_task(key: jax.Array, split: Split) -> BodyTask:
        del split
        if goal == "velocity":
            return BodyTask(jax.random.uniform(key, maxval=fastest))
        sign = jax.random.rademacher(key, (), jnp.float32)
        return BodyTask(sign if goal == "direction" else jnp.ones(()))

    def reset(key: jax.Array, task: BodyTask) -> tuple[jax.Array, BodyState]:
        del task
        state = strong(world.reset(jax.random.key_data(key)))
        return state.obs.astype(jnp.float32), BodyState(state, jnp.int32(0))

    def step(key: jax.Array, state: BodyState, action: jax.Array, task: BodyTask) -> Step:
        del key
        before = state.world
        own = before.replace(metrics=dict(before.metrics), info=dict(before.info))
        action = jnp.clip(action, -1.0, 1.0)
        following = as_before(before, world.step(own, action))
        time = state.time + 1
        terminated = following.done > 0
        truncated = (time >= horizon) & ~terminated
        if goal == "none":
            reward = following.reward
        else:
            moved, effort = following.metrics[_VELOCITY], jnp.sum(action**2)
            reward = goal_reward(goal, task.goal, moved, effort, control_cost)
        observation = following.obs.astype(jnp.float32)
        reward, state = reward.astype(jnp.float32), BodyState(following, time)
        return Step(observation, state, reward, terminated, truncated, {})

    return Environment(
        name=f"brax:{id}",
        settings={
            "horizon": horizon,
            "goal": goal,
            "fastest": fastest,
            "control_cost": control_cost,
            "backend": backend,
        },
        observation_space=spaces.Box(-np.inf, np.inf, first.obs.shape, np.float32),
        action_space=spaces.Box(-1.0, 1.0, (int(world.action_size),), np.float32),
        horizon=horizon,
        draw_task=draw_task,
        reset=reset,
        step=step,
        shared_tasks=goal != "velocity",
        task_features=lambda task: task.goal[None],
        description=f"{id} of brax"
        + ("" if goal == "none" else f", a {goal} told by reward alone"),
    )
