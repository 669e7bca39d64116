"""The evaluator of a table gives the verdicts that training gives, on the table's rules, rates and replicates."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search.judging.candidates import (
    Judgement,
    Recipe,
    Trial,
    make_judgement,
)
from metarl.optimizer_search.judging.evaluators import LocalEvaluator
from metarl.optimizer_search.tables import TableEvaluator, beside, train_beside
from metarl.optimizer_search.tables.sweeping import CHECKPOINTS
from metarl.update_rules import Grammar, resolve

DECADES = 10.0 ** np.arange(-5, 2)


def trial(steps, **more):
    usual = {"sweep_steps": steps // 2, "sweep_replicates": 1, "full_replicates": 2}
    return Trial(full_steps=steps, **{**usual, "num_rates": 7, "refine": True, **more})


def asked(table):
    """The table's rules without decays, which a short run ends earlier, and the rates of a search."""
    texts = [table.rule(place) for place in range(len(table.tokens))]
    rows = [
        place
        for place, text in enumerate(texts)
        if not {"ld", "cd", "cd10", "rd10", "rd20"} & set(text.split())
    ]
    return table.tokens[rows], np.tile(DECADES.astype(np.float32), (len(rows), 1))


@pytest.mark.parametrize("held_out", ["search"])
def test_verdicts_are_those_of_training(exact_table, toy, held_out):
    judge = exact_table.judge("toy")
    seeds = [judge.seeds[s] for s in (4, 0, 3)]
    judgement = make_judgement(toy, exact_table.grammar, trial(12), held_out, seeds)
    tokens, rates = asked(exact_table)
    trained = LocalEvaluator({"toy": judgement}).evaluate(tokens, rates)["toy"]
    found = TableEvaluator(exact_table, {"toy": judgement}).evaluate(tokens, rates)["toy"]
    assert np.isfinite(trained.losses).all(axis=1).mean() > 0.5
    for name in ("rates", "sweep", "rate", "losses"):
        want, got = getattr(trained, name), getattr(found, name)
        assert np.allclose(got, want, rtol=2e-6), name
    assert (found.steps >= trained.steps).all()  # a run that diverged is counted up to a checkpoint


def test_from_rounded_losses_they_are_the_same_within_the_rounding(toy_table, exact_table, toy):
    judge = toy_table.judge("toy")
    settings = trial(
        12, num_rates=1, refine=False, sweep_replicates=1, full_replicates=5, give_up=np.inf
    )
    seeds = list(judge.seeds)
    judgement = _asked_of_a_table(toy, toy_table, settings, seeds)
    tokens = toy_table.tokens
    rates = np.full((len(tokens), 1), 0.1, np.float32)
    rounded, exact = (
        TableEvaluator(table, {"toy": judgement}).evaluate(tokens, rates)["toy"].losses
        for table in (toy_table, exact_table)
    )
    good = np.isfinite(exact)
    assert (np.isfinite(rounded) == good).all()
    assert np.abs(np.log(rounded[good] / exact[good])).max() <= judge.rounding + 1e-6


@pytest.mark.parametrize("name", ["quadratic", "digits-mlp x0.25"])
def test_the_losses_of_a_committed_table_are_those_of_this_machine_within_their_rounding(name):
    from metarl import problems
    from metarl.optimizer_search import load_table

    table = load_table("sign-1")
    judge = table.judge(name)
    steps = judge.steps
    one = Trial(steps, steps, 1, 1, 1, give_up=np.inf)
    grammar, problem = table.grammar, problems.load(judge.problem)
    seeds = [judge.seeds[5], judge.seeds[9]]
    evaluator = LocalEvaluator({name: make_judgement(problem, grammar, one, "search", seeds)})
    names = ["g", "m", "adam", "adam * cd"]
    tokens = np.stack([table.tokens[_place(table, name)] for name in names])
    at = 8  # 10^-1.5, which all of them stand
    rates = np.full((len(names), 1), table.rates[at], np.float32)
    losses = evaluator.evaluate(tokens, rates)[name].losses[:, 0]
    kept = np.array([table.losses(judge)[_place(table, rule), at, 9, -1] for rule in names])
    assert np.abs(np.log(losses / kept)).max() < judge.rounding + 1e-3


