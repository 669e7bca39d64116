"""Planners, reproduced: every row's agent is accepted in its world, and what it earned is counted as it is said."""

from __future__ import annotations

import json
import re
import shlex
import time
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from metarl.cli.evaluate import Arguments as EvaluateArguments
from metarl.cli.parsing import parse_arguments
from metarl.cli.train import parse as parse_training
from metarl.environments import Trial, load
from metarl.errors import InvalidInput
from metarl.reporting import to_markdown
from metarl.rl_baselines import offline_names, offline_rows
from metarl.rl_squared import Plan, TrainConfig, reproduce
from metarl.rl_squared.agent.agent import make_trial
from metarl.rl_squared.evaluating.entrants import find_entrants
from metarl.rl_squared.reproduction import planners
from metarl.rl_squared.reproduction.planners import (
    Shown,
    _first,
    _last,
    command,
    from_scratch,
    row_table,
    summed_up,
    tasks_of,
    text_of,
    training,
    trainings,
    world_of,
    world_table,
)
from metarl.rl_squared.reproduction.scales import world_config
from metarl.runs import experiment_folder

SETTINGS = json.loads((experiment_folder("planners") / "settings.json").read_text())
OFFLINE = {row.name: row for row in offline_rows()}
PLACES = [
    pytest.param({**SETTINGS["worlds"].get(world, {}), **own}, id=f"{scale}, {world}")
    for scale, what in SETTINGS["scales"].items()
    for world, own in what["worlds"].items()
]


@pytest.mark.parametrize("data", PLACES)
def test_every_row_is_accepted_in_its_world_or_says_why_not(data):
    for method, row in data["rows"].items():
        trial = make_trial(world_config(world_of(row, data)))
        assert method in SETTINGS["given"]
        if "train" in row:
            training(row, data, seed=0)
        elif "agent" in row:
            (entrant,) = find_entrants([text_of(row, data)])
            if row["agent"].partition(":")[0] in offline_names():  # making one trains it
                OFFLINE[row["agent"].partition(":")[0]].require_fits(trial.environment)
            else:
                entrant.make(trial)
        else:
            assert len(row["missing"]) > 10


def test_what_a_dash_stands_for_is_refused():
    for data in SETTINGS["worlds"].values():
        trial = make_trial(world_config(data["world"]))
        for method, row in data["rows"].items():
            if "missing" not in row or "not measured" in row["missing"]:
                continue
            name, _, equivariant = method.partition(", ")
            (entrant,) = find_entrants([f"{name}:equivariant=true" if equivariant else name])
            with pytest.raises(InvalidInput):
                entrant.make(trial)


@pytest.mark.parametrize("data", PLACES[:-3])
def test_the_command_of_a_row_says_what_the_row_does(data):
    world = world_config(data["world"])
    rows = [row for row in data["rows"].values() if "missing" not in row]
    for row in rows:
        *learning, look = (shlex.split(words) for words in command(row, data).split(" && "))
        assert look[:2] == ["metarl", "evaluate"]
        assert len(learning) == (trainings(row, data) if "train" in row else 0)
        if learning:
            _same_training(learning[-1], training(row, data, len(learning) - 1))
            assert look[1 + len(learning)] == learning[-1][-1]
            continue
        assert look[2] == text_of(row, data) and look[1 + trainings(row, data)][0] != "-"
        (entrant,) = find_entrants([text_of(row, data)])
        if entrant.from_scratch:
            plan = from_scratch(row, data)
            assert look[look.index("--episodes-from-scratch") + 1] == str(plan["episodes"])
            assert look[look.index("--tasks-from-scratch") + 1] == str(tasks_of(row, plan))
    told = parse_arguments(EvaluateArguments, look[2:], program="metarl evaluate")
    assert (told.world.environment, told.world.episodes) == (world.environment, world.episodes)
    plan = from_scratch(row, data) if entrant.from_scratch else data
    assert told.tasks == tasks_of(row, plan)


def test_a_row_with_a_world_of_its_own_is_played_in_it_and_its_command_says_so():
    data = {**SETTINGS["worlds"]["grids"], **SETTINGS["scales"]["laptop"]["worlds"]["grids"]}
    row = data["rows"]["iris"]
    words = shlex.split(command(row, data))
    told = parse_arguments(EvaluateArguments, words[2:], program="metarl evaluate")
    assert (told.world.environment, told.world.episodes) == ("gridworld", 10)
    assert (told.episodes_from_scratch, told.tasks_from_scratch) == (58, 8)
    assert told.world.settings() == world_config(row["world"]).settings() == {"pixels": 2}
    assert world_of(data["rows"]["dqn"], data) == data["world"]
    tasks = [  # those that others play
        make_trial(world_config(world_of(data["rows"][method], data))).environment.sample_tasks(
            jax.random.key(0), 3, "test"
        )
        for method in ("iris", "dqn")
    ]
    jax.tree.map(np.testing.assert_array_equal, *tasks)


