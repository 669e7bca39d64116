"""Probe worlds with known answers, each adding one difficulty: the first to fail names the fault.

All have two actions, four steps at most, and observations that do not depend on actions, so one
compiled program per algorithm trains on any of them; the steps after a world's last are padding.

Letters: B sequences; T steps.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import pytest

from metarl.controller import (
    TokenPolicyConfig,
    categorical_head,
    gru,
    recurrent_policy,
    sample_tokens,
    token_inputs,
    token_policy,
)
from metarl.policy_gradient import (
    Batch,
    PPOConfig,
    ReinforceConfig,
    TRPOConfig,
    ppo,
    reinforce,
    trpo,
)

B, T, ROUNDS = 64, 4, 60

WORLDS = {  # name: (steps, what is observed at the first step, how a sequence of actions is paid)
    "the value of a constant": (1, "nothing", "one"),
    "the value of a sign": (1, "sign", "sign"),
    "one pull of a bandit": (1, "nothing", "last action"),
    "an action that depends on the observation": (1, "sign", "last action matches"),
    "an action that pays a step later": (2, "nothing", "first action"),
    "an action that needs memory": (4, "sign", "last action matches"),
}
PAYS = {  # of signs [B] (-1 or 1), first and last actions [B] (0 or 1)
    "one": lambda sign, first, last: jnp.ones(B),
    "sign": lambda sign, first, last: sign,
    "last action": lambda sign, first, last: 1.0 * (last == 1),
    "first action": lambda sign, first, last: 1.0 * (first == 1),
    "last action matches": lambda sign, first, last: 1.0 * (last == (sign > 0)),
}
POLICY = recurrent_policy(
    jax.ShapeDtypeStruct((2,), jnp.float32),  # a sign, and whether this is the first step
    encoder=lambda inputs: inputs,
    core=gru(16),
    head=categorical_head(2),
    value="separate",
)
ALGORITHMS = {
    "reinforce": reinforce(
        POLICY, ReinforceConfig(learning_rate=0.03, baseline="value", value_weight=1.0)
    ),
    "ppo": ppo(POLICY, PPOConfig(learning_rate=0.01, value_weight=1.0)),
    "trpo": trpo(POLICY, TRPOConfig(max_kl=0.05, value_learning_rate=0.01)),
}


def act(key, params, steps, sees_sign, pay):
    """Plays B sequences; `steps`, `sees_sign` and `pay` (an index into PAYS) may be traced."""
    sign_key, action_key = jax.random.split(key)
    signs = jax.random.rademacher(sign_key, (B,), jnp.float32)
    first_step = jnp.arange(T)[None, :, None] == 0  # [1, T, 1]
    shown = jnp.stack([jnp.where(sees_sign, signs, 0.0), jnp.ones(B)], axis=-1)  # [B, 2]
    inputs = jnp.where(first_step, shown[:, None], 0.0)  # [B, T, 2]

    def step(state, scanned):
        now, key = scanned
        state, logits, values = POLICY.step(params, state, now)
        actions = POLICY.distribution.sample(key, logits)
        return state, (actions, POLICY.distribution.log_prob(logits, actions), values)

    scanned = (jnp.swapaxes(inputs, 0, 1), jax.random.split(action_key, T))
    _, recorded = jax.lax.scan(step, POLICY.initial_state(B), scanned)
    actions, log_probs, values = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), recorded)

    last = jnp.take(actions, steps - 1, axis=1)
    payments = jax.lax.switch(pay, list(PAYS.values()), signs, actions[:, 0], last)
    at_the_end = jnp.arange(T)[None] == steps - 1
    rewards = jnp.where(at_the_end, payments[:, None], 0.0)
    discounts = jnp.broadcast_to(jnp.where(at_the_end, 0.0, 0.99), (B, T))
    mask = jnp.broadcast_to(jnp.arange(T)[None] < steps, (B, T))
    return Batch(inputs, actions, log_probs, rewards, values, discounts, mask), signs, payments


@functools.cache
def trainer(name):
    """Returns the compiled training of one algorithm on any world."""
    algorithm = ALGORITHMS[name]

    @jax.jit
    def train(key, steps, sees_sign, pay):
        init_key, train_key, test_key = jax.random.split(key, 3)

        def round_(state, key):
            act_key, update_key = jax.random.split(key)
            batch, _, _ = act(act_key, state.params, steps, sees_sign, pay)
            return algorithm.update(update_key, state, batch)[0], None

        state = algorithm.init(POLICY.init(init_key))
        state, _ = jax.lax.scan(round_, state, jax.random.split(train_key, ROUNDS))
        batch, signs, payments = act(test_key, state.params, steps, sees_sign, pay)
        return state.returns.restore(batch.values[:, 0]), signs, payments

    return train


# The quick form of the others: every algorithm moves towards what pays, in test_algorithms.
NAMES = [pytest.param(n, marks=[pytest.mark.slow] if n != "ppo" else []) for n in ALGORITHMS]


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("name", NAMES)
def test_probe_worlds_are_solved(name, world):
    steps, observed, paid = WORLDS[world]
    pay = list(PAYS).index(paid)
    values, signs, payments = trainer(name)(jax.random.key(0), steps, observed == "sign", pay)
    if paid == "one":
        assert jnp.abs(values - 1).max() < 0.1
    elif paid == "sign":
        assert jnp.abs(values - signs).max() < 0.2
    else:
        assert payments.mean() > 0.9
        assert jnp.abs(values - 0.99 ** (steps - 1)).max() < 0.25


@pytest.mark.parametrize("name", [pytest.param("reinforce", marks=pytest.mark.slow), "ppo"])
def test_the_one_best_sequence_of_tokens_is_found(name):
    policy = token_policy((4, 3, 5), TokenPolicyConfig(hidden_size=16, embedding_size=8))
    algorithm = {
        "reinforce": reinforce(policy, ReinforceConfig(learning_rate=0.03)),
        "ppo": ppo(policy, PPOConfig(learning_rate=0.01, gae_lambda=1.0)),
    }[name]

    def anything(tokens, position):
        del position
        return jnp.ones((tokens.shape[0], 5), bool)

    def round_(state, key):
        write_key, update_key = jax.random.split(key)
        sample = sample_tokens(policy, state.params, write_key, B, anything)
        found = jnp.all(sample.tokens == jnp.array([[2, 1, 4]]), axis=1)  # one in 60 by chance
        at_the_end = jnp.arange(3)[None] == 2
        batch = Batch(
            inputs=token_inputs(sample.tokens, sample.masks),
            actions=sample.tokens,
            log_probs=sample.log_probs,
            rewards=jnp.where(at_the_end, found[:, None], 0.0),
            values=sample.values,
            discounts=jnp.broadcast_to(jnp.where(at_the_end, 0.0, 1.0), (B, 3)),
            mask=jnp.ones((B, 3), bool),
        )
        return algorithm.update(update_key, state, batch)[0], found.mean()

    @jax.jit
    def train(key):
        init_key, train_key = jax.random.split(key)
        start = algorithm.init(policy.init(init_key))
        return jax.lax.scan(round_, start, jax.random.split(train_key, ROUNDS))[1]

    found = train(jax.random.key(0))
    assert found[0] < 0.2
    assert found[-5:].mean() > 0.9
