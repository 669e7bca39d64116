"""What agents plan, against loops and linear programs."""

from __future__ import annotations

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog

from metarl.classical_agents import mdp_agents, optimism
from metarl.classical_agents.confidence_sets import best_transitions, plan_in_the_best
from metarl.classical_agents.mdp_posterior import Counts, Prior, mean_model, sample_model
from metarl.classical_agents.planning_agent import Memory, Settings
from metarl.environments import plan

STATES, ACTIONS, HORIZON = 3, 2, 4


@pytest.fixture(scope="module")
def mdp():
    """Transitions [S, A, S] and rewards [S, A]."""
    random = np.random.default_rng(0)
    transitions = random.dirichlet(np.ones(STATES), (STATES, ACTIONS)).astype(np.float32)
    return transitions, random.normal(size=(STATES, ACTIONS)).astype(np.float32)


@pytest.fixture(scope="module")
def memory():
    """After some steps, as the third episode begins; one pair was never tried."""
    random = np.random.default_rng(1)
    transitions = random.integers(0, 5, (STATES, ACTIONS, STATES)).astype(np.float32)
    transitions[2, 1] = 0
    visits = transitions.sum(-1) + random.integers(0, 2, (STATES, ACTIONS))
    visits[2, 1] = 0
    sums = np.where(visits > 0, random.normal(size=(STATES, ACTIONS)), 0) * visits
    counts = Counts(*(jnp.asarray(x, jnp.float32) for x in (transitions, visits, sums)))
    return Memory(
        counts=counts,
        action_values=jnp.zeros((HORIZON, STATES, ACTIONS)),
        time=jnp.int32(0),
        episode=jnp.int32(2),
        steps=jnp.int32(8),
        length=jnp.int32(20),
    )


def plan_by_hand(transitions, rewards, back_up=None):
    """Returns Q [H, S, A] by loops; rewards [S, A] or [H, S, A]."""
    values, action_values = np.zeros(STATES), np.zeros((HORIZON, STATES, ACTIONS))
    rewards = np.broadcast_to(rewards, action_values.shape)
    for time in reversed(range(HORIZON)):
        for state, action in itertools.product(range(STATES), range(ACTIONS)):
            expected = sum(transitions[state, action, s] * values[s] for s in range(STATES))
            action_values[time, state, action] = rewards[time, state, action] + expected
        if back_up:
            action_values[time] = back_up(time, action_values[time], values)
        values = action_values[time].max(axis=-1)
    return action_values


def test_a_plan_is_worth_as_much_as_the_best_of_all_policies(mdp):
    transitions, rewards = mdp
    horizon, best = 2, -math.inf
    for choice in itertools.product(range(ACTIONS), repeat=horizon * STATES):
        policy = np.reshape(choice, (horizon, STATES))
        values = np.zeros(STATES)
        for time in reversed(range(horizon)):
            chosen = [(s, policy[time, s]) for s in range(STATES)]
            values = np.array([rewards[pair] + transitions[pair] @ values for pair in chosen])
        best = max(best, values[0])
    assert float(plan(transitions, rewards, horizon).values[0, 0]) == pytest.approx(best, rel=1e-5)


def test_rewards_of_a_plan_may_depend_on_the_time(mdp):
    transitions, rewards = mdp
    rewards = rewards + np.arange(HORIZON, dtype=np.float32)[:, None, None]
    planned = plan(transitions, rewards, HORIZON).action_values
    np.testing.assert_allclose(planned, plan_by_hand(transitions, rewards), rtol=1e-5)


def test_the_fading_bonus_is_a_higher_prior_mean(memory):
    faded = 0.8 * (1 - 8 / 20)
    with_bonus = Settings(Prior(1.0, 1.0, 1.0), bonus=0.8)
    higher = Settings(Prior(1.0 + faded, 1.0, 1.0))
    plans = [
        mdp_agents.plan_in_the_mean(s, jax.random.key(0), memory) for s in (with_bonus, higher)
    ]
    np.testing.assert_allclose(*plans, rtol=1e-5)
    lower = mdp_agents.plan_in_the_mean(Settings(Prior(1.0, 1.0, 1.0)), jax.random.key(0), memory)
    assert not np.allclose(plans[0], lower, rtol=1e-3)


