"""A damped pendulum from its equation alone: a network whose derivatives must obey physics.

The angle θ of a pendulum obeys θ'' = -sin θ - c θ'. It starts at rest at θ(0) = a. The network N is trained
so that

  θ(t) = a + s² N(s),  s = t / T,

which starts right whatever N is, has a small squared residual θ'' + sin θ + c θ' at times of the batch. No
solution is shown to it; the metric is how far θ is from the one integrated by small steps.

Letters: B times, T duration, a the first angle, c the damping.

Reference: Lagaris, Likas and Fotiadis (1998), Artificial Neural Networks for Solving Ordinary and Partial
Differential Equations; Raissi, Perdikaris and Karniadakis (2019), Physics-Informed Neural Networks.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from .catalogue import CARDS
from .networks import mlp
from .problem import Examples, ModelState, Params, Problem, Split
from .splits import cut, stratified_indices

DURATION = 5.0  # T, in units of sqrt(length / gravity)
FIRST_ANGLE = 2.0  # a, rad
DAMPING = 0.2  # c

_TIMES = 1024
_NETWORK = mlp(1, 32, 32, 1, activation=jnp.tanh)


def pendulum() -> Problem:
    """Returns the problem of finding the motion of a damped pendulum.

    The loss is the mean squared residual, the metric the root of the mean squared error of θ in
    rad.
    """

    def loss(
        params: Params, model_state: ModelState, batch: Examples, key: jax.Array
    ) -> tuple[jax.Array, ModelState]:
        del key  # nothing is drawn
        _, residual = motion(params, batch["time"])
        return jnp.mean(jnp.square(residual)), model_state

    def evaluate(params: Params, model_state: ModelState, batch: Examples) -> dict[str, jax.Array]:
        del model_state
        angle, residual = motion(params, batch["time"])
        error = jnp.sqrt(jnp.mean(jnp.square(angle - batch["angle"])))
        return {"loss": jnp.mean(jnp.square(residual)), "angle error": error}

    return Problem.from_card(
        CARDS["pendulum"],
        init=_NETWORK.init,
        loss=loss,
        evaluate=evaluate,
        examples=lambda split: _times()[split],
    )


def motion(params: Params, time: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the angle and the residual of the equation at times [B]."""

    def angle(time: jax.Array) -> jax.Array:
        share = time / DURATION
        outputs, _ = _NETWORK.apply(params, (), share[:, None], True)
        return FIRST_ANGLE + jnp.square(share) * outputs[:, 0]

    value, speed, acceleration = derivatives(angle, time)
    return value, acceleration + jnp.sin(value) + DAMPING * speed


def derivatives(
    function: Callable[[jax.Array], jax.Array], time: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns a function of each time by itself, and its first two derivatives, each [B]."""
    ones = jnp.ones_like(time)

    def with_speed(time: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jax.jvp(function, (time,), (ones,))

    (value, speed), (_, acceleration) = jax.jvp(with_speed, (time,), (ones,))
    return value, speed, acceleration


@functools.cache
def _times() -> dict[Split, Examples]:
    """Returns evenly spaced times [n] and the angles [n] at them, per split."""
    time = DURATION * (np.arange(_TIMES) + 0.5) / _TIMES
    return cut(
        stratified_indices(np.zeros(_TIMES)),
        time=time.astype(np.float32),
        angle=solution(time).astype(np.float32),
    )


def solution(times: np.ndarray, steps: int = 4096) -> np.ndarray:
    """Returns the true angles at times [n] in 0 ... T, by Runge and Kutta's method of order four."""
    seconds = DURATION / steps

    def slope(state: np.ndarray) -> np.ndarray:
        return np.array([state[1], -np.sin(state[0]) - DAMPING * state[1]])

    state, angles = np.array([FIRST_ANGLE, 0.0]), [FIRST_ANGLE]
    for _ in range(steps):
        first = slope(state)
        second = slope(state + seconds / 2 * first)
        third = slope(state + seconds / 2 * second)
        fourth = slope(state + seconds * third)
        state = state + seconds / 6 * (first + 2 * second + 2 * third + fourth)
        angles.append(state[0])
    return np.interp(times, seconds * np.arange(steps + 1), angles)
