"""Differences: what two runs were asked for, what they ran on, and what came out of them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from metarl.errors import InvalidInput

from .directory import RunDirectory
from .durable import read_json_object
from .metric_log import GENERATION
from .nested import differing
from .results import RESULT
from .status import best_so_far

_RAN_ON = (
    "versions",
    "revision",
    "devices",
    "processor",
    "cores",
    "settings",
    "matmul_precision",
    "own_code",
)
_CLOCK = ("seconds",)


def run_differences(first: RunDirectory, second: RunDirectory) -> dict[str, Any]:
    """Returns where two runs differ.

    Returns:
      "config", "ran_on" and "results", each {name: [of the first, of the second]} with the names
      of nested settings joined by dots; and "log": the rows that both have, how many of them from
      the first on are equal but for the clock, and the rows of each.
    """
    return {
        "runs": [str(first.path), str(second.path)],
        "config": differing(first.config, second.config),
        "ran_on": differing(_ran_on(first), _ran_on(second)),
        "results": differing(_results(first), _results(second)),
        "log": _log(first, second),
    }


def _ran_on(run: RunDirectory) -> dict[str, Any]:
    return {name: run.provenance.get(name) for name in _RAN_ON}


def _results(run: RunDirectory) -> dict[str, Any]:
    """Returns how a run ended, its best, its last row, and the plain values of its result."""
    rows = run.metrics.rows()
    last = {f"last.{name}": value for name, value in (rows[-1] if rows else {}).items()}
    return {**(run.outcome or {}), "best": best_so_far(run), **last, **_result(run)}


def _result(run: RunDirectory) -> dict[str, Any]:
    try:
        found = read_json_object(run.path / RESULT)
    except (InvalidInput, OSError):
        return {}
    plain = {k: v for k, v in found.items() if not isinstance(v, (dict, list)) and k != "run_dir"}
    best = found.get("best")
    if isinstance(best, list) and best and isinstance(best[0], dict):
        plain |= {f"winner.{name}": value for name, value in best[0].items()}
    return plain


def _log(first: RunDirectory, second: RunDirectory) -> dict[str, Any]:
    ours, theirs = first.metrics.rows(), second.metrics.rows()
    pairs = zip_longest(map(_without_clock, ours), map(_without_clock, theirs))
    equal = next((n for n, (a, b) in enumerate(pairs) if a != b), len(ours))
    first_differing = None
    if equal < max(len(ours), len(theirs)):
        first_differing = (ours[equal:] or theirs[equal:])[0][GENERATION]
    return {"rows": [len(ours), len(theirs)], "equal_rows": equal, "differs_from": first_differing}


def _without_clock(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _CLOCK}
