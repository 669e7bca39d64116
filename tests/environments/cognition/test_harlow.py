"""Harlow's task: one of two objects pays wherever it stands, and nobody has seen it before."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from metarl.classical_agents import make
from metarl.environments import SPLITS, Trial, load, play_split, record
from metarl.errors import InvalidInput

EPISODES, TASKS = 6, 500


@pytest.fixture(scope="module")
def trial():
    return Trial(load("harlow", bits=6), episodes=EPISODES)


@pytest.fixture(scope="module")
def played(trial):
    """What the agent did and in which tasks, and tasks of all splits; one program for all."""
    family = trial.environment

    @jax.jit
    def play_all():
        splits = {split: family.sample_tasks(jax.random.key(1), TASKS, split) for split in SPLITS}
        agent = make("win-stay-lose-shift", trial)
        return record(agent, trial, jax.random.key(2), splits["test"]), splits

    return jax.device_get(play_all())


def test_an_object_pays_wherever_it_stands(played):
    recording, splits = played
    tasks = splits["test"]
    sides = []
    for n in range(TASKS):
        for t in range(EPISODES):
            pair = recording.observations[n, t].reshape(2, 6)
            paying = [(side == tasks.paying[n]).all() for side in pair]
            other = [(side == tasks.other[n]).all() for side in pair]
            assert sorted(paying) == sorted(other) == [False, True]
            assert recording.transitions.reward[n, t] == float(paying[recording.actions[n, t]])
            sides.append(paying[0])
    assert abs(np.mean(sides) - 0.5) < 5 * np.sqrt(0.25 / len(sides))


def test_no_object_is_in_two_splits(played):
    seen = {
        split: {code.tobytes() for code in np.concatenate(tasks)}
        for split, tasks in played[1].items()
    }
    assert sum(map(len, seen.values())) == len(set.union(*seen.values())) == 64


def test_who_stays_and_shifts_guesses_once(played):
    """The first is right in half of the tasks, to five standard errors; all others always."""
    earned = played[0].transitions.reward
    assert (earned[:, 1:] == 1).all()
    assert abs(earned[:, 0].mean() - 0.5) < 5 * np.sqrt(0.25 / TASKS)


@pytest.mark.slow
def test_the_oracle_is_always_right(trial):
    assert (play_split(make("oracle", trial), trial, 0, 100, "test").returns == 1).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bits": 3}, "bits is 3; it must be a whole number of at least 4"),
        ({"bits": 17}, "bits is 17; at most 16"),
    ],
)
def test_objects_that_cannot_be_are_refused(settings, message):
    with pytest.raises(InvalidInput, match=message):
        load("harlow", **settings)
