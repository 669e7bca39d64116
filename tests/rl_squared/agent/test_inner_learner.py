"""The inner learner: its counts and values are those of a loop over the trial, and the network is shown them."""

from __future__ import annotations

import json

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl import environments
from metarl.controller import ActionLayout, outer_product_memory
from metarl.environments import Trial, plan
from metarl.errors import InvalidInput
from metarl.rl_squared import NetworkConfig, TrainConfig, WorldConfig
from metarl.rl_squared.agent import agent_files
from metarl.rl_squared.agent.agent import TrainedAgent, acting_agent
from metarl.rl_squared.agent.inner_learner import BONUSES, REVISION, InnerLearner
from metarl.rl_squared.agent.inputs import Inputs, make_encoder
from metarl.rl_squared.agent.network import POLICY, make_policy
from metarl.rl_squared.learning.rollout import collect

SHOWN = NetworkConfig(inner_values=True)


def by_loops(steps, states, actions, horizon, length):
    """Returns visits and the values Q_b [S, A, V] after some (s, a, r, s', terminated, truncated), by loops."""
    time, led, visits = 0, {}, np.zeros((states, actions))
    terminated, sums = np.zeros((states, actions)), np.zeros((states, actions))
    for state, action, reward, following, over, cut in steps:
        visits[state, action] += 1
        sums[state, action] += reward
        if not over and not cut:
            led.setdefault((state, action), []).append(following)
        elif over and time + 1 < horizon:
            terminated[state, action] += 1
        time = 0 if over or cut else time + 1
    pairs = [(s, a) for s in range(states) for a in range(actions)]
    shares = sum(visits[pair] / (1 + visits[pair]) for pair in pairs)
    usual = sum(sums[pair] / (1 + visits[pair]) for pair in pairs) / shares if shares else 0.0
    values = np.zeros((states, actions, len(BONUSES)))
    for v, bonus in enumerate(BONUSES):
        later = np.zeros(states)
        for _ in range(horizon - time):
            for s, a in pairs:
                known, seen = 1 + visits[s, a], led.get((s, a), [])
                value = (usual + sums[s, a]) / known + bonus * (1 - len(steps) / length) / known
                after = sum(later[where] for where in seen) + later.mean()
                values[s, a, v] = value + after / (1 + len(seen) + terminated[s, a])
            later = values[..., v].max(-1)
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


@pytest.mark.parametrize("count", [0, 1, 7, 30])
def test_values_are_those_of_loops_over_the_trial(count):
    environment = environments.load("mdp", states=3, actions=2, horizon=5)
    steps = random_steps(count, 3, 2)
    after = jax.jit(lambda learner, step: learner.after(*step, 5))
    learner = InnerLearner.knowing_nothing(environment, length=40)
    for step in steps:
        learner = after(learner, tuple(map(jnp.asarray, step)))
    visits, values = by_loops(steps, 3, 2, horizon=5, length=40)
    np.testing.assert_array_equal(learner.visits, visits)
    told = learner.told(jnp.array(1), 5)
    np.testing.assert_allclose(told[:, 0], 1 / np.sqrt(1 + visits[1]), rtol=1e-6)
    np.testing.assert_allclose(told[:, 1:], values[1] - values[1].mean(0), rtol=1e-4, atol=1e-5)
    shares = [1 - count / 40, 1 - int(learner.time) / 5]
    np.testing.assert_allclose(learner.shared(5), shares, rtol=1e-6)


def test_values_come_to_those_of_the_task():
    """After thousands of steps everywhere they are the plan in the true MDP, whatever the bonus."""
    environment = environments.load("mdp", states=3, actions=2, horizon=4)
    task = environment.sample_task(jax.random.key(0))
    learner = InnerLearner.knowing_nothing(environment, length=10**6)
    many = 10_000.0
    learner = learner._replace(
        transitions=many * task.transitions,
        visits=jnp.full((3, 2), many),
        reward_sums=many * task.mean_rewards,
    )
    known = plan(task.transitions, task.mean_rewards, 4).action_values
    for time in range(4):
        values = learner._replace(time=jnp.array(time)).action_values(jnp.array(2), 4)
        for v in range(len(BONUSES)):
            np.testing.assert_allclose(values[:, v], known[time, 2], atol=5e-3)


