"""evaluators: where candidates are trained.

An evaluator takes any number of candidates, cuts them into chunks of a fixed width, and has every chunk
judged by every judge: a problem at one horizon. `LocalEvaluator` keeps one thread per JAX device busy; all
threads run the same single-device program, so the bits of a verdict do not depend on the device, on the order
of completion or on the neighbours. (Sharding one program over devices would be no faster and would change last bits.)
On a CPU all threads drive one device, for which alone the program is compiled.
Other evaluators run the same program in other processes (`ray_evaluator`) or know its results already (`journaled`).

Letters: K candidates, W candidates a chunk, R learning rates, S replicates.
"""

from __future__ import annotations

import contextlib
import contextvars
import queue
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from .candidates import Candidates, Judgement, Verdicts

Device = Any  # a jax.Device, which type checkers take for a variable

# Small enough that the last chunks of a generation keep all threads busy; a call costs microseconds.
DEFAULT_WIDTH = 4
_ACCELERATOR_WIDTH = 64
_LOOK_UP_SECONDS = 0.1


class Result(NamedTuple):
    """The verdicts of one judge on a run of candidates."""

    judge: str
    first: int  # place of the first candidate among those submitted
    verdicts: Verdicts


class Evaluator(Protocol):
    """What the search needs of an evaluator; any number of threads may ask at once."""

    @property
    def judgements(self) -> Mapping[str, Judgement]:
        """The program of each judge, in the order given."""
        ...

    @property
    def width(self) -> int:
        """W, candidates a call; part of what the bits depend on."""
        ...

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


Backend = Callable[[Mapping[str, Judgement]], Evaluator]


class ChunkedEvaluator(ABC):
    """What evaluators have in common that train: chunks of a fixed width, each with a future.

    Args:
      judgements: the program of each judge, by name.
      width: W, candidates a call; part of what the bits depend on.
    """

    def __init__(self, judgements: Mapping[str, Judgement], width: int):
        """Keeps what is to be judged, and how."""
        self.judgements: Mapping[str, Judgement] = dict(judgements)
        self.width = width
        self._look_up: Callable[[], None] = lambda: None

    @property
    def judges(self) -> tuple[str, ...]:
        """Names of the judges, in the order given."""
        return tuple(self.judgements)

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
            self._submit(name, first, chunk)
            for name in judges or self.judgements
            for first, chunk in _chunks(tokens, rates, self.width)
        ]
        landed: queue.SimpleQueue[Future[Result]] = queue.SimpleQueue()
        for future in work:
            # not futures.as_completed, which would wait for ever when the evaluator is closed meanwhile
            future.add_done_callback(landed.put)
        try:
            for _ in work:
                yield self._next(landed).result()
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
        return in_order(self.as_completed(tokens, rates, judges), judges or self.judges)

    def look_up_while_waiting(self, look_up: Callable[[], None]) -> None:
        """Has a function called now and then while somebody waits for results; what it raises, he gets."""
        self._look_up = look_up

    def _next(self, landed: queue.SimpleQueue[Future[Result]]) -> Future[Result]:
        while True:
            self._look_up()
            with contextlib.suppress(queue.Empty):
                return landed.get(timeout=_LOOK_UP_SECONDS)

    @abstractmethod
    def _submit(self, name: str, first: int, chunk: Candidates) -> Future[Result]:
        """Has a chunk judged; its padding is not part of the result."""


