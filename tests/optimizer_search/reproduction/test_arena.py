"""The arena: what is tried is equal for all, chosen on some judges, and reported on others."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_table import made_up_table

from metarl.errors import InvalidInput
from metarl.optimizer_search.measuring.table_searches import Found
from metarl.optimizer_search.reproduction import arena
from metarl.optimizer_search.reproduction.arena_elsewhere import (
    Other,
    exponent,
    other_claims,
    other_row,
    other_table,
)
from metarl.optimizer_search.settings.config import SearchConfig
from metarl.optimizer_search.settings.strategies_config import CONTROLLERS
from metarl.optimizer_search.strategies import make, names
from metarl.update_rules import Grammar


def test_every_strategy_is_there_and_as_many_settings_are_tried_of_each_that_has_any():
    assert set(arena.GRIDS) == set(names())
    tried = {name: len(grid) for name, grid in arena.GRIDS.items()}
    assert {name for name, count in tried.items() if count == 1} == {"random", "enumeration"}
    assert set(tried.values()) == {1, 3}
    assert set(CONTROLLERS) < set(names())
    figures = arena._FIGURES.values()
    drawn = [name for families in figures for family in families.values() for name in family]
    assert sorted([*drawn, "random"]) == sorted(names())
    drawn = [name for family in arena._ELSEWHERE.values() for name in family]
    assert sorted([*drawn, "random"]) == sorted(arena.Settings().elsewhere_strategies)


def test_settings_that_are_tried_differ_and_make_strategies():
    grammar = Grammar("sign", 1)
    for name, grid in arena.GRIDS.items():
        configs = [arena.changed(SearchConfig(), changes) for changes in grid]
        assert configs[0] == SearchConfig() and len(set(configs)) == len(grid)
        for config in configs:
            make(name, grammar, config.validate())


def test_a_setting_is_written_as_its_flags():
    changes = {"controller": {"learning_rate": 0.005}, "evolution": {"first": "simplest"}}
    assert arena.setting_text(changes) == "controller.learning-rate 0.005, evolution.first simplest"
    assert arena.setting_text({}) == ""


def test_the_setting_with_the_best_later_part_is_chosen_and_of_equals_the_first():
    def found(early, late):
        scores = np.tile(np.array([early, late, late]), (4, 1))
        rest = [np.zeros((4, 3))] * 2 + [np.zeros(4)] + [np.zeros((4, 3))] * 2 + [np.zeros(4)] * 3
        return Found(np.array([8, 128, 256]), rest[0], scores, *rest[1:])

    assert arena._best([found(0.0, 0.1), found(9.0, 0.0), found(0.0, 0.1)]) == 0
    assert arena._best([found(0.0, 0.1), found(0.0, 0.2)]) == 1


def test_judges_that_tune_do_not_report():
    with pytest.raises(InvalidInput, match=r"\['quadratic'\] are in both"):
        arena.Settings(tuned_on=("quadratic",), reported_on=("digits-mlp", "quadratic"))
    with pytest.raises(InvalidInput, match=r"\['climber'\] are not"):
        arena.Settings(strategies=("random", "climber"))
    with pytest.raises(InvalidInput, match="with random among them"):
        arena.Settings(elsewhere_strategies=("evolution",))


def searched(marks, regret, noise, searches=40, seed=0):
    """Returns searches whose regret at each number of rules is a function of it, by a factor of noise."""
    marks = np.array(marks)
    factors = np.exp(noise * np.random.default_rng(seed).standard_normal((searches, len(marks))))
    scores = 2.0 - regret(marks) * factors
    whole = np.full((searches, len(marks)), 0)
    rest = (np.full(searches, 64.0),) * 3
    return Found(
        marks, whole, scores, whole, np.full(searches, 2.0), whole == 1, scores * np.nan, *rest
    )


def test_the_exponent_is_that_of_the_regret():
    marks = (8, 16, 32, 64, 128)
    found = searched(marks, lambda rules: np.where(rules < 16, 9.0, rules**-0.5), 0.0)
    got = exponent(found, 128)
    assert got.estimate == pytest.approx(0.5) and got.low == pytest.approx(got.high)
    noisy = exponent(searched(marks, lambda rules: rules**-0.5, 0.3), 128)
    slope, _ = np.polyfit(
        np.log(marks[1:]),
        np.log((2.0 - searched(marks, lambda rules: rules**-0.5, 0.3).scores[:, 1:]).mean(axis=0)),
        1,
    )
    assert noisy.estimate == pytest.approx(-slope)
    assert noisy.low < 0.5 < noisy.high and noisy.high - noisy.low < 0.2
    nothing = exponent(searched(marks, lambda rules: 0.0 * rules, 0.0), 128)
    assert tuple(nothing) == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)


def test_leads_on_another_table_are_those_at_three_numbers_of_rules():
    marks = (8, 16, 32, 64, 128)
    table = made_up_table(rules=120)
    found = searched(marks, lambda rules: rules**-1.0, 0.0)
    random = searched(marks, lambda rules: rules**-0.5, 0.0)
    row = other_row("evolution", found, random, 128, table)
    for name, rules in (("early", 8), ("difference_to_random", 32), ("late", 128)):
        assert row[name]["mean"] == pytest.approx(rules**-0.5 - rules**-1.0)
    other = Other(
        table,
        128,
        {"random": random, "evolution": found},
        [
            row | {"setting": ""},
            other_row("random", random, random, 128, table) | {"setting": ""},
        ],
    )
    (claim,) = other_claims(other)
    assert claim.startswith("made-up, evolution: less random search's true score +0.229 [")
    assert "at 8, +0.146 [" in claim and "at 32, +0.081 [" in claim and "at 128 rules" in claim
    shown = other_table(other, ("digits-mlp",), "deterministic-1")
    assert [row["early"] is None for row in shown.rows] == [False, True]
    assert shown.title == "Searches of made-up by digits-mlp"
