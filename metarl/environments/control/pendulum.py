"""A pendulum to be swung up and held there by a motor too weak to lift it at once; physics per task.

gymnasium's Pendulum-v1, equation by equation: with `physics_range` 0 its trajectories are the same.
Angle 0 is upright. A step costs angle² + 0.1 velocity² + 0.001 torque², taken before it, the angle
from -π to π. Episodes are truncated after 200 steps.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces

from ..contract.environment import Environment, Step
from ..contract.setting_checks import whole_number
from .physics import physical_family
from .pictures import draw_pendulum

FASTEST = 8.0  # rad/s
STRONGEST = 2.0  # N m
SECONDS = 0.05  # of a step


class Pendulum(NamedTuple):
    """A task."""

    gravity: jax.Array  # [] m/s²
    mass: jax.Array  # [] kg
    length: jax.Array  # [] m


class PendulumState(NamedTuple):
    """Where an episode stands."""

    angle: jax.Array  # [] rad, counted on beyond a turn
    velocity: jax.Array  # [] rad/s
    time: jax.Array  # [] int32, steps


USUAL = Pendulum(10.0, 1.0, 1.0)  # pyright: ignore[reportArgumentType]


def pendulum(
    horizon: int = 200, physics_range: float = 0.0, show_physics: bool = False
) -> Environment:
    """Returns pendulums.

    Args:
      horizon: H; then an episode is truncated.
      physics_range: r; each constant is drawn log-uniformly between 1 / (1 + r) times and 1 + r
        times gymnasium's own. 0 gives one task alone, which all splits share.
      show_physics: let observations end with the constants, each from -1 to 1 in its range.

    Raises:
      InvalidInput: a setting is not accepted.
    """
    horizon = whole_number("horizon", horizon)

    def reset(key: jax.Array, task: Pendulum) -> tuple[jax.Array, PendulumState]:
        del task
        angle, velocity = jax.random.uniform(key, (2,), minval=-1.0, maxval=1.0)
        state = PendulumState(angle * jnp.pi, velocity, jnp.zeros((), jnp.int32))
        return observe(state), state

    def step(key: jax.Array, state: PendulumState, action: jax.Array, task: Pendulum) -> Step:
        del key
        torque = jnp.clip(action[0], -STRONGEST, STRONGEST)
        angle = jnp.mod(state.angle + jnp.pi, 2 * jnp.pi) - jnp.pi
        cost = angle**2 + 0.1 * state.velocity**2 + 0.001 * torque**2
        state = move(state, torque, task)
        ends = state.time >= horizon
        return Step(observe(state), state, -cost, jnp.zeros((), bool), ends, {})

    most = np.array([1.0, 1.0, FASTEST], np.float32)
    return physical_family(
        USUAL,
        physics_range,
        show_physics,
        about="a pendulum swung up by a weak motor",
        name="pendulum",
        observation_space=spaces.Box(-most, most, dtype=np.float32),
        action_space=spaces.Box(-STRONGEST, STRONGEST, (1,), np.float32),
        horizon=horizon,
        reset=reset,
        step=step,
        views={"side": draw_pendulum},
        fixed_length=True,
    )


def move(state: PendulumState, torque: jax.Array, task: Pendulum) -> PendulumState:
    """Returns the state one step later, the new velocity moving the angle."""
    pull = 1.5 * task.gravity / task.length * jnp.sin(state.angle)
    push = 3.0 * torque / (task.mass * task.length**2)
    velocity = jnp.clip(state.velocity + SECONDS * (pull + push), -FASTEST, FASTEST)
    return PendulumState(state.angle + SECONDS * velocity, velocity, state.time + 1)


def observe(state: PendulumState) -> jax.Array:
    """Returns cosine and sine of the angle and the velocity [3]."""
    direction = jnp.stack([jnp.cos(state.angle), jnp.sin(state.angle)])
    # Rounding may carry a cosine just beyond 1, out of the observation space.
    return jnp.append(jnp.clip(direction, -1.0, 1.0), state.velocity)
