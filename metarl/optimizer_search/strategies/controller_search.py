"""Controller search: a recurrent controller writes rules and learns which to write more often.

The controller writes a rule token by token; its reward comes with the last token, undiscounted. The algorithm that
learns from it (REINFORCE, PPO or TRPO) does not know that tokens are rules.

Rewards are replaced by their ranks among the new rules of a generation, so that neither a few divergences nor one
lucky rule drown the rest. A rule that was proposed before has the middle rank: it is neither praised, or the
controller would soon write a handful of rules, nor punished, or it would be driven off the best it found. Its tokens
stay in the batch, so that where all is known the entropy bonus is all that is learnt.

Letters: K rules of a generation; L tokens.

Reference: Bello, Zoph, Vasudevan, Le, "Neural Optimizer Search with Reinforcement Learning" (2017), arXiv:1709.07417,
section 3. Differs from it: ranks are learnt from, and repeats have the middle one.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from metarl.policy_gradient import (
    Algorithm,
    Batch,
    ReinforceConfig,
    TRPOConfig,
    reinforce,
    trpo,
)
from metarl.update_rules import Grammar

from ..settings.config import SearchConfig
from ..writing.ranks import ranks
from ..writing.writer import Writer, as_numbers, sequences, writer, writing_ppo
from .contract import Feedback, Proposals, Strategy, as_arrays


def reinforce_search(grammar: Grammar, config: SearchConfig) -> Strategy:
    """Returns the controller with REINFORCE and a moving-average baseline."""
    rules = writer(grammar, config.controller, "none")
    settings = ReinforceConfig(
        learning_rate=config.controller.learning_rate,
        baseline="moving_average",
        entropy_weight=config.controller.entropy_weight,
    )
    return _strategy(rules, reinforce(rules.policy, settings))


def ppo_search(grammar: Grammar, config: SearchConfig) -> Strategy:
    """Returns the controller with proximal policy optimisation, as in the arXiv version."""
    rules = writer(grammar, config.controller, "shared")
    return _strategy(rules, writing_ppo(rules, config.controller))


def trpo_search(grammar: Grammar, config: SearchConfig) -> Strategy:
    """Returns the controller with trust region policy optimisation, as in the ICML version."""
    rules = writer(grammar, config.controller, "separate")
    settings = TRPOConfig(
        max_kl=config.controller.kl_bound,
        gae_lambda=1.0,
        entropy_weight=config.controller.entropy_weight,
        value_learning_rate=config.controller.learning_rate,
        value_minibatches=1,
    )
    return _strategy(rules, trpo(rules.policy, settings))


def _strategy(writer: Writer, algorithm: Algorithm) -> Strategy:
    """Joins writer and algorithm; `ask` and `tell` are one compiled program each."""

    @jax.jit
    def init(key: jax.Array) -> Any:
        return algorithm.init(writer.policy.init(key))

    def ask(key: jax.Array, state: Any, count: int) -> tuple[Any, Proposals]:
        return state, Proposals(*writer.write_recorded(key, state.params, count))

    @jax.jit
    def learn(key: jax.Array, state: Any, proposals: Proposals, feedback: Feedback):
        return algorithm.update(key, state, _batch(proposals, feedback))

    def tell(
        key: jax.Array, state: Any, proposals: Proposals, feedback: Feedback
    ) -> tuple[Any, dict[str, float]]:
        proposals = Proposals(jnp.asarray(proposals.tokens, jnp.int32), proposals.record)
        state, metrics = learn(key, state, proposals, as_arrays(feedback))
        return state, as_numbers(metrics)

    return Strategy(init, ask, tell)


def _batch(proposals: Proposals, feedback: Feedback) -> Batch:
    """Returns what the algorithm learns from: sequences whose reward comes with the last token."""
    tokens, record = proposals
    earned = ranks(feedback.rewards, ~feedback.repeated)  # [K]
    return sequences(tokens, record, earned, jnp.ones(len(tokens), bool))
