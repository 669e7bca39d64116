"""MuZero: its targets are those of a loop, and its search does what mctx's does."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.environments import Trial, load
from metarl.errors import InvalidInput
from metarl.rl_baselines import make, parse
from metarl.rl_baselines.config import MuZeroConfig
from metarl.rl_baselines.experience import Experience
from metarl.rl_baselines.model_network import model_network
from metarl.rl_baselines.model_targets import sequence_targets
from metarl.rl_baselines.muzero import plan

UNROLL, N_STEPS, DISCOUNT = 3, 4, 0.9
WINDOW = UNROLL + N_STEPS
ROOMS = "key-to-door"
TINY = MuZeroConfig(equivariant=True, hidden=8, latent=16, bins=5, simulations=6, gumbel_scale=0.0)


# Targets ---------------------------------------------------------------------------------------


def naive_targets(steps, there, next_values):
    """Returns value, its weight and the policy's for k = 0..U, reward and its weight for U steps, one by one."""
    rows, rewards = [], []
    for k in range(UNROLL + 1):
        ends = [i for i in range(k) if steps.ended[i]]
        if ends and steps.terminated[ends[0]]:
            rows.append((0.0, 1.0, 0.0))
            rewards.append((0.0, 1.0))
            continue
        alive = not ends and bool(there[k])
        rewards.append((float(steps.rewards[k]), float(alive)))
        if not alive:
            rows.append((None, 0.0, 0.0))
            continue
        value = 0.0
        for i in range(N_STEPS):
            at = k + i
            value += DISCOUNT**i * float(steps.rewards[at])
            last_known = at + 1 == WINDOW or not there[at + 1]
            if steps.terminated[at]:
                break
            if steps.ended[at] or last_known or i == N_STEPS - 1:
                value += DISCOUNT ** (i + 1) * float(next_values[at])
                break
        rows.append((value, 1.0, 1.0))
    return rows, [*rewards[:UNROLL], (None, 0.0)]


def test_targets_of_a_sequence_are_those_of_a_loop():
    generator = np.random.default_rng(0)

    @jax.jit
    def targets(steps, there, values):
        return sequence_targets(steps, there, values, DISCOUNT, UNROLL, N_STEPS)

    seen = set()
    for _ in range(60):
        ended = generator.random(WINDOW) < 0.25
        terminated = ended & (generator.random(WINDOW) < 0.5)
        there = np.arange(WINDOW) < generator.integers(1, WINDOW + 1)
        nothing = np.zeros(WINDOW, np.int32)
        rewards, values = generator.normal(size=(2, WINDOW)).astype(np.float32)
        columns: Any = (nothing, nothing, rewards, terminated, ended, nothing)
        steps = Experience(*columns)
        found = jax.device_get(targets(steps, there, values))
        rows, reward_rows = naive_targets(steps, there, values)
        for k, (value, value_weight, policy_weight) in enumerate(rows):
            assert (found.value_weights[k], found.policy_weights[k]) == (
                value_weight,
                policy_weight,
            )
            if value is not None:
                np.testing.assert_allclose(found.values[k], value, rtol=1e-5, atol=1e-6)
        for k, (reward, weight) in enumerate(reward_rows):
            assert found.reward_weights[k] == weight
            if weight:
                assert found.rewards[k] == np.float32(reward)
        seen |= {row[1:] for row in rows}
    assert seen == {(1.0, 1.0), (1.0, 0.0), (0.0, 0.0)}  # acting, absorbed, not known


# Symmetries ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network():
    """Returns networks that commute with the symmetries of the rooms, all of their weights random."""
    model = model_network(load(ROOMS), TINY)
    params = jax.eval_shape(model.init, jax.random.key(0))
    leaves, tree = jax.tree.flatten(params)
    generator = np.random.default_rng(0)
    drawn = [(generator.normal(size=x.shape) / np.sqrt(len(x))).astype(np.float32) for x in leaves]
    return model, jax.tree.unflatten(tree, drawn)


@pytest.fixture(scope="module")
def turned():
    """Returns features of a picture without symmetry in all its turns [G, F], and what actions become [G, A]."""
    group = load(ROOMS).symmetries
    assert group is not None
    features = np.zeros(group.features.shape[1], np.float32)
    # Room 0, column 0, row 1; the key at column 2, row 1 would be a mirror image of itself, so column 1, row 2.
    features[[0, 3, 7, 10, 15]] = 1
    turns = np.zeros((8, len(features)), np.float32)
    for turn, moved in zip(turns, group.features, strict=True):
        turn[moved] = features
    assert len(np.unique(turns, axis=0)) == 8
    return jnp.asarray(turns), group.actions


def test_the_networks_and_a_whole_search_turn_with_the_picture(network, turned):
    model, params = network
    features, actions = turned
    rows = np.arange(8)[:, None]

    @jax.jit
    def everything(params, features, action):
        latent = model.represent(params, features)
        policy, value = model.predict(params, latent)
        following, reward = model.step(params, latent, action)
        next_policy, next_value = model.predict(params, following)
        chosen, weights = plan(model, TINY, jax.random.key(2), params, features)
        return (policy, next_policy, weights), (value, next_value, reward), latent, chosen

    right = jnp.asarray(actions[:, 1])
    turning, staying, latent, chosen = jax.device_get(everything(params, features, right))
    for policies in turning:
        back = policies[rows, actions]
        np.testing.assert_allclose(back, np.broadcast_to(back[0], back.shape), atol=1e-5)
        assert np.ptp(policies[0]) > 1e-2, "all actions alike would be no test"
    for values in staying:
        np.testing.assert_allclose(
            values, np.broadcast_to(values[0], values.shape), atol=1e-5, rtol=1e-5
        )
    assert np.ptp(latent, axis=0).max() > 0.1, "the latent state itself turns"
    np.testing.assert_array_equal(chosen, actions[:, chosen[0]])


