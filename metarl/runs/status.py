"""How the runs in a folder stand, from their files alone; nothing in them is touched.

running       a process is at work
stalled       its heartbeat is old, or its generation takes much longer than any before
finished      everything that was asked for is there
interrupted   its process left it in order; it can be resumed
dead          its process is gone without having said so; it can be resumed
unreadable    the directory is damaged, or of another version
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from metarl.errors import InvalidInput, require

from .directory import RunDirectory, is_in_use
from .heartbeat import Beat, read_heartbeat
from .results import RESULT
from .resuming import REPRODUCTION

RunState = Literal["running", "stalled", "finished", "interrupted", "dead", "unreadable"]

# What a job logs that says how good the best is so far; higher is better.
_BEST = {"search": "best_reward", "table-search": "best_reward", "train": "validation_return"}
# Jobs that are complete only with this file.
_WITH_RESULT = ("search", "table-search", "table", "enumerate", "compare", "evaluate")


class RunStatus(NamedTuple):
    """How one run stands."""

    path: Path
    job: str | None
    state: RunState
    position: int | None = None
    total: int | None = None
    unit: str | None = None
    best: float | None = None  # in the unit of the job's own measure
    rate: float | None = None  # positions a second
    heartbeat_age: float | None = None  # seconds
    problem: str = ""  # why it cannot be read

    def to_json(self) -> dict[str, Any]:
        """Returns the row as JSON can hold it."""
        return {**self._asdict(), "path": str(self.path)}


def find_runs(place: Path, *, nested: bool = False) -> list[Path]:
    """Returns the run in a directory, or the runs in a folder, by name.

    Args:
      place: a run directory, or a folder with some in it.
      nested: whether to return the runs inside runs too.

    Raises:
      InvalidInput: there is no such folder.
    """
    require(
        place.is_dir(), f"There is no folder {str(place)!r} here. Give a run, or a folder of runs."
    )
    tops = [place] if (place / "run.json").is_file() else list(_inside(place))
    inner = [run for top in tops for run in _inside(top)] if nested else []
    return sorted([*tops, *inner])


def run_status(place: Path) -> RunStatus:
    """Returns how a run stands; what cannot be read is a state like others."""
    try:
        run = RunDirectory.open(place)
        beat, outcome = read_heartbeat(place), run.outcome or {}
        ended_at = _ended_at(run, outcome) if outcome else {}
        best = best_so_far(run)
    except (InvalidInput, OSError) as error:  # one damaged run must not hide the others
        return RunStatus(place, None, "unreadable", problem=str(error))
    status = RunStatus(place, run.job, _state(run, beat, outcome), best=best)
    if beat is not None:
        found = {name: getattr(beat, name) for name in ("position", "total", "unit", "rate")}
        status = status._replace(**found, heartbeat_age=beat.age)
    return status._replace(**ended_at)


def _ended_at(run: RunDirectory, outcome: dict[str, Any]) -> dict[str, Any]:
    """Returns where the last session ended, of how much, and how fast it went."""
    position, total, seconds = (outcome.get(name) for name in ("position", "total", "seconds"))
    for name, number in (("position", position), ("total", total or 0), ("seconds", seconds)):
        if not isinstance(number, int | float):
            raise run.damaged_outcome(f"{name} {number!r:.50}")
    return {"position": position, "total": total, "rate": position / seconds if seconds else None}


def best_so_far(run: RunDirectory) -> float | None:
    """Returns the highest of what the job logs as its measure; None if there is none."""
    name = _BEST.get(run.job)
    values = [row.get(name) for row in run.metrics.rows()] if name else []
    numbers = [v for v in values if isinstance(v, (int, float)) and math.isfinite(v)]
    return max(numbers, default=None)


def _state(run: RunDirectory, beat: Beat | None, outcome: dict[str, Any]) -> RunState:
    if is_in_use(run.path):
        return "stalled" if beat is not None and (beat.is_old or beat.is_stuck) else "running"
    if _is_complete(run, outcome):
        return "finished"
    left_in_order = beat is not None and beat.ended
    return "interrupted" if left_in_order or outcome.get("outcome") == "interrupted" else "dead"


def _is_complete(run: RunDirectory, outcome: dict[str, Any]) -> bool:
    if run.job == REPRODUCTION:
        name = next(iter(run.config.values()), None)
        return isinstance(name, str) and (run.path / f"{name}.json").is_file()
    if run.job in _WITH_RESULT:
        return (run.path / RESULT).is_file()
    return outcome.get("outcome") == "finished"


def _inside(place: Path) -> Iterator[Path]:
    """Yields the runs directly inside a folder."""
    for identity in place.glob("*/run.json"):
        if not identity.parent.name.startswith("."):  # one that was never made whole
            yield identity.parent
