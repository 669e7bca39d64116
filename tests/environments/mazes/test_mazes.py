"""Mazes: layouts and their splits, how one walks, rewards and ends, what is seen, and pictures."""

from __future__ import annotations

import cmath
import functools
import math

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.environments import SPLITS, GymnasiumEnvironment, Trial, draw_member, load
from metarl.environments.mazes.body import FORWARD, GAP, LEFT, RADIUS, RIGHT, walk
from metarl.environments.mazes.layouts import (
    draw_layout,
    grow,
    inner_walls,
    shape_of,
    split_of,
    twins,
)
from metarl.environments.mazes.layouts import with_outer_walls as surrounded
from metarl.environments.mazes.maze import Maze, MazeState
from metarl.environments.mazes.view import (
    FAR,
    FIELD_OF_VIEW,
    PILLAR_RADIUS,
    cast,
    look,
    shade,
)
from metarl.errors import InvalidInput

EAST, NORTH = 0.0, math.pi / 2
quick_jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
quick_cast = quick_jit(cast, static_argnums=4)
quick_look = quick_jit(look, static_argnums=(4, 5))
quick_shade = quick_jit(shade, static_argnums=(1, 2))


def corridor() -> np.ndarray:
    """Returns the walls of 3 x 3 cells whose bottom row is one corridor, the rest closed cells."""
    walls = np.ones((2, 4, 3), bool)
    walls[0, 1:3, 0] = False
    return walls


def task_in(walls, start=0, heading=EAST, goal=8) -> Maze:
    return Maze(jnp.asarray(walls), jnp.int32(start), jnp.float32(heading), jnp.int32(goal))


def passages(walls) -> list[tuple[int, int]]:
    """Returns the pairs of cells between which there is no wall."""
    size = walls.shape[-1]
    along_x = [
        (y * size + x - 1, y * size + x)
        for x in range(1, size)
        for y in range(size)
        if not walls[0, x, y]
    ]
    along_y = [
        ((y - 1) * size + x, y * size + x)
        for y in range(1, size)
        for x in range(size)
        if not walls[1, y, x]
    ]
    return along_x + along_y


def reached_from(cell: int, pairs) -> set[int]:
    found, waiting = {cell}, [cell]
    while waiting:
        here = waiting.pop()
        beside = {b for pair in pairs if here in pair for b in pair} - found
        found |= beside
        waiting += beside
    return found


# Layouts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [3, 4, 7])
def test_passages_are_a_tree_that_joins_all_cells(size):
    drawn = quick_jit(jax.vmap(functools.partial(grow, size=size)))(
        jax.random.split(jax.random.key(0), 8)
    )
    for walls in np.asarray(drawn):
        assert walls.shape == (2, size + 1, size) and walls[:, [0, -1]].all()
        pairs = passages(walls)
        assert len(pairs) == size**2 - 1
        assert reached_from(0, pairs) == set(range(size**2))
    assert len({walls.tobytes() for walls in np.asarray(drawn)}) == 8


def test_the_lightest_wall_beside_the_joined_cells_is_opened_each_time():
    size, key = 4, jax.random.key(3)
    weights = np.asarray(jax.random.uniform(jax.random.key(3), (2 * size * (size - 1),)))
    all_open = np.asarray(surrounded(jnp.zeros(weights.shape, bool), size))
    sides, joined, opened = passages(all_open), {0}, set()
    while len(joined) < size**2:
        _, pair = min(
            (w, p)
            for w, p in zip(weights, sides, strict=True)
            if (p[0] in joined) != (p[1] in joined)
        )
        joined |= set(pair)
        opened.add(pair)
    assert set(passages(np.asarray(grow(key, size)))) == opened


def every_tree() -> np.ndarray:
    """Returns all layouts of 3 x 3 cells [192, 12], as inner walls."""
    codes = np.arange(2**12)
    walls = (codes[:, None] >> np.arange(12)) & 1 == 1
    walls = walls[(~walls).sum(axis=1) == 8]
    whole = np.asarray(jax.vmap(lambda inner: surrounded(inner, 3))(jnp.asarray(walls)))
    return walls[[len(reached_from(0, passages(w))) == 9 for w in whole]]


def every_layout() -> jax.Array:
    """Returns all layouts of 3 x 3 cells [192, 2, 4, 3]."""
    trees = every_tree()
    assert len(trees) == 192  # as Kirchhoff's theorem says
    return jax.vmap(lambda inner: surrounded(inner, 3))(jnp.asarray(trees))


