"""Chains: how the rules of a grammar are built group by group, each from distinct arguments.

A chain is the groups that are decided so far. The next group takes two arguments, each a unary function of an operand
or of a chain's value; of equal arguments the smallest alone is kept. The last group must take whatever value is not
taken yet, so a rule has no idle groups but those that pad it.

Letters: D depth; L = 5 D tokens; K rules; A arguments; n numbers that a rule gives on the probes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from metarl.update_rules import IDENTITY, KEEP, Grammar

from .probes import ProbeOutputs, Probes

_COMMUTATIVE = ("+", "*")

Group = tuple[int, ...]


class _Arguments(NamedTuple):
    """What a group may take: the distinct unary functions of one or more values."""

    values: np.ndarray  # [A] operand tokens
    unary: np.ndarray  # [A] tokens of the functions
    sizes: np.ndarray  # [A] nodes
    digests: tuple[bytes, ...]  # A, of their outputs


@dataclass(frozen=True)
class Chain:
    """The groups decided so far, and what the next one may take.

    Attributes:
      groups: their tokens.
      size: nodes of the value of the last one.
      untaken: operand tokens of the values that no later group has taken.
      arguments: those of the operands, then those of each group's value.
    """

    groups: tuple[Group, ...]
    size: int
    untaken: frozenset[int]
    arguments: tuple[_Arguments, ...]


class Rules(NamedTuple):
    """Rules of one group more than their chain."""

    tokens: np.ndarray  # [K, L]
    complete: np.ndarray  # [K] bool: every value is taken by a later group


class ChainBuilder:
    """How groups, rules and chains are made of each other in one grammar."""

    def __init__(self, grammar: Grammar, probes: Probes):
        self.probes = probes
        self._grammar = grammar
        self._num_operands = len(grammar.operand_expressions)
        self._identity = grammar.unary_functions.index(IDENTITY)
        self._keep = grammar.binary_names.index(KEEP)
        self._costs = np.array(grammar.unary_sizes)

    def empty_chain(self) -> Chain:
        """Returns the chain of no groups."""
        sizes = self._grammar.operand_sizes
        values = np.repeat(np.arange(len(sizes)), len(self._costs))
        unary = np.tile(np.arange(len(self._costs)), len(sizes))
        digests = self._digests_of(self._padded((), self._alone(values, unary)))
        costs = np.asarray(sizes)[values] + self._costs[unary]
        return Chain((), 0, frozenset(), (_distinct((), values, unary, costs, digests),))

    def longer_chains(
        self,
        chains: list[Chain],
        rules: Rules,
        outputs: ProbeOutputs,
        exact: np.ndarray,
        size: int,
        values: dict[tuple[Group, ...], set[bytes]],
    ) -> list[Chain]:
        """Returns the chains that rules continue with a value that is new to them, without its arguments.

        Args:
          chains: K, of which each rule was made.
          rules: K of them.
          outputs: of the rules on the probes.
          exact: of the rules, in double precision.
          size: of the rules.
          values: digests of the values that each chain was continued with; added to.
        """
        places = [place for place, chain in enumerate(chains) if self._groups_left(chain) > 1]
        digests = _digests(ProbeOutputs(*(x[places] for x in outputs)), exact[places])
        grown = []
        for place, digest in zip(places, digests, strict=True):
            chain = chains[place]
            known = values.setdefault(chain.groups, self._given(chain))
            if digest in known:
                continue
            known.add(digest)
            length = len(chain.groups)
            group = tuple(rules.tokens[place, 5 * length : 5 * length + 5].tolist())
            untaken = (chain.untaken - set(group[:2])) | {self._num_operands + length}
            if len(untaken) <= self._groups_left(chain):  # each takes two values and gives one
                groups = (*chain.groups, group)
                grown.append(Chain(groups, size, untaken, chain.arguments))
        return grown

    def with_arguments(self, chains: list[Chain]) -> list[Chain]:
        """Returns chains that offer the functions of their last value too."""
        if not chains:
            return []
        unary = np.arange(len(self._costs))
        last = [self._num_operands + len(chain.groups) - 1 for chain in chains]
        values = [np.full(len(unary), value) for value in last]
        rows = [
            self._padded(chain.groups, self._alone(value, unary))
            for chain, value in zip(chains, values, strict=True)
        ]
        digests = self._digests_of(np.concatenate(rows))
        offered = []
        for place, (chain, value) in enumerate(zip(chains, values, strict=True)):
            own = digests[place * len(unary) : (place + 1) * len(unary)]
            new = _distinct(chain.arguments, value, unary, chain.size + self._costs, own)
            offered.append(replace(chain, arguments=(*chain.arguments, new)))
        return offered

    def padded(self, chain: Chain) -> np.ndarray:
        """Returns the groups of a chain, zeros after them, [D - 1, 5]."""
        groups = np.zeros((self._grammar.depth - 1, 5), np.int32)
        groups[: len(chain.groups)] = np.reshape(chain.groups, (-1, 5))
        return groups

    def rebuilt(self, groups: np.ndarray, lengths: np.ndarray, sizes: np.ndarray) -> list[Chain]:
        """Returns chains by their groups, [N, D - 1, 5], how many groups each has and the size of its value, [N]."""
        chains = [self.empty_chain()]
        for place in range(1, len(groups)):
            rows = groups[place, : lengths[place]]
            untaken: frozenset[int] = frozenset()
            for group, row in enumerate(rows.tolist()):
                untaken = (untaken - set(row[:2])) | {self._num_operands + group}
            chains.append(Chain(tuple(map(tuple, rows.tolist())), int(sizes[place]), untaken, ()))
        known: dict[tuple[Group, ...], Chain] = {(): chains[0]}
        for length in range(1, self._grammar.depth):
            parents = [known[c.groups[:-1]] for c in chains if len(c.groups) == length]
            bare = [c for c in chains if len(c.groups) == length]
            made = self.with_arguments(
                [replace(c, arguments=p.arguments) for c, p in zip(bare, parents, strict=True)]
            )
            known |= {chain.groups: chain for chain in made}
        return [known[chain.groups] for chain in chains]

    def largest(self, chains: list[Chain]) -> int:
        """Returns the size of the largest group that any of the chains can go on with."""
        return max(
            2 * max(int(part.sizes.max(initial=0)) for part in chain.arguments) + 1
            for chain in chains
        )

    def _digests_of(self, tokens: np.ndarray) -> list[bytes]:
        return _digests(self.probes.outputs(tokens), self.probes.exact_updates(tokens))

    def _groups_left(self, chain: Chain) -> int:
        return self._grammar.depth - len(chain.groups)

    def _given(self, chain: Chain) -> set[bytes]:
        """Returns the digests of the values that a chain has anyway: the operands and those of its groups."""
        return {
            digest
            for part in chain.arguments
            for digest, unary in zip(part.digests, part.unary, strict=True)
            if unary == self._identity
        }

    def rules_of_size(self, chain: Chain, size: int) -> Rules:
        """Returns the rules whose next group has a size; a chain without room to go on gives complete ones alone."""
        values, unary, sizes = (
            np.concatenate(x) for x in list(zip(*chain.arguments, strict=True))[:3]
        )
        left, right, binary = self._pairs(sizes, size)
        complete = np.ones(len(left), bool)
        for value in chain.untaken:
            complete &= (values[left] == value) | (values[right] == value)
        if self._groups_left(chain) == 1:
            left, right, binary = left[complete], right[complete], binary[complete]
            complete = complete[complete]
        last = (values[left], values[right], unary[left], unary[right], binary)
        return Rules(self._padded(chain.groups, np.stack(last, axis=1)), complete)

    def _pairs(self, sizes: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns the numbers of both arguments and the binary token of every group of a size, [K] each."""
        left, right = np.nonzero(sizes[:, None] + sizes[None] + 1 == size)
        alone = np.flatnonzero(sizes == size)
        parts = []
        for token, name in enumerate(self._grammar.binary_names):
            if name == KEEP:
                one, other = alone, alone
            else:
                once = left <= right if name in _COMMUTATIVE else slice(None)
                one, other = left[once], right[once]
            parts.append((one, other, np.full(len(one), token)))
        one, other, binary = (np.concatenate(x) for x in zip(*parts, strict=True))
        return one, other, binary

    def _alone(self, values: np.ndarray, unary: np.ndarray) -> np.ndarray:
        """Returns the groups that are a unary function of a value, [A, 5]."""
        return np.stack([values, values, unary, unary, np.full(len(unary), self._keep)], axis=1)

    def _padded(self, groups: tuple[Group, ...], last: np.ndarray) -> np.ndarray:
        """Returns the rules of these groups and one more, kept to the full depth, [K, L]."""
        rules = np.zeros((len(last), self._grammar.depth, 5), np.int32)
        rules[:, : len(groups)] = np.asarray(groups, np.int32).reshape(len(groups), 5)
        rules[:, len(groups)] = last
        for place in range(len(groups) + 1, self._grammar.depth):
            value = self._num_operands + place - 1
            rules[:, place] = (value, value, self._identity, self._identity, self._keep)
        return rules.reshape(len(last), self._grammar.length)


