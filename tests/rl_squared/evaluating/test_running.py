"""An evaluation that is kept: interrupted anywhere and gone on with, it ends with the numbers of one that was not."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import sys

import jax
import pytest

from metarl.cli import main
from metarl.errors import InvalidInput
from metarl.rl_squared import (
    FromScratchPlan,
    NetworkConfig,
    TrainConfig,
    WorldConfig,
    begin_evaluation,
    evaluate,
    resume_evaluation,
    save,
)
from metarl.rl_squared.evaluating import parts, running
from metarl.rl_squared.evaluating.evaluation_job import EvaluationJob
from metarl.rl_squared.evaluating.running import evaluate_in
from metarl.runs import RunDirectory, SilentProgress, UnusableCheckpoint, run_status
from metarl.runs.directory import is_in_use

WORLD = WorldConfig("bandit", arms=2, episodes=3)
PLAN = FromScratchPlan(episodes=12, tasks=4)
DQN = "dqn:hidden=4,layers=1,learn_after=4,batch_size=4,gradient_steps=1"
AGENTS = ("gittins", "q-learning", DQN)
OFFLINE = "behaviour-cloning:trajectories=60,steps=130,hidden=8,heads=2,layers=1,batch=16"
ROOMS = WorldConfig("key-to-door", setting=("size=3", "room_steps=2", "corridor=1"), episodes=1)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("METARL_CHECKPOINT_SECONDS", "0")
    return tmp_path


class SignalAt(SilentProgress):
    """Sends the signal of Ctrl-C when an evaluation has come so far, and keeps what was said."""

    def __init__(self, position: float = float("inf")):
        self.at, self.said = position, []

    def report(self, position, total, text="", seconds_left=None):
        if position >= self.at:
            self.at = float("inf")
            os.kill(os.getpid(), signal.SIGINT)

    def message(self, text):
        self.said.append(text)


def begin(place, agents=AGENTS, world=WORLD, plan=PLAN, tasks=4):
    return begin_evaluation(agents, place, world=world, tasks=tasks, seed=1, from_scratch=plan)


def document_of(place, progress=None):
    found = resume_evaluation(place, progress=progress or SignalAt())
    assert found.pop("run_dir") == str(place)
    return json.loads(json.dumps(found))


def interrupted(place, share):
    """Begins an evaluation, is interrupted after a share of its steps, and returns where it stands."""
    job_size = total_of(place)
    progress = SignalAt(share * job_size)
    with pytest.raises(KeyboardInterrupt):
        resume_evaluation(place, progress=progress)
    assert f"go on with: metarl resume {place}" in progress.said[-1]
    newest = RunDirectory.open(place).checkpoints.load_newest()
    assert newest is not None
    return newest[1]["job"]


def total_of(place):
    from metarl.rl_squared.evaluating.running import _stored

    run = RunDirectory.open(place)
    return _stored(run, print).position(_stored(run, print).init())[1]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The document of an evaluation that never stopped."""
    place = tmp_path_factory.mktemp("whole") / "run"
    return document_of(begin(place).path), place


def test_what_is_kept_is_what_is_computed_without_a_run(whole):
    assert whole[0] == json.loads(
        json.dumps(evaluate(AGENTS, world=WORLD, tasks=4, seed=1, from_scratch=PLAN).to_json())
    )


def test_a_part_of_a_reproduction_is_gone_on_with_and_nobody_learns_anew(elsewhere, monkeypatch):
    owner = RunDirectory.create(
        elsewhere / "whole", "reproduce", {}, ["metarl", "reproduce", "control"]
    )

    def part(progress, tasks=4):
        return evaluate_in(
            elsewhere / "parts" / "a",
            ["random", "q-learning"],
            world=WORLD,
            tasks=tasks,
            from_scratch=PLAN,
            owner=owner,
            progress=progress,
        )

    progress = SignalAt(
        100
    )  # of 24 steps of play and 48 of learning from scratch, each in four tasks
    with pytest.raises(KeyboardInterrupt):
        part(progress)
    assert progress.said[-1].endswith(
        f"go on with: metarl reproduce control --run-dir {owner.path}"
    )
    found = part(SignalAt())
    alone = evaluate(["random", "q-learning"], world=WORLD, tasks=4, from_scratch=PLAN)
    assert found.to_json() == alone.to_json()
    monkeypatch.setattr(EvaluationJob, "update", None)  # all is done
    assert part(SignalAt()).to_json() == alone.to_json()
    with pytest.raises(InvalidInput, match="was begun with other agents or settings"):
        part(SignalAt(), tasks=5)


