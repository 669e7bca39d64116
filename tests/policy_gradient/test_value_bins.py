"""Values in bins: they tell again what they were told, their losses are those of loops, every algorithm learns them."""

from __future__ import annotations

import dataclasses
import math
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.policy_gradient import (
    VALUE,
    PPOConfig,
    ReinforceConfig,
    TRPOConfig,
    ValueBins,
    ValueConfig,
    make_bins,
    ppo,
    reinforce,
    trpo,
)
from metarl.policy_gradient.value_bins import compressed, expanded, value_loss

TWO_HOT, GAUSS = ValueBins(9, 4.0), ValueBins(9, 4.0, 0.75)
SQUASHED = dataclasses.replace(GAUSS, squashed=True)
EVERY = [TWO_HOT, GAUSS, SQUASHED, dataclasses.replace(TWO_HOT, squashed=True)]


def test_bins_tell_again_what_they_were_told_as_far_as_they_reach():
    returns = np.array([-150, -20, -1.5, -0.01, 0, 0.3, 1, 7, 1e6], np.float32)
    bins = ValueBins(51, 150.0, squashed=True)

    @jax.jit
    def there_and_back(returns):
        weights = bins.weights(returns)
        return expanded(compressed(returns)), weights, bins.told_by(jnp.log(weights))

    same, weights, told = jax.device_get(there_and_back(returns))
    np.testing.assert_allclose(same, returns, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-5)
    assert ((weights > 0).sum(axis=-1) <= 2).all() and (weights >= 0).all()
    np.testing.assert_allclose(told, np.minimum(returns, 150), rtol=1e-3, atol=1e-5)
    assert weights[-1, -1] == 1, "what is larger than the limit is cut"
    assert weights[4, 25] == 1, "nothing is told by the bin in the middle"


def naive_weights(bins, value):
    """Returns the weights of one number, bin by bin, by the definition of both papers."""

    def scaled(x):
        return math.copysign(math.sqrt(abs(x) + 1) - 1, x) + x / 1000 if bins.squashed else x

    largest = scaled(bins.limit)
    width = 2 * largest / (bins.count - 1)
    places = [-largest + width * number for number in range(bins.count)]
    x = scaled(min(max(value, -bins.limit), bins.limit))
    if not bins.smoothing:
        return [max(0.0, 1 - abs(x - place) / width) for place in places]

    def below(edge):
        return (1 + math.erf((edge - x) / (bins.smoothing * width * math.sqrt(2)))) / 2

    had = [below(place + width / 2) - below(place - width / 2) for place in places]
    return [one / sum(had) for one in had]


@pytest.mark.parametrize("bins", EVERY)
def test_weights_are_those_of_a_loop(bins):
    values = np.array([[-9, -4, -3.9, -0.3], [0, 0.61, 3.2, 40]], np.float32)
    expected = [[naive_weights(bins, float(x)) for x in row] for row in values]
    np.testing.assert_allclose(jax.jit(bins.weights)(values), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("smoothing", [0.5, 0.75, 1.0])
def test_the_mean_of_hl_gauss_is_the_number_but_near_the_limit(smoothing):
    bins = ValueBins(51, 5.0, smoothing)
    values = np.linspace(-4.2, 4.2, 29, dtype=np.float32)
    told = bins.told_by(jnp.log(bins.weights(jnp.asarray(values))))
    np.testing.assert_allclose(told, values, atol=0.02 if smoothing < 0.75 else 2e-3)
    weights = np.asarray(bins.weights(jnp.zeros(1)))
    assert (weights[0, 24:27] > 0.1).all() and weights[0, 25] == weights.max()


@pytest.mark.parametrize("bins", EVERY)
def test_the_loss_and_its_gradient_are_those_of_a_loop(bins):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 3, 9)).astype(np.float32)
    targets = rng.normal(size=(2, 3), scale=3).astype(np.float32)
    mask = np.array([[True, True, False], [True, False, False]])

    def loss(logits):
        told = bins.told_by(logits)
        return value_loss(told, {VALUE: logits}, jnp.asarray(targets), jnp.asarray(mask), bins)

    total, slope = 0.0, np.zeros_like(logits)
    for row, step in np.argwhere(mask):
        wanted = np.array(naive_weights(bins, float(targets[row, step])))
        chances = np.exp(logits[row, step]) / np.exp(logits[row, step]).sum()
        total -= (wanted * np.log(chances)).sum() / mask.sum()
        slope[row, step] = (chances - wanted) / mask.sum()
    found, gradient = jax.jit(jax.value_and_grad(loss))(jnp.asarray(logits))
    np.testing.assert_allclose(found, total, rtol=1e-5)
    np.testing.assert_allclose(gradient, slope, atol=1e-6)