def test_plain_networks_do_not_turn_with_the_picture(turned):
    features, _ = turned
    model = model_network(load(ROOMS), MuZeroConfig(hidden=8, latent=16, bins=5))
    latent = jax.jit(lambda key: model.represent(model.init(key), features))(jax.random.key(0))
    assert latent.shape == (8, 1, 16)
    views = np.asarray(latent).reshape(8, -1)
    assert not np.allclose(np.sort(views, axis=1), np.sort(views[:1], axis=1), atol=1e-3)


# Search ----------------------------------------------------------------------------------------


def test_values_much_closer_than_the_least_spread_leave_the_policy_as_it_was(network, turned):
    model, params = network
    features, _ = turned

    @jax.jit
    def moved(params, features):
        prior = jax.nn.softmax(model.predict(params, model.represent(params, features))[0])
        key = jax.random.key_data(jax.random.key(3))

        def by(least: float):
            config = dataclasses.replace(TINY, least_spread=least)
            _, weights = plan(model, config, jax.random.wrap_key_data(key), params, features)
            return jnp.max(jnp.abs(weights - prior))

        return by(0.0), by(1e4)

    scaled_up, as_they_are = moved(params, features)
    assert as_they_are < 1e-2 < 0.1 < scaled_up


# What is learnt --------------------------------------------------------------------------------


SMALL = (
    "muzero:hidden=8,latent=8,bins=11,simulations=4,reanalyse=2,learn_after=8,learn_every=4,"
    "gradient_steps=4,batch_size=16,unroll=1,n_steps=1,learning_rate=0.03,target_every=8,value_limit=5"
)
STEPS = 40


@pytest.fixture(scope="module")
def lived():
    """Returns what a learner remembers after each pull of a bandit whose arm 1 pays 1 and arm 0 nothing."""
    trial = Trial(load("bandit", arms=2), episodes=STEPS)
    agent = make(SMALL, trial)

    @jax.jit
    def begin(key):
        return agent.init(key, trial, None)

    @jax.jit
    def live(key, memory):
        action, planned = agent.act(jax.random.fold_in(key, memory.step), memory, jnp.int32(0))
        pulled = (jnp.int32(0), action, action * 1.0, jnp.bool_(True), jnp.bool_(False))
        return planned, agent.observe(planned, *pulled, jnp.int32(0))

    memories = [(None, begin(jax.random.key(0)))]
    for _ in range(STEPS):
        memories.append(live(jax.random.key(1), memories[-1][1]))
    return jax.device_get(memories)


def test_it_plans_for_what_pays(lived):
    first, last = lived[1][0].planned, lived[-1][0].planned
    np.testing.assert_allclose([first.sum(), last.sum()], 1, rtol=1e-5)
    assert first[1] < 0.8 < 0.9 < last[1]


def test_the_network_changes_where_learning_is_due_and_its_copy_follows_now_and_then(lived):
    def moved(of):
        weights = [np.concatenate([x.ravel() for x in jax.tree.leaves(of(m))]) for _, m in lived]
        return [step for step in range(1, STEPS + 1) if (weights[step] != weights[step - 1]).any()]

    assert moved(lambda memory: memory.network.params) == list(range(8, STEPS + 1, 4))
    assert moved(lambda memory: memory.network.target) == list(range(8, STEPS + 1, 8))


def test_a_search_reanalyses_two_remembered_steps_and_in_time_all_of_them(lived):
    met = set()
    for taken in range(4, STEPS):
        before, after = lived[taken][1].policies, lived[taken + 1][0].policies
        changed = np.flatnonzero((before != after).any(axis=1))
        pair = {(changed[0], changed[-1])} if len(changed) else set()
        assert pair <= {(i, i) for i in range(taken)} | {(i, i + 1) for i in range(taken)} | {
            (0, taken - 1)
        }
        if taken % 4 == 0 and taken >= 8:  # the network has just changed
            assert len(changed) == 2
        met |= set(changed)
        written = lived[taken + 1][1].policies[taken]
        np.testing.assert_array_equal(written, lived[taken + 1][0].planned)
    assert len(met) > STEPS / 3 and max(met) > STEPS / 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("muzero:simulations=0", "muzero: simulations is 0; it must be at least 1."),
        ("muzero:bins=50", "bins is 50; give an odd number"),
        ("muzero:target_every=7", "give a multiple"),
        ("muzero:gumbel_scale=-1", "gumbel_scale is -1.0"),
        ("muzero:least_spread=-1", "least_spread is -1.0"),
        ("muzero:equivariant=perhaps", "equivariant is 'perhaps'; it must be true or false."),
    ],
)
def test_settings_of_no_use_are_refused(text, message):
    with pytest.raises(InvalidInput) as refused:
        parse(text)
    assert message in str(refused.value)


def test_worlds_it_cannot_plan_in_are_refused():
    with pytest.raises(InvalidInput, match="muzero needs Discrete actions; those of 'pendulum'"):
        make("muzero", Trial(load("pendulum"), steps=3))
    with pytest.raises(
        InvalidInput, match="equivariant is true, and 'gridworld' has no symmetries"
    ):
        make("muzero:equivariant=true", Trial(load("gridworld"), episodes=1))
    with pytest.raises(InvalidInput, match="'key-to-door' has no symmetries"):
        make("muzero:equivariant=true", Trial(load(ROOMS, size=4, room_steps=4), episodes=1))
