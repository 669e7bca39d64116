"""Comparisons: equal budgets, paired seeds, honest edges and divergences, the document's form."""

from __future__ import annotations

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search.comparing.comparison import Comparison, compare, report_seeds
from metarl.optimizer_search.comparing.contest import Contest
from metarl.optimizer_search.comparing.entrants import entrant, parts, rule_entrant
from metarl.optimizer_search.comparing.problem_results import analyse
from metarl.optimizer_search.comparing.tables import problem_table
from metarl.optimizer_search.comparing.tuning import FINER_POINTS
from metarl.optimizer_search.settings.compare_config import CompareConfig
from metarl.optimizer_search.training.inner_training import (
    draw_fixture,
    held_out_score,
    optax_learner,
    start,
    train,
)
from metarl.optimizer_search.training.seeding import replicate_seeds
from metarl.problems import cards
from metarl.reporting import number_text
from metarl.statistics import iqm
from metarl.update_rules import parse

POWERSIGN, NEVER_FINITE = "exp(sign(g) * sign(m)) * g", "g^0.5"
TYPED = {"toy": ("sgd", POWERSIGN, NEVER_FINITE), "gentle": ("sgd",)}
LOADED = {"toy": "toy_problem:logistic", "gentle": "toy_problem:gentle"}
SEEDS = 8
CONFIG = CompareConfig(
    problem=(),
    references=(),
    horizons=(),
    time_compilation=False,
    schedules=("constant",),
    steps=12,
    seeds=SEEDS,
    tuning_seeds=2,
    seed=3,
)


@pytest.fixture(scope="module")
def comparison(toy):
    """Both problems, with other entrants to spare compilation."""
    parts, said = {}, []
    for name, texts in TYPED.items():
        config = dataclasses.replace(CONFIG, problem=(LOADED[name],))
        entrants = [entrant(text) for text in texts]
        parts |= compare(entrants, config, said.append).problems
    assert (
        f"toy: {NEVER_FINITE!r} diverges at every learning rate from 1.0e-05 to 1.0e+02, and counts as the worst there."
        in said
    )
    return Comparison(parts)


@pytest.fixture(params=["toy", "gentle"])
def result(request, comparison):
    return comparison.problems[request.param]


def test_everybody_typed_is_there_and_adam_beside_them(comparison):
    assert list(comparison.problems) == ["toy", "gentle"]
    for name, result in comparison.problems.items():
        assert tuple(result.entries) == (*TYPED[name], "adam")


