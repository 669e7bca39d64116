"""Ray workers: actors of a Ray cluster that judge chunks, and the queue they are served from.

One thread for each worker keeps one actor alive and busy: it starts the actor, looks at its fingerprint, and then takes
one chunk after another from the queue that all share. So a quick worker takes more, and a worker that joins late takes
its part. When an actor, its process or its machine dies, the chunk that it had goes back into the queue and the thread
starts another actor, wherever the cluster has room; nothing else is lost, since results are with the driver as soon as
they are there. Verdicts are some hundred bytes and travel with the answer, never through the memory of a worker.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, InvalidStateError
from typing import Any, NamedTuple, TypeVar

import jax

from metarl.errors import InvalidInput, require

from ..judging.candidates import Candidates, Judgement, Recipe, Verdicts
from .ray_cluster import RayCluster
from .surroundings import differences, process_fingerprint, settings_for_workers
from .worker import Worker, by_name

_TRIES = 4  # of a chunk, before it is held to be what kills the workers
_STARTS = 4  # of an actor that never answers, one after another
_PATIENCE_SECONDS = 300.0  # without a single worker
_FAREWELL_SECONDS = 10.0
_LONGEST_REASON = 120  # characters of what Ray says

Say = Callable[[str], None]
Made = TypeVar("Made")


class WorkersLost(OSError):
    """No worker is left, or a chunk ends every worker that takes it. What was computed is in the journal."""


class Lesson(NamedTuple):
    """A judgement as workers learn it."""

    specified: str  # digest of its specification
    recipe: Recipe
    width: int
    remake: Callable[[Recipe], Judgement] | None = None  # `make_judgement` if None


class _Task(NamedTuple):
    lesson: Lesson
    chunk: Candidates
    made: Callable[[Verdicts], Any]  # what is handed back
    future: Future[Any]
    tries: list[str]  # how workers ended that had it


class RayWorkers:
    """Workers on a Ray cluster; the queue that serves them.

    Args:
      cluster: joined; it stays when the workers are closed.
      count: how many workers; if None, as many as the cluster has processor cores (or GPUs, where jax uses these).
      say: told of workers that were lost or refused.
    """

    def __init__(self, cluster: RayCluster, count: int | None = None, say: Say = lambda text: None):
        """Begins to start workers; does not wait for them."""
        require(count is None or count >= 1, f"--ray-workers must be at least 1, not {count}.")
        self._ray, self._say = cluster.ray, say
        self._fingerprint, self._settings = process_fingerprint(), settings_for_workers()
        self.count = count or _room(self._ray)
        self._actor = self._ray.remote(Worker).options(max_restarts=0, **_needs())
        self._wanted: Counter[str] = Counter()  # judgements by how many evaluators need them
        self._recipes: dict[str, Any] = {}  # specified -> reference to the recipe in Ray's store
        self._actors: set[Any] = set()
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._lock, self._closing = threading.Lock(), False
        self._serving, self._last_seen = self.count, time.monotonic()
        self._refusals: list[str] = []
        self._broken: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._serve, name=f"worker {number}", daemon=True)
            for number in range(self.count)
        ]
        for thread in self._threads:
            thread.start()

    def keep(self, specified: Iterable[str]) -> None:
        """Has workers keep judgements in memory that they learn."""
        with self._lock:
            self._wanted.update(specified)

    def drop(self, specified: Iterable[str]) -> None:
        """Has workers let go of judgements, unless another evaluator keeps them."""
        with self._lock:
            self._wanted -= Counter(specified)
            self._recipes = {
                name: recipe for name, recipe in self._recipes.items() if name in self._wanted
            }

    def submit(
        self, lesson: Lesson, chunk: Candidates, made: Callable[[Verdicts], Made]
    ) -> Future[Made]:
        """Has a chunk judged by whoever is free.

        Args:
          lesson: by which judge.
          chunk: of the width of the lesson.
          made: makes of the verdicts what the future gives.

        Raises:
          WorkersLost: there is no worker any more.
          InvalidInput: every worker was refused.
        """
        task = _Task(lesson, chunk, made, Future(), [])
        with self._lock:
            if self._broken is not None:
                raise self._broken
            self._tasks.put(task)
        return task.future

    def close(self) -> None:
        """Ends the workers."""
        with self._lock:
            self._closing = True
            self._broken = self._broken or WorkersLost("The workers were closed.")
            actors = list(self._actors)
        for _ in self._threads:
            self._tasks.put(None)
        for actor in actors:  # a chunk may take long, and nobody waits for it
            with contextlib.suppress(Exception):
                self._ray.kill(actor)
        deadline = time.monotonic() + _FAREWELL_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._fail(self._broken)

    def _serve(self) -> None:
        """Keeps one worker alive and busy, as long as there is something to be served."""
        try:
            while not self._closing:
                actor = self._started()
                if actor is None:
                    break
                with self._lock:
                    self._actors.add(actor)
                try:
                    self._feed(actor)
                finally:
                    with self._lock:
                        self._actors.discard(actor)
                        self._last_seen = time.monotonic()
                    with contextlib.suppress(Exception):  # it is dead, or the cluster is
                        self._ray.kill(actor)
        except Exception as error:  # of Ray itself: the head is gone
            if not self._closing:
                self._say(f"A worker is given up: {_first_line(error)}")
        finally:
            with self._lock:
                self._serving -= 1
                nobody = self._serving == 0 and not self._closing
            if nobody:
                self._give_up()

    def _started(self) -> Any:
        """Returns a new actor that is like this process; None if there is none to be had."""
        for _ in range(_STARTS):
            actor = self._actor.remote(self._settings)
            answer = actor.fingerprint.remote()
            while not self._ray.wait([answer], timeout=1.0)[0]:  # the cluster has no room yet
                if self._closing or self._forsaken():
                    return None
            try:
                theirs = self._ray.get(answer)
            except self._ray.exceptions.RayError as error:
                reason = _first_line(error)
                continue
            differing = differences(self._fingerprint, theirs)
            if not differing:
                return actor
            reason = "; ".join(differing)
            self._ray.kill(actor)
            break
        self._refusals.append(reason)
        self._say(f"A worker is refused: {reason}.")
        return None

    def _feed(self, actor: Any) -> None:
        """Gives an actor one chunk after another until it dies or there are no more."""
        taught: set[str] = set()
        while (task := self._tasks.get()) is not None:
            if not task.tries and not task.future.set_running_or_notify_cancel():
                continue
            try:
                self._teach(actor, task.lesson, taught)
                found = self._ray.get(actor.judge.remote(task.lesson.specified, tuple(task.chunk)))
                _settle(task.future, task.made(Verdicts(*found)))
            except self._ray.exceptions.RayTaskError as error:  # the program itself failed
                _settle(task.future, error=getattr(error, "cause", None) or error)
            except self._ray.exceptions.RayError as error:
                self._again(task, _first_line(error))
                return
            except Exception as error:
                _settle(task.future, error=error)

    def _teach(self, actor: Any, lesson: Lesson, taught: set[str]) -> None:
        if lesson.specified in taught:
            return
        for old in [name for name in taught if name not in self._wanted]:
            actor.forget.remote(old)
            taught.discard(old)
        recipe = by_name(lesson.recipe)
        how = (lesson.width, lesson.remake)
        wrong = self._ray.get(actor.learn.remote(lesson.specified, recipe, *how))
        if wrong is not None and isinstance(recipe.problem, str):  # a name that only we know
            stored = self._stored(lesson)
            wrong = self._ray.get(actor.learn.remote(lesson.specified, stored, *how))
        require(
            wrong is None,
            f"Problem {lesson.recipe.problem.name!r} is not the same on a worker: {wrong}",
        )
        taught.add(lesson.specified)

    def _stored(self, lesson: Lesson) -> Any:
        with self._lock:
            if lesson.specified not in self._recipes:
                self._recipes[lesson.specified] = self._ray.put(lesson.recipe)
            return self._recipes[lesson.specified]

    def _again(self, task: _Task, reason: str) -> None:
        """Puts the chunk of a worker that died back, or gives it up."""
        task.tries.append(reason)
        problem = task.lesson.recipe.problem.name
        if self._closing:
            _settle(task.future, error=WorkersLost("The workers were closed."))
        elif len(task.tries) < _TRIES:
            self._say(f"A worker was lost ({reason}); what it had is given to another.")
            self._tasks.put(task)
        else:
            message = f"{_TRIES} workers died over the same candidates on {problem!r}: {reason}"
            _settle(task.future, error=WorkersLost(message))

    def _forsaken(self) -> bool:
        """Tells whether nobody has been at work for so long that nobody will."""
        with self._lock:
            waited = time.monotonic() - self._last_seen
            return not self._actors and waited > _PATIENCE_SECONDS

    def _give_up(self) -> None:
        if self._refusals:
            reasons = "; ".join(dict.fromkeys(self._refusals))
            self._fail(InvalidInput(f"No worker can be used: {reasons}."))
            return
        minutes = _PATIENCE_SECONDS / 60
        message = f"No worker has been there for {minutes:g} minutes; is the cluster still up?"
        self._fail(WorkersLost(message))

    def _fail(self, error: BaseException) -> None:
        """Ends all that waits."""
        with self._lock:
            self._broken = self._broken or error
        with contextlib.suppress(queue.Empty):
            while True:
                task = self._tasks.get_nowait()
                if task is not None:
                    _settle(task.future, error=error)


def _settle(future: Future[Any], found: Any = None, error: BaseException | None = None) -> None:
    """Gives a future its end; one that was cancelled meanwhile has had it."""
    with contextlib.suppress(InvalidStateError):
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(found)


def _needs() -> Mapping[str, int]:
    """Returns what a worker takes of its machine: a core, and the GPU that it drives."""
    return {"num_cpus": 1, "num_gpus": int(jax.default_backend() == "gpu")}


def _room(ray: Any) -> int:
    """Returns how many workers the cluster has room for now."""
    resources, needs = ray.cluster_resources(), _needs()
    kind = "GPU" if needs["num_gpus"] else "CPU"
    return max(1, int(resources.get(kind, 1)))


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:_LONGEST_REASON]
