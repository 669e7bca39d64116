"""Reproducing a table of a paper."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest

from metarl.classical_agents.measurements import Ledger
from metarl.classical_agents.paper_table import (
    PaperColumn,
    PaperTable,
    read_table,
    reproduce_table,
)
from metarl.errors import InvalidInput

CELLS = {
    name: {"states": 3, "actions": 2, "horizon": 3, "episodes": int(name)} for name in ("2", "4")
}


@pytest.fixture
def table():
    return PaperTable(
        environment="mdp",
        cells=CELLS,
        columns={
            "Greedy": PaperColumn("greedy:prior_mean=1", None, {"2": 6.0}, anytime=True),
            "ε-greedy": PaperColumn("epsilon-greedy", "paper", {"4": 1000.0}),
        },
        tasks=60,
        paper_tasks=20,
        validation_tasks=60,
    )


def test_lines_hold_the_difference_and_whether_it_is_allowed(table, tmp_path):
    shown = []
    lines = reproduce_table(table, tmp_path, report=shown.append)
    assert shown == lines
    greedy, _, _, exploring = lines
    assert (greedy.cell, greedy.column) == ("2", "Greedy")
    assert (exploring.cell, exploring.column) == ("4", "ε-greedy")
    assert greedy.difference == pytest.approx(greedy.ours - 6.0)
    paper_error = greedy.standard_error * math.sqrt(60 / 20)
    spread = math.hypot(greedy.standard_error, paper_error)
    assert greedy.allowed == pytest.approx(3 * spread + 0.05)
    assert greedy.within and not exploring.within
    assert lines[1].paper is None and lines[1].within is None
    with (tmp_path / "classical.csv").open(encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert [line["within"] for line in written] == ["yes", "", "", "no"]
    with (tmp_path / "measured.csv").open(encoding="utf-8") as file:
        measured = list(csv.DictReader(file))
    chosen = {
        row["agent"]: float(row["mean"])
        for row in measured
        if row["split"] == "validation" and row["cell"] == "4"
    }
    assert len(chosen) == 10 and exploring.agent == max(chosen, key=lambda text: chosen[text])


def test_what_was_measured_is_not_played_again(table, tmp_path, monkeypatch):
    fixed = PaperTable(
        environment="mdp", cells=CELLS, columns={"Greedy": table.columns["Greedy"]}, tasks=60
    )
    first = reproduce_table(fixed, tmp_path)

    def refuse(*_):
        raise AssertionError("played again")

    monkeypatch.setattr(Ledger, "_play", refuse)
    assert reproduce_table(fixed, tmp_path) == first


def test_a_cell_alone_is_as_in_the_whole_table(table, tmp_path):
    fixed = PaperTable(
        environment="mdp", cells=CELLS, columns={"Greedy": table.columns["Greedy"]}, tasks=60
    )
    (tmp_path / "alone").mkdir()
    whole = reproduce_table(fixed, tmp_path)
    alone = reproduce_table(fixed, tmp_path / "alone", cells=["2"])
    assert [line.ours for line in alone] == [whole[0].ours]


def test_unknown_cells_and_settings_are_said(table, tmp_path):
    with pytest.raises(InvalidInput, match="Unknown cell '3'"):
        reproduce_table(table, tmp_path, cells=["3"])
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"environment": "mdp", "cells": {}, "columns": {}, "task": 5}))
    with pytest.raises(InvalidInput, match="Did you mean 'tasks'"):
        read_table(path)


def test_the_settings_of_table_2_are_understood():
    path = Path(__file__).parents[2] / "experiments" / "rl2_table_2" / "settings.json"
    if not path.exists():
        pytest.skip("needs the checkout, not only the tests")
    table = read_table(path)
    assert [cell["episodes"] for cell in table.cells.values()] == [10, 25, 50, 75, 100]
    assert table.columns["PSRL"].paper["100"] == 1939.5


def test_snails_returns_in_table_2_are_its_shares_over_those_of_the_papers_rl2_times_its_returns():
    path = Path(__file__).parents[2] / "experiments" / "rl2_table_2" / "settings.json"
    if not path.exists():
        pytest.skip("needs the checkout, not only the tests")
    others = read_table(path).others
    snail = {"10": 0.766, "25": 0.862, "50": 0.908, "75": 0.930, "100": 0.941}
    rl2 = {"10": 0.752, "25": 0.859, "50": 0.902, "75": 0.918, "100": 0.922}
    for cell, theirs in others["RL²"].items():
        turned = theirs * snail[cell] / rl2[cell]
        assert others["SNAIL, from its shares"][cell] == pytest.approx(turned, abs=0.051)
        assert theirs / rl2[cell] / float(cell) == pytest.approx(20.76, abs=0.012)  # one yardstick
