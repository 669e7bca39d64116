"""What a search spends its time on: the strategy's share is told, and the first generation is not counted."""

from __future__ import annotations

import time

import pytest

from metarl.optimizer_search.searching.time_spent import TimeSpent, time_text


def spend(spent, strategy, training, rest):
    with spent.generation():
        with spent.part("strategy"):
            time.sleep(strategy)
        with spent.part("training"):
            time.sleep(training)
        time.sleep(rest)


def test_the_first_generation_which_compiles_is_left_out():
    spent = TimeSpent()
    spend(spent, 0.2, 0.0, 0.0)
    assert spent.to_json() == {}
    spend(spent, 0.02, 0.06, 0.02)
    spend(spent, 0.02, 0.06, 0.02)
    found = spent.to_json()
    assert 0.02 <= found["strategy_seconds_a_generation"] < 0.1
    assert found["share_outside_training"] == pytest.approx(0.4, abs=0.2)


def test_what_it_cost_is_said_in_words():
    text = time_text({"strategy_seconds_a_generation": 0.0312, "share_outside_training": 0.047})
    assert text == (
        "beside training the strategy took 0.031 s a generation; 4.7% of the search was not training"
    )
