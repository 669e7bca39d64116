"""How to go on with a run: the command, who says it when a signal has ended the work, and what has changed since."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from metarl.errors import InvalidInput

from .directory import ROOT, RunDirectory
from .interruption import INTERRUPTED, Interrupted, leaving_with
from .progress import Progress
from .provenance import changed_bits, changed_code, collect_provenance

REPRODUCTION = "reproduce"  # the job of an experiment's run
_RUN_DIR = ("--run-dir", "--run_dir")


def resume_command(run: RunDirectory) -> str:
    """Returns what to type to go on with a run where it lies now; a reproduction is gone on with by its own command."""
    if run.job == REPRODUCTION:
        return shlex.join(_command_here(run)) or "the call that began it"
    return f"metarl resume {shlex.quote(str(run.path))}"


def _command_here(run: RunDirectory) -> list[str]:
    """Returns the command that began a reproduction, with its present directory where it has been moved since."""
    words: list[str] = run.provenance["command"]
    if words[:2] != ["metarl", "reproduce"]:  # a program of somebody's own
        return words
    others, place = [], None
    rest = iter(words)
    for word in rest:
        flag, equals, value = word.partition("=")
        if flag in _RUN_DIR:
            place = value if equals else next(rest, None)
        else:
            others.append(word)
    begun_in = ROOT / run.name if place is None else Path(place).expanduser()
    if begun_in == run.path:
        return words
    experiment = str(next(iter(run.config.values()), ""))  # the command may have begun all of them
    return [experiment if word == "all" else word for word in others] + [_RUN_DIR[0], str(run.path)]


def owner_of(run: RunDirectory) -> RunDirectory | None:
    """Returns the reproduction in whose directory a run lies; None if it lies in none."""
    for place in run.path.absolute().parents:
        if (place / "run.json").is_file():
            with contextlib.suppress(InvalidInput):
                owner = RunDirectory.open(_as_given(place, run.path))
                if owner.job == REPRODUCTION:
                    return owner
    return None


def _as_given(place: Path, path: Path) -> Path:
    """Returns a directory around a path in the words of that path, if they name it."""
    return next((given for given in path.parents if given.absolute() == place), place)


def stands_for(owner: RunDirectory, stored: str, now: str) -> bool:
    """Tells whether a path that was stored is of what `now` is of, in a run which may have been moved since.

    Args:
      owner: the run, in its present place.
      stored: a path of before.
      now: a path; if it lies in the run, one of before that ends in the same place is as good.
    """
    if stored == now or not Path(now).is_relative_to(owner.path):
        return stored == now
    within = Path(now).relative_to(owner.path).parts
    return len(within) > 0 and Path(stored).parts[-len(within) :] == within


def tell_what_changed(run: RunDirectory, say: Callable[[str], None]) -> None:
    """Says what the numbers of a run may depend on and is not as it was when the run began.

    Args:
      run: that is gone on with; the user's own code that it needs has been imported.
      say: called with a line; not at all where everything is as it was.
    """
    now = collect_provenance(sys.argv)
    for told in (changed_bits(run.provenance, now), changed_code(run.provenance, now)):
        if told is not None:
            say(told)


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
    said = f"Interrupted. Go on with: {resume_command(run)}{more}"
    try:
        with leaving_with(f"{said}\n{INTERRUPTED}"):
            yield
    except Interrupted:
        raise
    except KeyboardInterrupt as signalled:
        progress.message(said)
        raise Interrupted from signalled