@pytest.mark.parametrize(("by", "counts"), [("shape", [138, 32, 22]), ("layout", [144, 21, 27])])
def test_every_layout_belongs_to_one_split_and_each_split_has_some(by, counts):
    found = jax.vmap(functools.partial(split_of, by=by))(every_layout())
    assert np.bincount(np.asarray(found), minlength=3).tolist() == counts  # for ever the same


def test_the_twins_of_a_layout_are_its_turns_and_reflections():
    size = 4
    walls = np.asarray(grow(jax.random.key(5), size))

    def moved(cell: int, turns: int, mirrored: bool) -> int:
        x, y = cell % size, cell // size
        x = size - 1 - x if mirrored else x
        for _ in range(turns):
            x, y = size - 1 - y, x
        return y * size + x

    by_cells = {
        frozenset(frozenset(moved(c, turns, mirrored) for c in pair) for pair in passages(walls))
        for turns in range(4)
        for mirrored in (False, True)
    }
    found = {
        frozenset(map(frozenset, passages(np.asarray(twin)))) for twin in twins(jnp.asarray(walls))
    }
    assert found == by_cells and len(found) == 8


def test_a_layout_and_its_twins_are_of_one_split_and_one_shape():
    layouts = every_layout()
    every_twin = jax.vmap(lambda walls: jnp.stack(twins(walls)))(layouts)  # [192, 8, ...]
    for number in (split_of, shape_of):
        found = np.asarray(jax.vmap(jax.vmap(number))(every_twin))
        assert (found == found[:, :1]).all()
    shapes = np.asarray(jax.vmap(shape_of)(layouts))
    assert len(np.unique(shapes)) == 28
    # As it was before, a test layout had a twin in training, always.
    by_layout = np.asarray(jax.vmap(jax.vmap(functools.partial(split_of, by="layout")))(every_twin))
    assert (by_layout[by_layout[:, 0] == 2] == 0).any(axis=1).all()


def test_no_layout_of_a_test_is_one_of_training():
    drawn = {}
    for split in SPLITS:
        draw = functools.partial(draw_layout, size=3, split=split)
        keys = jax.random.split(jax.random.key(1), 600)  # the same keys in every split
        drawn[split] = {row.tobytes() for row in np.asarray(quick_jit(jax.vmap(draw))(keys))}
    assert len(drawn["test"]) == 22 and len(drawn["validation"]) == 32 and len(drawn["train"]) > 100
    assert not drawn["train"] & drawn["test"] and not drawn["train"] & drawn["validation"]
    assert not drawn["validation"] & drawn["test"]


def test_a_train_split_of_few_layouts_has_no_more_and_leaves_the_test_as_it_is():
    few, usual = load("maze", size=3, train_layouts=4), load("maze", size=3)
    tasks = quick_jit(lambda: few.sample_tasks(jax.random.key(0), 100))()
    rows = {(*inner, *other) for inner, other in zip(
        map(bytes, np.asarray(tasks.walls)), np.stack([tasks.start, tasks.goal], 1).tolist(), strict=True
    )}  # fmt: skip
    assert len(rows) == 4
    in_test = [
        quick_jit(lambda e=e: e.sample_tasks(jax.random.key(0), 9, "test"))() for e in (few, usual)
    ]
    assert all(np.array_equal(a, b) for a, b in zip(*in_test, strict=True))


def test_the_splits_of_before_are_a_setting():
    before, usual = load("maze", size=3, splits="layout"), load("maze", size=3)
    assert before.settings["splits"] == "layout" and "splits" not in usual.settings
    assert load("maze", size=3, splits="shape") is usual
    draw = quick_jit(lambda: before.sample_tasks(jax.random.key(1), 200, "test"))
    found = jax.vmap(functools.partial(split_of, by="layout"))(draw().walls)
    assert (np.asarray(found) == 2).all()
    with pytest.raises(InvalidInput, match=r"Unknown value of splits 'shapes'\. Did you mean"):
        load("maze", splits="shapes")


def test_start_and_goal_are_different_cells_and_headings_are_quarters():
    tasks = quick_jit(lambda: load("maze", size=3).sample_tasks(jax.random.key(0), 300))()
    assert (tasks.start != tasks.goal).all()
    assert set(tasks.start.tolist()) == set(tasks.goal.tolist()) == set(range(9))
    assert {round(float(h) / (math.pi / 2), 4) for h in tasks.heading} == {0, 1, 2, 3}


