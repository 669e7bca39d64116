"""Cache: what every rule earned that was ever judged, by its fingerprint.

Some 70 bytes a rule, so a search of ten thousand stays small; the arrays go into a checkpoint as
they are.

Letters: N rules held; J judges.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from metarl.errors import require

FINGERPRINT_BYTES = 16


class CachedReward(NamedTuple):
    """What is known of a judged rule."""

    reward: float
    learning_rates: tuple[float, ...]  # J, the best for each judge; nan where none was tried


class Cache:
    """A table from fingerprints to what the rules earned."""

    def __init__(self):
        self._table: dict[bytes, CachedReward] = {}

    def __len__(self) -> int:
        return len(self._table)

    def __contains__(self, fingerprint: bytes) -> bool:
        return fingerprint in self._table

    def __iter__(self) -> Iterator[bytes]:
        """Yields the fingerprints."""
        return iter(self._table)

    def get(self, fingerprint: bytes) -> CachedReward | None:
        """Returns what the rule of that fingerprint earned, None if it was never judged."""
        return self._table.get(fingerprint)

    def add(self, fingerprint: bytes, reward: float, learning_rates: np.ndarray) -> None:
        """Remembers a rule.

        Args:
          fingerprint: of `probes.rule_fingerprints`.
          reward: finite.
          learning_rates: [J], as many at every call.
        """
        rates = tuple(np.asarray(learning_rates, np.float32).tolist())
        self._table[fingerprint] = CachedReward(float(np.float32(reward)), rates)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Returns fingerprints uint8 [N, 16], rewards [N] and learning rates [N, J]."""
        joined = np.frombuffer(b"".join(self._table), np.uint8).reshape(-1, FINGERPRINT_BYTES)
        rates = np.array([earned.learning_rates for earned in self._table.values()], np.float32)
        return {
            "fingerprints": joined.copy(),
            "rewards": np.array([earned.reward for earned in self._table.values()], np.float32),
            "learning_rates": rates.reshape(len(self), -1 if len(self) else 0),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Cache:
        """Returns the cache that `to_arrays` was asked for.

        Raises:
          InvalidInput: the arrays do not fit one another.
        """
        prints, rewards, rates = (
            np.asarray(arrays[name]) for name in ("fingerprints", "rewards", "learning_rates")
        )
        fit = prints.shape == (len(rewards), FINGERPRINT_BYTES) and len(rates) == len(rewards)
        require(
            fit,
            f"The stored cache is damaged: its arrays have shapes {list(prints.shape)}, "
            f"{list(rewards.shape)} and {list(rates.shape)}.",
        )
        cache = cls()
        for row, reward, learning_rates in zip(prints, rewards, rates, strict=True):
            cache.add(row.tobytes(), reward, learning_rates)
        return cache
