"""How to go on with a run: the command, and who says it when a signal has ended the work."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator

from .directory import RunDirectory
from .experiments import REPRODUCTION
from .interruption import Interrupted
from .progress import Progress


def resume_command(run: RunDirectory) -> str:
    """Returns what to type to go on with a run; a reproduction is gone on with by its own command."""
    if run.job == REPRODUCTION:
        return shlex.join(run.provenance["command"]) or "the call that began it"
    return f"metarl resume {shlex.quote(str(run.path))}"


@contextlib.contextmanager
def saying_how_to_resume(run: RunDirectory, progress: Progress, more: str = "") -> Iterator[None]:
    """Says, when a signal ends the block, how to go on with a run, if that has not been said.

    Args:
      run: that a person resumes.
      progress: where to say it.
      more: flags behind the command.

    Raises:
      Interrupted: in place of KeyboardInterrupt.
    """
    try:
        yield
    except Interrupted:
        raise
    except KeyboardInterrupt as signalled:
        progress.message(f"Interrupted. Go on with: {resume_command(run)}{more}")
        raise Interrupted from signalled
