"""Dark mazes: walls hold, the goal is the farthest cell, and who knows both reaches it as probably as can be."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl import classical_agents
from metarl.environments import Trial, load, neighbours, play
from metarl.environments.contract.canvas import BODY, GOAL, START
from metarl.environments.mazes.dark_maze import DarkMazeState, steps_from
from metarl.environments.mazes.layouts import (
    inner_walls,
    opened_walls,
    shape_of,
    with_outer_walls,
)
from metarl.errors import InvalidInput

pytestmark = pytest.mark.usefixtures("keys_checked")
SIZE, TASKS = 4, 40


@pytest.fixture(scope="module")
def mazes():
    family = load("dark-maze", size=SIZE, opened=0.2)
    return jax.device_get(family.sample_tasks(jax.random.key(0), TASKS))


def led(walls: np.ndarray, cell: int, action: int) -> int:
    """Returns where an action leads, by the picture of the walls that `layouts` tells of."""
    x, y = cell % SIZE, cell // SIZE
    closed = (walls[1, y + 1, x], walls[0, x + 1, y], walls[1, y, x], walls[0, x, y])
    dx, dy = ((0, 1), (1, 0), (0, -1), (-1, 0))[action]
    return cell if closed[action] else (y + dy) * SIZE + x + dx


def test_an_action_leads_to_the_next_cell_or_a_wall_holds_one_back(mazes):
    found = jax.device_get(jax.vmap(neighbours)(mazes.walls))
    for walls, leads_to in zip(mazes.walls, found, strict=True):
        naive = [[led(walls, cell, action) for action in range(4)] for cell in range(SIZE**2)]
        np.testing.assert_array_equal(leads_to, naive)


def test_the_goal_is_the_farthest_cell_and_can_be_reached(mazes):
    found = jax.device_get(jax.vmap(lambda t: steps_from(t.start, neighbours(t.walls)))(mazes))
    for index in range(TASKS):
        steps, edge = {int(mazes.start[index]): 0}, [int(mazes.start[index])]
        while edge:
            cell = edge.pop(0)
            for following in (led(mazes.walls[index], cell, action) for action in range(4)):
                if following not in steps:
                    steps[following] = steps[cell] + 1
                    edge.append(following)
        assert sorted(steps) == list(range(SIZE**2))
        assert found[index].tolist() == [steps[cell] for cell in range(SIZE**2)]
        assert steps[int(mazes.goal[index])] == max(steps.values())


def test_so_many_of_the_other_walls_are_opened():
    closed = with_outer_walls(jnp.ones(2 * 20 * 19, bool), 20)
    opened = opened_walls(jax.random.key(1), closed, 0.25)
    left = int(inner_walls(opened).sum())
    assert abs(left - 570) < 48  # four standard deviations
    assert int(opened.sum()) - left == 80  # those around stand


@pytest.mark.parametrize("slip", [0.3, pytest.param(0.0, marks=pytest.mark.slow)])
def test_who_knows_the_maze_reaches_the_goal_as_probably_as_can_be(slip):
    family = load("dark-maze", size=SIZE, horizon=12, slip=slip)
    trial = Trial(family, episodes=20)
    tasks = family.sample_tasks(jax.random.key(2), 100)
    assert family.optimal_return is not None
    best = np.asarray(jax.vmap(family.optimal_return)(tasks)).mean()
    played = play(classical_agents.make("oracle", trial), trial, jax.random.key(3), tasks)
    # 2,000 episodes: four standard deviations are at most 0.045
    assert abs(np.asarray(played.returns).mean() - best) < (0.045 if slip else 1e-6)
    if not slip:
        away = jax.vmap(lambda t: steps_from(t.start, neighbours(t.walls))[t.goal])(tasks)
        np.testing.assert_array_equal(played.lengths[:, 0], np.minimum(away, 12))


def test_an_action_slips_so_often(mazes):
    family = load("dark-maze", size=SIZE, slip=0.4)
    task = jax.tree.map(lambda all_: all_[0], mazes)
    keys = jax.random.split(jax.random.key(4), 4_000)
    state = DarkMazeState(task.start, np.int32(0))  # pyright: ignore
    action = next(a for a in range(4) if led(task.walls, int(task.start), a) != task.start)
    places = jax.vmap(lambda key: family.step(key, state, jnp.int32(action), task).state.place)(
        keys
    )
    went = np.mean(np.asarray(places) == led(task.walls, int(task.start), action))
    assert abs(went - 0.7) < 0.03  # four standard deviations


def test_the_mean_reward_is_that_of_many_steps(mazes):
    """Beside the goal, in each of four actions; five standard deviations of 4,000 steps are below 0.04."""
    family = load("dark-maze", size=SIZE, opened=0.2, slip=0.4)
    task = jax.tree.map(lambda all_: jnp.asarray(all_[0]), mazes)
    beside = next(
        c for c in range(SIZE**2) if mazes.goal[0] in [led(mazes.walls[0], c, a) for a in range(4)]
    )
    state, mean_reward = DarkMazeState(jnp.int32(beside), jnp.int32(0)), family.mean_reward
    assert mean_reward is not None
    keys = jax.random.split(jax.random.key(5), 4 * 4_000).reshape(4, -1)

    @jax.jit
    def tried(keys, action):
        step = jax.vmap(lambda key: family.step(key, state, action, task).reward)
        return jnp.mean(step(keys)), mean_reward(state, action, task)

    found, told = jax.vmap(tried)(keys, jnp.arange(4))
    assert np.ptp(told) > 0.5
    np.testing.assert_allclose(found, told, atol=0.04)


@pytest.mark.slow
def test_no_shape_of_a_layout_is_in_two_splits():
    family, seen = load("dark-maze", size=3), {}
    for split in ("train", "validation", "test"):
        walls = family.sample_tasks(jax.random.key(5), 300, split).walls
        seen[split] = set(np.asarray(jax.vmap(shape_of)(walls)).tolist())
    assert not seen["train"] & seen["test"] and not seen["validation"] & seen["test"]
    assert not seen["train"] & seen["validation"]


def test_the_picture_has_start_goal_and_body_where_they_are(mazes):
    (draw,) = load("dark-maze", size=SIZE).views.values()
    task = jax.tree.map(lambda all_: all_[0], mazes)._replace(start=np.int32(0), goal=np.int32(15))
    picture = draw(task, DarkMazeState(np.array([0, 1]), np.arange(2)))[::-1]  # pyright: ignore
    for colour, cell in ((START, (0.5, 0.5)), (BODY, (1.5, 0.5)), (GOAL, (3.5, 3.5))):
        rows, columns = np.nonzero((picture == colour).all(axis=-1))
        np.testing.assert_allclose([columns.mean() / 60, rows.mean() / 60], cell, atol=0.15)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 2}, "size is 2; it must be a whole number of at least 3"),
        ({"size": 32}, "size is 32; at most 31 is accepted"),
        ({"slip": 1.5}, "slip is 1.5; it must lie between 0 and 1"),
        ({"opened": -0.1}, "opened is -0.1; it must lie between 0 and 1"),
        ({"opened": 1}, "without any wall all layouts are one"),
    ],
)
def test_settings_that_make_no_maze_are_refused(settings, message):
    with pytest.raises(InvalidInput, match=message):
        load("dark-maze", **settings)
