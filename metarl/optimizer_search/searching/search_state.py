"""search state: a search between two generations, and what of it a checkpoint holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from metarl.runs import flatten_tree, restore_tree

from . import in_flight
from .archive import Archive
from .cache import Cache
from .counts import Counts
from .in_flight import InFlight
from .records import Records

IN_FLIGHT = "in_flight"
_PARTS = ("strategy", "archive", "cache", "records", IN_FLIGHT)  # of a checkpoint


@dataclass(frozen=True)
class SearchState:
    """A search between two generations."""

    strategy: Any
    archive: Archive
    cache: Cache
    counts: Counts
    records: Records = field(default_factory=Records)
    in_flight: tuple[InFlight, ...] = ()  # asked for and not told yet, in this order

    @property
    def next_generation(self) -> int:
        """The number of the generation that is asked for next."""
        return self.counts.generation + len(self.in_flight)

    @property
    def begun(self) -> int:
        """How many rules were trained, or will be by the generations in flight."""
        return self.counts.trained + sum(len(flight.sorting.new) for flight in self.in_flight)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Returns all but the counts, for a checkpoint; `restored` is its inverse."""
        parts = {
            "strategy": flatten_tree(self.strategy),
            "archive": self.archive.to_arrays(),
            "cache": self.cache.to_arrays(),
            "records": self.records.to_arrays(),
            IN_FLIGHT: in_flight.to_arrays(self.in_flight),
        }
        return {
            f"{part}|{name}": array
            for part, found in parts.items()
            for name, array in found.items()
        }


def restored(
    arrays: Mapping[str, np.ndarray], counts: Counts, strategy: Any
) -> tuple[SearchState, dict[str, np.ndarray]]:
    """Returns the state that `to_arrays` was asked for, with nothing in flight, and the arrays of what was.

    Args:
      arrays: what it returned.
      counts: of that state.
      strategy: a state of the same strategy, for its structure.

    Raises:
      InvalidInput: the arrays are those of another strategy or controller.
    """
    parts: dict[str, dict[str, np.ndarray]] = {name: {} for name in _PARTS}
    for name, array in arrays.items():
        part, _, rest = name.partition("|")
        parts[part][rest] = array
    state = SearchState(
        restore_tree(strategy, parts["strategy"]),
        Archive.from_arrays(parts["archive"]),
        Cache.from_arrays(parts["cache"]),
        counts,
        Records.from_arrays(parts["records"]),
    )
    return state, parts[IN_FLIGHT]
