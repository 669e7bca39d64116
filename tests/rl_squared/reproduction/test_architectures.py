"""Architectures at equal wall-clock: budgets follow from rates; what is written, and what is refused."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from metarl import classical_agents
from metarl.errors import InvalidInput
from metarl.reading import read_json_object
from metarl.rl_squared import (
    Plan,
    TrainConfig,
    TrainedAgent,
    WorldConfig,
    make_trial,
    reproduce,
)
from metarl.rl_squared.reproduction import architectures
from metarl.rl_squared.reproduction.architecture_report import (
    architecture_table,
    write_architectures,
)
from metarl.rl_squared.reproduction.architectures import Rate, _Work, measure_rates
from metarl.rl_squared.settings.network_config import CORES
from metarl.runs import RunDirectory, SilentProgress, experiment_folder


@pytest.fixture(scope="module")
def settings():
    try:
        folder = experiment_folder("architectures")
    except InvalidInput:
        pytest.skip("needs a checkout")
    return read_json_object(folder / "settings.json")


@pytest.mark.parametrize("scale", ["smoke", "laptop", "paper"])
def test_architectures_differ_in_what_remembers_and_see_and_learn_alike(settings, scale):
    nothing: Any = SimpleNamespace()
    work = _Work(settings, settings["scales"][scale], nothing, nothing)
    for world in work.scale["worlds"]:
        configs = [work._config(world, name) for name in settings["architectures"]]
        assert [config.network.core for config in configs] == list(settings["architectures"])
        left_out = {"none", "gru-delta-rule"}  # the latter is newer than what was measured
        assert set(CORES) - {config.network.core for config in configs} == left_out
        assert len({(c.world, c.batch_steps, c.discount, c.network.pairs) for c in configs}) == 1
        make_trial(configs[0].world)


def test_the_worlds_are_those_of_the_question(settings):
    for scale in ("laptop", "paper"):
        work = _Work(settings, settings["scales"][scale], *[SimpleNamespace()] * 2)  # type: ignore[arg-type]
        trials = {
            world: make_trial(work._config(world, "gru").world) for world in work.scale["worlds"]
        }
        assert {world: (trial.episodes, trial.length) for world, trial in trials.items()} == {
            "bandit-100x10": (100, 100),
            "mdp-10": (10, 100),
            "bandit-500x5": (500, 500),
        }


def fake_job(trials: int, size: int) -> Any:
    """A training whose updates are of 10 steps of so many trials, with so many numbers that act."""
    params = {"policy": [0.0] * size}
    return SimpleNamespace(
        trials=trials,
        trial=SimpleNamespace(length=10),
        acting=SimpleNamespace(init=lambda key: params),
        init=lambda: SimpleNamespace(learner=None),
        reinforcement_rows=lambda first, count: (count,),
        reinforcement_chunk=lambda learner, count: count,
    )


def test_a_budget_is_the_whole_updates_that_fit_the_seconds(monkeypatch):
    """Programs of 100 steps: ten updates of 10 in 0.5 s, or two of 40 in 2 s, which is 200 or 40 steps a second."""
    taken = {"quick": 0.5, "dear": 2.0}
    monkeypatch.setattr(architectures, "median_seconds", lambda programs, rounds, say: taken)
    jobs = {"quick": fake_job(1, 3), "dear": fake_job(4, 7)}
    rates = measure_rates(jobs, seconds=2.7, rounds=1, steps=100, say=print)
    assert rates["quick"] == (200.0, 540, 3)
    assert rates["dear"] == (40.0, 120, 7)
    assert measure_rates(jobs, 0.01, 1, 100, print)["dear"].env_steps == 40  # one update at least


def test_programs_are_of_the_steps_that_are_asked_for(monkeypatch):
    found = {}
    monkeypatch.setattr(
        architectures,
        "median_seconds",
        lambda programs, rounds, say: (
            found.update({n: p() for n, p in programs.items()}) or dict.fromkeys(programs, 1.0)
        ),
    )
    measure_rates({"a": fake_job(1, 1), "b": fake_job(20, 1)}, 1.0, 1, 100, print)
    assert found == {"a": 10, "b": 1}


def write_run(place, positions, returns) -> str:
    run = RunDirectory.create(place, "train", {}, ["metarl"])
    for number, (position, value) in enumerate(zip(positions, returns, strict=True), start=1):
        row = {"generation": number, "position": position, "phase": "ppo", "return": value}
        run.metrics.append(row)
    run.metrics.close()
    run.write_outcome({"outcome": "finished", "seconds": 10.0})
    return str(place)


def mean(value: float) -> dict[str, float]:
    return {"mean": value, "standard_error": 0.5, "low": value - 1, "high": value + 1}


def tried(*learning_rates: float) -> list[dict[str, float]]:
    """The best first."""
    return [
        {"learning_rate": rate, "validation_return": -float(place)}
        for place, rate in enumerate(learning_rates)
    ]


@pytest.fixture
def document(tmp_path):
    """Two architectures with two seeds each, and who acts at random."""
    runs = {
        "gru": [write_run(tmp_path / f"gru-{n}", [100, 200], [2.0, 4.0 + n]) for n in range(2)],
        "lru": [write_run(tmp_path / f"lru-{n}", [50, 100], [3.0, 6.0]) for n in range(2)],
    }
    return {
        "environment": {"name": "bandit", "arms": 2, "episodes": 4},
        "tasks": 10,
        "rates": {
            "gru": {"steps_per_second": 20.0, "env_steps": 200, "parameters": 9},
            "lru": {"steps_per_second": 10.0, "env_steps": 100, "parameters": 8},
        },
        "tuning": {name: tried(0.01, 0.001) for name in runs},
        "runs": runs,
        "returns": {
            "gru": [mean(3.0), mean(5.0)],
            "lru": [mean(6.0), mean(6.0)],
            "random": [mean(2.0)],
        },
    }


def test_the_table_ranks_means_over_trainings(document):
    table = architecture_table(document)
    assert [row["architecture"] for row in table.rows] == ["lru", "gru", "random"]
    lru, gru, random = table.rows
    assert lru["return"] == (6.0, -math.inf, math.inf)  # two trainings have no interval
    assert gru["return"].estimate == 4.0
    assert random["return"].low == 1.0 and random["env_steps"] is None
    assert (gru["env_steps"], gru["parameters"], gru["learning_rate"]) == (200, 9, 0.01)
    assert random["learning_rate"] is None
    assert "2 trainings each" in table.notes[0] and "best of 2" in table.notes[2]


def test_one_training_has_the_interval_of_its_tasks(document):
    for part in ("runs", "returns"):
        document[part] = {name: ones[:1] for name, ones in document[part].items()}
    table = architecture_table(document)
    assert (table.rows[1]["return"].low, table.rows[1]["return"].high) == (2.0, 4.0)
    assert "of one training" in table.notes[0]


def test_curves_end_at_the_same_second(document, tmp_path):
    _, files = write_architectures(tmp_path, "architectures", {"a bandit": document})
    with (tmp_path / "architectures-curves.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    ends = {(row["architecture"], row["env_steps"]): row["seconds"] for row in rows}
    assert float(ends["gru", "200.0"]) == float(ends["lru", "100.0"]) == 10.0
    with (tmp_path / "architectures-learning-rates.csv").open(newline="") as file:
        found = [(row["architecture"], row["learning_rate"]) for row in csv.DictReader(file)]
    assert found == [("gru", "0.001"), ("gru", "0.01"), ("lru", "0.001"), ("lru", "0.01")]
    assert all(path.is_file() for path in files)
    assert {path.suffix for path in files} == {".csv", ".md", ".svg", ".png"}


def test_the_best_learning_rate_of_the_first_seed_is_that_of_the_others(
    settings, tmp_path, monkeypatch
):
    """Trainings are left out, and random agents play for those that they would give."""
    trial = make_trial(WorldConfig(arms=2, episodes=3))
    validation = {"gru-rate-0.01-seed-0": None, "gru-rate-0.1-seed-0": 0.0}  # None: never tried

    def player(place: str) -> Any:
        score = validation.get(Path(place).name.removeprefix("small-"), 1.0)
        scores = {"validation_return": score}
        return SimpleNamespace(
            trial=trial,
            as_agent=lambda: classical_agents.make("random", trial),
            scores=scores,
            standing=TrainedAgent(None, TrainConfig(), scores).standing,
        )

    trained: dict[str, Any] = {}
    monkeypatch.setattr(architectures, "load", player)
    monkeypatch.setattr(
        architectures, "train_in", lambda place, config, *_: trained.update({place.name: config})
    )
    (tmp_path / "rates").mkdir()
    rates = {"gru": Rate(10.0, 400, 5)._asdict(), "lru": Rate(5.0, 200, 6)._asdict()}
    (tmp_path / "rates" / "small.json").write_text(json.dumps(rates))
    world = {"world": {"environment": "bandit", "arms": 2, "episodes": 3}}
    changes = {"seeds": 2, "tries": 4, "learning_rates": [0.01, 0.1], "worlds": {"small": world}}
    scale = {**settings["scales"]["smoke"], **changes}
    run: Any = SimpleNamespace(path=tmp_path, provenance={"command": ["metarl"]})
    work = _Work(settings, scale, run, SilentProgress())
    document = work.measure("small")
    assert document["rates"] == rates and list(document["runs"]) == ["gru", "lru"]
    best = {name: tries[0]["learning_rate"] for name, tries in document["tuning"].items()}
    assert best == {"gru": 0.1, "lru": 0.01}
    found = {
        name: (c.env_steps, c.validation_every, c.seed, c.reinforce.learning_rate)
        for name, c in trained.items()
    }
    assert found == {
        "small-gru-rate-0.01-seed-0": (400, 100, 0, 0.01),
        "small-gru-rate-0.1-seed-0": (400, 100, 0, 0.1),
        "small-gru-rate-0.1-seed-1": (400, 100, 1, 0.1),
        "small-lru-rate-0.01-seed-0": (200, 50, 0, 0.01),
        "small-lru-rate-0.1-seed-0": (200, 50, 0, 0.1),
        "small-lru-rate-0.01-seed-1": (200, 50, 1, 0.01),
    }
    runs = [Path(place).name for place in document["runs"]["gru"]]
    assert runs == ["small-gru-rate-0.1-seed-0", "small-gru-rate-0.1-seed-1"]
    returns = document["returns"]
    assert returns["gru"] == 2 * [returns["random"][0]]  # the same tasks with the same luck
    assert returns["oracle"][0]["mean"] > returns["random"][0]["mean"]
    monkeypatch.setattr(architectures, "train_in", None)
    assert work.measure("small") == document


def test_all_rates_are_measured_before_anybody_is_trained(settings, tmp_path, monkeypatch):
    measured = []

    def rates(self: _Work, world: str) -> dict[str, None]:
        measured.append(world)
        return {"gru": None}

    def tuned(*_: Any) -> None:
        raise InterruptedError("the first training")

    monkeypatch.setattr(_Work, "_rates", rates)
    monkeypatch.setattr(_Work, "_tuned", tuned)
    scale, run = settings["scales"]["laptop"], SimpleNamespace(path=tmp_path)
    with pytest.raises(InterruptedError):
        _Work(settings, scale, run, SilentProgress()).measure("mdp-10")  # type: ignore[arg-type]
    assert set(measured) == set(scale["worlds"])


def test_runs_are_found_where_they_are_when_all_was_moved(settings, tmp_path):
    run = RunDirectory.create(tmp_path / "new", "reproduce", {}, ["metarl"])
    work = _Work(settings, settings["scales"]["smoke"], run, SilentProgress())
    kept = {"runs": {"gru": ["runs/old/trainings/mdp-gru-seed-0"]}, "tasks": 10}
    (run.path / "mdp.json").write_text(json.dumps(kept))
    place = str(run.path / "trainings" / "mdp-gru-seed-0")
    assert work.measure("mdp") == {"runs": {"gru": [place]}, "tasks": 10}


@pytest.mark.parametrize("plan", [{"cells": ["10"]}, {"committed": True}, {"anew": True}])
def test_what_architectures_have_not_is_refused(plan, tmp_path):
    with pytest.raises(InvalidInput, match="architectures has no cells and no classical agents"):
        reproduce(Plan("architectures", "smoke", **plan), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.extras
@pytest.mark.usefixtures("keys_unchecked")
def test_the_smoke_reproduction_does_nothing_twice(settings, tmp_path):
    place = tmp_path / "run"
    plan = Plan("architectures", "smoke")
    document = reproduce(plan, place, progress=SilentProgress())
    assert json.loads((place / "architectures.json").read_text())["scale"] == "smoke"
    (world,) = document["tables"]
    rates = json.loads((place / "rates" / f"{world}.json").read_text())
    assert set(rates) == set(settings["architectures"])
    for name, rate in rates.items():
        run = RunDirectory.open(place / "trainings" / f"{world}-{name}-rate-0.001-seed-0")
        assert run.config["env_steps"] == rate["env_steps"] == run.metrics.rows()[-1]["position"]
    (place / f"{world}.json").unlink()
    written = {path: path.stat().st_mtime_ns for path in place.glob("trainings/*/agent.npz")}
    again = reproduce(plan, place, progress=SilentProgress())
    assert json.dumps(rates) == json.dumps(
        json.loads((place / "rates" / f"{world}.json").read_text())
    )
    assert again["files"] == document["files"]
    assert written == {path: path.stat().st_mtime_ns for path in written}
