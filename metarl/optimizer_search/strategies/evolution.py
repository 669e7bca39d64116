"""Regularised evolution: the best of a sample breeds, the oldest die.

Each child is its parent with one token changed. Dying of age instead of weakness keeps a rule that
was lucky once from ruling for ever. A child that was proposed before is mutated again, until it is
new: in a space where most changes change nothing, half of the children would be repeats.

The first population is random rules, or the simplest functions of the space, each once (`enumeration`): Occam
says where to begin, and evolution goes on from there.

Letters: K rules of a generation; L tokens; P rules alive.

Reference: Real, Aggarwal, Huang, Le, "Regularized Evolution for Image Classifier Architecture
Search", AAAI 2019, arXiv:1802.01548, algorithm 1. Differs from it: K children are made at a time
from one population, and repeats do not join it.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import numpy as np

from metarl.update_rules import Grammar, resolve

from ..settings.config import SearchConfig
from ..writing.breeding import Met, Renewal, mutated, winner
from .contract import Feedback, Proposals, Strategy
from .enumeration import Order, trainable_functions
from .random_search import numpy_generator


class EvolutionState(NamedTuple):
    """The rules alive, as a ring, and the memory of those proposed."""

    tokens: np.ndarray  # [P, L] int32
    rewards: np.ndarray  # [P] float32
    born: np.ndarray  # [] int64, rules that ever joined; rule number i lies in row i mod P
    met: Met


def evolution(grammar: Grammar, config: SearchConfig) -> Strategy:
    """Returns the strategy.

    Args:
      grammar: of the rules.
      config: its `evolution` gives P, the size of tournaments, and what to start from.

    Returns:
      Until P rules are alive, children are random rules, or the simplest functions; or, with `init_from`, mutations of
      that rule, which itself is the very first proposal.

    Raises:
      InvalidInput: `init_from` is no rule, or not one of the grammar.
    """
    settings = config.evolution
    start = None if settings.init_from is None else grammar.to_tokens(resolve(settings.init_from))
    renewal, change = Renewal(grammar), functools.partial(mutated, grammar=grammar)
    simplest = Order(trainable_functions(grammar, config)) if settings.first == "simplest" else None

    def init(key: jax.Array) -> EvolutionState:
        del key
        return EvolutionState(
            np.zeros((settings.population, grammar.length), np.int32),
            np.zeros(settings.population, np.float32),
            np.asarray(0, np.int64),
            Met.nothing(),
        )

    def ask(key: jax.Array, state: EvolutionState, count: int) -> tuple[EvolutionState, Proposals]:
        generator = numpy_generator(key)
        known, first = state.met.digests(), int(state.met.proposed)
        children = [
            renewal.child(generator, _child(generator, state, number), known)
            for number in range(first, first + count)
        ]
        met = state.met.after(map(renewal.digest_of, children))
        return state._replace(met=met), Proposals(np.stack(children))

    def tell(
        key: jax.Array, state: EvolutionState, proposals: Proposals, feedback: Feedback
    ) -> tuple[EvolutionState, dict[str, float]]:
        del key
        new = ~np.asarray(feedback.repeated, bool)
        tokens, rewards = np.asarray(proposals.tokens)[new], np.asarray(feedback.rewards)[new]
        state = _join(state, tokens, rewards)
        alive = state.rewards[: state.born]
        mean, best = (float(alive.mean()), float(alive.max())) if len(alive) else (0.0, 0.0)
        return state, {"population_mean": mean, "population_best": best}

    def _child(generator: np.random.Generator, state: EvolutionState, number: int) -> np.ndarray:
        """Returns the tokens of the child of a number, which may be a repeat."""
        if state.born >= settings.population:
            return change(
                generator, state.tokens[winner(generator, state.rewards, settings.sample)]
            )
        if start is not None:
            return start if number == 0 else change(generator, start)
        return grammar.sample(generator, 1)[0] if simplest is None else simplest[number]

    return Strategy(init, ask, tell)


def _join(state: EvolutionState, tokens: np.ndarray, rewards: np.ndarray) -> EvolutionState:
    """Adds rules in place of the oldest."""
    size = len(state.rewards)
    born = int(state.born) + len(tokens)
    tokens, rewards = tokens[-size:], rewards[-size:]
    rows = np.arange(born - len(tokens), born) % size
    alive, earned = state.tokens.copy(), state.rewards.copy()
    alive[rows], earned[rows] = tokens, rewards
    return state._replace(tokens=alive, rewards=earned, born=np.asarray(born, np.int64))