def test_several_samples_are_joined_by_their_highest_action_values(memory):
    prior = Prior(0.0, 1.0, 1.0)
    planned = mdp_agents.plan_in_samples(Settings(prior, samples=3), jax.random.key(4), memory)
    each = []
    for index in range(3):
        key = jax.random.fold_in(jax.random.key(4), index)
        model = sample_model(key, prior, memory.counts)
        each.append(plan_by_hand(*(np.asarray(leaf) for leaf in model)))
    np.testing.assert_allclose(planned, np.max(each, axis=0), rtol=1e-4)


def test_posterior_sampling_with_a_known_mdp_plans_in_it(mdp, memory):
    transitions, rewards = mdp
    many = 1e7
    known = Counts(many * jnp.asarray(transitions), jnp.full(rewards.shape, many), many * rewards)
    planned = mdp_agents.plan_in_samples(
        Settings(Prior(0.0, 1.0, 1.0)), jax.random.key(5), memory._replace(counts=known)
    )
    np.testing.assert_allclose(planned, plan_by_hand(transitions, rewards), atol=0.01)


def test_beb_adds_its_bonus_for_each_remaining_step(memory):
    scale, weight = 0.01, 1.0
    settings = Settings(Prior(0.5, weight, weight), scale=scale)
    model = mean_model(settings.prior, memory.counts)
    rewards = np.zeros((HORIZON, STATES, ACTIONS))
    for time, s, a in np.ndindex(rewards.shape):
        of_reward = 1 / (weight + memory.counts.visits[s, a] + 1)
        seen = STATES * weight + memory.counts.transitions[s, a].sum()
        of_transition = 2 * HORIZON**2 * scale * HORIZON / (1 + seen)
        left = HORIZON - 1 - time
        rewards[time, s, a] = model.mean_rewards[s, a] + of_reward + left * of_transition
    planned = optimism.plan_with_bayes_bonus(settings, jax.random.key(0), memory)
    by_hand = plan_by_hand(np.asarray(model.transitions), rewards)
    np.testing.assert_allclose(planned, by_hand, rtol=1e-5)


@pytest.mark.parametrize("seed", range(8))
def test_the_best_transitions_are_those_of_a_linear_program(seed):
    random = np.random.default_rng(seed)
    estimate = random.dirichlet(np.full(4, 0.5), (2, 3)).astype(np.float32)
    widths = random.uniform(0, 2.2, (2, 3)).astype(np.float32)
    values = random.normal(size=4).astype(np.float32)
    best = best_transitions(jnp.asarray(estimate), jnp.asarray(widths), jnp.asarray(values))
    np.testing.assert_allclose(best.sum(-1), 1, atol=1e-5)
    assert jnp.all(best > -1e-6)
    for pair in np.ndindex(2, 3):
        # Variables p and its distances d: d >= |p - estimate|, sum(d) <= width.
        identity = np.eye(4)
        distance = np.block([[identity, -identity], [-identity, -identity]])
        within = np.r_[np.zeros(4), np.ones(4)][None]
        limits = np.r_[estimate[pair], -estimate[pair], widths[pair]]
        solved = linprog(
            np.r_[-values, np.zeros(4)],
            A_ub=np.r_[distance, within],
            b_ub=limits,
            A_eq=np.r_[np.ones(4), np.zeros(4)][None],
            b_eq=[estimate[pair].sum()],
        )
        assert float(best[pair] @ values) == pytest.approx(-solved.fun, abs=1e-4)
        assert np.abs(best[pair] - estimate[pair]).sum() <= widths[pair] + 1e-5


def test_of_states_of_equal_value_the_last_is_preferred():
    estimate, widths = jnp.full((1, 1, 4), 0.25), jnp.full((1, 1), 0.2)
    best = best_transitions(estimate, widths, jnp.zeros(4))
    np.testing.assert_allclose(best[0, 0], [0.15, 0.25, 0.25, 0.35], rtol=1e-5)


