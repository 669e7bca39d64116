"""PPO: what its first step is, and what its guard keeps."""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from metarl import optimizers
from metarl.errors import InvalidInput
from metarl.policy_gradient import PPOConfig, ppo, proximal


@pytest.fixture
def start(linear_policy):
    return linear_policy.init(jax.random.key(0))


def mean_divergence(policy, batch, old_params, params):
    old, new = (policy.apply(x, batch.inputs)[0] for x in (old_params, params))
    return policy.distribution.kl(old, new).mean()


def test_the_first_gradient_is_that_of_the_advantage_actor_critic(linear_policy, make_batch, start):
    config = PPOConfig(
        epochs=1, minibatches=1, max_gradient_norm=None, normalise_values=False, entropy_weight=0.1
    )
    algorithm, batch = ppo(linear_policy, config), make_batch(0, start)
    state, _ = jax.jit(algorithm.update)(jax.random.key(0), algorithm.init(start), batch)

    def naive_loss(params, advantages, targets):
        logits, values = linear_policy.apply(params, batch.inputs)
        p = jax.nn.softmax(logits)
        taken = jnp.take_along_axis(p, batch.actions[..., None], axis=-1)[..., 0]
        entropy = -jnp.sum(p * jnp.log(p), axis=-1)
        squared = 0.5 * (values - targets) ** 2
        return jnp.mean(-jnp.log(taken) * advantages - 0.1 * entropy + 0.5 * squared)

    rewards, discounts, values = map(np.asarray, (batch.rewards, batch.discounts, batch.values))
    advantages, later = np.zeros_like(rewards), np.zeros(8)
    for t in reversed(range(5)):
        next_values = values[:, t + 1] if t < 4 else np.zeros(8)
        error = rewards[:, t] + discounts[:, t] * next_values - values[:, t]
        later = advantages[:, t] = error + 0.95 * discounts[:, t] * later
    standard = (advantages - advantages.mean()) / advantages.std()
    expected = jax.grad(naive_loss)(start, standard, advantages + values)

    gradient = jax.tree.map(lambda x: x / 0.1, state.optimizer[0].mu)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), gradient, expected)


def test_an_auxiliary_weight_adds_so_much_of_the_cross_entropy(linear_policy, make_batch, start):
    def predict(params, inputs):
        return *linear_policy.apply(params, inputs), {"name": inputs @ params["policy"]}

    policy: Any = SimpleNamespace(**vars(linear_policy), predict=predict)
    config = PPOConfig(epochs=1, minibatches=1, max_gradient_norm=None)
    batch = make_batch(0, start)
    labels = jnp.asarray(np.random.default_rng(0).integers(0, 4, batch.mask.shape))
    batch = batch._replace(labels={"name": labels}, mask=batch.mask.at[0, 2:].set(False))

    def gradient(weight):
        algorithm = ppo(policy, config, auxiliary_weight=weight)
        state, metrics = jax.jit(algorithm.update)(jax.random.key(0), algorithm.init(start), batch)
        return jax.tree.map(lambda x: x / 0.1, state.optimizer[0].mu), metrics

    def cross_entropy(params):
        p = jax.nn.softmax(batch.inputs @ params["policy"])
        right = jnp.take_along_axis(p, labels[..., None], axis=-1)[..., 0]
        return -jnp.sum(jnp.log(right) * batch.mask) / batch.mask.sum()

    (plain, without), (found, with_it) = gradient(0.0), gradient(0.5)
    expected = jax.tree.map(lambda x, y: x + 0.5 * y, plain, jax.grad(cross_entropy)(start))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), found, expected)
    np.testing.assert_allclose(with_it["auxiliary_loss"], cross_entropy(start), rtol=1e-5)
    assert set(with_it) - set(without) == {"auxiliary_loss", "accuracy_name"}


