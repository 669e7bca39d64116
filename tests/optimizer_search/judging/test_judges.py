"""Judges and records: names, steps, seeds, and the leaders of a search."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from metarl.optimizer_search.judging.judges import judges_of, rounds
from metarl.optimizer_search.searching.records import Records
from metarl.optimizer_search.training.seeding import replicate_seeds


def test_a_judge_is_a_problem_at_a_horizon_and_named_after_both(toy):
    other = dataclasses.replace(toy, name="other", steps=50)
    judges = judges_of([toy, other], None, (1.0, 0.25, 4.0))
    assert [judge.name for judge in judges] == [
        *("toy", "toy x0.25", "toy x4", "other", "other x0.25", "other x4"),
    ]
    assert [judge.steps for judge in judges] == [12, 3, 48, 50, 12, 200]
    assert all(judge.problem is toy for judge in judges[:3])


def test_steps_that_are_given_are_those_of_every_problem(toy):
    assert [judge.steps for judge in judges_of([toy], 20, (1, 2, 0.001))] == [20, 40, 1]


def test_one_horizon_leaves_names_and_seeds_as_they_were(toy):
    (judge,) = judges_of([toy])
    assert judge.name == "toy" and judge.steps == toy.steps
    assert judge.seeds(7, "search", 5) == replicate_seeds(7, "search", 5)


def test_two_horizons_of_a_problem_share_no_seed(toy):
    drawn = [judge.seeds(7, "choice", 9) for judge in judges_of([toy], None, (1, 2, 4))]
    assert [len(seeds) for seeds in drawn] == [9, 9, 9]
    assert len(set().union(*drawn)) == 27


def test_rounds_go_from_the_shortest_horizon_to_the_longest(toy):
    other = dataclasses.replace(toy, name="other")
    judges = judges_of([toy, other], None, (4.0, 1.0))
    assert [[judge.name for judge in group] for group in rounds(judges)] == [
        ["toy", "other"],
        ["toy x4", "other x4"],
    ]


def entry(reward, token=0) -> Any:
    return SimpleNamespace(
        reward=np.float32(reward),
        tokens=np.full(5, token, np.int32),
        learning_rates=np.full(2, 0.1, np.float32),
    )


def noted(*pairs) -> Records:
    records = Records()
    for token, (trained, reward) in enumerate(pairs):
        records.note(trained, entry(reward, token))
    return records


def test_a_record_is_kept_whenever_the_best_reward_rises():
    records = noted((10, 0.1), (20, 0.1), (30, 0.05), (40, 0.2))
    assert [int(row.trained) for row in records.spaced(9)] == [10, 40]
    assert [row.tokens[0] for row in records.spaced(9)] == [0, 3]


def test_spaced_records_are_those_that_led_at_log_spaced_moments():
    rows = [(10, 0.1), (20, 0.2), (30, 0.3), (90, 0.4), (110, 0.5), (1000, 0.6)]
    records = noted(*rows)
    marks = np.geomspace(10, 1000, 3)  # 10, 100, 1000
    led = [max(trained for trained, _ in rows if trained <= mark + 1e-6) for mark in marks]
    assert [int(row.trained) for row in records.spaced(3)] == led == [10, 90, 1000]
    assert [int(row.trained) for row in records.spaced(99)] == [trained for trained, _ in rows]
    assert Records().spaced(3) == []
    assert [int(row.trained) for row in noted((5, 0.1)).spaced(4)] == [5]


def test_before_the_first_generation_has_ended_nobody_leads():
    records = noted((10, 0.1), (40, 0.2))
    led = [records.at(trained) for trained in (9, 10, 39, 40, 1000)]
    assert led[0] is None
    assert [int(row.tokens[0]) for row in led[1:] if row is not None] == [0, 0, 1, 1]


def test_records_survive_a_checkpoint_and_old_checkpoints_have_none():
    records = noted((10, 0.1), (40, 0.2))
    again = Records.from_arrays(records.to_arrays())
    for ours, theirs in zip(again.spaced(9), records.spaced(9), strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)
    assert len(Records.from_arrays({})) == 0 and Records().to_arrays() == {}
    again.note(50, entry(0.15))
    assert len(again) == 2


@pytest.mark.parametrize("count", [2, 5])
def test_the_last_leader_is_always_among_the_spaced_ones(count):
    records = noted(*((3 * i + 7, 0.1 * i) for i in range(1, 12)))
    assert int(records.spaced(count)[-1].trained) == 40
