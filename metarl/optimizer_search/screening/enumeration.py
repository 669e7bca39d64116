"""Enumeration: every function of a space once, by its simplest rule, simplest first.

Most token sequences of a grammar are other ways to write a few thousand functions. So they are built from below, by
size: the values that a group may take, then the groups on top of them. A value whose outputs on the probes *equal*
those of one met before, in all three states and in double precision, is dropped with everything that would be built on
it (observational equivalence): a smaller text of it is there already. A whole rule is dropped when its fingerprint was
met, since a factor is the learning rate's business. Rules are met in order of size, so the first text of a function is
one of least size.

Small spaces of depth 1 and 2 are exhausted in minutes; larger ones are met up to the size one waits for.

Letters: L tokens of a rule; K rules.

References: Albarghouthi, Gulwani, Kincaid, "Recursive Program Synthesis", CAV 2013; Udupa et al., "TRANSIT:
Specifying Protocols with Concolic Snippets", PLDI 2013 (observational equivalence). Differs from them: values are
equal if they are so to the bit on the probes of a search, and whole rules are merged up to a positive factor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from metarl.errors import require
from metarl.update_rules import IDENTITY, KEEP, Grammar

from .chains import Chain, ChainBuilder, Group, Rules
from .probes import ProbeOutputs, Probes, rule_fingerprints

_BLOCK = 2048  # rules that are run on the probes at a time


class Functions(NamedTuple):
    """Functions that were met last, all of one size."""

    size: int  # nodes of their rules
    tokens: np.ndarray  # [K, L] int32
    outputs: ProbeOutputs  # of these rules


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
        self._builder = ChainBuilder(grammar, probes)
        self._max_size = max_size
        self._chains = [self._builder.empty_chain()]
        self._longer: list[Chain] = []  # of this size, so nothing of this size is made of them
        self._values: dict[tuple[Group, ...], set[bytes]] = {}  # what each chain was continued with
        self._fingerprints: dict[bytes, None] = {}  # in the order in which they were met
        self._next_chain = 0
        self.size, self.tried = 1, 0

    @property
    def met(self) -> int:
        """Functions that were met."""
        return len(self._fingerprints)

    @property
    def fingerprints(self) -> np.ndarray:
        """Of the functions that were met, in the order in which they were, [K, 16] uint8."""
        return _bytes_to_array(list(self._fingerprints))

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
            chains, rules, outputs, exact, size, self._values
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
            "fingerprints": self.fingerprints,
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

    def _next_rules(self) -> tuple[list[Chain], Rules]:
        """Returns the next rules and the chain of each, some thousand if there are so many of this size."""
        owners: list[Chain] = []
        parts: list[Rules] = []
        while len(owners) < _BLOCK and self._next_chain < len(self._chains):
            chain = self._chains[self._next_chain]
            parts.append(self._builder.rules_of_size(chain, self.size))
            owners += [chain] * len(parts[-1].tokens)
            self._next_chain += 1
        return owners, Rules(*(np.concatenate(x) for x in zip(*parts, strict=True)))


def _bytes_to_array(digests: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 16)


def _array_to_bytes(array: np.ndarray) -> list[bytes]:
    return [row.tobytes() for row in np.ascontiguousarray(array, np.uint8)]
