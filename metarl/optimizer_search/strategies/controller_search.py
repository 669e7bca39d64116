"""Controller search: a recurrent controller writes rules and learns which to write more often.

The controller writes a rule token by token; its reward comes with the last token, undiscounted. The
algorithm that learns from it (REINFORCE, PPO or TRPO) does not know that tokens are rules.

Two things keep it from collapsing to a handful of rules, which it otherwise does within a few
hundred: a rule that was proposed before earns the floor, however good it is, and rewards are
replaced by their ranks within the generation, so that neither a few divergences nor one lucky rule
drown the rest.

Letters: K rules of a generation; L tokens; W width, the largest vocabulary.

Reference: Bello, Zoph, Vasudevan, Le, "Neural Optimizer Search with Reinforcement Learning" (2017),
arXiv:1709.07417, section 3. Differs from it: repeats earn the floor, and ranks are learnt from.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from metarl.controller import (
    TokenPolicy,
    TokenPolicyConfig,
    sample_tokens,
    token_inputs,
    token_policy,
)
from metarl.policy_gradient import (
    Algorithm,
    Batch,
    PPOConfig,
    ReinforceConfig,
    TRPOConfig,
    ppo,
    reinforce,
    trpo,
)
from metarl.update_rules import Grammar

from ..settings.config import ControllerConfig, SearchConfig
from .contract import Feedback, Proposals, Strategy


class WritingRecord(NamedTuple):
    """What the controller thought when it wrote."""

    log_probs: jax.Array  # [K, L]
    values: jax.Array  # [K, L]
    masks: jax.Array  # [K, L, W] bool


def reinforce_search(grammar: Grammar, config: SearchConfig) -> Strategy:
    """Returns the controller with REINFORCE and a moving-average baseline."""
    policy = controller_of(grammar, config.controller, value="none")
    settings = ReinforceConfig(
        learning_rate=config.controller.learning_rate,
        baseline="moving_average",
        entropy_weight=config.controller.entropy_weight,
    )
    return _strategy(grammar, policy, reinforce(policy, settings))


def ppo_search(grammar: Grammar, config: SearchConfig) -> Strategy:
    """Returns the controller with proximal policy optimisation, as in the arXiv version."""
    policy = controller_of(grammar, config.controller, value="shared")
    settings = PPOConfig(
        learning_rate=config.controller.learning_rate,
        epochs=config.controller.epochs,
        minibatches=1,  # the last generation of a budget may have any number of rules
        clip=config.controller.clip_ratio,
        gae_lambda=1.0,
        entropy_weight=config.controller.entropy_weight,
    )
    return _strategy(grammar, policy, ppo(policy, settings))


def trpo_search(grammar: Grammar, config: SearchConfig) -> Strategy:
    """Returns the controller with trust region policy optimisation, as in the ICML version."""
    policy = controller_of(grammar, config.controller, value="separate")
    settings = TRPOConfig(
        max_kl=config.controller.kl_bound,
        gae_lambda=1.0,
        entropy_weight=config.controller.entropy_weight,
        value_learning_rate=config.controller.learning_rate,
        value_minibatches=1,
    )
    return _strategy(grammar, policy, trpo(policy, settings))


def ranks(rewards: jax.Array) -> jax.Array:
    """Returns the ranks of rewards, from -1 for the lowest to 1 for the highest; their mean is 0.

    Equal rewards share the mean of their ranks. A single reward has rank 0.

    Args:
      rewards: [K], may hold -inf.
    """
    chex.assert_rank(rewards, 1)
    below = jnp.sum(rewards[None, :] < rewards[:, None], axis=1)
    ties = jnp.sum(rewards[None, :] == rewards[:, None], axis=1) - 1
    middle = below + 0.5 * ties  # [K], from 0 to K - 1
    return 2.0 * middle / max(len(rewards) - 1, 1) - (len(rewards) > 1)


def controller_of(grammar: Grammar, settings: ControllerConfig, value: Any) -> TokenPolicy:
    """Returns the controller that writes rules of a grammar; REINFORCE has no value, PPO a shared one, TRPO its own."""
    return token_policy(
        grammar.slot_sizes,
        TokenPolicyConfig(
            hidden_size=settings.hidden,
            embedding_size=settings.embedding,
            initial_range=settings.init_scale,
            value=value,
        ),
    )


def _strategy(grammar: Grammar, policy: Any, algorithm: Algorithm) -> Strategy:
    """Joins grammar, controller and algorithm; `ask` and `tell` are one compiled program each."""
    next_mask = grammar.next_mask  # one object, or every generation would compile anew

    @jax.jit
    def init(key: jax.Array) -> Any:
        return algorithm.init(policy.init(key))

    def ask(key: jax.Array, state: Any, count: int) -> tuple[Any, Proposals]:
        sample = sample_tokens(policy, state.params, key, count, next_mask)
        record = WritingRecord(sample.log_probs, sample.values, sample.masks)
        return state, Proposals(sample.tokens, record)

    @jax.jit
    def learn(key: jax.Array, state: Any, proposals: Proposals, feedback: Feedback):
        return algorithm.update(key, state, _batch(proposals, feedback))

    def tell(
        key: jax.Array, state: Any, proposals: Proposals, feedback: Feedback
    ) -> tuple[Any, dict[str, float]]:
        arrays = Feedback(
            jnp.asarray(feedback.rewards, jnp.float32),
            jnp.asarray(feedback.repeated, bool),
            jnp.asarray(feedback.floor, jnp.float32),
        )
        proposals = Proposals(jnp.asarray(proposals.tokens, jnp.int32), proposals.record)
        state, metrics = learn(key, state, proposals, arrays)
        return state, {name: float(value) for name, value in jax.device_get(metrics).items()}

    return Strategy(init, ask, tell)


def _batch(proposals: Proposals, feedback: Feedback) -> Batch:
    """Returns what the algorithm learns from: sequences whose reward comes with the last token."""
    tokens, record = proposals
    earned = ranks(jnp.where(feedback.repeated, feedback.floor, feedback.rewards))  # [K]
    return Batch(
        inputs=token_inputs(tokens, record.masks),
        actions=tokens,
        log_probs=record.log_probs,
        rewards=jnp.zeros_like(record.log_probs).at[:, -1].set(earned),
        values=record.values,
        discounts=jnp.ones_like(record.log_probs).at[:, -1].set(0.0),
        mask=jnp.ones(tokens.shape, bool),
    )
