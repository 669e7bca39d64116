"""screened functions: the functions of a space as they are met, each with the verdict of the filters, simplest first.

A block of rules at a time; where it stands is a few arrays, from which another goes on as if it had never stopped.

Letters: K functions; L tokens of a rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from metarl.update_rules import Grammar

from ..settings.config import FilterConfig
from .enumeration import Enumeration
from .filters import Verdict, screen
from .probes import Probes

# in the order of their numbers; where functions end is the enumeration's size, so no filter says that one is too large
VERDICTS = tuple(verdict for verdict in Verdict if verdict != Verdict.TOO_LARGE)
_ENUMERATION = "enumeration|"  # how the names of its arrays begin


class Block(NamedTuple):
    """What was met last."""

    size: int  # nodes of the rules
    verdicts: list[Verdict]  # of the functions that were new


class ScreenedFunctions:
    """Meets the functions of a grammar and screens them.

    Attributes:
      enumeration: what meets them.
    """

    def __init__(
        self, grammar: Grammar, probes: Probes, filters: FilterConfig, max_size: int | None = None
    ):
        """Starts before the first function.

        Args:
          grammar: of the rules.
          probes: of the grammar's interpreter.
          filters: what a function must pass.
          max_size: nodes of the largest rules; None goes on to the end of the space.

        Raises:
          InvalidInput: the grammar cannot be enumerated, or the size is not positive.
        """
        self.enumeration = Enumeration(grammar, probes, max_size)
        self._probes, self._filters = probes, filters
        self._tokens = [np.zeros((0, grammar.length), np.int32)]  # a block each
        self._sizes = [np.zeros(0, np.int32)]
        self._verdicts = [np.zeros(0, np.int8)]

    def advance(self) -> Block:
        """Meets and screens the next block of rules."""
        found = self.enumeration.advance()
        verdicts = screen(found.outputs, self._probes, self._filters)
        self._tokens.append(found.tokens)
        self._sizes.append(np.full(len(found.tokens), found.size, np.int32))
        self._verdicts.append(np.array([VERDICTS.index(v) for v in verdicts], np.int8))
        return Block(found.size, verdicts)

    @property
    def tokens(self) -> np.ndarray:
        """Of the simplest rule of each function that was met, [K, L] int32."""
        return _joined(self._tokens)

    @property
    def sizes(self) -> np.ndarray:
        """Nodes of these rules, [K] int32."""
        return _joined(self._sizes)

    @property
    def verdicts(self) -> np.ndarray:
        """The place of each verdict in `VERDICTS`, [K] int8."""
        return _joined(self._verdicts)

    @property
    def passes(self) -> np.ndarray:
        """Whether each passes the filters, [K] bool."""
        return self.verdicts == VERDICTS.index(Verdict.PASSES)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Returns where it stands, and all that was met."""
        found = self.enumeration.to_arrays()
        arrays = {f"{_ENUMERATION}{name}": array for name, array in found.items()}
        return {**arrays, "tokens": self.tokens, "sizes": self.sizes, "verdicts": self.verdicts}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Goes to where another of the same grammar and filters stood; inverse of `to_arrays`."""
        self.enumeration.restore(
            {
                n.removeprefix(_ENUMERATION): x
                for n, x in arrays.items()
                if n.startswith(_ENUMERATION)
            }
        )
        self._tokens, self._sizes = [arrays["tokens"]], [arrays["sizes"]]
        self._verdicts = [arrays["verdicts"]]


def _joined(blocks: list[np.ndarray]) -> np.ndarray:
    """Returns the blocks as one array, and keeps them as one."""
    if len(blocks) > 1:
        blocks[:] = [np.concatenate(blocks)]
    return blocks[0]
