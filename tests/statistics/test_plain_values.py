"""What goes into JSON comes out again, infinities too."""

from __future__ import annotations

import json
import math

import pytest

from metarl.statistics import (
    Interval,
    infinities_to_json,
    interval_from_json,
    interval_to_json,
    number_from_json,
)


@pytest.mark.parametrize("interval", [None, Interval(1.5, -math.inf, math.inf), Interval(0, 0, 0)])
@pytest.mark.parametrize("estimate", ["iqm", "mean"])
def test_an_interval_comes_back_from_strict_json(interval, estimate):
    text = json.dumps(infinities_to_json(interval_to_json(interval, estimate)), allow_nan=False)
    assert interval_from_json(json.loads(text), estimate) == interval


def test_an_estimate_of_another_kind_is_not_read():
    with pytest.raises(KeyError, match="mean"):
        interval_from_json(interval_to_json(Interval(1.0, 0.0, 2.0)), "mean")


def test_only_infinities_are_changed_however_deep_they_lie():
    document = {"a": [1, math.inf, {"b": -math.inf}], "c": "inf", "d": None, "e": True}
    assert infinities_to_json(document) == {**document, "a": [1, "inf", {"b": "-inf"}]}


def test_a_number_that_json_lost_is_a_diverged_loss():
    assert [number_from_json(x) for x in (0.5, "inf", "-inf", None)] == [
        0.5, math.inf, -math.inf, math.inf,
    ]  # fmt: skip
