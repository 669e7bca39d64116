"""Losses without data: two quadratics and two curved valleys with known minima.

The losses are zero at `minimum` and positive elsewhere. `evaluate` gives the loss without noise, so
that it says how far an optimizer came; it is the same on every split.

Letters: n rows of noise, B of a batch, D dimensions, x the point, c the minimum, H the Hessian.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from metarl.errors import require

from .catalogue import CARDS
from .problem import SPLITS, Card, Examples, ModelState, Params, Problem, Split


def quadratic(
    condition: float = 1e3, noise: float = 1.0, dimension: int = 32, seed: int = 0
) -> Problem:
    """Returns the noisy quadratic model: an ill-conditioned bowl whose gradients are noisy.

    loss(x; batch) = z'Hz / 2 - z'e, with z = x - c and e the mean of the batch's rows. The rows are
    normal with covariance noise² H, as gradients of a network are near its minimum, and average to
    zero over the training split. H = Q diag(h) Q' has eigenvalues h evenly spaced in the logarithm
    from 1 / condition to 1 and a random rotation Q, so that no coordinate is an eigenvector. Starts
    are standard normal; so is the minimum c, drawn once: at the origin, weight decay alone would
    find it.

    Args:
      condition: largest over smallest eigenvalue, at least 1.
      noise: deviation of one row's gradient along an eigenvector of eigenvalue 1.
      dimension: D, at least 2.
      seed: of the rotation, the noise and the minimum.

    Returns:
      A problem whose examples are rows of gradient noise [n, D].

    Raises:
      InvalidInput: an argument is outside its range.

    Reference:
      Zhang et al. (2019), Which Algorithmic Choices Matter at Which Batch Sizes? Insights From a
      Noisy Quadratic Model. Differs from the paper: a rotation, which adaptive methods feel.
    """
    require(
        math.isfinite(condition) and condition >= 1,
        f"condition must be a finite number of at least 1, not {condition!r}.",
    )
    require(
        math.isfinite(noise) and noise >= 0,
        f"noise must be a finite number of at least 0, not {noise!r}.",
    )
    require(
        isinstance(dimension, int) and dimension >= 2,
        f"dimension must be a whole number of at least 2, not {dimension!r}.",
    )
    card = CARDS["quadratic"]
    settings = (condition, noise, dimension, seed)
    card = card if settings == (1e3, 1.0, 32, 0) else _renamed(card, settings)
    return _quadratic(card, *settings)


def quadratic_ill_conditioned() -> Problem:
    """Returns a quadratic of condition 100,000 in 64 dimensions, its gradients nearly exact.

    Where `quadratic` asks how an optimizer averages noise away, this one asks how it gets along a
    valley 300 times longer than wide.
    """
    card = CARDS["quadratic-ill-conditioned"]
    return _quadratic(card, condition=1e5, noise=1e-2, dimension=64, seed=1)


def _quadratic(card: Card, condition: float, noise: float, dimension: int, seed: int) -> Problem:
    """Returns the noisy quadratic model of these settings."""
    stream = np.random.RandomState(seed)  # a frozen stream: the same on every machine
    rotation, _ = np.linalg.qr(stream.normal(size=(dimension, dimension)))
    eigenvalues = np.geomspace(1 / condition, 1, dimension)
    hessian = ((rotation * eigenvalues) @ rotation.T).astype(np.float32)
    rows = _noise_rows(stream, noise * np.sqrt(eigenvalues), rotation)
    minimum = stream.normal(size=dimension).astype(np.float32)

    def value(point: jax.Array) -> jax.Array:
        away = point - jnp.asarray(minimum)
        return 0.5 * jnp.dot(away, jnp.asarray(hessian) @ away)

    def start(key: jax.Array) -> jax.Array:
        return jax.random.normal(key, (dimension,), jnp.float32)

    return _landscape(card, value, start, minimum, rows)


def rosenbrock() -> Problem:
    """Returns f(x, y) = (1 - x)² + 100 (y - x²)², a curved valley; its minimum is f(1, 1) = 0.

    Starts are normal around the classic (-1.2, 1) with deviation 0.1.

    Reference:
      Rosenbrock (1960), An Automatic Method for Finding the Greatest or Least Value of a Function.
    """

    def value(point: jax.Array) -> jax.Array:
        x, y = point
        return (1 - x) ** 2 + 100 * (y - x**2) ** 2

    return _classic("rosenbrock", value, (-1.2, 1.0), (1.0, 1.0))


def beale() -> Problem:
    """Returns f(x, y) = Σ (c_i - x (1 - y^i))², c = (1.5, 2.25, 2.625); minimum f(3, 0.5) = 0.

    Starts are normal around the classic (1, 1) with deviation 0.1.

    Reference:
      Beale (1958), On an Iterative Method for Finding a Local Minimum of a Function of More than
      One Variable; problem 5 of Moré, Garbow and Hillstrom (1981).
    """

    def value(point: jax.Array) -> jax.Array:
        x, y = point
        return (
            (1.5 - x * (1 - y)) ** 2 + (2.25 - x * (1 - y**2)) ** 2 + (2.625 - x * (1 - y**3)) ** 2
        )

    return _classic("beale", value, (1.0, 1.0), (3.0, 0.5))


def _classic(
    name: str,
    value: Callable[[jax.Array], jax.Array],
    centre: tuple[float, float],
    minimum: tuple[float, float],
) -> Problem:
    """Returns a problem of two dimensions whose gradients are exact."""

    def start(key: jax.Array) -> jax.Array:
        scatter = 0.1 * jax.random.normal(key, (2,), jnp.float32)
        return jnp.asarray(centre, jnp.float32) + scatter

    rows: dict[Split, np.ndarray] = {split: np.zeros((1, 2), np.float32) for split in SPLITS}
    return _landscape(CARDS[name], value, start, np.asarray(minimum, np.float32), rows)


def _landscape(
    card: Card,
    value: Callable[[jax.Array], jax.Array],
    start: Callable[[jax.Array], jax.Array],
    minimum: np.ndarray,
    rows: dict[Split, np.ndarray],
) -> Problem:
    """Returns the problem of a function of one point [D] and rows of gradient noise [n, D]."""

    def loss(
        params: Params, model_state: ModelState, batch: Examples, key: jax.Array
    ) -> tuple[jax.Array, ModelState]:
        del key  # the noise is in the examples
        point = params["point"]
        away = point - jnp.asarray(minimum)
        return value(point) - jnp.dot(away, jnp.mean(batch["noise"], axis=0)), model_state

    def evaluate(params: Params, model_state: ModelState, batch: Examples) -> dict[str, jax.Array]:
        del model_state, batch
        return {"loss": value(params["point"])}

    return Problem.from_card(
        card,
        init=lambda key: ({"point": start(key)}, ()),
        loss=loss,
        evaluate=evaluate,
        examples=lambda split: {"noise": rows[split]},
        minimum={"point": minimum},
    )


def _noise_rows(
    stream: np.random.RandomState, deviations: np.ndarray, rotation: np.ndarray
) -> dict[Split, np.ndarray]:
    """Returns rows of gradient noise of every split, deviations given along the rotated axes."""
    rows = {}
    for split in SPLITS:
        count = 1024 if split == "train" else 32
        normal = stream.normal(size=(count, len(deviations)))
        normal -= normal.mean(axis=0)
        rows[split] = ((normal * deviations) @ rotation.T).astype(np.float32)  # [n, D]
    return rows


def _renamed(card: Card, settings: tuple[float, float, int, int]) -> Card:
    """Returns the quadratic's card under a name that tells its settings."""
    condition, noise, dimension, seed = settings
    name = f"quadratic({condition:g}, {noise:g}, {dimension}, {seed})"
    description = (
        f"A bowl in {dimension} rotated dimensions, condition {condition:g}, "
        f"gradient noise {noise:g}."
    )
    return dataclasses.replace(card, name=name, description=description)
