"""The Bayes optimum of bandits: equal to the naive recursion, and reached by acting from the table."""

from __future__ import annotations

import functools
from math import comb

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.environments import (
    Trial,
    bayes_optimal_table,
    bayes_optimal_value,
    load,
    make_agent,
    play_split,
)
from metarl.environments.bandits.beliefs import _number_of_states, count_multisets
from metarl.errors import InvalidInput


def action_values(counts, left, prior):
    """Returns what each arm is worth with so many pulls left; counts are ((successes, failures), ...)."""
    values = []
    for arm, (won, lost) in enumerate(counts):
        chance = (prior[0] + won) / (prior[0] + won + prior[1] + lost)
        after = [
            max(action_values((*counts[:arm], pair, *counts[arm + 1 :]), left - 1, prior))
            if left > 1
            else 0.0
            for pair in ((won + 1, lost), (won, lost + 1))
        ]
        values.append(chance * (1 + after[0]) + (1 - chance) * after[1])
    return tuple(values)


action_values = functools.cache(action_values)


@pytest.mark.parametrize("prior", [(1.0, 1.0), (2.0, 0.5)])
@pytest.mark.parametrize(("arms", "pulls"), [(1, 1), (1, 4), (2, 1), (2, 6), (3, 5), (5, 3)])
def test_the_value_is_that_of_the_naive_recursion(arms, pulls, prior):
    naive = max(action_values(((0, 0),) * arms, pulls, prior))
    np.testing.assert_allclose(bayes_optimal_value(arms, pulls, prior), naive, rtol=1e-6)


@pytest.mark.parametrize(("arms", "pulls"), [(2, 6), (3, 5)])
def test_the_table_names_a_best_arm_in_every_state(arms, pulls):
    table, best_action = (
        bayes_optimal_table(arms, pulls),
        jax.jit(lambda t, s, f: t.best_action(s, f)),
    )
    states = [()]
    for _ in range(arms):
        states = [
            (*state, (won, lost))
            for state in states
            for won in range(pulls)
            for lost in range(pulls)
            if sum(map(sum, state)) + won + lost < pulls
        ]
    assert len(states) == comb(pulls - 1 + 2 * arms, 2 * arms)  # every state in every order
    successes, failures = np.moveaxis(np.array(states), -1, 0)
    chosen = jax.jit(jax.vmap(best_action, (None, 0, 0)))(table, successes, failures)
    for state, action in zip(states, chosen.tolist(), strict=True):
        values = action_values(state, pulls - sum(map(sum, state)), (1.0, 1.0))
        assert values[action] > max(values) - 1e-9, (state, values, action)


def test_acting_from_the_table_earns_the_value():
    table, trial = bayes_optimal_table(3, 12), Trial(load("bandit", arms=3), episodes=12)
    agent = make_agent(
        lambda table, key, trial, task: jnp.zeros((2, 3), jnp.int32),
        lambda table, key, state, observation: (table.best_action(*state), state),
        lambda table, state, observation, action, reward, *_: state.at[
            (1 - reward).astype(int), action
        ].add(1),
        table,
    )
    totals = play_split(agent, trial, 0, 20_000, "test").totals
    assert abs(totals.mean() - table.value) < 4 * totals.std() / np.sqrt(20_000)


def test_more_arms_than_pulls_are_worth_no_more():
    assert bayes_optimal_value(6, 6) == bayes_optimal_value(50, 6)
    assert bayes_optimal_value(5, 6) < bayes_optimal_value(6, 6)


@pytest.mark.parametrize(("arms", "pulls", "value"), [(2, 50, 31.997), (5, 10, 6.660)])
def test_usual_sizes_are_solved(arms, pulls, value):
    assert abs(bayes_optimal_value(arms, pulls) - value) < 1e-3


@pytest.mark.parametrize(("slots", "pulls"), [(1, 5), (2, 7), (4, 4)])
def test_states_are_counted_right_before_they_are_made(slots, pulls):
    assert _number_of_states(slots, pulls) == count_multisets(slots, pulls)[-1, -1].sum()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 5), "arms is 0; it must be a whole number of at least 1."),
        ((2, 0), "pulls is 0; it must be a whole number of at least 1."),
        ((2, 5, (1.0, 0.0)), r"prior is \(1.0, 0.0\); it must be two positive numbers"),
        ((2, 5, (float("nan"), 1.0)), r"prior is \(nan, 1.0\); it must be two positive numbers"),
        (
            (5, 100),
            "The Bayes optimum of 5 arms and 100 pulls does not fit into memory; 34 pulls of 5 arms "
            "or 2 arms for 100 pulls would.",
        ),
    ],
)
def test_what_cannot_be_solved_is_refused(arguments, message):
    with pytest.raises(InvalidInput, match=message):
        bayes_optimal_table(*arguments)