class LocalEvaluator(ChunkedEvaluator):
    """Trains candidates in this process, one thread per device.

    Args:
      judgements: the program of each judge, by name.
      width: W, candidates a call; part of what the bits depend on.
      devices: the device of each thread; those of `driven_devices` if not given.
    """

    def __init__(
        self,
        judgements: Mapping[str, Judgement],
        width: int = DEFAULT_WIDTH,
        devices: Sequence[Device] | None = None,
    ):
        """Places every judge's data on every device."""
        super().__init__(judgements, width)
        self._devices = list(devices or driven_devices())
        self._data = {}
        for device in dict.fromkeys(self._devices):
            placed: dict[int, Any] = {}  # what judgements share is placed once
            for name, judgement in self.judgements.items():
                self._data[name, device] = jax.tree.map(
                    lambda leaf, device=device, placed=placed: _placed(leaf, device, placed),
                    judgement.data,
                )
        self._idle: queue.SimpleQueue[Device] = queue.SimpleQueue()
        for device in self._devices:
            self._idle.put(device)
        self._threads = ThreadPoolExecutor(len(self._devices), thread_name_prefix="evaluator")

    def prepare(self) -> None:
        """Begins to compile the programs of all judges, side by side, and returns at once."""
        programs = {id(one.program): name for name, one in self.judgements.items()}
        for name in programs.values():
            recipe = self.judgements[name].recipe
            nobody = Candidates(
                np.zeros((self.width, recipe.grammar.length), np.int32),
                np.ones((self.width, recipe.trial.num_rates), np.float32),
                np.zeros(self.width, bool),
            )
            self._submit(name, 0, nobody)

    def close(self) -> None:
        """Lets go of the data and of the threads, once they have done what they are at; nobody waits for that."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._data.clear()

    def _submit(self, name: str, first: int, chunk: Candidates) -> Future[Result]:
        context = contextvars.copy_context()  # so that it is known for whom a thread compiles
        return self._threads.submit(context.run, self._judge, name, first, chunk)

    def _judge(self, name: str, first: int, chunk: Candidates) -> Result:
        device = self._idle.get()
        try:
            placed = jax.device_put(chunk, device)
            verdicts = self.judgements[name].program(self._data[name, device], placed)
            return Result(name, first, without_padding(verdicts, chunk))
        finally:
            self._idle.put(device)


def _placed(leaf: Any, device: Device, placed: dict[int, Any]) -> Any:
    if id(leaf) not in placed:
        placed[id(leaf)] = jax.device_put(leaf, device)
    return placed[id(leaf)]


def in_order(results: Iterable[Result], judges: Sequence[str]) -> dict[str, Verdicts]:
    """Returns results as the verdicts of all candidates in their order, by judge."""
    parts: dict[str, dict[int, Verdicts]] = {name: {} for name in judges}
    for result in results:
        parts[result.judge][result.first] = result.verdicts
    return {
        name: jax.tree.map(
            lambda *leaves: np.concatenate(leaves), *(found[i] for i in sorted(found))
        )
        for name, found in parts.items()
    }


def without_padding(verdicts: Verdicts, chunk: Candidates) -> Verdicts:
    """Returns the verdicts on the real candidates of a chunk, as numpy arrays."""
    real = int(np.sum(chunk.active))
    return Verdicts(*(np.asarray(x)[:real] for x in verdicts))


def local_evaluator(judgements: Mapping[str, Judgement]) -> Evaluator:
    """Returns the evaluator of this process: the backend that needs nothing else."""
    return LocalEvaluator(judgements, usual_width())


def usual_width() -> int:
    """Returns the width that suits the devices."""
    return DEFAULT_WIDTH if executor() == "switch" else _ACCELERATOR_WIDTH


def begin_compiling(evaluator: Evaluator) -> None:
    """Has an evaluator that compiles in this process begin to, before it is asked; of others nothing is wanted."""
    prepare = getattr(evaluator, "prepare", None)
    if prepare is not None:
        prepare()


def look_up_while_waiting(evaluator: Evaluator, look_up: Callable[[], None]) -> None:
    """Has an evaluator that waits for others call a function meanwhile, which may raise; others need not."""
    ask = getattr(evaluator, "look_up_while_waiting", None)
    if ask is not None:
        ask(look_up)


def driven_devices() -> list[Device]:
    """Returns the device of each thread that trains: on a CPU the first, once for each device that there is.

    A program is compiled for a device, and what several threads run on one CPU device runs side by side.
    """
    devices = jax.local_devices()
    return [devices[0]] * len(devices) if devices[0].platform == "cpu" else devices


def executor() -> Any:
    """Returns "switch" on a CPU, where lanes run one by one, and "select" where they run side by side."""
    return "switch" if jax.default_backend() == "cpu" else "select"


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
