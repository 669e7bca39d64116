"""Diagnostics: small problems that each add one difficulty, so that the first to fail names the fault.

They are no members of the suite: nothing is searched or scored on them. A diagnostic is a problem to
tune on, variants of it to run at the same settings, and how low the loss must end.

Letters: D dimensions, n rows of noise or masks, h curvatures.

References: Schaul, Antonoglou, Silver (2014), Unit Tests for Stochastic Optimization,
arXiv:1312.6055, for the idea and most of the difficulties.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .landscapes import quadratic
from .problem import SPLITS, Examples, ModelState, Params, Problem

_ROWS = 1024  # of noise or masks in the training split
_STEPS = 200


class Diagnostic(NamedTuple):
    """One question asked of an optimizer.

    Attributes:
      name: what stands above its column.
      question: in one line.
      problem: what the learning rate is tuned on.
      variants: problems run at that learning rate; the problem itself if there are none.
      bound: the largest ratio that passes.
      relative_to: "start": the final loss over the loss at the start; "tuned": the largest final
        loss of a variant over that of the problem tuned on.
    """

    name: str
    question: str
    problem: Problem
    variants: tuple[Problem, ...] = ()
    bound: float = 0.05
    relative_to: str = "start"

    @property
    def criterion(self) -> str:
        """What passes, in words."""
        if self.relative_to == "start":
            return f"it ends below {self.bound:g} of the loss at the start"
        return f"no variant ends above {self.bound:g} times the loss it was tuned for"


def diagnostics() -> tuple[Diagnostic, ...]:
    """Returns all diagnostics."""
    from .registry import load  # digits are data of the suite

    digits = load("digits-mlp")
    bowl = dataclasses.replace(quadratic(condition=100.0, noise=0.0), steps=_STEPS)
    return (
        Diagnostic("ill-conditioned", "a rotated bowl, condition 10,000", _ill_conditioned(), bound=0.05),
        Diagnostic("saddle", "a start on the ridge of a saddle", _saddle(), bound=0.05),
        Diagnostic("plateau", "gradients of 1e-4 before the valley", _plateau(), bound=0.05),
        Diagnostic("sparse", "one coordinate in 32 has a gradient", _sparse(), bound=0.05),
        Diagnostic("heavy tails", "gradient noise without a variance", _heavy_tails(), bound=0.5),
        Diagnostic(
            "scale 1e-3, 1e3",
            "the loss times 1e-3 and 1e3 at the same settings",
            bowl,
            (_scaled(bowl, 1e-3), _scaled(bowl, 1e3)),
            bound=2.0,
            relative_to="tuned",
        ),
        Diagnostic(
            "batch 8, 512",
            "batches of 8 and 512 at the settings for 64",
            digits,
            tuple(_with_batches(digits, size) for size in (8, 512)),
            bound=2.0,
            relative_to="tuned",
        ),
        Diagnostic(
            "bfloat16",
            "parameters and gradients of 8 bits' precision",
            digits,
            (_in_bfloat16(digits),),
            bound=1.25,
            relative_to="tuned",
        ),
    )  # fmt: skip


def _ill_conditioned() -> Problem:
    return dataclasses.replace(quadratic(condition=1e4, noise=0.0), steps=_STEPS)


def _saddle(flat: int = 4, steep: int = 12) -> Problem:
    """f(x, y) = Σ x²/2 + Σ (1/4 - y²/2 + y⁴/4): a saddle at 0, minima at y = ±1.

    Starts: x standard normal, y within 1e-4 of the ridge.
    """

    def value(point: jax.Array) -> jax.Array:
        y, x = point[:flat], point[flat:]
        return 0.5 * jnp.sum(x**2) + jnp.sum(0.25 - 0.5 * y**2 + 0.25 * y**4)

    def start(key: jax.Array) -> jax.Array:
        scale = jnp.where(jnp.arange(flat + steep) < flat, 1e-4, 1.0)
        return scale * jax.random.normal(key, (flat + steep,), jnp.float32)

    minimum = (np.arange(flat + steep) < flat).astype(np.float32)
    return _of_a_point("saddle", value, start, flat + steep, minimum=minimum)


def _plateau(dimension: int = 4) -> Problem:
    """f(x) = 1 - exp(-|x|²/2), from |x| = 4.7: a gradient of 1e-4 that points home."""

    def value(point: jax.Array) -> jax.Array:
        return 1.0 - jnp.exp(-0.5 * jnp.sum(point**2))

    def start(key: jax.Array) -> jax.Array:
        direction = jax.random.normal(key, (dimension,), jnp.float32)
        return 4.7 * direction / jnp.linalg.norm(direction)

    return _of_a_point("plateau", value, start, dimension)


def _sparse(dimension: int = 64, share: float = 1 / 32) -> Problem:
    """f(x) = Σ h x²/2, each row of a batch sees a coordinate with probability 1/32, h in 0.01 ... 1."""
    curvature = jnp.geomspace(1.0, 100.0, dimension, dtype=jnp.float32) / 100.0

    def value(point: jax.Array) -> jax.Array:
        return 0.5 * jnp.sum(curvature * point**2)

    def loss(point: jax.Array, masks: jax.Array) -> jax.Array:
        return 0.5 * jnp.sum(jnp.mean(masks, axis=0) * curvature * point**2)

    stream = np.random.RandomState(0)
    rows = (stream.uniform(size=(_ROWS, dimension)) < share).astype(np.float32)
    return _of_a_point(
        "sparse", value, _normal(dimension), dimension, rows=rows, loss=loss, batch_size=1
    )


def _heavy_tails(dimension: int = 16) -> Problem:
    """f(x) = |x|²/2 with gradient noise from Student's distribution of 1.5 degrees of freedom."""

    def value(point: jax.Array) -> jax.Array:
        return 0.5 * jnp.sum(point**2)

    rows = np.random.RandomState(0).standard_t(1.5, size=(_ROWS, dimension)).astype(np.float32)

    def loss(point: jax.Array, noise: jax.Array) -> jax.Array:
        return value(point) - jnp.dot(point, jnp.mean(noise, axis=0))

    return _of_a_point(
        "heavy tails", value, _normal(dimension), dimension, rows=rows, loss=loss, batch_size=4
    )


