"""Priority queue training: the controller learns to write the best rules found so far.

A queue holds the Q best distinct rules of the search; after every generation the controller is made likelier to write
them, by maximum likelihood, and nothing else:

  maximise   mean over the queue of log π(rule)   +   the entropy bonus

What it writes beside them is what looks like them, and what is better than the worst of them takes its place. A rule
that was written before is mutated until it is new: what imitates ten rules soon writes little else.

Letters: Q rules of the queue; K rules of a generation; L tokens.

Reference: Abolafia, Norouzi, Shen, Zhao, Le, "Neural program synthesis with priority queue training", 2018,
arXiv:1801.03526 (Q = 10). Differs from it: as in the best setting of Petersen et al. (2021) there is no policy
gradient beside it; the queue is gone over several times after every generation, for a search here has tens of them
and not thousands.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metarl.update_rules import Grammar

from ..settings.config import SearchConfig
from ..writing.best_rules import BestRules
from ..writing.breeding import Met, Renewal
from ..writing.writer import as_numbers, sequences, weighted_likelihood, writer
from .contract import Feedback, Proposals, Strategy, as_arrays
from .random_search import numpy_generator


class PriorityQueueState(NamedTuple):
    """The controller and what it learns to write."""

    learner: Any
    queue: BestRules
    met: Met


def priority_queue_search(grammar: Grammar, config: SearchConfig) -> Strategy:
    """Returns the controller that imitates the best rules.

    Args:
      grammar: of the rules.
      config: its `controller` says what writes and how fast it learns, its `priority_queue` gives Q.
    """
    rules = writer(grammar, config.controller, "none")
    learner, renewed = weighted_likelihood(rules, config.controller), Renewal(grammar)

    def init(key: jax.Array) -> PriorityQueueState:
        queue = BestRules.none(config.priority_queue.size, grammar.length)
        return PriorityQueueState(learner.init(rules.policy.init(key)), queue, Met.nothing())

    def ask(
        key: jax.Array, state: PriorityQueueState, count: int
    ) -> tuple[PriorityQueueState, Proposals]:
        write_key, change_key = jax.random.split(key)
        written = rules.write(write_key, state.learner.params, count).tokens
        tokens, met = renewed(numpy_generator(change_key), np.asarray(written), state.met)
        return state._replace(met=met), Proposals(tokens)

    @jax.jit
    def learn(key: jax.Array, learnt: Any, queue: BestRules, tokens: jax.Array, feedback: Feedback):
        wanted = ~feedback.repeated & (feedback.rewards > feedback.floor)
        queue = queue.after(tokens, feedback.rewards, wanted)
        record = rules.record_of(queue.tokens)
        alike = jnp.ones(len(queue.rewards))
        batch = sequences(queue.tokens, record, alike, queue.present)
        learnt, metrics = learner.update(key, learnt, batch)
        worst = jnp.min(queue.rewards, where=queue.present, initial=jnp.inf)
        worst = jnp.where(jnp.any(queue.present), worst, feedback.floor)
        metrics |= {"queued": jnp.sum(queue.present), "queue_worst": worst}
        return learnt, queue, metrics

    def tell(
        key: jax.Array, state: PriorityQueueState, proposals: Proposals, feedback: Feedback
    ) -> tuple[PriorityQueueState, dict[str, float]]:
        tokens = jnp.asarray(proposals.tokens, jnp.int32)
        learnt, queue, metrics = learn(key, state.learner, state.queue, tokens, as_arrays(feedback))
        return PriorityQueueState(learnt, queue, state.met), as_numbers(metrics)

    return Strategy(init, ask, tell)
