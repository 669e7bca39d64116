"""A gang: several processes that do one job together, over the devices of all of them.

Every process runs the same compiled programs, each on its own devices; the first one alone has the
run on disk. It drives the job as if it were alone, and the others follow:

    leader      settings ─┐           state ─┐        ┌─ update ─┐            ┌─ the end
    followers             └─ make job        └─ load ─┴─ update ─┴─ ... again ┴─ leave

So there is nothing to agree on: the leader decides when to stop (complete, time limit, signal), and
the state comes from it, byte by byte, at the start of each session; nobody else reads checkpoints.
A follower that receives a signal passes it on to the leader.

When a process dies, the others learn of it in the next computation that all of them share, as an
error (`GangBroken`), or, if they are elsewhere, from jax's heartbeat, which then aborts them. The
whole gang is started again and goes on from the last checkpoint.

Letters: P processes.
"""

from __future__ import annotations

import contextlib
import enum
import json
import os
import re
import shlex
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np

from metarl.errors import InvalidInput

from .directory import RunDirectory
from .driver import Job, Outcome, drive
from .interruption import Interruption
from .progress import Progress
from .resuming import resume_command

State = TypeVar("State")

# What a shell shows for it; sysexits.h calls it EX_TEMPFAIL: try again. 134 (SIGABRT) where jax's
# heartbeat was first.
BROKEN_EXIT_CODE = 75

# How the texts of errors begin that a computation over several processes ends with when one of them
# is gone. What a process has itself to blame (RESOURCE_EXHAUSTED, INVALID_ARGUMENT) begins otherwise.
_OF_OTHERS = re.compile(
    r"(ABORTED|CANCELLED|DATA_LOSS|DEADLINE_EXCEEDED|FAILED_PRECONDITION|INTERNAL|UNAVAILABLE|UNKNOWN): "
)
_LONGEST_REASON = 200  # characters


class GangBroken(Exception):
    """Another process of the gang is gone; what happened, and how all of them go on."""


class _Word(enum.IntEnum):
    """What the leader says to all."""

    UPDATE = 0
    FINISHED = 1
    INTERRUPTED = 2


_NOTHING, _PLEASE_STOP = 0, 1  # what a follower says meanwhile


@dataclass(frozen=True)
class Gang:
    """The processes of a job, as one of them sees them.

    Attributes:
      index: of this process, from 0.
      size: P; 1 is a process on its own.
      flags: what this process was started with to belong to the gang, as on the command line.
    """

    index: int = 0
    size: int = 1
    flags: str = ""

    @classmethod
    def present(cls, flags: str = "") -> Gang:
        """Returns the gang that `jax.distributed.initialize` has made of this process and others."""
        import jax

        return cls(jax.process_index(), jax.process_count(), flags)

    @property
    def leads(self) -> bool:
        """Whether this is the process that has the run on disk."""
        return self.index == 0

    def share(self, content: bytes = b"") -> bytes:
        """Returns the leader's `content` in every process; that of the others is not looked at."""
        if self.size == 1:
            return content
        from jax.experimental.multihost_utils import broadcast_one_to_all

        length = np.frombuffer(len(content).to_bytes(8, "little"), np.uint8)
        length = int.from_bytes(broadcast_one_to_all(length).tobytes(), "little")
        own = content if self.leads else bytes(length)
        return broadcast_one_to_all(np.frombuffer(own, np.uint8)).tobytes()

    def share_json(self, content: Any = None) -> Any:
        """Returns the leader's `content` in every process."""
        return json.loads(self.share(json.dumps(content).encode()))

    def hear(self, word: int) -> np.ndarray:
        """Returns what each process has said in this round, int32 [P]."""
        from jax.experimental.multihost_utils import process_allgather

        return np.asarray(process_allgather(np.int32(word))).reshape(self.size)


# The two parts -------------------------------------------------------------------------------------


def lead(
    job: Job[State], run: RunDirectory, progress: Progress, gang: Gang, **settings: Any
) -> tuple[State, Outcome]:
    """Drives a job as `drive` does, and the others of the gang with it; alone, it is `drive`.

    Args:
      job: what to do.
      run: where it is recorded.
      progress: where it is shown.
      gang: this process is its first.
      **settings: see `drive`.

    Returns:
      The last state, and the outcome. The gang has parted then.

    Raises:
      GangBroken: another process is gone; the run can be resumed from its last checkpoint.
    """
    if gang.size == 1:
        return drive(job, run, progress, **settings)
    resume = f"{resume_command(run)} {gang.flags}".rstrip()
    progress.message(
        f"{gang.size} processes train together. Should one of them die, all are started again, each "
        f"with its own --host-index: {resume}"
    )
    with Interruption() as stop, _noticing_losses(resume):
        led = _LedJob(job, gang, stop)
        state, outcome = drive(
            cast("Job[State]", led), run, progress, interruption=stop, **settings
        )
        led.end(outcome)
    _part()
    return state, outcome