def test_a_bonus_is_worth_a_way_to_what_is_unknown():
    """Two actions earn the same; one leads to where nothing was tried, which who has no bonus does not see."""
    environment = environments.load("mdp", states=3, actions=2, horizon=3)
    learner = InnerLearner.knowing_nothing(environment, length=10**6)
    visits = jnp.array([[50.0, 50.0], [50.0, 50.0], [0.0, 0.0]])
    transitions = jnp.zeros((3, 2, 3)).at[0, 0, 1].set(50.0).at[0, 1, 2].set(50.0)
    learner = learner._replace(
        transitions=transitions.at[1, :, 1].set(50.0), visits=visits, reward_sums=visits
    )
    told = learner.told(jnp.array(0), 3)
    assert told[0, 0] == told[1, 0]
    np.testing.assert_allclose(told[:, 1], 0, atol=1e-5)
    assert told[1, 2] > told[0, 2] + 0.5 and told[1, 3] > told[0, 3] + 1


def test_in_a_bandit_the_values_are_the_mean_rewards():
    environment = environments.load("bandit", arms=3)
    encoder = make_encoder(environment, SHOWN)
    previous, pulls = encoder.first(8), [(0, 1.0), (2, 0.0), (0, 0.0), (0, 1.0)]
    remember = jax.jit(encoder.remember)
    for arm, reward in pulls:
        ended, zero = jnp.array(True), jnp.array(0)
        previous = remember(
            previous, zero, jnp.array(arm), jnp.float32(reward), ended, ~ended, zero
        )
    seen = encoder(jnp.array(0), previous)
    assert seen.shape == (encoder.size,)
    usual = (2 / 4) / (3 / 4 + 1 / 2)
    means = np.array([(usual + 2) / 4, usual, usual / 2])
    rarity = np.array([1 / 4, 1, 1 / 2])  # 1 / (1 + n); half of the trial is left
    values = means[:, None] + 0.5 * rarity[:, None] * np.array(BONUSES)
    told = np.concatenate([rarity[:, None] ** 0.5, values - values.mean(0)], axis=1)
    place = encoder.layout.told
    assert place is not None
    np.testing.assert_allclose(seen[place], told.ravel(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(seen[place.start - 2 :][:2], [0.5, 1])


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
        np.testing.assert_allclose(
            encoder(states[t], memory.previous), seen[t], rtol=1e-5, atol=1e-5
        )
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


def test_a_world_shows_what_its_own_inner_learner_believes():
    """In mazes: beside the pixels, as the learner of a trial of that length tells it, also when the agent acts."""
    environment = environments.load("maze", size=3, horizon=6, width=13, height=13)
    learning, trial = environment.inner_learning, Trial(environment, episodes=2)
    assert learning is not None
    network = NetworkConfig(hidden=4, filters=2, beside=4, value="shared", inner_values=True)
    policy, encoder = make_policy(environment, network), make_encoder(environment, network)
    assert encoder.layout.told is None  # nothing of it concerns single actions
    params = jax.jit(policy.init)(jax.random.key(0))
    rollout = jax.jit(lambda keys: collect(policy, params, encoder, trial, keys, 0.9, True))(
        jax.random.split(jax.random.key(1), 2)
    )
    sights, actions = rollout.batch.inputs.seen, rollout.batch.actions[1]
    beside = sights.told[1][:, -learning.size :]
    pixels = sights.pixels[1].astype(jnp.float32) / 127.5 - 1
    known, tell = learning.begin(trial.length), jax.jit(learning.tell)
    after, rewards = jax.jit(learning.after), sights.told[1][:, 3]
    for t in range(6):
        np.testing.assert_allclose(tell(known, pixels[t]), beside[t], rtol=1e-4, atol=1e-4)
        no, cut = jnp.array(False), jnp.array(t == 5)
        known = after(known, pixels[t], actions[t], rewards[t + 1], pixels[t + 1], no, cut)
    np.testing.assert_allclose(tell(known, pixels[6]), beside[6], rtol=1e-4, atol=1e-4)
    assert (
        beside[6, -1] == 1 and beside[6, -2] == 0.5
    )  # a whole episode is left, and half of the trial


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


def test_a_score_can_be_what_is_told_of_the_action_and_nothing_else():
    layout = ActionLayout(done=slice(0, 3), seen=None, actions=3, told=slice(3, 9))
    core = outer_product_memory(hidden_size=8, layout=layout, keys=4, values=2)
    run = hk.without_apply_rng(hk.transform(lambda x: core()(x, core().initial_state(1))[0]))
    told = jnp.array([[0.1, -1.0], [0.9, 2.0], [0.4, 0.3]])
    inputs = jnp.concatenate([jnp.zeros(3), told.ravel()])[None]
    params = hk.data_structures.map(
        lambda module, name, w: (
            jnp.array([0.0, 5.0]) if module.endswith("trust") and name == "b" else 0 * w
        ),
        jax.jit(run.init)(jax.random.key(0), inputs),
    )
    np.testing.assert_allclose(run.apply(params, inputs)[0, :3], 5 * told[:, 1], rtol=1e-6)


def test_a_network_that_trusts_what_it_is_told_begins_by_going_by_the_plans_with_a_bonus():
    environment = environments.load("mdp", states=3, actions=2, horizon=4)
    network = NetworkConfig(core="outer-product", hidden=4, inner_values=True, inner_trust=6.0)
    policy, encoder = make_policy(environment, network, True), make_encoder(environment, network)
    draw = np.random.default_rng(0)
    told = jnp.asarray(draw.normal(size=(2, 1 + len(BONUSES))), jnp.float32)
    seen = jnp.zeros(encoder.size).at[encoder.layout.told].set(told.ravel())[None]
    params, state = jax.jit(policy.init)(jax.random.key(0)), policy.initial_state(1)
    _, logits, _ = policy.step(params, state, Inputs(seen, jnp.zeros((1, 0))))
    bold = [1 + v for v, bonus in enumerate(BONUSES) if bonus > 0]
    expected = 6 * told[:, jnp.array(bold)].mean(-1)
    np.testing.assert_allclose(np.diff(logits[0]), np.diff(expected), atol=0.05)
    assert abs(np.diff(expected)[0]) > 1


@pytest.mark.parametrize(
    ("core", "inner_values", "shown"),
    [("gru", True, "shown"), ("outer-product", False, "not shown")],
)
def test_trust_in_what_is_not_told_is_refused(core, inner_values, shown):
    with pytest.raises(InvalidInput, match=f"the core is '{core}', and inner values are {shown}"):
        NetworkConfig(core=core, inner_values=inner_values, inner_trust=1.0)


def test_what_is_not_discrete_or_too_large_is_refused():
    with pytest.raises(
        InvalidInput, match=r"or a world with 'inner_learning'.*'cartpole' has neither"
    ):
        make_encoder(environments.load("cartpole"), SHOWN)
    with pytest.raises(
        InvalidInput, match=r"1,000 x 5 x 1,000 transitions over 10 steps in 'mdp'.*1,048,576"
    ):
        make_encoder(environments.load("mdp", states=1000), SHOWN)


def test_an_agent_that_learnt_from_other_inner_values_is_refused(tmp_path):
    world = WorldConfig(states=2, actions=2, horizon=2, environment="mdp", episodes=1)
    config = TrainConfig(world=world, network=NetworkConfig(hidden=2, inner_values=True))
    environment = environments.load("mdp", states=2, actions=2, horizon=2)
    policy = make_policy(environment, config.network, acting=True)
    agent = TrainedAgent(jax.jit(policy.init)(jax.random.key(0))[POLICY], config)
    path = agent_files.save(agent, tmp_path / "agent.npz")
    assert agent_files.load(path).config == config
    card = json.loads(path.with_suffix(".json").read_text())
    assert card.pop("inner_learner") == REVISION
    path.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(
        InvalidInput, match=r"revision 1 of --network\.inner-values.*has revision 2"
    ):
        agent_files.load(path)