# Walking -----------------------------------------------------------------------------------------


def test_an_oblique_move_into_a_wall_slides_along_it():
    position, hit = walk(jnp.asarray(corridor()), jnp.array([0.5, 0.75]), jnp.array([0.1, 0.1]))
    np.testing.assert_allclose(position, [0.6, 1 - RADIUS - GAP], rtol=1e-6)
    assert hit


def test_a_passage_is_walked_through_and_touching_nothing_is_no_hit():
    position, hit = walk(jnp.asarray(corridor()), jnp.array([0.75, 0.5]), jnp.array([0.1, 0.0]))
    np.testing.assert_allclose(position, [0.85, 0.5], rtol=1e-6)
    assert not hit


def test_the_end_of_a_wall_is_in_the_way_of_who_is_astride_its_line():
    walls = np.zeros((2, 4, 3), bool)
    walls[1, 1, 1] = True  # above the middle cell of the bottom row
    position, hit = walk(jnp.asarray(walls), jnp.array([0.75, 1.1]), jnp.array([0.1, 0.0]))
    np.testing.assert_allclose(position, [1 - RADIUS - GAP, 1.1], rtol=1e-6)
    assert hit


def overlaps(walls, position) -> bool:
    """Tells whether a body's square touches any wall, each a segment."""
    low, high = position - RADIUS, position + RADIUS
    for axis in (0, 1):
        for line, cell in np.argwhere(walls[axis]):
            across = low[axis] < line < high[axis]
            if across and low[1 - axis] < cell + 1 and high[1 - axis] > cell:
                return True
    return False


def test_who_walks_at_random_is_never_in_a_wall_and_comes_about():
    drawn = grow(jax.random.key(4), 5)

    def advance(position, key):
        angle = jax.random.uniform(key, maxval=2 * jnp.pi)
        for _ in range(3):
            position, _ = walk(drawn, position, 0.19 * jnp.stack([jnp.cos(angle), jnp.sin(angle)]))
        return position, position

    keys = jax.random.split(jax.random.key(5), 1500)
    places = np.asarray(quick_jit(lambda: jax.lax.scan(advance, jnp.full(2, 2.5), keys)[1])())
    walls = np.asarray(drawn)
    assert not any(overlaps(walls, place) for place in places)
    assert len({tuple(cell) for cell in np.floor(places)}) > 12


# Rewards and ends --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small():
    return load("maze", size=3, horizon=40, width=8, height=6)


@pytest.fixture(scope="module")
def stepped(small):
    step = quick_jit(small.step)
    return lambda state, action, task: step(jax.random.key(0), state, jnp.int32(action), task)


@functools.cache
def resetting(environment):
    return quick_jit(environment.reset)


def begun(environment, task) -> MazeState:
    return resetting(environment)(jax.random.key(0), task)[1]


def test_six_turns_are_a_right_angle_and_a_step_is_a_third_of_a_cell(small, stepped):
    task = task_in(corridor())
    state = begun(small, task)
    for _ in range(6):
        state = stepped(state, LEFT, task).state
    np.testing.assert_allclose([*state.position, state.heading], [0.5, 0.5, NORTH], rtol=1e-5)
    for _ in range(6):
        state = stepped(state, RIGHT, task).state
    step = stepped(state, FORWARD, task)
    np.testing.assert_allclose(step.state.position, [0.82, 0.5], rtol=1e-5)
    np.testing.assert_allclose(step.reward, -0.04)


def test_a_step_into_a_wall_costs_more(small, stepped):
    task = task_in(corridor(), heading=NORTH)
    state = stepped(begun(small, task), FORWARD, task).state
    step = stepped(state, FORWARD, task)
    np.testing.assert_allclose(step.reward, -0.041, rtol=1e-6)
    np.testing.assert_allclose(step.state.position, [0.5, 1 - RADIUS - GAP], rtol=1e-5)


def test_the_goal_pays_and_ends_the_episode(small, stepped):
    task = task_in(corridor(), goal=1)
    state, rewards = begun(small, task), []
    for _ in range(20):
        step = stepped(state, FORWARD, task)
        state = step.state
        rewards.append(float(step.reward))
        if step.terminated:
            break
    np.testing.assert_allclose(rewards, [-0.04, 0.96], rtol=1e-5)  # 0.6 of a cell to go
    assert not step.truncated


