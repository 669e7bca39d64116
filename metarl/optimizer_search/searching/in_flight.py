"""in flight: generations that were asked for and are not told yet.

With a lag of G generations the search asks for generation n when it has told the strategy of generation n - 1 - G,
has its new rules trained at once, and tells in the order of asking. So the machines have work while a slow generation
ends, and yet nothing depends on what is ready first: what a strategy knows when it is asked is a matter of counting.
With no lag a generation is trained when it is told, one after another.

A checkpoint holds generations in flight as proposals. What had become of them by then is in the journal, if there is
one; the rest is trained again, to the same bits.

Letters: G generations of lag; K rules of one, L tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from metarl.errors import require
from metarl.runs import flatten_tree, restore_tree

from ..strategies import Proposals
from .sorting import Sorting

Outcome = TypeVar("Outcome")


class InFlight(NamedTuple):
    """A generation between asking and telling."""

    generation: int
    proposals: Proposals
    sorting: Sorting  # what became of its rules before training

    @property
    def tokens(self) -> np.ndarray:
        """Of its rules, [K, L]."""
        return np.asarray(self.proposals.tokens)


class GenerationThreads(Generic[Outcome]):
    """Trains generations ahead, each on a thread that waits for the evaluator.

    Args:
      train: what is to be done for a generation; called at once when the lag is 0.
      lag: G; so many generations besides the one that is waited for.
    """

    def __init__(self, train: Callable[[InFlight], Outcome], lag: int):
        """Starts no thread yet."""
        self._train = train
        self._threads = ThreadPoolExecutor(lag + 1, "generation") if lag else None
        self._under_way: dict[int, tuple[InFlight, Future[Outcome]]] = {}

    def begin(self, flight: InFlight) -> None:
        """Sees to it that a generation is being trained."""
        if self._threads is None or self._begun(flight) is not None:
            return
        future = self._threads.submit(self._train, flight)
        self._under_way[flight.generation] = (flight, future)

    def finish(self, flight: InFlight) -> Outcome:
        """Returns what training a generation gave, when it is there."""
        future = self._begun(flight)
        if future is None:
            return self._train(flight)
        try:
            return future.result()
        finally:
            del self._under_way[flight.generation]

    def close(self) -> None:
        """Waits for the threads; close the evaluator first, or they finish their work."""
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
            self._under_way.clear()

    def _begun(self, flight: InFlight) -> Future[Outcome] | None:
        known, future = self._under_way.get(flight.generation, (None, None))
        return future if known is flight else None


def to_arrays(flights: Sequence[InFlight]) -> dict[str, np.ndarray]:
    """Returns the proposals in flight for a checkpoint, in their order."""
    return {
        f"{place}|{name}": array
        for place, flight in enumerate(flights)
        for name, array in flatten_tree(flight.proposals).items()
    }


def from_arrays(
    arrays: Mapping[str, np.ndarray], template: Callable[[], Proposals]
) -> list[Proposals]:
    """Returns the proposals that `to_arrays` was asked for.

    Args:
      arrays: what it returned.
      template: gives proposals of the same structure; called if there are any.

    Raises:
      InvalidInput: they are those of another strategy, or some are missing.
    """
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        place, _, rest = name.partition("|")
        found.setdefault(place, {})[rest] = array
    places = [str(place) for place in range(len(found))]
    require(
        sorted(found) == sorted(places),
        f"The checkpoint is damaged: of the generations in flight it holds {', '.join(found)}.",
    )
    like = template() if found else None
    return [restore_tree(like, found[place]) for place in places]  # type: ignore[arg-type]
