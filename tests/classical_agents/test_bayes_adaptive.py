"""Search over beliefs: it explores where that pays and nowhere else, and its simulated worlds are the believed ones."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.classical_agents import make
from metarl.classical_agents.arm_posteriors import BetaArms
from metarl.classical_agents.bayes_adaptive import (
    Imagined,
    Search,
    reward_part,
    sample_pair,
    simulated_arms,
    simulated_mdp,
)
from metarl.classical_agents.mdp_posterior import Counts, Prior, mean_model
from metarl.classical_agents.planning_agent import Memory, Settings, know_nothing
from metarl.classical_agents.scoring_agent import Memory as ArmsMemory
from metarl.environments import Trial, load, plan
from metarl.errors import InvalidInput

S, A, H = 3, 2, 3
PRIOR = Prior(1.0, 1.0, 1.0, 1.0)
ZERO, ONE = jnp.int32(0), jnp.int32(1)


def seen_once(reward: float, before: Counts | None = None) -> Counts:
    """Returns the counts after a step from state 1, by action 0, to state 2."""
    before = Counts.none(S, A) if before is None else before
    return before.after(ONE, ZERO, jnp.float32(reward), jnp.int32(2), jnp.zeros((), bool))


@pytest.fixture(scope="module")
def trial():
    return Trial(load("mdp", states=S, actions=A, horizon=H), episodes=2)


@functools.cache
def bayes_value(known: tuple[tuple[int, int], ...], left: int) -> float:
    """Returns what the best of all players still earns, of arms with so many successes and failures."""
    return max(bayes_values(known, left)) if left else 0.0


def bayes_values(known: tuple[tuple[int, int], ...], left: int) -> list[float]:
    """Returns the same for each arm that is pulled first."""
    values = []
    for arm, (a, b) in enumerate(known):
        success, failure = ((a + 1, b), (a, b + 1))
        after = [(*known[:arm], pair, *known[arm + 1 :]) for pair in (success, failure)]
        chance = a / (a + b)
        values.append(
            chance * (1 + bayes_value(after[0], left - 1))
            + (1 - chance) * bayes_value(after[1], left - 1)
        )
    return values


@pytest.mark.parametrize("returns", ["regret", "rewards"])
def test_values_at_the_root_differ_as_those_of_dynamic_programming(returns):
    trial = Trial(load("bandit", arms=2), episodes=5)
    agent = make(f"bayes-adaptive:simulations=2000,exploration=3,returns={returns}", trial)
    _, exploration = agent.act.args  # pyright: ignore[reportAttributeAccessIssue]
    score = agent.act.func.__closure__[0].cell_contents  # pyright: ignore[reportAttributeAccessIssue]

    @jax.jit
    def values(successes, failures, left):
        memory = ArmsMemory(BetaArms(successes, failures), 5 - left, left)
        keys = jax.random.split(jax.random.key(0), 8)
        return jax.vmap(lambda key: score(exploration, key, memory))(keys).mean(axis=0)

    for known, left in ((((6, 5), (1, 1)), 5), (((6, 5), (1, 1)), 1), (((2, 1), (1, 1)), 3)):
        successes, failures = jnp.array(known, jnp.float32).T
        found = values(successes, failures, jnp.int32(left))
        exact = bayes_values(known, left)
        # 16,000 simulations: a standard error below 0.03, and UCT's own mistakes below the root
        assert abs((found[0] - found[1]) - (exact[0] - exact[1])) < 0.1, (known, left)
        if abs(exact[0] - exact[1]) > 0.04:
            assert int(jnp.argmax(found)) == int(np.argmax(exact)), (known, left)


def test_the_returns_of_arms_are_rewards_or_minus_the_regret():
    arms = BetaArms(jnp.array([1.0, 1.0, 1.0]), jnp.array([1.0, 1.0, 1.0]))
    means = jnp.array([0.2, 0.9, 0.5])
    for returns in ("rewards", "regret"):
        step = jax.jit(simulated_arms(Search(1, 1, returns=returns), arms).step)
        for index in range(20):
            after, gain, outcome = step(jax.random.key(index), means, arms, 2)
            assert after.pulls[2] == 3 and after.successes[2] == 1 + outcome
            assert np.isclose(gain, outcome if returns == "rewards" else -0.4)


def known_of(trial: Trial, **changes) -> Memory:
    return know_nothing(Settings(PRIOR), jax.random.key(0), trial, None)._replace(**changes)


def test_the_regret_of_a_drawn_model_is_that_of_dynamic_programming(trial):
    simulator = simulated_mdp(Search(1, 6), Settings(PRIOR), known_of(trial), jnp.int32(0))
    drawn = jax.jit(simulator.draw)(jax.random.key(0))
    values = plan(drawn.model.transitions, drawn.model.mean_rewards, H)
    expected = values.action_values - values.values[:H, :, None]
    np.testing.assert_allclose(drawn.advantages, expected, atol=1e-5)
    assert (drawn.advantages.max(axis=-1) == 0).all()


def test_a_simulated_step_is_counted_as_a_real_one_and_an_end_begins_anew(trial):
    place, action = jnp.int32(1), jnp.int32(1)
    for time, ends in ((0, False), (H - 1, True)):
        known = known_of(trial, time=jnp.int32(time))
        simulator = simulated_mdp(
            Search(1, 6, returns="rewards"), Settings(PRIOR), known, jnp.int32(2)
        )
        drawn = jax.jit(simulator.draw)(jax.random.key(1))
        step = jax.jit(simulator.step)
        at, gain, outcome = step(jax.random.key(2), drawn, Imagined(known, place), action)
        assert at.known.counts.visits[1, 1] == 1 and at.known.counts.visits.sum() == 1
        assert np.isclose(at.known.counts.reward_sums[1, 1], gain)
        assert at.known.counts.transitions.sum() == (0 if ends else 1)
        assert at.known.time == (0 if ends else time + 1)
        assert int(outcome) == int(at.place)
        assert not ends or at.place == 2


def test_pairs_drawn_when_they_are_met_are_of_one_model_of_the_posterior():
    counts = seen_once(2.0, seen_once(3.0))
    pair = jax.jit(lambda key: sample_pair(key, PRIOR, counts, ONE, ZERO))
    again, other = pair(jax.random.key(5)), sample_pair(jax.random.key(5), PRIOR, counts, ONE, ONE)
    first = pair(jax.random.key(5))
    jax.tree.map(np.testing.assert_array_equal, first, again)
    assert np.any(first[0] != other[0])
    keys = jax.random.split(jax.random.key(0), 4_000)
    chances, means = jax.jit(jax.vmap(pair))(keys)
    of_mean = mean_model(PRIOR, counts)  # five standard errors each
    np.testing.assert_allclose(chances.mean(axis=0), of_mean.transitions[1, 0], atol=0.017)
    assert abs(means.mean() - of_mean.mean_rewards[1, 0]) < 0.046
    assert abs(means.std() - 1 / np.sqrt(3)) < 0.033


def test_the_parts_of_a_reward_are_equally_likely_at_the_root():
    counts = seen_once(3.0)
    expected = mean_model(PRIOR, counts).mean_rewards
    luck = jax.random.normal(jax.random.key(0), (4_000,))
    rewards = expected[1, 0] + luck * np.sqrt(1 + 1 / 2)  # predictive: noise, and what is not known
    parts = jax.vmap(lambda reward: reward_part(4, PRIOR, counts, expected, ONE, ZERO, reward))(
        rewards
    )
    shares = np.bincount(parts, minlength=4) / 4_000
    np.testing.assert_allclose(shares, 0.25, atol=0.035)  # five standard errors


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bayes-adaptive:simulations=0", r"simulations is '0'; it must be a whole number from 1"),
        ("bayes-adaptive:depth=0", r"depth is '0'; it must be left or a whole number from 1"),
        ("bayes-adaptive:rollout=best", r"rollout is 'best'; it must be greedy or random"),
        ("bayes-adaptive:exploration=-1", r"exploration is '-1'; it must be a number, at least 0"),
    ],
)
def test_settings_that_make_no_search_are_refused(text, message, trial):
    with pytest.raises(InvalidInput, match=message):
        make(text, trial)
