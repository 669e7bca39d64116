"""Every algorithm against every law of the contract; a new one joins by a line in conftest."""

from __future__ import annotations

import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.policy_gradient import (
    Batch,
    PPOConfig,
    ReinforceConfig,
    TRPOConfig,
    ppo,
    reinforce,
    trpo,
)

pytestmark = pytest.mark.usefixtures("keys_checked")

NAMES = ["reinforce", "ppo", "ppo, guarded", "trpo"]
METRICS = {
    "entropy",
    "explained_variance",
    "gradient_norm",
    "kl",
    "mean_return",
    "policy_loss",
    "value_loss",
}

every_algorithm = pytest.mark.parametrize("name", NAMES)


def run(algorithm, make_batch, state, seeds):
    """Acts and updates once a seed; returns the last state and the metrics."""
    metrics = {}
    for seed in seeds:
        batch = make_batch(seed, state.params)
        state, metrics = jax.jit(algorithm.update)(jax.random.key(100 + seed), state, batch)
    return state, metrics


def assert_trees_close(first, second, **tolerance):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **tolerance), first, second)


@pytest.fixture
def start(linear_policy):
    return linear_policy.init(jax.random.key(0))


def test_every_algorithm_is_tested(algorithms):
    assert list(algorithms) == NAMES


@every_algorithm
def test_an_update_moves_the_parameters_and_measures_itself(name, algorithms, make_batch, start):
    algorithm = algorithms[name]
    state, metrics = run(algorithm, make_batch, algorithm.init(start), [0])
    jax.tree.map(lambda a, b: np.testing.assert_(not np.array_equal(a, b)), start, state.params)
    assert set(metrics) >= METRICS
    for value in metrics.values():
        assert value.shape == ()
        assert jnp.isfinite(value)
    assert metrics["kl"] > 0
    assert 0 < metrics["entropy"] < np.log(4)
    assert metrics["gradient_norm"] > 0


@every_algorithm
def test_the_action_that_pays_becomes_likelier(name, algorithms, linear_policy, make_batch, start):
    algorithm = algorithms[name]
    state, _ = run(algorithm, make_batch, algorithm.init(start), range(60))
    inputs = make_batch(7, start).inputs
    before, after = (
        jax.nn.softmax(linear_policy.apply(params, inputs)[0])[..., 0].mean()
        for params in (start, state.params)
    )
    assert after > before + 0.02


@every_algorithm
def test_the_same_key_gives_the_same_bits(name, algorithms, make_batch, start):
    algorithm = algorithms[name]
    first = run(algorithm, make_batch, algorithm.init(start), range(3))
    second = run(algorithm, make_batch, algorithm.init(start), range(3))
    jax.tree.map(np.testing.assert_array_equal, first, second)


@every_algorithm
def test_restored_is_never_stopped(name, algorithms, make_batch, start):
    algorithm = algorithms[name]
    state, _ = run(algorithm, make_batch, algorithm.init(start), range(2))
    leaves, structure = jax.tree.flatten(state)
    file = io.BytesIO()
    np.savez(file, *leaves)
    file.seek(0)
    stored = np.load(file, allow_pickle=False)
    restored = jax.tree.unflatten(structure, [jnp.asarray(stored[key]) for key in stored.files])

    went_on = run(algorithm, make_batch, state, range(2, 4))
    came_back = run(algorithm, make_batch, restored, range(2, 4))

    jax.tree.map(np.testing.assert_array_equal, went_on, came_back)


@every_algorithm
def test_padded_steps_change_nothing(name, algorithms, make_batch, start):
    algorithm, batch = algorithms[name], make_batch(0, start)

    def pad(x, rubbish):
        width = [(0, 0), (0, 3)] + [(0, 0)] * (x.ndim - 2)
        return jnp.pad(x, width, constant_values=rubbish)

    padded = Batch(
        inputs=pad(batch.inputs, 17.0),
        actions=pad(batch.actions, 3),
        log_probs=pad(batch.log_probs, -1e30),
        rewards=pad(batch.rewards, jnp.nan),
        values=pad(batch.values, jnp.inf),
        discounts=pad(batch.discounts, jnp.nan),
        mask=pad(batch.mask, False),
    )
    state = algorithm.init(start)
    bare = jax.jit(algorithm.update)(jax.random.key(1), state, batch)
    dressed = jax.jit(algorithm.update)(jax.random.key(1), state, padded)
    assert_trees_close(bare, dressed, rtol=2e-4, atol=1e-6)