def test_a_part_of_a_reproduction_that_was_moved_is_gone_on_with(elsewhere, untrained, monkeypatch):
    def whole(name):
        place = elsewhere / name
        return RunDirectory.open(place), place / "trainings" / "a.npz"

    def part(progress, name):
        owner, agent = whole(name)
        return evaluate_in(
            owner.path / "part",
            [str(agent), "q-learning"],
            tasks=4,
            from_scratch=PLAN,
            owner=owner,
            progress=progress,
        )

    RunDirectory.create(elsewhere / "old", "reproduce", {}, ["metarl", "reproduce", "control"])
    (elsewhere / "old" / "trainings").mkdir()
    save(
        untrained(TrainConfig(world=WORLD, network=NetworkConfig(hidden=4))),
        elsewhere / "old" / "trainings" / "a.npz",
    )
    monkeypatch.setenv("METARL_CHECKPOINT_SECONDS", "0")
    for name in ("old", "new"):  # moved twice
        with pytest.raises(KeyboardInterrupt):
            part(SignalAt(100 if name == "old" else 200), name)
        (elsewhere / name).rename(elsewhere / {"old": "new", "new": "newest"}[name])
    found = part(SignalAt(), "newest")
    agents = [str(whole("newest")[1]), "q-learning"]
    assert found.to_json() == evaluate(agents, tasks=4, from_scratch=PLAN).to_json()


@pytest.mark.parametrize("share", [0.02, 0.4, 0.9])
def test_interrupted_and_resumed_is_never_stopped(whole, share, elsewhere):
    run = begin(elsewhere / "cut")
    interrupted(run.path, share)
    assert run_status(run.path).state == "interrupted"
    assert document_of(run.path) == whole[0]
    assert rows_of(run.path) == rows_of(whole[1])
    assert run_status(run.path).state == "finished"


def test_an_evaluation_stays_in_use_until_its_result_is_there(whole, elsewhere, monkeypatch):
    """Who resumed it as its last task ended took it over, and who had played all of it was refused."""
    run, used, driven = begin(elsewhere / "run"), [], running.driven

    def driven_and_looked_at(*arguments):
        state = driven(*arguments)
        used.append(is_in_use(run.path))
        return state

    monkeypatch.setattr(running, "driven", driven_and_looked_at)
    assert document_of(run.path) == whole[0] and used == [True]


def test_nothing_that_is_finished_is_played_again(whole, elsewhere, monkeypatch):
    run = begin(elsewhere / "cut")
    stood = interrupted(run.path, 0.9)
    at_work = stood["parts"][stood["done"]]
    assert at_work == f"scratch {DQN}" and stood["walks"] and 0 < stood["steps"] < 12
    played, walked = [], []
    play, pieces = parts.Part.play, parts.Part.pieces
    monkeypatch.setattr(parts.Part, "play", lambda self, *a: played.append(self) or play(self, *a))
    monkeypatch.setattr(
        parts.Part, "pieces", lambda self, *a: walked.append(self.name) or pieces(self, *a)
    )
    assert document_of(run.path) == whole[0]
    assert not played and set(walked) == {at_work}


def test_a_chunk_of_tasks_that_is_finished_is_not_played_again(elsewhere, monkeypatch):
    monkeypatch.setattr("metarl.rl_baselines.TOGETHER", 3)
    expected = document_of(begin(elsewhere / "expected", ("q-learning",)).path)
    run = begin(elsewhere / "cut", ("q-learning",))
    stood = interrupted(run.path, 0.97)
    assert (stood["parts"][stood["done"]], stood["first"]) == ("scratch q-learning", 3)
    assert document_of(run.path) == expected


def test_tuning_goes_on_where_it_stopped(elsewhere):
    plan = dataclasses.replace(PLAN, tune=True)
    expected = document_of(begin(elsewhere / "expected", ("q-learning",), plan=plan).path)
    run = begin(elsewhere / "cut", ("q-learning",), plan=plan)
    stood = interrupted(run.path, 0.5)
    assert 0 < stood["done"] < 9
    progress = SignalAt()
    assert document_of(run.path, progress) == expected
    assert next(iter(expected["agents"])).startswith("q-learning:exploration_share=")
    assert sum("validation tasks" in line for line in progress.said) == 9 - stood["done"]


@pytest.mark.slow
def test_who_learns_from_offline_data_goes_on_with_that(elsewhere, keys_unchecked):
    expected = document_of(begin(elsewhere / "expected", (OFFLINE,), ROOMS, tasks=6).path)
    run = begin(elsewhere / "cut", (OFFLINE,), ROOMS, tasks=6)
    stood = interrupted(run.path, 0.1)
    assert (stood["done"], stood["steps"]) == (0, 100)  # gradient steps
    assert document_of(run.path) == expected


