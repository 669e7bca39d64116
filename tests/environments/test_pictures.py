"""Every built-in world draws itself: where one is, where one was, and what is worth going to."""

from __future__ import annotations

import subprocess
import sys

import gymnasium
import jax
import numpy as np
import pytest

from metarl.environments import (
    Bandit,
    DarkRoomTask,
    GridTask,
    HarlowTask,
    TabularMDP,
    TwoStepTask,
    load,
    names,
)
from metarl.environments.cognition.harlow import HarlowState
from metarl.environments.cognition.pictures import AT
from metarl.environments.cognition.two_step import TwoStepState
from metarl.environments.contract.canvas import BODY, GOAL, START, WAY, Canvas
from metarl.environments.control.cartpole import USUAL, CartPoleState
from metarl.environments.control.pendulum import USUAL as USUAL_PENDULUM
from metarl.environments.control.pendulum import PendulumState
from metarl.environments.gymnasium.registration import IDS
from metarl.environments.mdps.dark_room import DarkRoomState
from metarl.environments.mdps.gridworld import GridState
from metarl.environments.mdps.mdp import MDPState


def where(picture: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Returns the middle (x, y) of what is of a colour, from the lower left corner, and its size."""
    rows, columns = np.nonzero((picture[::-1] == colour).all(axis=-1))
    assert rows.size, "nothing is of this colour"
    return np.array([columns.mean(), rows.mean(), rows.size])


# their first states look alike where all is hidden or begins near the middle
LOOK_ALIKE = ("metarl/CartPole-v0", "metarl/TwoStep-v0", "metarl/RiverSwim-v0")
# families whose states another one's also are, or that have a test of their picture
DRAWN_ALIKE = (
    "metarl/ContextualBandit-v0",
    "metarl/PointRobot-v0",
    "metarl/RiverSwim-v0",
    "metarl/DarkKeyToDoor-v0",
    "metarl/RuleGrid-v0",
    "metarl/MemoryPlanning-v0",
    "metarl/TwoStep-v0",
    "metarl/Harlow-v0",
    "metarl/DarkMaze-v0",
)
NAMED = [pytest.param(name, marks=[pytest.mark.slow] * (name in DRAWN_ALIKE)) for name in IDS]


@pytest.mark.parametrize("name", NAMED)
def test_one_world_and_many_are_drawn_alike(name):
    one = gymnasium.make(name, render_mode="rgb_array")
    many = gymnasium.make_vec(name, 2, render_mode="rgb_array")
    one.reset(seed=3)
    many.reset(seed=2)
    pictures = many.render()
    assert pictures is not None and len(pictures) == 2
    picture: np.ndarray = one.render()  # type: ignore[assignment]
    assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3
    np.testing.assert_array_equal(pictures[1], picture)
    assert not np.array_equal(pictures[0], pictures[1]) or name in LOOK_ALIKE
    assert gymnasium.make_vec(name, 2).render() is None


def test_every_built_in_family_has_a_picture():
    assert all(load(name).views for name in names())


def test_the_best_arm_is_green_and_as_high_as_its_mean():
    (draw,) = load("bandit", arms=2).views.values()
    picture = draw(Bandit(np.array([0.25, 0.75])), ())  # pyright: ignore
    best, other = where(picture, START), where(picture, WAY)
    assert best[0] > other[0]
    assert best[2] / other[2] == pytest.approx(3, rel=0.05)


@pytest.mark.parametrize("means", [[0.0, 0.0], [-3.0, 5.0], [2.0, 1.0], [-1.0, -2.0]])
def test_arms_of_any_means_can_be_drawn(means):
    (draw,) = load("bandit", rewards="gaussian", arms=2).views.values()
    assert draw(Bandit(np.array(means)), ()).shape == (200, 320, 3)  # pyright: ignore


def test_a_restless_bandit_is_drawn_as_its_means_are_now():
    family = load("bandit", rewards="restless", arms=2)
    (draw,) = family.views.values()
    task = Bandit(np.array([0.9, 0.1]))  # pyright: ignore
    _, state = family.reset(jax.random.key(0), Bandit(np.array([0.1, 0.9])))  # pyright: ignore
    picture = draw(task, jax.tree.map(lambda x: np.asarray(x)[None], state))
    assert where(picture, START)[0] > 160


def test_the_graph_marks_the_state_one_is_in():
    (draw,) = load("mdp", states=4).views.values()
    task = TabularMDP(np.full((4, 2, 4), 0.25), np.arange(8.0).reshape(4, 2))  # pyright: ignore
    for place, side in ((0, (1, 0)), (1, (0, 1)), (2, (-1, 0)), (3, (0, -1))):
        state = MDPState(np.array([0, place]), np.array([0, 1]))  # pyright: ignore
        middle = where(draw(task, state), BODY)[:2]
        np.testing.assert_allclose(middle, 120 + 0.42 * 240 * np.array(side), atol=1.5)


def test_the_grid_has_start_goal_and_way_where_they_are():
    (draw,) = load("gridworld", size=4).views.values()
    task = GridTask(np.int32(0), np.int32(15))  # pyright: ignore
    picture = draw(task, GridState(np.array([0, 1, 2]), np.arange(3)))  # pyright: ignore
    for colour, cell in ((BODY, (2.5, 0.5)), (GOAL, (3.5, 3.5))):
        np.testing.assert_allclose(where(picture, colour)[:2] / 60, cell, atol=0.05)
    assert 0.5 < where(picture, WAY)[0] / 60 < 2.5
    assert where(picture, START)[2] > 1000


def test_a_dark_room_is_lit_for_people():
    task = DarkRoomTask(np.array([0, 15]))  # pyright: ignore
    (draw,) = load("dark-key-to-door", size=4).views.values()
    state = DarkRoomState(np.array([1, 2]), np.zeros(2), np.arange(2))  # pyright: ignore
    picture = draw(task, state)
    for colour, cell in ((BODY, (2.5, 0.5)), (START, (0.5, 0.5)), (GOAL, (3.5, 3.5))):
        np.testing.assert_allclose(where(picture, colour)[:2] / 60, cell, atol=0.05)
    (draw,) = load("dark-room", size=4).views.values()
    picture = draw(DarkRoomTask(np.array([15])), state)  # pyright: ignore
    np.testing.assert_allclose(where(picture, GOAL)[:2] / 60, (3.5, 3.5), atol=0.05)


def test_the_better_of_two_states_is_green_and_one_is_where_one_is():
    (draw,) = load("two-step").views.values()
    task = TwoStepTask(*map(np.float32, (0.8, 0.9)), np.int32(0), np.float32(0))  # pyright: ignore
    for better in (1, 2):
        state = TwoStepState(np.array([0, 3 - better]), np.full(2, better), np.arange(2))  # pyright: ignore
        picture = draw(task, state)
        assert (where(picture[:160], START)[0] < 120) == (better == 1)
        np.testing.assert_allclose(where(picture, BODY)[:2], AT[3 - better], atol=1)


@pytest.mark.parametrize("side", [0, 1])
def test_the_object_that_pays_is_framed_where_it_stands(side):
    (draw,) = load("harlow").views.values()
    task = HarlowTask(np.ones(10), -np.ones(10))  # pyright: ignore
    picture = draw(task, HarlowState(np.array([side])))  # pyright: ignore
    for colour in (START, BODY):
        assert (where(picture, colour)[0] > 120) == (side == 1)


@pytest.mark.parametrize("angle", [-0.2, 0.2])
def test_the_pole_leans_as_it_does(angle):
    (draw,) = load("cartpole").views.values()
    state = CartPoleState(np.array([1.0]), np.zeros(1), np.array([angle]), np.zeros(1), np.ones(1))  # pyright: ignore
    x, y, _ = where(draw(USUAL, state), BODY)
    hinge = 160 + 1.0 * 320 / 5.8
    assert np.sign(x - hinge) == np.sign(angle)
    np.testing.assert_allclose((x - hinge) / (y - 58), np.tan(angle), atol=0.05)


@pytest.mark.parametrize("angle", [0.0, 1.0, 3.0, -2.0])
def test_the_pendulum_hangs_as_it_does(angle):
    """As in gymnasium's Pendulum-v1, whose angle grows counter-clockwise."""
    (draw,) = load("pendulum").views.values()
    state = PendulumState(np.array([angle]), np.zeros(1), np.ones(1))  # pyright: ignore
    x, y, _ = where(draw(USUAL_PENDULUM, state), BODY)
    assert np.hypot(x - 120, y - 120) == pytest.approx(24, abs=4)
    np.testing.assert_allclose(np.arctan2(120 - x, y - 120), angle, atol=0.1)


def test_what_lies_beyond_the_canvas_is_left_out():
    canvas = Canvas(8, 6)
    blank = canvas.picture()
    canvas.rectangle((9, 9), (12, 12), BODY)
    canvas.disc((-9, 3), 2, BODY)
    canvas.line((-5, -5), (-1, -9), BODY, thickness=2)
    np.testing.assert_array_equal(canvas.picture(), blank)
    canvas.line((-5, 3), (20, 3), BODY)
    assert (canvas.picture()[2] == BODY).all()


def test_worlds_draw_without_matplotlib():
    script = """
import sys, gymnasium, metarl
env = gymnasium.make("metarl/MDP-v0", render_mode="rgb_array")
env.reset(seed=0)
env.render()
assert "matplotlib" not in sys.modules
"""
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
