"""The choice by halving: against a naive race over made-up losses, and one program whatever the seeds."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from metarl.optimizer_search.judging.candidates import (
    Candidates,
    Trial,
    Verdicts,
    make_judgement,
    on_replicates,
)
from metarl.optimizer_search.judging.halving import HalvingPanel, Rounds, rounds_of
from metarl.optimizer_search.judging.judges import judges_of
from metarl.optimizer_search.judging.reference import Reference
from metarl.optimizer_search.settings.config import FinalistConfig, SearchConfig, TrainingConfig
from metarl.problems import load
from metarl.update_rules import Grammar

CONFIG = SearchConfig(space="sign", depth=1, training=TrainingConfig(steps=5, seeds=4))


@pytest.mark.parametrize(
    ("candidates", "seeds", "left", "expected"),
    [
        (64, 48, 5, Rounds(8, ((24, 2), (8, 4)), 6)),
        (4, 4, 2, Rounds(1, ((2, 2), (2, 4)), 4)),
        (64, 50, 12, Rounds(8, ((24, 2), (12, 4)), 7)),
        (1, 1, 5, Rounds(1, ((5, 2), (5, 4)), 1)),
    ],
)
def test_three_eighths_then_an_eighth_go_on_and_the_report_has_the_seeds_asked_for(
    candidates, seeds, left, expected
):
    final = FinalistConfig(candidates=candidates, choice_seeds=seeds)
    assert rounds_of(final, left) == expected
    assert expected.portion * expected.report >= seeds


class MadeUp:
    """An evaluator whose losses are made up: a rule's own, times noise of the judgement and the rule."""

    width = 1

    def __init__(self, judgements, qualities, tokens, diverging=()):
        self.judgements, self.qualities = dict(judgements), qualities
        self.tokens, self.diverging, self.asked = tokens, set(diverging), []

    def evaluate(self, tokens, rates, judges=None):
        found = {}
        for name in judges or self.judgements:
            trial = self.judgements[name].recipe.trial
            self.asked += [(name, len(tokens) * trial.full_replicates)]
            places = [int(np.flatnonzero((self.tokens == row).all(axis=1))[0]) for row in tokens]
            losses = np.stack([self.run(place, name, trial.full_replicates) for place in places])
            sweep = np.tile(np.abs(np.log(rates / 0.1)), 1)
            rate = rates[np.arange(len(rates)), sweep.argmin(axis=1)]
            steps = np.zeros(len(tokens), np.int32)
            found[name] = Verdicts(rates, sweep, rate, losses, losses * np.nan, steps)
        return found

    def run(self, place, name, count):
        number = int(name.rpartition(" ")[2]) if "portion" in name else 0
        noise = np.random.default_rng([place, number]).normal(0, 0.3, count)
        losses = np.exp(noise - self.qualities[place]).astype(np.float32)
        if (place, number) in self.diverging:
            losses[-1] = np.inf
        return losses

    def close(self):
        pass


class OffItsRate(MadeUp):
    """The same, where a rule loses as much as the decades that it is off its own best rate."""

    suits = 0.1 * 10.0 ** np.array([0.0, 0.25, -0.125])

    def evaluate(self, tokens, rates, judges=None):
        found = super().evaluate(tokens, rates, judges)
        places = [int(np.flatnonzero((self.tokens == row).all(axis=1))[0]) for row in tokens]
        for name, verdict in found.items():
            off = np.abs(np.log10(verdict.rate / self.suits[places]))[:, None]
            found[name] = verdict._replace(losses=verdict.losses * np.exp(2 * off))
        return found


def _halved(toy, qualities, rounds, diverging=(), evaluator=MadeUp):
    grammar, count = Grammar("sign", 1), len(qualities)
    tokens = np.zeros((count, grammar.length), np.int32)
    tokens[:, 0], tokens[:, 1] = np.arange(count) // 5, np.arange(count) % 5
    made = {}

    def backend(judgements) -> Any:
        made["it"] = evaluator(judgements, qualities, tokens, diverging)
        return made["it"]

    panel = HalvingPanel(judges_of([toy], 5), grammar, CONFIG, rounds, backend)
    total = rounds.portion * (1 + rounds.portions)
    panel.__dict__["_adam"] = {"toy": np.ones(total, np.float32)}
    rates = np.tile(np.array([0.01, 0.1, 1.0], np.float32), (count, 1, 1))
    before = np.random.default_rng(7).normal(0, 0.2, count)
    return panel.halve(tokens, rates, before), before, made["it"]


