"""Simplification: what changes nothing goes, what matters stays, and small losses do not add up."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from metarl.optimizer_search.judging.judges import judges_of
from metarl.optimizer_search.judging.panel import Scores
from metarl.optimizer_search.selecting import simplification
from metarl.optimizer_search.selecting.simplification import simplify, worse_by
from metarl.optimizer_search.settings.config import FinalistConfig, SearchConfig, TrainingConfig
from metarl.update_rules import Grammar, Rule, parse, space_named

CONFIG = SearchConfig(
    space="sign",
    depth=1,
    training=TrainingConfig(learning_rates=(0.1, 1.0)),
    final=FinalistConfig(choice_seeds=8),
)
S = 8


class FakePanel:
    """Scores rules by a table of texts, with the same noise of each seed for all; others are worth -1."""

    worth: dict[str, float] = {}  # noqa: RUF012
    asked: list[str] = []  # noqa: RUF012

    def __init__(self, judges, grammar, config, stage, trial_of, backend):
        self.names, self.grammar = [judge.name for judge in judges], grammar

    def scores(self, tokens):
        texts = [str(self.grammar.to_rule(row).canonical()) for row in tokens]
        FakePanel.asked.extend(texts)
        worth = np.array([FakePanel.worth.get(text, -1.0) for text in texts])
        runs = worth[:, None] + np.linspace(-0.5, 0.5, S)
        return Scores(worth, {}, runs, {name: np.full(len(texts), 0.03) for name in self.names})

    def close(self):
        pass


def text(rule: str) -> str:
    return str(parse(rule).canonical())


@pytest.fixture
def fake(toy, monkeypatch):
    """(worth by text, rules, tolerance) -> what becomes of the rules."""
    monkeypatch.setattr(simplification, "Panel", FakePanel)

    def run(worth, rules, tolerance, depth=3):
        FakePanel.worth = {text(rule): value for rule, value in worth.items()}
        FakePanel.asked = []
        grammar = Grammar("constants", depth)
        return simplify(list(map(parse, rules)), grammar, judges_of([toy]), CONFIG, tolerance)

    return run


def test_the_simplest_rule_within_the_tolerance_takes_the_place(fake):
    found = "exp(0.5 * sign(g) * sign(m)) * g"
    worth = {found: 0.2, "exp(sign(g) * sign(m)) * g": 0.195, "exp(sign(g)) * g": 0.1}
    (done,) = fake(worth, [found], 0.01)
    assert done.rule.canonical() == parse("exp(sign(g) * sign(m)) * g").canonical()
    assert done.original == parse(found)
    assert (done.score, done.original_score) == (0.195, 0.2)
    assert done.worse_by == pytest.approx((0.005, 0.005, 0.005))
    assert done.document()["simplified"] == text("exp(sign(g) * sign(m)) * g")
    assert done.learning_rate == 0.03 and done.tried > 5


def test_nothing_is_dropped_that_costs_more_than_the_tolerance(fake):
    found = "exp(sign(g)) * adam"
    (done,) = fake({found: 0.2, "adam": 0.15}, [found], 0.01)
    assert done.rule == done.original == parse(found)
    (done,) = fake({found: 0.2, "adam": 0.15}, [found], 0.06)
    assert done.rule == parse("adam")


def test_small_losses_do_not_add_up(fake):
    """Each step costs less than the tolerance; the second would cost more than it, held against what was found."""
    steps = ["exp(sign(g)) * adam + m", "exp(sign(g)) * adam", "adam"]
    worth = {steps[0]: 0.2, steps[1]: 0.193, steps[2]: 0.186}
    (done,) = fake(worth, steps[:1], 0.01)
    assert done.rule == parse(steps[1])
    (done,) = fake(worth, steps[:1], 0.02)
    assert done.rule == parse(steps[2])


def test_a_factor_of_the_whole_is_left_to_the_learning_rate(fake):
    (done,) = fake({"adam": 0.2}, ["2 * (0.5 * adam)"], 0.0)
    assert done.rule == parse("adam") and done.original == parse("2 * (0.5 * adam)")
    assert done.score == done.original_score == 0.2


def test_no_rule_is_judged_twice_and_finalists_share_what_is_known(fake):
    fake({"adam": 0.1}, ["exp(sign(g)) * adam", "exp(sign(m)) * adam", "adam"], 0.5)
    assert len(FakePanel.asked) == len(set(FakePanel.asked))


def test_of_equally_simple_rules_the_better_one_is_kept(fake):
    (done,) = fake({"g + m": 0.2, "g": 0.195, "m": 0.198}, ["g + m"], 0.01)
    assert done.rule == parse("m")


def test_worse_by_is_the_iqm_over_pairs():
    original, other = np.random.default_rng(0).normal(size=(2, 20))
    middle = sorted(one - two for one, two in zip(original, other, strict=True))[5:15]
    assert worse_by(original, other).estimate == pytest.approx(sum(middle) / 10)
    assert worse_by(original, original) == (0.0, 0.0, 0.0)


def test_a_rule_that_diverges_on_another_seed_is_no_match(fake, monkeypatch):
    scores = FakePanel.scores

    def diverging(panel, tokens):
        found = scores(panel, tokens)
        found.replicates[found.total == 0.25, 0] = -np.inf  # better in all other runs
        return found

    monkeypatch.setattr(FakePanel, "scores", diverging)
    (done,) = fake({"g + m": 0.2, "g": 0.25, "m": 0.2}, ["g + m"], 0.01)
    assert done.rule == parse("m")


def test_nothing_to_simplify_is_no_work():
    assert simplify([], Grammar("sign", 1), [], CONFIG, 0.1) == []


def test_a_clip_that_never_clips_is_dropped_by_training_alone(toy):
    """The whole way: both rules run through the interpreter on the same seeds, and their losses agree to the bit."""
    space = dataclasses.replace(
        space_named("sign"), unary=("x", "clip(x, 1e3)"), binary=("*", "keep")
    )
    grammar = Grammar(space, 1)
    rule = Rule.parse("clip(adam, 1e3)")
    (done,) = simplify([rule], grammar, judges_of([toy], 6), CONFIG, 0.0)
    assert done.rule == parse("adam") and done.tried == 1
    assert done.worse_by == (0.0, 0.0, 0.0) and done.score == done.original_score
    assert np.isfinite(done.score) and done.learning_rate > 0
