"""One agent alone: what it does is what it does when nothing is kept, wherever it was interrupted."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from metarl.environments import play_split
from metarl.errors import InvalidInput
from metarl.rl_baselines import learn_split, make
from metarl.rl_squared import make_trial
from metarl.rl_squared.evaluating.alone import AloneJob, play_alone
from metarl.rl_squared.reproduction.planners import _adding_up
from metarl.rl_squared.reproduction.scales import world_config
from metarl.runs import RunDirectory, SilentProgress

WORLD = {"environment": "gridworld", "episodes": 2}
ROOMS = {
    "environment": "key-to-door",
    "setting": ["size=3", "room_steps=2", "corridor=1"],
    "episodes": 1,
}
IMITATOR = "behaviour-cloning:trajectories=20,steps=130,hidden=8,heads=2,layers=1,batch=16"


class SignalOnce(SilentProgress):
    """Interrupts once a position is reached."""

    def __init__(self, position: float = np.inf):
        self.position, self.said = position, []

    def report(self, position, total, text="", seconds_left=None):
        if position >= self.position:
            self.position = np.inf
            os.kill(os.getpid(), signal.SIGINT)

    def message(self, text):
        self.said.append(text)


@pytest.fixture
def owner(tmp_path):
    return RunDirectory.create(
        tmp_path / "whole", "reproduce", {}, ["metarl", "reproduce", "planners"]
    )


@pytest.mark.parametrize(
    ("agent", "world", "episodes", "stops"),
    [
        ("q-learning", WORLD, 5, (1, 90)),
        pytest.param(IMITATOR, ROOMS, None, (100,), marks=pytest.mark.slow),  # in a lesson
        ("random", WORLD, None, ()),
    ],
)
def test_interrupted_and_gone_on_with_is_what_is_played_without_a_run(
    owner, monkeypatch, agent, world, episodes, stops
):
    def played(progress):
        place = owner.path / "learning" / "one"
        return play_alone(place, agent, world, 3, 0, episodes, owner, progress)

    for stop in stops:
        progress = SignalOnce(stop)
        with pytest.raises(KeyboardInterrupt):
            played(progress)
        assert progress.said[-1].endswith(
            f"go on with: metarl reproduce planners --run-dir {owner.path}"
        )
    found = played(SignalOnce())
    monkeypatch.setattr(AloneJob, "update", None)  # all is done
    trial = make_trial(world_config({**world, "episodes": episodes or world["episodes"]}))
    play = play_split if episodes is None else learn_split
    for again in (played(SignalOnce()), play(make_any(agent, trial), trial, 0, 3, "test")):
        for one, other in zip(found, again, strict=True):
            np.testing.assert_array_equal(one, np.asarray(other))


def make_any(agent, trial):
    from metarl.classical_agents import make as make_classical

    return make_classical(agent, trial) if agent == "random" else make(agent, trial)


def test_what_was_begun_otherwise_is_refused_and_who_does_not_fit_leaves_nothing(owner):
    place = owner.path / "learning" / "one"
    with pytest.raises(InvalidInput, match="iris needs pictures"):
        play_alone(place, "iris", WORLD, 3, 0, 5, owner, SilentProgress())
    assert not place.exists()
    RunDirectory.create(place, "play", {"agent": "ppo"}, ["metarl"])
    with pytest.raises(InvalidInput, match="was begun with other settings than are asked for now"):
        play_alone(place, "random", WORLD, 3, 0, None, owner, SilentProgress())


def test_seconds_of_sessions_are_added_up(tmp_path, monkeypatch):
    clock = iter([10.0, 13.0, 2.0, 6.0])
    monkeypatch.setattr("time.process_time", lambda: next(clock))
    spent = tmp_path / "seconds.json"
    with pytest.raises(KeyboardInterrupt), _adding_up(spent):
        raise KeyboardInterrupt
    with _adding_up(spent):
        pass
    assert spent.read_text().split() == ["{", '"seconds":', "7.0", "}"]