@pytest.fixture(scope="module")
def bins_policy(linear_policy):
    """The linear policy, whose value is told by nine bins."""

    def predict(params, inputs):
        logits = inputs @ params["value"]
        return inputs @ params["policy"], GAUSS.told_by(logits), {VALUE: logits}

    def init(key):
        params = linear_policy.init(key)
        return {**params, "value": jnp.zeros((*params["value"].shape, GAUSS.count))}

    return SimpleNamespace(
        init=init,
        apply=lambda params, inputs: predict(params, inputs)[:2],
        predict=predict,
        value_parameters=linear_policy.value_parameters,
        distribution=linear_policy.distribution,
    )


LEARNERS = {
    "reinforce": (reinforce, ReinforceConfig(learning_rate=0.03, baseline="value")),
    "ppo": (ppo, PPOConfig(learning_rate=0.03, value_weight=1.0)),
    "trpo": (trpo, TRPOConfig(value_learning_rate=0.03, value_minibatches=2)),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_every_algorithm_learns_a_value_in_bins(name, bins_policy, make_batch):
    """What an action pays depends on nothing but the action, so the value of step 2, the last that pays, is flat."""
    make, config = LEARNERS[name]
    algorithm = make(bins_policy, config, bins=GAUSS)
    state, update = algorithm.init(bins_policy.init(jax.random.key(0))), jax.jit(algorithm.update)
    known, losses = [], []
    for seed in range(60):
        acting = {**state.params, "value": jnp.zeros(3)}  # the fixture acts with one number
        batch = make_batch(seed, acting)
        batch = batch._replace(values=bins_policy.apply(state.params, batch.inputs)[1])
        # What the first feature says is paid, as a value can tell.
        batch = batch._replace(rewards=batch.rewards + 5 * batch.inputs[..., 1])
        state, metrics = update(jax.random.key(seed), state, batch)
        known.append(float(metrics["explained_variance"]))
        losses.append(float(metrics["value_loss"]))
    assert known[0] < 0.05 < 0.4 < np.mean(known[-5:])
    assert np.mean(losses[-5:]) < losses[0] - 0.1, "nats"


@pytest.mark.parametrize(
    ("make", "config"),
    [
        (ppo, PPOConfig(preserve_values=True)),
        (trpo, TRPOConfig(preserve_values=True)),
        (reinforce, ReinforceConfig(baseline="value", preserve_values=True)),
    ],
)
def test_bins_are_not_preserved(make, config, bins_policy):
    with pytest.raises(InvalidInput, match=r"last layer cannot be rewritten .* leave --value.loss"):
        make(bins_policy, config, bins=TWO_HOT)
    make(bins_policy, config)


def test_bins_that_would_learn_nothing_are_refused(bins_policy):
    with pytest.raises(InvalidInput, match="baseline is 'moving_average', and the value, which"):
        reinforce(bins_policy, ReinforceConfig(), bins=TWO_HOT)


def test_settings_make_bins():
    assert make_bins(ValueConfig()) is None
    assert make_bins(ValueConfig("two-hot", bins=9, limit=4.0)) == TWO_HOT
    assert make_bins(ValueConfig("hl-gauss", bins=9, limit=4.0)) == GAUSS
    assert make_bins(ValueConfig("hl-gauss", bins=9, limit=4.0, squashed=True)) == SQUASHED


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "two-hots"}, "loss is 'two-hots'"),
        ({"loss": "two-hot", "bins": 1}, "bins is 1; it must be"),
        ({"loss": "hl-gauss", "limit": 0}, "limit is 0; it must be above 0"),
        ({"loss": "hl-gauss", "smoothing": 0.01}, "smoothing is 0.01; it must be"),
        ({"bins": 21, "limit": 3.0}, "value.bins, value.limit given with value.loss 'squared'"),
        ({"squashed": True}, "which has no bins; give --value.loss two-hot or hl-gauss, or leave"),
        ({"loss": "two-hot", "smoothing": 1.0}, "'two-hot', which does not smooth; give --value"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(InvalidInput) as caught:
        ValueConfig(**settings)
    assert message in str(caught.value)
