"""Two processes train as one with as many devices does, also when one of them was killed on the way."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import metarl
from metarl.rl_squared import TrainConfig, load, train, train_config
from metarl.runs import RunDirectory, SilentProgress

PROGRAM = Path(__file__).with_name("gang_process.py")
SETTINGS = [
    *("--arms", "2", "--episodes", "4", "--network.hidden", "4", "--batch-steps", "400"),
    *("--ppo.epochs", "1", "--ppo.minibatches", "2", "--env-steps", "2000"),
    *("--validation-tasks", "20", "--validation-every", "800"),
]


def processes(*dies_at: int, words: list[str], place: Path) -> list[tuple[int, str, str]]:
    """Runs a gang, each process with one device, and returns exit code, output and errors of each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {"PYTHONPATH": str(Path(next(iter(metarl.__path__))).parent)}
    running = [
        subprocess.Popen(
            [
                *(sys.executable, str(PROGRAM), str(death), *words, "--json", "--threads", "1"),
                *("--hosts", str(len(dies_at)), "--host-index", str(index)),
                *("--coordinator", f"127.0.0.1:{port}"),
            ],
            cwd=place,
            env={**os.environ, **own, "METARL_CHECKPOINT_SECONDS": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index, death in enumerate(dies_at)
    ]
    try:
        said = [process.communicate(timeout=540) for process in running]
    finally:
        for process in running:
            process.kill()
    return [(process.returncode, *texts) for process, texts in zip(running, said, strict=True)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The run of one process with two devices, never stopped."""
    from metarl.cli.train import parse

    config: TrainConfig = parse(["--seed", "0", *SETTINGS], "metarl train").train.config()
    run_dir = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("metarl.rl_squared.learning.train_job.CHUNK_STEPS", 400)
        train(train_config(config.to_json()), run_dir, progress=SilentProgress())
    return run_dir


def without_clock(run_dir: Path) -> list[dict]:
    rows = RunDirectory.open(run_dir).metrics.rows()
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


@pytest.mark.extras
def test_a_gang_that_lost_a_process_and_was_started_again_ends_as_one_process_that_never_stopped(
    tmp_path, whole
):
    begin = ["train", *SETTINGS, "--run-dir", "run"]
    leader, victim = processes(0, 3, words=begin, place=tmp_path)
    assert victim[0] == -9
    assert leader[0] == 75, leader[2]
    last = leader[2].splitlines()[-1]
    assert last.startswith("metarl: error: A process of this training is gone, or its network (")
    assert "metarl resume run --threads 1 --hosts 2 --host-index 0 --coordinator 127" in last
    assert 1 <= len(without_clock(tmp_path / "run")) < len(without_clock(whole))

    leader, follower = processes(0, 0, words=["resume", "run"], place=tmp_path)
    assert (leader[0], follower[0]) == (0, 0), leader[2] + follower[2]
    assert json.loads(follower[1]) == {"host_index": 1, "hosts": 2, "outcome": "finished"}
    updates = json.loads(leader[1])["updates"]
    assert 0 < updates < len(without_clock(whole))  # it went on, and did not begin anew
    assert without_clock(tmp_path / "run") == without_clock(whole)
    ours, theirs = load(tmp_path / "run"), load(whole)
    assert ours.scores == theirs.scores
    import jax

    for a, b in zip(jax.tree.leaves(ours.params), jax.tree.leaves(theirs.params), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_when_the_leader_dies_the_follower_says_how_to_go_on_or_is_aborted(tmp_path):
    """Which of the two is a race between the network's error and jax's heartbeat."""
    leader, follower = processes(
        3, 0, words=["train", *SETTINGS, "--run-dir", "run"], place=tmp_path
    )
    assert leader[0] == -9
    assert follower[0] in (75, -6)
    assert follower[0] == -6 or "metarl resume run --threads 1 --hosts 2" in follower[2]


@pytest.mark.slow
def test_a_run_that_cannot_begin_ends_every_process(tmp_path):
    (tmp_path / "run").write_text("a file")
    leader, follower = processes(
        0, 0, words=["train", *SETTINGS, "--run-dir", "run"], place=tmp_path
    )
    assert leader[0] == 2 and "it is a file" in leader[2]
    assert follower[0] in (75, -6)