HOST_WORLDS = """
import gymnasium
from metarl.environments import from_gymnasium

class Fickle(gymnasium.Wrapper):
    worlds = 0

    def reset(self, **options):
        Fickle.worlds += 1
        return super().reset(**{**options, "seed": Fickle.worlds})

def lake():
    return from_gymnasium(lambda: gymnasium.make("FrozenLake-v1"), lambda g, s: {}, horizon=5)

def fickle_lake():
    return from_gymnasium(lambda: Fickle(gymnasium.make("FrozenLake-v1")), lambda g, s: {}, horizon=5)
"""


@pytest.fixture
def on_host(elsewhere, monkeypatch):
    """Worlds on the host and a short plan, in a module of somebody's own."""
    (elsewhere / "own_lakes.py").write_text(HOST_WORLDS)
    monkeypatch.syspath_prepend(str(elsewhere))
    monkeypatch.delitem(sys.modules, "own_lakes", raising=False)
    return FromScratchPlan(episodes=6, tasks=3)


def test_worlds_on_the_host_go_on_too(elsewhere, on_host):
    world = WorldConfig("own_lakes:lake", episodes=2)
    expected = document_of(begin(elsewhere / "expected", ("q-learning",), world, on_host).path)
    run = begin(elsewhere / "cut", ("q-learning",), world, on_host)
    stood = interrupted(run.path, 0.8)
    assert stood["parts"][stood["done"]] == "scratch q-learning" and stood["steps"] > 0
    assert document_of(run.path) == expected


def test_worlds_on_the_host_that_do_other_things_begin_anew_and_that_is_said(elsewhere, on_host):
    world = WorldConfig("own_lakes:fickle_lake", episodes=2)
    run = begin(elsewhere / "cut", ("q-learning",), world, on_host)
    stood = interrupted(run.path, 0.8)
    assert stood["parts"][stood["done"]] == "scratch q-learning" and stood["steps"] > 5
    progress = SignalAt()
    assert set(document_of(run.path, progress)["agents"]) == {"q-learning"}
    said = [line for line in progress.said if "does not do the same again" in line]
    assert len(said) == 1 and "q-learning begins anew with task 0" in said[0]


BROKEN_WORLD = """
import dataclasses
from metarl.environments import load

def make():
    bandit = load("bandit", arms=2)
    def step(*given):
        return bandit.step(*given)._replace(reward=bandit.step(*given).reward + float("nan"))
    return dataclasses.replace(bandit, step=step)
"""


def test_a_world_of_ones_own_is_checked_before_anybody_plays_in_it(elsewhere, monkeypatch, capsys):
    (elsewhere / "own_broken_world.py").write_text(BROKEN_WORLD)
    monkeypatch.syspath_prepend(str(elsewhere))
    monkeypatch.delitem(sys.modules, "own_broken_world", raising=False)
    words = ["--environment", "own_broken_world:make", "--run-dir", "run"]
    assert main(["evaluate", "random", "q-learning", *words]) == 2
    assert "'own_broken_world:make': a reward is NaN or infinite." in capsys.readouterr().err
    assert not (elsewhere / "run").exists()


def test_a_configuration_without_its_parts_is_told_as_damaged(elsewhere):
    run = begin(elsewhere / "run")
    config = json.loads((run.path / "config.json").read_text())
    del config["from_scratch"]
    (run.path / "config.json").write_text(json.dumps(config))
    message = r"config\.json is damaged \(KeyError: 'from_scratch'\)\. Begin a new evaluation\."
    with pytest.raises(InvalidInput, match=message):
        resume_evaluation(run.path, progress=SignalAt())


def test_a_damaged_checkpoint_is_passed_over_and_computed_again(whole, elsewhere):
    run = begin(elsewhere / "cut")
    interrupted(run.path, 0.9)
    damage(run.checkpoints.paths()[-1])
    progress = SignalAt()
    assert document_of(run.path, progress) == whole[0]
    assert "is damaged" in progress.said[0] and "Using the one before" in progress.said[0]


def test_without_an_intact_checkpoint_there_is_one_error(elsewhere):
    run = begin(elsewhere / "cut")
    interrupted(run.path, 0.9)
    for path in run.checkpoints.paths():
        damage(path)
    with pytest.raises(UnusableCheckpoint, match="No checkpoint of this run is intact: remove the"):
        resume_evaluation(run.path, progress=SignalAt())


def test_the_checkpoint_of_another_evaluation_is_refused(elsewhere):
    run, other = begin(elsewhere / "cut"), begin(elsewhere / "other", ("gittins", "q-learning"))
    interrupted(run.path, 0.9)
    shutil.copytree(run.path / "checkpoints", other.path / "checkpoints")
    message = "The saved state is of .*, this evaluation consists of .* or start a new run"
    with pytest.raises(InvalidInput, match=message):
        resume_evaluation(other.path, progress=SignalAt())