def test_the_values_own_parameters_take_steps_of_their_own_size(linear_policy, make_batch, start):
    batch = make_batch(0, start)
    moved = []
    for value_learning_rate in (None, 0.004):
        config = PPOConfig(
            learning_rate=0.001,
            value_learning_rate=value_learning_rate,
            decay_updates=3,
            epochs=1,
            minibatches=1,
        )
        algorithm = ppo(linear_policy, config)
        state, _ = jax.jit(algorithm.update)(jax.random.key(0), algorithm.init(start), batch)
        moved.append(jax.tree.map(lambda a, b: a - b, state.params, start))
    owned = linear_policy.value_parameters(start)
    assert {True, False} == set(jax.tree.leaves(owned))
    jax.tree.map(
        lambda same, own, is_value: np.testing.assert_allclose(
            own, (4 if is_value else 1) * same, rtol=1e-3, atol=1e-7
        ),
        *moved,
        owned,
    )


@pytest.mark.parametrize("learning_rate", [0.003, 0.1, 3.0])
def test_the_guard_keeps_the_divergence_within_the_bound(
    learning_rate, linear_policy, make_batch, start
):
    config = PPOConfig(learning_rate=learning_rate, epochs=5, minibatches=2, max_kl=0.01)
    algorithm, batch = ppo(linear_policy, config), make_batch(0, start)
    state, metrics = jax.jit(algorithm.update)(jax.random.key(0), algorithm.init(start), batch)
    divergence = mean_divergence(linear_policy, batch, start, state.params)
    assert 0 < divergence <= 0.01
    np.testing.assert_allclose(metrics["kl"], divergence, rtol=1e-3)


def test_without_a_guard_the_same_steps_go_further(linear_policy, make_batch, start):
    config = PPOConfig(learning_rate=0.1, epochs=5, minibatches=2)
    algorithm, batch = ppo(linear_policy, config), make_batch(0, start)
    state, _ = jax.jit(algorithm.update)(jax.random.key(0), algorithm.init(start), batch)
    assert mean_divergence(linear_policy, batch, start, state.params) > 0.05


@pytest.mark.parametrize(
    "kept",
    [pytest.param(1, marks=pytest.mark.slow), 2, pytest.param(3, marks=pytest.mark.slow)],
)
def test_the_guard_keeps_the_last_epoch_within_the_bound_while_the_surrogate_grows(
    kept, linear_policy, make_batch, start
):
    batch = make_batch(0, start)

    def after(epochs, max_kl=None):
        config = PPOConfig(learning_rate=0.02, epochs=epochs, minibatches=1, max_kl=max_kl)
        algorithm = ppo(linear_policy, config)
        update = jax.jit(algorithm.update)
        return update(jax.random.key(0), algorithm.init(start), batch)[0].params

    divergences = [
        mean_divergence(linear_policy, batch, start, after(epochs)) for epochs in (kept, kept + 1)
    ]
    guarded = after(4, max_kl=float(sum(divergences) / 2))  # between this epoch and the next
    np.testing.assert_allclose(guarded["policy"], after(kept)["policy"], atol=1e-5)
    # What moves the value alone is under no bound, and keeps what all epochs have taught it.
    np.testing.assert_allclose(guarded["value"], after(4)["value"], atol=1e-5)


def test_another_key_shuffles_otherwise(linear_policy, make_batch, algorithms, start):
    algorithm, batch = algorithms["ppo"], make_batch(0, start)
    first, second = (
        jax.jit(algorithm.update)(jax.random.key(seed), algorithm.init(start), batch)[0]
        for seed in (0, 1)
    )
    assert not np.array_equal(first.params["policy"], second.params["policy"])


def test_the_value_learns_in_units_of_its_targets(linear_policy, make_batch, start):
    config = PPOConfig(value_target="monte_carlo", epochs=1, minibatches=1)
    algorithm, batch = ppo(linear_policy, config), make_batch(0, start)
    batch = batch._replace(rewards=1_000.0 * batch.rewards)
    state, metrics = jax.jit(algorithm.update)(jax.random.key(0), algorithm.init(start), batch)

    returns, later = np.zeros((8, 5)), np.zeros(8)
    for t in reversed(range(5)):
        later = returns[:, t] = batch.rewards[:, t] + batch.discounts[:, t] * later
    np.testing.assert_allclose(state.returns.mean, returns.mean(), rtol=1e-4)
    np.testing.assert_allclose(state.returns.deviation, returns.std(), rtol=1e-4)
    targets = (returns - returns.mean()) / returns.std()
    np.testing.assert_allclose(
        metrics["value_loss"], np.mean(0.5 * (batch.values - targets) ** 2), rtol=1e-4
    )


