"""A gang: the others do what the leader does, and the leader decides; here in threads of one process."""

from __future__ import annotations

import queue
import signal
import threading
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.runs import Gang, GangBroken, SilentProgress, drive, follow, lead, together
from metarl.runs.gang import _noticing_losses, _packed, _say, _unpacked


class Wires:
    """What joins the processes of a gang, as queues between two threads."""

    def __init__(self):
        self.boxes = {name: queue.Queue() for name in ("down", "up", "content")}


class WiredGang(Gang):
    """A gang of two whose second process is another thread."""

    wires: Wires

    def share(self, content: bytes = b"") -> bytes:
        if self.leads:
            self.wires.boxes["content"].put(content)
            return content
        return self.wires.boxes["content"].get(timeout=20)

    def hear(self, word: int) -> np.ndarray:
        out, back = ("down", "up") if self.leads else ("up", "down")
        self.wires.boxes[out].put(int(word))
        other = self.wires.boxes[back].get(timeout=20)
        return np.array([word, other] if self.leads else [other, word])


@pytest.fixture
def gang_of_two():
    wires = Wires()
    gang = WiredGang(0, 2, "--hosts 2 --host-index 0"), WiredGang(1, 2)
    for one in gang:
        object.__setattr__(one, "wires", wires)
    return gang


def in_a_thread(function, *arguments) -> tuple[threading.Thread, list[Any]]:
    """Starts a function in a thread; its result, or its error, will be in the list."""
    found: list[Any] = []

    def run():
        try:
            found.append(function(*arguments))
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, found


class Noting:
    """A job that keeps the states which another makes."""

    def __init__(self, job):
        self.job, self.states = job, []

    def __getattr__(self, name):
        return getattr(self.job, name)

    def update(self, state):
        state, metrics = self.job.update(state)
        self.states.append(state)
        return state, metrics


def test_the_follower_makes_every_update_that_the_leader_makes(ToyJob, new_run, gang_of_two):
    leader, follower = gang_of_two
    noting = Noting(ToyJob())
    thread, outcome = in_a_thread(follow, noting, "run", follower)
    state, led = lead(ToyJob(), new_run(), SilentProgress(), leader)
    thread.join(20)
    assert led == "finished" and outcome == ["finished"]
    assert noting.states[-1].generation == state.generation == len(noting.states)
    np.testing.assert_array_equal(noting.states[-1].archive, state.archive)
    alone, _ = drive(ToyJob(), new_run("alone"), SilentProgress())
    np.testing.assert_array_equal(alone.archive, state.archive)


def test_on_resuming_the_follower_begins_with_the_leaders_checkpoint(
    ToyJob, new_run, gang_of_two, capsys
):
    leader, follower = gang_of_two
    run = new_run()
    drive(ToyJob(budget=30), run, SilentProgress())
    run.write_outcome(None)
    noting = Noting(ToyJob())
    thread, _ = in_a_thread(follow, noting, "run", follower)
    state, _ = lead(ToyJob(), run, SilentProgress(), leader)
    thread.join(20)
    assert noting.states[0].position == 33
    np.testing.assert_array_equal(noting.states[-1].archive, state.archive)
    assert f"metarl resume {run.path} --hosts 2 --host-index 0" in capsys.readouterr().err


def test_a_finished_run_lets_the_follower_go_at_once(ToyJob, new_run, gang_of_two):
    leader, follower = gang_of_two
    run = new_run()
    drive(ToyJob(), run, SilentProgress())
    noting = Noting(ToyJob())
    thread, outcome = in_a_thread(follow, noting, "run", follower)
    lead(ToyJob(), run, SilentProgress(), leader)
    thread.join(20)
    assert outcome == ["finished"] and noting.states == []


def test_a_signal_to_the_follower_interrupts_the_whole_gang(ToyJob, new_run, gang_of_two):
    leader, follower = gang_of_two
    run, updates = new_run(), []

    def signal_at_the_third():
        updates.append(None)
        if len(updates) == 3:
            signal.raise_signal(signal.SIGTERM)

    thread, led = in_a_thread(lead, ToyJob(budget=None), run, SilentProgress(), leader)
    assert (
        follow(ToyJob(budget=None, on_update=signal_at_the_third), "run", follower) == "interrupted"
    )
    thread.join(20)
    assert led[0][1] == "interrupted"
    assert run.outcome is not None and run.outcome["reason"] == "signal"
    assert len(updates) == run.outcome["generations"] == 4


def test_a_process_on_its_own_is_a_gang_of_one(ToyJob, new_run):
    assert Gang().leads and Gang().share_json({"a": [1]}) == {"a": [1]}
    state, outcome = lead(ToyJob(), new_run(), SilentProgress(), Gang())
    assert outcome == "finished" and state.position == 90
    with pytest.raises(OSError, match="disk"), together(Gang()):
        raise OSError("disk")


def test_a_state_survives_the_way_to_the_others():
    arrays = {
        "weights": np.array([[1.5, -0.0], [np.nan, np.inf]], np.float32),
        "half": np.arange(3).astype(ml_dtypes.bfloat16),
        "count": np.array(7, np.int32),
        "none": np.zeros((0, 2)),
    }
    received, meta = _unpacked(_packed(arrays, {"step": 3, "text": "a\nb"}))
    assert meta == {"step": 3, "text": "a\nb"}
    assert list(received) == list(arrays)
    for name, array in arrays.items():
        assert received[name].dtype == array.dtype and received[name].shape == array.shape
        assert received[name].tobytes() == array.tobytes()


@pytest.mark.parametrize(
    "text", ["UNKNOWN: Gloo all-reduce failed: Connection closed by peer\nmore", "UNAVAILABLE: x"]
)
def test_an_error_of_a_shared_computation_says_how_all_go_on(text):
    with pytest.raises(GangBroken) as raised, _noticing_losses("metarl resume run --hosts 2"):
        raise ValueError(text)
    assert str(raised.value).endswith(": metarl resume run --hosts 2")
    assert text.partition("\n")[0] in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "error",
    [InvalidInput("UNKNOWN: name"), ValueError("RESOURCE_EXHAUSTED: memory"), KeyError("x")],
)
def test_errors_of_a_process_itself_stay_what_they_are(error):
    with pytest.raises(type(error)) as raised, _noticing_losses(""):
        raise error
    assert raised.value is error


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (GangBroken("gone"), 75, "metarl: error: gone\n"),
        (
            ValueError("UNAVAILABLE: socket\nmore"),
            75,
            "metarl: error: A process of this training is gone, or its network "
            "(UNAVAILABLE: socket).\n",
        ),
        (InvalidInput("no"), 2, "metarl: error: no\n"),
        (KeyboardInterrupt(), 130, "metarl: interrupted\n"),
    ],
)
def test_every_end_has_its_exit_code(error, code, said, capsys):
    assert _say(error) == code
    assert capsys.readouterr().err == said


def test_a_defect_keeps_its_traceback(capsys):
    try:
        raise RuntimeError("defect")
    except RuntimeError as error:
        assert _say(error) == 1
    assert "Traceback" in capsys.readouterr().err
