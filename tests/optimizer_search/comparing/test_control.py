"""The control: Adam is searched for as rules are."""

from __future__ import annotations

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search.comparing import control
from metarl.optimizer_search.comparing.control import (
    control_entrant,
    drawn_settings,
    found_setting,
    last_of_halving,
)
from metarl.optimizer_search.comparing.extras import Extras
from metarl.optimizer_search.settings.compare_config import CompareConfig


def test_the_first_setting_is_adams_own_and_all_are_within_bounds():
    settings, multiples = drawn_settings(500, 3)
    assert len(settings) == len(multiples) == 500
    assert settings[0] == {"b1": 0.9, "b2": 0.999, "eps": 1e-8, "weight_decay": 0.0}
    assert multiples[0] == 1.0 and 0.1 <= multiples.min() < multiples.max() <= 10.0
    columns = {name: np.array([x[name] for x in settings]) for name in settings[0]}
    assert columns["b1"].min() >= 0 and columns["b1"].max() <= 0.98
    assert columns["b2"].min() >= 0.7 and columns["b2"].max() <= 0.9999
    # half of 499: 200 to 300 but once in 100,000
    assert 200 < (columns["weight_decay"] == 0).sum() < 300
    again, _ = drawn_settings(500, 3)
    assert again == settings and drawn_settings(500, 4)[0] != settings


def test_the_worst_are_dropped_as_seeds_are_added():
    asked = []
    worth = np.arange(40)[::-1] / 10

    def losses(places, seeds):
        asked.append((len(places), seeds))
        return worth[places][:, None] + np.zeros(seeds.stop - seeds.start)

    assert last_of_halving(losses, 40, 10) == 39
    assert asked == [(40, slice(0, 1)), (10, slice(1, 2)), (2, slice(2, 4)), (1, slice(4, 8))]


def test_what_is_found_is_one_of_the_drawn_settings(toy):
    config = CompareConfig(tuning_seeds=2, seed=3, schedules=("constant",))
    said: list[str] = []
    found = found_setting(12, ["toy_problem:logistic"], config, said.append)
    assert said == ["toy_problem:logistic: 12 settings of Adam, as control"]
    assert found in drawn_settings(12, 3)[0]


def test_where_the_comparison_decays_weights_no_setting_of_the_control_does(toy, monkeypatch):
    tried = []

    class Watched(Extras):
        def __new__(cls, own, settings):
            tried.extend(settings)
            return Extras(own, settings)

    monkeypatch.setattr(control, "Extras", Watched)
    config = CompareConfig(
        tuning_seeds=2, seed=3, schedules=("constant",), weight_decays=(0.0, 0.1)
    )
    found = found_setting(12, ["toy_problem:logistic"], config, print)
    assert [x["weight_decay"] for x in tried] == [0.0] * 12 and found in tried


def test_what_was_found_is_kept_and_becomes_an_optimizer(tmp_path, monkeypatch):
    setting = {"b1": 0.8, "b2": 0.95, "eps": 1e-6, "weight_decay": 0.1}
    monkeypatch.setattr(control, "found_setting", lambda *given: setting)
    config = CompareConfig(control="7")
    one = control_entrant(config, print, tmp_path)
    monkeypatch.delattr(control, "found_setting")
    again = control_entrant(config, print, tmp_path)
    assert (
        (one.label, one.rules_trained) == (again.label, again.rules_trained) == ("adam-control", 7)
    )


def test_a_control_of_no_number_is_refused():
    with pytest.raises(InvalidInput, match="control is 'many'; it must be a number of settings"):
        control_entrant(CompareConfig(control="many"), print)
