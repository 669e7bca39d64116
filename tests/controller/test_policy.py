"""Policies of every core, head and value network, against the laws of the contract."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.controller import (
    CoreStates,
    categorical_head,
    gaussian_head,
    gru,
    lstm,
    masked_categorical_head,
    recurrent_policy,
)
from metarl.errors import InvalidInput

pytestmark = pytest.mark.usefixtures("keys_checked")

B, T, FEATURES, ACTIONS = 3, 6, 4, 5


class Bins:
    """Three bins, which tell the chance of the last."""

    count = 3

    def told_by(self, logits):
        return jax.nn.softmax(logits)[..., -1]


POLICIES: dict[str, dict[str, Any]] = {
    "gru, categorical, shared value": {
        "core": gru(8),
        "head": categorical_head(ACTIONS),
        "value": "shared",
    },
    "lstm, masked, separate value": {
        "core": lstm(8),
        "head": masked_categorical_head(ACTIONS, mask=lambda inputs: inputs["mask"]),
        "value": "separate",
    },
    "relu gru, gaussian, no value": {
        "core": gru(8, jax.nn.relu, normalise_weights=True),
        "head": gaussian_head(2, initial_deviation=0.5),
        "value": "none",
    },
    "gru, categorical, separate value in bins": {
        "core": gru(8),
        "head": categorical_head(ACTIONS),
        "value": "separate",
        "bins": Bins(),
    },
}
GRU, LSTM, RELU_GRU, IN_BINS = POLICIES
EXAMPLE = {
    "observation": jax.ShapeDtypeStruct((FEATURES,), jnp.float32),
    "mask": jax.ShapeDtypeStruct((ACTIONS,), jnp.bool_),
}


def encode(inputs):
    return jax.nn.relu(hk.Linear(7)(inputs["observation"]))


@functools.cache
def make_policy(name, initial_range=None):
    policy = recurrent_policy(EXAMPLE, encode, **POLICIES[name], initial_range=initial_range)
    return dataclasses.replace(policy, step=jax.jit(policy.step), apply=jax.jit(policy.apply))


@functools.cache
def first_params(policy):
    return jax.jit(policy.init)(jax.random.key(0))


def make_inputs(seed=0):
    rng = np.random.default_rng(seed)
    mask = rng.random((B, T, ACTIONS)) < 0.5
    mask[..., 0] = True
    observation = rng.normal(size=(B, T, FEATURES)).astype(np.float32)
    return {"observation": jnp.asarray(observation), "mask": jnp.asarray(mask)}


def act(policy, params, inputs, key):
    """Acts step by step; returns what was recorded, [B, T]."""
    state, recorded = policy.initial_state(B), []
    for t, step_key in enumerate(jax.random.split(key, T)):
        now = jax.tree.map(lambda x, t=t: x[:, t], inputs)
        state, parameters, values = policy.step(params, state, now)
        actions = policy.distribution.sample(step_key, parameters)
        recorded.append((actions, policy.distribution.log_prob(parameters, actions), values))
    return jax.tree.map(lambda *xs: jnp.stack(xs, axis=1), *recorded)


@pytest.mark.parametrize("name", POLICIES)
def test_what_was_recorded_while_acting_is_what_apply_recomputes(name):
    policy, inputs = make_policy(name), make_inputs()
    params = first_params(policy)
    actions, log_probs, values = act(policy, params, inputs, jax.random.key(1))

    parameters, recomputed = policy.apply(params, inputs)

    np.testing.assert_allclose(
        policy.distribution.log_prob(parameters, actions), log_probs, atol=1e-5
    )
    np.testing.assert_allclose(recomputed, values, atol=1e-5)


@pytest.mark.parametrize("name", POLICIES)
def test_a_batch_is_the_loop_of_one(name):
    policy, inputs = make_policy(name), make_inputs()
    params = first_params(policy)
    together = policy.apply(params, inputs)
    alone = [
        policy.apply(params, jax.tree.map(lambda x, b=b: x[b : b + 1], inputs)) for b in range(B)
    ]
    one_by_one = jax.tree.map(lambda *rows: jnp.concatenate(rows), *alone)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), together, one_by_one)


def test_the_past_matters_and_the_future_does_not():
    policy, inputs = make_policy(LSTM), make_inputs()
    params = first_params(policy)
    changed = dict(inputs, observation=inputs["observation"].at[:, 3].add(1.0))
    before, after = policy.apply(params, inputs)[1], policy.apply(params, changed)[1]
    np.testing.assert_array_equal(before[:, :3], after[:, :3])
    assert (jnp.abs(before - after)[:, 3:] > 1e-6).all()


@pytest.mark.parametrize("name", POLICIES)
def test_the_initial_state_is_zero_and_the_same_for_every_row(name):
    state = make_policy(name).initial_state(4)
    assert isinstance(state, CoreStates)
    for leaf in jax.tree.leaves(state):
        assert leaf.shape == (4, 8)
        assert not leaf.any()


def test_a_masked_action_has_probability_exactly_zero_in_a_policy():
    policy, inputs = make_policy(LSTM), make_inputs()
    logits, _ = policy.apply(first_params(policy), inputs)
    probabilities = np.asarray(jax.nn.softmax(logits))
    assert (probabilities[~np.asarray(inputs["mask"])] == 0).all()
    assert (probabilities[np.asarray(inputs["mask"])] > 0).all()


def test_an_initial_range_draws_every_parameter_from_it():
    params = first_params(make_policy(LSTM, initial_range=0.08))
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        assert (jnp.abs(leaf) <= 0.08).all(), path
        assert leaf.size == 1 or jnp.std(leaf) > 0.02, path


def test_the_first_actions_are_nearly_uniform():
    policy, inputs = make_policy(GRU), make_inputs()
    logits, _ = policy.apply(first_params(policy), inputs)
    np.testing.assert_allclose(jax.nn.softmax(logits), 1 / ACTIONS, atol=0.02)


@pytest.mark.parametrize("name", POLICIES)
def test_value_parameters_move_the_value_alone(name):
    policy, inputs = make_policy(name), make_inputs()
    params = first_params(policy)
    mine = policy.value_parameters(params)
    moved = jax.tree.map(lambda x, of_value: x + 0.1 if of_value else x, params, mine)

    logits, values = policy.apply(params, inputs)
    moved_logits, moved_values = policy.apply(moved, inputs)

    jax.tree.map(np.testing.assert_array_equal, logits, moved_logits)
    assert (values != moved_values).all() == (name != RELU_GRU)


@pytest.mark.parametrize("name", [name for name in POLICIES if name != IN_BINS])
def test_a_value_is_told_on_another_scale_and_nothing_else_is_other(name):
    policy, inputs = make_policy(name), make_inputs()
    params = first_params(policy)
    told = policy.rescale_value(params, jnp.float32(2.5), jnp.float32(-3.0))
    logits, values = policy.apply(params, inputs)
    same_logits, other_values = policy.apply(told, inputs)
    jax.tree.map(np.testing.assert_array_equal, logits, same_logits)
    expected = values if name == RELU_GRU else 2.5 * values - 3.0  # which has no value
    np.testing.assert_allclose(other_values, expected, atol=1e-5)


def test_a_value_in_bins_is_told_by_its_logits_and_not_on_another_scale():
    policy, inputs = make_policy(IN_BINS), make_inputs()
    params = first_params(policy)
    _, values, logits = policy.predict(params, inputs)
    assert logits["value"].shape == (B, T, 3)
    np.testing.assert_allclose(values, jax.nn.softmax(logits["value"])[..., -1], rtol=1e-6)
    np.testing.assert_allclose(values, 1 / 3, atol=0.02)
    with pytest.raises(InvalidInput, match="cannot be rescaled by its last layer"):
        policy.rescale_value(params, jnp.float32(2), jnp.float32(0))


def test_no_label_has_the_name_of_the_value():
    with pytest.raises(InvalidInput, match="No label may be called 'value'"):
        recurrent_policy(EXAMPLE, encode, gru(8), categorical_head(2), labels={"value": 2})


def test_without_a_value_network_the_value_is_zero():
    policy, inputs = make_policy(RELU_GRU), make_inputs()
    assert not policy.apply(first_params(policy), inputs)[1].any()


def test_a_separate_value_network_shares_nothing_with_the_policy():
    policy, inputs = make_policy(LSTM), make_inputs()
    params = first_params(policy)
    gradient = jax.grad(lambda params: policy.apply(params, inputs)[1].sum())(params)
    assert all(not leaf.any() for leaf in jax.tree.leaves(gradient["policy"]))
    assert all(leaf.any() for leaf in jax.tree.leaves(gradient["value"]))


def test_the_same_key_gives_the_same_parameters():
    policy = make_policy(LSTM)
    first, second, other = (jax.jit(policy.init)(jax.random.key(seed)) for seed in (3, 3, 4))
    jax.tree.map(np.testing.assert_array_equal, first, second)
    assert not np.array_equal(
        first["policy"]["core"]["lstm/linear"]["w"], other["policy"]["core"]["lstm/linear"]["w"]
    )


def observations(batch, steps):
    return {
        "observation": jax.random.normal(jax.random.key(6), (batch, steps, FEATURES)),
        "mask": jnp.ones((batch, steps, ACTIONS), bool),
    }


@pytest.mark.parametrize("truncate", [1, 4, 6, 9])
def test_a_cut_gradient_leaves_what_is_computed_as_it_is(truncate):
    whole = recurrent_policy(EXAMPLE, encode, **POLICIES[LSTM])
    cut = recurrent_policy(EXAMPLE, encode, **POLICIES[LSTM], truncate=truncate)
    params, seen = jax.jit(whole.init)(jax.random.key(0)), observations(B, T)
    for a, b in zip(*(jax.jit(p.apply)(params, seen) for p in (whole, cut)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_gradient_is_cut_where_it_is_said_and_only_there():
    policy = recurrent_policy(EXAMPLE, encode, **POLICIES[GRU], truncate=4)
    params = jax.jit(policy.init)(jax.random.key(0))

    @jax.jit
    def last_value(given, step):
        return policy.apply(params, {**observations(1, T), "observation": given})[1][0, step]

    given = observations(1, T)["observation"]
    for step, reached in ((3, [0, 1, 2, 3]), (5, [4, 5])):
        gradient = np.asarray(jax.grad(last_value)(given, step))[0]
        assert np.flatnonzero(np.abs(gradient).sum(axis=1)).tolist() == reached


@pytest.mark.parametrize("value", ["shared", "none"])
def test_labels_are_predicted_from_the_core_and_change_nothing_else(value):
    parts = {"core": gru(8), "head": categorical_head(ACTIONS), "value": value}
    plain = recurrent_policy(EXAMPLE, encode, **parts)
    policy = recurrent_policy(EXAMPLE, encode, **parts, labels={"place": 5, "way": 3})
    params, inputs = first_params(policy), make_inputs()
    heads = params["labels"]
    jax.tree.map(
        np.testing.assert_array_equal,
        {name: tree for name, tree in params.items() if name != "labels"},
        first_params(plain),
    )
    parameters, values, logits = jax.jit(policy.predict)(params, inputs)
    assert {name: x.shape for name, x in logits.items()} == {"place": (B, T, 5), "way": (B, T, 3)}
    for a, b in zip((parameters, values), jax.jit(plain.apply)(params, inputs), strict=True):
        np.testing.assert_array_equal(a, b)

    def certainty(params):
        return jnp.sum(policy.predict(params, inputs)[2]["way"] ** 2)

    gradient = jax.grad(certainty)(params)
    moved = {
        name: any(jnp.abs(x).max() > 0 for x in jax.tree.leaves(tree))
        for name, tree in {**gradient["policy"], **gradient["labels"]}.items()
    }
    assert moved == {"encoder": True, "core": True, "head": False, "place": False, "way": True}
    assert set(heads) == {"place", "way"}
