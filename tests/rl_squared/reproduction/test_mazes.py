"""Agents in mazes: measured, watched, and reproduced."""

from __future__ import annotations

import dataclasses
import json

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from metarl.cli import main
from metarl.environments import Played, load
from metarl.errors import InvalidInput
from metarl.rl_squared import (
    NetworkConfig,
    Plan,
    TrainConfig,
    WorldConfig,
    reproduce,
    save,
    watch,
)
from metarl.rl_squared.reports import watching
from metarl.rl_squared.reproduction import mazes
from metarl.rl_squared.reproduction.maze_measures import (
    maze_table,
    measures,
    notes_on_learning,
    notes_on_splits,
)
from metarl.runs import RunDirectory, SilentProgress

SMALL = WorldConfig("maze", size=3, horizon=6, setting=("width=13", "height=13"), episodes=2)


@pytest.fixture
def write_agent(untrained, tmp_path):
    """Writes an agent that has learnt nothing; returns its path."""

    def write(world=SMALL):
        network = NetworkConfig(hidden=4, filters=2, beside=2)
        return save(untrained(TrainConfig(world=world, network=network)), tmp_path / "agent.npz")

    return write


def played_trials(returns, lengths, terminated) -> Played:
    return Played(*map(jnp.asarray, (returns, lengths, terminated)))


# Measures ----------------------------------------------------------------------------------------


def test_who_learnt_to_predict_what_the_simulator_knows_is_pointed_out():
    assert notes_on_learning("RL²", 0.0, False) == []
    (note,) = notes_on_learning("RL²", 0.1, False)
    assert note.startswith("RL² was trained with an auxiliary loss (weight 0.1): its memory")


def test_who_was_trained_in_other_splits_is_pointed_out():
    by_shape, by_layout = load("maze", size=3), load("maze", size=3, splits="layout")
    assert notes_on_splits("RL²", by_shape, load("maze", size=5)) == []
    (note,) = notes_on_splits("RL²", by_layout, by_shape)
    assert note.startswith(
        "RL² was trained in splits by layout; these mazes are of splits by shape"
    )
    assert note in maze_table("3x3", {}, (), [note]).notes


def test_measures_are_means_over_tasks_by_hand():
    played = played_trials(
        returns=np.array([[0.5, 0.7], [-1.0, 0.8], [0.2, -1.0], [-1.0, -1.0]]),
        lengths=np.array([[10, 4], [25, 6], [12, 25], [25, 25]]),
        terminated=np.array([[1, 1], [0, 1], [1, 0], [0, 0]], bool),
    )
    found = measures(played)
    assert found["length"] == [18, 15] and found["success"] == [0.5, 0.5]
    assert found["length_of_successes"] == [11, 5]
    assert found["improved"] == 0.5  # 10 to 4 and 25 to 6; 25 to 25 is no improvement
    assert found["as_long"] == 0.25 and found["shorter_by"] == 3
    np.testing.assert_allclose(found["shorter_by_error"], np.std([6, 19, -13, 0], ddof=1) / 2)
    np.testing.assert_allclose(found["return"], [-0.325, -0.125])
    deviation = np.std([10, 25, 12, 25], ddof=1)
    np.testing.assert_allclose(found["length_error"][0], deviation / 2)


def test_where_nothing_is_reached_there_is_no_length_of_successes():
    nowhere = played_trials(np.zeros((2, 2)), np.full((2, 2), 9), np.zeros((2, 2), bool))
    assert measures(nowhere)["length_of_successes"] == [None, None]


def test_the_table_has_ours_then_the_published_and_their_marks():
    ours = {"length": [20.0, 15.0, 14.0], "success": [1.0, 0.9, 0.8], "improved": 0.7}
    published = [{"agent": "SNAIL", "source": "Mishra et al. 2018 [v]", "length": [50.3, 34.8]}]
    table = maze_table("small", {"RL²": ours}, published)
    first, second = table.rows
    assert (first["agent"], first["source"], first["length_2"], first["success_1"]) == (
        *("RL²", "here", 15.0, 1.0),
    )
    assert second["source"].endswith("[v]") and second["length_1"] == 50.3
    assert second["success_1"] is None and second["improved"] is None


# Watching ----------------------------------------------------------------------------------------


def test_the_animation_has_a_frame_for_every_step_of_both_episodes(tmp_path, write_agent):
    document = watch(write_agent(), tmp_path / "trial.gif", seed=3)
    assert [set(episode) for episode in document["episodes"]] == 2 * [
        {"return", "length", "terminated"}
    ]
    steps = sum(episode["length"] for episode in document["episodes"])
    with Image.open(document["animation"]) as gif:
        durations = []
        for number in range(gif.n_frames):  # type: ignore[attr-defined]
            gif.seek(number)
            durations.append(gif.info["duration"])
            assert gif.size[0] > 320 + 240  # both views
    assert len(durations) == steps and durations.count(1500) == 2
    first = document["episodes"][0]
    assert first["terminated"] or first["length"] == 6
    assert first["return"] == pytest.approx(first["terminated"] - 0.04 * first["length"], abs=0.01)


