"""Enumeration: every function of a space once, by its simplest rule, simplest first.

Most token sequences of a grammar are other ways to write a few thousand functions. So they are built from below, by
size: the values that a group may take, then the groups on top of them. A value whose outputs on the probes *equal*
those of one met before, in all three states and in double precision, is dropped with everything that would be built on
it (observational equivalence): a smaller text of it is there already. A whole rule is dropped when its fingerprint was
met, since a factor is the learning rate's business. Rules are met in order of size, so the first text of a function is
one of least size.

A rule is grown along a chain: the groups decided so far. The next group takes two arguments, each a unary function of
an operand or of a chain's value; the last group must take whatever value is not taken yet. Small spaces of depth 1 and
2 are exhausted in minutes; larger ones are met up to the size one waits for.

Letters: D depth; L = 5 D tokens; K rules; A arguments.

References: Albarghouthi, Gulwani, Kincaid, "Recursive Program Synthesis", CAV 2013; Udupa et al., "TRANSIT:
Specifying Protocols with Concolic Snippets", PLDI 2013 (observational equivalence). Differs from them: values are
equal if they are so to the bit on the probes of a search, and whole rules are merged up to a positive factor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from metarl.errors import require
from metarl.update_rules import IDENTITY, KEEP, Grammar, Operand, Rule, UnaryFunction, applied

from .probes import ProbeOutputs, Probes, rule_fingerprints

_BLOCK = 2048  # rules that are run on the probes at a time
_COMMUTATIVE = ("+", "*")

Group = tuple[int, ...]


class Functions(NamedTuple):
    """Functions that were met last, all of one size."""

    size: int  # nodes of their rules
    tokens: np.ndarray  # [K, L] int32
    outputs: ProbeOutputs  # of these rules


class _Arguments(NamedTuple):
    """What a group may take: the distinct unary functions of one or more values."""

    values: np.ndarray  # [A] operand tokens
    unary: np.ndarray  # [A] tokens of the functions
    sizes: np.ndarray  # [A] nodes
    digests: tuple[bytes, ...]  # A, of their outputs


@dataclass(frozen=True)
class _Chain:
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


class Enumeration:
    """The functions of a grammar, met a block of rules at a time.

    Attributes:
      size: nodes of the rules that are met now; all smaller ones are.
      tried: rules that were run on the probes.
      met: functions that were met.
    """

    def __init__(self, grammar: Grammar, probes: Probes, max_size: int | None = None):
        """Starts before the first function.

        Args:
          grammar: without sampling constraints, over a space that offers `x` and `keep`.
          probes: of the grammar's interpreter.
          max_size: nodes of the largest rules; None goes on to the end of the space.

        Raises:
          InvalidInput: the grammar has a constraint, its space lacks `x` or `keep`, or the size is not positive.
        """
        require(
            IDENTITY in grammar.unary_functions and KEEP in grammar.binary_names,
            "Enumeration builds rules from values of every size, so it needs a space that offers the unary function x "
            "and the binary function keep.",
        )
        require(
            not (grammar.different_operands or grammar.no_final_addition or grammar.reuse_values),
            "Enumeration meets a function by its simplest rule, whatever other ways there are to write it, so it takes "
            "no sampling constraint: leave different_operands, no_final_addition and reuse_values off.",
        )
        require(
            max_size is None or max_size >= 1,
            f"The largest size of rules is a number of nodes, 1 or more; received {max_size}.",
        )
        self._builder = _Builder(grammar, probes)
        self._max_size = max_size
        self._chains = [self._builder.empty_chain()]
        self._longer: list[_Chain] = []  # of this size, so nothing of this size is made of them
        self._values: dict[tuple[Group, ...], set[bytes]] = {}  # what each chain was continued with
        self._fingerprints: dict[bytes, None] = {}  # in the order in which they were met
        self._next_chain = 0
        self.size, self.tried = 1, 0

    @property
    def met(self) -> int:
        """Functions that were met."""
        return len(self._fingerprints)

    @property
    def progress(self) -> float:
        """The share of this size that is done."""
        return self._next_chain / len(self._chains)

    @property
    def finished(self) -> bool:
        """Whether every function is met, or every one of the largest size asked for."""
        last = self._builder.largest(self._chains) if self._max_size is None else self._max_size
        return self.size > last

    def __iter__(self) -> Iterator[Functions]:
        """Yields the functions that are left, some thousand tried rules at a time; some yields hold none."""
        while not self.finished:
            yield self.advance()

    def advance(self) -> Functions:
        """Runs the next rules on the probes and returns what is new among them."""
        size, chains, rules = self.size, *self._next_rules()
        outputs = self._builder.probes.outputs(rules.tokens)
        kept = []
        exact = self._builder.probes.exact_updates(rules.tokens)
        for place, fingerprint in enumerate(rule_fingerprints(exact)):
            if rules.complete[place] and fingerprint not in self._fingerprints:
                self._fingerprints[fingerprint] = None
                kept.append(place)
        self._longer += self._builder.longer_chains(
            chains, rules, _digests(outputs, exact), size, self._values
        )
        self.tried += len(rules.tokens)
        if self._next_chain == len(self._chains):
            self._chains += self._builder.with_arguments(self._longer)
            self._longer, self._next_chain, self.size = [], 0, size + 1
        return Functions(size, rules.tokens[kept], ProbeOutputs(*(x[kept] for x in outputs)))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Returns where the enumeration stands; the functions that it has met are the caller's to keep."""
        chains = [*self._chains, *self._longer]
        number = {chain.groups: place for place, chain in enumerate(chains)}
        values = [
            (number[groups], digest)
            for groups, met in self._values.items()
            for digest in sorted(met)
        ]
        return {
            "position": np.array(
                [self.size, self.tried, self._next_chain, len(self._longer)], np.int64
            ),
            "groups": np.array([self._builder.padded(chain) for chain in chains], np.int32),
            "lengths": np.array([len(chain.groups) for chain in chains], np.int32),
            "sizes": np.array([chain.size for chain in chains], np.int32),
            "fingerprints": _bytes_to_array(list(self._fingerprints)),
            "value_chains": np.array([place for place, _ in values], np.int32),
            "value_digests": _bytes_to_array([digest for _, digest in values]),
        }

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Goes to where another enumeration of the same grammar stood; inverse of `to_arrays`."""
        self.size, self.tried, self._next_chain, num_longer = map(int, arrays["position"])
        chains = self._builder.rebuilt(arrays["groups"], arrays["lengths"], arrays["sizes"])
        split = len(chains) - num_longer
        self._chains, self._longer = chains[:split], chains[split:]
        self._fingerprints = dict.fromkeys(_array_to_bytes(arrays["fingerprints"]))
        self._values = {}
        digests = _array_to_bytes(arrays["value_digests"])
        for place, digest in zip(arrays["value_chains"].tolist(), digests, strict=True):
            self._values.setdefault(chains[place].groups, set()).add(digest)

    def _next_rules(self) -> tuple[list[_Chain], _Rules]:
        """Returns the next rules and the chain of each, some thousand if there are so many of this size."""
        owners: list[_Chain] = []
        parts: list[_Rules] = []
        while len(owners) < _BLOCK and self._next_chain < len(self._chains):
            chain = self._chains[self._next_chain]
            parts.append(self._builder.rules_of_size(chain, self.size))
            owners += [chain] * len(parts[-1].tokens)
            self._next_chain += 1
        return owners, _Rules(*(np.concatenate(x) for x in zip(*parts, strict=True)))


class _Rules(NamedTuple):
    """Rules of one group more than their chain."""

    tokens: np.ndarray  # [K, L]
    complete: np.ndarray  # [K] bool: every value is taken by a later group


class _Builder:
    """How groups, rules and chains are made of each other in one grammar."""

    def __init__(self, grammar: Grammar, probes: Probes):
        self.probes = probes
        self._grammar = grammar
        self._num_operands = len(grammar.operand_expressions)
        self._identity = grammar.unary_functions.index(IDENTITY)
        self._keep = grammar.binary_names.index(KEEP)
        self._costs = np.array([_cost(function) for function in grammar.unary_functions])

    def empty_chain(self) -> _Chain:
        """Returns the chain of no groups."""
        sizes = [Rule(operand).size for operand in self._grammar.operand_expressions]
        values = np.repeat(np.arange(len(sizes)), len(self._costs))
        unary = np.tile(np.arange(len(self._costs)), len(sizes))
        digests = self._digests_of(self._padded((), self._alone(values, unary)))
        costs = np.asarray(sizes)[values] + self._costs[unary]
        return _Chain((), 0, frozenset(), (_distinct((), values, unary, costs, digests),))

    def longer_chains(
        self,
        chains: list[_Chain],
        rules: _Rules,
        digests: list[bytes],
        size: int,
        values: dict[tuple[Group, ...], set[bytes]],
    ) -> list[_Chain]:
        """Returns the chains that rules continue with a value that is new to them, without its arguments.

        Args:
          chains: K, of which each rule was made.
          rules: K of them.
          digests: of the rules' outputs.
          size: of the rules.
          values: digests of the values that each chain was continued with; added to.
        """
        grown = []
        for place, (chain, digest) in enumerate(zip(chains, digests, strict=True)):
            if self._groups_left(chain) == 1:
                continue
            known = values.setdefault(chain.groups, self._given(chain))
            if digest in known:
                continue
            known.add(digest)
            length = len(chain.groups)
            group = tuple(rules.tokens[place, 5 * length : 5 * length + 5].tolist())
            untaken = (chain.untaken - set(group[:2])) | {self._num_operands + length}
            if len(untaken) <= self._groups_left(chain):  # each takes two values and gives one
                groups = (*chain.groups, group)
                grown.append(_Chain(groups, size, untaken, chain.arguments))
        return grown

    def with_arguments(self, chains: list[_Chain]) -> list[_Chain]:
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

    def padded(self, chain: _Chain) -> np.ndarray:
        """Returns the groups of a chain, zeros after them, [D - 1, 5]."""
        groups = np.zeros((self._grammar.depth - 1, 5), np.int32)
        groups[: len(chain.groups)] = np.reshape(chain.groups, (-1, 5))
        return groups

    def rebuilt(self, groups: np.ndarray, lengths: np.ndarray, sizes: np.ndarray) -> list[_Chain]:
        """Returns chains by their groups, [N, D - 1, 5], how many groups each has and the size of its value, [N]."""
        chains = [self.empty_chain()]
        for place in range(1, len(groups)):
            rows = groups[place, : lengths[place]]
            untaken: frozenset[int] = frozenset()
            for group, row in enumerate(rows.tolist()):
                untaken = (untaken - set(row[:2])) | {self._num_operands + group}
            chains.append(_Chain(tuple(map(tuple, rows.tolist())), int(sizes[place]), untaken, ()))
        known: dict[tuple[Group, ...], _Chain] = {(): chains[0]}
        for length in range(1, self._grammar.depth):
            parents = [known[c.groups[:-1]] for c in chains if len(c.groups) == length]
            bare = [c for c in chains if len(c.groups) == length]
            made = self.with_arguments(
                [replace(c, arguments=p.arguments) for c, p in zip(bare, parents, strict=True)]
            )
            known |= {chain.groups: chain for chain in made}
        return [known[chain.groups] for chain in chains]

    def largest(self, chains: list[_Chain]) -> int:
        """Returns the size of the largest group that any of the chains can go on with."""
        return max(
            2 * max(int(part.sizes.max(initial=0)) for part in chain.arguments) + 1
            for chain in chains
        )

    def _digests_of(self, tokens: np.ndarray) -> list[bytes]:
        return _digests(self.probes.outputs(tokens), self.probes.exact_updates(tokens))

    def _groups_left(self, chain: _Chain) -> int:
        return self._grammar.depth - len(chain.groups)

    def _given(self, chain: _Chain) -> set[bytes]:
        """Returns the digests of the values that a chain has anyway: the operands and those of its groups."""
        return {
            digest
            for part in chain.arguments
            for digest, unary in zip(part.digests, part.unary, strict=True)
            if unary == self._identity
        }

    def rules_of_size(self, chain: _Chain, size: int) -> _Rules:
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
        return _Rules(self._padded(chain.groups, np.stack(last, axis=1)), complete)

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


def _bytes_to_array(digests: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 16)


def _array_to_bytes(array: np.ndarray) -> list[bytes]:
    return [row.tobytes() for row in np.ascontiguousarray(array, np.uint8)]


def _cost(function: UnaryFunction) -> int:
    """Returns the nodes that a unary function adds to its argument."""
    return Rule(applied(function, Operand("g"))).size - 1
