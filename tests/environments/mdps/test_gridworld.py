"""Grids: moves, rewards, how tasks are dealt, the optimum."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.environments import SPLITS, load, plan
from metarl.environments.mdps.gridworld import GridState, GridTask, deal
from metarl.errors import InvalidInput

UP, RIGHT, DOWN, LEFT, STAY = range(5)


def act(environment, place, action, goal=8, time=0):
    """Returns the step from a cell."""
    task = GridTask(jnp.int32(0), jnp.int32(goal))
    state = GridState(jnp.int32(place), jnp.int32(time))
    return environment.step(jax.random.key(0), state, jnp.int32(action), task)


@pytest.mark.parametrize(
    ("place", "action", "leads_to"),
    [
        (4, UP, 7), (4, RIGHT, 5), (4, DOWN, 1), (4, LEFT, 3), (4, STAY, 4),  # from the middle
        (0, DOWN, 0), (0, LEFT, 0), (2, RIGHT, 2), (7, UP, 7),  # into a wall
    ],
)  # fmt: skip
def test_moves_lead_to_the_next_cell_or_stop_at_a_wall(place, action, leads_to):
    # 6 7 8
    # 3 4 5
    # 0 1 2
    step = act(load("gridworld", size=3), place, action)
    assert step.observation == step.state.place == leads_to


def test_the_goal_pays_and_does_not_end_the_episode():
    grid = load("gridworld", size=3, horizon=5)
    reached, stayed = act(grid, 7, RIGHT), act(grid, 8, STAY, time=3)
    assert reached.reward == stayed.reward == 1
    assert not reached.terminated and not reached.truncated and not stayed.truncated
    missed = act(grid, 7, LEFT)
    np.testing.assert_allclose(missed.reward, -0.1)


def test_the_horizon_truncates():
    last = act(load("gridworld", size=3, horizon=5), 0, STAY, time=4)
    assert last.truncated and not last.terminated


def test_starts_and_goals_are_dealt_out_without_rest_or_overlap():
    dealt = {split: set(map(tuple, pairs)) for split, pairs in deal(5, "random").items()}
    assert [len(dealt[split]) for split in SPLITS] == [420, 90, 90]
    every_pair = {(start, goal) for start in range(25) for goal in range(25) if start != goal}
    assert set.union(*dealt.values()) == every_pair  # 600 of 600: so they are disjoint


def test_tasks_are_dealt_out_alike_in_every_session():
    assert deal(5, "random")["test"][:3].tolist() == [[16, 17], [21, 23], [12, 23]]


def test_a_split_draws_its_own_tasks_and_all_of_them():
    tasks = load("gridworld").sample_tasks(jax.random.key(0), 2000, "validation")
    drawn = set(zip(tasks.start.tolist(), tasks.goal.tolist(), strict=True))
    assert drawn == set(map(tuple, deal(5, "random")["validation"].tolist()))


def test_from_a_corner_any_goal_but_those_around_it_is_possible():
    for split in SPLITS:
        pairs = deal(5, "corner")[split]
        assert len(pairs) == 21 and set(pairs[:, 0]) == {0}
        assert set(range(25)) - set(pairs[:, 1]) == {0, 1, 5, 6}


@pytest.mark.parametrize(("start", "goal"), [(0, 1), (0, 8), (4, 2), (8, 0), (3, 3)])
@pytest.mark.parametrize("horizon", [1, 3, 6])
def test_the_optimum_is_that_of_dynamic_programming(start, goal, horizon):
    grid = load("gridworld", size=3, horizon=horizon)
    transitions, rewards = np.zeros((9, 5, 9), np.float32), np.zeros((9, 5), np.float32)
    states = GridState(jnp.repeat(jnp.arange(9), 5), jnp.zeros(45, jnp.int32))
    task = GridTask(jnp.int32(start), jnp.int32(goal))
    steps = jax.vmap(lambda s, a: grid.step(jax.random.key(0), s, a, task))(
        states, jnp.tile(jnp.arange(5), 9)
    )
    for row, (place, reward) in enumerate(zip(steps.observation, steps.reward, strict=True)):
        transitions[row // 5, row % 5, place], rewards[row // 5, row % 5] = 1, reward
    best = plan(jnp.array(transitions), jnp.array(rewards), horizon).values[0, start]
    assert grid.optimal_return is not None
    np.testing.assert_allclose(grid.optimal_return(task), best, rtol=1e-5)


def test_a_picture_shows_the_cell_one_is_in_and_not_the_goal():
    cells, pictures = load("gridworld", size=3), load("gridworld", size=3, pixels=2)
    assert pictures.observation_space.shape == (6, 6, 3)
    assert "pixels" not in cells.settings and load("gridworld", size=3, pixels=0) is cells
    place, right = jnp.int32(4), jnp.int32(1)
    seen = [
        np.asarray(pictures.step(jax.random.key(0), GridState(place, place), right, task)[0])
        for task in (GridTask(place, jnp.int32(goal)) for goal in (2, 5))
    ]
    np.testing.assert_array_equal(seen[0], seen[1])
    assert pictures.observation_space.contains(seen[0])
    dark = seen[0].sum(axis=-1) < 0
    assert np.argwhere(dark).tolist() == [[2, 4], [2, 5], [3, 4], [3, 5]]  # row 1, column 2
    first = np.asarray(pictures.reset(jax.random.key(0), GridTask(jnp.int32(0), place))[0])
    assert np.argwhere(first.sum(axis=-1) < 0).tolist() == [[4, 0], [4, 1], [5, 0], [5, 1]]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 1}, "size is 1; it must be a whole number of at least 2."),
        ({"size": 2, "start": "corner"}, "size is 2; it must be a whole number of at least 3."),
        ({"pixels": -1}, "pixels is -1; it must be a whole number of at least 0."),
        ({"pixels": 103}, "pictures of 515 x 515 pixels; at most 512"),
        ({"size": 33}, "size is 33; at most 32 are accepted"),
        ({"start": "centre"}, "Unknown value of start 'centre'. .*Known: corner, random."),
        ({"horizon": 0}, "horizon is 0; it must be a whole number of at least 1."),
    ],
)
def test_settings_that_make_no_grid_are_refused(settings, message):
    with pytest.raises(InvalidInput, match=message):
        load("gridworld", **settings)
