"""Learning from offline data: what is read off trajectories, what is imitated, and what is asked for."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.environments import Trial, load, play
from metarl.errors import InvalidInput
from metarl.rl_baselines import make, offline_names, parse
from metarl.rl_baselines.config import DecisionTransformerConfig, OfflineConfig
from metarl.rl_baselines.offline_data import Trajectories, best_share, checked, random_walks
from metarl.rl_baselines.offline_learning import fitted, shape_of
from metarl.rl_baselines.sequence_policies import (
    _policy,
    balanced,
    decision_transformer,
    imitation_loss,
    sequence_inputs,
)

SMALL = "trajectories=60,steps=30,hidden=8,heads=2,layers=1,batch=16"


@pytest.fixture(scope="module")
def rooms():
    return load("key-to-door", size=3, room_steps=2, corridor=1)


@pytest.fixture(scope="module")
def walks(rooms):
    return random_walks(jax.random.key(0), rooms, 200)


def test_random_walks_are_episodes_of_training_tasks(rooms, walks):
    assert walks.observations.shape == (200, rooms.horizon, 3 + 3 + 3 + 4 + 4)
    ends = np.asarray(walks.valid).sum(axis=1)
    returns = np.asarray(walks.returns)
    assert set(returns) <= {0.0, 1.0} and (ends[returns == 0] == rooms.horizon).all()
    shares = (
        np.bincount(np.asarray(walks.actions)[np.asarray(walks.valid)], minlength=5) / ends.sum()
    )
    np.testing.assert_allclose(shares, 0.2, atol=0.065)  # five standard errors of 980 steps


def test_returns_to_go_and_inputs_are_those_of_a_loop(walks):
    inputs = np.asarray(sequence_inputs(walks, 5))
    for row in range(5):
        for t in range(walks.actions.shape[1]):
            to_go = float(np.asarray(walks.rewards)[row, t:].sum())
            before = np.zeros(5)
            if t:
                before[int(walks.actions[row, t - 1])] = 1
            expected = np.concatenate([[to_go], walks.observations[row, t], before])
            np.testing.assert_allclose(inputs[row, t], expected, atol=1e-6)


def made_up(returns: list[float]) -> Trajectories:
    count = len(returns)
    return Trajectories(
        jnp.zeros((count, 2, 17)),
        jnp.zeros((count, 2), jnp.int32),
        jnp.array(returns)[:, None] * jnp.array([[0.0, 1.0]]),
        jnp.ones((count, 2), bool),
    )


def test_the_best_share_leaves_out_who_earned_no_more_than_the_worst():
    kept = best_share(made_up([0, 3, 0, 1, 2, 0, 0, 0, 0, 0]), 0.2)
    assert kept.returns.tolist() == [3, 2]
    assert best_share(made_up([0, 3, 0, 1, 2, 0, 0, 0, 0, 0]), 0.8).returns.tolist() == [3, 2, 1]
    with pytest.raises(InvalidInput, match=r"All 3 episodes of the data earned 1; none is worth"):
        best_share(made_up([1, 1, 1]), 0.5)


def test_a_balanced_share_of_a_minibatch_is_of_walks_that_earned_more_than_the_worst():
    chances = balanced(jnp.array([0.0, 1.0, 0.0, 2.0, 0.0]), 0.6)
    np.testing.assert_allclose(chances, [0.08, 0.38, 0.08, 0.38, 0.08], rtol=1e-6)
    np.testing.assert_allclose(balanced(jnp.zeros(4), 0.6), 0.25)  # none is better


def test_rows_are_learnt_from_as_often_as_their_chances_say(rooms):
    """A learner whose loss is minus the sum of the rows' numbers moves along their mean."""
    config, policy = OfflineConfig(steps=1, batch=2000), Untaught()
    rows = (jnp.eye(3)[jnp.arange(3)],)
    seen = []

    def loss(params, batch):
        jax.debug.callback(lambda numbers: seen.append(np.asarray(numbers)), batch[0].mean(axis=0))
        return jnp.sum(params)

    fitted(jax.random.key(0), policy, loss, config, rows, jnp.array([0.7, 0.3, 0.0]))  # pyright: ignore
    jax.effects_barrier()
    # four standard deviations of a share of 2,000 are 0.041
    np.testing.assert_allclose(seen[0], [0.7, 0.3, 0.0], atol=0.041)


class Untaught:
    """A policy of no parameters but one."""

    def init(self, key):
        del key
        return jnp.zeros(1)


def test_padding_does_not_count_in_the_loss(rooms):
    policy = _policy(rooms, DecisionTransformerConfig(hidden=8, heads=2, layers=1))
    logits = jax.random.normal(jax.random.key(0), (2, 3, 5))
    actions = jnp.array([[0, 1, 2], [3, 4, 0]])
    valid = jnp.array([[True, True, False], [True, False, False]])
    log_pi = np.asarray(jax.nn.log_softmax(logits))
    expected = -(log_pi[0, 0, 0] + log_pi[0, 1, 1] + log_pi[1, 0, 3]) / 3
    np.testing.assert_allclose(imitation_loss(policy, logits, actions, valid), expected, rtol=1e-5)


