"""The loop that drives a job: resume, update, log, checkpoint, stop.

    restore the newest checkpoint, or init
    until the job is finished, the time is up or somebody interrupts:
      update                        one generation
      log its metrics               flushed
      save a checkpoint             at most every so many seconds, and always at the end

Between two checkpoints a killed process loses its work and nothing else: the log is cut back to the
checkpoint, and the same generations run again with the same results.
"""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar

import numpy as np

from metarl.errors import InvalidInput, require

from .directory import RunDirectory
from .experiments import REPRODUCTION
from .interruption import Interruption
from .metric_log import GENERATION
from .progress import Progress

State = TypeVar("State")
Metrics = Mapping[str, Any]
Outcome = Literal["finished", "interrupted"]
Reason = Literal["complete", "time limit", "signal"]

# What `drive` adds to a row of the metric log. Only "seconds" tells of the clock: all else must be
# the same in every repetition of a run, so a job puts no times or rates into its metrics (the
# progress display computes them).
ADDED_METRICS = (GENERATION, "position", "seconds")
_OVERTIME = 1.1  # how much longer than the time limit to wait for a generation that gets somewhere


class Job(Protocol[State]):
    """Something that goes on in generations: a pair of functions, and a way to save its state."""

    def init(self) -> State:
        """Returns the state before the first generation."""
        ...

    def update(self, state: State) -> tuple[State, Metrics]:
        """Runs one generation; the same state gives the same bits, and the clock plays no part."""
        ...

    def finished(self, state: State) -> bool:
        """Tells whether nothing is left to do; compares the position with the budget."""
        ...

    def position(self, state: State) -> tuple[int, int | None]:
        """Returns how far it has come, never going back, and how far it is to go (if known)."""
        ...

    def save(self, state: State) -> tuple[dict[str, np.ndarray], Any]:
        """Returns all of the state, as arrays and as what JSON can hold."""
        ...

    def load(self, arrays: dict[str, np.ndarray], meta: Any) -> State:
        """Inverse of `save`."""
        ...


class Snapshot(NamedTuple, Generic[State]):
    """A job between two generations."""

    state: State
    generation: int  # how many are complete
    seconds: float  # spent on them, over all sessions


