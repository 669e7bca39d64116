"""rederived: the statistics of a stored comparison, taken anew from its losses.

A document keeps the final loss of every run, so what is said of them need not be what an earlier metarl said:
intervals, ratios, verdicts and scores are computed again when a page is made of it. Of what hangs on more than final
losses (metrics, steps to the target, speed-ups) the intervals stay, or open where there are too few seeds for one.

Letters: S seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from metarl.statistics import (
    bootstrap_interval,
    fewest_runs,
    infinities_to_json,
    interval_to_json,
    number_from_json,
)

from .entrants import BASELINE
from .problem_results import Versus, have_ratios, versus
from .scores import relative_loss_of
from .tuning_noise import Finals, certain

_KEPT = ("metric", "steps_to_target", "speed_up")
_VERDICTS = {"wins": "better", "losses": "worse", "unclear": "unclear"}


def rederived_details(details: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the problems of `Comparison.to_document`, whoever wrote it, with statistics of today."""
    return {name: _problem(problem) for name, problem in details.items()}


def rederived(document: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the document of a comparison, whoever wrote it, with statistics of today."""
    details = rederived_details(document["details"])
    scores = {label: _score(label, one, details) for label, one in document["scores"].items()}
    ranked = sorted(scores.items(), key=lambda item: float(item[1]["relative_loss"]["iqm"]))
    return {**document, "details": details, "scores": dict(ranked)}


def versus_others(
    problem: Mapping[str, Any], label: str, others: Sequence[str]
) -> dict[str, Versus]:
    """Returns how the losses of one optimizer of a stored problem stand to those of others, by their labels."""
    finals = {name: _finals(entry) for name, entry in problem["entries"].items()}
    ratios = have_ratios(one.end for one in finals.values())
    return {other: versus(finals[label], finals[other], ratios) for other in others}


def _problem(problem: Mapping[str, Any]) -> dict[str, Any]:
    finals = {label: _finals(entry) for label, entry in problem["entries"].items()}
    ratios = have_ratios(one.end for one in finals.values())
    entries = {}
    for label, entry in problem["entries"].items():
        against = versus(finals[label], finals[BASELINE], ratios)
        derived = {
            "final_loss": interval_to_json(bootstrap_interval(finals[label].end)),
            "difference_to_adam": interval_to_json(against.difference),
            "relative_loss": interval_to_json(against.ratio),
            "verdict": against.verdict,
        }
        kept = {name: _opened(entry.get(name), len(finals[label].end)) for name in _KEPT}
        entries[label] = {**entry, **kept, **infinities_to_json(derived)}
    return {**problem, "entries": entries}


def _score(label: str, score: Mapping[str, Any], details: Mapping[str, Any]) -> dict[str, Any]:
    entries = {name: problem["entries"] for name, problem in details.items()}
    pairs = [
        (_finals(found[label]), _finals(found[BASELINE]))
        for found in entries.values()
        if found[label]["relative_loss"] is not None
    ]
    seeds = min(len(_finals(found[label]).end) for found in entries.values())
    return {
        **score,
        "relative_loss": infinities_to_json(interval_to_json(relative_loss_of(pairs))),
        "problems_redrawn": infinities_to_json(interval_to_json(relative_loss_of(pairs, True))),
        "speed_up": _opened(score["speed_up"], seeds),
        **{
            kind: [name for name, found in entries.items() if found[label]["verdict"] == verdict]
            for kind, verdict in _VERDICTS.items()
        },
    }


def _finals(entry: Mapping[str, Any]) -> Finals:
    """Returns the final losses of an entry; those of protocol 4 and before are at one setting."""
    choices = entry.get("choices")
    if not choices:
        return certain(_numbers(entry["final_losses"]))
    losses, tuning = (
        np.array([_numbers(one[name]) for one in choices])
        for name in ("final_losses", "tuning_losses")
    )
    return Finals(losses, tuning, bool(entry.get("other_seeds", False)))


def _numbers(values: Sequence[Any]) -> np.ndarray:
    """Returns losses; infinities are texts, or null where JSON lost one."""
    return np.array([number_from_json(x) for x in values])


def _opened(interval: dict[str, Any] | None, seeds: int) -> dict[str, Any] | None:
    """Returns an interval, without bounds where there are too few seeds for one."""
    if interval is None or seeds >= fewest_runs():
        return interval
    return {**interval, "low": "-inf", "high": "inf"}
