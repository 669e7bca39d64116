"""places: which function of a table a sequence of tokens computes.

At depth 1 a table knows the place of every sequence of its grammar, by the sequence's number. Deeper grammars have too
many: there a sequence is run on the probes as in a search, filtered, and found by its fingerprint, and what was once
found is remembered, of all sequences that differ only in what their value does not use.

Letters: N sequences; D groups; L = 5 D tokens; K functions of the table.
"""

from __future__ import annotations

import threading
from functools import cached_property

import numpy as np

from metarl.update_rules import KEEP, Grammar

from ..screening import filters
from ..screening.probes import Probes, probes_of, rule_fingerprints
from ..settings.config import FilterConfig

OUTSIDE = -1  # the code of what passes the filters and is not in the table, being too large for it
_VERDICTS = tuple(filters.Verdict)
_FILTERED = -2  # the code of what fails the first hurdle; -3 of what fails the second, and so on
_UNKNOWN = -100
_MOST_NUMBERED = 2**18  # sequences that are numbered one by one
_BLOCK = 4096  # sequences run on the probes at a time


class Places:
    """Finds the functions of a table.

    Args:
      grammar: of the table.
      hurdles: the filters of the table.
      functions: one sequence a function, [K, L].
      fingerprints: of the functions, uint8 [K, 16], as names: they hang on last bits of the machine that took them, so
        sequences are found by those that this machine takes.
      known: the code of every sequence by its number, int [size of the grammar]; found when asked for if None.
    """

    def __init__(
        self,
        grammar: Grammar,
        hurdles: FilterConfig,
        functions: np.ndarray,
        fingerprints: np.ndarray,
        known: np.ndarray | None = None,
    ):
        self._grammar, self._hurdles = grammar, hurdles
        self._functions = functions
        self._fingerprints = [row.tobytes() for row in fingerprints]
        self._named = {fingerprint: place for place, fingerprint in enumerate(self._fingerprints)}
        self._sizes = np.asarray(grammar.slot_sizes, np.int64)
        self._numbered = grammar.size <= _MOST_NUMBERED
        self._by_number = (
            None if known is None and not self._numbered
            else np.full(grammar.size, _UNKNOWN, np.int32) if known is None
            else known.astype(np.int32)
        )  # fmt: skip
        self._remembered: dict[bytes, int] = {}
        self._lock = threading.Lock()  # any number of threads may ask

    def of(self, tokens: np.ndarray, max_size: int | None = None) -> np.ndarray:
        """Returns the place of the function that each sequence computes, -1 where the table has none, [N].

        Args:
          tokens: valid under the grammar, [N, L].
          max_size: the most nodes of a rule; larger ones are nowhere. No bound if None.
        """
        return np.maximum(self.codes(tokens, max_size), OUTSIDE)

    def codes(self, tokens: np.ndarray, max_size: int | None = None) -> np.ndarray:
        """Returns the place of each sequence's function, or why it has none: see `verdict`, [N].

        Args:
          tokens: valid under the grammar, [N, L].
          max_size: the most nodes of a rule, at most those at which the table ends; no bound if None.
        """
        tokens = np.ascontiguousarray(tokens, np.int32)
        with self._lock:
            codes = self._numbered_codes(tokens) if self._numbered else self._other_codes(tokens)
        if max_size is None:
            return codes
        passing = np.flatnonzero(codes >= OUTSIDE)
        large = self._grammar.larger_than(max_size, tokens[passing])
        large |= codes[passing] == OUTSIDE  # no text of it is as small as the table's last rules
        codes[passing[large]] = _FILTERED - _VERDICTS.index(filters.Verdict.TOO_LARGE)
        return codes

    def verdict(self, code: int) -> filters.Verdict:
        """Returns what the filters say of a sequence with that code."""
        return filters.Verdict.PASSES if code >= OUTSIDE else _VERDICTS[_FILTERED - code]

    def fingerprint(self, place: int) -> bytes:
        """Returns the fingerprint of the function at a place, as the table has it."""
        return self._fingerprints[place]

    def named(self, fingerprint: bytes) -> int:
        """Returns the place of the function that has that fingerprint in the table, -1 if none has."""
        return self._named.get(fingerprint, OUTSIDE)

    def of_every_sequence(self) -> np.ndarray:
        """Returns the code of every sequence of the grammar by its number."""
        numbers = np.arange(self._grammar.size)
        tokens = np.stack(np.unravel_index(numbers, self._sizes), axis=1).astype(np.int32)
        blocks = range(0, len(tokens), _BLOCK)
        return np.concatenate([self.codes(tokens[first : first + _BLOCK]) for first in blocks])

    def _numbered_codes(self, tokens: np.ndarray) -> np.ndarray:
        assert self._by_number is not None
        numbers = np.asarray(np.ravel_multi_index(tuple(tokens.T), tuple(self._sizes)))
        missing = np.unique(numbers[self._by_number[numbers] == _UNKNOWN])
        if len(missing):
            rows = np.stack(np.unravel_index(missing, self._sizes), axis=1).astype(np.int32)
            self._by_number[missing] = self._looked_up(rows)
        return self._by_number[numbers]

    def _other_codes(self, tokens: np.ndarray) -> np.ndarray:
        keys = [row.tobytes() for row in used_tokens(self._grammar, tokens)]
        missing = list(dict.fromkeys(key for key in keys if key not in self._remembered))
        if missing:
            rows = np.stack([np.frombuffer(key, np.int32) for key in missing])
            self._remembered.update(zip(missing, self._looked_up(rows).tolist(), strict=True))
        return np.array([self._remembered[key] for key in keys], np.int32)

    @cached_property
    def _probes(self) -> Probes:
        return probes_of(self._grammar)

    @cached_property
    def _place_of(self) -> dict[bytes, int]:
        prints = rule_fingerprints(self._probes.exact_updates(self._functions))
        return {fingerprint: place for place, fingerprint in enumerate(prints)}

    def _looked_up(self, tokens: np.ndarray) -> np.ndarray:
        """Returns codes by the probes, as a search sorts its rules."""
        verdicts = filters.screen(self._probes.outputs(tokens), self._probes, self._hurdles)
        good = np.array([verdict == filters.Verdict.PASSES for verdict in verdicts])
        places = np.array([_FILTERED - _VERDICTS.index(v) for v in verdicts], np.int32)
        prints = rule_fingerprints(self._probes.exact_updates(tokens[good]))
        places[good] = [self._place_of.get(print_, OUTSIDE) for print_ in prints]
        return places


def used_tokens(grammar: Grammar, tokens: np.ndarray) -> np.ndarray:
    """Returns sequences with zeros for what their value does not use: other groups' values, what `keep` drops, [N, L].

    Args:
      grammar: of the sequences.
      tokens: [N, L].
    """
    groups = np.reshape(tokens, (len(tokens), grammar.depth, -1)).copy()  # [N, D, 5]
    if KEEP in grammar.binary_names:
        keeps = groups[..., 4] == grammar.binary_names.index(KEEP)  # [N, D]
        groups[..., [1, 3]] = np.where(keeps[..., None], 0, groups[..., [1, 3]])
    used = np.zeros(groups.shape[:2], bool)
    used[:, -1] = True
    for late in range(grammar.depth - 1, 0, -1):
        for early in range(late):
            named = (groups[:, late, :2] == len(grammar.operand_expressions) + early).any(axis=1)
            used[:, early] |= used[:, late] & named
    groups[~used] = 0
    return groups.reshape(tokens.shape)
