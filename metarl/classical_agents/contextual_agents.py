"""Agents for contextual bandits: the exact posterior of each arm's weights, and what is done with it.

    Λₖ = I + Σ x xᵀ / σ²,   bₖ = Σ x r / σ²,   θₖ ~ N(Λₖ⁻¹ bₖ, Λₖ⁻¹)        sums over pulls of arm k

    greedy            x · Λₖ⁻¹ bₖ
    linear-ucb        x · Λₖ⁻¹ bₖ + α √(xᵀ Λₖ⁻¹ x)
    linear-thompson   x · θₖ of a draw
    oracle            x · θₖ of the task

Letters: K arms; d numbers of a context x; σ noise.

References: Li, Chu, Langford, Schapire (2010), arXiv:1003.0146, algorithm 1 (LinUCB with disjoint models);
Agrawal, Goyal (2013), arXiv:1209.3352.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.environments import Agent, ContextualBandit, Trial, make_agent

from .row import Row, Setting
from .scoring_agent import argmax_at_random

LEAST_NOISE = 1e-2  # in units of reward; less is taken for this, or precisions overflow


class Weights(NamedTuple):
    """What is known of the weights of all arms."""

    precision: jax.Array  # Λ [K, d, d]
    weighted: jax.Array  # b [K, d]
    noise_precision: jax.Array  # [] 1 / σ²


class Rule(NamedTuple):
    """How arms are scored."""

    alpha: jax.Array  # [] α
    sampled: jax.Array  # [] 1. to draw weights from the posterior, or 0.


def contextual_agent(alpha: float = 0.0, sampled: bool = False) -> Agent:
    """Returns the agent that pulls the arm of the highest score in the context that it sees.

    Args:
      alpha: α, of the bonus; 0 or more.
      sampled: weights are drawn from the posterior, instead of its mean.
    """
    return make_agent(_begin, _pull, _learn, Rule(jnp.float32(alpha), jnp.float32(sampled)))


def contextual_oracle() -> Agent:
    """Returns the agent that knows the weights of all arms."""
    return make_agent(_know, _pull_the_best, _keep, sees_task=True)


def _begin(rule: Rule, key: jax.Array, trial: Trial, task: None) -> Weights:
    del rule, key, task
    arms, dimension, noise = (
        trial.environment.settings[name] for name in ("arms", "dimension", "noise")
    )
    precision = jnp.broadcast_to(jnp.eye(dimension), (arms, dimension, dimension))
    noise_precision = jnp.float32(max(noise, LEAST_NOISE) ** -2.0)
    return Weights(precision, jnp.zeros((arms, dimension)), noise_precision)


def _pull(rule: Rule, key: jax.Array, known: Weights, context: jax.Array):
    luck_key, tie_key = jax.random.split(key)

    def score(precision: jax.Array, weighted: jax.Array, luck: jax.Array) -> jax.Array:
        root = jnp.linalg.cholesky(precision)  # Λ = L Lᵀ
        across = jax.scipy.linalg.solve_triangular(root, context, lower=True)  # L⁻¹ x
        toward = jax.scipy.linalg.solve_triangular(root, weighted, lower=True)  # L⁻¹ b
        # x · (Λ⁻¹ b + L⁻ᵀ luck), and xᵀ Λ⁻¹ x is the square of L⁻¹ x
        drawn = across @ (toward + rule.sampled * luck)
        return drawn + rule.alpha * jnp.sqrt(jnp.sum(across**2))

    luck = jax.random.normal(luck_key, known.weighted.shape)
    return argmax_at_random(tie_key, jax.vmap(score)(*known[:2], luck)), known


def _learn(
    rule: Rule,
    known: Weights,
    context: jax.Array,
    action: jax.Array,
    reward: jax.Array,
    *ends_and_next: Any,
) -> Weights:
    del rule, ends_and_next
    told = known.noise_precision
    return known._replace(
        precision=known.precision.at[action].add(told * jnp.outer(context, context)),
        weighted=known.weighted.at[action].add(told * reward * context),
    )


def _know(key: jax.Array, trial: Trial, task: ContextualBandit) -> jax.Array:
    del key, trial
    return task.weights


def _pull_the_best(key: jax.Array, weights: jax.Array, context: jax.Array):
    return argmax_at_random(key, weights @ context), weights


def _keep(weights: jax.Array, *transition: Any) -> jax.Array:
    del transition
    return weights


CONTEXTUAL_ROWS: tuple[Row, ...] = (
    Row(
        name="oracle",
        world="contextual-bandit",
        caption="knows the weights of all arms",
        formula="argmaxₖ x · θₖ",
        paper="",
        build=lambda values, trial: contextual_oracle(),
    ),
    Row(
        name="greedy",
        world="contextual-bandit",
        caption="pulls the arm of the highest posterior mean in the context",
        formula="argmaxₖ x · Λₖ⁻¹ bₖ",
        paper="Li et al. (2010), arXiv:1003.0146, with α = 0",
        build=lambda values, trial: contextual_agent(),
    ),
    Row(
        name="linear-ucb",
        world="contextual-bandit",
        caption="adds a bonus where the context's direction is not known for an arm",
        formula="argmaxₖ x · Λₖ⁻¹ bₖ + α √(xᵀ Λₖ⁻¹ x)",
        paper="Li et al. (2010), arXiv:1003.0146, algorithm 1",
        build=lambda values, trial: contextual_agent(**values),  # pyright: ignore[reportArgumentType]
        settings={"alpha": Setting(0.5, "α, the scale of the bonus", low=0)},
        grids={"matched": {"alpha": (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5)}},
    ),
    Row(
        name="linear-thompson",
        world="contextual-bandit",
        caption="pulls the best arm in the context for weights drawn from the posterior",
        formula="argmaxₖ x · θₖ, θₖ ~ N(Λₖ⁻¹ bₖ, Λₖ⁻¹)",
        paper="Agrawal, Goyal (2013), arXiv:1209.3352",
        build=lambda values, trial: contextual_agent(sampled=True),
    ),
)
