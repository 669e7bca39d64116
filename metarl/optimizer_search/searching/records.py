"""records: the rules that were the best so far, as a search went on.

What the archive forgets: a rule that led after a hundred trained rules is long gone after ten thousand, and yet it
tells whether what the search gained since then is real. One row is kept each time the best reward rises.

Letters: N records, L tokens, J judges.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .archive import ArchivedRule


class Leader(NamedTuple):
    """A rule that was the best so far, or several in rows, then with a leading axis."""

    trained: Any  # [] int64, rules trained by the end of its generation
    reward: np.ndarray  # [] float32
    tokens: np.ndarray  # [L] int32
    learning_rates: np.ndarray  # [J] float32


class Records:
    """The best rule so far after each generation that improved on it."""

    def __init__(self):
        self._rows: list[Leader] = []

    def __len__(self) -> int:
        return len(self._rows)

    def note(self, trained: int, best: ArchivedRule) -> None:
        """Keeps the archive's best rule if its reward is higher than the last record's."""
        if not self._rows or best.reward > self._rows[-1].reward:
            self._rows.append(
                Leader(np.int64(trained), best.reward, best.tokens, best.learning_rates)
            )

    def at(self, trained: int) -> Leader | None:
        """Returns who led once so many rules were trained, by the generations that had ended; None before the first."""
        before = [row for row in self._rows if row.trained <= trained]
        return before[-1] if before else None

    def spaced(self, count: int) -> list[Leader]:
        """Returns who led at `count` log-spaced numbers of trained rules, 2 at least; the last leader is among them."""
        if not self._rows:
            return []
        first, last = (float(self._rows[place].trained) for place in (0, -1))
        marks = np.geomspace(max(first, 1.0), max(last, 1.0), count)
        trained = np.array([row.trained for row in self._rows])
        # a mark may come out below the number that it was made from
        places = np.searchsorted(trained, marks * (1 + 1e-9), side="right") - 1
        return [self._rows[place] for place in dict.fromkeys(np.maximum(places, 0).tolist())]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Returns all that `from_arrays` needs, for a checkpoint."""
        if not self._rows:
            return {}
        return {
            name: np.stack([np.asarray(getattr(row, name)) for row in self._rows])
            for name in Leader._fields
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Records:
        """Returns the records that `to_arrays` was asked for; none for a checkpoint that has none."""
        records = cls()
        if arrays:
            columns = [np.asarray(arrays[name]) for name in Leader._fields]
            records._rows = [Leader(*row) for row in zip(*columns, strict=True)]
        return records
