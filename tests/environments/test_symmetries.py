"""Symmetries of a world: a group, and a world turned round goes on as what is seen and done, turned round."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.environments import KeyToDoorTask, Symmetries, features, load

SIZE = 3


@pytest.fixture(scope="module")
def rooms():
    return load("key-to-door", size=SIZE, room_steps=2, corridor=2)


def test_they_are_a_group_of_eight_whose_first_is_the_identity(rooms):
    group = rooms.symmetries
    assert len(np.unique(group.features, axis=0)) == 8
    np.testing.assert_array_equal(group.features[0], np.arange(group.features.shape[1]))
    products = group.products
    np.testing.assert_array_equal(products[0], np.arange(8))
    for row in (*products, *products.T):
        assert sorted(row) == list(range(8))
    for g, h in np.ndindex(8, 8):
        np.testing.assert_array_equal(
            group.actions[products[g, h]], group.actions[g][group.actions[h]]
        )
    assert len({tuple(row) for row in group.actions}) == 8
    np.testing.assert_array_equal(Symmetries.none(4, 2).products, [[0]])


def test_a_world_turned_round_goes_on_turned_round(rooms):
    group = rooms.symmetries
    cells = group.features[:, 3 : 3 + SIZE]  # where each column of the place goes
    see = lambda o: features(rooms.observation_space, o)  # noqa: E731

    def turned_cell(cell: int, g: int) -> int:
        """Returns the cell by what happens to the features of its column and row."""
        moved = [group.features[g, 3 + cell % SIZE], group.features[g, 6 + cell // SIZE]]
        x, y = sorted(moved)
        return int((y - 6) * SIZE + (x - 3))

    assert cells.shape == (8, SIZE)

    @jax.jit
    def walked(task, actions):
        observation, state = rooms.reset(jax.random.key(0), task)

        def step(state, action):
            taken = rooms.step(jax.random.key(0), state, action, task)
            return taken.state, (see(taken.observation), taken.reward, taken.terminated)

        return see(observation), jax.lax.scan(step, state, actions)[1]

    # To the key at the upper right and, four steps later, to the door at the left.
    task, actions = (8, 3), np.array([1, 0, 0, 3, 3, 0])
    first, (later, rewards, ended) = jax.device_get(walked(cell_task(*task), actions))
    assert rewards.tolist() == [0, 0, 0, 0, 1, 0]
    for g in range(8):
        turned = cell_task(*(turned_cell(cell, g) for cell in task))
        begun, (after, same, over) = jax.device_get(walked(turned, group.actions[g][actions]))
        np.testing.assert_array_equal(begun[group.features[g]], first)
        np.testing.assert_array_equal(after[:, group.features[g]], later)
        np.testing.assert_array_equal(same, rewards)
        np.testing.assert_array_equal(over, ended)


def test_a_room_without_a_cell_in_its_middle_has_none():
    assert load("key-to-door", size=4, room_steps=4).symmetries is None


def cell_task(key: int, door: int) -> KeyToDoorTask:
    return KeyToDoorTask(jnp.int32(key), jnp.int32(door))
