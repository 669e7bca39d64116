"""A world in gymnax's form as a family: unresetting steps, the clock truncates, parameters are the task."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.environments import Trial, check_environment, from_gymnax, load, make_agent, record
from metarl.errors import InvalidInput


class Params(NamedTuple):
    """As gymnax's dataclasses: Python's numbers."""

    speed: float = 1.0
    goal: float = 3.0
    max_steps_in_episode: int = 4


class State(NamedTuple):
    place: Any
    time: Any


class Space:
    """A box, or with `n` a discrete one."""

    def __init__(self, n=None):
        self.low, self.high, self.shape, self.dtype = -100.0, 100.0, (1,), jnp.float32
        if n is not None:
            self.n, self.shape, self.dtype = n, (), jnp.int32


class OldWalk:
    """As of version 0.0.9: over when the clock says so, too. `step`, which resets, must not be called."""

    name = "Walk-v0"

    def observation_space(self, params):
        return Space()

    def action_space(self, params):
        return Space(2)

    def reset_env(self, key, params):
        return jnp.zeros(1), State(0.0, 0)

    def step_env(self, key, state, action, params):
        state = State(state.place + params.speed * action, state.time + 1)
        over = (state.place >= params.goal) | (state.time >= params.max_steps_in_episode)
        return state.place[None], state, state.place, over, {}


class Walk(OldWalk):
    """As of version 1: the clock is asked apart."""

    def step_env(self, key, state, action, params):
        observation, state, reward, _, info = super().step_env(key, state, action, params)
        return observation, state, reward, state.place >= params.goal, info

    def is_truncated(self, state, params):
        return state.time >= params.max_steps_in_episode


def walking(action):
    def nothing(*what_happened):
        return ()

    return make_agent(nothing, lambda key, state, seen: (jnp.int32(action), state), nothing)


@pytest.mark.parametrize("world", [Walk, OldWalk])
@pytest.mark.parametrize(("action", "terminated", "length"), [(1, True, 3), (0, False, 4)])
def test_the_clock_truncates_and_the_goal_terminates(world, action, terminated, length):
    family = from_gymnax(world(), Params())
    trial = Trial(family, episodes=2)
    tasks = family.sample_tasks(jax.random.key(0), 1)
    steps = record(walking(action), trial, jax.random.key(0), tasks).transitions
    valid = np.asarray(steps.valid[0])
    assert valid.sum() == 2 * length
    ends = np.flatnonzero(np.asarray(steps.episode_ended[0]) & valid)
    assert list(ends) == [length - 1, 2 * length - 1]
    assert (np.asarray(steps.terminated[0])[ends] == terminated).all()
    assert (np.asarray(steps.truncated[0])[ends] == (not terminated)).all()
    np.testing.assert_array_equal(steps.next_observation[0, ends, 0], [3.0 * action] * 2)


def test_a_task_is_the_parameters_that_vary():
    family = check_environment(from_gymnax(Walk(), Params(), vary="speed", factor=4, horizon=9))
    tasks = family.sample_tasks(jax.random.key(0), 200)
    speeds = np.asarray(tasks.speed)
    assert speeds.min() >= 0.25 and speeds.max() <= 4 and len(np.unique(speeds)) == 200
    assert (np.asarray(tasks.goal) == 3).all() and not family.shared_tasks
    assert (np.asarray(tasks.max_steps_in_episode) == 9).all() and family.horizon == 9
    assert check_environment(from_gymnax(Walk(), Params())).shared_tasks


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vary": "sped"}, "Unknown parameter of Walk-v0 'sped'. Did you mean 'speed'"),
        ({"vary": "max_steps_in_episode"}, "only real numbers can be varied"),
        ({"factor": 0.5}, "factor is 0.5; it must be a finite number of at least 1"),
        ({"horizon": 0}, "horizon is 0; it must be a whole number of at least 1"),
        ({"world": object()}, "object has no reset_env and step_env"),
        ({"params": State(0.0, 0)}, "nothing says how long an episode may be"),
    ],
)
def test_what_cannot_be_used_is_named(arguments, message):
    given = {"world": Walk(), "params": Params()} | arguments
    with pytest.raises(InvalidInput, match=message):
        from_gymnax(**given)


def test_gymnax_is_asked_for_by_name(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "gymnax", None)  # not installed
    with pytest.raises(InvalidInput, match="'gymnax:CartPole-v1': gymnax cannot be imported"):
        load("gymnax:CartPole-v1")


@pytest.mark.extras
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("id", ["CartPole-v1", "Pendulum-v1", "Catch-bsuite", "Breakout-MinAtar"])
def test_gymnaxs_own_worlds_take_their_course(id):
    gymnax = pytest.importorskip("gymnax", reason="no gymnax: pip install 'metarl[worlds]'")
    family = load(f"gymnax:{id}", horizon=20)
    world, params = gymnax.make(id)
    assert load(f"gymnax:{id}", horizon=20) is family and family.horizon == 20
    task = family.sample_task(jax.random.key(0))
    _, state = family.reset(jax.random.key(1), task)
    seen, theirs = world.reset_env(jax.random.key(1), params)
    for t in range(10):
        action = world.action_space(params).sample(jax.random.key(t))
        ours = family.step(jax.random.key(100 + t), state, action, task)
        step = world.step_env(jax.random.key(100 + t), theirs, action, params)
        seen, theirs, reward, over, *_ = step
        np.testing.assert_allclose(ours.observation, seen, rtol=1e-6)
        np.testing.assert_allclose(ours.reward, reward, rtol=1e-6)
        assert bool(ours.terminated) == bool(over)
        state = ours.state
        if over:
            break


@pytest.mark.extras
@pytest.mark.filterwarnings("ignore")
def test_gymnaxs_cart_varies():
    pytest.importorskip("gymnax", reason="no gymnax: pip install 'metarl[worlds]'")
    family = load("gymnax:CartPole-v1", vary="gravity,length", factor=2)
    tasks = family.sample_tasks(jax.random.key(0), 9)
    assert len(np.unique(tasks.gravity)) == len(np.unique(tasks.length)) == 9
    with pytest.raises(InvalidInput, match="Unknown world of gymnax 'CartPol-v1'"):
        load("gymnax:CartPol-v1")
