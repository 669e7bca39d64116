"""A small search, training and evaluation, killed with SIGKILL and resumed, end with the bits of one that was not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from metarl.runs import RunDirectory

# Like the tests themselves: two devices, as the mesh of a training decides its last bits.
PROGRAM = """
import sys
import jax
jax.config.update("jax_num_cpu_devices", 2)
from metarl.runs import RunDirectory, SilentProgress
job, place, again = sys.argv[1:]
if job == "search":
    from metarl.optimizer_search import SearchConfig, TrainingConfig, to_dict
    from metarl.optimizer_search.settings.config import ControllerConfig
    from metarl.optimizer_search.searching.search_job import SearchJob, drive_search
    config = SearchConfig(
        problem=("quadratic",), strategy="ppo", space="sign", depth=1, budget=24, batch_size=6,
        controller=ControllerConfig(hidden=8, embedding=4, epochs=1),
        training=TrainingConfig(steps=6, learning_rates=(0.1, 1.0), seeds=1),
    )
    job = SearchJob(config)
    if not int(again):
        RunDirectory.create(place, "search", to_dict(config), [])
    drive_search(job, RunDirectory.open(place), SilentProgress())
elif job == "evaluate":
    from metarl.rl_squared import (
        FromScratchPlan, WorldConfig, begin_evaluation, resume_evaluation,
    )
    dqn = "dqn:hidden=8,learn_after=8,batch_size=8"
    plan = FromScratchPlan(episodes=600, tasks=8)
    world = WorldConfig("gridworld", size=3, episodes=4)
    if not int(again):
        begin_evaluation(
            ["oracle", "q-learning", dqn], place, world=world, tasks=8, from_scratch=plan
        )
    resume_evaluation(place, progress=SilentProgress())
else:
    import metarl.rl_squared.learning.train_job as train_job
    from metarl.rl_squared import (
        NetworkConfig, TrainConfig, WorldConfig, resume_training, train,
    )
    train_job.CHUNK_STEPS = 100
    config = TrainConfig(
        world=WorldConfig(arms=2, episodes=5), network=NetworkConfig(hidden=8),
        batch_steps=100, env_steps=2_000, validation_tasks=5, validation_every=500,
    )
    if int(again):
        resume_training(place, progress=SilentProgress())
    else:
        train(config, place, progress=SilentProgress())
"""


def start(job, place, again=False):
    environment = {**os.environ, "METARL_CHECKPOINT_SECONDS": "0"}
    words = [sys.executable, "-c", PROGRAM, job, str(place), str(int(again))]
    return subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True)


def end(process):
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    return errors


# The quick forms stop and resume within a process: in tests of searching, of learning and of checkpoints.
@pytest.mark.slow
@pytest.mark.parametrize("job", ["search", "train", "evaluate"])
def test_killed_and_resumed_equals_never_stopped(job, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    end(start(job, whole))
    process = start(job, cut)
    # of an evaluation in the midst of the last learner's steps, when the others are finished
    first = 2 if job != "evaluate" else len(RunDirectory.open(whole).metrics.rows()) - 60
    while process.poll() is None and newest(cut) < first:
        time.sleep(0.002)
    process.kill()
    process.communicate()
    assert not (cut / "outcome.json").exists(), "it was done before it was killed"
    assert checkpoints(cut)
    assert "damaged" not in end(start(job, cut, again=True))
    assert shown(cut) == shown(whole)


def newest(place):
    """Returns the generation of the newest checkpoint, 0 without one."""
    found = checkpoints(place)
    names = [path.parent.name if path.name == "manifest.json" else path.stem for path in found]
    return max(map(int, names), default=0)


def checkpoints(place):
    found = list(place.glob("checkpoints/*.checkpoint"))
    return found or list(place.glob("checkpoints/[0-9]*/manifest.json"))


def shown(place):
    """Everything that a run has to show, but for the clock."""
    run = RunDirectory.open(place)
    arrays, meta = run.checkpoints.load_newest() or ({}, {})
    agent = place / "agent.npz"
    if agent.exists():
        with np.load(agent, allow_pickle=False) as members:
            arrays |= {f"agent/{name}": members[name] for name in members.files}
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in run.metrics.rows()]
    outcome = {k: v for k, v in (run.outcome or {}).items() if not k.endswith("seconds")}
    bits = {n: (a.dtype.name, a.shape, a.tobytes()) for n, a in arrays.items()}
    assert len(rows) > 3 and outcome["outcome"] == "finished"
    result = place / "result.json"
    texts = json.dumps(rows), result.read_text() if result.exists() else ""
    return bits, meta["job"], texts, outcome
