"""What is refused as it begins leaves nothing: the command, once it is right, can take the same directory."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator

from metarl.errors import InvalidInput

from .directory import RunDirectory


@contextlib.contextmanager
def leaving_nothing_if_refused(run: RunDirectory) -> Iterator[None]:
    """Removes a run that was made for this block, if it is refused before anything was computed.

    Checks see a user's own code from outside; some of its faults show when it is at work. A run with a checkpoint, a
    line in its log or an outcome is kept, whatever happens.

    Args:
      run: new.
    """
    try:
        yield
    except InvalidInput:
        with contextlib.suppress(InvalidInput, OSError):  # what was wrong first is what is told
            _remove_if_untouched(run)
        raise


def _remove_if_untouched(run: RunDirectory) -> None:
    with run.lock(beat=False):
        if run.checkpoints.newest() is None and run.outcome is None and not run.metrics.rows():
            shutil.rmtree(run.path.resolve())