def move_by_hand(row, width, values):
    """Returns a row of transitions with mass moved from the worst states to the best."""
    order = np.argsort(values, kind="stable")
    moved = min(width / 2, 1 - row[order[-1]])
    new, left = row.copy(), moved
    for state in order[:-1]:
        taken = min(left, row[state])
        new[state] -= taken
        left -= taken
    new[order[-1]] += moved
    return new, row[order[-1]] + width / 2 > 1


@pytest.mark.parametrize("compounding", [False, True])
def test_extended_value_iteration_is_that_of_loops(mdp, compounding):
    estimate, rewards = (np.asarray(leaf, np.float64) for leaf in mdp)
    widths = np.random.default_rng(2).uniform(0, 0.6, (STATES, ACTIONS))
    values, expected = np.zeros(STATES), np.zeros((HORIZON, STATES, ACTIONS))
    for time in reversed(range(HORIZON)):
        for pair in np.ndindex(STATES, ACTIONS):
            best, certain = move_by_hand(estimate[pair], widths[pair], values)
            expected[(time, *pair)] = rewards[pair] + best @ values
            if compounding and not certain:
                estimate[pair] = best
        values = expected[time].max(-1)
    centre, mean_rewards, reach = (jnp.asarray(leaf, jnp.float32) for leaf in (*mdp, widths))
    planned = plan_in_the_best(centre, mean_rewards, reach, HORIZON, compounding)
    np.testing.assert_allclose(planned, expected, rtol=1e-4, atol=1e-5)


def test_ucrl2_has_the_widths_of_its_formula(memory):
    settings = Settings(Prior(0.0, 1e-4, 1e-4), scale=0.3)
    model = mean_model(settings.prior, memory.counts)
    logarithm = math.log(2 * STATES * ACTIONS * (3 + 1) / 0.05)  # in the third episode
    of_rewards = 0.3 * np.sqrt(4 * logarithm / np.maximum(memory.counts.visits, 1))
    seen = np.maximum(memory.counts.transitions.sum(-1), 1)
    widths = 0.3 * np.sqrt(4 * STATES * logarithm / seen)
    expected = plan_in_the_best(
        model.transitions, model.mean_rewards + of_rewards, jnp.asarray(widths), HORIZON
    )
    planned = optimism.plan_in_confidence_set(settings, jax.random.key(0), memory)
    np.testing.assert_allclose(planned, expected, rtol=1e-5)
    compounding = optimism.plan_in_compounding_set(settings, jax.random.key(0), memory)
    assert np.all(compounding > planned - 1e-4) and np.any(compounding > planned + 0.01)


@pytest.mark.parametrize("width", ["bernstein", "hoeffding"])
def test_ucbvi_has_the_bonus_of_its_formula(memory, width):
    scale, highest = 0.01, 1.0 + 3 / math.sqrt(2.0)
    settings = Settings(Prior(1.0, 2.0, 2.0), scale=scale)
    model = mean_model(settings.prior, memory.counts)
    transitions = np.asarray(model.transitions, np.float64)
    logarithm = math.log(5 * STATES * ACTIONS * 20 / 0.05)
    visits = np.maximum(memory.counts.visits, 1)
    seen = np.maximum(memory.counts.transitions.sum(-1), 1)
    span = highest * HORIZON

    def bounded(time, action_values, later):
        variance = transitions @ later**2 - (transitions @ later) ** 2
        bonus = {
            "bernstein": np.sqrt(8 * logarithm * np.maximum(variance, 0) / seen)
            + 14 * span * logarithm / (3 * seen)
            + np.sqrt(8 / seen) * span,
            "hoeffding": 7 * span * logarithm / np.sqrt(seen),
        }[width]
        optimistic = action_values + scale * (np.sqrt(2 * logarithm / visits) + bonus)
        return np.minimum(highest * (HORIZON - time), optimistic)

    planner = getattr(optimism, f"plan_with_{width}_bonus")
    planned = planner(settings, jax.random.key(0), memory)
    expected = plan_by_hand(transitions, np.asarray(model.mean_rewards), bounded)
    np.testing.assert_allclose(planned, expected, rtol=1e-4)
    assert np.any(expected < span - 0.1)  # the bound does not hide the bonus
