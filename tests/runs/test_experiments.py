"""Experiments: their cards, their runs, and how far these have come."""

from __future__ import annotations

import pytest

from metarl.errors import InvalidInput
from metarl.runs import ExperimentCard, RunDirectory, begin_or_go_on, experiment_folder

CARD = ExperimentCard(name="a-figure", folder="a_table", caption="", costs={})
CONFIG = {"table": "a_table", "scale": "smoke", "settings": {"seeds": 2}}


def test_a_reproduction_is_begun_once_and_done_when_its_document_is_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert CARD.status("smoke") == "not begun"
    run = begin_or_go_on(CARD.run_dir("smoke"), CONFIG, ["metarl"])
    assert CARD.status("smoke") == "begun" and CARD.status("laptop") == "not begun"
    CARD.document_in(run.path).write_text("{}")
    assert CARD.status("smoke") == "done"
    again = begin_or_go_on(CARD.run_dir("smoke"), CONFIG, ["another command"])
    assert again.provenance["command"] == ["metarl"]


def test_a_run_with_other_settings_is_not_gone_on_with(tmp_path):
    begin_or_go_on(tmp_path / "run", CONFIG, ["metarl"])
    with pytest.raises(InvalidInput, match="was begun with other settings"):
        begin_or_go_on(tmp_path / "run", {**CONFIG, "settings": {"seeds": 3}}, ["metarl"])
    with pytest.raises(InvalidInput, match="holds another run"):
        begin_or_go_on(tmp_path / "run", {**CONFIG, "table": "another"}, ["metarl"])
    RunDirectory.create(tmp_path / "search", "search", CONFIG, ["metarl"])
    with pytest.raises(InvalidInput, match="holds another run"):
        begin_or_go_on(tmp_path / "search", CONFIG, ["metarl"])


def test_results_are_committed_when_the_folder_holds_their_file(tmp_path, monkeypatch):
    monkeypatch.setattr("metarl.runs.experiments.__file__", str(tmp_path / "metarl/runs/x.py"))
    folder = tmp_path / "experiments/a_table"
    folder.mkdir(parents=True)
    with pytest.raises(InvalidInput, match="Clone the repository"):
        experiment_folder("a_table")
    (folder / "settings.json").write_text("{}")
    assert not CARD.is_committed()
    (folder / "a-figure.json").write_text("{}")
    assert CARD.is_committed()
