"""summary: what the winner is worth, in sentences made of its numbers."""

from __future__ import annotations

from typing import Any

from metarl.statistics import interval_from_json

from .result import SearchResult


def verdicts(result: SearchResult) -> list[str]:
    """Returns one sentence a problem about rank 1 against tuned Adam, the searched problems first.

    A sentence says "better" or "worse" only where the 95 % interval of the paired difference excludes zero.
    """
    if result.winner is None:
        return []
    return [
        _sentence(name, compared["entries"][result.winner.rule], compared)
        for name, compared in result.comparison.items()
    ]


def _sentence(name: str, entry: dict[str, Any], compared: dict[str, Any]) -> str:
    difference = interval_from_json(entry["difference_to_adam"], "mean")
    loss = interval_from_json(entry["final_loss"])
    adam = interval_from_json(compared["entries"]["adam"]["final_loss"])
    assert difference is not None and loss is not None and adam is not None
    if not difference.excludes(0.0):
        verdict = "no clear difference to tuned Adam"
    else:
        verdict = "better than tuned Adam" if difference.high < 0 else "worse than tuned Adam"
    return (
        f"{name}: {verdict}; test loss {loss.estimate:.4g} to Adam's {adam.estimate:.4g}, difference "
        f"{difference.estimate:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}] over "
        f"{compared['report_seeds']} fresh seeds."
    )
