"""Archive: the best distinct rules of a search, and the cache of all that were trained.

Good searches find the same idea in many spellings: without grouping, the five best rules are one
rule with five harmless factors. Two rules are near-duplicates if their updates on the probes have a
mean cosine above 0.99 and grow and shrink alike over the run; the best of a group speaks for it.

Letters: N rules kept; K rules added; L tokens; J judges; n probe numbers in B blocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import chex
import numpy as np

from metarl.errors import require
from metarl.update_rules import Grammar

from ..screening.linear_algebra import on_one_thread
from ..screening.probes import Profile, profiles

NEAR = 0.99
SIZES_NEAR = 0.2  # in log: a fifth
_KEPT_OF_A_GROUP = 8


class ArchivedRule(NamedTuple):
    """A rule of the archive, or several in rows, then with a leading axis."""

    tokens: np.ndarray  # [L] int32
    reward: np.ndarray  # [] float32
    learning_rates: np.ndarray  # [J] float32, the best of each judge's sweep
    losses: np.ndarray  # [J] float32, of each judge's full runs
    directions: np.ndarray  # [n] float16, see `probes.Profile`
    log_sizes: np.ndarray  # [B] float32


class Archive:
    """The best N rules, at most eight of any group of near-duplicates."""

    def __init__(self, capacity: int = 256):
        """Starts empty.

        Args:
          capacity: N.
        """
        require(capacity >= 1, f"An archive holds at least 1 rule, not {capacity}.")
        self._capacity = capacity
        self._rows: ArchivedRule | None = None  # best first
        self._groups = np.zeros(0, np.int64)  # [N], the row of the group's best
        self._near = np.zeros((0, 0), bool)  # [N, N], which rows are near-duplicates

    def __len__(self) -> int:
        return len(self._groups)

    def add(
        self,
        tokens: np.ndarray,
        rewards: np.ndarray,
        learning_rates: np.ndarray,
        losses: np.ndarray,
        outputs: np.ndarray,
    ) -> None:
        """Adds trained rules that were not added before; the worst beyond the capacity leave.

        Args:
          tokens: [K, L].
          rewards: [K], finite.
          learning_rates: [K, J].
          losses: [K, J].
          outputs: [K, n], updates on the probes, finite.
        """
        chex.assert_rank([tokens, rewards, learning_rates, losses, outputs], [2, 1, 2, 2, 2])
        if self._rows is not None and len(self) == self._capacity:
            # behind a full archive's last rule nothing changes what is kept
            enters = np.asarray(rewards, np.float32) > self._rows.reward[-1]
            tokens, rewards, learning_rates, losses, outputs = (
                np.asarray(x)[enters] for x in (tokens, rewards, learning_rates, losses, outputs)
            )
        if self._rows is not None and len(tokens) == 0:
            return
        profile = profiles(outputs)
        new = ArchivedRule(
            np.asarray(tokens, np.int32),
            np.asarray(rewards, np.float32),
            np.asarray(learning_rates, np.float32),
            np.asarray(losses, np.float32),
            profile.directions.astype(np.float16),
            profile.log_sizes.astype(np.float32),
        )
        self._settle(new if self._rows is None else _joined(self._rows, new))

    def best(self, count: int) -> list[ArchivedRule]:
        """Returns the best rules of the best groups, one a group, best first."""
        if self._rows is None:
            return []
        leaders = np.flatnonzero(self._groups == np.arange(len(self)))[:count]
        return [ArchivedRule(*(column[row] for column in self._rows)) for row in leaders]

    def texts(self, grammar: Grammar, count: int) -> list[str]:
        """Returns `best(count)` as texts of rules, in canonical form."""
        return [grammar.canonical_text(entry.tokens) for entry in self.best(count)]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Returns all that `from_arrays` needs, for a checkpoint."""
        capacity = {"capacity": np.asarray(self._capacity)}
        return capacity | ({} if self._rows is None else self._rows._asdict())

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Archive:
        """Returns the archive that `to_arrays` was asked for."""
        archive = cls(int(arrays["capacity"]))
        if "tokens" in arrays:
            archive._settle(
                ArchivedRule(**{name: np.asarray(arrays[name]) for name in ArchivedRule._fields})
            )
        return archive

    def _settle(self, rows: ArchivedRule) -> None:
        """Sorts, groups and cuts; the first N rows are those that are here already."""
        near = _joined_near(self._near, rows)
        # Stable, so that of equal rewards the rule found first stays first.
        order = np.argsort(-rows.reward, kind="stable")
        groups = _groups(near[np.ix_(order, order)])
        kept = np.flatnonzero(_members_before(groups) < _KEPT_OF_A_GROUP)[: self._capacity]
        self._rows = _rows(rows, order[kept])
        self._near = near[np.ix_(order[kept], order[kept])]
        self._groups = np.searchsorted(kept, groups[kept])  # leaders are kept: their crowd is 0


def near_duplicates(profile: Profile, first: int = 0) -> np.ndarray:
    """Returns which rules, from the first asked for on, are near-duplicates of which of all, [N - first, N] bool."""
    near = profile.directions[first:] @ profile.directions.T > NEAR
    for sizes in profile.log_sizes.T:  # [N], of one block
        near &= np.abs(sizes[first:, None] - sizes[None]) < SIZES_NEAR
    return near


def _joined_near(known: np.ndarray, rows: ArchivedRule) -> np.ndarray:
    """Returns which rows are near which, [M, M], of M rows the first N of which are known, [N, N]."""
    profile, new = Profile(rows.directions.astype(np.float32), rows.log_sizes), len(known)
    near = np.zeros((len(rows.reward), len(rows.reward)), bool)
    near[:new, :new] = known
    with on_one_thread():
        near[new:] = near_duplicates(profile, new)
    near[:, new:] = near[new:].T
    return near


def _groups(near: np.ndarray) -> np.ndarray:
    """Returns for each row, best first, the first row that leads a group and is near it, [N]."""
    earlier = np.tril(near, -1)
    leads, groups = np.ones(len(near), bool), np.arange(len(near))
    for row in np.flatnonzero(earlier.any(axis=1)).tolist():  # all others lead
        leaders = earlier[row] & leads
        first = int(leaders.argmax())
        if leaders[first]:
            groups[row], leads[row] = first, False
    return groups


def _members_before(groups: np.ndarray) -> np.ndarray:
    """Returns how many rows of its group stand before each row, [N]."""
    together = np.argsort(groups, kind="stable")  # each group in one piece
    first = np.searchsorted(groups[together], groups[together])
    before = np.empty(len(groups), int)
    before[together] = np.arange(len(groups)) - first
    return before


def _rows(entries: ArchivedRule, rows: np.ndarray) -> ArchivedRule:
    return ArchivedRule(*(column[rows] for column in entries))


def _joined(first: ArchivedRule, second: ArchivedRule) -> ArchivedRule:
    return ArchivedRule(*(np.concatenate(columns) for columns in zip(first, second, strict=True)))
