"""Sentences about the winner: with an interval and a verdict, or neither where the seeds are too few."""

from __future__ import annotations

import math

import numpy as np
import pytest

from metarl.optimizer_search.reports.result import SearchResult
from metarl.optimizer_search.reports.summary import _sentence, against_others
from metarl.optimizer_search.selecting.choice import Choice
from metarl.statistics import Interval, fewest_runs, interval_to_json


def sentence(seeds: int, ratio: Interval, verdict: str) -> str:
    loss = interval_to_json(Interval(0.25, 0.2, 0.3))
    entry = {
        "relative_loss": interval_to_json(ratio),
        "difference_to_adam": interval_to_json(Interval(-0.01, -0.02, 0.0)),
        "final_loss": loss,
        "verdict": verdict,
    }
    compared = {"report_seeds": seeds, "entries": {"adam": {"final_loss": loss}}}
    return _sentence("digits", entry, compared)


@pytest.mark.parametrize(("verdict", "said"), [("better", "better than"), ("unclear", "no clear")])
def test_a_verdict_stands_beside_its_interval(verdict, said):
    text = sentence(12, Interval(0.9, 0.8, 0.95), verdict)
    assert text.startswith(f"digits: {said}")
    assert text.endswith("0.900 [0.800, 0.950] times as high over 12 fresh seeds.")


def test_few_seeds_have_neither_a_verdict_nor_bounds():
    text = sentence(fewest_runs() - 1, Interval(0.9, 0.0, math.inf), "unclear")
    assert text.startswith("digits: no verdict beside tuned Adam")
    assert text.endswith(
        "0.900 times as high over 7 fresh seeds, too few for an interval (at least 8)."
    )


def test_the_winner_is_held_against_each_standard_optimizer_the_best_first():
    noise = np.random.default_rng(0).uniform(0.99, 1.01, 60)
    losses = {"found": 1.0, "adam": 1.5, "nadam": 1.2, "lion": 2.0, "addsign": 0.8, "sgd": 1.0}
    entries = {
        label: {
            "final_losses": (loss * np.roll(noise, place)).tolist(),
            "final_loss": interval_to_json(Interval(loss, loss, loss)),
        }
        for place, (label, loss) in enumerate(losses.items())
    }
    entries["random search: g"] = entries["nadam"]
    others = {label: {} for label in entries if label != "found"}
    result = SearchResult(
        *("somewhere", 9, 9, 0, 0, 0, 1.0),
        best=[Choice("found", 0.1, 0.1, 0.01)],
        random_best=None,
        finalists={"problems": {}, "references": {"digits": others}},
        comparison={"digits": {"entries": entries}, "wine": {"entries": {}}},
    )
    (line,) = against_others(result)
    start, *told = line.rstrip(".").split("; ")
    assert start.startswith("digits, loss over that of others: addsign 1.25 [1.2")
    assert start.endswith("worse")
    assert [text.split(" [")[0] for text in told] == ["sgd 1.00", "nadam 0.83", "lion 0.50"]
    assert [text.split("]")[1] for text in told] == ["", " better", " better"]
