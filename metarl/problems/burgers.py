"""Burgers' equation from itself alone: a network of time and place whose derivatives must obey physics.

A wave u(t, x) on -1 ... 1 obeys u_t + u u_x = ν u_xx, begins as -sin πx and stays 0 at both ends: its middle steepens.
The network N is trained so that

  u(t, x) = -sin πx + t (1 - x²) N(t, x),

which begins and ends right whatever N is, has a small squared residual u_t + u u_x - ν u_xx at points of the batch. No
solution is shown to it; the metric is how far u is from the one that Cole and Hopf's transformation gives.

Letters: B points, ν the viscosity, Q nodes of a quadrature.

Reference: Raissi, Perdikaris and Karniadakis (2019), Physics-Informed Neural Networks, section 3.1, at ten times their
viscosity; Basdevant et al. (1986), Spectral and Finite Difference Solutions of the Burgers Equation, for the solution.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

from .catalogue import CARDS
from .networks import mlp
from .pendulum import derivatives
from .problem import Examples, ModelState, Params, Problem, Split
from .splits import cut, stratified_indices

VISCOSITY = 0.1 / np.pi  # ν

_POINTS = 1024
_NODES = 100  # Q
_NETWORK = mlp(2, 16, 16, 1, activation=jnp.tanh)


def burgers() -> Problem:
    """Returns the problem of finding a wave that steepens.

    The loss is the mean squared residual, the metric the error of u relative to its size, |u - û| / |û| over a split.
    """

    def loss(
        params: Params, model_state: ModelState, batch: Examples, key: jax.Array
    ) -> tuple[jax.Array, ModelState]:
        del key  # nothing is drawn
        _, residual = wave(params, batch["time"], batch["place"])
        return jnp.mean(jnp.square(residual)), model_state

    def evaluate(params: Params, model_state: ModelState, batch: Examples) -> dict[str, jax.Array]:
        del model_state
        height, residual = wave(params, batch["time"], batch["place"])
        error = jnp.sum(jnp.square(height - batch["height"])) / jnp.sum(jnp.square(batch["height"]))
        return {"loss": jnp.mean(jnp.square(residual)), "relative error": jnp.sqrt(error)}

    return Problem.from_card(
        CARDS["burgers"],
        init=_NETWORK.init,
        loss=loss,
        evaluate=evaluate,
        examples=lambda split: _points()[split],
    )


def wave(params: Params, time: jax.Array, place: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the height u and the residual of the equation at times and places [B]."""

    def height(time: jax.Array, place: jax.Array) -> jax.Array:
        outputs, _ = _NETWORK.apply(params, (), jnp.stack([time, place], axis=1), True)
        return -jnp.sin(jnp.pi * place) + time * (1 - jnp.square(place)) * outputs[:, 0]

    _, in_time = jax.jvp(lambda t: height(t, place), (time,), (jnp.ones_like(time),))
    value, in_place, twice = derivatives(lambda x: height(time, x), place)
    return value, in_time + value * in_place - VISCOSITY * twice


@functools.cache
def _points() -> dict[Split, Examples]:
    """Returns random times in 0 ... 1 and places in -1 ... 1 [n], and the heights [n] there, per split."""
    time, place = np.random.RandomState(0).uniform((0, -1), (1, 1), size=(_POINTS, 2)).T
    return cut(
        stratified_indices(np.zeros(_POINTS)),
        time=time.astype(np.float32),
        place=place.astype(np.float32),
        height=solution(time, place).astype(np.float32),
    )


def solution(time: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Returns the true heights at times > 0 and places [n].

    u(t, x) = -∫ sin(πy) f(y) w(x - y) dy / ∫ f(y) w(x - y) dy by Gauss and Hermite's quadrature, with
    f(y) = exp(-cos(πy) / 2πν) and w(z) = exp(-z² / 4νt).
    """
    nodes, weights = np.polynomial.hermite.hermgauss(_NODES)  # [Q]
    y = place[:, None] - np.sqrt(4 * VISCOSITY * time)[:, None] * nodes[None, :]  # [n, Q]
    factors = weights[None, :] * np.exp(-np.cos(np.pi * y) / (2 * np.pi * VISCOSITY))
    return -(np.sin(np.pi * y) * factors).sum(axis=1) / factors.sum(axis=1)
