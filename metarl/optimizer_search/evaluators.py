"""evaluators: where candidates are trained.

An evaluator takes any number of candidates, cuts them into chunks of a fixed width, and has every chunk
judged by every judge: a problem at one horizon. `LocalEvaluator` keeps one thread per JAX device busy; all
threads run the same single-device program, so the bits of a verdict do not depend on the device, on the order
of completion or on the neighbours. (Sharding one program over devices would be no faster and would change last bits.)

Letters: K candidates, W candidates a chunk, R learning rates, S replicates.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from .candidates import Candidates, Judgement, Verdicts

Device = Any  # a jax.Device, which type checkers take for a variable

# Small enough that the last chunks of a generation keep all threads busy; a call costs microseconds.
DEFAULT_WIDTH = 4


class Result(NamedTuple):
    """The verdicts of one judge on a run of candidates."""

    judge: str
    first: int  # place of the first candidate among those submitted
    verdicts: Verdicts


class Evaluator(Protocol):
    """What the search needs of an evaluator."""

    def as_completed(
        self, tokens: np.ndarray, rates: np.ndarray, judges: Sequence[str] | None = None
    ) -> Iterator[Result]:
        """Yields results as they are there, in any order."""
        ...

    def evaluate(
        self, tokens: np.ndarray, rates: np.ndarray, judges: Sequence[str] | None = None
    ) -> dict[str, Verdicts]:
        """Returns the verdicts of all candidates in their order, by judge; of all judges if none is named."""
        ...

    def close(self) -> None:
        """Frees threads and devices; the evaluator cannot be used afterwards."""


class LocalEvaluator:
    """Trains candidates in this process, one thread per device.

    Args:
      judgements: the program of each judge, by name.
      width: W, candidates a call; part of what the bits depend on.
      devices: the devices to use; all local ones if not given.
    """

    def __init__(
        self,
        judgements: Mapping[str, Judgement],
        width: int = DEFAULT_WIDTH,
        devices: Sequence[Device] | None = None,
    ):
        """Places every judge's data on every device."""
        self._judgements = dict(judgements)
        self._width = width
        self._devices = list(devices or jax.local_devices())
        self._data = {
            (name, device): jax.device_put(judgement.data, device)
            for name, judgement in self._judgements.items()
            for device in self._devices
        }
        self._idle: queue.SimpleQueue[Device] = queue.SimpleQueue()
        for device in self._devices:
            self._idle.put(device)
        self._threads = ThreadPoolExecutor(len(self._devices), thread_name_prefix="evaluator")

    @property
    def judges(self) -> tuple[str, ...]:
        """Names of the judges, in the order given."""
        return tuple(self._judgements)

    def as_completed(
        self, tokens: np.ndarray, rates: np.ndarray, judges: Sequence[str] | None = None
    ) -> Iterator[Result]:
        """Yields the verdicts of each judge on each chunk as they are there.

        Args:
          tokens: rules, int32 [K, L].
          rates: learning rates to sweep, [K, R].
          judges: names of those to ask; all if None.
        """
        work = [
            self._threads.submit(self._judge, name, first, chunk)
            for name in judges or self._judgements
            for first, chunk in _chunks(tokens, rates, self._width)
        ]
        try:
            for done in as_completed(work):
                yield done.result()
        finally:
            for unfinished in work:
                unfinished.cancel()

    def evaluate(
        self, tokens: np.ndarray, rates: np.ndarray, judges: Sequence[str] | None = None
    ) -> dict[str, Verdicts]:
        """Returns the verdicts of all candidates in their order, by judge.

        Args:
          tokens: rules, int32 [K, L].
          rates: learning rates to sweep, [K, R].
          judges: names of those to ask; all if None.
        """
        parts: dict[str, dict[int, Verdicts]] = {name: {} for name in judges or self._judgements}
        for result in self.as_completed(tokens, rates, judges):
            parts[result.judge][result.first] = result.verdicts
        return {
            name: jax.tree.map(
                lambda *leaves: np.concatenate(leaves), *(found[i] for i in sorted(found))
            )
            for name, found in parts.items()
        }

    def close(self) -> None:
        """Stops the threads and lets go of the data."""
        self._threads.shutdown(cancel_futures=True)
        self._data.clear()

    def _judge(self, name: str, first: int, chunk: Candidates) -> Result:
        device = self._idle.get()
        try:
            placed = jax.device_put(chunk, device)
            verdicts = self._judgements[name].program(self._data[name, device], placed)
            real = int(chunk.active.sum())
            return Result(name, first, jax.tree.map(lambda x: np.asarray(x)[:real], verdicts))
        finally:
            self._idle.put(device)


def _chunks(tokens: np.ndarray, rates: np.ndarray, width: int) -> Iterator[tuple[int, Candidates]]:
    """Yields pieces of `width` candidates, the last one padded, each with its first candidate's place."""
    for first in range(0, len(tokens), width):
        rows = np.arange(first, first + width)
        active = rows < len(tokens)
        rows = np.where(active, rows, first)
        yield (
            first,
            Candidates(
                np.asarray(tokens, np.int32)[rows], np.asarray(rates, np.float32)[rows], active
            ),
        )
