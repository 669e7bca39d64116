"""summary: what the winner is worth, in sentences made of its numbers."""

from __future__ import annotations

import math
from typing import Any

from metarl.reporting import counted
from metarl.statistics import Interval, fewest_runs, interval_from_json

from ..comparing.entrants import BASELINE, RANDOM_PREFIX
from ..comparing.problem_results import Versus
from ..comparing.rederived import versus_others
from .result import SearchResult


def verdicts(result: SearchResult) -> list[str]:
    """Returns one sentence a problem about rank 1 against tuned Adam, the searched problems first.

    A sentence says "better" or "worse" only where the 95 % interval of the relative loss excludes 1. Where rank 1 is
    Adam found again, it says that.
    """
    if result.winner is None:
        return []
    if result.winner.rule == BASELINE:
        return [_found_again(name, compared) for name, compared in result.comparison.items()]
    return [
        _sentence(name, compared["entries"][result.winner.rule], compared)
        for name, compared in result.comparison.items()
    ]


def against_others(result: SearchResult) -> list[str]:
    """Returns a sentence on rank 1 against each standard optimizer but Adam, on the first problem that was searched.

    None where nothing was found or nobody else took part; without verdicts where the seeds are too few for intervals.
    """
    if result.winner is None or not result.comparison:
        return []
    name, compared = next(iter(result.comparison.items()))
    entries = compared["entries"]
    others = [label for label in result.finalists["references"].get(name, {}) if label in entries]
    others = [x for x in others if x != BASELINE and not x.startswith(RANDOM_PREFIX)]
    found = versus_others(compared, result.winner.rule, others)
    if not found:
        return []
    ranked = sorted(others, key=lambda label: float(entries[label]["final_loss"]["iqm"]))
    return [f"{name}, loss over that of others: {'; '.join(_over(x, found[x]) for x in ranked)}."]


def _over(label: str, found: Versus) -> str:
    said = "" if found.verdict == "unclear" else f" {found.verdict}"
    if found.ratio is None:
        return f"{label} {_number(found.difference, '+.3g')} (difference){said}"
    return f"{label} {_number(found.ratio, '.2f')}{said}"


def _sentence(name: str, entry: dict[str, Any], compared: dict[str, Any]) -> str:
    ratio, difference = (
        interval_from_json(entry[x]) for x in ("relative_loss", "difference_to_adam")
    )
    loss = interval_from_json(entry["final_loss"])
    adam = interval_from_json(compared["entries"]["adam"]["final_loss"])
    assert difference is not None and loss is not None and adam is not None
    said = "no clear difference to" if entry["verdict"] == "unclear" else f"{entry['verdict']} than"
    over = f"over {counted(compared['report_seeds'], 'fresh seed')}"
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


def _found_again(name: str, compared: dict[str, Any]) -> str:
    loss = interval_from_json(compared["entries"][BASELINE]["final_loss"])
    assert loss is not None
    return (
        f"{name}: this is tuned Adam itself, found again; test loss {loss.estimate:.4g} over "
        f"{counted(compared['report_seeds'], 'fresh seed')}."
    )


def _number(interval: Interval, form: str) -> str:
    """Returns an estimate with its bounds, or alone where there are none."""
    if not math.isfinite(interval.high):
        return f"{interval.estimate:{form}}"
    return f"{interval.estimate:{form}} [{interval.low:{form}}, {interval.high:{form}}]"
