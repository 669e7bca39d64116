"""Agents for bandits whose means are linear in known features of the arms.

    θ ~ N(m, s²) in each component;  Λ = I / s² + Σ φ φᵀ / σ²,  θ̂ = Λ⁻¹ (m / s² + Σ φ r / σ²)

Letters: K arms; d features of an arm, φ; θ the task; Λ [d, d] posterior precision; σ noise.

References: Agrawal, Goyal (2013), "Thompson sampling for contextual bandits with linear payoffs", ICML,
arXiv:1209.3352; Li, Chu, Langford, Schapire (2010), "A contextual-bandit approach to personalized news
article recommendation", WWW, arXiv:1003.0146.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from metarl.environments import BanditDistribution, Trial
from metarl.errors import InvalidInput

from .linear_arms import LinearArms
from .scoring_agent import Memory, Scoring


def linear_thompson() -> Scoring:
    """Pulls the best arm of a draw of θ from its posterior: score = φ · θ, θ ~ N(θ̂, Λ⁻¹).

    Reference: Agrawal, Goyal (2013), arXiv:1209.3352, algorithm 1, with the posterior's own deviation.
    """
    return Scoring(_thompson_scores)


def linear_ucb(alpha: float) -> Scoring:
    """Adds a bonus for features in whose direction θ is not known: score = φ · θ̂ + α √(φᵀ Λ⁻¹ φ).

    Args:
      alpha: α, 0 or more.

    Reference: Li et al. (2010), arXiv:1003.0146, algorithm 1, with one θ for all arms.
    """
    return Scoring(_ucb_scores, jnp.float32(alpha))


def linear_prior(name: str, noise: float, trial: Trial) -> LinearArms:
    """Returns what is known of linear arms at first.

    Raises:
      InvalidInput: the family does not say which features its arms have.
    """
    said = trial.environment.distribution
    if not isinstance(said, BanditDistribution) or said.features is None:
        raise InvalidInput(
            f"Agent {name!r} needs arms with features, which the family says by its distribution; "
            f"those of {trial.environment.name!r} here have none. It can act in rewards=linear."
        )
    features = jnp.asarray(said.features, jnp.float32)
    mean, deviation = said.prior
    return LinearArms.of(features, mean, deviation, noise)


def _thompson_scores(numbers: tuple[()], key: jax.Array, memory: Memory) -> jax.Array:
    del numbers
    assert isinstance(memory.arms, LinearArms)
    return memory.arms.sample(key)


def _ucb_scores(alpha: jax.Array, key: jax.Array, memory: Memory) -> jax.Array:
    del key
    assert isinstance(memory.arms, LinearArms)
    return memory.arms.mean + alpha * memory.arms.deviation
