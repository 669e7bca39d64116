"""Experiments: their cards, their runs, and how far these have come."""

from __future__ import annotations

import jax
import pytest

from metarl.errors import InvalidInput
from metarl.runs import ExperimentCard, RunDirectory, begin_or_go_on, experiment_folder

CARD = ExperimentCard(name="a-figure", folder="a_table", caption="", costs={})
CONFIG = {"table": "a_table", "scale": "smoke", "settings": {"seeds": 2}}


def test_a_reproduction_is_begun_once_and_done_when_its_document_is_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert CARD.status("smoke") == "not begun"
    run = begin_or_go_on(CARD.run_dir("smoke"), CONFIG, ["metarl"], print)
    assert CARD.status("smoke") == "begun" and CARD.status("laptop") == "not begun"
    CARD.document_in(run.path).write_text("{}")
    assert CARD.status("smoke") == "done"
    again = begin_or_go_on(CARD.run_dir("smoke"), CONFIG, ["another command"], print)
    assert again.provenance["command"] == ["metarl"]


def test_a_run_with_other_settings_is_not_gone_on_with(tmp_path):
    begin_or_go_on(tmp_path / "run", CONFIG, ["metarl"], print)
    with pytest.raises(InvalidInput, match="was begun with other settings"):
        begin_or_go_on(tmp_path / "run", {**CONFIG, "settings": {"seeds": 3}}, ["metarl"], print)
    with pytest.raises(InvalidInput, match="holds another run"):
        begin_or_go_on(tmp_path / "run", {**CONFIG, "table": "another"}, ["metarl"], print)
    RunDirectory.create(tmp_path / "search", "search", CONFIG, ["metarl"])
    with pytest.raises(InvalidInput, match="holds another run"):
        begin_or_go_on(tmp_path / "search", CONFIG, ["metarl"], print)


def test_who_goes_on_is_told_what_has_changed_since_it_was_begun(tmp_path):
    said: list[str] = []

    def begun(**settings):
        return begin_or_go_on(tmp_path / "run", CONFIG, ["metarl"], said.append, settings)

    begun(tasks=40, rows={"dqn": {"seeds": 2}})
    begun(tasks=40, rows={"dqn": {"seeds": 2}})
    assert said == []
    with jax.default_matmul_precision("highest"):
        begun(tasks=50, rows={"dqn": {"seeds": 2}, "ppo": {"seeds": 1}})
    assert said == [
        "Since the run began these have changed: matmul_precision (not set, now highest). Its last bits may differ "
        "from those of an uninterrupted run.",
        "Since the run began settings in experiments/ have changed: tasks (40, now 50), rows.ppo.seeds (not set, now "
        "1). What was measured then is kept beside what is measured now; choose another --run-dir unless the change "
        "alters nothing that is there.",
    ]


def test_a_run_that_kept_no_settings_is_gone_on_with_in_silence(tmp_path):
    begin_or_go_on(tmp_path / "run", CONFIG, ["metarl"], print)
    said: list[str] = []
    begin_or_go_on(tmp_path / "run", CONFIG, ["metarl"], said.append, {"tasks": 50})
    assert said == []


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