def follow(job: Job[Any], run: str, gang: Gang) -> Outcome:
    """Does what the leader does, until it says that this is the end.

    Args:
      job: made from the settings that the leader has.
      run: the path of the leader's run.
      gang: this process is not its first.

    Returns:
      The outcome of the session. The gang has parted then.

    Raises:
      GangBroken: another process is gone.
    """
    state, resume = None, f"metarl resume {shlex.quote(run)} {gang.flags}".rstrip()
    with Interruption() as stop, _noticing_losses(resume):
        while True:
            said = gang.hear(_PLEASE_STOP if stop.requested else _NOTHING)[0]
            if said != _Word.UPDATE:
                break
            if state is None:
                state = job.load(*_unpacked(gang.share()))
            state, _ = job.update(state)
    _part()
    return "finished" if said == _Word.FINISHED else "interrupted"


class _LedJob:
    """A job as the leader's driver sees it: whatever it is to update, all update."""

    def __init__(self, job: Job[Any], gang: Gang, stop: Interruption):
        """Says nothing yet; `stop` is where a follower's signal arrives."""
        self._job, self._gang, self._stop = job, gang, stop
        self._state_is_shared = False

    def __getattr__(self, name: str) -> Any:
        """All but `update` is the leader's own affair."""
        return getattr(self._job, name)

    def update(self, state: Any) -> tuple[Any, Any]:
        """Updates in all processes."""
        others = self._gang.hear(_Word.UPDATE)[1:]
        if np.any(others == _PLEASE_STOP):
            self._stop.request()
        if not self._state_is_shared:
            self._gang.share(_packed(*self._job.save(state)))
            self._state_is_shared = True
        return self._job.update(state)

    def end(self, outcome: Outcome) -> None:
        """Lets the others go."""
        self._gang.hear(_Word.FINISHED if outcome == "finished" else _Word.INTERRUPTED)


# The end of a process -----------------------------------------------------------------------------


def _part() -> None:
    """Ends the gang in agreement: returns when every process is here; each is then on its own."""
    import jax

    jax.distributed.shutdown()


@contextlib.contextmanager
def _noticing_losses(resume: str) -> Iterator[None]:
    """Raises `GangBroken` where a computation inside fails because another process is gone."""
    try:
        yield
    except Exception as error:
        loss = _loss(error)
        if loss is None:
            raise
        raise GangBroken(
            f"{loss} Start all of them again, each with its own --host-index: {resume}"
        ) from error


def _loss(error: BaseException) -> str | None:
    """Returns what happened in one line if an error comes from another process's end; else None."""
    import jax

    of_jax = isinstance(error, (jax.errors.JaxRuntimeError, ValueError))
    if not of_jax or isinstance(error, InvalidInput) or not _OF_OTHERS.match(str(error)):
        return None
    reason = str(error).splitlines()[0][:_LONGEST_REASON]
    return f"A process of this training is gone, or its network ({reason})."


@contextlib.contextmanager
def together(gang: Gang) -> Iterator[None]:
    """Ends this process at once, with its exit code, if the block is left by an error.

    jax would wait at exit until every process of the gang is there; those that are in the midst of a
    computation never would be, and are told by this process's end. Where the gang has parted, or
    never was, errors go their way.
    """
    import jax

    try:
        with _output_kept_free() if gang.size > 1 else contextlib.nullcontext():
            yield
    except BaseException as error:
        if gang.size == 1 or not jax.distributed.is_initialized():
            raise
        code = _say(error)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


@contextlib.contextmanager
def _output_kept_free() -> Iterator[None]:
    """Sends to standard error what the network's library prints on standard output, which is for results."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _say(error: BaseException) -> int:
    """Says what has happened, as the command line does, and returns its exit code."""
    if isinstance(error, KeyboardInterrupt):
        print("metarl: interrupted", file=sys.stderr)
        return 130
    if isinstance(error, (InvalidInput, OSError)):
        print(f"metarl: error: {error}", file=sys.stderr)
        return 2
    loss = str(error) if isinstance(error, GangBroken) else _loss(error)
    if loss is not None:
        print(f"metarl: error: {loss}", file=sys.stderr)
        return BROKEN_EXIT_CODE
    traceback.print_exc()
    return 1


# States as bytes ----------------------------------------------------------------------------------


def _packed(arrays: dict[str, np.ndarray], meta: Any) -> bytes:
    """Returns a saved state as a line of JSON and the bytes of its arrays, one after the other."""
    content = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    kinds = {
        name: [array.dtype.name, list(np.shape(arrays[name]))] for name, array in content.items()
    }
    head = json.dumps({"meta": meta, "arrays": kinds})
    return b"".join([head.encode(), b"\n", *(array.tobytes() for array in content.values())])


def _unpacked(packed: bytes) -> tuple[dict[str, np.ndarray], Any]:
    """Inverse of `_packed`."""
    import jax.numpy as jnp

    line, _, rest = packed.partition(b"\n")
    head, place = json.loads(line), 0
    arrays = {}
    for name, (kind, shape) in head["arrays"].items():
        dtype = jnp.dtype(kind)  # knows bfloat16 too
        count = int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(rest, dtype, count, place).reshape(shape)
        place += count * dtype.itemsize
    return arrays, head["meta"]