def test_the_horizon_truncates_but_not_what_has_reached_the_goal(small, stepped):
    task = task_in(corridor(), goal=1)
    late = begun(small, task)._replace(time=jnp.int32(39))
    last = stepped(late, LEFT, task)
    assert last.truncated and not last.terminated
    there = stepped(late._replace(position=jnp.array([0.9, 0.5])), FORWARD, task)
    assert there.terminated and not there.truncated


def test_horizons_are_those_of_the_paper_unless_given():
    assert [load("maze", size=n).horizon for n in (3, 5, 6, 9)] == [250, 250, 1000, 1000]
    assert load("maze", size=9, horizon=7).horizon == 7


def test_every_episode_of_a_trial_begins_in_the_same_place_and_view(small):
    trial = Trial(small, episodes=2)
    task = quick_jit(small.sample_task)(jax.random.key(0))

    @quick_jit
    def play(key):
        keys = jax.random.split(key, trial.length)
        state = trial.reset(jax.random.key(1), task)
        return state, jax.lax.scan(
            lambda state, key: (trial.step(key, state, jnp.int32(LEFT), task)[0], state),
            state,
            keys,
        )[1]

    first, states = play(jax.random.key(2))
    second = jax.tree.map(lambda x: x[40], states)  # horizon 40
    assert second.episode == 1
    np.testing.assert_array_equal(second.observation, first.observation)
    np.testing.assert_array_equal(second.environment.position, first.environment.position)
    assert not np.array_equal(states.observation[39], first.observation)


# Views -------------------------------------------------------------------------------------------


def march(walls, position, direction, goal) -> tuple[float, float]:
    """Returns the depths of wall and pillar on a ray, walked in tiny steps from cell to cell."""
    step, depth, pillar = 2e-4, 0.0, FAR
    here = np.asarray(position, float)
    while True:
        there = here + step * direction
        depth += step
        if pillar == FAR and ((there - goal) ** 2).sum() < PILLAR_RADIUS**2:
            pillar = depth
        for axis in (0, 1):
            if math.floor(there[axis]) != math.floor(here[axis]):
                line = max(math.floor(there[axis]), math.floor(here[axis]))
                if walls[axis, line, math.floor(here[1 - axis])]:
                    return depth, pillar
        here = there


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_rays_meet_what_a_march_in_tiny_steps_meets(seed):
    walls = np.asarray(grow(jax.random.key(seed), 4))
    generator = np.random.default_rng(seed)
    position = generator.integers(4, size=2) + generator.uniform(0.2, 0.8, 2)
    heading = generator.uniform(0, 2 * math.pi)
    goal = np.floor(position) + 0.5 + 0.3 * np.sign(np.floor(position) + 0.5 - position)
    rays = quick_cast(
        jnp.asarray(walls), jnp.asarray(position), jnp.asarray(heading), jnp.asarray(goal), 9
    )
    forward = np.array([math.cos(heading), math.sin(heading)])
    right = np.array([forward[1], -forward[0]])
    met = 0
    for column in range(9):
        share = math.tan(FIELD_OF_VIEW / 2) * (2 * (column + 0.5) / 9 - 1)
        depth, pillar = march(walls, position, forward + share * right, goal)
        np.testing.assert_allclose(rays.wall[column], depth, atol=1e-3)
        np.testing.assert_allclose(rays.pillar[column], min(pillar, FAR), atol=1e-2)
        met += pillar < FAR
    if seed == 0:
        assert met  # else the pillar is not tested


def paint(rays, width, height) -> np.ndarray:
    """Returns which of ceiling, floor, wall, pillar each pixel shows, by a loop over pixels."""
    focal = width / 2 / math.tan(FIELD_OF_VIEW / 2)
    shown = np.empty((height, width), object)
    for row in range(height):
        below = row + 0.5 - height / 2
        for column in range(width):
            wall, pillar = float(rays.wall[column]), float(rays.pillar[column])
            if pillar < 100 and -0.1 < below * pillar / focal < 0.5:
                shown[row, column] = "pillar"
            elif abs(below) * wall / focal < 0.5:
                shown[row, column] = "wall"
            else:
                shown[row, column] = "floor" if below > 0 else "ceiling"
    return shown