def _distinct(
    before: tuple[_Arguments, ...],
    values: np.ndarray,
    unary: np.ndarray,
    sizes: np.ndarray,
    digests: list[bytes],
) -> _Arguments:
    """Returns those of new arguments that equal no other of at most their size, neither here nor before."""
    known = {
        digest: size
        for part in before
        for digest, size in zip(part.digests, part.sizes.tolist(), strict=True)
    }
    chosen = []
    for place in np.argsort(sizes, kind="stable").tolist():
        if known.get(digests[place], np.inf) > sizes[place]:
            known[digests[place]] = sizes[place]
            chosen.append(place)
    kept = tuple(digests[place] for place in chosen)
    return _Arguments(values[chosen], unary[chosen], sizes[chosen], kept)


def _digests(outputs: ProbeOutputs, exact: np.ndarray) -> list[bytes]:
    """Returns 16 bytes for each rule, equal for those that are equal in all states; -0 is 0, and NaN is NaN."""
    digests = [hashlib.blake2b(digest_size=16) for _ in exact]
    for values in (*outputs, exact):
        plain = values + 0.0
        plain[np.isnan(plain)] = np.nan
        for digest, row in zip(digests, plain, strict=True):
            digest.update(row.tobytes())
    return [digest.digest() for digest in digests]