def test_halving_is_a_race_that_a_loop_runs_too(toy):
    rounds, count = Rounds(2, ((5, 2), (3, 4)), 3), 12
    qualities = np.random.default_rng(3).normal(0, 0.3, count)
    diverging = [(int(np.argmax(qualities)), 2)]  # the best diverges in the second round
    halved, before, evaluator = _halved(toy, qualities, rounds, diverging)

    runs = {place: list(-np.log(evaluator.run(place, "toy", 2))) for place in range(count)}
    mixed = lambda k: (sum(runs[k]) + 4 * before[k]) / (len(runs[k]) + 4)  # noqa: E731
    alive, out, portion = list(range(count)), [], 0
    for keep, portions in (*rounds.later, (None, 0)):
        alive.sort(key=lambda k: -mixed(k) if np.isfinite(runs[k]).all() else np.inf)
        if keep is None:
            break
        out = alive[keep:] + out
        alive = alive[:keep]
        for k in alive:
            for number in range(portion + 1, portion + portions + 1):
                runs[k] += list(-np.log(evaluator.run(k, f"toy, portion {number}", 2)))
        portion += portions
    assert halved.order == [*alive, *out]
    for k in alive:
        fresh = [-np.log(evaluator.run(k, f"toy, portion {n}", 2)) for n in (7, 8, 9)]
        if np.isfinite(runs[k]).all():
            assert halved.scores.total[k] == pytest.approx(np.mean(fresh), abs=1e-5)
        assert halved.seeds[k] == 6
    gone = out[-1]
    assert halved.seeds[gone] == 2
    assert (
        halved.scores.total[gone]
        == halved.first[gone]
        == pytest.approx(np.mean(runs[gone]), abs=1e-5)
    )


def test_a_rule_is_not_handed_over_because_its_best_rate_lies_next_to_a_half_decade(toy):
    rounds, qualities = Rounds(8, ((3, 2), (3, 4)), 6), np.array([0.0, 0.3, -9.0])
    halved, _, _ = _halved(toy, qualities, rounds, evaluator=OffItsRate)
    assert halved.first[0] > halved.first[1]  # at 0.1, which suits rule 0
    assert halved.order[:2] == [1, 0]
    np.testing.assert_allclose(halved.scores.rates["toy"], OffItsRate.suits, rtol=1e-5)


class OfTwoMinds(MadeUp):
    """Every rule's losses are lowest at one multiple of Adam's rate by one judge, at another by the other."""

    adam = MappingProxyType({"toy": 0.1, "gentle": 1e-3})
    best = MappingProxyType({"toy": 0.5, "gentle": -0.25})  # decades above Adam's
    price = MappingProxyType({"toy": 1.0, "gentle": 3.0})  # of a decade away from it

    def evaluate(self, tokens, rates, judges=None):
        found = super().evaluate(tokens, rates, judges)
        for name, verdict in found.items():
            judge = name.partition(",")[0]
            off = np.abs(np.log10(rates / self.adam[judge]) - self.best[judge])
            losses = np.tile(np.exp(self.price[judge] * off), (1, verdict.losses.shape[1]))
            found[name] = verdict._replace(losses=losses.astype(np.float32), rate=rates[:, 0])
        return found


def test_with_one_rate_for_all_the_judges_choose_a_multiple_together(toy):
    training = dataclasses.replace(CONFIG.training, one_rate=True)
    config, rounds = dataclasses.replace(CONFIG, training=training), Rounds(1, ((2, 2), (1, 1)), 2)
    grammar = Grammar("sign", 1)
    tokens = grammar.sample(np.random.default_rng(0), 3)
    judges = judges_of([toy, load("toy_problem:gentle")], 5)

    def backend(judgements) -> Any:
        return OfTwoMinds(judgements, np.zeros(3), tokens)

    panel = HalvingPanel(judges, grammar, config, rounds, backend)
    count = rounds.portion * (1 + rounds.portions)
    panel.__dict__["_tuned"] = {
        name: Reference(np.ones(count, np.float32), rate) for name, rate in OfTwoMinds.adam.items()
    }
    panel.__dict__["_adam_while_tuning"] = {name: np.ones(3) for name in OfTwoMinds.adam}
    multiples = np.tile(10.0 ** np.array([-1, -0.5, 0, 0.5, 1]), (3, 2, 1))
    halved = panel.halve(tokens, multiples, np.zeros(3))
    for name, rate in OfTwoMinds.adam.items():  # half-decades choose 1, eighths then 10^-0.25
        tuned = np.full(3, rate)
        tuned[halved.order[:2]] *= 10**-0.25
        np.testing.assert_allclose(halved.scores.rates[name], tuned, rtol=1e-5)
    # gentle at its best, toy 0.75 decades off
    assert halved.scores.total[halved.order[0]] == pytest.approx(-0.75 / 2, abs=1e-5)


