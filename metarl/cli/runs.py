"""runs: what stands in a folder of runs, how two of them differ, and old checkpoints removed."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from metarl.errors import InvalidInput, require
from metarl.reading import CountOrNone
from metarl.reporting import counted

Action = Literal["list", "diff", "prune"]
_REFRESH_SECONDS = 1.0


@dataclass(frozen=True)
class Arguments:
    """Lists the runs in a folder, tells how two differ, or removes old checkpoints."""

    action: Annotated[Action, tyro.conf.Positional]
    """list: how the runs stand. diff: of two runs. prune: old checkpoints, after a question."""
    dirs: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="DIR ...")] = ()
    """Folders of runs, or runs; `runs` if not given. Two runs for diff."""
    watch: bool = False
    """With list: shown anew every second, until interrupted."""
    keep: CountOrNone = 1
    """With prune: how many of the newest intact checkpoints of a run stay; the best stays too."""
    yes: bool = False
    """With prune: do not ask."""
    json: bool = False
    """Print one JSON document on standard output, and nothing else there."""


def run(arguments: Arguments) -> dict[str, Any]:
    """Does what the action says and returns its document."""
    _check(arguments)
    if arguments.action == "list":
        with contextlib.suppress(KeyboardInterrupt):  # how watching ends
            while arguments.watch:
                _watch(_places(arguments))
        return {"runs": [status.to_json() for status in _statuses(_places(arguments))]}
    if arguments.action == "diff":
        from metarl.runs import RunDirectory, run_differences

        first, second = map(RunDirectory.open, arguments.dirs)
        return {"differences": run_differences(first, second)}
    return _prune(arguments)


def show(document: dict[str, Any]) -> None:
    """Prints the table of runs, the differences, or what was removed."""
    if "runs" in document:
        from metarl.reporting import print_table

        print_table(_run_table(document["runs"]))
        for row in document["runs"]:
            if row["problem"]:
                print(f"{row['path']}: {row['problem']}")
    elif "differences" in document:
        _show_differences(document["differences"])
    else:
        _show_pruned(document)


def _check(arguments: Arguments) -> None:
    """Raises unless the flags fit the action."""
    action = arguments.action
    require(action == "list" or not arguments.watch, "--watch goes with `metarl runs list`.")
    require(action == "prune" or not arguments.yes, "--yes goes with `metarl runs prune`.")
    require(
        not arguments.watch or (sys.stdout.isatty() and not arguments.json),
        "--watch needs a terminal; in a script, call `metarl runs list --json` again and again.",
    )
    require(
        action != "diff" or len(arguments.dirs) == 2,
        f"`metarl runs diff RUN OTHER` takes two runs, not {len(arguments.dirs)}.",
    )


def _places(arguments: Arguments, *, nested: bool = False) -> list[Path]:
    from metarl.runs import find_runs

    folders = arguments.dirs or (Path("runs"),)
    found = [run for folder in folders for run in find_runs(folder, nested=nested)]
    return list(dict.fromkeys(found))


# list ---------------------------------------------------------------------------------------------


def _statuses(places: Sequence[Path]) -> list[Any]:
    from metarl.runs import run_status

    return [run_status(place) for place in places]


def _watch(places: Sequence[Path]) -> None:
    """Shows the table, drawn anew in place, until it is interrupted."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from metarl.reporting import table_text

    console = Console()
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            rows = [status.to_json() for status in _statuses(places)]
            live.update(Text(table_text(_run_table(rows), console.width)), refresh=True)
            time.sleep(_REFRESH_SECONDS)


def _run_table(rows: Sequence[dict[str, Any]]) -> Any:
    from metarl.reporting import Column, Table

    columns = [
        Column("run"),
        Column("job"),
        Column("state"),
        Column("progress"),
        Column("best"),
        Column("rate", "a second", essential=False),
        Column("heartbeat", essential=False),
    ]
    return Table(counted(len(rows), "run"), columns, [_run_row(row) for row in rows])


def _run_row(row: dict[str, Any]) -> dict[str, Any]:
    age = row["heartbeat_age"]
    return {
        "run": row["path"],
        "job": row["job"],
        "state": row["state"],
        "progress": _progress(row),
        "best": row["best"],
        "rate": row["rate"],
        "heartbeat": None if age is None else f"{_duration(age)} ago",
    }


def _progress(row: dict[str, Any]) -> str | None:
    position, total = row["position"], row["total"]
    if position is None:
        return None
    from metarl.runs import position_text

    return position_text(position, total, row["unit"] or "")


def _duration(seconds: float) -> str:
    """Returns 75 as "1 min" and 7 as "7 s"."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"


# diff ---------------------------------------------------------------------------------------------


def _show_differences(found: dict[str, Any]) -> None:
    from metarl.reporting import Column, Table, print_table

    print(f"first: {found['runs'][0]}\nsecond: {found['runs'][1]}")
    titles = {"config": "settings", "ran_on": "ran on", "results": "results"}
    columns = [Column("name"), Column("first"), Column("second")]
    for name, title in titles.items():
        pairs = found[name]
        if not pairs:
            print(f"\nThe same {title}.")
            continue
        rows = [
            {"name": key, "first": _value(first), "second": _value(second)}
            for key, (first, second) in pairs.items()
        ]
        print()
        print_table(Table(title, columns, rows))
    print(f"\n{_log_line(found['log'])}")


def _value(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _log_line(log: dict[str, Any]) -> str:
    first, second = log["rows"]
    if log["differs_from"] is None:
        return f"The same {first:,} rows in both logs, but for the clock."
    return (
        f"The logs have {first:,} and {second:,} rows; {log['equal_rows']:,} are equal but for the "
        f"clock, and generation {log['differs_from']:,} is the first that is not."
    )


# prune --------------------------------------------------------------------------------------------


def _prune(arguments: Arguments) -> dict[str, Any]:
    from metarl.runs import prune, prune_plan

    plan = prune_plan(_places(arguments, nested=True), arguments.keep)
    document = {
        "removed": [str(path) for found in plan.runs for path in found.checkpoints],
        "bytes": plan.size,
        "left_alone": plan.left_alone,
    }
    if not plan.checkpoints:
        return document
    if not arguments.yes and not _agreed(plan):
        return {**document, "removed": [], "bytes": 0}
    prune(plan)
    return document


def _agreed(plan: Any) -> bool:
    """Asks the person at the terminal.

    Raises:
      InvalidInput: there is none.
    """
    count, runs = counted(plan.checkpoints, "old checkpoint"), counted(len(plan.runs), "run")
    what = f"{count} of {runs}, {plan.size:,} bytes"
    if not sys.stdin.isatty():
        raise InvalidInput(f"To remove {what}, without anybody to ask, give --yes.")
    print(f"Remove {what}? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().casefold() in ("y", "yes")


def _show_pruned(document: dict[str, Any]) -> None:
    for path, why in document["left_alone"].items():
        print(f"Left alone: {path} ({why})")
    count = counted(len(document["removed"]), "checkpoint")
    print(f"{count} removed, {document['bytes']:,} bytes.")
