"""Extra settings: who has which, that their own values are the defaults, and what a weight decay beside them leaves."""

from __future__ import annotations

import inspect

import optax
import pytest

from metarl import optimizers
from metarl.optimizer_search.comparing.entrants import decayed_once, entrant
from metarl.optimizer_search.comparing.extras import ADAM, NO_EXTRAS, of_rule
from metarl.optimizer_search.comparing.standard import STANDARD
from metarl.update_rules import to_optax

CONSTRUCTORS = {
    "momentum": None,  # optax's default is none; ours is 0.9
    "nesterov": None,
    "prodigy": optax.adam,  # its betas are Adam's
    "adam-shifted": optax.adam,
    "adam-again": optax.adam,
    "cautious-adamw": optax.adamw,  # whose weight decay it is given
    "powersign": to_optax,
    "addsign": to_optax,
    "soap": optimizers.soap,
    "mars": optimizers.mars,
    "adan": optimizers.adan,
    "muon": optax.contrib.muon,
    "ademamix": optax.contrib.ademamix,
    "schedule-free-adamw": optax.contrib.schedule_free_adamw,
}


@pytest.mark.parametrize("label", [name for name, row in STANDARD.items() if row.extras.tried])
def test_own_values_are_the_optimizers_defaults_and_every_change_changes_one_number(label):
    found = STANDARD[label].extras
    constructor = CONSTRUCTORS.get(label, getattr(optax, label.replace("-", "_"), None))
    if constructor is not None:
        defaults = inspect.signature(constructor).parameters
        for name, value in found.own.items():
            assert defaults[name].default == value, name
    assert len(found.tried) == 5 and len(set(map(str, map(dict, found.tried)))) == 5
    for change in found.tried:
        (name,) = change
        assert change[name] != found.own[name]


def test_who_has_no_settings_has_none():
    for label in ("sgd", "sign-sgd", "g", "own_optimizers:judged_at_zero"):
        assert entrant(label).extras == NO_EXTRAS, label


def test_a_rule_has_those_of_the_averages_in_it():
    assert entrant("adam * exp(sign(g) * sign(m))").extras == entrant("adam").extras == ADAM
    assert [dict(x) for x in entrant("sign(m) * g").extras.tried][:2] == [{"b1": 0.95}, {"b1": 0.8}]
    assert {name for x in of_rule({"v"}).tried for name in x} == {"b2"}


def test_all_settings_of_a_place_are_given_and_none_where_nothing_is_tried():
    assert ADAM.at(0, 0) == {} == NO_EXTRAS.at(0, 3)
    assert {k: float(v) for k, v in ADAM.at(1, 1).items()} == pytest.approx({"b2": 0.99})
    found = {k: float(v) for k, v in ADAM.at(2, 3).items()}
    assert found == pytest.approx({"b1": 0.8, "b2": 0.999})


def test_where_the_comparison_decays_weights_no_extra_setting_does():
    adamw = decayed_once(entrant("adamw"))
    assert {name for x in adamw.extras.tried for name in x} == {"b1", "b2"}
    assert {name for x in entrant("adamw").extras.tried for name in x} == {
        "b1",
        "b2",
        "weight_decay",
    }
