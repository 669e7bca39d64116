"""A whole training and a whole reproduction by their smoke settings, in processes of their own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

from metarl.errors import InvalidInput
from metarl.rl_squared import reproduction

pytestmark = pytest.mark.extras


def metarl(*words: str, place) -> subprocess.CompletedProcess:
    """Runs a command and returns what it printed."""
    command = [sys.executable, "-m", "metarl", *words]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=900)


def document(*words: str, place) -> dict:
    """Returns the one document of a command that must succeed."""
    done = metarl(*words, "--json", place=place)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("smoke")


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
def test_every_family_and_algorithm_trains_and_is_evaluated(words, place):
    found = document("train", "--preset", "smoke", *words, place=place)
    evaluation = found["evaluation"]
    (own,) = [
        text for text in evaluation["agents"] if "greedy_actions" in evaluation["agents"][text]
    ]
    assert own == found["run_dir"]
    assert (own in evaluation["warm_started"]) == ("--warm-start" in words)
    page = document("report", own, place=place)["report"]
    assert (place / page).is_file()


def test_an_interrupted_training_ends_cleanly_and_its_resumption_equals_the_whole(place):
    words = ["train", "--preset", "smoke", "--env-steps", "800000"]
    whole = document(*words, "--run-dir", "whole", place=place)
    command = [sys.executable, "-m", "metarl", *words, "--run-dir", "cut"]
    process = subprocess.Popen(command, cwd=place, stderr=subprocess.PIPE, text=True)
    log = place / "cut" / "metrics.jsonl"
    while process.poll() is None and not (log.exists() and log.read_text().count("\n") >= 1):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=600)
    assert process.returncode == 130, said
    assert "metarl resume cut" in said and "Traceback" not in said
    resumed = document("resume", "cut", place=place)
    ours, theirs = resumed["evaluation"]["agents"], whole["evaluation"]["agents"]
    assert list(ours.values()) == list(theirs.values())


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("rl2-table-1", "10x5"),
        ("rl2-figure-2", "10x5"),
        ("rl2-table-2", "10"),
        ("rl2-figure-3", "10"),
    ],
)
def test_a_reproduction_runs_to_its_end_and_a_second_time_from_what_is_kept(name, cell, place):
    try:
        reproduction.find_folder("rl2_table_1")
    except InvalidInput:
        pytest.skip("needs a checkout")
    words = ["reproduce", name, "--cells", cell, "--scale", "smoke"]
    first = document(*words, place=place)
    assert {"Random", "RL²"} <= set(first["cells"][cell])
    assert all((place / path).is_file() for path in first["files"])
    began = time.monotonic()
    second = document(*words, place=place)
    assert second["cells"][cell]["RL²"] == first["cells"][cell]["RL²"]
    assert time.monotonic() - began < 60
