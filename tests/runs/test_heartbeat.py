"""The heartbeat: written while a run is locked, and read right whatever the clock does."""

from __future__ import annotations

import json
import threading
import time

import pytest

from metarl.runs import heartbeat as module
from metarl.runs.heartbeat import Heartbeat, read_heartbeat


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(module, "EVERY", 0.02)


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def content(directory):
    return json.loads((directory / "heartbeat.json").read_text())


def test_it_beats_during_a_long_generation_and_its_thread_ends(tmp_path, quick):
    heart = Heartbeat(tmp_path)
    before = set(threading.enumerate())
    heart.start()
    (thread,) = set(threading.enumerate()) - before
    heart.note(3, 90, "rules")
    wait_until(lambda: (read_heartbeat(tmp_path) or heart_of_nobody).position == 3)
    first = content(tmp_path)
    wait_until(lambda: content(tmp_path)["generation_seconds"] > first["generation_seconds"])
    assert not content(tmp_path)["ended"]
    heart.stop()
    assert not thread.is_alive()
    last = read_heartbeat(tmp_path)
    assert last is not None and last.ended and last.generation_seconds is None
    assert (last.position, last.total, last.unit) == (3, 90, "rules")
    assert [path.name for path in tmp_path.iterdir()] == ["heartbeat.json"]


heart_of_nobody = module.Beat(0.0, 1.0, False, *[None] * 6)


def test_the_rate_and_the_longest_generation_are_those_of_the_session(tmp_path):
    now = iter([100.0, 110.0, 112.0, 132.0, 132.0]).__next__
    heart = Heartbeat(tmp_path, clock=now)
    for position in (50, 60, 60, 90):
        heart.note(position, None, "steps")
    heart._write(False)
    found = content(tmp_path)
    assert found["rate"] == (90 - 50) / 32.0 and found["longest_generation_seconds"] == 20.0


def test_a_clock_that_goes_back_breaks_nothing(tmp_path, monkeypatch):
    heart = Heartbeat(tmp_path, clock=iter([100.0, 90.0, 80.0, 70.0]).__next__)
    for position in (5, 6, 7):
        heart.note(position, 9, "steps")
    heart._write(False)
    found = content(tmp_path)
    assert found["rate"] is None and found["generation_seconds"] == 0.0
    assert found["longest_generation_seconds"] == 0.0


@pytest.mark.parametrize("hours", [-5, 5])
def test_on_the_same_machine_the_wall_clock_plays_no_part_in_the_age(hours, tmp_path, monkeypatch):
    if module._boot() is None:
        pytest.skip("this system does not name its boots")
    Heartbeat(tmp_path)._write(False)
    now = time.time()
    monkeypatch.setattr(module.time, "time", lambda: now + 3600 * hours)
    beat = read_heartbeat(tmp_path)
    assert beat is not None and 0.0 <= beat.age < 60.0


@pytest.mark.parametrize(("hours", "age"), [(-5, 0.0), (5, 5 * 3600.0)])
def test_from_another_machine_the_age_is_that_of_the_wall_clock_and_never_negative(
    hours, age, tmp_path, monkeypatch
):
    Heartbeat(tmp_path)._write(False)
    now = time.time()
    monkeypatch.setattr(module, "_boot", lambda: "another")
    monkeypatch.setattr(module.time, "time", lambda: now + 3600 * hours)
    beat = read_heartbeat(tmp_path)
    assert beat is not None and beat.age == pytest.approx(age, abs=60.0)


def test_a_full_disk_stops_neither_the_run_nor_the_heart(tmp_path, quick, monkeypatch):
    failing = [True]
    replace = module.os.replace

    def full(*arguments):
        if failing:
            raise OSError(28, "No space left on device")
        replace(*arguments)

    monkeypatch.setattr(module.os, "replace", full)
    heart = Heartbeat(tmp_path)
    heart.start()
    time.sleep(0.1)
    assert not list(tmp_path.glob("*.json"))
    failing.clear()
    wait_until(lambda: (tmp_path / "heartbeat.json").exists())
    heart.stop()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"time": 1}', "\x00"])
def test_a_heartbeat_that_cannot_be_read_is_none(text, tmp_path):
    (tmp_path / "heartbeat.json").write_text(text)
    assert read_heartbeat(tmp_path) is None
    assert read_heartbeat(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("changes", "old", "stuck"),
    [
        ({"age": 2.0}, False, False),
        ({"age": 16.0}, True, False),
        ({"generation_seconds": 55.0, "longest_generation_seconds": 1.0}, False, False),
        ({"generation_seconds": 61.0, "longest_generation_seconds": 1.0}, False, True),
        ({"generation_seconds": 61.0, "longest_generation_seconds": 30.0}, False, False),
        ({"generation_seconds": 1e6, "longest_generation_seconds": None}, False, False),
    ],
)
def test_a_heart_is_judged_by_its_usual_pace(changes, old, stuck):
    beat = heart_of_nobody._replace(**changes)
    assert (beat.is_old, beat.is_stuck) == (old, stuck)
