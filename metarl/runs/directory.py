"""The run directory: everything about one run in one place, made whole or not at all.

    run.json          what this is: format, job, name, kind of checkpoints
    config.json       the configuration as asked for; `--config RUN_DIR/config.json` repeats the run
    provenance.json   what its numbers may depend on
    metrics.jsonl     one line a generation
    checkpoints/      the newest states
    outcome.json      how the last session ended, and the budget that repeats it
    heartbeat.json    where the run stands, every second
    lock              held by the process that is at work here

The first three are there, on the disk, before anything is compiled; so a run that is killed later
can always be resumed.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from metarl.errors import InvalidInput, nearest_name, reason, require

from .checkpoint_kinds import checkpoint_kind, make_checkpoints
from .durable import json_bytes, read_json_object, sync_directory, write_durably
from .heartbeat import Heartbeat
from .metric_log import MetricLog
from .provenance import collect_provenance
from .tensorboard import FOLDER as TENSORBOARD
from .tensorboard import require_tensorboard

FORMAT, FORMAT_VERSION = "metarl-run", 2
_READABLE = (1, 2)  # in format 1 every run has checkpoints of the kind "npz"
_IDENTITY, _CONFIG, _PROVENANCE = "run.json", "config.json", "provenance.json"
_OUTCOME = "outcome.json"
_DESCRIBED = {
    "search": "a search",
    "table-search": "a search on a table",
    "table": "a table",
    "enumerate": "an enumeration",
    "compare": "a comparison",
    "train": "a training",
    "evaluate": "an evaluation",
    "play": "an agent at play",
    "reproduce": "a reproduction",
}
_LOCK = "lock"
ROOT = Path("runs")  # where runs lie that were given no other place
# Who lists runs looks at a lock for an instant, and must not keep the owner of a run out.
_LOCK_TRIES, _LOCK_PAUSE = 5, 0.03  # seconds


class RunDirectory:
    """One run on disk. `create` makes a new one, `open` finds an old one.

    Attributes:
      path: the directory.
      job: what runs here ("search", "train").
      name: of its directory when it was made.
      config: the configuration that was asked for.
      provenance: see `collect_provenance`; of the process that created the run.
      metrics: the metric log.
      checkpoints: the saved states.
      heartbeat: where the run stands; it beats while the lock is held.
    """

    def __init__(
        self,
        path: Path,
        job: str,
        config: dict[str, Any],
        provenance: dict[str, Any],
        checkpoints: str = "npz",
        name: str = "",
    ):
        """Use `create` or `open`; `checkpoints` is their kind."""
        self.path = path
        self.job = job
        self.name = name
        self.config = config
        self.provenance = provenance
        self.metrics = MetricLog(path / "metrics.jsonl")
        self.checkpoints = make_checkpoints(checkpoints, path / "checkpoints")
        self.heartbeat = Heartbeat(path)
        self._locks_held = 0

    @property
    def described(self) -> str:
        """What kind of run this is, with its article."""
        return _DESCRIBED.get(self.job, f"one of another kind ({self.job})")

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str] | None,
        job: str,
        config: Mapping[str, Any],
        command: Sequence[str],
        root: str | os.PathLike[str] = ROOT,
        *,
        tensorboard: bool = False,
        files: Mapping[str, bytes] | None = None,
    ) -> RunDirectory:
        """Makes the directory of a new run, with its identity, configuration and provenance.

        Args:
          path: a directory that is new or empty; None makes `ROOT/JOB-DATE-TIME-UNIQUE`.
          job: what runs here.
          config: the configuration, as JSON can hold it; its "seed" goes into the provenance.
          command: the command line, as a list of words.
          root: where directories without a given path are made.
          tensorboard: also write the metric log as TensorBoard's event files.
          files: what the run is to have from its beginning on beside these, by name.

        Returns:
          The run.

        Raises:
          InvalidInput: there is something at `path` already, or TensorBoard is not installed.
          OSError: it could not be written (no space, no permission); nothing is left behind.
        """
        place = Path(root, _new_name(job)) if path is None else Path(path).expanduser()
        _require_free(place)
        if tensorboard:
            require_tensorboard()
        provenance = collect_provenance(command, seed=config.get("seed"))
        identity = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "job": job,
            "name": place.name,
            "checkpoints": checkpoint_kind(job),
        }
        contents = {_IDENTITY: identity, _CONFIG: config, _PROVENANCE: provenance}
        own = {name: json_bytes(content) for name, content in contents.items()}
        _write_whole_directory(place, {**(files or {}), **own})
        if tensorboard:
            (place / TENSORBOARD).mkdir()
        return cls.open(place)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> RunDirectory:
        """Returns the run in a directory.

        Raises:
          InvalidInput: there is no run, or it is damaged or of another version.
        """
        place = Path(path).expanduser()
        _require_run(place)
        identity = read_json_object(place / _IDENTITY)
        require(
            identity.get("format") == FORMAT and isinstance(identity.get("job"), str),
            f"{str(place)!r} is not a run of metarl: its {_IDENTITY} belongs to something else.",
        )
        require(
            identity.get("version") in _READABLE,
            f"Run {str(place)!r} has format {identity.get('version')}; this metarl reads formats "
            f"{_READABLE[0]} to {_READABLE[-1]}. Use the version that made it ({_PROVENANCE} names "
            "it).",
        )
        for name in (_CONFIG, _PROVENANCE):
            require(
                (place / name).is_file(),
                f"Run {str(place)!r} is damaged: it has no {name}. Start a new run.",
            )
        try:
            config, provenance = (read_json_object(place / name) for name in (_CONFIG, _PROVENANCE))
        except InvalidInput as error:
            raise InvalidInput(
                f"Run {str(place)!r} is damaged: {reason(error)}. Start a new run."
            ) from error
        require(
            isinstance(provenance.get("command"), list),
            f"Run {str(place)!r} is damaged: its {_PROVENANCE} has no command. Start a new run.",
        )
        kind = identity.get("checkpoints", "npz")
        name = str(identity.get("name", ""))
        return cls(place, identity["job"], config, provenance, kind, name)

    @property
    def outcome(self) -> dict[str, Any] | None:
        """How the last session ended (see `drive`); None while it runs, or if it was killed."""
        path = self.path / _OUTCOME
        if not path.exists():
            return None
        try:
            return read_json_object(path)
        except InvalidInput as error:
            raise self.damaged_outcome(reason(error)) from error

    def damaged_outcome(self, why: str) -> InvalidInput:
        """Returns the error for an outcome that `drive` cannot have written."""
        return InvalidInput(
            f"{str(self.path / _OUTCOME)!r} is damaged ({why}). Remove it; resuming the run writes it again."
        )

    def write_outcome(self, outcome: Mapping[str, Any] | None) -> None:
        """Records how a session ended; None forgets it, when the next session begins."""
        path = self.path / _OUTCOME
        if outcome is None:
            path.unlink(missing_ok=True)
        else:
            write_durably(path, json_bytes(outcome))

    @contextlib.contextmanager
    def lock(self, *, beat: bool = True) -> Iterator[None]:
        """Keeps other processes out while the block runs.

        The lock dies with its process, and may be taken again inside the block. The heartbeat goes
        on as long as it is held, unless `beat` is false: for who only tidies up.

        Raises:
          InvalidInput: another process, or another `RunDirectory` of this one, is at work here.
        """
        if self._locks_held == 0:
            self._lock_file = _locked(self.path)
            if beat:
                self.heartbeat.start()
        self._locks_held += 1
        try:
            yield
        finally:
            self._locks_held -= 1
            if self._locks_held == 0:
                self.heartbeat.stop()
                os.close(self._lock_file)


def is_in_use(directory: Path) -> bool:
    """Tells whether a process is at work in a run directory."""
    import fcntl

    try:
        descriptor = os.open(directory / _LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _new_name(job: str) -> str:
    return f"{job}-{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}"


def _require_free(place: Path) -> None:
    """Raises unless a new run can be made at `place`: nothing there, or an empty directory."""
    if not os.path.lexists(place):
        return
    require(
        place.is_dir(),
        f"Cannot make a run directory at {str(place)!r}: it is a file. Choose another --run-dir.",
    )
    require(
        not (place / _IDENTITY).exists(),
        f"Run directory {str(place)!r} exists already. "
        f"Go on with it by `metarl resume {shlex.quote(str(place))}`, or choose another --run-dir.",
    )
    require(
        not any(place.iterdir()),
        f"Directory {str(place)!r} is not empty, and holds no run. "
        "Choose another --run-dir, a new or an empty one.",
    )


def _require_run(place: Path) -> None:
    """Raises unless there is something at `place` that says it is a run."""
    if not place.is_dir():
        what = "it is a file" if place.exists() else "there is no such directory"
        raise InvalidInput(
            f"{str(place)!r} is not a run: {what}.{_suggestion(place)} Give the directory of a run."
        )
    require(
        (place / _IDENTITY).is_file(),
        f"{str(place)!r} is not a run: it has no {_IDENTITY}. Give the directory of a run.",
    )


def _suggestion(place: Path) -> str:
    siblings = [identity.parent.name for identity in place.parent.glob(f"*/{_IDENTITY}")]
    nearest = nearest_name(place.name, siblings)
    return f" Did you mean {str(place.with_name(nearest))!r}?" if nearest else ""


def _write_whole_directory(place: Path, contents: Mapping[str, bytes]) -> None:
    """Writes files into a directory beside `place`, then renames it: it appears whole."""
    place = Path(os.path.realpath(place))  # a link to an empty directory stays a link
    partial = place.with_name(f".{place.name}-{uuid.uuid4().hex[:6]}.partial")
    try:
        partial.mkdir(parents=True)
        for name, content in contents.items():
            write_durably(partial / name, content)
        os.rename(partial, place)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if isinstance(error, OSError):
            _require_free(place)  # another process may have been here first
            why = f"Cannot make a run directory: {error.strerror}"
            raise OSError(error.errno, why, str(place)) from error
        raise
    sync_directory(place.parent)


def _locked(directory: Path) -> int:
    """Returns the lock file, locked; the system lets go of it when the process ends."""
    descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(descriptor)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
    except BaseException as error:
        owner = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            who = f"process {owner}" if owner.isdigit() else "another process"
            raise InvalidInput(
                f"Run directory {str(directory)!r} is in use by {who}. "
                "Wait until it ends, or stop it, then try again."
            ) from None
        raise
    return descriptor


def _lock(descriptor: int) -> None:
    """Locks a file, or raises BlockingIOError."""
    import fcntl

    for left in reversed(range(_LOCK_TRIES)):
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not left:
                raise
            time.sleep(_LOCK_PAUSE)
