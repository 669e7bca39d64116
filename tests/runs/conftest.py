"""A toy job, and runs to drive it in."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import metarl
from metarl.runs import RunDirectory

_TOY_JOB = Path(__file__).with_name("toy_job.py")
_PACKAGES = Path(next(iter(metarl.__path__))).parent


@pytest.fixture(scope="session")
def ToyJob():
    return runpy.run_path(str(_TOY_JOB))["ToyJob"]


@pytest.fixture
def new_run(tmp_path):
    def create(name="run", kind="npz"):
        path = tmp_path / name
        RunDirectory.create(path, "toy", {"seed": 3, "budget": 90}, ["metarl"])
        identity = json.loads((path / "run.json").read_text())
        (path / "run.json").write_text(json.dumps({**identity, "checkpoints": kind}))
        return RunDirectory.open(path)

    return create


@pytest.fixture
def start():
    """Starts Python in a process of its own, which does not outlive the test."""
    processes = []

    def start(*words):
        environment = {**os.environ, "PYTHONPATH": str(_PACKAGES)}
        process = subprocess.Popen(
            [sys.executable, *map(str, words)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def start_toy_job(start):
    def start_toy_job(run, pause, checkpoint_seconds):
        return start(_TOY_JOB, run.path, pause, checkpoint_seconds)

    return start_toy_job


@pytest.fixture
def wait_for_rows():
    def wait_for_rows(run, count):
        deadline = time.monotonic() + 60
        while len(run.metrics.rows()) < count:
            assert time.monotonic() < deadline, "the process logs nothing"
            time.sleep(0.01)

    return wait_for_rows


@pytest.fixture
def assert_same_run():
    """Compares a log but for the clock, byte by byte, and a last state."""

    def compare(run, state, expected_run, expected_state):
        assert without_clock(run) == without_clock(expected_run)
        assert state.generation == expected_state.generation
        assert state.position == expected_state.position
        assert state.place.tobytes() == expected_state.place.tobytes()
        np.testing.assert_array_equal(state.archive, expected_state.archive)

    return compare


def without_clock(run) -> list[list[str]]:
    lines = run.metrics.path.read_text().splitlines()
    return [[part for part in line.split(", ") if '"seconds"' not in part] for line in lines]
