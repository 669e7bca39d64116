"""Key to door: three rooms, of which the last pays for what was done in the first."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.classical_agents import make
from metarl.environments import KeyToDoorTask, Trial, load, play
from metarl.environments.mdps.gridworld import MOVES
from metarl.errors import InvalidInput

SIZE, ROOM, CORRIDOR = 3, 3, 2
UP, RIGHT, DOWN, LEFT, STAY = range(5)


@pytest.fixture(scope="module")
def rooms():
    return load("key-to-door", size=SIZE, room_steps=ROOM, corridor=CORRIDOR)


@pytest.fixture(scope="module")
def walk(rooms):
    """Returns a function: task, actions -> observations, rewards, ends, of an episode."""

    @jax.jit
    def steps(task, actions):
        observation, state = rooms.reset(jax.random.key(0), task)

        def step(state, action):
            step = rooms.step(jax.random.key(0), state, action, task)
            return step.state, (step.observation, step.reward, step.terminated, step.truncated)

        return observation, jax.lax.scan(step, state, actions)[1]

    def walked(key, door, *actions):
        padded = jnp.array([*actions, *[STAY] * (rooms.horizon - len(actions))])
        return jax.device_get(steps(KeyToDoorTask(jnp.int32(key), jnp.int32(door)), padded))

    return walked


def naive_return(key, door, actions):
    """Returns what the walk earns, by the words of the module."""
    has_key, middle = False, (SIZE // 2, SIZE // 2)
    for room, length in enumerate((ROOM, CORRIDOR, ROOM)):
        x, y = middle
        for action in actions[:length]:
            x, y = (
                int(np.clip(a + b, 0, SIZE - 1)) for a, b in zip((x, y), MOVES[action], strict=True)
            )
            has_key |= room == 0 and (x, y) == (key % SIZE, key // SIZE)
            if room == 2 and has_key and (x, y) == (door % SIZE, door // SIZE):
                return 1.0
        actions = actions[length:]
    return 0.0


def test_every_walk_earns_what_the_words_say(walk, rooms):
    rng = np.random.default_rng(0)
    for _ in range(300):
        key, door = rng.choice([0, 1, 2, 3, 5, 6, 7, 8], 2)
        actions = rng.integers(0, 5, rooms.horizon)
        _, (_, rewards, terminated, truncated) = walk(key, door, *actions)
        first = np.flatnonzero(terminated | truncated)[0]
        assert rewards[: first + 1].sum() == naive_return(key, door, list(actions))
        assert terminated[first] == (rewards[first] == 1)


def test_the_key_is_seen_until_it_is_taken_and_later_nothing_tells_of_it(walk):
    first, (with_key, *_) = walk(5, 7, RIGHT, LEFT)
    assert first.tolist() == [0, 1, 1, 2, 1]
    assert with_key[0].tolist() == [0, 2, 1, SIZE, SIZE]
    _, (without, *_) = walk(5, 7, UP, DOWN)
    assert without[0].tolist() == [0, 1, 2, 2, 1]
    assert with_key[2].tolist() == [1, 1, 1, SIZE, SIZE]
    assert with_key[4].tolist() == [2, 1, 1, 1, 2]
    np.testing.assert_array_equal(with_key[2:], without[2:])


def test_the_door_opens_with_the_key_alone(walk):
    to_door = (*[STAY] * CORRIDOR, UP)
    _, (_, rewards, terminated, _) = walk(5, 7, RIGHT, STAY, STAY, *to_door)
    assert rewards[:6].tolist() == [0, 0, 0, 0, 0, 1]
    assert terminated[5] and not terminated[:5].any()
    _, (_, rewards, terminated, truncated) = walk(5, 7, LEFT, STAY, STAY, *to_door)
    assert not rewards.any() and not terminated.any() and truncated[-1]


def test_no_pair_of_key_and_door_is_in_two_splits_nor_in_the_middle(rooms):
    pairs = {}
    for split in ("train", "validation", "test"):
        tasks = rooms.sample_tasks(jax.random.key(0), 2000, split)
        pairs[split] = set(zip(tasks.key.tolist(), tasks.door.tolist(), strict=True))
    assert sum(map(len, pairs.values())) == len(set().union(*pairs.values())) == 64
    assert all(4 not in pair for pair in set().union(*pairs.values()))
    assert all(not a & b for a, b in itertools.combinations(pairs.values(), 2))


def test_who_walks_to_what_is_seen_always_opens_the_door(rooms):
    trial = Trial(rooms, episodes=2)
    tasks = rooms.sample_tasks(jax.random.key(0), 60, "train")
    oracle = play(make("oracle", trial), trial, jax.random.key(1), tasks)
    assert (oracle.returns == 1).all()
    assert (oracle.lengths <= ROOM * 2 + CORRIDOR).all() and oracle.terminated.all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 1}, "size is 1; it must be a whole number of at least 2"),
        ({"size": 33}, "size is 33; at most 32"),
        (
            {"size": 5, "room_steps": 3},
            r"room_steps is 3; in a room of 5 x 5 cells a key may be 4 steps away",
        ),
        ({"corridor": 0}, "corridor is 0; it must be a whole number of at least 1"),
    ],
)
def test_rooms_that_cannot_be_are_refused(settings, message):
    with pytest.raises(InvalidInput, match=message):
        load("key-to-door", **settings)


def test_the_oracle_of_these_rooms_is_none_of_others():
    with pytest.raises(InvalidInput, match="agents for those"):
        make("searcher", Trial(load("key-to-door"), episodes=1))