def test_everybody_has_the_same_budget(result):
    rates = len(result.learning_rates)
    assert rates >= 15
    np.testing.assert_allclose(np.diff(np.log10(result.learning_rates)), 0.5)
    assert {len(entry.tuning_losses) for entry in result.entries.values()} == {rates}
    assert {entry.curves.shape for entry in result.entries.values()} == {
        (SEEDS, len(result.points))
    }
    for record in result.measured.records.values():
        assert record.tuning.shape == (rates, 1, 1, CONFIG.tuning_seeds // 2)
        assert record.finer.losses.shape == (FINER_POINTS, CONFIG.tuning_seeds)
    spent = rates * CONFIG.tuning_seeds // 2 + FINER_POINTS * CONFIG.tuning_seeds
    assert result.runs_spent == spent * len(result.entries)


def test_the_rate_is_that_of_the_lowest_loss_of_ever_finer_points_around_the_best(result):
    for label in set(result.entries) - {NEVER_FINITE}:
        entry, finer = result.entries[label], result.measured.records[label].finer
        best = np.log10(result.learning_rates[np.argmin(entry.tuning_losses)])
        means = {
            round(float(np.log10(setting.learning_rate)), 3): losses.mean()
            for setting, losses in zip(finer.settings, finer.losses, strict=True)
        }
        quarters = [round(best + d, 3) for d in (-0.5, -0.25, 0.0, 0.25, 0.5)]
        first = min(quarters, key=means.__getitem__)
        assert set(means) == {*quarters, round(first - 0.125, 3), round(first + 0.125, 3)}
        lowest = min(means, key=means.__getitem__)
        assert np.log10(entry.learning_rate) == pytest.approx(lowest, abs=1e-3), label


def test_the_grid_is_widened_for_all_when_the_best_rate_of_one_lies_on_its_edge(comparison):
    ordinary, gentle = (comparison.problems[name] for name in ("toy", "gentle"))
    assert gentle.entries["sgd"].learning_rate > 100.0
    assert gentle.learning_rates[0] == pytest.approx(1e-5)
    assert gentle.learning_rates[-1] > gentle.entries["sgd"].learning_rate
    assert "sgd" not in gentle.on_edge
    assert len(gentle.learning_rates) > len(ordinary.learning_rates) == 15
    assert ordinary.on_edge == ()
    assert len(gentle.entries["adam"].tuning_losses) == len(gentle.learning_rates)


def test_adams_difference_to_itself_is_exactly_zero(result):
    difference = result.entries["adam"].difference_to_adam
    assert difference.estimate == difference.low == difference.high == 0.0
    assert result.entries["adam"].step_time_relative_to_adam == 1.0


def test_differences_to_adam_are_paired_by_seed(result):
    alone = dict.fromkeys(result.measured.records)
    for label, record in result.measured.records.items():
        alone[label] = record._replace(choices=None)  # the setting that was chosen
    result = analyse(result.measured._replace(records=alone))
    adam = result.entries["adam"].curves[:, -1]
    for label in set(result.entries) & {"sgd", POWERSIGN}:
        entry = result.entries[label]
        difference = float(iqm(entry.curves[:, -1].astype(float) - adam))
        assert entry.difference_to_adam.estimate == pytest.approx(difference, rel=1e-5)
        assert entry.difference_to_adam.low <= difference <= entry.difference_to_adam.high
        ratio = float(np.exp(iqm(np.log(entry.curves[:, -1].astype(float) / adam))))
        assert entry.relative_loss is not None
        assert entry.relative_loss.estimate == pytest.approx(ratio, rel=1e-5)
        assert entry.final_loss.estimate == pytest.approx(float(iqm(entry.curves[:, -1])))
        assert entry.step_time_relative_to_adam > 0


def test_the_report_runs_the_chosen_setting_and_those_that_tuning_may_have_chosen(result):
    for label, record in result.measured.records.items():
        choices = record.choices
        assert choices.settings[0] == record.setting
        assert 1 <= len(choices.settings) <= 4 and len(set(choices.settings)) == len(
            choices.settings
        )
        assert choices.losses.shape == (len(choices.settings), SEEDS)
        np.testing.assert_array_equal(choices.losses[0], record.losses[:, -1])
        for setting, losses in zip(choices.settings, choices.tuning, strict=True):
            place = record.finer.settings.index(setting)
            np.testing.assert_array_equal(losses, record.finer.losses[place], label)


@pytest.mark.parametrize("label", ["sgd", POWERSIGN])
def test_reported_losses_are_those_of_runs_on_fresh_seeds_and_test_data(toy, comparison, label):
    entry = comparison.problems["toy"].entries[label]
    seeds = replicate_seeds(CONFIG.seed, "report", SEEDS)
    fixture, layout = draw_fixture(toy, "test", seeds)

    @jax.jit
    def final(rate, replicate):
        learner = optax_learner(*parts(entrant(label).make(rate, 12, jax.random.key(0))))
        place = (toy, layout, learner, fixture, replicate)
        return held_out_score(
            *place, train(*place, start(learner, fixture, replicate), jnp.int32(12))
        )

    runs = [final(entry.learning_rate, jnp.int32(replicate)) for replicate in range(SEEDS)]
    np.testing.assert_allclose(entry.curves[:, -1], [loss for loss, _ in runs], rtol=1e-4)
    np.testing.assert_allclose(entry.metrics, [metric for _, metric in runs], rtol=1e-6)


def test_steps_to_the_target_are_those_of_a_loop(result):
    target = np.median(result.entries[result.target_of].curves[:, -1])
    assert result.target == target
    np.testing.assert_array_equal(result.points, np.arange(1, 13))
    for label in set(result.entries) - {NEVER_FINITE}:
        entry, steps = result.entries[label], []
        for curve in entry.curves:
            below = [
                point for point, loss in zip(result.points, curve, strict=True) if loss <= target
            ]
            steps.append(float(below[0]) if below else np.inf)
        assert entry.reached_target == np.mean(np.isfinite(steps))
        if entry.steps_to_target is None:
            assert not np.isfinite(steps).any()
        else:
            assert entry.steps_to_target.estimate == pytest.approx(float(iqm(steps)))
    assert result.entries[result.target_of].reached_target >= 0.5


def test_a_table_names_the_target_and_who_set_it(comparison):
    document = comparison.to_document()["toy"]
    target = float(np.median(comparison.problems["toy"].entries["adam"].curves[:20, -1]))
    notes = problem_table("toy", document).notes
    assert f"Target: the median final loss of adam, {number_text(target)}." in notes


def test_state_bytes_are_those_of_the_buffers_that_grow_with_the_parameters(toy):
    contest = Contest(toy, 3, [0], [1])
    expected = {"sgd": 0, "momentum": 4, "adam": 8, "lion": 4, "powersign": 4, "ld * g + noise": 0}
    expected |= {"muon": 8, "soap": 8, "schedule-free-adamw": 8, "mars": 12}
    held = {text: contest.state_bytes_per_parameter(entrant(text)) for text in expected}
    assert held == expected


def test_a_rule_that_is_never_finite_counts_as_the_worst_and_ends_nothing(comparison):
    result = comparison.problems["toy"]
    entry = result.entries[NEVER_FINITE]
    assert entry.diverged == SEEDS and np.isposinf(entry.curves[:, -1]).all()
    assert np.isposinf(entry.final_loss.estimate) and np.isposinf(entry.difference_to_adam.low)
    assert entry.relative_loss == pytest.approx((10.0, 10.0, 10.0)) and entry.verdict == "worse"
    assert entry.steps_to_target is None and entry.reached_target == 0.0
    for label in ("sgd", "adam"):
        assert result.entries[label].diverged == 0


def test_the_document_has_the_keys_that_were_promised(comparison):
    document = comparison.to_json()
    assert list(document) == ["problems"]
    for name, entries in document["problems"].items():
        for entry in entries.values():
            assert set(entry) == {
                "learning_rate", "schedule", "weight_decay", "extra", "rate_scale", "final_loss", "metric",
                "steps_to_target", "seconds_to_target", "reached_target", "difference_to_adam",
                "relative_loss", "verdict", "speed_up", "state_bytes_per_parameter", "step_time_relative_to_adam",
                "compile_seconds", "diverged",
            }  # fmt: skip
            assert set(entry["final_loss"]) == {"iqm", "low", "high"}
            assert set(entry["difference_to_adam"]) == {"iqm", "low", "high"}
            assert (entry["metric"] is None) == (name == "gentle")
    assert document["problems"]["toy"][NEVER_FINITE]["steps_to_target"] is None
    assert set(document["problems"]["toy"]["sgd"]["metric"]) == {"iqm", "low", "high"}
    # a run that diverged counts as chance
    assert document["problems"]["toy"][NEVER_FINITE]["metric"]["iqm"] == 0.5


def test_the_document_for_figures_is_plain_json_that_keeps_infinities(comparison):
    document = json.loads(json.dumps(comparison.to_document(), allow_nan=False))
    for name, result in comparison.problems.items():
        part = document[name]
        assert part["steps"] == 12 and part["report_seeds"] == SEEDS
        assert part["points"] == result.points.tolist() and part["runs_spent"] == result.runs_spent
        for label, entry in result.entries.items():
            curve = part["entries"][label]["curve"]
            assert len(curve["median"]) == len(curve["low"]) == len(part["points"])
            np.testing.assert_allclose(
                np.array(part["entries"][label]["final_losses"], float), entry.curves[:, -1]
            )
            np.testing.assert_allclose(
                np.array(part["entries"][label]["tuning_losses"], float), entry.tuning_losses
            )
    assert document["toy"]["entries"][NEVER_FINITE]["final_losses"] == ["inf"] * SEEDS


def test_the_number_of_fresh_seeds_is_the_problems_and_no_clocks(toy):
    costly = dataclasses.replace(toy, is_costly=True)
    assert [report_seeds(toy, None), report_seeds(costly, None)] == [60, 10]
    assert [report_seeds(toy, 7), report_seeds(costly, 7)] == [7, 7]
    assert {card.name for card in cards() if card.is_costly} == {"cifar10-conv", "cifar10-wrn"}


def test_the_same_optimizer_twice_is_refused(toy):
    with pytest.raises(InvalidInput, match="named twice"):
        compare([entrant("sgd"), entrant("sgd")], CompareConfig())


def test_unknown_problems_are_refused_with_the_nearest_name():
    with pytest.raises(
        InvalidInput, match=r"Unknown problem 'digits-mpl'\. Did you mean 'digits-mlp'"
    ):
        compare([entrant("sgd")], CompareConfig(problem=("digits-mpl",)))


def test_a_rule_called_like_a_reference_stands_beside_it(toy, monkeypatch):
    """`rmsprop` found by a search is a rule of ours; the reference of that name is optax's."""
    from metarl.optimizer_search.comparing import comparison as module

    def two_references():
        return entrant("rmsprop"), entrant("adam")

    monkeypatch.setattr(module, "references", two_references)
    config = CompareConfig(
        problem=("toy_problem:logistic",),
        steps=12,
        seeds=2,
        tuning_seeds=1,
        horizons=(),
        time_compilation=False,
    )
    found = compare([rule_entrant("rmsprop", parse("rmsprop"))], config).problems["toy"].entries
    assert tuple(found) == ("rmsprop", "optax rmsprop", "adam")
    ours, theirs = found["rmsprop"].curves, found["optax rmsprop"].curves
    assert not np.allclose(ours, theirs, rtol=1e-3)
