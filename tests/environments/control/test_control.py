"""Cart-pole and pendulum: gymnasium's own trajectories, and physics drawn per task."""

from __future__ import annotations

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.environments import load
from metarl.environments.control.cartpole import USUAL, CartPole, CartPoleState
from metarl.environments.control.pendulum import Pendulum, PendulumState
from metarl.errors import InvalidInput

STARTS = {  # name, gymnasium's id -> states to begin in
    ("cartpole", "CartPole-v1"): [
        [0.0, 0.0, 0.0, 0.0],
        [-0.04, 0.01, 0.05, -0.03],
        [2.3, 1.5, -0.1, 0.4],  # soon off the track
        [0.0, 0.0, 0.2, 1.0],  # soon fallen
    ],
    ("pendulum", "Pendulum-v1"): [[0.0, 0.0], [3.1, 1.0], [-1.5, -7.9], [9.0, 7.9]],
}
CASES = [(*names, start) for names, starts in STARTS.items() for start in starts]


def state_of(name, numbers):
    """Returns the state of a family that gymnasium writes as a row of numbers."""
    kind = CartPoleState if name == "cartpole" else PendulumState
    return kind(*map(jnp.float32, numbers), time=jnp.int32(0))


@pytest.mark.parametrize(("name", "theirs", "start"), CASES)
def test_the_trajectory_is_gymnasiums_own(name, theirs, start):
    ours, world = load(name), gymnasium.make(theirs)
    world.reset(seed=0)
    world.unwrapped.state = np.array(start)  # pyright: ignore[reportAttributeAccessIssue]
    world.action_space.seed(1)
    task, step = ours.sample_task(jax.random.key(0)), jax.jit(ours.step)
    state, ended = state_of(name, start), False
    for time in range(100):
        action = world.action_space.sample()
        observation, reward, terminated, truncated, _ = world.step(action)
        mine = step(jax.random.key(time), state, jnp.asarray(action), task)
        np.testing.assert_allclose(mine.observation, observation, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(mine.reward, float(reward), rtol=1e-3, atol=1e-3)
        assert mine.terminated == terminated and mine.truncated == truncated
        state, ended = mine.state, terminated
        if ended:
            break
    assert ended == (name == "cartpole")


@pytest.mark.parametrize(("name", "theirs", "start"), CASES)
def test_one_step_is_gymnasiums_to_single_precision(name, theirs, start):
    ours, world = load(name), gymnasium.make(theirs)
    world.reset(seed=0)
    world.action_space.seed(2)
    world.unwrapped.state = np.array(start)  # pyright: ignore[reportAttributeAccessIssue]
    action = world.action_space.sample()
    observation, reward, *_ = world.step(action)
    task = ours.sample_task(jax.random.key(0))
    mine = ours.step(jax.random.key(1), state_of(name, start), jnp.asarray(action), task)
    np.testing.assert_allclose(mine.observation, observation, rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(mine.reward, float(reward), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize(("name", "theirs"), STARTS)
def test_spaces_and_horizon_are_gymnasiums(name, theirs):
    ours, world = load(name), gymnasium.make(theirs)
    assert ours.observation_space == world.observation_space
    assert ours.action_space == world.action_space
    assert world.spec is not None and ours.horizon == world.spec.max_episode_steps


@pytest.mark.parametrize(("name", "limits"), [("cartpole", [0.05] * 4), ("pendulum", [np.pi, 1])])
def test_episodes_begin_where_gymnasiums_do(name, limits):
    environment = load(name)
    task = environment.sample_task(jax.random.key(0))
    keys = jax.random.split(jax.random.key(1), 2000)
    _, states = jax.vmap(lambda key: environment.reset(key, task))(keys)
    for numbers, limit in zip(states, limits, strict=False):
        assert np.abs(numbers).max() <= limit
        assert abs(numbers.std() - limit / np.sqrt(3)) < 0.05 * limit
    assert not states.time.any()


@pytest.mark.parametrize("name", ["cartpole", "pendulum"])
def test_an_episode_that_does_not_terminate_is_truncated_at_the_horizon(name):
    environment = load(name, horizon=7)
    state = state_of(name, [0.0] * (4 if name == "cartpole" else 2))._replace(time=jnp.int32(5))
    task, action = environment.sample_task(jax.random.key(0)), jnp.zeros(1)
    action = jnp.int32(0) if name == "cartpole" else action
    step = environment.step(jax.random.key(1), state, action, task)
    assert not step.truncated and not step.terminated
    step = environment.step(jax.random.key(1), step.state, action, task)
    assert step.truncated and not step.terminated


def test_physics_are_drawn_log_uniformly_within_their_range():
    tasks = load("cartpole", physics_range=1.0).sample_tasks(jax.random.key(2), 4000)
    for drawn, usual in zip(tasks, USUAL, strict=True):
        logs = np.log2(drawn / usual)
        assert -1 <= logs.min() < -0.99 and 0.99 < logs.max() <= 1
        assert abs(logs.mean()) < 0.04
    assert abs(np.corrcoef(tasks.gravity, tasks.force)[0, 1]) < 0.06


def test_without_a_range_there_is_one_task():
    tasks = load("cartpole").sample_tasks(jax.random.key(3), 10)
    np.testing.assert_array_equal(
        np.stack(tasks, axis=1), np.tile(np.array(USUAL, np.float32), (10, 1))
    )


def test_physics_change_the_motion_as_they_should():
    def pole_after(**changes):
        task = CartPole(*map(jnp.float32, USUAL))._replace(**changes)
        state = state_of("cartpole", [0.0, 0.0, 0.1, 0.0])
        return load("cartpole").step(jax.random.key(0), state, jnp.int32(1), task).state

    def pendulum_after(**changes):
        task = Pendulum(jnp.float32(10), jnp.float32(1), jnp.float32(1))._replace(**changes)
        state = state_of("pendulum", [0.5, 0.0])
        return load("pendulum").step(jax.random.key(0), state, jnp.ones(1), task).state

    usual = pole_after()
    assert pole_after(gravity=20.0).angular_velocity > usual.angular_velocity  # falls faster
    assert pole_after(force=20.0).velocity > usual.velocity
    assert pole_after(cart_mass=3.0).velocity < usual.velocity
    assert pendulum_after(mass=2.0).velocity < pendulum_after().velocity  # the motor does less
    assert pendulum_after(gravity=20.0).velocity > pendulum_after().velocity


@pytest.mark.parametrize("name", ["cartpole", "pendulum"])
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"physics_range": -0.1},
            "physics_range is -0.1; it must be a finite number of at least 0",
        ),
        ({"physics_range": float("inf")}, "physics_range is inf; it must be a finite number"),
        ({"horizon": 0}, "horizon is 0; it must be a whole number of at least 1."),
        ({"show_physics": "maybe"}, "show_physics is 'maybe'; it must be true or false."),
    ],
)
def test_settings_that_make_no_physics_are_refused(name, settings, message):
    with pytest.raises(InvalidInput, match=message):
        load(name, **settings)


@pytest.mark.parametrize("name", ["cartpole", "pendulum"])
def test_constants_that_are_shown_stand_behind_the_observation_and_change_nothing_else(name):
    hidden, shown = (load(name, physics_range=1.0, show_physics=show) for show in (False, True))
    task = hidden.sample_task(jax.random.key(0))
    action = jnp.asarray(hidden.action_space.sample())
    assert hidden.task_features is not None and hidden.observation_space.shape is not None
    constants = hidden.task_features(task)
    size = hidden.observation_space.shape[0]
    for key in (1, 2):
        plain, state = hidden.reset(jax.random.key(key), task)
        observation, same = shown.reset(jax.random.key(key), task)
        np.testing.assert_array_equal(observation, np.concatenate([plain, constants]))
        assert shown.observation_space.contains(np.asarray(observation))
        ours = shown.step(jax.random.key(3), same, action, task)
        theirs = hidden.step(jax.random.key(3), state, action, task)
        np.testing.assert_array_equal(ours.observation[:size], theirs.observation)
        np.testing.assert_array_equal(ours.observation[size:], constants)
        assert ours.reward == theirs.reward