def test_a_sequence_that_is_all_padding_changes_nothing(algorithms, make_batch, start):
    algorithm, batch = algorithms["reinforce"], make_batch(0, start)
    longer = jax.tree.map(lambda x: jnp.concatenate([x, x[:2]]), batch)
    longer = longer._replace(mask=longer.mask.at[-2:].set(False))
    state = algorithm.init(start)
    bare = jax.jit(algorithm.update)(jax.random.key(1), state, batch)
    assert_trees_close(
        bare, jax.jit(algorithm.update)(jax.random.key(1), state, longer), rtol=2e-4, atol=1e-6
    )


@every_algorithm
def test_a_batch_in_which_nothing_varies_leaves_finite_numbers(name, algorithms, make_batch, start):
    algorithm, batch = algorithms[name], make_batch(0, start)
    flat = batch._replace(rewards=jnp.ones_like(batch.rewards), values=0 * batch.values)
    flat = flat._replace(discounts=0 * batch.discounts)
    state, metrics = jax.jit(algorithm.update)(jax.random.key(1), algorithm.init(start), flat)
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves((state, metrics)))


@every_algorithm
def test_a_second_batch_of_the_same_shape_compiles_nothing(name, algorithms, make_batch, start):
    algorithm = algorithms[name]
    state, _ = run(algorithm, make_batch, algorithm.init(start), [0])
    compiled = algorithm.update._cache_size()
    run(algorithm, make_batch, state, [1, 2])
    assert algorithm.update._cache_size() == compiled


def test_sequences_that_minibatches_do_not_divide_are_refused(linear_policy, make_batch, start):
    algorithm = ppo(linear_policy, PPOConfig(minibatches=3))
    with pytest.raises(InvalidInput, match="8 sequences cannot be cut into 3 equal minibatches"):
        jax.jit(algorithm.update)(jax.random.key(0), algorithm.init(start), make_batch(0, start))


def test_a_batch_whose_shapes_disagree_is_refused(algorithms, make_batch, start):
    algorithm, batch = algorithms["reinforce"], make_batch(0, start)
    with pytest.raises(AssertionError, match="shape"):
        algorithm.update(
            jax.random.key(0),
            algorithm.init(start),
            batch._replace(rewards=batch.rewards[:, :-1]),
        )


STILL = 1e-12  # a learning rate at which nothing is learnt


@pytest.mark.parametrize(
    ("make", "config"),
    [
        (reinforce, ReinforceConfig(learning_rate=STILL, baseline="value", preserve_values=True)),
        (ppo, PPOConfig(learning_rate=STILL, preserve_values=True)),
        (ppo, PPOConfig(learning_rate=STILL, max_kl=0.01, preserve_values=True)),
        (trpo, TRPOConfig(value_epochs=0, preserve_values=True)),
    ],
    ids=NAMES,
)
def test_where_values_are_preserved_no_state_is_worth_more_since_the_unit_changed(
    make, config, linear_policy, make_batch, start
):
    algorithm = make(linear_policy, config)
    state, update = algorithm.init(start), jax.jit(algorithm.update)
    for seed in range(2):
        batch = make_batch(seed, state.params)
        batch = batch._replace(rewards=10.0**seed * (100.0 + batch.rewards))
        learnt, _ = update(jax.random.key(seed), state, batch)
        before, after = (
            one.returns.restore(linear_policy.apply(one.params, batch.inputs)[1])
            for one in (state, learnt)
        )
        assert abs(float(learnt.returns.mean - state.returns.mean)) > 1
        np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-3)
        state = learnt
