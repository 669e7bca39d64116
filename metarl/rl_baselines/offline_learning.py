"""Learning from offline data: gradient steps on minibatches of sequences, one program for data of all sizes.

Letters: N sequences; B of a minibatch.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import optax

from metarl.controller import Policy
from metarl.environments import Agent

from .config import OfflineConfig

CHUNK = 100  # gradient steps of one call


def shape_of(config: OfflineConfig) -> OfflineConfig:
    """Returns the settings on which programs depend: other data and seeds share them."""
    names = [field.name for field in dataclasses.fields(OfflineConfig)]
    shared = {name: getattr(config, name) for name in names if name not in ("seed", "trajectories")}
    return OfflineConfig(**shared)


class Fitting(NamedTuple):
    """A training that can stand still: begin, then advance by `CHUNK` gradient steps until `steps` are taken."""

    steps: int
    begin: Callable[[], Any]
    """-> learner: parameters and the state of the optimizer"""
    advance: Callable[[Any, int], Any]
    """learner, gradient steps taken -> learner"""


class Lesson(NamedTuple):
    """How somebody learns once, from data that are there, and who comes of it."""

    fitting: Fitting
    agent: Callable[[Any], Agent]
    """learner at the end -> who acts by it"""


def learnt(lesson: Lesson) -> Agent:
    """Returns who comes of a lesson, after all of its gradient steps."""
    return lesson.agent(_at_the_end(lesson.fitting))


def fitted(
    key: jax.Array,
    policy: Policy,
    loss_of: Callable[..., jax.Array],
    config: OfflineConfig,
    sources: tuple[jax.Array, ...],
    chances: jax.Array | None = None,
) -> Any:
    """Returns the parameters that minimise a loss over sequences; see `fitting`."""
    return _at_the_end(fitting(key, policy, loss_of, config, sources, chances))[0]


def fitting(
    key: jax.Array,
    policy: Policy,
    loss_of: Callable[..., jax.Array],
    config: OfflineConfig,
    sources: tuple[jax.Array, ...],
    chances: jax.Array | None = None,
) -> Fitting:
    """Returns the training that minimises a loss over sequences.

    Args:
      key: consumed.
      policy: whose parameters are learnt.
      loss_of: params, minibatch of the sources -> []; the same object for the same loss, so that it is
        compiled once.
      config: how long and how fast.
      sources: arrays [N, ...] from which the same rows are taken.
      chances: of each row to be taken [N], their sum 1; all alike if None.
    """
    init_key, batch_key = jax.random.split(key)
    learn, optimizer = _learning(loss_of, shape_of(config))
    # Batches are given, not the data: one program serves data of all sizes.
    shape, count = (config.steps, config.batch), len(sources[0])
    if chances is None:
        rows = jax.random.randint(batch_key, shape, 0, count)
    else:
        rows = jax.random.choice(batch_key, count, shape, p=chances)

    def begin() -> Any:
        params = policy.init(init_key)
        return params, optimizer.init(params)

    def advance(learner: Any, taken: int) -> Any:
        chosen = rows[taken : taken + CHUNK]
        return learn(learner, tuple(source[chosen] for source in sources))

    return Fitting(config.steps, begin, advance)


def _at_the_end(fitting: Fitting) -> Any:
    learner = fitting.begin()
    for taken in range(0, fitting.steps, CHUNK):
        learner = fitting.advance(learner, taken)
    return learner


@functools.lru_cache(maxsize=32)
def _learning(loss_of: Callable[..., jax.Array], config: OfflineConfig) -> Any:
    """Returns a compiled chunk of gradient steps, and the optimizer."""
    optimizer = optax.chain(
        optax.clip_by_global_norm(config.max_gradient_norm),
        optax.adamw(
            optax.warmup_cosine_decay_schedule(
                0.0, config.learning_rate, min(100, config.steps // 10 + 1), max(2, config.steps)
            ),
            weight_decay=config.weight_decay,
        ),
    )

    @jax.jit
    def learn(learner: Any, batches: tuple[jax.Array, ...]) -> Any:
        def descend(learner: Any, batch: tuple[jax.Array, ...]) -> Any:
            params, state = learner
            gradient = jax.grad(loss_of)(params, batch)
            change, state = optimizer.update(gradient, state, params)
            return (optax.apply_updates(params, change), state), None

        return jax.lax.scan(descend, learner, batches)[0]

    return learn, optimizer