def drive(
    job: Job[State],
    run: RunDirectory,
    progress: Progress,
    *,
    minutes: float | None = None,
    checkpoint_seconds: float = 60.0,
    unit: str = "steps",
    describe: Callable[[Metrics], str] = lambda metrics: "",
    interruption: Interruption | None = None,
    owner: RunDirectory | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[State, Outcome]:
    """Drives a job to its end, from its beginning or from where the run stands.

    `outcome.json` then holds "outcome", "reason" ("complete", "time limit" or "signal"),
    "position", "total", "generations", "seconds", and "repeats_with_budget": the position at which
    a repetition without a clock has to stop to end as this run did (None if it was interrupted). A
    finished run is not driven on: its last state is returned.

    Args:
      job: what to do.
      run: where it is recorded; locked meanwhile.
      progress: where it is shown; it is begun and ended here.
      minutes: time limit over all sessions; the run then ends, finished, with the first generation
        that is complete.
      checkpoint_seconds: the shortest time between two checkpoints.
      unit: what the position counts, in the plural, for the display.
      describe: makes a line of text for the display from the metrics of a generation.
      interruption: one that the caller holds around more than this; None handles signals here.
      owner: the run that this one is a part of, and that is therefore what the user resumes.
      clock: seconds, from anywhere.

    Returns:
      The last state, and whether the job is "finished" or was "interrupted" and can be resumed.

    Raises:
      InvalidInput: the checkpoint or the log cannot be used, the run is in use, or `minutes` is not
        positive.
      OSError: something could not be written; the run can be resumed from its last checkpoint.
      KeyboardInterrupt: a second signal came; likewise.
    """
    require(
        minutes is None or minutes > 0,
        f"The time limit is {minutes} minutes; it has to be above 0.",
    )
    limit = float("inf") if minutes is None else 60.0 * minutes
    with run.lock(), _handled(interruption) as stop, _displayed(progress, run, unit, owner or run):
        snapshot, resumed = _restore(job, run)
        if resumed and (run.outcome or {}).get("outcome") == "finished":
            return snapshot.state, "finished"
        run.write_outcome(None)
        session = _Session(job, run, progress, limit, checkpoint_seconds, describe, stop, clock)
        snapshot, reason = session.advance(snapshot)
        _save(job, run, snapshot)
        outcome = _record_outcome(job, run, snapshot, reason)
    if outcome == "interrupted":
        progress.message(
            f"Interrupted. Everything is saved; go on with: {resume_command(owner or run)}"
        )
    return snapshot.state, outcome


class _Session(NamedTuple):
    """What stays the same while one process drives a job."""

    job: Job
    run: RunDirectory
    progress: Progress
    limit: float  # seconds
    checkpoint_seconds: float
    describe: Callable[[Metrics], str]
    stop: Interruption
    clock: Callable[[], float]

    def advance(self, snapshot: Snapshot) -> tuple[Snapshot, Reason]:
        """Returns the first snapshot, not saved yet, with a reason to stop; and the reason."""
        started, saved = self.clock() - snapshot.seconds, self.clock()
        moved, text = True, ""
        while True:
            self._show(snapshot, text)
            reason = self._reason_to_stop(snapshot, moved)
            if reason is not None:
                return snapshot, reason
            before = self.job.position(snapshot.state)[0]
            state, metrics = self.job.update(snapshot.state)
            snapshot = Snapshot(state, snapshot.generation + 1, self.clock() - started)
            moved, text = self.job.position(state)[0] > before, self.describe(metrics)
            self._log(snapshot, metrics)
            if self.clock() - saved >= self.checkpoint_seconds:
                _save(self.job, self.run, snapshot)
                saved = self.clock()

    def _reason_to_stop(self, snapshot: Snapshot, moved: bool) -> Reason | None:
        if self.job.finished(snapshot.state):
            return "complete"
        # A repetition stops at a position. It is this generation's alone if the position has just
        # moved; a job that is stuck is not waited for.
        if snapshot.seconds >= self.limit and (moved or snapshot.seconds >= _OVERTIME * self.limit):
            return "time limit"
        return "signal" if self.stop.requested else None

    def _show(self, snapshot: Snapshot, text: str) -> None:
        position, total = self.job.position(snapshot.state)
        left = None if self.limit == float("inf") else max(0.0, self.limit - snapshot.seconds)
        self.progress.report(position, total, text, seconds_left=left)

    def _log(self, snapshot: Snapshot, metrics: Metrics) -> None:
        clash = [name for name in ADDED_METRICS if name in metrics]
        if clash:
            raise ValueError(
                f"a job's metrics may not be called {', '.join(clash)}: the driver adds these"
            )
        position = self.job.position(snapshot.state)[0]
        added = {
            GENERATION: snapshot.generation,
            "position": position,
            "seconds": round(snapshot.seconds, 3),
        }
        self.run.metrics.append({**added, **metrics})


def resume_command(run: RunDirectory) -> str:
    """Returns what to type to go on with a run; a reproduction is gone on with by its own command."""
    if run.job == REPRODUCTION:
        return shlex.join(run.provenance["command"])
    return f"metarl resume {shlex.quote(str(run.path))}"


def _restore(job: Job[State], run: RunDirectory) -> tuple[Snapshot[State], bool]:
    """Returns where the run stands, its log cut back to that, and whether it had a checkpoint."""
    run.checkpoints.sweep()
    saved = run.checkpoints.load_newest()
    if saved is None:
        run.metrics.truncate(after=0)
        return Snapshot(job.init(), 0, 0.0), False
    arrays, meta = saved
    run.metrics.truncate(after=meta["generation"])
    return Snapshot(job.load(arrays, meta["job"]), meta["generation"], meta["seconds"]), True


def _save(job: Job[State], run: RunDirectory, snapshot: Snapshot[State]) -> None:
    """Saves a checkpoint, after the rows of the log that lead up to it."""
    run.metrics.sync()
    arrays, meta = job.save(snapshot.state)
    meta = {"generation": snapshot.generation, "seconds": snapshot.seconds, "job": meta}
    run.checkpoints.save(snapshot.generation, arrays, meta)


def _record_outcome(
    job: Job[State], run: RunDirectory, snapshot: Snapshot[State], reason: Reason
) -> Outcome:
    outcome: Outcome = "interrupted" if reason == "signal" else "finished"
    position, total = job.position(snapshot.state)
    run.write_outcome(
        {
            "outcome": outcome,
            "reason": reason,
            "position": position,
            "total": total,
            "generations": snapshot.generation,
            "seconds": round(snapshot.seconds, 3),
            "repeats_with_budget": position if outcome == "finished" else None,
        }
    )
    return outcome


def _handled(interruption: Interruption | None) -> contextlib.AbstractContextManager[Interruption]:
    return Interruption() if interruption is None else contextlib.nullcontext(interruption)


@contextlib.contextmanager
def _displayed(progress: Progress, run: RunDirectory, unit: str, owner: RunDirectory):
    """Shows progress inside, and tells how to go on if the block ends before its time."""
    progress.begin(run.job, unit)
    try:
        yield
    except InvalidInput:
        raise  # nothing has begun
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, OSError)):
            progress.message(
                f"Stopped. Go on from the last checkpoint with: {resume_command(owner)}"
            )
        raise
    finally:
        run.metrics.close()
        progress.end()
