"""Sentences about the winner: with an interval and a verdict, or neither where the seeds are too few."""

from __future__ import annotations

import math

import pytest

from metarl.optimizer_search.reports.summary import _sentence
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