def _scaled(problem: Problem, factor: float) -> Problem:
    """Returns a problem with its training loss multiplied; it is judged as before."""

    def loss(params: Params, model_state: ModelState, batch: Examples, key: jax.Array):
        value, model_state = problem.loss(params, model_state, batch, key)
        return factor * value, model_state

    return dataclasses.replace(
        problem, name=f"{problem.name} x {factor:g}", loss=loss, at_width=None
    )


def _with_batches(problem: Problem, size: int) -> Problem:
    return dataclasses.replace(problem, name=f"{problem.name}, batch {size}", batch_size=size)


def _in_bfloat16(problem: Problem) -> Problem:
    """Returns a problem whose parameters, and so gradients and updates, are of type bfloat16."""

    def init(key: jax.Array) -> tuple[Params, ModelState]:
        params, model_state = problem.init(key)
        return jax.tree.map(lambda x: x.astype(jnp.bfloat16), params), model_state

    def wide(params: Params) -> Params:
        return jax.tree.map(lambda x: x.astype(jnp.float32), params)

    return dataclasses.replace(
        problem,
        name=f"{problem.name}, bfloat16",
        init=init,
        loss=lambda params, *rest: problem.loss(wide(params), *rest),
        evaluate=lambda params, *rest: problem.evaluate(wide(params), *rest),
        at_width=None,
    )


def _normal(dimension: int) -> Callable[[jax.Array], jax.Array]:
    return lambda key: jax.random.normal(key, (dimension,), jnp.float32)


def _of_a_point(
    name: str,
    value: Callable[[jax.Array], jax.Array],
    start: Callable[[jax.Array], jax.Array],
    dimension: int,
    rows: np.ndarray | None = None,
    loss: Callable[[jax.Array, jax.Array], jax.Array] | None = None,
    batch_size: int = 1,
    minimum: np.ndarray | None = None,
) -> Problem:
    """Returns the problem of a function of one point [D], and of rows [n, D] that its loss may read."""
    own = np.zeros((1, dimension), np.float32) if rows is None else rows
    splits: dict[str, dict[str, Any]] = {
        split: {"rows": own if split == "train" else own[:1]} for split in SPLITS
    }

    def training_loss(params: Params, model_state: ModelState, batch: Examples, key: jax.Array):
        del key  # what is random is in the rows
        point = params["point"]
        return value(point) if loss is None else loss(point, batch["rows"]), model_state

    return Problem(
        name=f"diagnostic: {name}",
        family="diagnostic",
        role="held-out",
        steps=_STEPS,
        batch_size=batch_size,
        init=lambda key: ({"point": start(key)}, ()),
        loss=training_loss,
        evaluate=lambda params, model_state, batch: {"loss": value(params["point"])},
        examples=lambda split: splits[split],
        minimum={"point": np.zeros(dimension, np.float32) if minimum is None else minimum},
    )
