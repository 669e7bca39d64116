"""Regularised evolution: the best of a sample breeds, the oldest die.

Each child is its parent with one token changed. Dying of age instead of weakness keeps a rule that
was lucky once from ruling for ever. A child that was proposed before is mutated again, until it is
new: in a space where most changes change nothing, half of the children would be repeats.

Letters: K rules of a generation; L tokens; P rules alive; H rules remembered.

Reference: Real, Aggarwal, Huang, Le, "Regularized Evolution for Image Classifier Architecture
Search", AAAI 2019, arXiv:1802.01548, algorithm 1. Differs from it: K children are made at a time
from one population, and repeats do not join it.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import jax
import numpy as np

from metarl.update_rules import Grammar, resolve

from ..settings.config import SearchConfig
from .contract import Feedback, Proposals, Strategy
from .random_search import numpy_generator

_REMEMBERED = 1 << 14
_AT_HAND = 1 << 17  # digests, some 20 MB
_TRIES = 32  # mutations of a child, one upon the other, before a repeat is accepted


class EvolutionState(NamedTuple):
    """The rules alive and the memory of those proposed, both as rings."""

    tokens: np.ndarray  # [P, L] int32
    rewards: np.ndarray  # [P] float32
    born: np.ndarray  # [] int64, rules that ever joined; rule number i lies in row i mod P
    proposed: np.ndarray  # [] int64, rules that were ever proposed
    history: np.ndarray  # [H] uint64, digests of the last H proposals


def evolution(grammar: Grammar, config: SearchConfig) -> Strategy:
    """Returns the strategy.

    Args:
      grammar: of the rules.
      config: its `evolution` gives P, the size of tournaments, and the rule to start from.

    Returns:
      Until P rules are alive, children are random rules or, with `init_from`, mutations of that
      rule, which itself is the very first proposal.

    Raises:
      InvalidInput: `init_from` is no rule, or not one of the grammar.
    """
    settings = config.evolution
    start = None if settings.init_from is None else grammar.to_tokens(resolve(settings.init_from))
    digest_of = _Digests(grammar)

    def init(key: jax.Array) -> EvolutionState:
        del key
        return EvolutionState(
            np.zeros((settings.population, grammar.length), np.int32),
            np.zeros(settings.population, np.float32),
            np.asarray(0, np.int64),
            np.asarray(0, np.int64),
            np.zeros(_REMEMBERED, np.uint64),
        )

    def ask(key: jax.Array, state: EvolutionState, count: int) -> tuple[EvolutionState, Proposals]:
        generator = numpy_generator(key)
        known = set(state.history[: state.proposed].tolist())
        children = []
        for _ in range(count):
            child = _child(generator, state)
            child, digest = _made_new(generator, child, known)
            known.add(digest)
            children.append((child, digest))
        tokens = np.stack([child for child, _ in children])
        return _remember(state, [digest for _, digest in children]), Proposals(tokens)

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

    def _child(generator: np.random.Generator, state: EvolutionState) -> np.ndarray:
        """Returns the tokens of a child, which may be a repeat."""
        if state.born >= settings.population:
            parent = state.tokens[_winner(generator, state, settings.sample)]
            return _mutated(generator, parent, grammar)
        if start is None:
            return grammar.sample(generator, 1)[0]
        return start if state.proposed == 0 else _mutated(generator, start, grammar)

    def _made_new(
        generator: np.random.Generator, child: np.ndarray, known: set[int]
    ) -> tuple[np.ndarray, int]:
        """Mutates a child until its digest is not known, for a limited number of times."""
        digest = digest_of(child)
        for _ in range(_TRIES):
            if digest not in known:
                break
            child = _mutated(generator, child, grammar)
            digest = digest_of(child)
        return child, digest

    return Strategy(init, ask, tell)


def _winner(generator: np.random.Generator, state: EvolutionState, sample: int) -> int:
    """Returns the row of the best of `sample` rules, drawn with replacement."""
    drawn = generator.integers(len(state.rewards), size=sample)
    return int(drawn[np.argmax(state.rewards[drawn])])


def _mutated(generator: np.random.Generator, parent: np.ndarray, grammar: Grammar) -> np.ndarray:
    """Returns the parent with one token changed; a rule of the grammar as the parent is."""
    sizes = np.asarray(grammar.slot_sizes)
    free = np.flatnonzero(sizes > 1)
    for _ in range(1000):  # a change may break a constraint of the grammar; most do not
        slot = generator.choice(free)
        child = parent.copy()
        child[slot] = (parent[slot] + generator.integers(1, sizes[slot])) % sizes[slot]
        if grammar.allows(child):
            return child
    return parent.copy()


class _Digests:
    """Numbers for the rules that tokens stand for, whatever way they are written.

    Those of late are at hand: children of one population are often the same, and to bring a rule into its canonical
    form is most of what evolution costs.
    """

    def __init__(self, grammar: Grammar):
        self._grammar = grammar
        self._known: dict[bytes, int] = {}

    def __call__(self, tokens: np.ndarray) -> int:
        code = tokens.tobytes()
        if code not in self._known:
            if len(self._known) >= _AT_HAND:
                self._known.clear()
            text = str(self._grammar.to_rule(tokens).canonical())
            digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
            self._known[code] = int.from_bytes(digest, "little")
        return self._known[code]


def _remember(state: EvolutionState, digests: list[int]) -> EvolutionState:
    history = state.history.copy()
    rows = (int(state.proposed) + np.arange(len(digests))) % len(history)
    history[rows] = np.asarray(digests, np.uint64)
    return state._replace(
        history=history, proposed=np.asarray(state.proposed + len(digests), np.int64)
    )


def _join(state: EvolutionState, tokens: np.ndarray, rewards: np.ndarray) -> EvolutionState:
    """Adds rules in place of the oldest."""
    size = len(state.rewards)
    born = int(state.born) + len(tokens)
    tokens, rewards = tokens[-size:], rewards[-size:]
    rows = np.arange(born - len(tokens), born) % size
    alive, earned = state.tokens.copy(), state.rewards.copy()
    alive[rows], earned[rows] = tokens, rewards
    return state._replace(tokens=alive, rewards=earned, born=np.asarray(born, np.int64))