def test_what_a_table_does_not_hold_counts_as_diverged(toy_table, toy):
    judge = toy_table.judge("toy")
    judgement = _asked_of_a_table(toy, toy_table, trial(12), judge.seeds[:3])
    evaluator = TableEvaluator(toy_table, {"toy": judgement})
    passing = toy_table.grammar.sample(np.random.default_rng(0), 300)
    large = passing[toy_table.places.codes(passing) == -1][:2]
    tokens = np.concatenate([toy_table.tokens[:1], large])
    rates = np.tile(np.array([1e-3, 0.02, 0.1, 1, 1, 1, 1], np.float32), (len(tokens), 1))
    found = evaluator.evaluate(tokens, rates)["toy"]
    assert evaluator.outside == len(large) == 2
    assert np.isinf(found.losses[1:]).all() and np.isfinite(found.losses[0]).all()
    assert np.isinf(found.sweep[0, 1])  # 0.02 is no half-decade
    assert (found.steps[1:] == 0).all()


@pytest.mark.parametrize(
    ("settings", "seeds", "words"),
    [
        ({"steps": 20}, (0, 1, 2), "has runs of 12 steps by judge 'toy', not of 20"),
        ({"sweep_steps": 5}, (0, 1, 2), r"losses after 2, 3, 6, 12 steps by judge 'toy', not after 5: .*one of 0.125"),
        ({}, (0, 1, None), r"has no replicates of seeds \[12345\] by judge 'toy'"),
    ],
)  # fmt: skip
def test_a_judgement_that_a_table_cannot_answer_is_refused(toy_table, toy, settings, seeds, words):
    settings = dict(settings)
    asked_for = trial(settings.pop("steps", 12), **settings)
    chosen = [12345 if s is None else toy_table.judge("toy").seeds[s] for s in seeds]
    judgement = _asked_of_a_table(toy, toy_table, asked_for, chosen)
    with pytest.raises(InvalidInput, match=words):
        TableEvaluator(toy_table, {"toy": judgement})


def test_checkpoints_are_shares_of_a_run(toy_table):
    assert CHECKPOINTS == (0.125, 0.25, 0.5, 1.0)
    assert toy_table.judge("toy").checkpoint_steps == (2, 3, 6, 12)


def _asked_of_a_table(problem, table, settings, seeds):
    """A judgement that no program belongs to."""
    recipe = Recipe(problem, table.grammar, settings, "search", tuple(seeds), "table")
    return Judgement(None, (), None, np.nan, recipe)  # type: ignore[arg-type]


def _place(table, text):
    return next(place for place in range(len(table.tokens)) if table.rule(place) == text)


def test_rules_trained_beside_a_table_have_its_losses_where_it_has_them(
    toy_table, toy, monkeypatch
):
    monkeypatch.setattr(beside, "problem_suite", SimpleNamespace(load=lambda name: toy))
    judge, places = toy_table.judges[0], [2, 0, 5]
    grammar = Grammar("sign", 2)  # a deeper one writes the same rules
    tokens = np.stack([grammar.to_tokens(resolve(toy_table.rule(place))) for place in places])
    losses = train_beside(toy_table, judge, grammar, tokens)
    for split, want in judge._losses.items():
        assert losses[split].shape == want[places].shape
        good = np.isfinite(want[places])
        assert (np.isfinite(losses[split]) == good).all()
        # another program may round a loss to the neighbouring step
        gaps = np.abs(np.log(losses[split][good] / want[places][good]))
        assert gaps.max() <= 2 * judge.rounding + 1e-6 and (gaps < 1e-6).mean() > 0.99
