"""Planning: trees over tokens whose best path is known, and the thoughts of a controller about whole rules."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.controller import TokenInputs
from metarl.optimizer_search.settings.config import ControllerConfig
from metarl.optimizer_search.writing.planning import Planner, planner
from metarl.optimizer_search.writing.writer import writer
from metarl.update_rules import Grammar

GRAMMAR = Grammar("sign", depth=1, different_operands=True)
RIGHT = np.array([3, 5, 1, 2, 4])


@pytest.fixture(scope="module")
def rules():
    return planner(GRAMMAR, ControllerConfig(hidden=16, embedding=8), 20)


@pytest.fixture(scope="module")
def planned(rules):
    """Rules planned by one who finds all tokens alike, and values a prefix by its right tokens."""

    def step(params, state, inputs):
        before = jnp.asarray(np.append(0, RIGHT))[inputs.position]
        right = state + ((inputs.previous_token == before) & (inputs.position > 0))
        return right, jnp.where(inputs.mask, 0.0, -1e9), right.astype(jnp.float32)

    omniscient = dataclasses.replace(rules.policy, initial_state=lambda n: jnp.zeros(n), step=step)
    return Planner(GRAMMAR, omniscient, 20).write(jax.random.key(0), (), 16)


def test_the_search_finds_the_tokens_that_a_true_value_points_to(planned):
    """Every token is tried once at the root, so the improved policy is sure whatever the noise."""
    weights = np.asarray(planned.weights)
    np.testing.assert_array_equal(weights.argmax(axis=-1), np.tile(RIGHT, (16, 1)))
    np.testing.assert_allclose(weights.sum(axis=-1), 1.0, atol=1e-5)
    assert np.mean(np.asarray(planned.tokens) == RIGHT[None]) > 0.8


def test_what_the_grammar_forbids_is_neither_planned_nor_wanted(planned):
    for tokens, weights in zip(
        np.asarray(planned.tokens), np.asarray(planned.weights), strict=True
    ):
        GRAMMAR.validate(tokens)
        for position, wanted in enumerate(weights):
            assert not wanted[~GRAMMAR.mask(tokens, position)].any()


def test_thoughts_about_whole_rules_are_those_of_reading_them_token_by_token(rules):
    tokens = jnp.asarray(GRAMMAR.sample(np.random.default_rng(0), 6))
    params = rules.policy.init(jax.random.key(0))
    judged, step = jax.jit(rules.judged)(params, tokens), jax.jit(rules.policy.step)
    state, end = rules.policy.initial_state(6), np.arange(rules.policy.width) == 0
    for position in range(GRAMMAR.length + 1):
        last = position == GRAMMAR.length
        mask = np.tile(end, (6, 1)) if last else GRAMMAR.next_mask(tokens, position)
        before = tokens[:, position - 1] if position else jnp.zeros(6, jnp.int32)
        inputs = TokenInputs(before, jnp.full(6, position), jnp.asarray(mask))
        state, logits, values = step(params, state, inputs)
        np.testing.assert_allclose(judged.values[:, position], values, atol=1e-6)
        if not last:
            np.testing.assert_allclose(judged.logits[:, position], logits, atol=1e-6)


def test_controllers_that_learn_otherwise_share_what_is_compiled_for_writing():
    one, other = ControllerConfig(learning_rate=1e-3), ControllerConfig(entropy_weight=0.1)
    assert writer(GRAMMAR, one, "none") is writer(GRAMMAR, other, "none")
    assert planner(GRAMMAR, one, 4) is planner(GRAMMAR, other, 4)
    larger = ControllerConfig(hidden=32)
    assert writer(GRAMMAR, one, "none") is not writer(GRAMMAR, larger, "none")
