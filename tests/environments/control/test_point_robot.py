"""Point robots: steps by a loop, the best walk, and who finds the goal by its distance."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from metarl.classical_agents import make
from metarl.environments import Trial, load, record
from metarl.errors import InvalidInput

HORIZON, EPISODES, TASKS = 30, 3, 50


@pytest.fixture(scope="module")
def surveyed():
    """What who finds the goal by distances did, in which tasks, and what is the most to be had."""
    trial = Trial(load("point-robot", horizon=HORIZON), episodes=EPISODES)
    family = trial.environment
    optimal_return = family.optimal_return
    assert optimal_return is not None

    @jax.jit
    def run():
        tasks = family.sample_tasks(jax.random.key(0), TASKS, "test")
        agent = make("trilateration", trial)
        best = jax.vmap(optimal_return)(tasks)
        return record(agent, trial, jax.random.key(1), tasks), tasks.goal, best

    return jax.device_get(run())


def test_every_step_is_that_of_a_loop(surveyed):
    recording, goals, _ = surveyed
    happened = recording.transitions
    for n in range(TASKS):
        place, time = np.zeros(2), 0
        for t in range(HORIZON * EPISODES):
            if not happened.valid[n, t]:
                break
            np.testing.assert_allclose(recording.observations[n, t], place, atol=1e-5)
            place = place + np.clip(recording.actions[n, t], -0.1, 0.1)
            away, time = np.linalg.norm(place - goals[n]), time + 1
            assert happened.reward[n, t] == pytest.approx(-(away**2), abs=1e-5)
            assert happened.truncated[n, t] == (time == HORIZON and not happened.terminated[n, t])
            if abs(away - 0.01) > 1e-4:
                assert happened.terminated[n, t] == (away < 0.01)
            if happened.terminated[n, t] or happened.truncated[n, t]:
                place, time = np.zeros(2), 0


def test_three_steps_tell_the_goal_and_later_episodes_are_the_best_there_are(surveyed):
    recording, _, best = surveyed
    happened = recording.transitions
    returns = np.zeros((TASKS, EPISODES))
    for n, t in zip(*np.nonzero(happened.valid), strict=True):
        returns[n, happened.episode[n, t]] += happened.reward[n, t]
    np.testing.assert_allclose(returns[:, 1:], np.stack([best, best], 1), atol=2e-3)
    assert (returns[:, 0] < best + 1e-4).all() and returns[:, 0].mean() < best.mean() - 0.1


def test_the_best_return_is_that_of_no_other_walk(surveyed):
    """Against two hundred walks at random and the straight one, by a loop."""
    _, goals, best = surveyed
    rng = np.random.default_rng(0)
    for goal, most in zip(goals[:5], best[:5], strict=True):
        for walk in range(200):
            place, earned = np.zeros(2), 0.0
            for _ in range(HORIZON):
                towards = goal - place + (rng.normal(0, 0.05, 2) if walk else 0)
                place = place + np.clip(towards, -0.1, 0.1)
                earned -= np.sum((place - goal) ** 2)
                if np.linalg.norm(place - goal) < 0.01:
                    break
            assert earned <= most + 1e-4
            assert walk or earned == pytest.approx(most, abs=1e-4)


@pytest.mark.slow
def test_goals_lie_where_they_are_said_to_and_only_near_them_there_is_a_reward():
    square, circle = (load("point-robot", goals=goals) for goals in ("square", "circle"))
    goals = square.sample_tasks(jax.random.key(0), 500).goal
    assert np.abs(goals).max() <= 0.5 and np.abs(goals.mean(0)).max() < 0.07
    goals = np.asarray(circle.sample_tasks(jax.random.key(0), 500).goal)
    np.testing.assert_allclose(np.linalg.norm(goals, axis=1), 1, rtol=1e-5)
    assert (goals[:, 1] >= 0).all()
    sparse = load("point-robot", goals="circle", sparse=True)
    task = sparse.sample_task(jax.random.key(0))
    _, state = sparse.reset(jax.random.key(0), task)
    assert sparse.step(jax.random.key(0), state, 0 * task.goal, task).reward == 0
    beside = state._replace(place=task.goal - np.array([0.15, 0.0], np.float32))
    step = sparse.step(jax.random.key(0), beside, 0 * task.goal, task)
    assert step.reward == pytest.approx(0.85, abs=1e-5) and not step.terminated


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"goals": "circles"}, "Unknown value of goals 'circles'. Did you mean 'circle'"),
        ({"sparse": 1}, "sparse is 1; it must be true or false"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(InvalidInput, match=message):
        load("point-robot", **settings)


def test_distances_cannot_be_read_from_sparse_rewards():
    with pytest.raises(InvalidInput, match="with sparse=true they tell none from afar"):
        make("trilateration", Trial(load("point-robot", sparse=True), episodes=1))
