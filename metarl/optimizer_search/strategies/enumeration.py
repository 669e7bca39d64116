"""Enumeration: the functions of a space in order of size, as Occam would try them.

A yardstick beside random search: it learns nothing, and it never proposes a function twice nor one that the filters
stop. A strategy that does not beat it has found nothing but short rules. When the space is exhausted, or what
the filters' bound on sizes leaves of it, it begins again, and whatever it proposes then is a repeat.

Letters: K rules of a generation; L tokens.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import jax
import numpy as np

from metarl.errors import InvalidInput, require
from metarl.update_rules import Grammar

from ..screening import filters
from ..screening.enumeration import Enumeration
from ..screening.probes import probes_of
from ..settings.config import SearchConfig
from .contract import Feedback, Proposals, Strategy


class EnumerationState(NamedTuple):
    """How far it is."""

    proposed: np.ndarray  # [] int64

    def forgotten(self) -> EnumerationState:
        """Returns where it begins: the functions before are new to other judges, and other filters have other ones."""
        return EnumerationState(np.zeros_like(self.proposed))


def enumeration(grammar: Grammar, config: SearchConfig) -> Strategy:
    """Returns the strategy.

    Args:
      grammar: of the rules.
      config: its `filters` say which functions are worth proposing.

    Returns:
      A strategy without randomness: the rules depend on how many were proposed before, and on nothing else. What it
      resumes it enumerates anew up to there.

    Raises:
      InvalidInput: the space lacks `x` or `keep`, or, from `ask`, no function passes the filters.
    """
    order = Order(trainable_functions(grammar, config))

    def init(key: jax.Array) -> EnumerationState:
        del key
        return EnumerationState(np.asarray(0, np.int64))

    def ask(
        key: jax.Array, state: EnumerationState, count: int
    ) -> tuple[EnumerationState, Proposals]:
        del key
        first = int(state.proposed)
        tokens = np.stack([order[place] for place in range(first, first + count)])
        return EnumerationState(np.asarray(first + count, np.int64)), Proposals(tokens)

    def tell(
        key: jax.Array, state: EnumerationState, proposals: Proposals, feedback: Feedback
    ) -> tuple[EnumerationState, dict[str, float]]:
        del key, feedback
        size = max(grammar.to_rule(row).size for row in np.asarray(proposals.tokens))
        return state, {"largest_size": float(size)}

    return Strategy(init, ask, tell)


def trainable_functions(grammar: Grammar, config: SearchConfig) -> Iterator[np.ndarray]:
    """Returns an iterator over the tokens, [L], of the functions that pass a search's filters, simplest first.

    A function whose simplest rule breaks a sampling constraint of the grammar, in whatever tokens, is left out. Where
    the filters bound the size of rules, it ends there; what divides every rule of a normalised grammar is a node too.
    """
    # values are told apart as they are, before a rule is normalised
    plain, free = replace(grammar, normalised=False), Grammar(grammar.space, grammar.depth)
    probes = probes_of(free)
    bound = config.filters.max_size
    last = None if bound is None else max(1, bound - grammar.normalised)
    hurdles = replace(config.filters, max_size=None)  # the enumeration sees to that
    enumeration = Enumeration(free, probes, last)  # here, so that the space is checked at once

    def rules() -> Iterator[np.ndarray]:
        for found in enumeration:
            verdicts = filters.screen(found.outputs, probes, hurdles)
            for tokens, verdict in zip(found.tokens, verdicts, strict=True):
                if verdict == filters.Verdict.PASSES:
                    with contextlib.suppress(InvalidInput):
                        yield tokens if free == plain else plain.to_tokens(free.to_rule(tokens))

    return rules()


class Order:
    """The rules of an iterator by number, from the first again after the last."""

    def __init__(self, rules: Iterator[np.ndarray]):
        """Asks for none yet."""
        self._rules = rules
        self._met: list[np.ndarray] = []

    def __getitem__(self, number: int) -> np.ndarray:
        """Returns the tokens of a rule, [L].

        Raises:
          InvalidInput: there is none.
        """
        while number >= len(self._met):
            rule = next(self._rules, None)
            if rule is None:
                require(
                    len(self._met) > 0,
                    "No function of this space passes the filters; loosen them or choose another space.",
                )
                return self._met[number % len(self._met)]
            self._met.append(rule)
        return self._met[number]
