"""A whole training and a whole reproduction by their smoke settings, in processes of their own."""

from __future__ import annotations

import pytest

from metarl.errors import InvalidInput
from metarl.runs import experiment_folder

pytestmark = pytest.mark.extras


@pytest.mark.parametrize(
    "words",
    [
        ["--arms", "5"],
        ["--arms", "5", "--warm-start", "gittins"],
        ["--environment", "mdp", "--algorithm", "trpo"],
        ["--environment", "gridworld", "--algorithm", "reinforce", "--episodes", "2"],
        ["--environment", "pendulum", "--horizon", "20", "--episodes", "2"],
    ],
)
def test_every_family_and_algorithm_trains_and_is_evaluated(words, terminal):
    found = terminal.document("train", "--preset", "smoke", *words)
    evaluation = found["evaluation"]
    (own,) = [
        text for text in evaluation["agents"] if "greedy_actions" in evaluation["agents"][text]
    ]
    assert own == found["run_dir"]
    assert (own in evaluation["warm_started"]) == ("--warm-start" in words)
    page = terminal.document("report", own)["report"]
    assert (terminal.place / page).is_file()


def test_an_interrupted_training_ends_cleanly_and_its_resumption_equals_the_whole(terminal):
    words = ["train", "--preset", "smoke", "--env-steps", "800000"]
    whole = terminal.document(*words, "--run-dir", "whole")
    terminal.interrupt(*words, run_dir="cut")
    resumed = terminal.document("resume", "cut")
    ours, theirs = resumed["evaluation"]["agents"], whole["evaluation"]["agents"]
    assert list(ours.values()) == list(theirs.values())


def logged(place):
    """The log of every training under a place, and when it was last written."""
    return {path: path.stat().st_mtime_ns for path in place.rglob("metrics.jsonl")}


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("rl2-table-1", "10x5"),
        ("rl2-figure-2", "10x5"),
        ("rl2-table-2", "10"),
        ("rl2-figure-3", "10"),
    ],
)
def test_a_reproduction_runs_to_its_end_and_a_second_time_from_what_is_kept(name, cell, terminal):
    try:
        experiment_folder("rl2_table_1")
    except InvalidInput:
        pytest.skip("needs a checkout")
    words = ["reproduce", name, "--cells", cell, "--scale", "smoke"]
    first = terminal.document(*words)
    assert {"Random", "RL²"} <= set(first["cells"][cell])
    assert all((terminal.place / path).is_file() for path in first["files"])
    logs = logged(terminal.place)
    second = terminal.document(*words)
    assert second["cells"][cell]["RL²"] == first["cells"][cell]["RL²"]
    assert logged(terminal.place) == logs != {}
