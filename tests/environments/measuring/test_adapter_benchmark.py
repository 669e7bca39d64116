"""The benchmark of adapters: both loops walk alike, what it returns, and what is said of libraries that are missing."""

from __future__ import annotations

import sys
import types
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.cli import main
from metarl.environments import load, measure_adapters
from metarl.environments.measuring import adapter_benchmark, rates
from metarl.errors import InvalidInput


class Params(NamedTuple):
    max_steps_in_episode: int = 7


class Space:
    def __init__(self, n=None):
        self.low, self.high, self.shape, self.dtype = -100.0, 100.0, (1,), jnp.float32
        if n is not None:
            self.n, self.shape, self.dtype = n, (), jnp.int32


class Walk:
    """As gymnax's of version 1, without luck; `step` resets by itself."""

    name = "Walk-v0"

    def observation_space(self, params):
        return Space()

    def action_space(self, params):
        return Space(2)

    def reset_env(self, key, params):
        return jnp.zeros(1), (0.0, 0)

    reset = reset_env

    def is_truncated(self, state, params):
        return state[1] >= params.max_steps_in_episode

    def step_env(self, key, state, action, params):
        place, time = state[0] + action, state[1] + 1
        return place[None], (place, time), place, place >= 5, {}

    def step(self, key, state, action, params):
        observation, state, reward, terminated, info = self.step_env(key, state, action, params)
        truncated = self.is_truncated(state, params)
        over = terminated | truncated
        first, fresh = self.reset_env(key, params)
        anew = jax.tree.map(
            lambda a, b: jnp.where(over, a, b), (first, fresh), (observation, state)
        )
        return (*anew, reward, terminated, truncated, info)


@pytest.fixture(autouse=True)
def little_time(monkeypatch):
    monkeypatch.setattr(rates, "SECONDS", 0.01)


@pytest.fixture
def gymnax(monkeypatch):
    """A library in the place of gymnax, and none in that of the others."""
    library: Any = types.ModuleType("gymnax")
    library.make = lambda id: (Walk(), Params())
    library.registered_envs = ["Walk-v0"]
    monkeypatch.setitem(sys.modules, "gymnax", library)
    for missing in ("navix", "xminigrid", "brax.envs"):
        monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.setattr("metarl.environments.registry._loaded", {})
    monkeypatch.setattr("importlib.metadata.version", lambda name: "1.0.9")


@pytest.mark.usefixtures("gymnax")
def test_our_loop_and_the_librarys_own_walk_alike():
    """Without luck both draw the same actions, begin anew where the other does, and see the same."""
    environment = load("gymnax:Walk-v0")
    loops = (
        adapter_benchmark._ours(environment),
        adapter_benchmark._of_gymnax("Walk-v0", environment),
    )
    ours, own = (adapter_benchmark._compiled(loop, environment, 5)() for loop in loops)
    np.testing.assert_allclose(ours, own)
    assert len(set(np.asarray(own).tolist())) > 1


@pytest.mark.usefixtures("gymnax")
def test_the_figures_are_those_promised_and_missing_libraries_are_named(monkeypatch):
    monkeypatch.setattr(adapter_benchmark, "STEPS", 2)
    said = []
    names = ["gymnax:Walk-v0", "navix:Navix-Empty-5x5-v0"]
    document = measure_adapters(names, worlds=3, repeats=2, say=said.append)
    (name,) = document["adapters"]
    found = document["adapters"][name]
    assert (name, found["version"]) == ("gymnax:Walk-v0", "1.0.9")
    assert 0 < found["lowest_ratio"] <= found["ratio"] <= found["highest_ratio"]
    assert found["processor_ratio"] > 0
    assert found["steps_per_second"] > 0 and found["own_steps_per_second"] > 0
    assert "navix cannot be imported" in document["missing"]["navix:Navix-Empty-5x5-v0"]
    assert any("navix:Navix-Empty-5x5-v0 is left out" in line for line in said)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["bandit"],
            "'bandit' has no loop of its own .*; worlds of gymnax, navix, xminigrid, brax have, such as",
        ),
        (["brax"], "'brax' has no loop of its own"),
        (["navix:Navix-Empty-5x5-v0"], "navix cannot be imported .* pip install 'navix'"),
        (["navix:A", "brax:B"], "None of the libraries can be imported: .*'navix'.*'brax'"),
    ],
)
@pytest.mark.usefixtures("gymnax")
def test_what_cannot_be_measured_is_said(names, message):
    with pytest.raises(InvalidInput, match=message):
        measure_adapters(names, say=lambda text: None)


def test_the_command_measures_what_it_is_told_and_shows_the_ratio(monkeypatch, capsys):
    asked = {}
    figures = {
        "version": "1.0.9",
        "steps_per_second": 9e6,
        "own_steps_per_second": 1e7,
        "ratio": 0.9,
    }
    figures |= {"lowest_ratio": 0.88, "highest_ratio": 0.93, "processor_ratio": 0.97}

    def measure(**arguments):
        asked.update(arguments)
        document = {
            "adapters": {"gymnax:Walk-v0": figures},
            "missing": {"brax:ant": "it is not there"},
        }
        return document | {"worlds": 8, "devices": 1, "platform": "cpu", "rounds": 2}

    monkeypatch.setattr("metarl.environments.measure_adapters", measure)
    words = [
        "bench",
        "adapters",
        "--environment",
        "gymnax:Walk-v0",
        "--horizon",
        "9",
        "--worlds",
        "8",
    ]
    assert main(words) == 0
    assert asked["names"] == ["gymnax:Walk-v0"] and asked["settings"] == {"horizon": 9}
    assert asked["worlds"] == 8
    shown = capsys.readouterr().out
    assert (
        "0.90 (0.88 to 0.93)" in shown
        and "0.97" in shown
        and "brax:ant is left out: it is not there" in shown
    )


@pytest.mark.extras
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("keys_unchecked")
@pytest.mark.parametrize(
    ("library", "name"),
    [
        ("gymnax", "gymnax:CartPole-v1"),
        ("navix", "navix:Navix-Empty-5x5-v0"),
        ("xminigrid", "xminigrid:MiniGrid-FourRooms"),
        ("brax", "brax:inverted_pendulum"),
    ],
)
def test_every_library_has_a_loop_of_its_own(library, name):
    pytest.importorskip(library, reason=f"no {library}")
    with jax.numpy_rank_promotion("allow"):  # brax promotes ranks
        found = measure_adapters([name], worlds=2, repeats=1, say=lambda text: None)
    assert found["adapters"][name]["ratio"] > 0