def test_pixels_show_wall_pillar_floor_and_ceiling_where_they_are():
    walls = jnp.asarray(corridor())
    rays = quick_cast(walls, jnp.array([0.5, 0.5]), jnp.array(0.3), jnp.array([2.5, 0.6]), 41)
    pixels = np.asarray(quick_shade(rays, 41, 31), int)
    shown = paint(rays, 41, 31)
    assert {*shown.ravel()} == {"pillar", "wall", "floor", "ceiling"}
    red, green, blue = np.moveaxis(pixels, -1, 0)
    np.testing.assert_array_equal(shown == "pillar", red > 3 * blue)
    np.testing.assert_array_equal(
        shown == "floor", (red > green) & (green > blue) & (red < 3 * blue)
    )
    np.testing.assert_array_equal(shown == "ceiling", (blue > green) & (green > red))


def test_what_is_far_is_darker_and_who_turns_left_sees_what_was_at_the_left():
    walls = jnp.asarray(corridor())
    goal = jnp.array([9.0, 9.0])
    near, far = (
        quick_look(walls, jnp.array([x, 0.5]), jnp.array(EAST), goal, 41, 30)[15, 20]
        for x in (2.2, 0.5)
    )
    assert (np.asarray(near, int) > np.asarray(far, int)).all()
    ahead = quick_cast(walls, jnp.array([0.5, 0.5]), jnp.array(EAST), goal, 40)
    left = quick_cast(walls, jnp.array([0.5, 0.5]), jnp.array(math.pi / 4), goal, 40)
    assert ahead.wall[20] > 2 and left.wall[20] < 1 and left.wall[-1] > 1.7  # the corridor is right


def test_observations_are_the_pixels_from_minus_one_to_one(small):
    task = task_in(corridor())
    observation = np.asarray(resetting(small)(jax.random.key(0), task)[0])
    pixels = quick_look(
        task.walls, jnp.array([0.5, 0.5]), task.heading, jnp.array([2.5, 2.5]), 8, 6
    )
    np.testing.assert_array_equal(np.round((observation + 1) * 127.5), np.asarray(pixels))
    assert observation.shape == (6, 8, 3) and observation.dtype == np.float32


def test_the_map_shows_walls_goal_and_who_walks():
    task = jax.device_get(task_in(corridor(), goal=2))
    path = jnp.array([[0.5, 0.5], [1.0, 0.5], [1.5, 0.5]])
    states = MazeState(path, jnp.zeros(3), jnp.arange(3))
    picture = load("maze", size=3).views["top"](task, states)
    scale, offset = 80, 2.5  # a wall has 6 pixels

    def at(x, y):
        row, column = round(y * scale + offset), round(x * scale + offset)
        return picture[::-1][row, column].tolist()

    red, green, blue = at(2.5, 0.5)
    assert red > 2 * green and red > 2 * blue  # the goal
    assert at(1.0, 0.5)[2] > at(1.0, 0.5)[0] + 80  # the way is blue
    assert at(1.62, 0.5)[2] > 2 * at(1.62, 0.5)[0]  # the body points along x
    assert sum(at(1.5, 1.02)) < 300 < 600 < sum(at(1.02, 0.7))  # a wall above, a passage beside


def test_observations_may_be_levels():
    numbers, levels = (
        load("maze", size=3, width=8, height=6, uint8=each) for each in (False, True)
    )
    task = quick_jit(numbers.sample_task)(jax.random.key(0))
    seen, _ = resetting(levels)(jax.random.key(1), task)
    assert seen.dtype == np.uint8 and np.asarray(seen) in levels.observation_space
    np.testing.assert_allclose(
        resetting(numbers)(jax.random.key(1), task)[0], seen / 127.5 - 1, atol=1e-6
    )
    assert levels.settings["uint8"] and "uint8" not in numbers.settings


# gymnasium ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("view", "shape"), [(None, (240, 320, 3)), ("top", (246, 246, 3))])
def test_gymnasium_renders_both_views(view, shape):
    env = gymnasium.make("metarl/Maze-v0", size=3, render_mode="rgb_array", view=view)
    env.reset(seed=0)
    before: np.ndarray = env.render()  # type: ignore[assignment]
    env.step(LEFT)
    after: np.ndarray = env.render()  # type: ignore[assignment]
    assert before.shape == after.shape == shape and before.dtype == np.uint8
    assert (before != after).any()
    assert gymnasium.make("metarl/Maze-v0").render_mode is None


def test_an_unknown_view_is_refused():
    with pytest.raises(InvalidInput, match=r"Unknown view 'side'\. .*Known: first-person, top."):
        GymnasiumEnvironment("maze", view="side")