def test_an_agent_that_is_no_more_what_it_was_is_refused(elsewhere, untrained):
    agent = untrained(TrainConfig(world=WORLD, network=NetworkConfig(hidden=4)))
    save(agent, elsewhere / "agent.npz")
    run = begin("run", ("agent.npz", "q-learning"))
    weights = jax.tree.map(lambda leaf: leaf + 1, agent.params)
    save(dataclasses.replace(agent, params=weights), elsewhere / "agent.npz")
    with pytest.raises(
        InvalidInput, match=r"agent\.npz: the weights are not those with which 'run' was"
    ):
        resume_evaluation(run.path, progress=SignalAt())
    (elsewhere / "agent.npz").unlink()
    with pytest.raises(
        InvalidInput, match=r"no such file\. Files of agents are read from the folder in"
    ):
        resume_evaluation(run.path, progress=SignalAt())


def test_another_run_is_refused(elsewhere):
    RunDirectory.create(elsewhere / "run", "train", {}, [])
    with pytest.raises(InvalidInput, match="is a training, not an evaluation"):
        resume_evaluation(elsewhere / "run")


def test_the_command_keeps_it_and_resume_goes_on(elsewhere, capsys, monkeypatch):
    words = ["gittins", "--against", "q-learning", "--environment", "bandit", "--arms", "2"]
    sizes = ["--episodes", "3", "--tasks", "4", "--episodes-from-scratch", "12"]
    command = ["evaluate", *words, *sizes, "--tasks-from-scratch", "4", "-o", "found.csv"]
    played, advance = [], parts.Part.pieces

    def pieces(part, *given):
        if part.kind == "scratch" and part.name not in played:
            os.kill(os.getpid(), signal.SIGTERM)
        played.append(part.name)
        return advance(part, *given)

    monkeypatch.setattr(parts.Part, "pieces", pieces)
    assert main([*command, "--run-dir", "cut"]) == 130
    shown = capsys.readouterr()
    assert "All of it is kept in cut" in shown.err and shown.out == ""
    assert "Interrupted. Everything is saved; go on with: metarl resume cut" in shown.err
    assert not (elsewhere / "found.csv").exists()
    (elsewhere / "deeper").mkdir()
    monkeypatch.chdir(elsewhere / "deeper")  # what is written lies where it was asked for
    assert main(["resume", "../cut"]) == 0
    resumed = capsys.readouterr().out
    assert "within a task" in resumed and (elsewhere / "found-curves.csv").exists()
    monkeypatch.chdir(elsewhere)
    table = (elsewhere / "found.csv").read_text()
    assert main([*command, "--force"]) == 0  # into a new directory of its own
    assert capsys.readouterr().out == resumed
    assert (elsewhere / "found.csv").read_text() == table
    assert [path.name.split("-")[0] for path in (elsewhere / "runs").iterdir()] == ["evaluate"]
    assert main(["resume", "cut"]) == 0  # of a finished one the result is read
    assert capsys.readouterr().out == resumed


def test_without_learners_nothing_is_kept_unless_asked(elsewhere):
    words = ["evaluate", "gittins", "--environment", "bandit", "--arms", "2", "--episodes", "3"]
    assert main([*words, "--tasks", "4"]) == 0
    assert not (elsewhere / "runs").exists()
    assert main([*words, "--tasks", "4", "--run-dir", "kept"]) == 0
    assert (elsewhere / "kept" / "result.json").exists()


def test_a_file_that_came_there_meanwhile_is_not_replaced(elsewhere, capsys):
    words = ["evaluate", "q-learning", "--environment", "bandit", "--arms", "2", "--episodes", "3"]
    sizes = ["--tasks", "4", "--tasks-from-scratch", "4", "--episodes-from-scratch", "12"]
    given = {"world": WORLD, "tasks": 4, "from_scratch": PLAN, "output": "found.csv"}
    begin_evaluation(["q-learning"], "run", **given)
    (elsewhere / "found.csv").write_text("mine")
    assert main(["resume", "run"]) == 0
    said = capsys.readouterr()
    assert "The table is not written: '" in said.err and "found.csv' exists already" in said.err
    assert "within a task" in said.out and (elsewhere / "found.csv").read_text() == "mine"
    assert main([*words, *sizes, "-o", "found.csv", "--force"]) == 0
    assert (elsewhere / "found.csv").read_text().startswith("agent,")


def test_an_agent_that_is_no_file_cannot_be_kept(elsewhere, untrained):
    agent = untrained(TrainConfig(world=WORLD, network=NetworkConfig(hidden=4)))
    with pytest.raises(InvalidInput, match="Save the agent, and give the path of its file"):
        begin_evaluation([agent, "q-learning"], "run", world=WORLD, tasks=4)
    assert not (elsewhere / "run").exists()


def damage(path):
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes(bytes(content))


def rows_of(place):
    rows = RunDirectory.open(place).metrics.rows()
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]
