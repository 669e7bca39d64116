"""Direct preference optimisation: the controller learns which of two rules was better.

Where all rules of a search are trained on the same replicates, the noise that a seed brings to every rule drops out of
the difference of two rewards, and only its sign is learnt from:

  minimise  -log σ(β (log π(better) / π_ref(better) - log π(worse) / π_ref(worse)))

π_ref is the controller as it was some generations ago, and frozen until it is renewed; without renewal nothing would
be written that the first, random writer finds unlikely. Pairs are drawn from the last M rules told, the better ones
by a tournament, so that most of the comparisons are between a good rule and an ordinary one.

With racing (`searching.racing`) the replicates are the same among the rules that were run in full, and among those of
one generation that were stopped. Pairs are drawn across all the same, for a strategy is not told which rule was
stopped. Of a stopped rule and a full one of its generation the full one is better unless it failed, as the short runs
had it on one replicate; across generations two such rewards also differ by how far those of the stopped rules were
lowered.

A rule that was written before is mutated until it is new.

Letters: M rules remembered; N pairs of a step; K rules; L tokens.

Reference: Rafailov, Sharma, Mitchell, Ermon, Manning, Finn, "Direct preference optimization: your language model is
secretly a reward model", NeurIPS 2023, arXiv:2305.18290. Differs from it: preferences are counted, not asked for;
pairs come from what the controller wrote as it learnt, and the reference is renewed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from metarl.policy_gradient import (
    Preferences,
    direct_preference_loss,
    global_norm,
    masked_mean,
)
from metarl.update_rules import Grammar

from ..settings.config import SearchConfig
from ..writing.breeding import Met, Renewal
from ..writing.told_rules import Pairs, ToldRules
from ..writing.writer import as_numbers, writer
from .contract import Feedback, Proposals, Strategy, as_arrays
from .random_search import numpy_generator


class PreferenceLearner(NamedTuple):
    """The controller, its frozen reference, and what both are asked about."""

    params: Any
    reference: Any
    optimizer: optax.OptState
    told: ToldRules  # M
    generation: jax.Array  # [] int32


class PreferenceState(NamedTuple):
    """What learns, and what was proposed."""

    learner: PreferenceLearner
    met: Met


def preference_search(grammar: Grammar, config: SearchConfig) -> Strategy:
    """Returns the controller with direct preference optimisation.

    Args:
      grammar: of the rules.
      config: its `controller` says what writes and how fast it learns, its `dpo` gives β, M, N and how often
        the reference is renewed.
    """
    settings = config.dpo
    rules = writer(grammar, config.controller, "none")
    optimizer = optax.adam(config.controller.learning_rate)

    renewed = Renewal(grammar)

    def init(key: jax.Array) -> PreferenceState:
        params = rules.policy.init(key)
        told = ToldRules.none(settings.memory, grammar.length)
        generation = jnp.zeros((), jnp.int32)
        learner = PreferenceLearner(params, params, optimizer.init(params), told, generation)
        return PreferenceState(learner, Met.nothing())

    def ask(
        key: jax.Array, state: PreferenceState, count: int
    ) -> tuple[PreferenceState, Proposals]:
        write_key, change_key = jax.random.split(key)
        written = rules.write(write_key, state.learner.params, count).tokens
        tokens, met = renewed(numpy_generator(change_key), np.asarray(written), state.met)
        return state._replace(met=met), Proposals(tokens)

    @jax.jit
    def learn(key: jax.Array, state: PreferenceLearner, tokens: jax.Array, feedback: Feedback):
        told = state.told.after(tokens, feedback.rewards, ~feedback.repeated)

        def step(learner: Any, key: jax.Array) -> Any:
            params, optimizer_state = learner
            pairs = told.pairs(key, settings.pairs, settings.sample)
            gradient, metrics = jax.grad(_loss, has_aux=True)(
                params, state.reference, told.tokens, pairs
            )
            change, optimizer_state = optimizer.update(gradient, optimizer_state, params)
            metrics["gradient_norm"] = global_norm(gradient)
            return (optax.apply_updates(params, change), optimizer_state), metrics

        learner = (state.params, state.optimizer)
        keys = jax.random.split(key, settings.steps)
        (params, optimizer_state), metrics = jax.lax.scan(step, learner, keys)
        generation = state.generation + 1
        renew = generation % settings.renewal == 0
        reference = jax.tree.map(lambda x, y: jnp.where(renew, x, y), params, state.reference)
        state = PreferenceLearner(params, reference, optimizer_state, told, generation)
        return state, jax.tree.map(lambda x: x[-1], metrics)

    def _loss(
        params: Any, reference: Any, tokens: jax.Array, pairs: Pairs
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        both = tokens[jnp.concatenate([pairs.better, pairs.worse])]  # [2N, L]
        distributions = rules.distributions(params, both)
        log_probs = rules.policy.distribution.log_prob(distributions, both).sum(axis=1)
        before = rules.log_probs(reference, both).sum(axis=1)
        compared = Preferences(*jnp.split(log_probs, 2), *jnp.split(before, 2))
        loss = direct_preference_loss(compared, pairs.differ, settings.beta)
        entropy = jnp.mean(rules.policy.distribution.entropy(distributions))
        return loss - config.controller.entropy_weight * entropy, {
            "preference_loss": loss,
            "preference_accuracy": masked_mean(
                (compared.margins > 0).astype(jnp.float32), pairs.differ
            ),
            "entropy": entropy,
        }

    def tell(
        key: jax.Array, state: PreferenceState, proposals: Proposals, feedback: Feedback
    ) -> tuple[PreferenceState, dict[str, float]]:
        tokens = jnp.asarray(proposals.tokens, jnp.int32)
        learner, metrics = learn(key, state.learner, tokens, as_arrays(feedback))
        return state._replace(learner=learner), as_numbers(metrics)

    return Strategy(init, ask, tell)
