"""Families by name, the built-in ones and a user's own."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from gymnasium import spaces

from metarl.environments import Trial, load, names, play_split, setting_names
from metarl.errors import InvalidInput

OWN = """
import jax
import jax.numpy as jnp
from typing import NamedTuple
from gymnasium import spaces
from metarl.environments import Environment, Step

class Coin(NamedTuple):
    heads: jax.Array

def reset(key, task):
    return jnp.zeros((), jnp.int32), ()

def guess(scale=1.0, horizon=1, broken=False):
    def step(key, state, action, task):
        reward = scale * (task.heads == action)
        ends = jnp.ones((), bool)
        return Step(jnp.zeros((), jnp.int32), (1,) if broken else (), reward, ends, ~ends, {})

    draw = lambda key, split: Coin(jax.random.randint(key, (), 0, 2))
    two = spaces.Discrete(2)
    return Environment("guess", {}, two, two, horizon, draw, reset, step)

def raises():
    raise RuntimeError("no coins left")

def anything(**settings):
    return guess()

number = 3
coin = guess()
"""
_counter = itertools.count()


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Returns the name of a module of a user's that lies in the working directory."""
    module = f"own_family_{next(_counter)}"
    (tmp_path / f"{module}.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return module


def test_the_same_settings_give_the_same_object_however_they_are_written():
    assert load("bandit") is load("bandit", arms=5) is load("bandit", arms=None)
    assert load("bandit") is load("bandit", arms=np.int64(5), rewards="bernoulli")
    assert load("bandit", rewards="gaussian") is load("bandit", rewards="gaussian", noise=1)
    assert load("bandit") is not load("bandit", arms=4)


def test_equal_numbers_of_another_kind_are_told_apart():
    load("bandit", arms=1)
    with pytest.raises(InvalidInput, match="arms is True"):
        load("bandit", arms=True)


def test_settings_are_named():
    assert setting_names("mdp")[:3] == ("states", "actions", "horizon")
    assert {"arms", "rewards", "drift"} < set(setting_names("bandit"))


def test_a_users_family_joins_under_its_name_with_its_settings(own, constant_agent):
    environment = load(f"{own}:guess", scale=2.0)
    assert environment.name == f"{own}:guess" and environment.settings == {"scale": 2.0}
    assert load(environment.name, **environment.settings) is environment
    played = play_split(constant_agent(1), Trial(environment, episodes=3), 0, 50, "test")
    assert set(played.returns.ravel().tolist()) == {0.0, 2.0}
    assert setting_names(f"{own}:guess") == ("scale", "horizon", "broken")


def test_a_users_settings_are_given_by_name(own):
    assert load(f"{own}:guess", horizon=7).horizon == 7
    assert load(f"{own}:anything", whatever=1).settings == {"whatever": 1}


def test_a_users_environment_needs_no_factory(own):
    assert load(f"{own}:coin").name == f"{own}:coin"
    assert setting_names(f"{own}:coin") == ()


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("bandits", {}, "Unknown environment 'bandits'. Did you mean 'bandit'?"),
        ("bandit", {"arm": 5}, "Environment 'bandit' has no setting 'arm'. Did you mean 'arms'?"),
        ("mdp", {"x": 5}, "has no setting 'x'. It takes states, actions, horizon."),
        ("mdp", {"states": [1]}, r"states is \[1\]; it must be a whole number"),
        ("mdp", {"states": {1}}, "settings must be numbers, texts or lists of them"),
        ("no such:thing", {}, "'no such:thing' is not of the form my_module:factory"),
        ("not_there:thing", {}, "module 'not_there' cannot be imported"),
        (3, {}, "An environment's name must be a text, not int"),
        (["bandit"], {}, "An environment's name must be a text, not list"),
    ],
)
def test_names_and_settings_that_are_none_are_refused(name, settings, message):
    with pytest.raises(InvalidInput, match=message):
        load(name, **settings)


@pytest.mark.parametrize(
    ("attribute", "settings", "message"),
    [
        ("gess", {}, "Did you mean 'guess'"),
        ("number", {}, "is a int; it must be a function that gives a metarl.environments"),
        ("raises", {}, "its factory raised RuntimeError: no coins left \\("),
        ("Coin", {"heads": 1}, "gave Coin; it must give a metarl.environments.Environment."),
        ("guess", {"scal": 1}, "has no setting 'scal'. Did you mean 'scale'"),
        ("guess", {"horizon": 0}, "horizon is 0; it must be a whole number of at least 1."),
        ("guess", {"broken": True}, "step gives the state"),
        ("coin", {"scale": 1}, "has no setting 'scale'. It takes none."),
    ],
)
def test_a_users_family_that_is_none_is_refused(own, attribute, settings, message):
    with pytest.raises(InvalidInput, match=message):
        load(f"{own}:{attribute}", **settings)


def test_every_name_loads():
    assert [load(name).name for name in names()] == list(names())


def test_a_factory_may_call_its_parameters_as_it_likes(tmp_path, monkeypatch):
    """`name`, `factory` and the like are names of ours, too."""
    (tmp_path / "named_worlds.py").write_text(
        "from metarl.environments import load\n"
        "def make(name, factory='a', about='b', expected=1):\n"
        "    return load('bandit', arms=len(name))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    settings = {"name": "abc", "factory": "x", "about": "y", "expected": 2}
    family = load("named_worlds:make", **settings)
    assert family.action_space == spaces.Discrete(3) and dict(family.settings) == settings
    assert load("named_worlds:make", **settings) is family
