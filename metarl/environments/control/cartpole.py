"""A pole on a cart, to be kept upright by pushing the cart left or right; physics drawn per task.

gymnasium's CartPole-v1, equation by equation: with `physics_range` 0 its trajectories are the same. An
episode terminates when the pole leans more than 12° or the cart is more than 2.4 m off, is truncated
after 500 steps, and each step is worth 1.

References: Barto, Sutton, Anderson (1983), "Neuronlike adaptive elements that can solve difficult
learning control problems"; Florian (2007), "Correct equations for the dynamics of the cart-pole
system".
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces

from ..contract.environment import Environment, Step
from ..contract.setting_checks import whole_number
from .physics import physical_family
from .pictures import draw_cart

FARTHEST = 2.4  # m
STEEPEST = math.radians(12)
SECONDS = 0.02  # of a step


class CartPole(NamedTuple):
    """A task."""

    gravity: jax.Array  # [] m/s²
    cart_mass: jax.Array  # [] kg
    pole_mass: jax.Array  # [] kg
    half_length: jax.Array  # [] m, of the pole
    force: jax.Array  # [] N, of a push


class CartPoleState(NamedTuple):
    """Where an episode stands."""

    position: jax.Array  # [] m
    velocity: jax.Array  # [] m/s
    angle: jax.Array  # [] rad, 0 is upright
    angular_velocity: jax.Array  # [] rad/s
    time: jax.Array  # [] int32, steps


USUAL = CartPole(9.8, 1.0, 0.1, 0.5, 10.0)  # pyright: ignore[reportArgumentType]


def cartpole(
    horizon: int = 500, physics_range: float = 0.0, show_physics: bool = False
) -> Environment:
    """Returns carts with poles.

    Args:
      horizon: H; then an episode is truncated.
      physics_range: r; each constant is drawn log-uniformly between 1 / (1 + r) times and 1 + r
        times gymnasium's own. 0 gives one task alone, which all splits share.
      show_physics: let observations end with the constants, each from -1 to 1 in its range.

    Raises:
      InvalidInput: a setting is not accepted.
    """
    horizon = whole_number("horizon", horizon)

    def reset(key: jax.Array, task: CartPole) -> tuple[jax.Array, CartPoleState]:
        del task
        start = jax.random.uniform(key, (4,), minval=-0.05, maxval=0.05)
        return start, CartPoleState(*start, time=jnp.zeros((), jnp.int32))

    def step(key: jax.Array, state: CartPoleState, action: jax.Array, task: CartPole) -> Step:
        del key
        state = move(state, action, task)
        far, steep = jnp.abs(state.position) > FARTHEST, jnp.abs(state.angle) > STEEPEST
        terminated = far | steep
        truncated = (state.time >= horizon) & ~terminated
        return Step(jnp.stack(state[:4]), state, jnp.ones(()), terminated, truncated, {})

    most = np.array([2 * FARTHEST, np.inf, 2 * STEEPEST, np.inf], np.float32)
    return physical_family(
        USUAL,
        physics_range,
        show_physics,
        about="a pole balanced on a cart",
        name="cartpole",
        observation_space=spaces.Box(-most, most, dtype=np.float32),
        action_space=spaces.Discrete(2),
        horizon=horizon,
        reset=reset,
        step=step,
        views={"side": functools.partial(draw_cart, FARTHEST)},
    )


def move(state: CartPoleState, action: jax.Array, task: CartPole) -> CartPoleState:
    """Returns the state one step of Euler's method later; action 1 pushes right, 0 left."""
    force = jnp.where(action == 1, task.force, -task.force)
    sine, cosine = jnp.sin(state.angle), jnp.cos(state.angle)
    mass = task.cart_mass + task.pole_mass
    moment = task.pole_mass * task.half_length  # of the pole's mass
    pushed = (force + moment * state.angular_velocity**2 * sine) / mass
    angular_acceleration = (task.gravity * sine - cosine * pushed) / (
        task.half_length * (4.0 / 3.0 - task.pole_mass * cosine**2 / mass)
    )
    acceleration = pushed - moment * angular_acceleration * cosine / mass
    return CartPoleState(
        state.position + SECONDS * state.velocity,
        state.velocity + SECONDS * acceleration,
        state.angle + SECONDS * state.angular_velocity,
        state.angular_velocity + SECONDS * angular_acceleration,
        state.time + 1,
    )
