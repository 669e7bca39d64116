"""The map drawn from what is seen and done: it is right where it says something, and its plans are the shortest."""

from __future__ import annotations

import functools
import math
from collections import deque

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.environments import load
from metarl.environments.contract.signatures import check_signatures
from metarl.environments.mazes.body import FORWARD, LEFT, RIGHT
from metarl.environments.mazes.inner_learning import WORTH, plan, told
from metarl.environments.mazes.mapping import empty_map, look, step
from metarl.environments.mazes.maze import MazeState
from metarl.environments.mazes.sides import MAZE_SIDES as SIDES
from metarl.environments.mazes.sight import depths_seen
from metarl.environments.mazes.view import FAR, cast

SIZE, MIDDLE = 3, 2  # of the mazes here, and the map's cell where one begins
quick_jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
REWARDS = {"goal": 1.0, "step": -0.04, "wall": -0.001}


@pytest.fixture(scope="module")
def world():
    return load("maze", size=SIZE, width=20, height=15)


def random_states(count, size, key):
    """Returns places at which a body can stand, and headings."""
    keys = jax.random.split(key, 3)
    cells = jax.random.randint(keys[0], (count, 2), 0, size)
    position = cells + jax.random.uniform(keys[1], (count, 2), minval=0.21, maxval=0.79)
    heading = jax.random.uniform(keys[2], (count,), maxval=2 * math.pi)
    return MazeState(position, heading, jnp.zeros(count, int))


