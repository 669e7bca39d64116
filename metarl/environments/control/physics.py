"""How the constants of a physical system are drawn: each by itself, about what it usually is.

With a range r a constant c is drawn log-uniformly from [c / (1 + r), c (1 + r)], so twice as heavy is
as likely as half as heavy. With r = 0 every task is the usual system. A family may show them to the
agent, which is then an oracle for those that have to find them out.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces

from ..contract.environment import Environment, Split, Step
from ..contract.setting_checks import real_number, yes_or_no

Constants = TypeVar("Constants", bound=tuple)


def physical_family(
    usual: tuple, physics_range: float, show_physics: bool, about: str, **fields: Any
) -> Environment:
    """Returns a family whose tasks are the constants of a physical system.

    Args:
      usual: what the constants usually are, a NamedTuple of positive numbers.
      physics_range: r; each constant is drawn log-uniformly between 1 / (1 + r) times and 1 + r
        times its usual value. 0 gives one task alone, which all splits share.
      show_physics: let observations end with the constants, each from -1 to 1 in its range.
      about: what is described, before what is said of the constants.
      **fields: all other fields of `Environment`.

    Raises:
      InvalidInput: a setting is not accepted.
    """
    physics_range = real_number("physics_range", physics_range, least=0.0)
    show_physics = yes_or_no("show_physics", show_physics)

    def draw_task(key: jax.Array, split: Split) -> tuple:
        del split
        return draw_constants(key, usual, physics_range)

    environment = Environment(
        settings={
            "horizon": fields["horizon"],
            "physics_range": physics_range,
            "show_physics": show_physics,
        },
        draw_task=draw_task,
        task_features=lambda task: constant_features(task, usual, physics_range),
        description=f"{about}, {told(physics_range)}",
        shared_tasks=physics_range == 0,
        **fields,
    )
    return showing_constants(environment) if show_physics else environment


def draw_constants(key: jax.Array, usual: Constants, physics_range: float) -> Constants:
    """Draws the constants of one task.

    Args:
      key: consumed.
      usual: a NamedTuple of numbers, all positive.
      physics_range: r, at least 0.

    Returns:
      A NamedTuple of the same kind, of arrays [].
    """
    exponents = jax.random.uniform(key, (len(usual),), minval=-1.0, maxval=1.0)
    factors = jnp.exp(exponents * math.log1p(physics_range))
    return type(usual)(*(jnp.asarray(c * factors[i]) for i, c in enumerate(usual)))


def constant_features(constants: Constants, usual: Constants, physics_range: float) -> jax.Array:
    """Returns where in their range the constants lie [F], each from -1 to 1."""
    ratios = jnp.stack([drawn / c for drawn, c in zip(constants, usual, strict=True)])
    return jnp.log(ratios) / (math.log1p(physics_range) or 1.0)


def showing_constants(environment: Environment) -> Environment:
    """Returns a family whose observations end with the constants of the task, as `constant_features` has them.

    Args:
      environment: with observations that are vectors, and `task_features`.
    """
    features, space = environment.task_features, environment.observation_space
    assert features is not None and isinstance(space, spaces.Box)
    count = jax.eval_shape(
        lambda key: features(environment.sample_task(key)), jax.random.key(0)
    ).shape
    edge = np.ones(count, np.float32)
    low, high = np.concatenate([space.low, -edge]), np.concatenate([space.high, edge])

    def shown(observation: Any, task: Any) -> jax.Array:
        # Rounding may carry a constant just beyond its range.
        return jnp.append(observation, jnp.clip(features(task), -1.0, 1.0))

    def reset(key: jax.Array, task: Any) -> tuple[jax.Array, Any]:
        observation, state = environment.reset(key, task)
        return shown(observation, task), state

    def step(key: jax.Array, state: Any, action: jax.Array, task: Any) -> Step:
        taken = environment.step(key, state, action, task)
        return taken._replace(observation=shown(taken.observation, task))

    observation_space = spaces.Box(low, high, dtype=np.float32)
    return dataclasses.replace(
        environment, observation_space=observation_space, reset=reset, step=step
    )


def told(physics_range: float) -> str:
    """Returns what a family's description says of its range."""
    if physics_range == 0:
        return "as in gymnasium; physics_range=1 draws its constants"
    return f"constants drawn within a factor of {1 + physics_range:g}"
