"""AlphaZero over tokens: the controller guides a tree search, and learns to choose what the search chose.

  ask     before every token a tree is grown with the controller alone, as prior and value (`planning`), and the token
          is what Gumbel search chooses there; a rule that was met before is mutated until it is new
  tell    the controller learns, from rules told:
            minimise   -Σ_a w(a) log π(a)   +   (v - worth of the rule)²   -   the entropy bonus
          w the improved policy of the search at that token, v the value before every token and of the complete rule

A rule is worth log(N / n) / log N, n the rules of N that are at least as good: 1 is the best so far. Where a rule was
mutated, nothing was chosen by the search: it teaches the value alone.

Letters: M rules remembered; N rules of a step; K rules of a generation; L tokens; W width.

References: Silver et al., "A general reinforcement learning algorithm that masters chess, shogi, and Go through
self-play", Science 362, 2018; Danihelka, Guez, Schrittwieser, Silver, "Policy improvement by planning with Gumbel",
ICLR 2022 (by mctx). Differs from them: an episode is one rule, whose worth is asked of the judge once it is written, so
the tree knows the value of a complete rule by the controller alone; worths are ranks, and change as better rules are
found.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from metarl.policy_gradient import global_norm
from metarl.update_rules import Grammar

from ..settings.config import SearchConfig
from ..writing.breeding import Met, Renewal
from ..writing.planning import planner
from ..writing.ranks import log_ranks
from ..writing.told_rules import ToldRules
from ..writing.writer import as_numbers
from .contract import Feedback, Proposals, Strategy, as_arrays
from .random_search import numpy_generator


class PlanningLearner(NamedTuple):
    """The controller, and what it learns from."""

    params: Any
    optimizer: optax.OptState
    told: ToldRules  # M; its notes are w of every token, and 1 where the search chose the rule, [M, L W + 1]


class AlphaZeroState(NamedTuple):
    """What learns, and what was proposed."""

    learner: PlanningLearner
    met: Met


def alphazero(grammar: Grammar, config: SearchConfig) -> Strategy:
    """Returns the strategy.

    Args:
      grammar: of the rules.
      config: its `controller` says what plans and how fast it learns, its `alphazero` the size of the trees, M, N
        and the steps.
    """
    settings = config.alphazero
    rules = planner(grammar, config.controller, settings.simulations)
    optimizer = optax.adam(config.controller.learning_rate)
    renewed = Renewal(grammar)
    width = rules.policy.width

    def init(key: jax.Array) -> AlphaZeroState:
        params = rules.policy.init(key)
        told = ToldRules.none(settings.memory, grammar.length, grammar.length * width + 1)
        return AlphaZeroState(PlanningLearner(params, optimizer.init(params), told), Met.nothing())

    def ask(key: jax.Array, state: AlphaZeroState, count: int) -> tuple[AlphaZeroState, Proposals]:
        plan_key, change_key = jax.random.split(key)
        planned = rules.write(plan_key, state.learner.params, count)
        written = np.asarray(planned.tokens)
        tokens, met = renewed(numpy_generator(change_key), written, state.met)
        chosen = np.all(tokens == written, axis=1)  # [K]
        notes = jnp.concatenate([planned.weights.reshape(count, -1), chosen[:, None]], axis=1)
        return state._replace(met=met), Proposals(tokens, notes)

    @jax.jit
    def learn(
        key: jax.Array,
        state: PlanningLearner,
        tokens: jax.Array,
        notes: jax.Array,
        feedback: Feedback,
    ):
        told = state.told.after(tokens, feedback.rewards, ~feedback.repeated, notes)
        worth = log_ranks(told.rewards, told.present, jnp)  # [M]
        there = jnp.any(told.present)

        def step(learner: Any, key: jax.Array) -> Any:
            params, optimizer_state = learner
            rows = told.rows(key, (settings.batch,))
            gradient, metrics = jax.grad(_loss, has_aux=True)(
                params, told.tokens[rows], told.notes[rows], worth[rows]
            )
            gradient = jax.tree.map(lambda x: jnp.where(there, x, 0.0), gradient)
            change, optimizer_state = optimizer.update(gradient, optimizer_state, params)
            metrics["gradient_norm"] = global_norm(gradient)
            return (optax.apply_updates(params, change), optimizer_state), metrics

        keys = jax.random.split(key, settings.steps)
        learner, metrics = jax.lax.scan(step, (state.params, state.optimizer), keys)
        return PlanningLearner(*learner, told), jax.tree.map(lambda x: x[-1], metrics)

    def _loss(
        params: Any, tokens: jax.Array, notes: jax.Array, worth: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        judged = rules.judged(params, tokens)
        weights, chosen = notes[:, :-1].reshape(judged.logits.shape), notes[:, -1]
        surprise = -jnp.sum(weights * jax.nn.log_softmax(judged.logits), axis=-1)  # [N, L]
        plan_loss = jnp.mean(chosen[:, None] * surprise)
        value_error = jnp.mean((judged.values - worth[:, None]) ** 2)
        entropy = jnp.mean(rules.policy.distribution.entropy(judged.logits))
        loss = plan_loss + value_error - config.controller.entropy_weight * entropy
        metrics = {"plan_loss": plan_loss, "value_error": value_error, "entropy": entropy}
        return loss, metrics

    def tell(
        key: jax.Array, state: AlphaZeroState, proposals: Proposals, feedback: Feedback
    ) -> tuple[AlphaZeroState, dict[str, float]]:
        tokens, notes = jnp.asarray(proposals.tokens, jnp.int32), proposals.record
        learner, metrics = learn(key, state.learner, tokens, notes, as_arrays(feedback))
        return state._replace(learner=learner), as_numbers(metrics)

    return Strategy(init, ask, tell)
