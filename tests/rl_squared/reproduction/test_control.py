"""Control with physics per task: what is trained, what is written, what is refused."""

from __future__ import annotations

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.reading import read_json_object
from metarl.rl_squared import (
    NetworkConfig,
    Plan,
    TrainConfig,
    WorldConfig,
    evaluate,
    evaluation_table,
    make_trial,
    reproduce,
    save,
)
from metarl.rl_squared.reproduction.control import _joined, _renamed, _Work
from metarl.runs import experiment_folder
from metarl.statistics import mean_interval


@pytest.fixture(scope="module")
def settings():
    try:
        folder = experiment_folder("control")
    except InvalidInput:
        pytest.skip("needs a checkout")
    return read_json_object(folder / "settings.json")


def work(settings, scale: str) -> _Work:
    nothing = SimpleNamespace()
    return _Work(settings, settings["scales"][scale], nothing, nothing)  # type: ignore[arg-type]


@pytest.mark.parametrize("scale", ["smoke", "laptop", "paper"])
def test_agents_differ_in_memory_and_in_what_they_see_alone(settings, scale):
    one = work(settings, scale)
    for world in one.scale["worlds"]:
        rl2, memoryless, oracle = (one._config(world, name) for name in settings["agents"])
        assert (rl2.network.core, memoryless.network.core, oracle.network.core) == (
            "gru", "none", "none",
        )  # fmt: skip
        trials = [make_trial(config.world) for config in (rl2, memoryless, oracle)]
        sizes = [trial.environment.observation_space.shape for trial in trials]
        assert sizes[0] == sizes[1] != sizes[2]
        assert {trial.length for trial in trials} == {trials[0].length}
        assert (
            len({(c.env_steps, c.batch_steps, c.seed, c.ppo) for c in (rl2, memoryless, oracle)})
            == 1
        )


def test_learners_are_those_that_can_learn_in_the_world(settings):
    one = work(settings, "laptop")
    assert set(settings["learners"]) <= set(one._fitting("cartpole"))
    assert "dqn" not in one._fitting("pendulum") and "ppo" in one._fitting("pendulum")


def test_places_of_runs_become_the_names_of_agents():
    document = {
        "agents": {"runs/a": 1, "dqn": 2},
        "differences": {"to": "runs/a", "agents": {"dqn": 4, "random": 5}},
        "from_scratch": {"agents": {"runs/a": 3}, "mark_of": "runs/a"},
    }
    assert _renamed(document, {"runs/a": "RL²"}) == {
        "agents": {"RL²": 1, "dqn": 2},
        "differences": {"to": "RL²", "agents": {"dqn": 4, "random": 5}},
        "from_scratch": {"agents": {"RL²": 3}, "mark_of": "RL²"},
    }


def pendulum(*seeing: str) -> TrainConfig:
    """Returns settings of an agent without memory."""
    setting = ("physics_range=1", *seeing)
    world = WorldConfig("pendulum", horizon=5, setting=setting, episodes=2)
    return TrainConfig(world=world, network=NetworkConfig(core="none", hidden=4))


def test_who_sees_the_physics_is_compared_task_by_task(untrained, tmp_path):
    blind = str(save(untrained(pendulum()), tmp_path / "blind.npz"))
    seeing = str(save(untrained(pendulum("show_physics=true")), tmp_path / "seeing.npz"))
    found, alone = evaluate([blind], tasks=30), evaluate([seeing], tasks=30)
    document = _joined(found, {blind: "blind"}, {"seeing": alone})
    assert list(document["agents"]) == ["blind", "seeing"]
    assert document["differences"]["to"] == "blind"
    differences = alone.agents[seeing].totals - found.agents[blind].totals
    assert document["differences"]["agents"]["seeing"] == mean_interval(differences)._asdict()
    # The same tasks: who does nothing clever in them has the same luck.
    one, other = (where.yardsticks["random"].totals for where in (found, alone))
    np.testing.assert_allclose(one, other)
    (row,) = (row for row in evaluation_table(document).rows if row["agent"] == "seeing")
    assert row["difference"].mean == pytest.approx(differences.mean())


@pytest.mark.parametrize("plan", [{"cells": ["10"]}, {"committed": True}, {"anew": True}])
def test_what_control_has_not_is_refused(plan, tmp_path):
    with pytest.raises(InvalidInput, match="control has no cells"):
        reproduce(Plan("control", "smoke", **plan), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.extras
@pytest.mark.usefixtures("keys_unchecked")
def test_the_smoke_reproduction_writes_tables_and_does_nothing_twice(settings, tmp_path):
    place = tmp_path / "run"
    document = reproduce(Plan("control", "smoke"), place)
    assert json.loads((place / "control.json").read_text())["scale"] == "smoke"
    with (place / "pendulum.csv").open(newline="") as file:
        agents = {row["agent"] for row in csv.DictReader(file)}
    assert agents == {*settings["agents"], "ppo", "random"}
    written = {path: path.stat().st_mtime_ns for path in place.glob("trainings/*/agent.npz")}
    assert len(written) == 3
    again = reproduce(Plan("control", "smoke"), place)
    assert again["files"] == document["files"]
    assert written == {path: path.stat().st_mtime_ns for path in written}
