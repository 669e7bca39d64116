"""Random search: rules drawn from the grammar, never learning.

The yardstick: a strategy that does not beat it at the same number of trained rules has learnt
nothing.
"""

from __future__ import annotations

import jax
import numpy as np

from metarl.update_rules import Grammar

from ..settings.config import SearchConfig
from .contract import Feedback, Proposals, State, Strategy


def random_search(grammar: Grammar, config: SearchConfig) -> Strategy:
    """Returns the strategy that draws every token uniformly among those the grammar allows."""
    del config

    def init(key: jax.Array) -> State:
        del key
        return ()

    def ask(key: jax.Array, state: State, count: int) -> tuple[State, Proposals]:
        return state, Proposals(grammar.sample(numpy_generator(key), count))

    def tell(
        key: jax.Array, state: State, proposals: Proposals, feedback: Feedback
    ) -> tuple[State, dict[str, float]]:
        del key, proposals, feedback
        return state, {}

    return Strategy(init, ask, tell)


def numpy_generator(key: jax.Array) -> np.random.Generator:
    """Returns a numpy generator seeded by a key; consumes the key."""
    return np.random.default_rng(np.asarray(_words(key)))


@jax.jit
def _words(key: jax.Array) -> jax.Array:
    return jax.random.bits(key, (4,), np.uint32)
