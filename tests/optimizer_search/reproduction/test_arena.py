"""The arena: what is tried is equal for all, chosen on some judges, and reported on others."""

from __future__ import annotations

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search.measuring.table_searches import Found
from metarl.optimizer_search.reproduction import arena
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
