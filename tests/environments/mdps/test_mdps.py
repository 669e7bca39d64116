"""Random MDPs and their exact solution."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.environments import TabularMDP, load, plan
from metarl.errors import InvalidInput


@pytest.fixture(scope="module")
def tasks():
    """The MDPs of the paper."""
    return jax.jit(lambda key: load("mdp").sample_tasks(key, 2000))(jax.random.key(1))


def value_of(policy, transitions, mean_rewards) -> float:
    """Returns what actions [H][S] earn from state 0."""
    value = np.zeros(len(transitions))
    for actions in reversed(policy):
        value = np.array(
            [mean_rewards[s, a] + transitions[s, a] @ value for s, a in enumerate(actions)]
        )
    return value[0]


def test_the_optimum_is_the_best_of_all_policies():
    environment = load("mdp", states=2, actions=2, horizon=3)
    task = environment.sample_task(jax.random.key(0))
    tables = [np.asarray(table, np.float64) for table in task]
    policies = itertools.product(itertools.product(range(2), repeat=2), repeat=3)
    best = max(value_of(policy, *tables) for policy in policies)
    assert environment.optimal_return is not None
    np.testing.assert_allclose(environment.optimal_return(task), best, rtol=1e-5)


def test_a_plan_has_a_row_for_every_time():
    task = load("mdp", states=3, actions=2, horizon=4).sample_task(jax.random.key(0))
    solved = plan(task.transitions, task.mean_rewards, 4)
    assert solved.values.shape == (5, 3) and solved.action_values.shape == (4, 3, 2)
    assert not solved.values[-1].any()
    np.testing.assert_array_equal(solved.action_values[-1], task.mean_rewards)
    np.testing.assert_array_equal(solved.values[:-1], solved.action_values.max(axis=-1))


def test_the_optimum_of_the_papers_mdps_is_what_it_is_known_to_be(tasks):
    optimum = load("mdp").optimal_return
    assert optimum is not None
    optima = jax.vmap(optimum)(tasks)  # 218.3 in 10 episodes
    assert abs(optima.mean() - 21.83) < 4 * optima.std() / np.sqrt(2000) + 0.05


def test_mdps_of_a_prior_of_ones_own_have_its_moments():
    settings = {"alpha": 0.2, "reward_mean": -3, "reward_deviation": 0.5, "reward_noise": 2}
    environment = load("mdp", states=5, **settings)
    draw = jax.jit(lambda key: environment.sample_tasks(key, 400))
    tasks = draw(jax.random.key(1))  # 25 pairs each: 5 standard errors
    assert abs(tasks.mean_rewards.mean() + 3) < 5 * 0.5 / np.sqrt(10_000)
    assert abs(tasks.mean_rewards.std() - 0.5) < 5 * 0.5 / np.sqrt(20_000)
    np.testing.assert_allclose(tasks.transitions.sum(-1), 1, rtol=1e-5)
    # of a share of Dirichlet(α) over S states: (S - 1) / (S² (S α + 1))
    assert abs(tasks.transitions.var() - 4 / 25 / 2) < 0.003
    task = jax.tree.map(lambda leaf: leaf[0], tasks)
    _, state = environment.reset(jax.random.key(0), task)
    keys = jax.random.split(jax.random.key(2), 4000)
    step = jax.jit(jax.vmap(lambda key: environment.step(key, state, jnp.int32(1), task).reward))
    assert abs(step(keys).std() - 2) < 5 * 2 / np.sqrt(8000)


def test_the_papers_prior_goes_without_saying():
    assert load("mdp", alpha=1, reward_noise=1.0) is load("mdp")
    assert dict(load("mdp").settings) == {"states": 10, "actions": 5, "horizon": 10}


@pytest.mark.parametrize("settings", [{"alpha": 0}, {"reward_noise": -1}, {"reward_mean": "1"}])
def test_priors_that_are_none_are_refused(settings):
    with pytest.raises(InvalidInput, match="it must be a finite number"):
        load("mdp", **settings)


def test_mean_rewards_are_normal_about_1(tasks):
    assert abs(tasks.mean_rewards.mean() - 1.0) < 0.02
    assert abs(tasks.mean_rewards.std() - 1.0) < 0.02


def test_transitions_are_probabilities_and_uniform_over_the_simplex(tasks):
    np.testing.assert_allclose(tasks.transitions.sum(axis=-1), 1, atol=1e-5)
    assert tasks.transitions.min() >= 0
    # Dirichlet(1, ..., 1) over S states: mean 1/S, variance (S - 1) / (S² (S + 1)).
    assert abs(tasks.transitions.std() - np.sqrt(9 / 1100)) < 0.001


def test_steps_follow_the_tables():
    environment = load("mdp", states=3, actions=2, horizon=5)
    transitions = jnp.array([[[0.2, 0.5, 0.3], [0.0, 0.0, 1.0]]] * 3)
    task = TabularMDP(transitions, jnp.array([[1.0, 7.0], [0.0, 0.0], [0.0, 0.0]]))

    @jax.jit
    def first_steps(action):
        keys = jax.random.split(jax.random.key(3), 20_000)
        state = environment.reset(jax.random.key(4), task)[1]
        return jax.vmap(lambda key: environment.step(key, state, action, task))(keys)

    steps = first_steps(jnp.int32(0))
    shares = np.bincount(np.asarray(steps.observation), minlength=3) / 20_000
    np.testing.assert_allclose(shares, [0.2, 0.5, 0.3], atol=0.015)
    np.testing.assert_array_equal(steps.observation, steps.state.place)
    assert abs(steps.reward.mean() - 1) < 0.03 and abs(steps.reward.std() - 1) < 0.03
    steps = first_steps(jnp.int32(1))
    assert (steps.observation == 2).all() and abs(steps.reward.mean() - 7) < 0.03
    assert not steps.terminated.any() and not steps.truncated.any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"states": 0}, "states is 0; it must be a whole number of at least 1."),
        ({"actions": -1}, "actions is -1; it must be a whole number of at least 1."),
        ({"horizon": 1.5}, "horizon is 1.5; it must be a whole number of at least 1."),
        ({"states": 10_000}, "One task of this mdp would hold 500,000,000 numbers"),
    ],
)
def test_sizes_that_make_no_mdp_are_refused(settings, message):
    with pytest.raises(InvalidInput, match=message):
        load("mdp", **settings)
