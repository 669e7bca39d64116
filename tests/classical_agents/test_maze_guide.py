"""The guide in mazes: its way is the only one, and it loses no step on it but by turning."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.classical_agents import make
from metarl.classical_agents.maze_guide import ways_to_goal
from metarl.environments import Environment, Trial, load, play
from metarl.errors import InvalidInput

SIDES = ((1, 0), (0, 1), (-1, 0), (0, -1))
SMALL = {"width": 13, "height": 13}


def way_by_search(walls: np.ndarray, start: tuple[int, int], goal: tuple[int, int]) -> list:
    """Returns the cells from start to goal, found by trying all of them, breadth first."""
    came_from, waiting = {start: start}, [start]
    for x, y in waiting:
        for dx, dy in SIDES:
            shut = walls[0, max(x, x + dx), y] if dx else walls[1, max(y, y + dy), x]
            if not shut and (x + dx, y + dy) not in came_from:
                came_from[x + dx, y + dy] = (x, y)
                waiting.append((x + dx, y + dy))
    way = [goal]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    return way[::-1]


@pytest.mark.parametrize("size", [3, 6])
def test_the_ways_are_those_of_a_search_through_all_cells(size):
    environment = load("maze", size=size, **SMALL)

    @jax.jit
    def drawn(key):
        tasks = environment.sample_tasks(key, 20, "test")
        return tasks, jax.vmap(ways_to_goal)(tasks)

    tasks, ways = jax.device_get(drawn(jax.random.key(1)))
    for task, found in zip(zip(*jax.device_get(tasks), strict=True), ways, strict=True):
        walls, start, _, goal = task
        way = way_by_search(walls, (start % size, start // size), (goal % size, goal // size))
        steps = [SIDES[found[x, y]] for x, y in way[:-1]]
        assert [(x + dx, y + dy) for (x, y), (dx, dy) in zip(way[:-1], steps, strict=True)] == way[
            1:
        ]


@pytest.mark.parametrize(
    ("size", "frame_skip"),
    [
        (3, 4),
        pytest.param(5, 4, marks=pytest.mark.slow),
        pytest.param(5, 1, marks=pytest.mark.slow),
    ],
)
def test_the_guide_takes_about_what_turning_and_walking_take(size, frame_skip):
    horizon = 4000 // frame_skip
    trial = Trial(
        load("maze", size=size, frame_skip=frame_skip, horizon=horizon, **SMALL), episodes=2
    )
    draw = jax.jit(lambda key: trial.environment.sample_tasks(key, 40, "test"))
    tasks = draw(jax.random.key(1))
    played = jax.device_get(play(make("oracle", trial), trial, jax.random.key(2), tasks))
    assert played.terminated.all()
    np.testing.assert_array_equal(*played.lengths.T)  # nothing is left to be learnt
    quarter_turn, cell = 90 / 3.75 / frame_skip, 1 / 0.08 / frame_skip  # in steps
    for task, steps in zip(
        zip(*jax.device_get(tasks), strict=True), played.lengths[:, 0], strict=True
    ):
        walls, start, heading, goal = task
        way = way_by_search(walls, (start % size, start // size), (goal % size, goal // size))
        looks = [round(float(heading) / (np.pi / 2)) % 4]
        looks += [SIDES.index((u - x, v - y)) for (x, y), (u, v) in pairwise(way)]
        turns = sum(min((a - b) % 4, (b - a) % 4) for a, b in pairwise(looks))
        expected = turns * quarter_turn + (len(way) - 1) * cell
        assert 0.5 * expected < steps <= expected + (turns + 1) * quarter_turn / 2


@pytest.mark.parametrize("frame_skip", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_what_an_oracle_has_in_sight_is_about_what_the_guide_gets(frame_skip):
    """On every state of its way, which cuts corners: within a few quarter-turns."""
    environment = load("maze", size=5, frame_skip=frame_skip, horizon=1200 // frame_skip, **SMALL)
    trial = Trial(environment, episodes=1)
    agent, keys = make("oracle", trial), jax.random.split(jax.random.key(4), 20)
    quarter_turn = 90 / 3.75 / frame_skip  # in steps
    oracle: Any = environment.oracle

    @jax.jit
    @jax.vmap
    def follow(key):
        task = environment.sample_task(key, "test")
        solution = oracle.solve(task)
        state, memory = environment.reset(key, task)[1], agent.init(key, trial, task)

        def advance(carry, key):
            state, memory = carry
            value = oracle.value(solution, state)
            action, memory = agent.act(key, memory, jnp.zeros(()))
            step = environment.step(key, state, action, task)
            ends = (step.terminated, step.truncated)
            memory = agent.observe(memory, (), action, step.reward, *ends, ())
            return (step.state, memory), (value, step.reward, step.terminated)

        keys = jax.random.split(jax.random.fold_in(key, 1), trial.length)
        return jax.lax.scan(advance, (state, memory), keys)[1]

    for values, rewards, terminated in zip(*jax.device_get(follow(keys)), strict=True):
        end = int(np.argmax(terminated)) + 1
        assert terminated[end - 1]
        rest = np.cumsum(rewards[:end][::-1])[::-1]
        saves = (rest - values[:end]) / 0.04  # actions
        assert -1.5 * quarter_turn < saves.min() and saves.max() < 3 * quarter_turn


def test_a_goal_out_of_reach_leaves_the_cost_of_the_steps_that_are_left():
    environment = load("maze", size=5, horizon=4, **SMALL)
    oracle: Any = environment.oracle

    @jax.jit
    def begun(key):
        tasks = environment.sample_tasks(key, 30)
        solutions = jax.vmap(oracle.solve)(tasks)
        states = jax.vmap(lambda task: environment.reset(key, task)[1])(tasks)
        near = (
            jax.vmap(lambda solution, start: solution.ways.steps[start])(solutions, tasks.start)
            == 1
        )
        return near, jax.vmap(oracle.value)(solutions, states)

    near, values = jax.device_get(begun(jax.random.key(5)))
    np.testing.assert_allclose(values[~near], -0.16, atol=1e-6)
    assert (values[near] <= 1 - 0.04).all() and (~near).sum() > 20


def test_a_world_of_another_kind_with_the_name_is_refused():
    plain = load("pendulum")
    other = Environment(**{**vars(plain), "name": "maze"})
    with pytest.raises(InvalidInput, match="acts in metarl's own mazes, not in 'maze'"):
        make("oracle", Trial(other, steps=3))
