"""Agents in dark rooms: the one who knows earns the optimum, the one who searches finds it once."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.classical_agents import make
from metarl.environments import DarkRoomTask, Trial, load, play
from metarl.errors import InvalidInput


def optima_of(trial: Trial, tasks) -> np.ndarray:
    """Returns what an episode is worth to who knows the task [N]."""
    optimum = trial.environment.optimal_return
    assert optimum is not None
    return np.asarray(jax.vmap(optimum)(tasks))


def returns_of(name: str, trial: Trial, tasks, seed: int = 0) -> np.ndarray:
    """Returns what an agent earns in each episode [N, E]."""
    return np.asarray(play(make(name, trial), trial, jax.random.key(seed), tasks).returns)


@pytest.mark.parametrize("hard", [False, True])
def test_the_oracle_earns_the_optimum_in_every_room(hard):
    trial = Trial(load("dark-room", size=5, horizon=5, hard=hard), episodes=2)
    goals = np.delete(np.arange(25), 12)
    tasks = DarkRoomTask(jnp.asarray(goals[:, None], jnp.int32))
    optima = optima_of(trial, tasks)
    earned = returns_of("oracle", trial, tasks)
    np.testing.assert_array_equal(earned, np.stack([optima, optima], axis=1))


def test_the_oracle_of_key_and_door_earns_what_is_expected():
    trial = Trial(load("dark-key-to-door", size=4, horizon=5), episodes=20)
    tasks = trial.environment.sample_tasks(jax.random.key(0), 150, "train")
    optima = optima_of(trial, tasks)
    earned = returns_of("oracle", trial, tasks)
    assert earned.max() == 2 and earned.min() >= 0
    error = (earned.mean(axis=1) - optima).std() / np.sqrt(150)
    assert abs((earned.mean(axis=1) - optima).mean()) < 5 * error  # error rate below 1e-6


def test_who_searches_finds_the_goal_once_and_then_walks_there():
    trial = Trial(load("dark-room", size=5, horizon=60), episodes=3)
    tasks = trial.environment.sample_tasks(jax.random.key(0), 100)
    optima = optima_of(trial, tasks)
    earned = returns_of("searcher", trial, tasks)
    assert (earned[:, 0] > 0).all()  # 24 cells, some of them passed twice
    np.testing.assert_array_equal(earned[:, 1], optima)
    np.testing.assert_array_equal(earned[:, 2], optima)
    assert earned[:, 0].mean() < optima.mean() - 3


def test_a_search_goes_on_where_the_episode_before_left_it():
    trial = Trial(load("dark-room", size=5, horizon=8, hard=True), episodes=5)
    tasks = trial.environment.sample_tasks(jax.random.key(0), 200)
    found = returns_of("searcher", trial, tasks).mean(axis=0)
    assert (np.diff(found) >= 0).all() and found[0] < 0.5 and found[-1] == 1


def test_key_and_door_are_searched_for_one_after_the_other_and_remembered():
    trial = Trial(load("dark-key-to-door", size=3, horizon=60), episodes=3)
    tasks = trial.environment.sample_tasks(jax.random.key(0), 100)
    played = play(make("searcher", trial), trial, jax.random.key(1), tasks)
    assert (np.asarray(played.returns) == 2).all()
    lengths = np.asarray(played.lengths).mean(axis=0)
    assert lengths[0] > 2 * lengths[1] and abs(lengths[1] - lengths[2]) < 1


def test_a_batch_of_rooms_is_the_loop_over_them():
    trial = Trial(load("dark-key-to-door", size=3, horizon=9), episodes=2)
    tasks = trial.environment.sample_tasks(jax.random.key(1), 2)
    alone = jax.tree.map(lambda leaf: leaf[:1], tasks)
    np.testing.assert_array_equal(
        returns_of("searcher", trial, tasks)[:1], returns_of("searcher", trial, alone)
    )


@pytest.mark.parametrize("name", ["searcher", "psrl"])
def test_agents_of_other_worlds_are_refused(name):
    trial = Trial(load("gridworld" if name == "searcher" else "dark-room"), episodes=1)
    with pytest.raises(InvalidInput, match=r"is for (dark rooms|MDPs)"):
        make(name, trial)
