"""Dark rooms: what is found brings a reward and nothing else is told; who holds which task."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.environments import SPLITS, DarkRoomTask, load
from metarl.errors import InvalidInput

UP, RIGHT, DOWN, LEFT, STAY = range(5)


def walk(environment, targets, actions, key=0):
    """Returns the first observation, and observations, rewards and ends of actions."""
    task = DarkRoomTask(jnp.array(targets, jnp.int32))
    step = jax.jit(lambda state, action: environment.step(jax.random.key(1), state, action, task))
    first, state = environment.reset(jax.random.key(key), task)
    seen = []
    for action in actions:
        found = step(state, jnp.int32(action))
        state = found.state
        ends = bool(found.terminated), bool(found.truncated)
        seen.append((int(found.observation), float(found.reward), *ends))
    places, rewards, terminated, truncated = map(list, zip(*seen, strict=True))
    return int(first), places, rewards, terminated, truncated


def test_one_walks_and_the_walls_hold_one_back():
    room = load("dark-room", size=3, horizon=9)
    actions = [UP, UP, LEFT, LEFT, DOWN, DOWN, DOWN, RIGHT, STAY]
    first, places, _, terminated, truncated = walk(room, [8], actions)
    assert (first, places) == (4, [7, 7, 6, 6, 3, 0, 0, 1, 1])
    assert not any(terminated) and truncated == [False] * 8 + [True]


@pytest.mark.parametrize(("hard", "rewards"), [(False, [1, 1, 0, 1]), (True, [1, 0, 0, 0])])
def test_a_goal_brings_1_in_every_step_on_it_or_once(hard, rewards):
    room = load("dark-room", size=3, horizon=4, hard=hard)
    assert walk(room, [5], [RIGHT, STAY, UP, DOWN])[2] == rewards


def test_a_door_brings_nothing_without_the_key_and_ends_the_episode_with_it():
    room = load("dark-key-to-door", size=3, horizon=9)
    task = room.sample_task(jax.random.key(0))
    key = next(i for i in range(100) if room.reset(jax.random.key(i), task)[0] == 4)
    actions = [RIGHT, UP, STAY, LEFT, LEFT, DOWN, DOWN, STAY, UP]  # over the door, to the key
    _, places, rewards, terminated, truncated = walk(room, [0, 8], actions, key)
    assert places[1] == 8 and rewards == [0, 0, 0, 0, 0, 0, 1, 0, 0]
    assert not any(terminated) and truncated[-1]
    _, _, rewards, terminated, truncated = walk(room, [1, 2], [DOWN, RIGHT], key)
    assert (rewards, terminated, truncated) == ([1, 1], [False, True], [False, False])


def test_episodes_with_a_key_begin_anywhere():
    room = load("dark-key-to-door", size=3)
    task = room.sample_task(jax.random.key(0))
    keys = jax.random.split(jax.random.key(1), 300)
    assert set(jax.vmap(lambda key: room.reset(key, task)[0])(keys).tolist()) == set(range(9))


@pytest.mark.parametrize(("name", "count"), [("dark-room", 80), ("dark-key-to-door", 6480)])
def test_the_splits_share_out_all_tasks(name, count):
    room = load(name)
    draw = jax.jit(
        lambda key, split: room.sample_tasks(key, 60 * count // 9, split).targets, static_argnums=1
    )
    held = {split: set(map(tuple, draw(jax.random.key(0), split).tolist())) for split in SPLITS}
    assert sum(map(len, held.values())) == len(set.union(*held.values())) > 0.99 * count
    assert abs(len(held["test"]) - 0.15 * count) < 1 + 0.01 * count
    if name == "dark-room":
        assert (40,) not in set.union(*held.values())  # the middle


@pytest.mark.parametrize("hard", [False, True])
def test_the_optimum_is_to_walk_there_and_stay(hard):
    room = load("dark-room", size=5, horizon=4, hard=hard)
    assert room.optimal_return is not None
    for cell in set(range(25)) - {12}:
        away = abs(cell % 5 - 2) + abs(cell // 5 - 2)
        task = DarkRoomTask(jnp.array([cell], jnp.int32))
        expected = (away <= 4) if hard else max(0, 5 - away)
        assert float(room.optimal_return(task)) == expected, cell


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 1}, "size is 1; it must be a whole number of at least 2"),
        ({"size": 33}, "size is 33; at most 32 are accepted"),
        ({"horizon": 0}, "horizon is 0"),
        ({"hard": 1}, "hard is 1; it must be true or false"),
    ],
)
def test_settings_that_make_no_room_are_refused(settings, message):
    with pytest.raises(InvalidInput, match=message):
        load("dark-room", **settings)


def test_a_hard_room_is_larger_unless_told_otherwise():
    assert load("dark-room", hard=True).settings["size"] == 17
    assert load("dark-room", hard=True, size=9).settings["size"] == 9
    assert np.prod([load("dark-room").observation_space.n]) == 81  # pyright: ignore
