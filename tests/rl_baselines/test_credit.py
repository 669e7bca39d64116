"""The parts of which learners are made, against loops and by hand."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.environments import Trial, load
from metarl.rl_baselines import parse
from metarl.rl_baselines.config import (
    DQNConfig,
    Exploration,
    PPOAgentConfig,
    QLearningConfig,
    ReinforceAgentConfig,
    TRPOAgentConfig,
)
from metarl.rl_baselines.experience import Experience, no_experience, written
from metarl.rl_baselines.exploration import exploration_steps, explore
from metarl.rl_baselines.policy_learner import assign, make_algorithm, make_policy, rollout_steps
from metarl.rl_baselines.q_learning import q_learning

CARTPOLE = load("cartpole", horizon=6)


def test_the_oldest_step_makes_room_for_the_newest():
    experience = no_experience(CARTPOLE, 3)
    for step in range(5):
        taken = Experience(
            jnp.full(4, float(step)),
            jnp.int32(step % 2),
            jnp.float32(step),
            jnp.asarray(True),
            jnp.asarray(True),
            jnp.zeros(4),
        )
        experience = written(experience, jnp.int32(step), taken)
    np.testing.assert_array_equal(experience.rewards, [3.0, 4.0, 2.0])
    np.testing.assert_array_equal(experience.observations[:, 0], [3.0, 4.0, 2.0])
    np.testing.assert_array_equal(experience.actions, [1, 0, 0])


def test_epsilon_falls_along_a_line_and_stays():
    config = Exploration(first_epsilon=1.0, last_epsilon=0.0, exploration_share=0.5)
    steps = exploration_steps(config.exploration_share, Trial(CARTPOLE, episodes=2))
    assert steps == 6
    values = jnp.array([0.0, 1.0])

    @jax.jit
    def choose(step):
        keys = jax.random.split(jax.random.key(0), 2000)
        return jax.vmap(lambda key: explore(config, key, step, steps, values))(keys)

    def share_of_the_best(step):
        return float(jnp.mean(choose(jnp.int32(step))))

    assert share_of_the_best(0) == pytest.approx(0.5, abs=0.05)
    assert share_of_the_best(3) == pytest.approx(0.75, abs=0.05)
    assert share_of_the_best(6) == share_of_the_best(50) == 1.0


def test_of_equal_values_any_is_taken():
    config = Exploration(first_epsilon=0.0, last_epsilon=0.0)
    keys = jax.random.split(jax.random.key(0), 600)
    values = jnp.array([1.0, 0.0, 1.0])
    choose = jax.vmap(lambda key: explore(config, key, jnp.int32(0), jnp.float32(1), values))
    chosen = jax.jit(choose)(keys)
    assert set(np.asarray(chosen).tolist()) == {0, 2}
    assert 200 < int(jnp.sum(chosen == 0)) < 400


def test_one_step_of_q_learning_by_hand():
    environment = load("mdp", states=2, actions=2, horizon=2)
    config = QLearningConfig(discount=0.5, learning_rate=1.0, learning_rate_power=1.0)
    agent = q_learning(environment, config)
    memory = agent.init(jax.random.key(0), Trial(environment, 1), None)
    no, yes = jnp.asarray(False), jnp.asarray(True)

    def after(memory, state, action, reward, terminated, truncated, following):
        one, two, three = (jnp.int32(x) for x in (state, action, following))
        return agent.observe(memory, one, two, jnp.float32(reward), terminated, truncated, three)

    memory = after(memory, 0, 0, 4.0, yes, no, 1)
    np.testing.assert_allclose(memory.values, [[4, 0], [0, 0]])
    memory = after(memory, 1, 1, 1.0, no, yes, 0)  # truncated: what follows still counts
    np.testing.assert_allclose(memory.values, [[4, 0], [0, 3]])
    memory = after(memory, 1, 1, 1.0, no, no, 0)  # the second visit, so half the error, which is 0
    memory = after(memory, 0, 0, 0.0, yes, no, 0)
    np.testing.assert_allclose(memory.values, [[2, 0], [0, 3]])


@pytest.mark.parametrize(
    "config", [PPOAgentConfig(steps=8, hidden=4), ReinforceAgentConfig(hidden=4)]
)
def test_credit_is_that_of_a_loop_over_the_rollout(config):
    policy = make_policy(CARTPOLE, config)
    algorithm, apply = make_algorithm(policy, config), jax.jit(policy.apply)
    learner = jax.jit(lambda key: algorithm.init(policy.init(key)))(jax.random.key(0))
    learner = learner._replace(returns=learner.returns._replace(mean=jnp.float32(2.0)))
    observations, following = jax.random.normal(jax.random.key(1), (2, 8, 4))
    rollout = Experience(
        observations,
        jnp.array([0, 1] * 4, jnp.int32),
        jnp.arange(8.0),
        terminated=jnp.arange(8) == 2,
        ended=jnp.isin(jnp.arange(8), jnp.array([2, 5])),
        next_observations=following,
    )
    assigned = jax.jit(lambda *given: assign(policy, config, CARTPOLE.observation_space, *given))
    batch = assigned(learner, rollout)

    value = lambda one: 2.0 + float(apply(learner.params, one[None, None])[1][0, 0])  # noqa: E731
    trace = getattr(config.update, "gae_lambda", 1.0) * config.discount
    later, returns = 0.0, np.zeros(8)
    # Within an episode the next step's observation is where this one led, so its value is the same.
    for t in reversed(range(8)):
        cut = bool(rollout.ended[t]) or t == 7
        rest = value(following[t]) if cut else value(observations[t + 1])
        rest = 0.0 if bool(rollout.terminated[t]) else config.discount * rest
        error = float(rollout.rewards[t]) + rest - value(observations[t])
        later = error + (0.0 if cut else trace * later)
        returns[t] = later + value(observations[t])
    np.testing.assert_allclose(batch.rewards[:, 0], returns, rtol=1e-4)
    logits, values = apply(learner.params, observations[:, None])
    np.testing.assert_allclose(batch.values, values, rtol=1e-5)
    expected = policy.distribution.log_prob(logits, rollout.actions[:, None])
    np.testing.assert_allclose(batch.log_probs, expected, rtol=1e-5)
    assert batch.rewards.shape == batch.mask.shape == (8, 1)
    assert not batch.discounts.any()


def test_rollouts_of_reinforce_hold_whole_episodes_where_all_have_one_length():
    pendulum = load("pendulum", horizon=50)
    assert rollout_steps(pendulum, ReinforceAgentConfig(steps=128)) == 150
    assert rollout_steps(CARTPOLE, ReinforceAgentConfig(steps=128)) == 128
    assert rollout_steps(pendulum, PPOAgentConfig(steps=128)) == 128


def test_the_memory_of_dqn_is_no_larger_than_the_trial():
    from metarl.rl_baselines.deep_q_learning import deep_q_learning

    agent = deep_q_learning(CARTPOLE, DQNConfig(memory=100, hidden=2))
    for episodes, kept in ((5, 30), (50, 100)):
        memory = agent.init(jax.random.key(0), Trial(CARTPOLE, episodes), None)
        assert memory.experience.rewards.shape == (kept,)


def test_trpo_from_scratch_takes_shorter_steps_where_all_actions_are_nearly_as_good():
    assert TRPOAgentConfig().update.advantage_floor == 0.1
    told: Any = parse("trpo:advantage_floor=0")[1]
    assert told.update.advantage_floor == 0


def test_ppo_from_scratch_preserves_its_values_and_others_if_asked():
    assert PPOAgentConfig().update.preserve_values
    for text, expected in {
        "ppo:preserve_values=false": False,
        "trpo:preserve_values=true": True,
    }.items():
        told: Any = parse(text)[1]
        assert told.update.preserve_values is expected
