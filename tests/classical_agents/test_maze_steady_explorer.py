"""The explorer that can be imitated: where it goes, that it keeps to it, and what it does not know."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.classical_agents import make
from metarl.classical_agents.maze_steady_explorer import beyond_each
from metarl.classical_agents.maze_steering import FORWARD, LEFT, RIGHT, cell_of, shut_sides
from metarl.environments import Trial, load, play

SIDES = ((1, 0), (0, 1), (-1, 0), (0, -1))
SIZE = 5


@pytest.fixture(scope="module")
def explorer(explorer_of):
    return explorer_of("steady-frontier")


def nearest_by_walking(walls, cell, side, targets) -> float:
    """How far it is to the nearest target beyond a side, breadth first, without coming back through the cell."""
    seen, ways, steps = {cell}, [cell], 0
    allowed = [side]
    while ways:
        steps, reached = steps + 1, []
        for x, y in ways:
            for dx, dy in allowed:
                shut = walls[0, max(x, x + dx), y] if dx else walls[1, max(y, y + dy), x]
                if not shut and (x + dx, y + dy) not in seen:
                    seen.add((x + dx, y + dy))
                    reached.append((x + dx, y + dy))
        if any(targets[place] for place in reached):
            return steps
        ways, allowed = reached, SIDES
    return np.inf


def test_what_is_nearest_beyond_each_side_is_what_a_walk_finds(mazes):
    measure = jax.jit(lambda task, cell, targets: beyond_each(shut_sides(task), cell, targets))
    rng = np.random.default_rng(0)
    for index in range(20):
        task = mazes[index]
        cell = tuple(rng.integers(0, SIZE, 2).tolist())
        targets = rng.random((SIZE, SIZE)) < 0.15
        expected = [nearest_by_walking(np.asarray(task.walls), cell, s, targets) for s in SIDES]
        np.testing.assert_array_equal(measure(task, jnp.array(cell), targets), expected)


def test_what_it_has_decided_holds_until_it_is_elsewhere_or_not_worth_it(mazes, explorer):
    """Moved about at random within cells, as somebody is who learns from it."""
    rng, kept, changed = np.random.default_rng(0), 0, 0
    for index in range(5):
        memory = explorer.begin(mazes[index])
        for _ in range(60):
            action = jnp.int32(rng.choice((LEFT, RIGHT, FORWARD)))
            after = explorer.observe(memory, action, False)
            same_cell = (cell_of(after.state) == cell_of(memory.state)).all()
            learnt = (after.seen != memory.seen).any()
            if same_cell and not learnt:
                assert after.side == memory.side
                kept += 1
            changed += bool(after.side != memory.side)
            memory = after
    assert kept > 100 and changed > 10


def test_it_turns_on_after_it_has_walked_against_a_wall(mazes, explorer):
    memory = explorer.begin(mazes[0])
    shut = np.asarray(shut_sides(memory.task))
    x, y = np.argwhere(shut[0])[0]  # a cell with a wall to the right
    middle = jnp.array([x + 0.5, y + 0.5], jnp.float32)
    state = memory.state._replace(position=middle, heading=jnp.float32(0))
    moving = explorer.observe(memory._replace(state=state), jnp.int32(FORWARD), False)
    assert not moving.blocked
    blocked = moving
    for _ in range(3):  # it keeps away from the wall by its own width
        blocked = explorer.observe(blocked, jnp.int32(FORWARD), False)
    assert blocked.blocked and explorer.act(blocked) != FORWARD
    assert not explorer.observe(blocked, jnp.int32(LEFT), False).blocked


def test_walls_and_goal_that_it_has_not_seen_change_nothing(mazes, explorer):
    rng, changed = np.random.default_rng(0), 0
    for index in range(3):
        task = mazes[index]
        memory = explorer.begin(task)
        for _ in range(60):
            seen = np.asarray(memory.seen)
            if seen.all() or seen[int(task.goal) % SIZE, int(task.goal) // SIZE]:
                break
            x, y = rng.permutation(np.argwhere(~seen))[0]
            other = task._replace(goal=jnp.int32(x + SIZE * y))
            action = explorer.act(memory)
            assert explorer.act(memory._replace(task=other)) == action
            there = explorer.observe(memory._replace(task=other), action, False)
            memory = explorer.observe(memory, action, False)
            if not memory.seen[x, y]:
                assert there.side == memory.side
                changed += 1
    assert changed > 30


@pytest.mark.slow  # the quick forms are above
@pytest.mark.parametrize("frames", [4, 8])
def test_it_finds_every_goal_and_then_walks_there_at_once(frames):
    world = load("maze", size=SIZE, frame_skip=frames, horizon=1000, width=13, height=13)
    trial = Trial(world, episodes=2)
    tasks = trial.environment.sample_tasks(jax.random.key(1), 100, "test")
    found, guided = (
        jax.device_get(play(make(name, trial), trial, jax.random.key(2), tasks))
        for name in ("steady-frontier", "oracle")
    )
    assert found.terminated.all()
    first, second = found.lengths.mean(axis=0)
    best = guided.lengths[:, 1].mean()
    assert second < 1.05 * best and first > 1.5 * second
