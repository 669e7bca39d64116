"""Decision transformer: rules written to order, by a model that was shown what rules earn.

A causal transformer learns, from all rules told, which token comes next given the tokens before it and the return to
come:

  maximise   mean over rules told of log π(token | tokens before, return of the rule)

Then it is asked for rules with a return above the best. A rule earns everything with its last token, so the return to
come is the same at all of its tokens; it is told as log(N / n) / log N, n the rules of N that are at least as good: 1
is the best so far, and more than 1 was never seen.

A rule that was written before is mutated until it is new.

Letters: M rules remembered; N rules of a step; K rules of a generation; L tokens.

Reference: Chen, Lu, Rajeswaran, Lee, Grover, Laskin, Abbeel, Srinivas, Mordatch, "Decision transformer: reinforcement
learning via sequence modeling", NeurIPS 2021, arXiv:2106.01345. Differs from it: data come from its own rules as it
learns; the return is a number beside the embedding of the last token, and not a token of its own; returns are ranks.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metarl.update_rules import Grammar

from ..settings.config import SearchConfig
from ..writing.breeding import Met, Renewal
from ..writing.sequence_learning import SequenceLearner, sequence_learning
from ..writing.writer import as_numbers, asked_writer
from .contract import Feedback, Proposals, Strategy, as_arrays
from .random_search import numpy_generator


class DecisionTransformerState(NamedTuple):
    """What learns, and what was proposed."""

    learner: SequenceLearner
    met: Met


def decision_transformer(grammar: Grammar, config: SearchConfig) -> Strategy:
    """Returns the strategy.

    Args:
      grammar: of the rules.
      config: its `controller` gives the units of the transformer and how fast it learns, its
        `decision_transformer` what it is asked for, M, N and the steps.

    Raises:
      InvalidInput: so many units cannot be cut into heads.
    """
    settings = config.decision_transformer
    rules = asked_writer(grammar, config.controller)
    renewed = Renewal(grammar)

    def loss_of(params: Any, tokens: jax.Array, returns: jax.Array) -> Any:
        choices = rules.distributions(params, tokens, returns[:, None])
        loss = -jnp.mean(rules.policy.distribution.log_prob(choices, tokens))
        entropy = jnp.mean(rules.policy.distribution.entropy(choices))
        return loss, {"sequence_loss": loss, "entropy": entropy}

    learning = sequence_learning(
        rules.policy, grammar.length, loss_of, settings, config.controller.learning_rate
    )

    def init(key: jax.Array) -> DecisionTransformerState:
        return DecisionTransformerState(learning.init(key), Met.nothing())

    def ask(
        key: jax.Array, state: DecisionTransformerState, count: int
    ) -> tuple[DecisionTransformerState, Proposals]:
        write_key, change_key = jax.random.split(key)
        wish = jnp.full((count, 1), settings.asked)
        written = rules.write(write_key, state.learner.params, count, wish).tokens
        tokens, met = renewed(numpy_generator(change_key), np.asarray(written), state.met)
        return state._replace(met=met), Proposals(tokens)

    def tell(
        key: jax.Array, state: DecisionTransformerState, proposals: Proposals, feedback: Feedback
    ) -> tuple[DecisionTransformerState, dict[str, float]]:
        tokens = jnp.asarray(proposals.tokens, jnp.int32)
        told = as_arrays(feedback)
        learner, metrics = learning.learn(key, state.learner, tokens, told.rewards, ~told.repeated)
        return state._replace(learner=learner), as_numbers(metrics)

    return Strategy(init, ask, tell)
