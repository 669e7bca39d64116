"""Ray evaluator: candidates are trained by the workers of a Ray cluster.

The same chunks of the same width go through the same program as in `LocalEvaluator`, so the verdicts are the same to
the bit, whoever computed them and however often a worker was killed on the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future

from ..journal.specification import digest, specification
from ..judging.candidates import Candidates, Judgement
from ..judging.evaluators import Backend, ChunkedEvaluator, Evaluator, Result, usual_width
from .ray_workers import Lesson, RayWorkers


class RayEvaluator(ChunkedEvaluator):
    """Trains candidates on Ray workers, which several evaluators may share.

    Args:
      judgements: the program of each judge, by name.
      width: W, candidates a call; part of what the bits depend on.
      workers: who trains; they stay when the evaluator is closed.
    """

    def __init__(self, judgements: Mapping[str, Judgement], width: int, workers: RayWorkers):
        """Prepares what the workers are to learn; teaches nothing yet."""
        super().__init__(judgements, width)
        self._workers = workers
        self._lessons = {
            name: Lesson(digest(specification(found, width)), found.recipe, width, found.remake)
            for name, found in self.judgements.items()
        }
        workers.keep(lesson.specified for lesson in self._lessons.values())
        self._under_way: set[Future[Result]] = set()
        self._closed = False

    def close(self) -> None:
        """Withdraws what no worker has begun, and has the workers forget the judges."""
        if not self._closed:
            self._workers.drop(lesson.specified for lesson in self._lessons.values())
        self._closed = True
        for future in list(self._under_way):
            future.cancel()

    def _submit(self, name: str, first: int, chunk: Candidates) -> Future[Result]:
        if self._closed:
            raise RuntimeError("the evaluator is closed")
        future = self._workers.submit(
            self._lessons[name], chunk, lambda verdicts: Result(name, first, verdicts)
        )
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        return future


def ray_backend(workers: RayWorkers) -> Backend:
    """Returns the backend whose evaluators share these workers."""

    def evaluator(judgements: Mapping[str, Judgement]) -> Evaluator:
        return RayEvaluator(judgements, usual_width(), workers)

    return evaluator
