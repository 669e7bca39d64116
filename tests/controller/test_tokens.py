"""The token policy and its sampling: masks, slots, and what is recorded."""

from __future__ import annotations

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.controller import (
    TOKEN_POLICY_PRESETS,
    TokenInputs,
    TokenPolicyConfig,
    sample_tokens,
    token_inputs,
    token_policy,
)
from metarl.errors import InvalidInput

pytestmark = pytest.mark.usefixtures("keys_checked")

SLOTS = (3, 5, 2, 4)
L, W = len(SLOTS), max(SLOTS)
SMALL = TokenPolicyConfig("lstm", hidden_size=8, embedding_size=4, value="shared")
WILD = dataclasses.replace(SMALL, initial_range=1.0)  # far from uniform


@functools.cache
def make_policy(config=SMALL, slots=SLOTS):
    policy = token_policy(slots, config)
    return dataclasses.replace(policy, step=jax.jit(policy.step), apply=jax.jit(policy.apply))


@functools.cache
def first_params(policy):
    return jax.jit(policy.init)(jax.random.key(0))


@functools.cache
def writing(policy, count, grammar):
    """(params, key, what is asked for) -> so many sequences; compiled once for all tests."""
    return jax.jit(
        lambda params, key, *wish: sample_tokens(policy, params, key, count, grammar, *wish)
    )


def ascending(tokens, position):
    """A grammar: a token is at most one above the last one, and within its slot."""
    last = jnp.where(position > 0, jnp.take(tokens, jnp.maximum(position - 1, 0), axis=1), W)
    limit = jnp.minimum(last + 1, jnp.asarray(SLOTS)[position] - 1)  # [n]
    return jnp.arange(W)[None] <= limit[:, None]


def anything(tokens, position):
    del position
    return jnp.ones((tokens.shape[0], W), bool)


@pytest.mark.parametrize(
    ("core", "value"), [("lstm", "shared"), ("gru", "separate"), ("gru", "none")]
)
def test_recorded_log_probabilities_and_values_are_those_recomputed(core, value):
    policy = make_policy(dataclasses.replace(SMALL, core=core, value=value))
    params = first_params(policy)
    sample = writing(policy, 500, ascending)(params, jax.random.key(1))

    logits, values = policy.apply(params, token_inputs(sample.tokens, sample.masks))

    recomputed = policy.distribution.log_prob(logits, sample.tokens)
    np.testing.assert_allclose(recomputed, sample.log_probs, atol=1e-5)
    np.testing.assert_allclose(values, sample.values, atol=1e-5)


def test_sampled_tokens_obey_the_grammar_and_the_recorded_masks():
    policy = make_policy()
    params = first_params(policy)
    tokens, _, _, masks = writing(policy, 500, ascending)(params, jax.random.key(1))
    for row, mask in zip(np.asarray(tokens), np.asarray(masks), strict=True):
        assert row[0] < SLOTS[0]
        for position in range(1, L):
            assert row[position] <= min(row[position - 1] + 1, SLOTS[position] - 1)
        assert all(mask[position, token] for position, token in enumerate(row))
    assert len({tuple(row) for row in np.asarray(tokens)}) > 30  # all 47 are about as likely


def test_a_token_beyond_its_slots_vocabulary_is_never_written_even_if_the_mask_allows_it():
    policy = make_policy()
    params = first_params(policy)
    tokens = writing(policy, 500, anything)(params, jax.random.key(1)).tokens
    np.testing.assert_array_equal(tokens.max(axis=0) + 1, SLOTS)


def test_the_grammar_sees_the_tokens_so_far_and_zeros_after_them():
    def only_zero_after_zeros(tokens, position):
        later = jnp.arange(L)[None] >= position  # [1, L]
        clean = jnp.all((tokens == 0) | ~later, axis=1)  # [n]
        return clean[:, None] & (jnp.arange(W)[None] == 1)

    policy = make_policy(SMALL, (2, 5, 2, 2))
    params = first_params(policy)
    sample = writing(policy, 3, only_zero_after_zeros)(params, jax.random.key(1))
    np.testing.assert_array_equal(sample.tokens, 1)
    assert sample.masks[..., 1].all()


def test_probabilities_of_all_sequences_sum_to_one_and_match_their_frequencies():
    sizes = (2, 3, 2)
    policy = make_policy(WILD, sizes)
    params = first_params(policy)
    every = jnp.array(list(itertools.product(*(range(size) for size in sizes))))  # [12, 3]
    inputs = token_inputs(every, jnp.ones((*every.shape, 3), bool))
    logits, _ = policy.apply(params, inputs)
    probabilities = jnp.exp(policy.distribution.log_prob(logits, every).sum(axis=1))
    np.testing.assert_allclose(probabilities.sum(), 1, atol=1e-5)

    allow_all = lambda tokens, position: jnp.ones((tokens.shape[0], 3), bool)  # noqa: E731
    tokens = writing(policy, 20_000, allow_all)(params, jax.random.key(1)).tokens
    matches = (np.asarray(tokens)[:, None] == np.asarray(every)[None]).all(axis=-1)  # [n, 12]
    np.testing.assert_allclose(matches.mean(axis=0), probabilities, atol=0.015)


