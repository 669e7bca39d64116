"""Trajectory transformer: rules found by beam search, in a model of how rules are written and of what they earn.

A causal transformer learns, from all rules told, which token comes next and what a rule will earn:

  minimise   - mean log P(token | tokens before)  - mean log P(return of the rule | tokens up to this one)

A rule earns everything with its last token, so the return to come is the same at all of its tokens; it is log(N / n) /
log N, n the rules of N that are at least as good, in bins. To propose a rule, some lines of tokens are continued
together by tokens drawn from the model, and those are kept for which a return drawn from it, with a share of their
log-probability, is largest (`writing/beams`). Before anything is told a line is drawn.

Of the lines of a search the best that is new is proposed; where there is none, the best is mutated until it is new.

Letters: M rules remembered; N rules of a step; K rules of a generation; L tokens.

Reference: Janner, Li, Levine, "Offline reinforcement learning as one big sequence modeling problem", NeurIPS 2021,
arXiv:2106.02039. Differs from it: data come from its own rules as it learns; returns are ranks, and none is shown;
nothing is earned on the way and nothing discounted; lines are ranked after every token, with their log-probability
beside the return, for tokens of a line are drawn without replacement; a search has a whole rule for its horizon, and
other lines than the best are of use.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metarl.update_rules import Grammar

from ..settings.config import SearchConfig
from ..writing.beams import beam_writer
from ..writing.breeding import Met, Renewal
from ..writing.sequence_learning import SequenceLearner, sequence_learning
from ..writing.writer import as_numbers
from .contract import Feedback, Proposals, Strategy, as_arrays
from .random_search import numpy_generator


class TrajectoryTransformerState(NamedTuple):
    """What learns, and what was proposed."""

    learner: SequenceLearner
    met: Met


def trajectory_transformer(grammar: Grammar, config: SearchConfig) -> Strategy:
    """Returns the strategy.

    Args:
      grammar: of the rules.
      config: its `controller` gives the units of the transformer and how fast it learns, its
        `trajectory_transformer` the search, M, N and the steps.

    Raises:
      InvalidInput: so many units cannot be cut into heads.
    """
    settings = config.trajectory_transformer
    rules = beam_writer(grammar, config.controller, settings)
    renewed = Renewal(grammar)

    def loss_of(params: Any, tokens: jax.Array, returns: jax.Array) -> Any:
        foreseen = rules.foreseen(params, tokens)
        choice = rules.policy.distribution
        of_tokens = -jnp.mean(choice.log_prob(foreseen.tokens, tokens))
        bins = jnp.broadcast_to(rules.bins(returns)[:, None], tokens.shape)
        of_returns = -jnp.mean(choice.log_prob(foreseen.returns, bins))
        entropy = jnp.mean(choice.entropy(foreseen.tokens))
        metrics = {"sequence_loss": of_tokens, "return_loss": of_returns, "entropy": entropy}
        return of_tokens + of_returns, metrics

    learning = sequence_learning(
        rules.policy, grammar.length, loss_of, settings, config.controller.learning_rate
    )

    def init(key: jax.Array) -> TrajectoryTransformerState:
        return TrajectoryTransformerState(learning.init(key), Met.nothing())

    def ask(
        key: jax.Array, state: TrajectoryTransformerState, count: int
    ) -> tuple[TrajectoryTransformerState, Proposals]:
        search_key, change_key = jax.random.split(key)
        learnt = jnp.any(state.learner.told.present)
        lines = rules.write(search_key, state.learner.params, count, learnt)
        tokens, met = renewed.first_new(
            numpy_generator(change_key),
            np.asarray(lines.tokens),
            np.asarray(lines.there),
            state.met,
        )
        return state._replace(met=met), Proposals(tokens)

    def tell(
        key: jax.Array, state: TrajectoryTransformerState, proposals: Proposals, feedback: Feedback
    ) -> tuple[TrajectoryTransformerState, dict[str, float]]:
        tokens = jnp.asarray(proposals.tokens, jnp.int32)
        told = as_arrays(feedback)
        learner, metrics = learning.learn(key, state.learner, tokens, told.rewards, ~told.repeated)
        return state._replace(learner=learner), as_numbers(metrics)

    return Strategy(init, ask, tell)
