"""Reproductions: cell by cell, never twice, and refused where they cannot be."""

from __future__ import annotations

import csv
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from metarl.classical_agents import read_table
from metarl.errors import InvalidInput
from metarl.rl_squared import Plan, reproduce, resume_training, save, train_config
from metarl.rl_squared.learning.train_job import TrainJob
from metarl.rl_squared.learning.training import train_in
from metarl.rl_squared.reports.learning_curves import learning_curve
from metarl.rl_squared.reproduction import reproducing
from metarl.rl_squared.reproduction.cell_lines import learnt_line
from metarl.rl_squared.reproduction.reproducing import (
    ARCHITECTURES,
    CONTROL,
    EXPERIMENTS,
    IN_CONTEXT,
    KEY_TO_DOOR,
    LEARNT_WORLDS,
    MAPS_AND_RULES,
    MAZES,
    PLANNERS,
    TWO_STEP,
)
from metarl.rl_squared.reproduction.scales import read_scale
from metarl.runs import GivenUp, RunDirectory, SilentProgress

SETTINGS = {
    "environment": "bandit",
    "cells": {"3x2": {"episodes": 3, "arms": 2}, "4x2": {"episodes": 4, "arms": 2}},
    "columns": {
        "Random": {"agent": "random", "anytime": True, "paper": {"3x2": 1.5}},
        "UCB1": {"agent": "ucb1", "paper": {"3x2": 1.7, "4x2": 9.0}},
        "Gittins": {"agent": "gittins"},
    },
    "others": {"RL²": {"3x2": 1.6}},
    "tasks": 40,
    "validation_tasks": 20,
}
TINY = {
    "network": {"hidden": 4},
    "batch_steps": 200,
    "env_steps": 400,
    "validation_tasks": 20,
    "validation_every": 200,
}
TRAINING = {
    "smoke": {
        "classical": ["Random", "UCB1"],
        "learnt": {
            "RL²": {"paper": "RL²", "seeds": 2, "every": TINY, "only": ["3x2"]},
        },
    }
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The data of a small table; every experiment is found there."""
    place = tmp_path / "experiments"
    place.mkdir()
    (place / "settings.json").write_text(json.dumps(SETTINGS))
    (place / "training.json").write_text(json.dumps(TRAINING))
    monkeypatch.setattr(reproducing, "experiment_folder", lambda name: place)
    monkeypatch.setattr("metarl.rl_squared.learning.train_job.CHUNK_STEPS", 200)
    monkeypatch.chdir(tmp_path)
    return place


def again(plan: Plan, **settings) -> dict:
    return reproduce(plan, "run", progress=SilentProgress(), **settings)


def never(*arguments, **settings):
    raise AssertionError("this was done already")


@pytest.mark.extras
def test_a_figure_has_all_columns_and_what_is_done_is_not_done_again(folder, tmp_path, monkeypatch):
    plan = Plan("rl2-figure-2", "smoke", ["3x2"])
    document = again(plan)
    line = document["cells"]["3x2"]
    assert list(line) == ["Random", "UCB1", "Gittins", "RL²"]  # Gittins is 1 on the axis
    assert line["Random"]["paper"] == 1.5 and line["RL²"]["paper"] == 1.6
    for entry in line.values():
        assert entry["ours"]["low"] < entry["ours"]["mean"] < entry["ours"]["high"]
    assert line["UCB1"]["agent"].startswith("ucb1:preset=paper,c=")
    ours = line["RL²"]
    assert ours["difference"] == pytest.approx(ours["ours"]["mean"] - 1.6)
    together = ours["trainings"]
    assert together["count"] == 2 and together["low"] is None
    assert together["least"] <= ours["ours"]["mean"] <= together["most"]
    seeds = [RunDirectory.open(path) for path in sorted((tmp_path / "run/trainings").iterdir())]
    assert [run.config["seed"] for run in seeds] == [0, 1]
    names = {path.rpartition("/")[2] for path in document["files"]}
    assert names == {
        *("rl2-figure-2.csv", "rl2-figure-2.md", "rl2-figure-2-curves.csv"),
        *("rl2-figure-2-3.svg", "rl2-figure-2-3.png"),
    }
    monkeypatch.setattr(reproducing, "evaluate", never)
    monkeypatch.setattr("metarl.rl_squared.learning.training.begin_training", never)
    monkeypatch.setattr("metarl.classical_agents.measurements.play_split", never)
    repeated = again(plan)
    assert repeated["files"] == document["files"]
    for name, entry in repeated["cells"]["3x2"].items():
        assert entry["agent"] == line[name]["agent"]
        assert entry["ours"] == pytest.approx(line[name]["ours"], abs=1e-5)  # files are rounded
    table = again(Plan("rl2-table-1", "smoke", ["3x2"]))  # shares the figure's trainings
    assert table["cells"]["3x2"]["RL²"] == ours
    assert "Gittins" not in table["cells"]["3x2"]
    with (tmp_path / "run/rl2-table-1.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["column"] for row in rows] == ["Random", "UCB1", "RL²"]
    assert float(rows[2]["ours"]) == ours["ours"]["mean"]


@pytest.mark.extras
def test_an_interrupted_reproduction_goes_on_and_warm_starts_are_marked(folder, monkeypatch):
    taught = {
        "every": {**TINY, "warm_start": "gittins"},
        "cells": {"3x2": {"imitation": {"env_steps": 200, "batch_steps": 200}}},
    }
    learnt = {"RL², taught": {**taught, "only": ["3x2"]}}
    training = {"smoke": {"classical": ["Random"], "learnt": learnt}}
    plan, whole = Plan("rl2-table-1", "smoke", ["3x2", "4x2"]), resume_training
    (folder / "training.json").write_text(json.dumps(training))
    calls = []

    def interrupted(place, progress, owner):
        calls.append(place.name)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return whole(place, progress=progress, owner=owner)

    monkeypatch.setattr("metarl.rl_squared.learning.training.resume_training", interrupted)
    with pytest.raises(KeyboardInterrupt):
        again(plan)
    cells = again(plan)["cells"]
    assert calls == 2 * ["rl2-taught-3x2-seed-0"]
    taught_by_gittins = "RL², taught, warm start: gittins"
    assert list(cells["3x2"]) == ["Random", taught_by_gittins, "RL² (published)"]
    assert cells["3x2"][taught_by_gittins]["paper"] is None
    assert list(cells["4x2"]) == ["Random"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("metarl", "reproduce", "rl2-table-1"), "metarl reproduce rl2-table-1 --run-dir {}"),
        ((), "the call that began it"),
    ],
)
def test_who_interrupts_a_training_is_told_to_go_on_with_the_whole_reproduction(
    tmp_path, monkeypatch, command, said
):
    class Heard(SilentProgress):
        def message(self, text):
            messages.append(text)

    def stopped(job, state):
        os.kill(os.getpid(), signal.SIGINT)
        raise GivenUp

    messages: list[str] = []
    monkeypatch.setattr(TrainJob, "update", stopped)
    owner = RunDirectory.create(tmp_path / "whole", "reproduce", {}, command)
    config = train_config({"world": {"arms": 2}, **TINY})
    with pytest.raises(KeyboardInterrupt):
        train_in(tmp_path / "part", config, "3x2", "settings.json", owner, Heard())
    assert (
        messages[-1] == f"Interrupted. Everything is saved; go on with: {said.format(owner.path)}"
    )


def test_a_later_stage_goes_on_in_a_reproduction_that_was_moved(tmp_path, monkeypatch, untrained):
    """The updates are left out, so it ends with the agent of the stage before."""
    monkeypatch.setattr(
        "metarl.rl_squared.learning.training._conduct", lambda run, job, *_: begun.append(run.path)
    )
    begun: list[Path] = []
    world = {"world": {"arms": 2}, **TINY}

    def stages(place):
        owner = RunDirectory.open(place)
        start = place / "trainings" / "first"
        config = train_config({**world, "init_from": str(start)})
        train_in(place / "trainings" / "second", config, "second", "it", owner, SilentProgress())

    RunDirectory.create(tmp_path / "old", "reproduce", {}, ["metarl"])
    start = tmp_path / "old" / "trainings" / "first"
    start.mkdir(parents=True)
    save(untrained(train_config(world)), start / "agent.npz")
    (start / "run.json").write_text("{}")
    stages(tmp_path / "old")
    (tmp_path / "old").rename(tmp_path / "new")
    stages(tmp_path / "new")
    assert begun == [tmp_path / name / "trainings" / "second" for name in ("old", "new")]
    other = train_config({**world, "init_from": str(tmp_path / "new" / "trainings" / "another")})
    owner = RunDirectory.open(tmp_path / "new")
    with pytest.raises(InvalidInput, match="was begun with other settings than it has now"):
        train_in(begun[-1], other, "second", "it", owner, SilentProgress())


def test_known_means_are_taken_unless_they_are_to_be_measured_anew(folder, tmp_path):
    (folder / "measured.csv").write_text(
        "split,cell,agent,tasks,mean,standard_error\ntest,3x2,random,40,1.25,0.5\n"
    )
    training = {"smoke": {"classical": ["Random"], "learnt": {}}}
    (folder / "training.json").write_text(json.dumps(training))
    plan = Plan("rl2-table-1", "smoke", ["3x2"])
    assert again(plan)["cells"]["3x2"]["Random"]["ours"]["mean"] == 1.25
    published = again(plan)["cells"]["3x2"]["RL² (published)"]  # nothing is trained here
    assert published["paper"] == 1.6 and published["ours"] is None
    assert "RL² (published),1.6,,,," in (tmp_path / "run/rl2-table-1.csv").read_text("utf-8")
    anew = reproduce(
        Plan("rl2-table-1", "smoke", ["3x2"], anew=True), "other", progress=SilentProgress()
    )
    assert anew["cells"]["3x2"]["Random"]["ours"]["mean"] != 1.25


def test_anew_measures_where_known_means_were_taken_before_and_goes_on_with_the_same_numbers(
    folder, tmp_path, monkeypatch
):
    (folder / "measured.csv").write_text(
        "split,cell,agent,tasks,mean,standard_error\ntest,3x2,random,40,1.25,0.5\n"
    )
    training = {"smoke": {"classical": ["Random"], "learnt": {}}}
    (folder / "training.json").write_text(json.dumps(training))
    taken = again(Plan("rl2-table-1", "smoke", ["3x2"]))["cells"]
    assert taken["3x2"]["Random"]["ours"]["mean"] == 1.25
    anew = Plan("rl2-table-1", "smoke", ["3x2"], anew=True)
    first = again(anew)["cells"]
    assert first["3x2"]["Random"]["ours"]["mean"] != 1.25
    monkeypatch.setattr("metarl.classical_agents.measurements.play_split", never)
    assert again(anew)["cells"] == first
    assert again(Plan("rl2-table-1", "smoke", ["3x2"]))["cells"] == taken


def test_a_figure_has_no_warm_starts(folder, monkeypatch):
    taught = {"every": {**TINY, "warm_start": "gittins"}}
    training = {"smoke": {"classical": ["Random"], "learnt": {"RL², taught": taught}}}
    (folder / "training.json").write_text(json.dumps(training))
    monkeypatch.setattr("metarl.rl_squared.learning.training.begin_training", never)
    cells = again(Plan("rl2-figure-2", "smoke", ["3x2"]))["cells"]
    assert list(cells["3x2"]) == ["Random", "Gittins", "RL² (published)"]


def test_committed_agents_are_taken_where_there_are_such(folder, monkeypatch):
    column = {"agents": {"10x5": "rl2-bandit-10x5"}}
    training = {"smoke": {"classical": ["Random"], "learnt": {"RL²": column}, "tasks": 100}}
    settings = {**SETTINGS, "cells": {**SETTINGS["cells"], "10x5": {"episodes": 10, "arms": 5}}}
    (folder / "training.json").write_text(json.dumps(training))
    (folder / "settings.json").write_text(json.dumps(settings))
    monkeypatch.setattr("metarl.rl_squared.learning.training.begin_training", never)
    plan = Plan("rl2-table-1", "smoke", ["3x2", "10x5"], committed=True)
    cells = again(plan)["cells"]
    assert list(cells["3x2"]) == ["Random", "RL² (published)"]
    assert cells["10x5"]["RL²"]["agent"] == "rl2-bandit-10x5"
    assert cells["10x5"]["RL²"]["ours"]["mean"] > 6.0


def test_what_several_trainings_earn_stands_beside_the_committed_agent(folder, tmp_path):
    """The interval is over trainings, and there is none below eight."""
    worlds = {cell: {"episodes": 10, "arms": 5} for cell in ("10x5", "few", "none")}
    column = {"agents": dict.fromkeys(worlds, "rl2-bandit-10x5")}
    training = {"smoke": {"classical": ["Random"], "learnt": {"RL²": column}, "tasks": 10}}
    (folder / "training.json").write_text(json.dumps(training))
    (folder / "settings.json").write_text(json.dumps({**SETTINGS, "cells": worlds}))
    rows = [("RL²", "10x5", 6 + 0.25 * (seed % 2)) for seed in range(8)]
    rows += [
        ("RL²", "few", 6.0),
        ("RL²", "few", 6.5),
        ("RL²", "none", 6.0),
        ("another", "none", 1.0),
    ]
    lines = [f"{column},{cell},{number}" for column, cell, number in rows]
    (folder / "trainings.csv").write_text("\n".join(["column,cell,return", *lines]))
    cells = again(Plan("rl2-table-1", "smoke", committed=True))["cells"]
    found, few = cells["10x5"]["RL²"]["trainings"], cells["few"]["RL²"]["trainings"]
    reach = 2.3646 * np.std([6, 6.25] * 4, ddof=1) / np.sqrt(8)  # Student's t of 7 degrees
    assert found["count"] == 8 and found["mean"] == 6.125
    assert (found["low"], found["high"]) == pytest.approx((6.125 - reach, 6.125 + reach), abs=1e-4)
    assert few == {"count": 2, "mean": 6.25, "low": None, "high": None, "least": 6, "most": 6.5}
    assert cells["none"]["RL²"]["trainings"] is cells["10x5"]["Random"]["trainings"] is None
    with (tmp_path / "run/rl2-table-1.csv").open(encoding="utf-8") as file:
        table = {(row["cell"], row["column"]): row for row in csv.DictReader(file)}
    assert table["few", "RL²"]["range"] == "6 to 6.5"
    assert table["few", "RL²"]["over_trainings_low"] == table["10x5", "Random"]["trainings"] == ""
    assert float(table["10x5", "RL²"]["over_trainings_high"]) == found["high"]


def test_trainings_of_other_settings_are_not_gone_on_with(folder, monkeypatch):
    def interrupted(place, progress, owner):
        raise KeyboardInterrupt

    monkeypatch.setattr("metarl.rl_squared.learning.training.resume_training", interrupted)
    with pytest.raises(KeyboardInterrupt):
        again(Plan("rl2-table-1", "smoke", ["3x2"]))
    changed = json.loads(json.dumps(TRAINING))
    changed["smoke"]["learnt"]["RL²"]["every"]["batch_steps"] = 100
    (folder / "training.json").write_text(json.dumps(changed))
    with pytest.raises(InvalidInput, match="begun with other settings"):
        again(Plan("rl2-table-1", "smoke", ["3x2"]))


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (Plan("rl2-tabel-1"), "Did you mean 'rl2-table-1'"),
        (Plan("rl2-table-1", "laptopp"), "Unknown scale 'laptopp'"),  # type: ignore[arg-type]
        (Plan("rl2-table-1", "smoke", ["3x3"]), "Unknown cell '3x3'. Did you mean '3x2'"),
    ],
)
def test_what_cannot_be_reproduced_is_refused(folder, plan, message):
    with pytest.raises(InvalidInput, match=message):
        again(plan)


def test_another_run_is_not_overwritten(folder):
    RunDirectory.create("run", "train", {"seed": 0}, ["metarl"])
    with pytest.raises(InvalidInput, match="holds another run"):
        again(Plan("rl2-table-1", "smoke"))


def test_without_a_checkout_it_is_said_what_is_missing(tmp_path, monkeypatch):
    installed = tmp_path / "lib/metarl/runs/experiments.py"
    monkeypatch.setattr("metarl.runs.experiments.__file__", str(installed))
    with pytest.raises(InvalidInput, match="Clone the repository"):
        reproduce(Plan("rl2-table-1"))


def test_a_curve_is_0_at_the_first_iteration_and_1_where_it_meets_the_reference(tmp_path):
    runs = []
    for seed, returns in enumerate([[2.0, 4.0, 6.0], [2.0, 6.0, 6.0]]):
        config = {"seed": seed, "batch_steps": 10}
        run = RunDirectory.create(tmp_path / str(seed), "train", config, ["metarl"])
        run.metrics.append({"generation": 1, "position": 30, "phase": "imitation", "return": 9.0})
        for number, value in enumerate(returns, start=1):
            position = 30 + 20 * number
            row = {"generation": 1 + number, "position": position, "phase": "ppo", "return": value}
            run.metrics.append(row)
        run.metrics.close()
        runs.append(run)
    curve = learning_curve(runs, reference=6.0)
    assert curve is not None
    assert curve.iterations.tolist() == [2.0, 4.0, 6.0]
    assert curve.mean.tolist() == [0.0, 0.75, 1.0]
    assert curve.deviation == pytest.approx([0.0, np.std([0.5, 1.0], ddof=1), 0.0])


def test_the_papers_number_is_quoted_alone_only_where_no_agent_stands_beside_it(
    folder, monkeypatch
):
    """A marked column is that of the paper too: here a control variate marks it."""
    column = {"paper": "RL²", "agents": {"3x2": "rl2-bandit-100x10"}}
    training = {"smoke": {"classical": ["Random"], "learnt": {"RL²": column}, "tasks": 10}}
    world = {**SETTINGS["cells"]["3x2"], "episodes": 3, "arms": 10}
    (folder / "training.json").write_text(json.dumps(training))
    (folder / "settings.json").write_text(json.dumps({**SETTINGS, "cells": {"3x2": world}}))
    cells = again(Plan("rl2-table-1", "smoke", ["3x2"], committed=True))["cells"]
    assert list(cells["3x2"]) == ["Random", "RL², control variate: regret"]
    assert cells["3x2"]["RL², control variate: regret"]["paper"] == 1.6


def test_a_line_of_a_table_marks_other_rewards_and_inputs():
    evaluation = {
        "warm_started": {},
        "control_variates": {"mine": "regret"},
        "inputs": {"mine": "inner values"},
    }
    score = {"mean": 1.0, "standard_error": 0.1, "low": 0.8, "high": 1.2}
    document = {"agent": "mine", "evaluation": evaluation}
    table = read_table(reproducing.experiment_folder("rl2_table_1") / "settings.json")
    line = learnt_line("10x5", "RL²", None, score, document, table)
    assert line.column == "RL², control variate: regret, inputs: inner values"


WHOLE = (
    ARCHITECTURES,
    CONTROL,
    IN_CONTEXT,
    KEY_TO_DOOR,
    LEARNT_WORLDS,
    MAPS_AND_RULES,
    PLANNERS,
    TWO_STEP,
    *MAZES,
)
OF_CELLS = [row for row in EXPERIMENTS.values() if row.name not in WHOLE]


@pytest.mark.parametrize("name", sorted({row.folder for row in OF_CELLS}))
@pytest.mark.parametrize("scale", ["smoke", "laptop", "paper"])
def test_the_settings_of_every_cell_can_be_used(name, scale):
    try:
        folder = reproducing.experiment_folder(name)
    except InvalidInput:
        pytest.skip("needs a checkout")
    table = read_table(folder / "settings.json")
    learnt = read_scale(folder, scale).learnt
    assert learnt
    for column in learnt.values():
        assert column.paper is None or column.paper in table.others
        assert set(column.only) | set(column.cells) | set(column.agents) <= set(table.cells)
        for cell, settings in table.cells.items():
            config = column.config(table, cell, scale, seed=3)
            assert config.seed == 3 and config.world.environment == table.environment
            assert config.world.episodes == settings["episodes"]