def test_each_choice_depends_on_the_choices_before_it():
    policy = make_policy(WILD)
    params = first_params(policy)
    masks = jnp.ones((2, L, W), bool)
    logits, _ = policy.apply(params, token_inputs(jnp.array([[0, 1, 1, 0], [2, 1, 1, 0]]), masks))
    np.testing.assert_array_equal(logits[0, 0], logits[1, 0])
    for position in range(1, L):
        allowed = slice(0, SLOTS[position])
        assert (logits[0, position, allowed] != logits[1, position, allowed]).all()


def test_the_inputs_of_a_row_may_stand_at_different_positions():
    policy = make_policy(WILD)
    params, mask = first_params(policy), jnp.ones((L, W), bool)
    state = policy.initial_state(L)
    inputs = TokenInputs(jnp.ones(L, jnp.int32), jnp.arange(L), mask)
    _, together, _ = policy.step(params, state, inputs)
    for row in range(L):
        one = jax.tree.map(lambda x, row=row: x[row : row + 1], (state, inputs))
        _, alone, _ = policy.step(params, *one)
        np.testing.assert_allclose(together[row], alone[0], rtol=1e-5)


def test_token_inputs_shift_the_tokens_by_one():
    inputs = token_inputs(jnp.array([[2, 4, 1, 3]]), jnp.ones((1, L, W), bool))
    np.testing.assert_array_equal(inputs.previous_token, [[0, 2, 4, 1]])
    np.testing.assert_array_equal(inputs.position, [[0, 1, 2, 3]])


def test_the_same_key_writes_the_same_tokens():
    policy = make_policy()
    params = first_params(policy)
    first, second, other = (
        writing(policy, 500, ascending)(params, jax.random.key(seed)).tokens for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_the_paper_preset_is_the_papers_controller():
    policy = token_policy(SLOTS, TOKEN_POLICY_PRESETS["paper"])
    params = first_params(policy)
    assert policy.initial_state(2).policy.hidden.shape == (2, 150)
    assert max(jnp.abs(leaf).max() for leaf in jax.tree.leaves(params)) <= 0.08


def test_a_mask_of_the_wrong_shape_is_caught():
    policy = make_policy()
    too_narrow = lambda tokens, position: jnp.ones((tokens.shape[0], W - 1), bool)  # noqa: E731
    with pytest.raises(AssertionError, match="shape"):
        sample_tokens(policy, first_params(policy), jax.random.key(1), 3, too_narrow)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"core": "rnn"}, "core is 'rnn'; it must be one of lstm, gru"),
        ({"value": "both"}, "value is 'both'; it must be one of shared, separate, none"),
        ({"hidden_size": 0}, "hidden_size is 0; it must be at least 1"),
        ({"embedding_size": -3}, "embedding_size is -3; it must be at least 1"),
        ({"initial_range": -1.0}, "initial_range is -1.0; it must be positive, or None"),
    ],
)
def test_bad_settings_are_refused_with_what_is_accepted(settings, message):
    with pytest.raises(InvalidInput, match=message):
        dataclasses.replace(SMALL, **settings)


@pytest.mark.parametrize("slot_sizes", [(), (3, 0)])
def test_slots_without_tokens_are_refused(slot_sizes):
    with pytest.raises(InvalidInput, match="one positive vocabulary size for each slot"):
        token_policy(slot_sizes)


def test_a_transformer_that_is_asked_for_something_recomputes_what_it_wrote_and_sees_what_was_asked():
    config = TokenPolicyConfig("transformer", 8, 4, value="none", condition_size=2)
    policy = make_policy(config)
    params = jax.tree.map(
        lambda x: x + 0.3 * jnp.cos(jnp.arange(x.size)).reshape(x.shape), first_params(policy)
    )
    wish = jax.random.normal(jax.random.key(2), (40, 2))
    sample = writing(policy, 40, ascending)(params, jax.random.key(1), wish)
    logits, _ = policy.apply(params, token_inputs(sample.tokens, sample.masks, wish))
    recomputed = policy.distribution.log_prob(logits, sample.tokens)
    np.testing.assert_allclose(recomputed, sample.log_probs, rtol=1e-4, atol=1e-5)
    others, _ = policy.apply(params, token_inputs(sample.tokens, sample.masks, wish + 1))
    assert np.abs(np.asarray(others - logits))[np.asarray(sample.masks)].max() > 1e-3


def test_a_transformer_whose_units_do_not_divide_into_heads_is_refused():
    with pytest.raises(InvalidInput, match="6 units cannot be cut into 4 heads"):
        token_policy(SLOTS, TokenPolicyConfig("transformer", 6))
