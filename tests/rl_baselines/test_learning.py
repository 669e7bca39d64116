"""That they learn: an MDP solved exactly, bandits, a short pole; CartPole-v1 itself in the slow ones."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces

from metarl.environments import Environment, Step, Trial, load
from metarl.rl_baselines import learn_split, make
from metarl.rl_baselines.config import QLearningConfig
from metarl.rl_baselines.q_learning import q_learning


class Chain(NamedTuple):
    """Where an episode of the chain stands."""

    place: jax.Array
    time: jax.Array


STATES, HORIZON, DISCOUNT = 5, 12, 0.9
START = 2


def chain() -> Environment:
    """Five states in a row: action 1 goes right, 0 left, each slips to the other with probability 0.1.

    The left end pays 0.3, the right end 1; episodes are truncated, so the best policy is stationary.
    """

    def reset(key, task):
        del key, task
        return jnp.int32(START), Chain(jnp.int32(START), jnp.int32(0))

    def step(key, state, action, task):
        del task
        way = jnp.where(jax.random.bernoulli(key, 0.1), 1 - action, action)
        place = jnp.clip(state.place + 2 * way - 1, 0, STATES - 1)
        reward = jnp.where(place == STATES - 1, 1.0, jnp.where(place == 0, 0.3, 0.0))
        time = state.time + 1
        return Step(place, Chain(place, time), reward, jnp.asarray(False), time >= HORIZON, {})

    return Environment(
        name="chain", settings={}, observation_space=spaces.Discrete(STATES),
        action_space=spaces.Discrete(2), horizon=HORIZON,
        draw_task=lambda key, split: jnp.zeros(()), reset=reset, step=step, fixed_length=True,
    )  # fmt: skip


def optimal_values() -> np.ndarray:
    """Returns Q* of the chain, by value iteration."""
    values = np.zeros((STATES, 2))
    rewards = np.array([0.3, 0, 0, 0, 1.0])
    for _ in range(500):
        best = values.max(axis=1)
        for state in range(STATES):
            ends = [max(state - 1, 0), min(state + 1, STATES - 1)]
            worth = [rewards[end] + DISCOUNT * best[end] for end in ends]
            values[state] = [0.9 * worth[0] + 0.1 * worth[1], 0.9 * worth[1] + 0.1 * worth[0]]
    return values


def test_q_learning_finds_the_values_of_an_mdp_that_is_solved_exactly():
    environment = chain()
    trial = Trial(environment, episodes=4000)
    config = QLearningConfig(
        discount=DISCOUNT, last_epsilon=1.0, learning_rate_power=0.77, first_value=5.0
    )
    agent = q_learning(environment, config)

    def advance(carry, key):
        memory, observation, state = carry
        act_key, step_key = jax.random.split(key)
        action, memory = agent.act(act_key, memory, observation)
        taken = environment.step(step_key, state, action, None)
        memory = agent.observe(
            memory, observation, action, taken.reward, taken.terminated, taken.truncated,
            taken.observation,
        )  # fmt: skip
        first, fresh = environment.reset(step_key, None)
        again = lambda a, b: jnp.where(taken.truncated, a, b)  # noqa: E731
        state = jax.tree.map(again, fresh, taken.state)
        return (memory, again(first, taken.observation), state), None

    @jax.jit
    def learn(key):
        init_key, steps_key = jax.random.split(key)
        start = (agent.init(init_key, trial, None), *environment.reset(init_key, None))
        return jax.lax.scan(advance, start, jax.random.split(steps_key, trial.length))[0][0].values

    with jax.debug_key_reuse(False):  # a reset draws nothing
        found = np.asarray(learn(jax.random.key(0)))
    expected = optimal_values()
    np.testing.assert_array_equal(found.argmax(axis=1), expected.argmax(axis=1))
    np.testing.assert_allclose(found, expected, rtol=0.08)


def mean_returns(text: str, trial: Trial, tasks: int) -> np.ndarray:
    """Returns the mean return of each episode [E]."""
    return np.asarray(learn_split(make(text, trial), trial, 0, tasks, "test").returns).mean(axis=0)


BANDIT = {
    "q-learning": "q-learning",
    "dqn": "dqn:hidden=16,layers=1,learn_after=32,target_every=32,gradient_steps=2,learn_every=4",
    "reinforce": "reinforce:hidden=16,steps=32,learning_rate=0.03",
    "ppo": "ppo:hidden=16,steps=32,learning_rate=0.01",
    "trpo": "trpo:hidden=16,steps=32,max_kl=0.05",
}


# The quick form of these: their updates learn in tests of policy gradients.
SLOW = [pytest.param(n, marks=pytest.mark.slow) for n in ("reinforce", "ppo", "trpo")]


@pytest.mark.parametrize("name", ["q-learning", "dqn", *SLOW])
def test_every_learner_finds_a_good_arm(name):
    trial = Trial(load("bandit", arms=3), episodes=512)
    returns = mean_returns(BANDIT[name], trial, 32)
    assert returns[:16].mean() < 0.62  # any arm, in the beginning: 0.5
    assert returns[-64:].mean() > 0.66  # the best of three: 0.75


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dqn", "ppo"])
def test_cartpole_is_solved(name):
    # CartPole-v1 counts as solved at a mean return of 475 over 100 successive episodes.
    trial = Trial(load("cartpole"), episodes=500)
    returns = np.asarray(learn_split(make(name, trial), trial, 0, 4, "test").returns)
    means = np.stack([np.convolve(one, np.full(100, 0.01), "valid") for one in returns])
    assert (means.max(axis=1) >= 475).all(), means.max(axis=1)


@pytest.mark.slow  # the quick form: a good arm is found
@pytest.mark.parametrize("name", ["dqn", "ppo"])
def test_a_pole_is_kept_up_longer(name):
    texts = {
        "dqn": "dqn:hidden=32,learn_every=4,gradient_steps=2,exploration_share=0.1",
        "ppo": "ppo:hidden=32,steps=128,epochs=6,learning_rate=3e-3",
    }
    trial = Trial(load("cartpole", horizon=100), episodes={"dqn": 150, "ppo": 60}[name])
    returns = mean_returns(texts[name], trial, 4)
    assert returns[:5].mean() < 35
    assert returns[-10:].mean() > 60


@pytest.mark.slow  # the quick form: test_muzero.py, it plans for what pays
def test_muzero_learns_to_walk_to_a_goal_and_stay():
    # At random an episode earns -1.2, who knows the goal some 12. Of 8 tasks the last tenth earned 9.2 on average,
    # with a standard error of 1.9.
    trial = Trial(load("gridworld"), episodes=120)
    returns = mean_returns("muzero", trial, 8)
    assert returns[:12].mean() < 0
    assert returns[-12:].mean() > 2
