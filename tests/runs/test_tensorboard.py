"""TensorBoard shows what the metric log holds, each step once, however often a run was resumed."""

from __future__ import annotations

import errno
import sys

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.runs import MetricLog, RunDirectory, SilentProgress, drive
from metarl.runs.tensorboard import FOLDER


def row(generation: int, **metrics):
    """Returns a row of a log."""
    return {"generation": generation, "position": 10 * generation, "seconds": 0.5, **metrics}


def session(log: MetricLog, after: int, until: int, **metrics) -> None:
    """Writes rows as a session of a run does."""
    log.truncate(after=after)
    for generation in range(after + 1, until + 1):
        log.append(row(generation, reward=float(generation), **metrics))
    log.close()


@pytest.fixture
def log(tmp_path) -> MetricLog:
    (tmp_path / FOLDER).mkdir()
    return MetricLog(tmp_path / "metrics.jsonl")


@pytest.fixture
def without_tensorboard(monkeypatch):
    """A process in which the package cannot be imported."""
    held = [name for name in sys.modules if name.startswith("tensorboard.")]
    for name in ("tensorboard", "tensorboard.summary.writer.record_writer", *held):
        monkeypatch.setitem(sys.modules, name, None)


def shown(log: MetricLog):
    """Returns what TensorBoard reads of a run."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(log.path.parent / FOLDER)).Reload()


def curve(log: MetricLog, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in shown(log).Scalars(tag)]


@pytest.mark.extras
def test_every_number_of_the_log_is_shown_at_its_generation(log):
    log.truncate(after=0)
    log.append(row(1, loss=np.float32(0.5), none=float("nan"), returns=[1.0, None, 3], ok=True))
    log.append(row(2, loss=0.25, returns=np.array([2.0, 4.0, 6.0]), ok=False))
    log.close()
    tags = {"position", "seconds", "loss", "ok", "returns/0", "returns/1", "returns/2"}
    assert set(shown(log).Tags()["scalars"]) == tags
    assert curve(log, "loss") == [(1, 0.5), (2, 0.25)]
    assert curve(log, "returns/1") == [(2, 4.0)]
    assert curve(log, "ok") == [(1, 1.0), (2, 0.0)]


@pytest.mark.extras
def test_a_text_is_shown_when_it_changes(log):
    log.truncate(after=0)
    for generation, best in enumerate(["g", "g", "m"], start=1):
        log.append(row(generation, best_rule=best))
    log.close()
    texts = shown(log).Tensors("best_rule")
    assert [(text.step, text.tensor_proto.string_val[0]) for text in texts] == [
        (1, b"g"),
        (3, b"m"),
    ]


@pytest.mark.extras
def test_a_resumed_run_shows_no_step_twice(log):
    session(log, 0, 5)
    session(log, 3, 6)  # the last checkpoint was that of generation 3
    session(log, 6, 7)
    assert len(list((log.path.parent / FOLDER).iterdir())) == 3
    assert curve(log, "reward") == [(step, float(step)) for step in range(1, 8)]


@pytest.mark.extras
def test_a_file_that_ends_in_the_middle_of_an_event_hides_nothing(log):
    session(log, 0, 4)
    (events,) = (log.path.parent / FOLDER).iterdir()
    events.write_bytes(events.read_bytes()[:-7])  # as a killed process may leave it
    session(log, 2, 5)
    assert curve(log, "reward") == [(step, float(step)) for step in range(1, 6)]


@pytest.mark.extras
def test_a_folder_that_is_made_later_is_given_the_log_so_far(log):
    folder = log.path.parent / FOLDER
    folder.rmdir()
    session(log, 0, 3)
    folder.mkdir()
    session(log, 2, 4)
    assert curve(log, "reward") == [(step, float(step)) for step in range(1, 5)]


@pytest.mark.extras
def test_the_log_is_the_same_with_and_without(log, tmp_path):
    session(log, 0, 3, best="g")
    other = MetricLog(tmp_path / "other" / "metrics.jsonl")
    other.path.parent.mkdir()
    session(other, 0, 3, best="g")
    assert log.path.read_bytes() == other.path.read_bytes()


@pytest.mark.extras
def test_a_killed_and_resumed_run_shows_its_log_and_ends_with_the_same_bits(
    ToyJob, new_run, start_toy_job, wait_for_rows, assert_same_run
):
    expected_run, run = new_run("expected"), new_run()
    expected, _ = drive(ToyJob(), expected_run, SilentProgress())
    (run.path / FOLDER).mkdir()
    process = start_toy_job(run, pause=0.05, checkpoint_seconds=0.2)
    wait_for_rows(run, 14)
    process.kill()
    process.wait()
    state, _ = drive(ToyJob(), run, SilentProgress())
    assert_same_run(run, state, expected_run, expected)
    logged = [(row["generation"], pytest.approx(row["x"], rel=1e-6)) for row in run.metrics.rows()]
    assert curve(run.metrics, "x") == logged


@pytest.mark.extras
def test_a_full_disk_is_told_with_the_name_of_the_file(log, monkeypatch):
    from tensorboard.summary.writer.record_writer import RecordWriter

    def flush(writer):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RecordWriter, "flush", flush)
    log.truncate(after=0)
    with pytest.raises(OSError, match=r"No space left on device: '.*tfevents.*metarl'"):
        log.append(row(1))
    log.close()


@pytest.mark.extras
def test_a_run_is_made_with_a_folder_for_events(tmp_path):
    run = RunDirectory.create(tmp_path / "run", "search", {"seed": 0}, ["m"], tensorboard=True)
    assert (run.path / FOLDER).is_dir()


def test_without_the_package_the_extra_is_named_before_anything_is_written(
    tmp_path, without_tensorboard
):
    with pytest.raises(InvalidInput, match=r"pip install 'metarl\[tensorboard\]'"):
        RunDirectory.create(tmp_path / "run", "search", {"seed": 0}, ["m"], tensorboard=True)
    assert not (tmp_path / "run").exists()


def test_a_run_without_a_folder_needs_no_package(tmp_path, without_tensorboard):
    log = MetricLog(tmp_path / "metrics.jsonl")
    session(log, 0, 2)
    assert len(log.rows()) == 2


def test_a_run_with_a_folder_says_what_is_missing(tmp_path, without_tensorboard):
    (tmp_path / FOLDER).mkdir()
    with pytest.raises(InvalidInput, match="remove its folder tensorboard"):
        MetricLog(tmp_path / "metrics.jsonl").truncate(after=0)
