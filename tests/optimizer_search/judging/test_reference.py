"""Tuned Adam, the yardstick of a search."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search.judging.candidates import Trial, make_judgement
from metarl.optimizer_search.judging.evaluators import LocalEvaluator
from metarl.optimizer_search.judging.reference import HALF_DECADES, tuned_adam
from metarl.optimizer_search.judging.rewards import relative_scores
from metarl.update_rules import Grammar, Space, parse

GRAMMAR = Grammar(Space("adam", ("adam",), ("x",), ("keep",), "Adam alone"), depth=1)
TRIAL = Trial(
    sweep_steps=6, full_steps=6, sweep_replicates=1, full_replicates=3, num_rates=1, give_up=1e9
)
SEEDS = [1, 2, 3, 4]


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_it_is_the_best_half_decade_of_adam_on_the_full_replicates(toy, schedule):
    """So Adam has a reward of 0 beside itself, under every schedule."""
    trial = dataclasses.replace(TRIAL, schedule=schedule)
    judgement = make_judgement(toy, GRAMMAR, trial, "search", SEEDS)
    reference = tuned_adam(toy, judgement, trial)
    tokens = np.tile(GRAMMAR.to_tokens(parse("adam")), (len(HALF_DECADES), 1))
    evaluator = LocalEvaluator({"toy": judgement})
    losses = evaluator.evaluate(tokens, HALF_DECADES[:, None])["toy"].losses  # [R, S]
    evaluator.close()
    best = int(np.argmin(losses.mean(axis=1)))
    assert 0 < best < len(HALF_DECADES) - 1
    assert reference.learning_rate == HALF_DECADES[best]
    np.testing.assert_allclose(reference.losses, losses[best], rtol=1e-4)
    np.testing.assert_allclose(relative_scores(losses[best], reference.losses), 0.0, atol=1e-4)


def test_the_half_decades_reach_from_a_hundred_thousandth_to_a_hundred():
    np.testing.assert_allclose(HALF_DECADES[[0, -1]], [1e-5, 100.0])
    np.testing.assert_allclose(np.diff(np.log10(HALF_DECADES)), 0.5)


def test_a_problem_that_adam_diverges_on_is_refused_by_name(toy):
    def hopeless(params, model_state, batch, key):
        value, model_state = toy.loss(params, model_state, batch, key)
        return value / jnp.sum(params["b"] * 0.0), model_state

    problem = dataclasses.replace(toy, name="hopeless", loss=hopeless)
    judgement = make_judgement(problem, GRAMMAR, TRIAL, "search", SEEDS)
    with pytest.raises(InvalidInput, match=r"Problem 'hopeless': tuned Adam diverges at every"):
        tuned_adam(problem, judgement, TRIAL)


def test_a_problem_whose_losses_lie_below_zero_has_no_reward_of_ratios(toy):
    def shifted(params, model_state, batch):
        metrics = toy.evaluate(params, model_state, batch)
        return {**metrics, "loss": metrics["loss"] - 10.0}

    problem = dataclasses.replace(toy, name="likelihood", evaluate=shifted)
    judgement = make_judgement(problem, GRAMMAR, TRIAL, "search", SEEDS)
    with pytest.raises(
        InvalidInput, match=r"'likelihood': tuned Adam ends at a loss of -9.*a constant"
    ):
        tuned_adam(problem, judgement, TRIAL)