def _same_training(words: list[str], config: TrainConfig) -> None:
    """Asserts that a command trains by these settings."""
    assert words[:2] == ["metarl", "train"]
    assert parse_training(words[2:], "metarl train").train.config() == config


def test_who_learns_from_scratch_is_measured_at_the_end_and_its_steps_before_that_are_counted():
    trial = Trial(load("gridworld"), episodes=2)
    played = SimpleNamespace(
        returns=np.array([[9.0, 1.0, 2.0, 4.0], [9.0, 1.0, 0.0, 2.0]]),
        lengths=np.array([[5, 6, 7, 8], [1, 2, 3, 4]]),
        totals=np.array([16.0, 12.0]),
    )
    last, first = _last(played, trial), _first(played, trial, elsewhere=7)
    np.testing.assert_allclose(last.returns, [3.0, 1.0])
    assert last.steps == (11 + 3) / 2 and last.elsewhere == 0
    np.testing.assert_allclose(first.returns, [8.0, 6.0])
    assert first.steps == 0 and first.elsewhere == 7


def documents():
    shown = [Shown(np.ones(8), 30.0, 0), Shown(np.array([2.0, 2.0, 3.0, 1.0] * 2), 50.0, 0)]
    rows = {
        "dqn": summed_up(shown, seconds=8.0) | {"command": "metarl evaluate dqn"},
        "imitator": summed_up([Shown(np.arange(8.0), 0.0, 1000)], 1.0) | {"command": "metarl ..."},
    }
    given = {"dqn": "nothing", "imitator": "walks", "mcts": "the task"}
    return {
        "grid": {"given": given, "rows": rows},
        "rooms": {"given": given, "rows": {"mcts": {"missing": "there are no tables"}}},
    }


def test_seconds_are_noted_on_the_way_for_a_process_that_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(planners, "_EVERY", 0.01)
    spent = tmp_path / "row.seconds.json"
    with planners._adding_up(spent):
        until = time.monotonic() + 60
        while not spent.is_file() and time.monotonic() < until:
            time.sleep(0.01)
        before = json.loads(spent.read_text())["seconds"]  # what a kill would leave
    first = json.loads(spent.read_text())["seconds"]
    assert 0 <= before <= first
    spent.write_text('{"seconds": 100.0}')
    with pytest.raises(KeyboardInterrupt), planners._adding_up(spent):
        raise KeyboardInterrupt
    assert 100 <= json.loads(spent.read_text())["seconds"] < 160


def test_a_row_is_the_mean_of_its_trainings_in_each_task_and_the_seconds_of_one():
    row = documents()["grid"]["rows"]["dqn"]
    assert row["return"]["mean"] == 1.5 and row["apart"] == "1 to 2"
    assert (row["steps"], row["seconds"], row["trainings"], row["tasks"]) == (40, 4.0, 2, 8)


def test_the_table_has_a_row_for_each_method_and_the_reason_of_every_dash():
    text = to_markdown(world_table(documents()))
    assert re.search(r"\| dqn \| nothing \| 1\.50? \[1.*\]; 40; 4(\.0)? s \| – \|", text)
    assert re.search(r"\]; \(1,000\); 1(\.0)? s", text)
    assert "| mcts | the task | – | – |" in text
    assert "No mcts in rooms: there are no tables." in text
    assert [row["world"] for row in row_table(documents()).rows] == ["grid", "grid", "rooms"]


@pytest.mark.extras
@pytest.mark.usefixtures("keys_unchecked")
def test_a_small_run_is_written_and_gone_on_with(tmp_path, monkeypatch):
    place = tmp_path / "run"
    found = reproduce(Plan("planners", "smoke"), place)
    text = (place / "planners.md").read_text()
    assert "metarl evaluate dqn:hidden=8" in text and "No muzero, equivariant in grid" in text
    monkeypatch.setattr(planners, "play_split", None)  # nothing is measured again
    assert reproduce(Plan("planners", "smoke"), place)["tables"] == found["tables"]