def test_watch_on_the_command_line_tells_the_episodes_it_shows(tmp_path, capsys, write_agent):
    words = ["watch", str(write_agent()), "-o", str(tmp_path / "a.gif"), "--json"]
    assert main([*words, "--episodes", "1"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["animation"] == str(tmp_path / "a.gif")
    (episode,) = document["episodes"]
    with Image.open(document["animation"]) as gif:
        assert gif.n_frames == episode["length"]  # type: ignore[attr-defined]


def test_a_family_of_ones_own_is_watched_where_it_is_named(tmp_path, monkeypatch, write_agent):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_maze.py").write_text(
        "from metarl.environments import load\n\n\n"
        "def own():\n    return load('maze', size=3, width=13, height=13, horizon=6)\n"
    )
    agent = str(write_agent(WorldConfig("my_maze:own", episodes=2)))
    with pytest.raises(
        InvalidInput, match=r"name it: --environment my_maze:own of metarl .* watch"
    ):
        watch(agent)
    words = ["--environment", "my_maze:own", "--episodes", "1", "--json"]
    assert main(["watch", str(write_agent(WorldConfig("my_maze:own", episodes=2))), *words]) == 0
    assert (tmp_path / "trial.gif").is_file()


def test_an_agent_is_watched_in_another_world_and_what_was_otherwise_is_said(
    tmp_path, monkeypatch, capsys, write_agent
):
    agent, seen = str(write_agent()), []
    follow = watching.follow
    monkeypatch.setattr(
        watching,
        "follow",
        lambda player, trial, *rest: follow(player, seen.append(trial) or trial, *rest),
    )
    words = ["watch", agent, "-o", str(tmp_path / "a.gif"), "--json", "--size", "4"]
    assert main([*words, "--horizon", "5", "--episodes", "1"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["trained_otherwise"] == {
        "size": {"trained": 3, "here": 4},
        "horizon": {"trained": 6, "here": 5},
    }
    assert f"{agent} was trained with size=3 (here 4), horizon=6 (here 5)." in said.err
    (trial,) = seen
    assert trial.environment is load("maze", size=4, width=13, height=13, horizon=5)
    assert trial.episodes == 2


def test_a_world_in_which_an_agent_cannot_act_is_not_watched(tmp_path, monkeypatch, write_agent):
    monkeypatch.setattr(watching, "follow", None)  # nothing is played
    with pytest.raises(InvalidInput, match=r"has Box\(-1\.0, 1\.0, \(13, 14, 3\), float32\)"):
        watch(write_agent(), tmp_path / "a.gif", settings={"setting": ("width=14",)})
    with pytest.raises(InvalidInput, match="and mdp is another kind of environment"):
        watch(write_agent(), tmp_path / "a.gif", environment="mdp")
    assert not (tmp_path / "a.gif").exists()


def test_an_animation_is_replaced_by_force_alone(tmp_path, monkeypatch, write_agent):
    agent = write_agent()
    monkeypatch.chdir(tmp_path)  # where an agent that is no run leaves its animation
    (tmp_path / "trial.gif").write_bytes(b"mine")
    with pytest.raises(InvalidInput, match=r"'trial.gif' exists already. .* give --force"):
        watch(agent)
    assert (tmp_path / "trial.gif").read_bytes() == b"mine"
    assert main(["watch", str(agent), "--episodes", "1", "--force", "--json"]) == 0
    assert (tmp_path / "trial.gif").read_bytes() != b"mine"


def test_no_episode_at_all_is_refused(tmp_path, write_agent):
    with pytest.raises(InvalidInput, match="--episodes is 0; it must be at least 1"):
        watch(write_agent(), tmp_path / "trial.gif", episodes=0)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("trial.mp4", "must be a file that ends in .gif"),
        ("folder.gif", "must be a file that ends in .gif"),
        ("nowhere/trial.gif", "there is no directory '.*nowhere'; make it first"),
    ],
)
def test_places_that_cannot_hold_an_animation_are_refused_at_once(
    tmp_path, monkeypatch, output, message, write_agent
):
    agent = write_agent()
    (tmp_path / "folder.gif").mkdir()
    monkeypatch.setattr(watching, "follow", None)  # nothing is played
    with pytest.raises(InvalidInput, match=message):
        watch(agent, tmp_path / output)


def test_a_directory_without_leave_to_write_is_refused(tmp_path, monkeypatch, write_agent):
    agent = write_agent()
    monkeypatch.setattr(watching.os, "access", lambda path, mode: False)
    with pytest.raises(InvalidInput, match=r"directory '.*' cannot be written to"):
        watch(agent, tmp_path / "trial.gif")


def test_an_environment_without_pictures_cannot_be_watched():
    blind = dataclasses.replace(load("bandit"), views={})
    with pytest.raises(InvalidInput, match=r"environment 'bandit' has no pictures .* maze"):
        watching._require_views(blind)


def test_an_agent_of_other_frames_is_told_that_it_does_not_fit(tmp_path, capsys, write_agent):
    agent = write_agent()
    world = ["--environment", "maze", "--size", "3", "--setting", "width=20", "height=15"]
    assert main(["evaluate", str(agent), *world, "--tasks", "4"]) == 2
    said = capsys.readouterr().err
    assert "was trained in maze(size=3" in said and "width=13" in said
    assert "width=20" in said and "has Box(-1.0, 1.0, (15, 20, 3), float32)" in said


# Reproduction ------------------------------------------------------------------------------------

SETTINGS = {
    "seed": 0,
    "published": {"small": [{"agent": "RL²", "source": "paper [v]", "length": [52.4, 39.1]}]},
}
NETWORK = {"value": "shared", "hidden": 4, "filters": 2, "beside": 2}
EVERY = {
    "network": NETWORK,
    "ppo": {"minibatches": 1},
    "batch_steps": 24,
    "env_steps": 24,
    "validation_tasks": 4,
}
SMOKE = {
    "preset": "smoke",
    "tasks": 6,
    "drawn": "3x3",
    "world": {"environment": "maze", "setting": ["width=13", "height=13"]},
    "learnt": {
        "RL²": {
            "seeds": 2,
            "every": EVERY,
            "stages": {
                "3x3": {"world": {"size": 3, "horizon": 4, "trial_steps": 6}},
                "4x4": {"world": {"size": 4, "horizon": 4, "trial_steps": 6}},
            },
        },
        "RL², inner learner": {
            "seeds": 1,
            "every": {**EVERY, "network": {**NETWORK, "inner_values": True}},
            "stages": {"3x3": {"world": {"size": 3, "horizon": 4, "trial_steps": 6}}},
        },
    },
    "cells": {
        "3x3": {"world": {"size": 3, "horizon": 5, "episodes": 2}},
        "5x5": {"world": {"size": 5, "horizon": 5, "episodes": 2}, "paper": "small"},
    },
}


@pytest.fixture
def again(tmp_path, monkeypatch):
    """Returns a function that reproduces an experiment by its name, in one directory."""
    place = tmp_path / "experiments"
    place.mkdir()
    (place / "settings.json").write_text(json.dumps(SETTINGS))
    (place / "training.json").write_text(json.dumps({"smoke": SMOKE}))
    monkeypatch.setattr(mazes, "experiment_folder", lambda name: place)

    def run(name, *cells, **changes):
        plan = Plan(name, "smoke", cells, **changes)
        return reproduce(plan, tmp_path / "run", progress=SilentProgress())

    return run


@pytest.mark.extras
def test_the_table_and_the_figures_share_a_curriculum_of_trainings(again, tmp_path, monkeypatch):
    document = again("rl2-table-3")
    assert list(document["tables"]) == ["3x3", "5x5"]
    rows = document["tables"]["5x5"].rows
    yardsticks = ["Random", "Explorer", "Cartographer", "Oracle"]
    learnt = ["RL²", "RL², inner learner"]
    assert [row["agent"] for row in rows] == [*learnt, *yardsticks, "RL²"]
    assert any("RL², inner learner is shown" in note for note in document["tables"]["5x5"].notes)
    assert rows[-1]["length_1"] == 52.4 and 1 <= rows[0]["length_1"] <= 5
    first, last = (
        RunDirectory.open(tmp_path / f"run/trainings/{stage}-seed-1") for stage in ("3x3", "4x4")
    )
    assert last.config["init_from"] == str(first.path) and last.config["seed"] == 1
    monkeypatch.setattr("metarl.rl_squared.learning.training.begin_training", None)
    monkeypatch.setattr(mazes, "measure", None)
    assert again("rl2-table-3")["tables"] == document["tables"]
    for name in ("rl2-figure-4", "rl2-figure-5", "rl2-figure-6"):
        files = again(name)["files"]
        assert f"{tmp_path}/run/{name}.png" in files
        of_both = name != "rl2-figure-4"
        assert (f"{tmp_path}/run/{name}-rl2-inner-learner.png" in files) == of_both
    rows = (tmp_path / "run/rl2-figure-5-curves.csv").read_text().splitlines()[1:]
    assert {row.split(",")[0] for row in rows} == {"3x3", "4x4"}
    assert float(rows[-1].split(",")[2]) == 48  # the second stage goes on counting


@pytest.mark.extras
def test_the_layouts_are_drawn_without_any_training(again, tmp_path):
    assert again("rl2-figure-4")["files"] == [f"{tmp_path}/run/rl2-figure-4.png"]


@pytest.mark.parametrize(
    ("arguments", "changes", "message"),
    [
        (["rl2-table-3", "7x7"], {}, "Unknown cell '7x7'"),
        (["rl2-table-3"], {"anew": True}, "has no classical agents; leave --anew out"),
        (["rl2-figure-5"], {"committed": True}, "shows trainings: leave --agents committed out"),
        (["rl2-table-3"], {"committed": True}, "No agent of this scale comes with the package"),
    ],
)
def test_what_cannot_be_reproduced_is_refused_and_leaves_nothing(
    again, tmp_path, arguments, changes, message
):
    with pytest.raises(InvalidInput, match=message):
        again(*arguments, **changes)
    assert not (tmp_path / "run").exists()
