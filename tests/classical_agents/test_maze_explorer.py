"""The explorer of mazes: it uses nothing that it has not seen, and forgets nothing that it has."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.classical_agents import make
from metarl.classical_agents.maze_explorer import cells_in_view
from metarl.classical_agents.maze_steering import shut_sides
from metarl.environments import Environment, MazeState, Trial, load, play
from metarl.errors import InvalidInput

SIDES = ((1, 0), (0, 1), (-1, 0), (0, -1))
SIZE = 5


@pytest.fixture(scope="module")
def explorer(explorer_of):
    return explorer_of("frontier")


@pytest.mark.slow  # the quick forms: what it sees, what it does not, and that it forgets nothing
def test_it_finds_every_goal_and_then_walks_as_who_knows_the_map(maze_trial, mazes):
    tasks = jax.tree.map(lambda *x: jnp.stack(x), *mazes)
    found, guided = (
        jax.device_get(play(make(name, maze_trial), maze_trial, jax.random.key(2), tasks))
        for name in ("frontier", "oracle")
    )
    assert found.terminated.all()
    np.testing.assert_array_equal(found.lengths[:, 1], guided.lengths[:, 1])
    first, best = found.lengths[:, 0], guided.lengths[:, 0]
    assert (first >= best).all() and first.sum() > 1.5 * best.sum()


def view_by_walking(walls, cell, heading) -> np.ndarray:
    """Which cells are seen, by walking from cell to cell."""
    seen = np.zeros((SIZE, SIZE), bool)
    seen[cell] = True
    for side, (dx, dy) in enumerate(SIDES):
        away = abs((side * 90 - heading + 180) % 360 - 180)
        x, y = cell
        while away <= 45 and not (
            walls[0, max(x, x + dx), y] if dx else walls[1, max(y, y + dy), x]
        ):
            x, y = x + dx, y + dy
            seen[x, y] = True
    return seen


def test_what_is_seen_is_the_corridors_within_the_view(mazes):
    view = jax.jit(lambda task, state: cells_in_view(shut_sides(task), state))
    rng = np.random.default_rng(0)
    for index in range(20):
        task = mazes[index]
        cell, heading = tuple(rng.integers(0, SIZE, 2).tolist()), 15 * int(rng.integers(0, 24))
        position = jnp.array(cell) + rng.uniform(0.1, 0.9, 2)
        state = MazeState(position, jnp.float32(math.radians(heading)), jnp.int32(0))
        expected = view_by_walking(np.asarray(task.walls), cell, heading)
        np.testing.assert_array_equal(view(task, state), expected)


def test_what_it_has_not_seen_changes_no_action(mazes, explorer):
    """At every step of the first episodes, the goal and the walls among cells not yet seen are drawn anew."""
    rng, changed = np.random.default_rng(0), 0
    for index in range(3):
        task = mazes[index]
        memory = explorer.begin(task)
        for _ in range(60):
            seen = np.asarray(memory.seen)
            if seen.all() or seen[int(task.goal) % SIZE, int(task.goal) // SIZE]:
                break
            walls = np.array(task.walls)
            for x, y in np.argwhere(~seen):
                if x + 1 < SIZE and not seen[x + 1, y]:
                    walls[0, x + 1, y] = rng.random() < 0.5
                if y + 1 < SIZE and not seen[x, y + 1]:
                    walls[1, y + 1, x] = rng.random() < 0.5
            x, y = rng.permutation(np.argwhere(~seen))[0]
            other = task._replace(walls=jnp.array(walls), goal=jnp.int32(x + SIZE * y))
            action = explorer.act(memory)
            assert explorer.act(memory._replace(task=other)) == action
            changed += (walls != np.asarray(task.walls)).any()
            memory = explorer.observe(memory, action, False)
    assert changed > 30


def test_nothing_that_was_seen_is_forgotten_between_episodes(mazes, explorer):
    memory = explorer.begin(mazes[0])
    before = np.asarray(memory.seen)
    for step in range(40):
        memory = explorer.observe(memory, explorer.act(memory), step == 39)
    assert np.asarray(memory.seen).sum() > before.sum() and memory.seen[before].all()
    np.testing.assert_array_equal(memory.state.position, memory.start.position)


def test_a_world_of_another_kind_with_the_name_is_refused():
    plain = load("pendulum")
    other = Environment(**{**vars(plain), "name": "maze"})
    with pytest.raises(InvalidInput, match="Agent 'frontier' of mazes acts in metarl's own mazes"):
        make("frontier", Trial(other, steps=3))