@pytest.fixture(scope="module")
def agent(rooms):
    return make(f"decision-transformer:{SMALL}", Trial(rooms, episodes=2))


def test_acting_step_by_step_is_what_was_trained(rooms, agent):
    """The inputs that an agent makes of an episode, return taken off, are those of the data."""
    params, asked = agent.act.args
    _, config = parse(f"decision-transformer:{SMALL}")
    assert isinstance(config, OfflineConfig)
    policy = _policy(rooms, shape_of(config))
    walks = random_walks(jax.random.key(5), rooms, 1)
    walks = walks._replace(rewards=jnp.zeros_like(walks.rewards).at[0, 2].set(float(asked)))
    logits, _ = policy.apply(params, sequence_inputs(walks, 5))
    memory = agent.init(jax.random.key(0), Trial(rooms, episodes=1), None)
    blocks = (3, 3, 3, 4, 4)
    act, observe = jax.jit(agent.act), jax.jit(agent.observe)
    no = jnp.zeros((), bool)
    for t in range(rooms.horizon):
        parts = np.split(np.asarray(walks.observations[0, t]), np.cumsum(blocks)[:-1])
        seen = jnp.array([part.argmax() for part in parts])
        action, memory = act(jax.random.key(t), memory, seen)
        assert int(action) == int(logits[0, t].argmax())
        memory = observe(memory, seen, walks.actions[0, t], walks.rewards[0, t], no, no, seen)
    ended = observe(memory, seen, jnp.int32(0), jnp.float32(0), ~no, no, seen)
    fresh = agent.init(jax.random.key(0), Trial(rooms, episodes=1), None)
    jax.tree.map(np.testing.assert_array_equal, ended, fresh)


def test_the_same_text_is_the_same_agent_and_another_return_is_asked_for(rooms, agent):
    trial = Trial(rooms, episodes=2)
    _, config = parse(f"decision-transformer:{SMALL}")
    decision_transformer.cache_clear()
    again = decision_transformer(rooms, config)
    jax.tree.map(np.testing.assert_array_equal, agent.act.args, again.act.args)
    other = make(f"decision-transformer:{SMALL},asked=0.5", trial)
    assert float(other.act.args[1]) == 0.5 and float(agent.act.args[1]) == 1
    tasks = rooms.sample_tasks(jax.random.key(0), 4)
    assert play(agent, trial, jax.random.key(1), tasks).returns.shape == (4, 2)


def test_they_are_named_apart_from_learners_from_scratch():
    assert offline_names() == (
        "decision-transformer",
        "trajectory-transformer",
        "behaviour-cloning",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("decision-transformer:asked=inf", r"asked is 'inf'; it must be a number"),
        ("decision-transformer:asked=nan", r"asked is 'nan'; it must be a number"),
        ("decision-transformer:balance=2", r"balance is 2.0; it must lie between 0 and 1"),
        ("decision-transformer:trajectories=0", r"decision-transformer: trajectories is 0"),
        ("decision-transformer:hidden=12", r"hidden is 12 and heads 4; give a multiple of twice"),
        ("behaviour-cloning:share=2", r"behaviour-cloning: share is 2"),
        ("behaviour-cloning:asked=1", r"Unknown setting of agent 'behaviour-cloning' 'asked'"),
    ],
)
def test_settings_that_cannot_be_are_refused(text, message):
    with pytest.raises(InvalidInput, match=message):
        parse(text)


def test_a_world_of_continuous_actions_is_refused():
    with pytest.raises(InvalidInput, match=r"decision-transformer needs Discrete actions"):
        make("decision-transformer", Trial(load("pendulum"), steps=3))


def test_a_return_to_ask_for_that_is_not_finite_is_refused_in_python_too():
    with pytest.raises(InvalidInput, match=r"asked is inf; it must be a finite number, or None"):
        DecisionTransformerConfig(asked=float("inf"))


@pytest.mark.parametrize("name", offline_names())
def test_a_world_on_the_host_of_which_no_walks_are_gathered_is_refused(name, frozen_lake):
    message = r"in compiled worlds; 'FrozenLake-v1' is stepped on the host\. Take a learner"
    with pytest.raises(InvalidInput, match=message):
        make(name, Trial(frozen_lake, episodes=1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d._replace(observations=d.observations[..., :9]), "They are of another world"),
        (lambda d: d._replace(actions=d.actions + 5), "hold actions 5 to 9; .* are 0 to 4"),
        (lambda d: d._replace(rewards=d.rewards / 0), "not finite; they are damaged"),
        (lambda d: jax.tree.map(lambda leaf: leaf[:0], d), "Offline data are empty"),
    ],
)
def test_data_of_another_world_damaged_or_empty_are_refused(change, message, rooms, walks):
    with pytest.raises(InvalidInput, match=message):
        checked(rooms, change(walks))
