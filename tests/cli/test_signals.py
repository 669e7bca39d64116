"""Signals sent to commands at different moments: they end as a shell expects, soon, and say once how to go on."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.slow

SEARCH = ("search", "--preset", "smoke")
SMALL = (*SEARCH, "--problem", "quadratic", "--final.held-out", "breast-cancer-logistic")
COMPARE = (
    "compare",
    "adam * ld",
    "--problem",
    "digits-mlp",
    "--seeds",
    "2",
    "--references",
    "adam",
)
TRAIN = ("train", "--environment", "bandit", "--arms", "2", "--episodes", "5")
TABLE = ("table", "--space", "sign", "--depth", "1")
ENUMERATE = ("enumerate", "--space", "modern", "--depth", "2")
ON_TABLE = ("search", "--evaluator", "table:deterministic-1", "--budget", "3000")
ON_TABLE += ("--space", "deterministic", "--depth", "1", "--strategy", "ppo")  # takes its time
REPRODUCE = ("reproduce", "nos-rosenbrock")
EVALUATE = ("evaluate", "ucb1", "--environment", "bandit", "--arms", "50", "--episodes", "500")
EVALUATE += ("--tasks", "1000000")


@pytest.mark.parametrize(
    ("words", "moment", "seconds"),
    [
        (SEARCH, "search: 0", 0.0),  # the first generation begins to compile
        (SEARCH, "search: 0", 4.0),
        (SMALL, "Random search beside it", 0.5),
        (SMALL, "Choosing", 0.5),
        (SMALL, "tuning", 1.0),
        (COMPARE, "tuning", 1.0),
        (TRAIN, "train: 0", 0.0),
        (TRAIN, "train: 0", 3.0),
        (TABLE, "table: 0", 1.0),
        (ENUMERATE, "enumerate: 0", 1.0),
    ],
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_and_it_is_said_once_how_to_go_on(
    words, moment, seconds, number, tmp_path
):
    process = start(*words, "--run-dir", "cut", place=tmp_path)
    seen = read_until(moment, process)
    time.sleep(seconds)
    process.send_signal(number)
    began = time.monotonic()
    _, errors = process.communicate(timeout=180)
    print(f"{time.monotonic() - began:.1f} s\n{errors}")
    assert process.returncode == 130, seen + errors
    assert "Traceback" not in errors
    assert errors.count("metarl resume cut") == 1
    assert errors.endswith("metarl: interrupted\n")


@pytest.mark.parametrize("words", [SEARCH, COMPARE, ON_TABLE, REPRODUCE, EVALUATE])
@pytest.mark.parametrize("seconds", [0.5, 2.0])
def test_a_signal_while_a_command_starts_leaves_no_traceback(words, seconds, tmp_path):
    flags = () if words[0] == "evaluate" else ("--run-dir", "cut")
    process = start(*words, *flags, place=tmp_path)
    time.sleep(seconds)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=180)
    if process.returncode == -signal.SIGTERM:  # before there was anybody to hear it
        assert errors == ""
        return
    # a shell has 130 for both; Python ends so where the signal came in the midst of making a class
    assert process.returncode in (130, -signal.SIGINT), errors
    assert "Traceback" not in errors
    run = tmp_path / "cut" / "run.json"
    assert ("go on" in errors.lower() or "goes on" in errors) == run.exists()


def start(*words, place):
    command = [sys.executable, "-m", "metarl", *words]
    return subprocess.Popen(
        command, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def read_until(moment, process):
    """Returns what a process has said up to a line with these words."""
    lines = []
    for line in process.stderr:
        lines.append(line)
        if moment in line:
            return "".join(lines)
    raise AssertionError("".join(lines))
