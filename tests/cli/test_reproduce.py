"""`metarl reproduce`: the list, what is refused in which words, one experiment and all of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from metarl import optimizer_search, rl_squared
from metarl.cli import main, reproduce
from metarl.errors import InvalidInput
from metarl.reporting import Column, Table
from metarl.runs import RunDirectory, experiment_folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """An empty directory, and no backend to start."""
    try:
        experiment_folder("nos_rosenbrock")
    except InvalidInput:
        pytest.skip("needs a checkout")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("metarl.cli.machine.Machine.start", lambda self: None)
    return tmp_path


@pytest.fixture
def done(monkeypatch):
    """What was asked of either job, which finds one number at once."""
    asked = []

    def search(name, scale, run_dir, *, command):
        asked.append((name, scale, run_dir))
        table = Table("Numbers", [Column("number")], [{"number": 7}])
        return {
            "experiment": name,
            "claims": ["It is 7."],
            "tables": {"t": table},
            "files": ["a.csv"],
        }

    def learn(plan, run_dir, *, command):
        asked.append((plan.experiment, plan.scale, list(plan.cells)))
        return {"experiment": plan.experiment, "cells": {}, "files": []}

    monkeypatch.setattr(optimizer_search, "reproduce", search)
    monkeypatch.setattr(rl_squared, "reproduce", learn)
    return asked


def test_a_list_of_cells_that_names_none_is_refused(capsys, elsewhere, done):
    """It stood for all of them, which take hours."""
    for cells in ("", " , "):
        assert main(["reproduce", "rl2-table-1", "--cells", cells]) == 2
        assert f"--cells {cells!r} names none; name some" in capsys.readouterr().err
    assert not done


def test_without_a_name_all_experiments_are_listed_with_cost_and_status(capsys, elsewhere):
    begun, finished = elsewhere / "runs/nos_decays-smoke", elsewhere / "runs/nos_rosenbrock-laptop"
    for place in (begun, finished):
        place.mkdir(parents=True)
        (place / "run.json").write_text("{}")
    (finished / "nos-rosenbrock.json").write_text("{}")
    assert main(["reproduce", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["experiments"]
    assert set(listed) == {*optimizer_search.EXPERIMENTS, *rl_squared.EXPERIMENTS}
    row = listed["nos-rosenbrock"]
    assert row["status"] == {"smoke": "not begun", "laptop": "done", "paper": "not begun"}
    assert row["committed"] and row["folder"] == "experiments/nos_rosenbrock"
    assert listed["nos-decays"]["status"]["smoke"] == "begun"
    for name, card in {**optimizer_search.EXPERIMENTS, **rl_squared.EXPERIMENTS}.items():
        evidence = experiment_folder(card.folder) / (card.evidence or f"{name}.json")
        assert listed[name]["committed"] == evidence.is_file(), name
    assert main(["reproduce"]) == 0
    printed = capsys.readouterr().out
    assert "a minute: done" in printed and "nos-transfer" in printed and "rl2-table-1" in printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nos-rosenbrok"], "Unknown experiment 'nos-rosenbrok'. Did you mean 'nos-rosenbrock'?"),
        (["rl2-tabel-2"], "Did you mean 'rl2-table-2'?"),
        (["nos-decays", "--cells", "10x5"], "--cells: only the experiments of RL² have this"),
        (["all", "--anew", "--agents", "committed"], "--agents, --anew: only the experiments"),
        (["all", "--run-dir", "x"], "--run-dir: every experiment has a directory of its own"),
        (["nos-decays", "--scale", "huge"], "huge"),
    ],
)
def test_what_cannot_be_reproduced_is_refused(words, message, capsys, done):
    assert main(["reproduce", *words]) == 2
    assert message in capsys.readouterr().err
    assert done == []


def test_without_a_checkout_it_is_said_that_it_needs_one(capsys, elsewhere, monkeypatch):
    installed = elsewhere / "lib/metarl/runs/experiments.py"
    monkeypatch.setattr("metarl.runs.experiments.__file__", str(installed))
    for words in ([], ["nos-decays"]):
        assert main(["reproduce", *words]) == 2
        assert "Clone the repository" in capsys.readouterr().err


def test_one_experiment_is_printed_with_its_claims_tables_and_files(capsys, done):
    assert main(["reproduce", "nos-decays", "--scale", "smoke", "--run-dir", "here"]) == 0
    printed = capsys.readouterr().out
    assert "- It is 7." in printed and "Numbers" in printed and "a.csv" in printed
    assert [(name, scale, str(place)) for name, scale, place in done] == [
        ("nos-decays", "smoke", "here")
    ]
    assert main(["reproduce", "nos-decays", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["tables"]["t"]["rows"] == [{"number": 7}]


def test_cells_are_handed_to_the_job_that_has_them(done):
    assert main(["reproduce", "rl2-table-1", "--cells", "10x5, 100x5"]) == 0
    assert done == [("rl2-table-1", "laptop", ["10x5", "100x5"])]


def test_all_runs_every_experiment_of_both_jobs(capsys, done):
    assert main(["reproduce", "all", "--scale", "smoke", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (
        [name for name, *_ in done]
        == list(reproduce.experiments())
        == list(document["experiments"])
    )
    assert {scale for _, scale, _ in done} == {"smoke"}
    assert main(["reproduce", "all"]) == 0
    assert "== nos-transfer" in capsys.readouterr().out


def test_what_a_reproduction_consists_of_is_gone_on_with_by_the_command_of_the_whole(capsys):
    words = ["metarl", "reproduce", "planners", "--run-dir", "before"]
    RunDirectory.create("before", "reproduce", {"experiment": "planners"}, words)
    RunDirectory.create("before/learning/one", "play", {"agent": "dqn"}, words)
    Path("before").rename("now")
    whole = "metarl reproduce planners --run-dir now"
    for run in ("now", "now/learning/one"):
        assert main(["resume", run]) == 2
        assert capsys.readouterr().err.rstrip().endswith(f"by its own command: {whole}")
    RunDirectory.create("alone", "play", {"agent": "dqn"}, words)
    assert main(["resume", "alone"]) == 2
    assert "is an agent at play, which this metarl cannot go on with." in capsys.readouterr().err
