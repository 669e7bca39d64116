"""The exporters to LaTeX and JSON."""

from __future__ import annotations

import json

from metarl.update_rules import NAMED_RULES, Provenance, Rule, resolve, to_json, to_latex


def test_a_document_holds_the_rule_and_where_it_comes_from():
    provenance = Provenance(found_in="run 3", seed=1, learning_rate=0.3)
    document = json.loads(to_json("exp(m) * ld", provenance))
    assert document["text"] == "exp(m) * ld"
    assert document["needs"] == ["m", "progress"]
    assert document["latex"] == r"e^{\hat{m}} \cdot \mathrm{ld}"
    assert document["provenance"] == {
        "found_in": "run 3",
        "problem": None,
        "seed": 1,
        "metarl_version": None,
        "learning_rate": 0.3,
        "adam_learning_rate": None,
        "tuned_on": None,
        "schedule": None,
        "note": None,
    }


def test_every_named_rule_survives_the_round_trip_with_its_source():
    for name, row in NAMED_RULES.items():
        assert Rule.from_json(to_json(name)) == resolve(name)
        assert json.loads(to_json(name))["provenance"]["found_in"] == row.source or row.rule in [
            other.rule for other in NAMED_RULES.values() if other is not row
        ]


def test_latex_is_that_of_the_rule():
    assert to_latex("powersign") == resolve("powersign").to_latex()
