"""The loop that drives a job: resume, update, log, checkpoint, stop.

    restore the newest checkpoint, or init
    until the job is finished, the time is up or somebody interrupts:
      update                        one generation
      log its metrics               flushed
      save a checkpoint             now and then, when the state is the best so far, and at the end

Between two checkpoints a killed process loses its work and nothing else: the log is cut back to the
checkpoint, and the same generations run again with the same results. So it is when the newest
checkpoint turns out to be damaged: the one before is used, and that is said.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar, cast, get_args

import numpy as np

from metarl.errors import InvalidInput, require

from .directory import RunDirectory
from .interruption import GivenUp, Interrupted, Interruption, leaving_with
from .metric_log import GENERATION
from .progress import Progress
from .resuming import resume_command

State = TypeVar("State")
Metrics = Mapping[str, Any]
Outcome = Literal["finished", "interrupted"]
Reason = Literal["complete", "time limit", "signal"]

# What `drive` adds to a row of the metric log. Only "seconds" tells of the clock: all else must be
# the same in every repetition of a run, so a job puts no times or rates into its metrics (the
# progress display computes them).
ADDED_METRICS = (GENERATION, "position", "seconds")
CHECKPOINT_SECONDS = "METARL_CHECKPOINT_SECONDS"  # environment variable, see docs/run_directory.md
_OVERTIME = 1.1  # how much longer than the time limit to wait for a generation that gets somewhere


class Job(Protocol[State]):
    """Something that goes on in generations: a pair of functions, and a way to save its state.

    A job may also have `score(state) -> float | None`: how good a state is that has just been found
    the best so far on validation data, None for all others. It is then saved at once, and kept
    beside the newest where checkpoints are of a kind that keeps the best.

    And it may have `heed(interruption)`, called before the first generation. One whose generations
    are long can then look whether a stop is requested, and raise `GivenUp` in the middle of one.
    """

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
    compiling: float = 0.0  # of these seconds


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
    compiling: Callable[[], float] | None = None,
) -> tuple[State, Outcome]:
    """Drives a job to its end, from its beginning or from where the run stands.

    `outcome.json` then holds "outcome", "reason" ("complete", "time limit" or "signal"),
    "position", "total", "generations", "seconds", and "repeats_with_budget": the position at which
    a repetition without a clock has to stop to end as this run did (None if it was interrupted). A
    finished run is not driven on: its last state is returned, once it is computed again if its
    checkpoint is damaged.

    Args:
      job: what to do.
      run: where it is recorded; locked meanwhile.
      progress: where it is shown; it is begun and ended here.
      minutes: time limit over all sessions, without compiling where that is measured; the run then
        ends, finished, with the first generation that is complete.
      checkpoint_seconds: the shortest time between two checkpoints, but for those of a new best
        score; the environment variable METARL_CHECKPOINT_SECONDS takes its place.
      unit: what the position counts, in the plural, for the display.
      describe: makes a line of text for the display from the metrics of a generation.
      interruption: one that the caller holds around more than this; None handles signals here.
      owner: the run that this one is a part of, and that is therefore what the user resumes.
      clock: seconds, from anywhere.
      compiling: seconds of compiling so far, from anywhere (`compilation_seconds`); `outcome.json` then
        has "compile_seconds" too, a part of its "seconds".

    Returns:
      The last state, and whether the job is "finished" or was "interrupted" and can be resumed. A signal that comes
      while the last generation is computed interrupts too, so that nothing follows which nobody wants any more;
      the run on disk is finished then.

    Raises:
      InvalidInput: no checkpoint is intact, the log cannot be used, the run is in use, or `minutes`
        is not positive.
      OSError: something could not be written; the run can be resumed from its last checkpoint.
      Interrupted: a second signal came; likewise.
    """
    require(
        minutes is None or minutes > 0,
        f"The time limit is {minutes} minutes; it has to be above 0.",
    )
    limit = float("inf") if minutes is None else 60.0 * minutes
    pause = _checkpoint_seconds(checkpoint_seconds)
    with (
        run.lock(),
        _handled(interruption) as stop,
        _displayed(progress, run, unit, owner or run),
        _closing(run),
        leaving_with(_stopped(owner or run)),
    ):
        end = _known_end(run)  # before anything is computed
        snapshot = _restore(job, run, progress)
        if end is None:
            run.write_outcome(None)
        elif snapshot.generation == end.generation:
            return snapshot.state, _wanted(stop)
        heed = getattr(job, "heed", None)
        if heed is not None:
            heed(stop)
        session = _Session(
            job, run, progress, limit, pause, unit, describe, stop, end, clock, compiling
        )
        snapshot, reason = session.advance(snapshot)
        _save(job, run, snapshot)
        run.checkpoints.wait()
        recorded: Outcome = "interrupted" if reason == "signal" else "finished"
        if end is None or recorded == "finished":
            described = _described(job, snapshot, recorded, reason)
            if compiling is not None:
                described["compile_seconds"] = round(snapshot.compiling, 3)
            run.write_outcome(described)
        outcome = _wanted(stop)
    if outcome == "interrupted":
        progress.message(
            f"Interrupted. Everything is saved; go on with: {resume_command(owner or run)}"
        )
    return snapshot.state, outcome


def _wanted(stop: Interruption) -> Outcome:
    """Returns what becomes of a session in which all is done that can be."""
    return "interrupted" if stop.requested else "finished"


def _stopped(run: RunDirectory) -> str:
    return f"Stopped. Go on from the last checkpoint with: {resume_command(run)}"


class _End(NamedTuple):
    """Where a run ended whose last state is to be computed again."""

    generation: int
    reason: Reason


class _Session(NamedTuple):
    """What stays the same while one process drives a job."""

    job: Job
    run: RunDirectory
    progress: Progress
    limit: float  # seconds
    checkpoint_seconds: float
    unit: str
    describe: Callable[[Metrics], str]
    stop: Interruption
    end: _End | None
    clock: Callable[[], float]
    compiling: Callable[[], float] | None

    def advance(self, snapshot: Snapshot) -> tuple[Snapshot, Reason]:
        """Returns the first snapshot, not saved yet, with a reason to stop; and the reason."""
        started, saved = self.clock() - snapshot.seconds, self.clock()
        compiling_before = self._compiled() - snapshot.compiling
        moved, text = True, ""
        while True:
            self._show(snapshot, text)
            reason = self._reason_to_stop(snapshot, moved)
            if reason is not None:
                return snapshot, reason
            before = self.job.position(snapshot.state)[0]
            try:
                state, metrics = self.job.update(snapshot.state)
            except GivenUp:
                return snapshot, "signal"
            seconds, compiling = self.clock() - started, self._compiled() - compiling_before
            snapshot = Snapshot(state, snapshot.generation + 1, seconds, compiling)
            moved, text = self.job.position(state)[0] > before, self.describe(metrics)
            self._log(snapshot, metrics)
            due = self.clock() - saved >= self.checkpoint_seconds
            if due or _score(self.job, state) is not None:
                _save(self.job, self.run, snapshot)
                saved = self.clock()

    def _reason_to_stop(self, snapshot: Snapshot, moved: bool) -> Reason | None:
        if self.end is not None and snapshot.generation == self.end.generation:
            return self.end.reason
        if self.job.finished(snapshot.state):
            return "complete"
        # A repetition stops at a position. It is this generation's alone if the position has just
        # moved; a job that is stuck is not waited for.
        limit = self.limit if self.end is None else float("inf")
        spent = snapshot.seconds - snapshot.compiling
        if spent >= limit and (moved or spent >= _OVERTIME * limit):
            return "time limit"
        return "signal" if self.stop.requested else None

    def _compiled(self) -> float:
        return 0.0 if self.compiling is None else self.compiling()

    def _show(self, snapshot: Snapshot, text: str) -> None:
        position, total = self.job.position(snapshot.state)
        self.run.heartbeat.note(position, total, self.unit)
        spent = snapshot.seconds - snapshot.compiling
        left = None if self.limit == float("inf") else max(0.0, self.limit - spent)
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


def _checkpoint_seconds(usual: float) -> float:
    """Returns the shortest time between two checkpoints, as the environment may have it."""
    text = os.environ.get(CHECKPOINT_SECONDS)
    if text is None:
        return usual
    with contextlib.suppress(ValueError):
        if (seconds := float(text)) >= 0.0:
            return seconds
    raise InvalidInput(f"{CHECKPOINT_SECONDS} takes seconds, 0 or more, not {text[:100]!r}.")


def _restore(job: Job[State], run: RunDirectory, progress: Progress) -> Snapshot[State]:
    """Returns where the run stands, after its log is cut back to that."""
    run.checkpoints.sweep()
    saved = run.checkpoints.load_newest(progress.message)
    if saved is None:
        run.metrics.truncate(after=0)
        return Snapshot(job.init(), 0, 0.0)
    arrays, meta = saved
    # before anything on disk is touched, for a job may refuse what an older version saved
    clock = meta["seconds"], meta.get("compile_seconds", 0.0)
    snapshot = Snapshot(job.load(arrays, meta["job"]), meta["generation"], *clock)
    run.metrics.truncate(after=meta["generation"])
    run.checkpoints.set_aside_after(meta["generation"])
    return snapshot


def _known_end(run: RunDirectory) -> _End | None:
    """Returns where the run ended; None if it has not."""
    outcome = run.outcome or {}
    if outcome.get("outcome") != "finished":
        return None
    generations, why = outcome.get("generations"), outcome.get("reason")
    if not isinstance(generations, int) or why not in get_args(Reason):
        raise run.damaged_outcome(f"generations {generations!r:.50}, reason {why!r:.50}")
    return _End(generations, cast("Reason", why))


def _save(job: Job[State], run: RunDirectory, snapshot: Snapshot[State]) -> None:
    """Saves a checkpoint, after the rows of the log that lead up to it."""
    run.metrics.sync()
    arrays, meta = job.save(snapshot.state)
    clock = {"seconds": snapshot.seconds, "compile_seconds": snapshot.compiling}
    meta = {"generation": snapshot.generation, **clock, "job": meta}
    run.checkpoints.save(snapshot.generation, arrays, meta, _score(job, snapshot.state))


def _score(job: Job[State], state: State) -> float | None:
    """Returns the score of a state that is the best so far, if the job tells of that."""
    score = getattr(job, "score", None)
    return None if score is None else score(state)


def _described(
    job: Job[State], snapshot: Snapshot[State], outcome: Outcome, reason: Reason
) -> dict[str, Any]:
    """Returns what `outcome.json` holds."""
    position, total = job.position(snapshot.state)
    return {
        "outcome": outcome,
        "reason": reason,
        "position": position,
        "total": total,
        "generations": snapshot.generation,
        "seconds": round(snapshot.seconds, 3),
        "repeats_with_budget": position if outcome == "finished" else None,
    }


@contextlib.contextmanager
def _closing(run: RunDirectory) -> Iterator[None]:
    """Waits at the end for checkpoints that are still being written; the first error is raised."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            run.checkpoints.close()
        raise
    else:
        run.checkpoints.close()
    finally:
        run.heartbeat.note_end()


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
            progress.message(_stopped(owner))
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted from error
        raise
    finally:
        run.metrics.close()
        progress.end()
