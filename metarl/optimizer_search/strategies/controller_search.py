"""Controller search: a recurrent controller writes rules and learns which to write more often.

The controller writes a rule token by token; its reward comes with the last token, undiscounted. The algorithm that
learns from it (REINFORCE, PPO or TRPO) does not know that tokens are rules.

A rule that was written before is mutated until it is new, and joins the batch with the log-probabilities that the
controller itself would have given it: what it learns from is what was trained, and a controller that is sure of a
handful of rules still searches around them. Rewards are replaced by their ranks among the new rules of a generation,
so that neither a few divergences nor one lucky rule drown the rest. A rule that turns out to be met before, as another
spelling, has the middle rank: it is neither praised, or the controller would soon write a handful of rules, nor
punished, or it would be driven off the best it found. Its tokens stay in the batch, so that where all is known the
entropy bonus is all that is learnt.

Letters: K rules of a generation; L tokens.

Reference: Bello, Zoph, Vasudevan, Le, "Neural Optimizer Search with Reinforcement Learning" (2017), arXiv:1709.07417,
section 3. Differs from it: ranks are learnt from; repeats are mutated, so not all rules are the controller's own words.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

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
from ..writing.breeding import Met, Renewal
from ..writing.ranks import ranks
from ..writing.writer import Writer, as_numbers, sequences, writer, writing_ppo
from .contract import Feedback, Proposals, Strategy, as_arrays
from .random_search import numpy_generator


class ControllerState(NamedTuple):
    """The controller, and the rules that were proposed."""

    learner: Any
    met: Met


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
    """Joins writer and algorithm."""
    renewed = Renewal(writer.grammar)
    first_weights = jax.jit(lambda key: algorithm.init(writer.policy.init(key)))

    def init(key: jax.Array) -> ControllerState:
        return ControllerState(first_weights(key), Met.nothing())

    def ask(
        key: jax.Array, state: ControllerState, count: int
    ) -> tuple[ControllerState, Proposals]:
        write_key, change_key = jax.random.split(key)
        params = state.learner.params
        written, record = writer.write_recorded(write_key, params, count)
        tokens, met = renewed(numpy_generator(change_key), np.asarray(written), state.met)
        if not np.array_equal(tokens, written):
            record = writer.record_under(params, jnp.asarray(tokens))
        return state._replace(met=met), Proposals(tokens, record)

    @jax.jit
    def learn(key: jax.Array, learner: Any, proposals: Proposals, feedback: Feedback):
        return algorithm.update(key, learner, _batch(proposals, feedback))

    def tell(
        key: jax.Array, state: ControllerState, proposals: Proposals, feedback: Feedback
    ) -> tuple[ControllerState, dict[str, float]]:
        proposals = Proposals(jnp.asarray(proposals.tokens, jnp.int32), proposals.record)
        learner, metrics = learn(key, state.learner, proposals, as_arrays(feedback))
        return state._replace(learner=learner), as_numbers(metrics)

    return Strategy(init, ask, tell)


def _batch(proposals: Proposals, feedback: Feedback) -> Batch:
    """Returns what the algorithm learns from: sequences whose reward comes with the last token."""
    tokens, record = proposals
    earned = ranks(feedback.rewards, ~feedback.repeated)  # [K]
    return sequences(tokens, record, earned, jnp.ones(len(tokens), bool))
