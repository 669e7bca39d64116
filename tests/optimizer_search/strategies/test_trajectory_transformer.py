"""Trajectory transformer: what its beam search finds, and what of it is proposed."""

from __future__ import annotations

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search.settings.config import (
    ControllerConfig,
    SearchConfig,
    TrajectoryTransformerConfig,
)
from metarl.optimizer_search.strategies import Feedback, make
from metarl.optimizer_search.writing.beams import beam_writer
from metarl.optimizer_search.writing.breeding import Met, Renewal
from metarl.update_rules import Grammar, Space

pytestmark = pytest.mark.usefixtures("keys_checked")

SPACE = Space("few", ("g", "m"), ("x", "sign(x)"), ("+", "keep"), "")
FEW = Grammar(SPACE, depth=1, different_operands=True)  # 16 of 32 sequences are rules of it
RULES = np.array(
    [
        row
        for row in itertools.product(*map(range, FEW.slot_sizes))
        if FEW.allows(np.array(row, np.int32))
    ],
    np.int32,
)
CONTROLLER = ControllerConfig(hidden=16, embedding=8, learning_rate=1e-2)
ALL = TrajectoryTransformerConfig(beams=32, expand=2, likelihood=0.1, bins=4)
FOUR = dataclasses.replace(ALL, beams=4)


@pytest.fixture(scope="module")
def whole():
    """A search that drops nothing, in a model that is sure of some things."""
    rules = beam_writer(FEW, CONTROLLER, ALL)
    params, key = rules.policy.init(jax.random.key(0)), jax.random.key(1)
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(key, len(leaves))
    other = [x + 0.6 * jax.random.normal(key, x.shape) for x, key in zip(leaves, keys, strict=True)]
    params = jax.tree.unflatten(tree, other)
    foreseen = jax.jit(rules.foreseen)(params, jnp.asarray(RULES))
    log_probs = jax.nn.log_softmax(foreseen.tokens)
    chosen = np.take_along_axis(np.asarray(log_probs), RULES[..., None], axis=-1)[..., 0]
    value = np.asarray(jax.nn.softmax(foreseen.returns[:, -1])) @ np.linspace(0, 1, 4)
    return rules, params, chosen.sum(axis=1), value


def test_a_search_that_drops_nothing_ends_with_all_rules_ranked_by_draws_of_their_return(whole):
    rules, params, log_prob, value = whole
    assert np.exp(log_prob).sum() == pytest.approx(1.0, abs=1e-4)
    assert np.ptp(value) > 0.1 and np.ptp(log_prob) > 1
    lines = rules.write(jax.random.key(2), params, 400, jnp.bool_(True))
    assert lines.tokens.shape == (400, 32, FEW.length) and lines.tokens.dtype == np.int32
    drawn = np.zeros((400, 16))
    for search, (tokens, worth, there) in enumerate(zip(*map(np.asarray, lines), strict=True)):
        assert there.tolist() == [True] * 16 + [False] * 16
        assert np.all(np.diff(worth[:16]) <= 0)
        rows = np.argmax(np.all(tokens[:16, None] == RULES[None], axis=2), axis=1)
        assert sorted(rows) == list(range(16))
        drawn[search, rows] = worth[:16] - 0.1 * log_prob[rows]
    np.testing.assert_allclose(3 * drawn, np.round(3 * drawn), atol=1e-3)  # of four bins
    np.testing.assert_allclose(drawn.mean(axis=0), value, atol=0.1)  # four deviations and more


def test_before_anything_is_told_the_first_line_is_drawn_from_the_model(whole):
    _, params, log_prob, _ = whole
    rules = beam_writer(FEW, CONTROLLER, FOUR)
    lines = rules.write(jax.random.key(3), params, 2000, jnp.bool_(False))
    first = np.asarray(lines.tokens)[:, 0]
    found = np.mean(np.all(first[:, None] == RULES[None], axis=2), axis=0)
    np.testing.assert_allclose(found, np.exp(log_prob), atol=0.04)  # four deviations


def test_the_lines_of_a_search_are_distinct_rules(whole):
    lines = beam_writer(FEW, CONTROLLER, FOUR).write(
        jax.random.key(4), whole[1], 400, jnp.bool_(True)
    )
    assert np.asarray(lines.there).all()
    for tokens in np.asarray(lines.tokens):
        assert len(np.unique(tokens, axis=0)) == 4 and all(map(FEW.allows, tokens))


def test_returns_fall_into_the_nearest_bin(whole):
    found = whole[0].bins(jnp.array([0.0, 0.16, 0.17, 0.51, 0.83, 0.84, 1.0]))
    assert found.tolist() == [0, 0, 1, 2, 2, 3, 3] and found.dtype == jnp.int32


def test_the_first_line_that_is_new_is_proposed_and_where_there_is_none_the_best_is_mutated():
    renewed, wide = Renewal(Grammar("sign")), Grammar("sign")
    a, b, c, d = wide.sample(np.random.default_rng(0), 4)
    lines = np.stack([[a, b], [a, b], [a, b], [c, d]])
    there = np.array([[True, True], [True, True], [True, True], [True, False]])
    generator = np.random.default_rng(1)
    found, met = renewed.first_new(generator, lines, there, Met.nothing().after([]))
    np.testing.assert_array_equal(found[[0, 1, 3]], [a, b, c])
    assert len({renewed.digest_of(row) for row in found}) == 4 == len(met.digests())
    again, _ = renewed.first_new(generator, lines[3:], there[3:], met)
    assert renewed.digest_of(again[0]) not in {*met.digests(), renewed.digest_of(d)}


@pytest.mark.slow  # the quick form: it finds a planted rule, in test_strategies
def test_the_model_foresees_what_rules_earn():
    config = SearchConfig(
        controller=CONTROLLER,
        trajectory_transformer=TrajectoryTransformerConfig(memory=256, batch=64, steps=60),
    )
    grammar = Grammar("sign", depth=1)
    strategy = make("trajectory-transformer", grammar, config)
    rules = beam_writer(grammar, CONTROLLER, config.trajectory_transformer)
    tokens = grammar.sample(np.random.default_rng(5), 200)
    rewards = tokens[:, 0].astype(np.float32) + 0.01 * np.arange(200)
    state = strategy.init(jax.random.key(0))
    feedback = Feedback(rewards, np.zeros(200, bool), np.float32(-5))
    _, proposals = strategy.ask(jax.random.key(1), state, 200)
    proposals = proposals._replace(tokens=tokens)
    losses = []
    for key in jax.random.split(jax.random.key(2), 4):
        state, metrics = strategy.tell(key, state, proposals, feedback)
        losses.append((metrics["sequence_loss"], metrics["return_loss"]))
    assert losses[-1][0] < losses[0][0] and losses[-1][1] < losses[0][1]
    lines = rules.write(jax.random.key(3), state.learner.params, 200, jnp.bool_(True))
    assert np.asarray(lines.tokens)[:, 0, 0].mean() > tokens[:, 0].mean() + 1


def test_units_that_cannot_be_cut_into_heads_are_refused():
    config = SearchConfig(controller=ControllerConfig(hidden=150))
    with pytest.raises(InvalidInput, match="150 units cannot be cut into 4 heads of an even size"):
        make("trajectory-transformer", FEW, config)
