"""The result of a run, `result.json`: its presence says that the run is complete.

It is written last, whole or not at all; what a disk or a person has done to it since is told in one sentence, with the
command that writes it again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from metarl.errors import InvalidInput, reason, require

from .directory import RunDirectory
from .durable import read_json_object
from .resuming import resume_command

RESULT = "result.json"


def stored_result(run: RunDirectory, *names: str) -> dict[str, Any] | None:
    """Returns the document of a complete run, None if there is none yet.

    Args:
      run: that may be complete.
      names: of members that the document of its job has.

    Raises:
      InvalidInput: it is damaged.
    """
    path = run.path / RESULT
    if not path.exists():
        return None
    with telling_of_damage(run):
        document = read_json_object(path)
        missing = [name for name in names if name not in document]
        require(not missing, f"it has no {', '.join(map(repr, missing))}")
        if "run_dir" in document:  # the run may have been moved since
            document["run_dir"] = str(run.path)
        return document


@contextlib.contextmanager
def telling_of_damage(run: RunDirectory) -> Iterator[None]:
    """Tells of whatever a block cannot make of the stored result of a run as its damage.

    Raises:
      InvalidInput: in place of the errors of what is not shaped as metarl wrote it.
    """
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, FileNotFoundError) as error:
        raise InvalidInput(
            f"The result of run {str(run.path)!r} is damaged ({reason(error)}). Remove its {RESULT} and write it "
            f"again by `{resume_command(run)}`."
        ) from error


def no_result_yet(run: RunDirectory) -> InvalidInput:
    """Returns the error for a run that has to be complete and is not."""
    return InvalidInput(
        f"Run {str(run.path)!r} has no result yet; finish it by `{resume_command(run)}`."
    )
