"""The inner learner: its counts and values are those of a loop over the trial, and the network is shown them."""

from __future__ import annotations

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl import environments
from metarl.controller import ActionLayout, outer_product_memory
from metarl.environments import Trial
from metarl.errors import InvalidInput
from metarl.rl_squared import NetworkConfig
from metarl.rl_squared.agent.agent import acting_agent
from metarl.rl_squared.agent.inner_learner import SWEEPS, InnerLearner
from metarl.rl_squared.agent.inputs import make_encoder
from metarl.rl_squared.agent.network import POLICY, make_policy
from metarl.rl_squared.learning.rollout import collect

SHOWN = NetworkConfig(inner_values=True)


def by_loops(steps, states, actions, horizon):
    """Returns visits and values after some (s, a, r, s', terminated, truncated), by loops."""
    discount, time = 1 - 1 / horizon, 0
    led, visits, terminated = {}, np.zeros((states, actions)), np.zeros((states, actions))
    sums, values = np.zeros((states, actions)), np.zeros((states, actions))
    for state, action, reward, following, over, cut in steps:
        visits[state, action] += 1
        sums[state, action] += reward
        if not over and not cut:
            led.setdefault((state, action), []).append(following)
        elif over and time + 1 < horizon:
            terminated[state, action] += 1
        time = 0 if over or cut else time + 1
        for _ in range(SWEEPS):
            new = np.zeros_like(values)
            for s in range(states):
                for a in range(actions):
                    if visits[s, a]:
                        new[s, a] = sums[s, a] / visits[s, a]
                    seen = led.get((s, a), [])
                    if seen or terminated[s, a]:
                        after = sum(values[where].max() for where in seen)
                        new[s, a] += discount * after / (len(seen) + terminated[s, a])
            values = new
    return visits, values


def random_steps(count, states, actions, seed=0):
    draw = np.random.default_rng(seed)
    ends = draw.integers(0, 4, count)
    return [
        (
            int(draw.integers(states)),
            int(draw.integers(actions)),
            float(np.float32(draw.normal())),
            int(draw.integers(states)),
            bool(end == 0),
            bool(end == 1),
        )
        for end in ends
    ]


def test_values_are_those_of_loops_over_the_trial():
    environment = environments.load("mdp", states=3, actions=2, horizon=5)
    steps = random_steps(30, 3, 2)
    after = jax.jit(lambda learner, step: learner.after(*step, 5))
    learner = InnerLearner.knowing_nothing(environment)
    for step in steps:
        state, action, reward, following, over, cut = map(jnp.asarray, step)
        learner = after(learner, (state, action, reward, following, over, cut))
    visits, values = by_loops(steps, 3, 2, horizon=5)
    np.testing.assert_array_equal(learner.visits, visits)
    np.testing.assert_allclose(learner.action_values, values, rtol=1e-5)
    told = learner.told(jnp.array(1), 5)
    np.testing.assert_allclose(told[:, 0], 1 / np.sqrt(1 + visits[1]), rtol=1e-6)
    np.testing.assert_allclose(told[:, 1], 0.2 * values[1], rtol=1e-5)


def test_values_come_to_those_of_the_model_that_was_counted():
    """Many sweeps later they are the fixed point of the Bellman equation of the counts."""
    environment = environments.load("mdp", states=3, actions=2, horizon=5)
    learner = InnerLearner.knowing_nothing(environment)
    after = jax.jit(lambda learner, step: learner.after(*step, 5))
    for state, action, reward, *rest in random_steps(200, 3, 2, seed=1):
        step = (state, action, 2 * state + reward, *rest)
        learner = after(learner, tuple(map(jnp.asarray, step)))
    led = (
        np.asarray(learner.transitions)
        / (np.asarray(learner.transitions).sum(-1) + np.asarray(learner.terminations))[..., None]
    )
    values = np.zeros((3, 2))
    for _ in range(500):
        values = np.asarray(learner.reward_sums / learner.visits) + 0.8 * led @ values.max(-1)
    np.testing.assert_allclose(learner.action_values, values, atol=0.1)
    assert np.ptp(values) > 1  # so that 0.1 says something