@pytest.mark.parametrize("padded", [False, True])
def test_a_gradient_accumulated_in_parts_is_that_of_the_whole_minibatch(
    padded, linear_policy, make_batch, start
):
    batch = make_batch(0, start)
    if padded:  # sequences of different lengths, so that parts weigh differently
        lengths = jnp.array([5, 1, 2, 5, 3, 1, 4, 5])
        batch = batch._replace(mask=jnp.arange(5)[None] < lengths[:, None])
    found = []
    for accumulation in (1, 4):
        config = PPOConfig(
            epochs=2, minibatches=1, accumulation=accumulation, max_gradient_norm=None
        )
        algorithm = ppo(linear_policy, config)
        found.append(jax.jit(algorithm.update)(jax.random.key(0), algorithm.init(start), batch))
    (whole, whole_metrics), (parts, part_metrics) = found
    for a, b in ((whole.optimizer, parts.optimizer), (whole_metrics, part_metrics)):
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=2e-4, atol=1e-6), a, b)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, atol=1e-5), whole.params, parts.params
    )


def test_parts_that_do_not_fit_are_refused(linear_policy, make_batch, start):
    algorithm, batch = ppo(linear_policy, PPOConfig(accumulation=3)), make_batch(0, start)
    with pytest.raises(InvalidInput, match="8 sequences cannot be cut into 12 equal minibatches"):
        jax.jit(algorithm.update)(jax.random.key(0), algorithm.init(start), batch)


@pytest.mark.parametrize(
    "make_optimizer",
    [
        optax.adam,
        functools.partial(optimizers.by_name, "muon"),
        pytest.param(optax.sgd, marks=pytest.mark.slow),
        pytest.param(optimizers.adam_step_back, marks=pytest.mark.slow),
        pytest.param(optimizers.soap, marks=pytest.mark.slow),
    ],
)
def test_the_weight_of_the_entropy_falls_with_the_learning_rate(
    make_optimizer, linear_policy, make_batch, start, monkeypatch
):
    """Two updates of two steps: the weights of the four steps are those of a cosine."""
    batch, seen = make_batch(0, start), []

    def watched(policy, config, params, lesson, weights):
        jax.debug.callback(lambda weight: seen.append(float(weight)), weights.entropy)
        return loss(policy, config, params, lesson, weights)

    loss = proximal._loss
    monkeypatch.setattr(proximal, "_loss", watched)
    config = PPOConfig(
        epochs=2, minibatches=1, entropy_weight=0.4, entropy_decay=True, decay_updates=2
    )
    algorithm = ppo(linear_policy, config, make_optimizer)
    state, update = algorithm.init(start), jax.jit(algorithm.update)
    for seed in range(2):
        state, _ = update(jax.random.key(seed), state, batch)
        jax.effects_barrier()
    expected = [0.2 * (1 + np.cos(np.pi * step / 4)) for step in range(4)]
    np.testing.assert_allclose(sorted(seen, reverse=True), expected, rtol=1e-5)


def test_another_optimizer_takes_the_steps(linear_policy, make_batch, start):
    config = PPOConfig(learning_rate=0.01, epochs=1, minibatches=1, max_gradient_norm=None)
    batch = make_batch(0, start)

    def moved(make_optimizer):
        algorithm = ppo(linear_policy, config, make_optimizer)
        state, _ = jax.jit(algorithm.update)(jax.random.key(0), algorithm.init(start), batch)
        return jax.tree.map(lambda a, b: np.asarray(a - b), state.params, start)

    by_sgd, by_sign = moved(optax.sgd), moved(optax.sign_sgd)
    jax.tree.map(
        lambda plain, sign: np.testing.assert_allclose(sign, 0.01 * np.sign(plain), rtol=1e-3),
        by_sgd,
        by_sign,
    )
    assert any(np.any(x) for x in jax.tree.leaves(by_sgd))