def test_a_render_mode_that_there_is_not_is_a_warning():
    with pytest.warns(UserWarning, match="render_mode is 'human'; it must be 'rgb_array' or None."):
        assert GymnasiumEnvironment("maze", render_mode="human").render_mode is None


# Bad settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 2}, "size is 2; it must be a whole number of at least 3."),
        ({"size": -5}, "size is -5; it must be a whole number of at least 3."),
        ({"size": 5.5}, "size is 5.5; it must be a whole number of at least 3."),
        ({"size": 10**9}, "size is 1000000000; at most 31 is accepted."),
        ({"width": 0}, "width is 0; it must be a whole number of at least 1."),
        ({"height": -30}, "height is -30; it must be a whole number of at least 1."),
        ({"width": 10**6}, "width is 1000000; at most 512 is accepted."),
        ({"frame_skip": 0}, "frame_skip is 0; it must be a whole number of at least 1."),
        ({"horizon": 0}, "horizon is 0; it must be a whole number of at least 1."),
        ({"train_layouts": 0}, "train_layouts is 0; it must be a whole number of at least 1."),
        ({"step_reward": float("nan")}, "step_reward is nan; it must be a finite number."),
        ({"goal_rewards": 1}, "no setting 'goal_rewards'. Did you mean 'goal_reward'"),
    ],
)
def test_settings_that_make_no_maze_are_refused(settings, message):
    with pytest.raises(InvalidInput, match=message):
        load("maze", **settings)


def test_actions_are_three():
    assert int(load("maze").action_space.n) == 3  # type: ignore[attr-defined]
    assert inner_walls(jnp.zeros((2, 6, 5))).shape == (40,)
    drawn = draw_member(jax.random.key(0), load("maze").action_space)
    assert 0 <= int(drawn) < 3


def test_a_step_shows_what_the_state_it_leads_to_shows(small, stepped):
    task = quick_jit(small.sample_task)(jax.random.key(1))
    step = stepped(begun(small, task), RIGHT, task)
    np.testing.assert_array_equal(step.observation, quick_jit(small.observe)(step.state, task))


# What a memory may learn to predict ---------------------------------------------------------------


def way_home(walls, cell: int, goal: int) -> int:
    """Returns the next cell on the way to the goal, which is itself where the goal is."""
    pairs = passages(walls)
    beside = [b for pair in pairs if cell in pair for b in pair if b != cell]
    others = [pair for pair in pairs if cell not in pair]
    return next((there for there in beside if goal in reached_from(there, others)), goal)


@pytest.mark.parametrize("size", [3, 5])
def test_labels_are_what_a_naive_reading_of_the_maze_says(size):
    environment = load("maze", size=size, width=1, height=1)
    targets = environment.auxiliary_targets
    assert targets is not None

    @quick_jit
    def draw(key):
        tasks = environment.sample_tasks(key, 20, "train")
        position_key, heading_key = jax.random.split(jax.random.fold_in(key, 1))
        positions = jax.random.uniform(position_key, (20, 2), maxval=size)
        headings = jax.random.uniform(heading_key, (20,), maxval=2 * jnp.pi)
        states = MazeState(positions, headings, jnp.zeros(20, jnp.int32))
        told = jax.vmap(lambda task, state: targets.tell(targets.solve(task), state))(tasks, states)
        return tasks, states, told

    tasks, states, told = jax.device_get(draw(jax.random.key(3)))
    seen = {name: set() for name in targets.classes}
    for i in range(20):
        walls, start, first, goal = (leaf[i] for leaf in tasks)
        here, heading = complex(*states.position[i]), float(states.heading[i])
        cell = int(here.real) + size * int(here.imag)
        start_at, goal_at, cell_at, next_at = (
            complex(c % size + 0.5, c // size + 0.5)
            for c in (start, goal, cell, way_home(walls, cell, int(goal)))
        )
        steps = (cell_at - start_at) * cmath.exp(-1j * float(first))
        ahead, left = round(steps.real), round(steps.imag)

        def eighth(angle):
            return round(math.degrees(angle) / 45) % 8

        expected = {
            "place": ahead + size - 1 + (2 * size - 1) * (left + size - 1),
            "heading": eighth(heading - float(first)),
            "goal": eighth(cmath.phase(goal_at - here) - heading),
            "way": eighth(cmath.phase(next_at - here) - heading),
        }
        for name, label in expected.items():
            assert told[name][i] == label, name
            assert 0 <= label < targets.classes[name]
            seen[name].add(label)
    assert all(len(labels) > 4 for labels in seen.values())