def test_in_a_bandit_the_values_are_the_mean_rewards():
    environment = environments.load("bandit", arms=3)
    encoder = make_encoder(environment, SHOWN)
    previous, pulls = encoder.first(), [(0, 1.0), (2, 0.0), (0, 0.0), (0, 1.0)]
    remember = jax.jit(encoder.remember)
    for arm, reward in pulls:
        ended, zero = jnp.array(True), jnp.array(0)
        previous = remember(
            previous, zero, jnp.array(arm), jnp.float32(reward), ended, ~ended, zero
        )
    seen = encoder(jnp.array(0), previous)
    assert seen.shape == (encoder.size,)
    np.testing.assert_allclose(seen[encoder.layout.told], [0.5, 2 / 3, 1, 0, 0.5**0.5, 0])


@pytest.mark.parametrize("core", ["outer-product", pytest.param("gru", marks=pytest.mark.slow)])
def test_an_agent_acts_on_what_it_was_trained_on(core):
    """What the acting agent is shown at every step of a trial is what the rollout recorded."""
    environment = environments.load("mdp", states=3, actions=2, horizon=4)
    trial = Trial(environment, episodes=3)
    network = NetworkConfig(core=core, hidden=8, inner_values=True)
    policy, encoder = make_policy(environment, network), make_encoder(environment, network)
    params = jax.jit(policy.init)(jax.random.key(0))
    rollout = jax.jit(lambda keys: collect(policy, params, encoder, trial, keys, 0.9, True))(
        jax.random.split(jax.random.key(1), 2)
    )
    seen, actions = rollout.batch.inputs.seen[1], rollout.batch.actions[1]
    told = seen[:, encoder.layout.told]
    assert np.ptp(told, axis=0).min() > 0  # every number moves within a trial
    # Along the trial that was recorded the agent's own memory is shown the same numbers.
    agent = acting_agent(environment, network, params[POLICY])
    memory = agent.init(jax.random.key(2), trial, None)
    observe = jax.jit(agent.observe)
    states = jnp.argmax(seen[:, :3], axis=-1)
    for t in range(trial.length):
        np.testing.assert_allclose(encoder(states[t], memory.previous), seen[t], rtol=1e-5)
        cut = jnp.array(t % 4 == 3)
        memory = observe(
            memory,
            states[t],
            actions[t],
            seen[min(t + 1, 11), 5],
            cut,
            ~cut & cut,
            states[min(t + 1, 11)],
        )


def test_what_is_told_of_an_action_moves_its_score_as_it_would_any_others():
    """At first nothing is remembered: exchanging what two actions are told exchanges their scores."""
    layout = ActionLayout(done=slice(0, 3), seen=None, actions=3, told=slice(3, 9))
    core = outer_product_memory(hidden_size=8, layout=layout, keys=4, values=2)
    run = hk.without_apply_rng(hk.transform(lambda x: core()(x, core().initial_state(1))[0]))
    told = np.array([[0.1, -1.0], [0.9, 2.0], [0.4, 0.3]])

    def inputs(told):
        return jnp.concatenate([jnp.zeros(3), jnp.ravel(jnp.asarray(told))])[None]

    params = jax.jit(run.init)(jax.random.key(0), inputs(told))
    params = hk.data_structures.map(  # what all actions share is told nothing
        lambda module, name, w: 0 * w if module.endswith("context") else w, params
    )
    scores = run.apply(params, inputs(told))[0, :3]
    exchanged = run.apply(params, inputs(told[[1, 0, 2]]))[0, :3]
    assert np.ptp(scores) > 1e-6
    np.testing.assert_allclose(exchanged, scores[jnp.array([1, 0, 2])], rtol=1e-4)


def test_what_is_not_discrete_or_too_large_is_refused():
    with pytest.raises(InvalidInput, match=r"--network\.inner-values needs discrete observations"):
        make_encoder(environments.load("cartpole"), SHOWN)
    with pytest.raises(
        InvalidInput, match=r"counts 1,000 x 5 x 1,000 transitions in 'mdp'.*1,048,576"
    ):
        make_encoder(environments.load("mdp", states=1000), SHOWN)
