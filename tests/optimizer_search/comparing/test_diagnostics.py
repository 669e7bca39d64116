"""Diagnostics: pass and fail where the answer is known."""

from __future__ import annotations

import dataclasses

import pytest

from metarl.optimizer_search.comparing.diagnostics import diagnose, diagnostics_table
from metarl.optimizer_search.comparing.entrants import entrant
from metarl.optimizer_search.settings.compare_config import CompareConfig
from metarl.problems import Diagnostic, diagnostics

CONFIG = CompareConfig(problem=("beale",), references=(), seed=1)
ALL = {diagnostic.name: diagnostic for diagnostic in diagnostics()}


def shortened(name: str) -> Diagnostic:
    """Returns a diagnostic of half its length, which the answers here do not need."""
    one = ALL[name]
    problems = [dataclasses.replace(x, steps=100) for x in (one.problem, *one.variants)]
    return one._replace(problem=problems[0], variants=tuple(problems[1:]))


@pytest.fixture(scope="module")
def found():
    chosen = [shortened("scale 1e-3, 1e3"), shortened("saddle")]
    return diagnose([entrant("sgd"), entrant("0 * g")], CONFIG, lambda text: None, chosen)


def test_gradient_descent_feels_the_scale_of_the_loss_and_adam_does_not(found):
    findings = found["scale 1e-3, 1e3"]["findings"]
    assert findings["adam"]["passed"] and findings["adam"]["ratio"] < 1.5
    assert not findings["sgd"]["passed"]


def test_who_never_moves_stays_on_the_ridge(found):
    stuck = found["saddle"]["findings"]["0 * g"]
    assert not stuck["passed"] and stuck["ratio"] == pytest.approx(1.0, rel=1e-5)
    assert found["saddle"]["findings"]["adam"]["passed"]


def test_who_diverges_fails_without_a_number(found):
    sgd = found["scale 1e-3, 1e3"]["findings"]["sgd"]
    assert sgd["ratio"] is None or sgd["ratio"] > 2.0


def test_the_table_counts_passes_and_explains_itself(found):
    table = diagnostics_table(found, ["sgd"])
    assert table.rows[0]["optimizer"] == "adam" and table.rows[0]["passed"] == "2 of 2"
    assert table.rows[-1]["saddle"] == "1"
    assert any(
        "passes if it ends below 0.05 of the loss at the start" in note for note in table.notes
    )
