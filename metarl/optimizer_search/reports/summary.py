"""summary: what the winner is worth, in sentences made of its numbers."""

from __future__ import annotations

import math
from typing import Any

from metarl.statistics import Interval, fewest_runs, interval_from_json

from .result import SearchResult


def verdicts(result: SearchResult) -> list[str]:
    """Returns one sentence a problem about rank 1 against tuned Adam, the searched problems first.

    A sentence says "better" or "worse" only where the 95 % interval of the relative loss excludes 1.
    """
    if result.winner is None:
        return []
    return [
        _sentence(name, compared["entries"][result.winner.rule], compared)
        for name, compared in result.comparison.items()
    ]


def _sentence(name: str, entry: dict[str, Any], compared: dict[str, Any]) -> str:
    ratio, difference = (
        interval_from_json(entry[x]) for x in ("relative_loss", "difference_to_adam")
    )
    loss = interval_from_json(entry["final_loss"])
    adam = interval_from_json(compared["entries"]["adam"]["final_loss"])
    assert difference is not None and loss is not None and adam is not None
    said = "no clear difference to" if entry["verdict"] == "unclear" else f"{entry['verdict']} than"
    over = f"over {compared['report_seeds']} fresh seeds"
    if compared["report_seeds"] < fewest_runs():
        said, over = (
            "no verdict beside",
            f"{over}, too few for an interval (at least {fewest_runs()})",
        )
    stands = (
        f"difference {_number(difference, '+.4f')}"
        if ratio is None
        else f"{_number(ratio, '.3f')} times as high"
    )
    return f"{name}: {said} tuned Adam; test loss {loss.estimate:.4g} to Adam's {adam.estimate:.4g}, {stands} {over}."


def _number(interval: Interval, form: str) -> str:
    """Returns an estimate with its bounds, or alone where there are none."""
    if not math.isfinite(interval.high):
        return f"{interval.estimate:{form}}"
    return f"{interval.estimate:{form}} [{interval.low:{form}}, {interval.high:{form}}]"
