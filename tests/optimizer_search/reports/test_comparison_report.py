"""The page of a comparison, where there is little to show."""

from __future__ import annotations

import pytest

from metarl.optimizer_search.reports.comparison_report import score_charts
from metarl.optimizer_search.reports.score_tables import comparison_sentences
from metarl.statistics import Interval, interval_to_json

ONE, UNCLEAR = Interval(1.0, 1.0, 1.0), Interval(1.01, 0.95, 1.07)
FASTER, LOWER = Interval(1.104, 1.062, 1.174), Interval(0.88, 0.84, 0.95)


def score(loss, speed):
    speed_up = interval_to_json(speed, "geometric_mean")
    counts = {name: [] for name in ("wins", "losses", "unclear")}
    return {"relative_loss": interval_to_json(loss), "speed_up": speed_up, **counts}


@pytest.mark.parametrize(
    ("shifted", "again", "said"),
    [
        ((UNCLEAR, UNCLEAR), (UNCLEAR, None), []),
        (
            (UNCLEAR, FASTER),
            (UNCLEAR, UNCLEAR),
            [
                "adam-shifted, which is Adam, reads a speed-up of 1.10 [1.06, 1.17] to Adam's 1: read differences of "
                "this size as noise of tuning. Intervals of speed-ups do not hold that noise."
            ],
        ),
        (
            (UNCLEAR, FASTER),
            (LOWER, None),
            [
                "adam-shifted, which is Adam, reads a speed-up of 1.10 [1.06, 1.17] to Adam's 1; adam-again, which is "
                "Adam, reads a loss of 0.88 [0.84, 0.95] to Adam's 1: read differences of this size as noise of "
                "tuning. Intervals of speed-ups do not hold that noise."
            ],
        ),
        (
            (LOWER, None),
            (UNCLEAR, None),
            [
                "adam-shifted, which is Adam, reads a loss of 0.88 [0.84, 0.95] to Adam's 1: read differences of this "
                "size as noise of tuning."
            ],
        ),
    ],
)
def test_adam_that_reads_as_somebody_else_says_how_large_the_noise_is(shifted, again, said):
    scores = {
        "adam": score(ONE, ONE),
        "muon": score(LOWER, FASTER),
        "adam-shifted": score(*shifted),
        "adam-again": score(*again),
    }
    document = {"problems": {"digits-mlp": {"muon": {}}}, "scores": scores}
    sentences = comparison_sentences({**document, "protocol": {"version": 6}})
    assert sentences[0].startswith("muon: over 0 problems better than Adam")
    assert sentences[1:] == said
    today = comparison_sentences({**document, "protocol": {"version": 7}})[1:]
    assert today == [
        text.replace(" Intervals of speed-ups do not hold that noise.", "") for text in said
    ]


def test_who_stands_alone_is_beside_nobody():
    """`metarl compare adam --references adam` ended in an error, and so did its resume."""
    alone = {"adam": {"relative_loss": {"estimate": 1.0, "low": 1.0, "high": 1.0}}}
    assert score_charts({"scores": alone, "details": {"beale": {}}}) == []
