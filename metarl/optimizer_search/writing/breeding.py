"""breeding: children of rules, by mutation and crossing over, that were not proposed before.

What evolution, Go-Explore and tree search share. A child is legal as its parents are. In a space where most changes
change nothing, half of the children would be repeats; so the digests of what was proposed are remembered, and a child
that was met is changed again.

Letters: K children; L tokens; H digests remembered.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import numpy as np

from metarl.update_rules import Grammar

REMEMBERED = 1 << 14
_AT_HAND = 1 << 17  # digests, some 20 MB
_TRIES = 32  # changes of a child, one upon the other, before a repeat is accepted

Change = Callable[[np.random.Generator, np.ndarray], np.ndarray]


class Met(NamedTuple):
    """The rules that were proposed, as a ring of their digests."""

    proposed: np.ndarray  # [] int64, rules that were ever proposed
    history: np.ndarray  # [H] uint64, digests of the last H of them

    @classmethod
    def nothing(cls) -> Met:
        """Returns the memory of who has proposed nothing."""
        return cls(np.asarray(0, np.int64), np.zeros(REMEMBERED, np.uint64))

    def digests(self) -> set[int]:
        """Returns the digests remembered."""
        return set(self.history[: self.proposed].tolist())

    def forgotten(self) -> Met:
        """Returns the memory of nothing."""
        return Met.nothing()

    def after(self, digests: Iterable[int]) -> Met:
        """Returns the memory with more rules proposed."""
        new = np.asarray(list(digests), np.uint64)
        history = self.history.copy()
        rows = (int(self.proposed) + np.arange(len(new))) % len(history)
        history[rows] = new
        return Met(np.asarray(self.proposed + len(new), np.int64), history)


def forgotten(state: Any) -> Any:
    """Returns the state of a strategy as if it had proposed nothing: where others judge, every rule is new again.

    The parts of a state that tell what was proposed say themselves, by a method of this name, what they are without.
    """

    def is_memory(part: Any) -> bool:
        return hasattr(part, "forgotten")

    return jax.tree.map(lambda x: x.forgotten() if is_memory(x) else x, state, is_leaf=is_memory)


class Digests:
    """Numbers for the rules that tokens stand for, whatever way they are written.

    Those of late are at hand: children of one population are often the same, or differ in tokens that nothing depends
    on, and to bring a rule into its canonical form is most of what evolution costs.
    """

    def __init__(self, grammar: Grammar):
        """Knows none yet."""
        self._grammar = grammar
        self._known: dict[tuple[int, ...], int] = {}

    def __call__(self, tokens: np.ndarray) -> int:
        """Returns the digest of a rule, 64 bits."""
        code = self._grammar.tokens_read(tokens)
        if code not in self._known:
            if len(self._known) >= _AT_HAND:
                self._known.clear()
            text = self._grammar.canonical_text(tokens)
            digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
            self._known[code] = int.from_bytes(digest, "little")
        return self._known[code]


class Renewal:
    """Makes rules that were met before new: each is mutated until it is."""

    def __init__(self, grammar: Grammar):
        """Knows no rule yet."""
        self.digest_of = Digests(grammar)
        self._change = functools.partial(mutated, grammar=grammar)

    def child(
        self, generator: np.random.Generator, rule: np.ndarray, known: set[int]
    ) -> np.ndarray:
        """Returns the rule, or what became of it, and adds it to what is known."""
        return made_new(generator, rule, known, self._change, self.digest_of)

    def __call__(
        self, generator: np.random.Generator, tokens: np.ndarray, met: Met
    ) -> tuple[np.ndarray, Met]:
        """Returns rules in place of these, [K, L], and the memory with them."""
        known = met.digests()
        found = np.stack([self.child(generator, rule, known) for rule in np.asarray(tokens)])
        return found, met.after(map(self.digest_of, found))

    def first_new(
        self, generator: np.random.Generator, lines: np.ndarray, there: np.ndarray, met: Met
    ) -> tuple[np.ndarray, Met]:
        """Returns of each of K lists the first rule that is new, and the memory with them.

        Where a list has none, its first rule is mutated until it is.

        Args:
          generator: of the mutations.
          lines: [K, W, L] int32, W rules each.
          there: [K, W] bool, which of them there are; the first is.
          met: what was proposed.
        """
        known, found = met.digests(), []
        for rules, present in zip(lines, there, strict=True):
            new = (rule for rule in rules[present] if self.digest_of(rule) not in known)
            found.append(self.child(generator, next(new, rules[0]), known))
        return np.stack(found), met.after(map(self.digest_of, found))


def made_new(
    generator: np.random.Generator,
    child: np.ndarray,
    known: set[int],
    change: Change,
    digest_of: Digests,
) -> np.ndarray:
    """Changes a child until its digest is not known, for a limited number of times, and adds the digest to `known`."""
    digest = digest_of(child)
    for _ in range(_TRIES):
        if digest not in known:
            break
        child = change(generator, child)
        digest = digest_of(child)
    known.add(digest)
    return child


def mutated(generator: np.random.Generator, parent: np.ndarray, grammar: Grammar) -> np.ndarray:
    """Returns the parent with one token changed; a rule of the grammar as the parent is."""
    sizes = grammar.slot_sizes
    free = [slot for slot, size in enumerate(sizes) if size > 1]
    if len(free) == 0:  # a space of one rule
        return parent.copy()
    for _ in range(1000):  # a change may break a constraint of the grammar; most do not
        slot = free[generator.integers(len(free))]
        child = parent.copy()
        child[slot] = (parent[slot] + generator.integers(1, sizes[slot])) % sizes[slot]
        if grammar.allows(child):
            return child
    return parent.copy()


def crossed(
    generator: np.random.Generator, first: np.ndarray, second: np.ndarray, grammar: Grammar
) -> np.ndarray:
    """Returns the first rule up to a random slot and the second from there on; the first if no cut is legal."""
    for _ in range(8):
        cut = int(generator.integers(1, len(first))) if len(first) > 1 else 0
        child = np.concatenate([first[:cut], second[cut:]]).astype(np.int32)
        if grammar.allows(child):
            return child
    return first.copy()


def winner(generator: np.random.Generator, rewards: np.ndarray, sample: int) -> int:
    """Returns the row of the best of `sample` rules, drawn with replacement."""
    drawn = generator.integers(len(rewards), size=sample)
    return int(drawn[np.argmax(rewards[drawn])])
