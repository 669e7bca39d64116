"""sequence learning: a causal transformer over the tokens of rules, and how it is fitted to the rules told.

What decision-transformer and trajectory-transformer share: of both a generation is some steps of Adam on rules drawn
from the last M, whose return is log(N / n) / log N, n the rules of N that are at least as good.

Letters: M rules remembered; N rules of a step; K rules of a generation; L tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from metarl.controller import Policy, TokenPolicyConfig
from metarl.policy_gradient import global_norm

from ..settings.config import (
    ControllerConfig,
    DecisionTransformerConfig,
    TrajectoryTransformerConfig,
)
from .ranks import log_ranks
from .told_rules import ToldRules

Loss = Callable[[Any, jax.Array, jax.Array], tuple[jax.Array, dict[str, jax.Array]]]


class SequenceLearner(NamedTuple):
    """The transformer, and what it is shown."""

    params: Any
    optimizer: optax.OptState
    told: ToldRules  # M


class SequenceLearning(NamedTuple):
    """How a transformer begins, and what it makes of a generation.

    Attributes:
      init: key -> learner.
      learn: (key, learner, tokens [K, L], rewards [K], new [K] bool) -> learner, metrics; compiled.
    """

    init: Callable[[jax.Array], SequenceLearner]
    learn: Callable[..., tuple[SequenceLearner, dict[str, jax.Array]]]


def transformer_config(settings: ControllerConfig, condition_size: int = 0) -> TokenPolicyConfig:
    """Returns what a causal transformer without a value is made of, shown so many numbers with every token."""
    return TokenPolicyConfig(
        core="transformer",
        hidden_size=settings.hidden,
        embedding_size=settings.embedding,
        value="none",
        condition_size=condition_size,
    )


def sequence_learning(
    policy: Policy,
    length: int,
    loss_of: Loss,
    settings: DecisionTransformerConfig | TrajectoryTransformerConfig,
    learning_rate: float,
) -> SequenceLearning:
    """Returns how a transformer learns.

    Args:
      policy: the transformer.
      length: L.
      loss_of: (params, tokens [N, L], returns [N]) -> the loss and what of it is logged.
      settings: M, N and the steps.
      learning_rate: of Adam.
    """
    optimizer = optax.adam(learning_rate)

    def init(key: jax.Array) -> SequenceLearner:
        params = policy.init(key)
        told = ToldRules.none(settings.memory, length)
        return SequenceLearner(params, optimizer.init(params), told)

    @jax.jit
    def learn(
        key: jax.Array,
        state: SequenceLearner,
        tokens: jax.Array,
        rewards: jax.Array,
        new: jax.Array,
    ) -> tuple[SequenceLearner, dict[str, jax.Array]]:
        told = state.told.after(tokens, rewards, new)
        returns = log_ranks(told.rewards, told.present, jnp)  # [M]
        there = jnp.any(told.present)

        def step(learner: Any, key: jax.Array) -> Any:
            params, optimizer_state = learner
            rows = told.rows(key, (settings.batch,))
            gradient_of = jax.grad(loss_of, has_aux=True)
            gradient, metrics = gradient_of(params, told.tokens[rows], returns[rows])
            gradient = jax.tree.map(lambda x: jnp.where(there, x, 0.0), gradient)
            change, optimizer_state = optimizer.update(gradient, optimizer_state, params)
            metrics = {**metrics, "gradient_norm": global_norm(gradient)}
            return (optax.apply_updates(params, change), optimizer_state), metrics

        keys = jax.random.split(key, settings.steps)
        learner, metrics = jax.lax.scan(step, (state.params, state.optimizer), keys)
        return SequenceLearner(*learner, told), jax.tree.map(lambda x: x[-1], metrics)

    return SequenceLearning(init, learn)
