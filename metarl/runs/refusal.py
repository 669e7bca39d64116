"""What is refused as it begins leaves nothing: the command, once it is right, can take the same directory."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from metarl.errors import InvalidInput

from .directory import RunDirectory
from .heartbeat import HEARTBEAT
from .tensorboard import FOLDER as TENSORBOARD

# What any session leaves in a run, whether it gets somewhere or not; checkpoints and the log are looked into.
_OF_A_SESSION = ("lock", "metrics.jsonl", "checkpoints", TENSORBOARD)


@contextlib.contextmanager
def leaving_nothing_if_refused(run: RunDirectory) -> Iterator[None]:
    """Removes a run that was made for this block, if it is refused before anything was computed.

    Checks see a user's own code from outside; some of its faults show when it is at work. A run with a checkpoint, a
    line in its log, an outcome or a file that it did not begin with (a journal, measurements) is kept, whatever
    happens.

    Args:
      run: new.
    """
    begun_with = _files(run.path)
    try:
        yield
    except InvalidInput:
        with contextlib.suppress(InvalidInput, OSError):  # what was wrong first is what is told
            _remove_if_untouched(run, begun_with)
        raise


def _remove_if_untouched(run: RunDirectory, begun_with: set[Path]) -> None:
    with run.lock(beat=False):
        computed = run.checkpoints.newest() is not None or run.outcome is not None
        if not (computed or run.metrics.rows() or _files(run.path) - begun_with):
            shutil.rmtree(run.path.resolve())


def _files(place: Path) -> set[Path]:
    """Returns the files of a run, without those that any session leaves."""
    found = {path.relative_to(place) for path in place.rglob("*") if not path.is_dir()}
    return {
        path for path in found if path.parts[0] not in _OF_A_SESSION and HEARTBEAT not in path.name
    }