@pytest.mark.parametrize(("width", "height", "uint8"), [(20, 15, False), (40, 30, True)])
def test_what_ends_the_view_lies_between_the_depths_that_pixels_tell(width, height, uint8):
    maze = load("maze", size=SIZE, width=width, height=height, uint8=uint8)
    tasks = maze.sample_tasks(jax.random.key(0), 200)
    states = random_states(200, SIZE, jax.random.key(1))
    observe = maze.observe
    assert observe is not None
    sighted = quick_jit(jax.vmap(lambda s, t: depths_seen(observe(s, t))))(states, tasks)
    goals = jnp.stack([tasks.goal % SIZE, tasks.goal // SIZE], axis=-1) + 0.5
    rays = quick_jit(jax.vmap(functools.partial(cast, width=width)))(
        tasks.walls, states.position, states.heading, goals
    )
    pillar, depth = rays.pillar < FAR, np.minimum(rays.wall, rays.pillar)
    tall = (
        0.1 * width / 2 / np.maximum(depth, 0.1) > 1
    )  # the pillar covers the middle row, and is not missed
    np.testing.assert_array_equal(sighted.pillar[tall | ~pillar], pillar[tall | ~pillar])
    assert pillar.sum() > 50
    sure = sighted.pillar == pillar
    assert np.all((sighted.clear <= depth + 1e-4) & (depth < sighted.end + 1e-4), where=sure)
    closed = np.isfinite(sighted.end) & sure
    assert closed.mean() > 0.7  # and it tells something of most columns


@functools.partial(quick_jit, static_argnums=0)
def both(world, known, observation, state, action, task):
    """Returns the map and the truth after an action."""
    done = world.step(jax.random.key(0), state, action, task)
    known = look(known, observation)
    ends = (done.reward, done.terminated, done.truncated)
    return step(known, action, *ends, 4, REWARDS), done


def walked(world, task, actions):
    """Yields map, true state and whether the goal was reached, after each action of an episode, one map throughout."""
    observation, state = world.reset(jax.random.key(0), task)
    known = empty_map(SIZE, 500)
    for action in actions:
        known, done = both(world, known, observation, state, jnp.int32(action), task)
        observation, state = done.observation, done.state
        yield known, state, bool(done.terminated)
        if done.terminated:
            return


def in_the_map(task, state):
    """Returns where a true state lies in the map: as one began, in the middle."""
    start = np.array([task.start % SIZE, task.start // SIZE]) + 0.5
    x, y = np.asarray(state.position) - start
    cosine, sine = math.cos(task.heading), math.sin(task.heading)
    place = np.array([x * cosine + y * sine, y * cosine - x * sine]) + SIZE - 0.5
    return place, float(state.heading - task.heading)


def test_one_knows_where_one_is_and_which_walls_stand(world):
    """From all four headings, along the axes and into walls; the map may not know, but is never wrong."""
    draw, told_edges, headings = np.random.default_rng(0), 0, set()
    for number in range(8):
        task = world.sample_task(jax.random.key(number))
        headings.add(round(float(task.heading), 3))
        turns = draw.choice([LEFT, RIGHT], 12)
        actions = [action for turn in turns for action in [turn] * 6 + [FORWARD] * 5]
        for known, state, reached in walked(world, task, actions):
            if reached:
                assert known.goal.sum() == 1
                break
            place, heading = in_the_map(task, state)
            np.testing.assert_allclose(known.position, place, atol=1e-3)
            assert math.cos(float(known.heading) - heading) > 1 - 1e-5
        truth = true_edges(task)
        for believed, stands in ((known.walls, True), (known.open, False)):
            assert (truth[np.asarray(believed)] == stands).all()
            told_edges += int(believed.sum())
    assert len(headings) == 4 and told_edges > 8 * 8


def true_edges(task):
    """Returns which walls stand, laid as in the map [2, M + 1, M]; 2 beyond the maze."""
    extent = 2 * SIZE - 1
    edges = np.full((2, extent + 1, extent), 2)
    walls = np.asarray(task.walls)
    start = np.array([task.start % SIZE, task.start // SIZE]) + 0.5
    turn = complex(math.cos(-task.heading), math.sin(-task.heading))
    for axis, line, cell in np.ndindex(*walls.shape):
        point = np.array([line, cell + 0.5])[:: 1 if axis == 0 else -1] - start
        there = complex(*point) * turn + complex(SIZE - 0.5, SIZE - 0.5)
        x, y = there.real, there.imag
        if abs(x - round(x)) < 0.1:
            edges[0, round(x), math.floor(y)] = walls[axis, line, cell]
        else:
            edges[1, round(y), math.floor(x)] = walls[axis, line, cell]
    return edges


def test_a_wall_that_nobody_has_seen_is_noticed_by_the_reward():
    """Blindly ahead: without a word of walls the step is believed; with one the body stops before the next cell."""
    known = empty_map(SIZE, 10)._replace(position=jnp.array([2.75, 2.5]))
    ahead, no = jnp.int32(FORWARD), jnp.array(False)
    wrong = known._replace(evidence=known.evidence.at[0, 3, 2].set(-1.0))  # no wall stands there

    def led(known, reward, **rewards):
        """Returns how far along the first axis it is believed to have led."""
        after = step(known, ahead, jnp.float32(reward), no, no, 4, {**REWARDS, **rewards})
        assert after.position[1] == 2.5
        return pytest.approx(float(after.position[0]), abs=1e-5)

    assert led(known, -0.04) == 3.07 and led(known, -0.041) == 2.799
    assert led(wrong, -0.04) == 3.07
    assert led(wrong, -0.04, wall=0.0) == 2.799  # where nobody says so the map is believed


def test_an_episode_begins_where_the_first_did_and_the_goal_is_remembered(world):
    known = empty_map(SIZE, 10)._replace(position=jnp.array([3.3, 2.5]), heading=jnp.float32(0.3))
    yes, no = jnp.array(True), jnp.array(False)
    after = step(known, jnp.int32(FORWARD), jnp.float32(0.96), yes, no, 4, REWARDS)
    np.testing.assert_array_equal(np.argwhere(after.goal), [[3, 2]])
    np.testing.assert_allclose(after.position, [2.5, 2.5])
    assert after.heading == 0 and after.time == 0 and after.steps == 1
    assert after.visits[3, 2] == 0 and after.visits[2, 2] == 1  # it was in that cell already


def by_breadth_first_search(targets, ways):
    """Returns the worth of the way to the nearest target through each side of each cell."""
    extent = len(targets)

    def beyond(x, y, side):
        return (x + SIDES[side][0]) % extent, (y + SIDES[side][1]) % extent

    def cells_to_target(place):
        waiting, met = deque([(place, 0)]), {place}
        while waiting:
            place, cells = waiting.popleft()
            if targets[place]:
                return cells
            for side in range(4):
                following = beyond(place[0], place[1], side)
                if ways[side][place] and following not in met:
                    met.add(following)
                    waiting.append((following, cells + 1))
        return math.inf

    worth = np.zeros((4, extent, extent))
    for side, x, y in np.ndindex(*worth.shape):
        if ways[side][x, y]:
            worth[side, x, y] = WORTH ** cells_to_target(beyond(x, y, side))
    return worth


quick_plan = quick_jit(functools.partial(plan, size=25))


def test_plans_are_the_shortest_ways():
    draw = np.random.default_rng(0)
    for _ in range(5):
        targets, ways = draw.random((5, 5)) < 0.08, draw.random((4, 5, 5)) < 0.45
        expected = by_breadth_first_search(targets, ways)
        found = quick_plan(jnp.asarray(targets), jnp.asarray(ways))  # no way is too long
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        assert 0 < (expected > 0).mean() < 1


def test_what_is_told_is_how_it_looks_from_where_one_stands():
    """A corridor to the left of who has turned right by 30°: the goal two cells on, unseen land behind."""
    known = empty_map(SIZE, 40)
    evidence = known.evidence.at[1, MIDDLE + 1, MIDDLE].set(1.0)  # open to the left of the start
    evidence = evidence.at[1, MIDDLE + 2, MIDDLE].set(1.0)
    evidence = evidence.at[0, MIDDLE + 1, MIDDLE].set(-1.0).at[1, MIDDLE, MIDDLE].set(-1.0)
    seen = jnp.zeros_like(known.seen).at[MIDDLE, MIDDLE : MIDDLE + 3].set(True)
    known = known._replace(
        evidence=evidence,
        seen=seen,
        goal=jnp.zeros_like(seen).at[MIDDLE, MIDDLE + 2].set(True),
        visits=known.visits.at[MIDDLE, MIDDLE + 1].set(3.0),
        position=jnp.array([2.6, 2.5]),
        heading=jnp.float32(-math.pi / 6),
        time=jnp.int32(10),
        steps=jnp.int32(30),
    )
    tell = functools.partial(told, size=SIZE, horizon=20, frames=4)
    shown = np.asarray(quick_jit(tell)(known))
    to_goal, to_new, sides, rest = np.split(shown, [3, 6, 26])
    left = math.atan2(1.0, -0.1) + math.pi / 6
    np.testing.assert_allclose(to_goal, [math.sin(left), math.cos(left), WORTH], rtol=1e-5)
    np.testing.assert_allclose(
        to_new, to_goal, rtol=1e-6
    )  # behind it is a cell nearer, and a quarter-turn farther
    ahead_side, left_side, behind_side, right_side = sides.reshape(4, 5)
    np.testing.assert_allclose(ahead_side, [1, 0, 1, 0, 0])
    np.testing.assert_allclose(left_side, [0, 1, 0.5, WORTH, WORTH], rtol=1e-6)
    np.testing.assert_allclose(behind_side, [0, 0, 1, 0, 1])
    np.testing.assert_allclose(right_side, [1, 0, 1, 0, 0])
    expected = [-0.5, math.cos(math.pi / 6), 0.1, 0.0, 1, 0.25, 0.5]
    np.testing.assert_allclose(rest, expected, atol=1e-6)


@pytest.mark.parametrize(
    "settings", [{"width": 1, "height": 1}, {"wall_reward": 0.0, "uint8": True}]
)
def test_any_maze_has_an_inner_learner(settings):
    world = load("maze", size=SIZE, **{"width": 5, "height": 4, **settings})
    assert check_signatures(world).inner_learning is not None
