"""How runs stand: told from their files, without touching them; what pruning leaves; differences."""

from __future__ import annotations

import json
import os
import signal
import time

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.runs import (
    Interruption,
    RunDirectory,
    SilentProgress,
    drive,
    find_runs,
    prune,
    prune_plan,
    run_differences,
    run_status,
)


def test_a_run_is_finished_or_interrupted(ToyJob, new_run):
    run, interruption = new_run(), Interruption()
    interruption.request()
    drive(ToyJob(budget=9), run, SilentProgress(), interruption=interruption, unit="rules")
    status = run_status(run.path)
    assert (status.job, status.state, status.position, status.total) == ("toy", "interrupted", 0, 9)
    drive(ToyJob(budget=9), run, SilentProgress(), unit="rules")
    status = run_status(run.path)
    assert (status.state, status.position, status.unit) == ("finished", 9, "rules")
    assert status.heartbeat_age is not None and status.heartbeat_age >= 0.0
    assert status.rate is None or status.rate > 0


def test_running_stalled_and_dead_are_told_apart(new_run, start_toy_job, wait_for_rows):
    run = new_run()
    assert run_status(run.path).state == "dead"  # made, and never begun
    process = start_toy_job(run, pause=0.05, checkpoint_seconds=0.1)
    wait_for_rows(run, 3)
    assert run_status(run.path).state == "running"
    process.send_signal(signal.SIGSTOP)
    age_the_heartbeat(run, 60.0)
    assert run_status(run.path).state == "stalled"
    process.send_signal(signal.SIGCONT)
    deadline = time.monotonic() + 60
    while run_status(run.path).state != "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.wait()
    status = run_status(run.path)
    assert status.state == "dead" and status.position is not None


def age_the_heartbeat(run, seconds):
    path = run.path / "heartbeat.json"
    found = json.loads(path.read_text())
    path.write_text(json.dumps({**found, "monotonic": found["monotonic"] - seconds}))


def test_looking_keeps_nobody_out_and_changes_nothing(ToyJob, new_run):
    run = new_run()
    drive(ToyJob(budget=9), run, SilentProgress())
    before = snapshot(run.path)
    for _ in range(3):
        run_status(run.path)
        with run.lock(beat=False):
            pass
    assert snapshot(run.path) == before


def snapshot(directory):
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in files if path.name != "lock"}


def test_an_error_leaves_a_run_interrupted(ToyJob, new_run):
    def fail():
        raise RuntimeError

    run = new_run()
    with pytest.raises(RuntimeError):
        drive(ToyJob(on_update=fail), run, SilentProgress())
    assert run_status(run.path).state == "interrupted"


@pytest.mark.parametrize(
    "job", ["search", "table-search", "table", "enumerate", "compare", "evaluate"]
)
def test_what_ends_with_a_result_is_finished_with_it_alone(job, tmp_path):
    run = RunDirectory.create(tmp_path / "run", job, {}, [])
    with run.lock():
        assert run_status(run.path).state == "running"
    run.write_outcome({"outcome": "finished", "position": 3, "total": 3, "seconds": 1.0})
    assert run_status(run.path).state == "interrupted"
    (run.path / "result.json").write_text("{}")
    assert run_status(run.path).state == "finished"


@pytest.mark.parametrize("job", ["search", "table-search"])
def test_the_best_is_that_of_the_job(job, tmp_path):
    run = RunDirectory.create(tmp_path / "run", job, {}, [])
    for generation, reward in enumerate([None, 0.25, 0.5], start=1):
        run.metrics.append({"generation": generation, "best_reward": reward})
    run.metrics.close()
    assert run_status(run.path).best == 0.5


def test_a_damaged_run_does_not_hide_the_others(new_run, tmp_path):
    new_run("a")
    new_run("b")
    (tmp_path / "a" / "config.json").write_text("{")
    states = {status.path.name: status for status in map(run_status, find_runs(tmp_path))}
    assert states["a"].state == "unreadable" and "config.json" in states["a"].problem
    assert states["b"].state == "dead"


