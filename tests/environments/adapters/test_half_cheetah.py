"""Half cheetahs with goals: rewards against the formula, who draws which goal, and what is said without MuJoCo."""

from __future__ import annotations

import sys
import types

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from metarl.classical_agents import make
from metarl.environments import SPLITS, Trial, cards, host_names, load, play_on_host
from metarl.environments.adapters import half_cheetah
from metarl.errors import InvalidInput

STUB = "HalfCheetahOfTheTest-v0"


class Runner(gymnasium.Env):
    """Moves as fast as the first number of an action says, ten times as fast; notes what it was given."""

    observation_space = spaces.Box(-np.inf, np.inf, (2,))
    action_space = spaces.Box(-1, 1, (2,), np.float32)
    given: tuple = ()

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.np_random.normal(size=2).astype(np.float32), {}

    def step(self, action):
        self.given = (*self.given, *action)
        observation = np.zeros(2, np.float32)
        return observation, 99.0, False, False, {"x_velocity": 10 * float(action[0])}


@pytest.fixture
def stub_world(monkeypatch):
    """A world in the place of MuJoCo's."""
    monkeypatch.setitem(sys.modules, "mujoco", types.ModuleType("mujoco"))
    monkeypatch.setattr(half_cheetah, "WORLD", STUB)
    gymnasium.register(STUB, entry_point=lambda **kwargs: Runner(**kwargs))
    yield
    del gymnasium.registry[STUB]


@pytest.mark.parametrize(
    ("kind", "goal", "run"),
    [
        ("direction", 1.0, 5.0),
        ("direction", -1.0, -5.0),
        ("velocity", 1.5, -3.5),
        ("velocity", 7.0, -2.0),
    ],
)
def test_the_reward_is_that_of_the_goal_less_the_cost_of_an_action_within_its_bounds(
    kind, goal, run
):
    world = Runner()
    rewarded = half_cheetah.GoalRewarded(world, kind, goal)
    rewarded.reset(seed=0)
    *_, reward, terminated, truncated, _ = rewarded.step(np.array([0.5, -3.0]))
    assert reward == pytest.approx(run - 0.05 * (0.25 + 1.0))
    assert world.given == (0.5, -1.0) and not terminated and not truncated


@pytest.mark.usefixtures("stub_world")
def test_velocities_are_drawn_evenly_and_directions_are_two():
    """To five standard errors of the mean."""
    velocity, direction = (
        half_cheetah.half_cheetah_velocity(fastest=3.0),
        half_cheetah.half_cheetah_direction(),
    )
    assert velocity.settings == {"horizon": 200, "fastest": 3.0} and not velocity.shared_tasks
    assert direction.settings == {"horizon": 200} and direction.shared_tasks
    generator = np.random.default_rng(0)
    goals = np.array(
        [velocity.draw_kwargs(generator, split)["goal"] for split in SPLITS for _ in range(200)]
    )
    assert goals.min() > 0 and goals.max() < 3 and len(set(goals)) == 600
    assert abs(goals.mean() - 1.5) < 5 * 3 / np.sqrt(12 * 600)
    assert {direction.draw_kwargs(generator, "test")["goal"] for _ in range(40)} == {-1.0, 1.0}


@pytest.mark.slow  # the quick form: test_worlds.py, of any world
@pytest.mark.usefixtures("stub_world")
def test_the_clock_truncates_and_a_trial_keeps_its_goal():
    family = half_cheetah.half_cheetah_direction(horizon=4)
    trial = Trial(family, episodes=2)
    played = play_on_host(make("random", trial), trial, 0, 3, "test")
    assert (played.lengths == 4).all() and not played.terminated.any()


@pytest.mark.parametrize("name", ["half-cheetah-direction", "half-cheetah-velocity"])
def test_without_mujoco_it_is_asked_for(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "mujoco", None)
    message = f"Environment '{name}': mujoco cannot be imported .* pip install 'metarl\\[mujoco\\]'"
    with pytest.raises(InvalidInput, match=message):
        load(name, horizon=199)


def test_they_are_listed_where_mujoco_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "mujoco", None)
    told = {card.name: card for card in cards() if card.name in host_names()}
    assert told["half-cheetah-velocity"].settings == {"horizon": 200, "fastest": 2.0}
    assert "MuJoCo" in told["half-cheetah-direction"].description


@pytest.mark.parametrize("settings", [{"fastest": 0}, {"fastest": "fast"}, {"horizon": 0}])
def test_settings_that_cannot_be_are_refused_before_mujoco_is_asked_for(settings, monkeypatch):
    monkeypatch.setitem(sys.modules, "mujoco", None)
    (name,) = settings
    with pytest.raises(InvalidInput, match=f"{name} is .*; it must be a"):
        load("half-cheetah-velocity", **settings)


@pytest.mark.extras
@pytest.mark.filterwarnings("ignore")
def test_mujocos_own_runs_as_its_card_says():
    pytest.importorskip("mujoco", reason="no mujoco")
    told = {card.name: card for card in cards()}
    for name in host_names():
        family = load(name)
        assert load(name, **family.settings) is family
        card = told[name]
        assert (card.observation, card.action, card.horizon) == (
            f"Box{family.observation_space.shape}",
            f"Box{family.action_space.shape}",
            family.horizon,
        )
        assert card.description == family.description
        assert card.settings == dict(family.settings)
    world = half_cheetah.half_cheetah_velocity().build({"goal": 1.0})
    world.reset(seed=0)
    before = world.unwrapped.data.qpos[0]  # pyright: ignore
    action = np.linspace(-1, 1, 6)
    reward = world.step(action)[1]
    moved = (world.unwrapped.data.qpos[0] - before) / 0.05  # pyright: ignore
    assert reward == pytest.approx(-abs(moved - 1.0) - 0.05 * np.sum(action**2))
    world.close()