def test_what_is_reported_of_equal_rules_is_not_optimistic(toy):
    halved, _, _ = _halved(toy, np.zeros(40), Rounds(2, ((10, 2), (8, 4)), 3))
    left = halved.order[:8]
    # 48 runs of deviation 0.3: beyond 0.2 by 4.6 deviations, 4e-6; the eight best of forty first scores lie far above
    assert abs(halved.scores.total[left].mean()) < 0.2
    assert np.sort(halved.first)[-8:].mean() > 0.2


def test_a_rule_that_diverges_in_the_report_stands_behind_the_others_left(toy):
    rounds, qualities = Rounds(2, ((5, 2), (3, 4)), 3), np.linspace(1, 0, 12) * 4
    sure, _, _ = _halved(toy, qualities, rounds)
    assert sure.order[0] == 0
    halved, _, _ = _halved(toy, qualities, rounds, [(0, 8)])
    assert sorted(halved.order[:3]) == sorted(sure.order[:3]) and halved.order[2] == 0
    assert halved.scores.total[0] == -5


def test_fewer_rules_than_a_round_keeps_all_go_through(toy):
    rounds = Rounds(1, ((5, 2), (3, 4)), 2)
    halved, _, _ = _halved(toy, np.array([0.0, 3.0]), rounds)
    assert halved.order == [1, 0] and halved.seeds.tolist() == [2, 2]
    assert rounds.document(2) == [
        {"rules": 2, "seeds": 1},
        {"rules": 2, "seeds": 2},
        {"rules": 2, "seeds": 4},
        {"rules": 2, "seeds": 2},
    ]


@pytest.mark.parametrize("spread", [1.0, pytest.param(3.0, marks=pytest.mark.slow)])
def test_a_judgement_on_other_replicates_is_that_made_anew_and_compiles_nothing(
    toy, perceptron, spread
):
    toy = toy if spread == 1.0 else perceptron
    grammar = Grammar("sign", 1)
    trial = Trial(4, 4, 0, 2, 1, random_horizon=spread, random_scale=spread)
    trial = dataclasses.replace(trial, random_batch=spread, random_width=spread)
    one = make_judgement(toy, grammar, trial, "choice", [3, 5])
    other = on_replicates(one, [7, 11])
    anew = make_judgement(toy, grammar, trial, "choice", [7, 11])
    assert other.recipe == anew.recipe and other.baseline == anew.baseline
    rows = grammar.sample(np.random.default_rng(0), 2)
    asked = Candidates(rows, np.full((2, 1), 0.1, np.float32), np.ones(2, bool))
    first = one.program(one.data, asked)
    found = other.program(other.data, asked)
    assert one.program is other.program
    assert one.program._cache_size() == 1  # pyright: ignore[reportAttributeAccessIssue]
    expected = anew.program(anew.data, asked)
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_array_equal(x, y)
    assert not np.array_equal(first.losses, found.losses)
    assert found.losses.shape == (2, 2)
    if spread == 1.0:
        assert (found.steps == 8).all()
    else:  # at other numbers of steps, in one program
        assert (first.steps != found.steps).any()


def test_without_a_sweep_a_rule_has_one_rate(toy):
    with pytest.raises(ValueError, match="a rule comes with one learning rate, not 3"):
        make_judgement(toy, Grammar("sign", 1), Trial(4, 4, 0, 2, 3), "choice", [1, 2])


@pytest.mark.parametrize(
    ("reward", "one_rate"), [("loss", False), ("accuracy", False), ("loss", True)]
)
def test_a_halving_panel_trains_and_judging_again_gives_the_reports_scores(toy, reward, one_rate):
    training = dataclasses.replace(CONFIG.training, one_rate=one_rate)
    config = dataclasses.replace(CONFIG, reward=reward, training=training)
    grammar, rounds = Grammar("sign", 1), Rounds(1, ((2, 1), (1, 1)), 2)
    panel = HalvingPanel(judges_of([toy], 4), grammar, config, rounds)
    tokens = grammar.sample(np.random.default_rng(0), 3)
    rates = np.full((3, 1, 5), 0.1, np.float32) * 10.0 ** np.array(
        [-1, -0.5, 0, 0.5, 1], np.float32
    )
    halved = panel.halve(tokens, rates, np.zeros(3))
    again = panel.scores(tokens, rates)
    panel.close()
    best = halved.order[0]
    assert halved.seeds[best] == 2
    assert halved.scores.total[best] == pytest.approx(again.total[best], abs=1e-6)
    assert again.replicates.shape == (3, 2)