@pytest.mark.parametrize(
    "outcome", [{"outcome": "finished"}, {"position": 1, "total": None, "seconds": "long"}]
)
def test_a_damaged_outcome_does_not_hide_the_other_runs(outcome, new_run, tmp_path):
    new_run("a").write_outcome(outcome)
    new_run("b").write_outcome({"position": 4, "total": None, "seconds": 2.0})
    damaged, other = map(run_status, sorted(find_runs(tmp_path)))
    assert damaged.state == "unreadable" and "Remove it; resuming" in damaged.problem
    assert (other.position, other.total, other.rate) == (4, None, 2.0)


def test_runs_are_found_in_a_folder_in_themselves_and_in_each_other(new_run, tmp_path):
    new_run("b")
    new_run("a")
    RunDirectory.create(tmp_path / "a" / "inner", "toy", {}, [])
    (tmp_path / ".c-123.partial").mkdir()
    (tmp_path / ".c-123.partial" / "run.json").write_text("{}")
    found = [path.relative_to(tmp_path).as_posix() for path in find_runs(tmp_path)]
    assert found == ["a", "b"]
    assert find_runs(tmp_path / "a") == [tmp_path / "a"]
    assert find_runs(tmp_path / "a", nested=True) == [tmp_path / "a", tmp_path / "a" / "inner"]
    with pytest.raises(InvalidInput, match=r"nowhere' here. Give a run, or a folder of"):
        find_runs(tmp_path / "nowhere")


@pytest.mark.parametrize("kind", ["npz", "orbax"])
def test_pruning_leaves_the_newest_intact_the_best_and_a_run_that_goes_on(
    kind, ToyJob, new_run, capsys
):
    run = new_run(kind=kind)
    run.checkpoints.sweep()
    run.checkpoints.keep = 100
    for generation, score in enumerate([1.0, 5.0, None, None, None], start=1):
        run.checkpoints.save(generation, {"x": np.zeros(500)}, {}, score)
    run.checkpoints.close()
    newest = run.checkpoints.newest()
    files = [newest] if newest.is_file() else list(newest.rglob("arrays/_METADATA"))
    files[0].write_bytes(b"damaged")
    run.checkpoints.set_aside_after(4)
    plan = prune_plan([run.path])
    size = sum(
        path.stat().st_size for path in run.checkpoints.directory.rglob("*") if path.is_file()
    )
    assert prune(plan) == plan.size
    left = [path.name.partition(".")[0] for path in run.checkpoints.directory.iterdir()]
    assert sorted(left) == (["0000000002"] if kind == "orbax" else []) + ["0000000004"]
    rest = sum(
        path.stat().st_size for path in run.checkpoints.directory.rglob("*") if path.is_file()
    )
    assert plan.size == size - rest > 0
    assert prune_plan([run.path]).checkpoints == 0


def test_a_run_in_use_is_not_pruned(ToyJob, new_run):
    run = new_run()
    drive(ToyJob(), run, SilentProgress(), checkpoint_seconds=0.0)
    plan = prune_plan([run.path])
    assert plan.checkpoints == 1
    with RunDirectory.open(run.path).lock():
        assert prune_plan([run.path]).left_alone == {str(run.path): "in use"}
        with pytest.raises(InvalidInput, match=r"is in use by process"):
            prune(plan)
    assert len(run.checkpoints.paths()) == 2
    with pytest.raises(InvalidInput, match=r"At least 1 checkpoint of a run is kept, not 0"):
        prune_plan([run.path], keep=0)


def test_differences_name_settings_results_and_the_first_row_that_differs(
    ToyJob, new_run, tmp_path
):
    first, second = new_run("a"), new_run("b")
    for run, budget in ((first, 9), (second, 18)):
        config = {"seed": 3, "budget": budget, "training": {"steps": budget, "same": 1}}
        (run.path / "config.json").write_text(json.dumps(config))
        drive(ToyJob(budget=budget), RunDirectory.open(run.path), SilentProgress())
    first, second = RunDirectory.open(first.path), RunDirectory.open(second.path)
    found = run_differences(first, second)
    assert found["config"] == {"budget": [9, 18], "training.steps": [9, 18]}
    assert found["ran_on"] == {}
    assert found["results"]["position"] == [9, 18]
    assert found["log"] == {"rows": [3, 7], "equal_rows": 3, "differs_from": 4}
    same = run_differences(first, first)
    assert not same["results"] and same["log"]["differs_from"] is None
    os.truncate(second.metrics.path, 0)
    assert run_differences(first, second)["log"]["differs_from"] == 1
