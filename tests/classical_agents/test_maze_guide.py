"""The guide in mazes: its way is the only one, and it loses no step on it but by turning."""

from __future__ import annotations

from itertools import pairwise

import jax
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
    ("size", "frame_skip"), [(3, 4), pytest.param(5, 4, marks=pytest.mark.slow), (5, 1)]
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


def test_a_world_of_another_kind_with_the_name_is_refused():
    plain = load("pendulum")
    other = Environment(**{**vars(plain), "name": "maze"})
    with pytest.raises(InvalidInput, match="acts in metarl's own mazes, not in 'maze'"):
        make("oracle", Trial(other, steps=3))
