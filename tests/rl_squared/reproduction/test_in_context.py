"""In context: a table of all ways beside their teachers, and what regret is."""

from __future__ import annotations

import json

import numpy as np
import pytest

from metarl.reporting import to_markdown
from metarl.rl_squared import Plan, reproduce
from metarl.rl_squared.reproduction import in_context
from metarl.rl_squared.reproduction.in_context import _earned, _regrets, in_context_table
from metarl.rl_squared.reproduction.learnt_worlds import curve_table, learnt_panel, learnt_table
from metarl.rl_squared.reproduction.maps_and_rules import trainings_and_yardsticks
from metarl.rl_squared.reproduction.scales import changed_config
from metarl.runs import experiment_folder


def document():
    first = np.array([1.0, 2.0, 2.0, 1.0])
    earned = {
        "pupil": np.stack([np.tile([0.0, 1.0], (4, 1)), np.tile([1.0, 1.0], (4, 1))]),
        "thompson": np.stack([first / 2, first / 2], axis=-1)[None],
        "oracle": np.full((1, 4, 2), 1.0),
    }
    agents = {name: _earned(returns, first) for name, returns in earned.items()}
    agents["pupil"] |= {"mark": "teacher: random", "env_steps": 100, "seconds": 2.0}
    environment = {"name": "bandit", "arms": 2, "episodes": 2}
    return {"environment": environment, "tasks": 4, "reference": "thompson", "agents": agents}


def test_the_table_marks_teachers_and_compares_the_mean_of_the_seeds_by_task():
    table = in_context_table(document())
    rows = {row["agent"]: row for row in table.rows}
    pupil = rows["pupil (teacher: random)"]
    assert pupil["return"].mean == 1.5 and pupil["seeds"] == "1.0 to 2.0"
    assert pupil["difference"].mean == 0 and pupil["difference"].low < 0
    assert rows["thompson"]["difference"] is None and rows["oracle"]["difference"].mean == 0.5
    assert "the mean of 2 trainings each" in to_markdown(table)


def test_regret_is_what_who_knows_the_task_earned_more_so_far():
    pupil, thompson = _regrets(document())
    np.testing.assert_allclose(np.asarray(pupil.y), [0.5, 0.5])
    np.testing.assert_allclose(np.asarray(thompson.y), [0.25, 0.5])
    assert pupil.foreground and not thompson.foreground


def test_a_training_is_drawn_against_its_steps_and_yardsticks_are_level():
    told = document()
    told["agents"]["pupil"]["curve"] = [[50, 0.5], [100, 1.25]]
    pupil, thompson, oracle = trainings_and_yardsticks(told)
    drawn = {
        curve.label: np.stack([curve.x, curve.y]).tolist() for curve in (pupil, thompson, oracle)
    }
    assert drawn["pupil"] == [[50, 100], [0.5, 1.25]]
    assert drawn["thompson"] == [[0, 100], [1.5, 1.5]] and drawn["oracle"][1] == [2.0, 2.0]
    assert pupil.foreground and not thompson.foreground


def test_worlds_are_told_in_one_table_by_what_is_between_random_and_best():
    known = document()
    known["agents"]["random"] = _earned(np.full((1, 4, 2), 0.25), np.full(4, 1.5))
    unknown = {**known, "agents": {**known["agents"]}}
    del unknown["agents"]["oracle"]
    alone = {**known, "reference": "random"}
    alone["agents"] = {name: known["agents"][name] for name in ("pupil", "random")}
    table = learnt_table({"known": known, "unknown": unknown, "alone": alone})
    rows = table.rows
    assert [row["agent"] for row in rows[:2]] == ["oracle", "pupil (teacher: random)"]
    share = {(i, row["agent"].partition(" ")[0]): row["share"] for i, row in enumerate(rows)}
    assert share[0, "oracle"] == 1 and share[1, "pupil"] == pytest.approx((1.5 - 0.5) / 1.5)
    assert [row["share"] for row in rows[4:7]] == [1, 1, 0]  # the hand-made agent is the best here
    assert [row["share"] for row in rows[7:]] == [None, None]
    assert (rows[1]["first"], rows[1]["last"]) == (0.5, 1.0)
    assert [rows[index]["agent"].split()[0] for index in table.highlighted] == ["pupil"] * 3


def test_who_is_not_trained_has_one_name_in_all_worlds_and_who_is_beside_is_not_drawn():
    told = document()
    told["agents"]["pupil"]["curve"] = [[50, 0.5], [100, 1.25]]
    told["agents"]["another"] = told["agents"]["thompson"]
    told["agents"]["random"] = told["agents"]["thompson"]
    drawn = {curve.label: np.asarray(curve.x).tolist() for curve in learnt_panel(told)}
    assert set(drawn) == {"pupil", "hand-made", "knows the task", "at random"}
    assert set(map(tuple, drawn.values())) == {
        (0.05, 0.1)
    }  # thousands, from the first that is known
    rows = curve_table({"here": told}).rows
    assert [(row["world"], row["env_steps"], row["validation_return"]) for row in rows] == [
        ("here", 50, 0.5),
        ("here", 100, 1.25),
    ]


@pytest.mark.parametrize("folder", ["in_context", "maps_and_rules", "learnt_worlds"])
def test_every_way_of_every_scale_is_a_training(folder):
    settings = json.loads((experiment_folder(folder) / "settings.json").read_text())
    for scale in settings["scales"].values():
        for world in scale["worlds"].values():
            for way in world["ways"].values():
                preset = world.get("preset", scale["preset"])
                changed_config(preset, (scale["every"], {"world": world["world"]}, way), "settings")


@pytest.mark.extras
@pytest.mark.usefixtures("keys_unchecked")
def test_a_small_run_is_written_and_gone_on_with(tmp_path, monkeypatch):
    place = tmp_path / "run"
    found = reproduce(Plan("in-context", "smoke"), place)
    assert (place / "in-context.md").is_file() and (place / "in-context-bandit-4x2.png").is_file()
    names = [row["agent"] for row in found["tables"]["bandit-4x2"].rows]
    assert "distilled (teacher: ucb1)" in names
    monkeypatch.setattr(in_context, "play", None)  # nothing is measured again
    assert reproduce(Plan("in-context", "smoke"), place)["tables"] == found["tables"]


@pytest.mark.extras
@pytest.mark.usefixtures("keys_unchecked")
def test_maps_and_rules_are_written_with_the_curve_of_each_training(tmp_path):
    place = tmp_path / "run"
    found = reproduce(Plan("maps-and-rules", "smoke"), place)
    assert (place / "maps-and-rules.md").is_file() and (place / "maps-and-rules.png").is_file()
    names = [row["agent"] for row in found["tables"]["memory-planning"].rows]
    assert {"mapper", "distilled (teacher: mapper)", "reinforcement"} <= set(names)
    document = json.loads((place / "memory-planning.json").read_text())
    reinforced = document["agents"]["reinforcement"]
    assert reinforced["curve"][-1][0] == reinforced["env_steps"] > 0


@pytest.mark.extras
@pytest.mark.usefixtures("keys_unchecked")
def test_worlds_are_learnt_and_written_in_one_table(tmp_path):
    place = tmp_path / "run"
    found = reproduce(Plan("learnt-worlds", "smoke"), place)
    for name in ("learnt-worlds.csv", "learnt-worlds-curves.csv", "learnt-worlds.png"):
        assert (place / name).is_file()
    worlds = {row["world"] for row in found["tables"]["learnt-worlds"].rows}
    assert worlds == {"contextual-bandit", "harlow", "point-robot", "riverswim"}
