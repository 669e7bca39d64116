"""Models of the judge: what they learn from, how they are held to account, and the rules dreamt in them."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search.settings.config import (
    ControllerConfig,
    DecisionTransformerConfig,
    DreamConfig,
    ImaginationConfig,
    JudgeModelConfig,
    SearchConfig,
)
from metarl.optimizer_search.strategies import Feedback, make
from metarl.optimizer_search.writing import behaviour
from metarl.optimizer_search.writing.judge_model import JudgeModel, calibration
from metarl.optimizer_search.writing.ranks import log_ranks
from metarl.optimizer_search.writing.writer import asked_writer
from metarl.update_rules import Grammar

GRAMMAR = Grammar("sign", depth=1)
SETTINGS = JudgeModelConfig(members=2, hidden=16, learning_rate=1e-2, steps=20, batch=32, memory=64)
CONFIG = SearchConfig(
    batch_size=16,
    controller=ControllerConfig(hidden=16, embedding=8, learning_rate=1e-2),
    judge_model=SETTINGS,
    dream=DreamConfig(dreams=1, rules=16),
)


def lesson(key, told):
    rows = told.rows(key, (32,))
    return rows, lambda scores: jnp.mean(
        (scores - log_ranks(told.rewards, told.present, jnp)[rows]) ** 2
    )


@pytest.fixture(scope="module")
def model():
    return JudgeModel(GRAMMAR, SETTINGS, lesson)


def told(model, tokens, rewards):
    """Returns a fresh model that was told of rules, and fitted to them often."""
    state = model.init(jax.random.key(0))
    notes = model.notes(tokens)
    memory = state.told.after(tokens, rewards, np.ones(len(tokens), bool), notes)
    state, fitted = state._replace(told=memory), jax.jit(model.fitted)
    for key in jax.random.split(jax.random.key(1), 10):
        state, _ = fitted(key, state)
    return state


def test_a_model_asked_before_any_comparison_says_so(model):
    tokens = GRAMMAR.sample(np.random.default_rng(0), 4)
    with pytest.raises(InvalidInput, match="has seen no comparison of two rules yet"):
        model.opinions(model.init(jax.random.key(0)), tokens)
    alike = told(model, tokens, np.ones(4, np.float32))  # which compares nothing
    with pytest.raises(InvalidInput, match="has seen no comparison of two rules yet"):
        model.opinions(alike, tokens)


def test_a_model_learns_what_rules_earn_and_its_members_differ_where_it_does_not_know(model):
    tokens = GRAMMAR.sample(np.random.default_rng(1), 48)
    rewards = tokens[:, 0].astype(np.float32) + 0.1 * tokens[:, 4]
    state = told(model, tokens, rewards)
    opinions = model.opinions(state, tokens)
    assert opinions.shape == (2, 48) and int(state.lessons) == 200
    expected = log_ranks(rewards, np.ones(48, bool))
    assert np.corrcoef(opinions.mean(axis=0), expected)[0, 1] > 0.9
    strange = model.opinions(state, GRAMMAR.sample(np.random.default_rng(2), 200))
    assert strange.std(axis=0).mean() > opinions.std(axis=0).mean()


def test_calibration_is_that_of_a_loop_over_pairs():
    generator = np.random.default_rng(3)
    scores, rewards = generator.normal(size=(2, 12)).astype(np.float32)
    rewards[3] = rewards[4]
    wanted = generator.random(12) < 0.8
    right, sure = [], []
    for a in range(12):
        for b in range(12):
            if wanted[a] and wanted[b] and rewards[a] > rewards[b]:
                right.append(scores[a] > scores[b])
                sure.append(1 / (1 + math.exp(-abs(scores[a] - scores[b]))))
    found = calibration(jnp.asarray(scores), jnp.asarray(rewards), jnp.asarray(wanted))
    np.testing.assert_allclose(found.accuracy, np.mean(right), rtol=1e-5)
    np.testing.assert_allclose(found.overconfidence, np.mean(sure) - np.mean(right), atol=1e-6)
    nothing = calibration(jnp.asarray(scores), jnp.zeros(12), jnp.asarray(wanted))
    assert nothing.accuracy == 0.5 and nothing.overconfidence == 0


def test_notes_of_rules_are_of_size_one_and_know_what_is_not_finite():
    grammar = Grammar("icml", depth=2)
    model = JudgeModel(grammar, SETTINGS, lesson)
    notes = model.notes(grammar.sample(np.random.default_rng(4), 64))
    assert notes.shape == (64, behaviour.NUMBERS) and np.isfinite(notes).all()
    assert np.abs(notes).max() <= 1.0 + 1e-5 and set(notes[:, -1]) <= {0.0, 1.0}


def one_generation(strategy, state, key, reward):
    ask_key, tell_key = jax.random.split(key)
    state, proposals = strategy.ask(ask_key, state, 16)
    tokens = np.asarray(proposals.tokens)
    feedback = Feedback(reward(tokens), np.zeros(16, bool), np.float32(-5))
    return strategy.tell(tell_key, state, proposals, feedback), tokens


def test_a_reward_model_without_a_comparison_moves_no_controller():
    strategy = make("rlhf", GRAMMAR, CONFIG)
    state = strategy.init(jax.random.key(0))
    (after, metrics), _ = one_generation(
        strategy, state, jax.random.key(1), lambda tokens: np.full(16, -5, np.float32)
    )
    for x, y in zip(jax.tree.leaves(state.learner), jax.tree.leaves(after.learner), strict=True):
        np.testing.assert_array_equal(x, y)
    assert "entropy" not in metrics and metrics["model_accuracy"] == 0.5


def test_what_is_proposed_of_what_was_imagined_is_new_and_promising_or_uncertain():
    config = SearchConfig(
        **{
            name: getattr(CONFIG, name)
            for name in ("batch_size", "controller", "judge_model", "dream")
        },
        imagination=ImaginationConfig(candidates=4, curiosity=0.0),
    )
    strategy = make("imagination", GRAMMAR, config)
    state = strategy.init(jax.random.key(0))
    reward = lambda tokens: tokens[:, 0].astype(np.float32)  # noqa: E731
    means, met = [], set()
    for key in jax.random.split(jax.random.key(1), 8):
        (state, metrics), tokens = one_generation(strategy, state, key, reward)
        means.append(reward(tokens).mean())
        texts = [str(GRAMMAR.to_rule(row).canonical()) for row in tokens]
        if len(means) > 1:
            assert len(set(texts) - met) > 12
        met |= set(texts)
    assert np.mean(means[4:]) > means[0] + 1
    assert {"model_correlation", "model_disagreement", "dreamt_score"} <= set(metrics)


@pytest.mark.slow  # the quick form: it finds a planted rule, in test_strategies
def test_a_transformer_that_is_asked_for_more_writes_rules_that_earn_more():
    config = SearchConfig(
        controller=CONFIG.controller,
        decision_transformer=DecisionTransformerConfig(memory=256, batch=64, steps=40),
    )
    strategy = make("decision-transformer", GRAMMAR, config)
    rules = asked_writer(GRAMMAR, config.controller)
    tokens = GRAMMAR.sample(np.random.default_rng(5), 200)
    rewards = tokens[:, 0].astype(np.float32) + 0.01 * np.arange(200)
    state = strategy.init(jax.random.key(0))
    feedback = Feedback(rewards, np.zeros(200, bool), np.float32(-5))
    _, proposals = strategy.ask(jax.random.key(1), state, 200)
    proposals = proposals._replace(tokens=tokens)
    for key in jax.random.split(jax.random.key(2), 4):
        state, metrics = strategy.tell(key, state, proposals, feedback)

    def written(asked):
        wish = jnp.full((200, 1), asked)
        return np.asarray(rules.write(jax.random.key(3), state.learner.params, 200, wish).tokens)[
            :, 0
        ]

    assert written(1.0).mean() > written(0.0).mean() + 2
    assert metrics["sequence_loss"] < np.mean(np.log(GRAMMAR.slot_sizes))


def test_a_transformer_of_units_that_cannot_be_cut_into_heads_is_refused():
    config = SearchConfig(controller=ControllerConfig(hidden=150))
    with pytest.raises(InvalidInput, match="150 units cannot be cut into 4 heads of an even size"):
        make("decision-transformer", GRAMMAR, config)
