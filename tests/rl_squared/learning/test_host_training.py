"""Training in gymnasium worlds, stepped on the host."""

from __future__ import annotations

import dataclasses

import gymnasium
import jax
import numpy as np
import pytest

from metarl.environments import Trial, from_gymnasium, play_on_host
from metarl.errors import InvalidInput
from metarl.rl_squared import (
    NetworkConfig,
    TrainConfig,
    WorldConfig,
    conclude,
    load,
    make_trial,
    resume_training,
    train,
)
from metarl.rl_squared.agent.inputs import make_encoder
from metarl.rl_squared.agent.network import make_policy
from metarl.rl_squared.evaluating.result import affordable_test_tasks, suitable_test_tasks
from metarl.rl_squared.learning.reinforcement import _HostActor
from metarl.rl_squared.learning.sizes import validation_tasks_of
from metarl.runs import RunDirectory, SilentProgress

WORLD = """
import os, signal
import gymnasium
from metarl.environments import from_gymnasium

taken, signal_at = 0, None

class Counted(gymnasium.Wrapper):
    def step(self, action):
        global taken
        taken += 1
        if taken == signal_at:
            os.kill(os.getpid(), signal.SIGINT)
        return super().step(action)

def lake(horizon=6):
    def draw(generator, split):
        return {"is_slippery": bool(generator.integers(2))}
    def make(**task):
        return Counted(gymnasium.make("FrozenLake-v1", **task))
    return from_gymnasium(make, draw, horizon=horizon)
"""

TINY = TrainConfig(
    network=NetworkConfig(hidden=8),
    batch_steps=96,
    env_steps=192,
    validation_tasks=4,
    validation_every=96,
)


@pytest.fixture
def lake(tmp_path, monkeypatch):
    """A module of the user's, in the working directory."""
    (tmp_path / "my_lake.py").write_text(WORLD)
    monkeypatch.chdir(tmp_path)
    return WorldConfig(environment="my_lake:lake", episodes=2)


@pytest.mark.extras
def test_an_agent_trains_in_a_gymnasium_world(lake, tmp_path):
    config = dataclasses.replace(TINY, world=lake)
    agent = train(config, tmp_path / "run", progress=SilentProgress())
    rows = RunDirectory.open(tmp_path / "run").metrics.rows()
    assert [row["position"] for row in rows] == [96, 192]
    assert np.isfinite(rows[-1]["validation_return"])
    again = train(config, tmp_path / "again", progress=SilentProgress())
    for a, b in zip(jax.tree.leaves(agent.params), jax.tree.leaves(again.params), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow  # the quick form: training there, and playing there in tests of environments
def test_its_agent_is_evaluated_there_beside_random(lake, tmp_path):
    train(dataclasses.replace(TINY, world=lake), tmp_path / "run", progress=SilentProgress())
    said = []
    document = conclude(tmp_path / "run", say=said.append)["evaluation"]
    assert document["tasks"] == 16 and any("in 16 test tasks instead of 1,000" in s for s in said)
    assert list(document["agents"]) == [str(tmp_path / "run")]
    assert set(document["yardsticks"]) == {"random"}  # nobody is told a gymnasium world
    assert document["environment"]["name"] == "my_lake:lake"
    score = document["agents"][str(tmp_path / "run")]
    trial = make_trial(lake)
    played = play_on_host(
        load(tmp_path / "run", own=[lake.environment]).as_agent(), trial, 0, 16, "test"
    )
    assert score["return"]["mean"] == pytest.approx(float(np.mean(played.totals)))
    assert len(score["per_episode"]) == 2 and score["normalised"] is None


def test_a_warm_start_there_is_refused(lake, tmp_path):
    with pytest.raises(InvalidInput, match="stepped on the host, where one agent at a time"):
        train(dataclasses.replace(TINY, world=lake, seeds=2), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_was_acted_is_what_is_recomputed():
    """Episodes end early on the lake, so padding and inner ends are seen to."""
    environment = from_gymnasium(
        lambda **task: gymnasium.make("FrozenLake-v1", **task), lambda *_: {}, horizon=6
    )
    trial, network = Trial(environment, episodes=2), NetworkConfig(hidden=8)
    policy = make_policy(environment, network)
    params = jax.jit(policy.init)(jax.random.key(0))
    actor = _HostActor(policy, make_encoder(environment, NetworkConfig()), trial, 0.9)
    batch, returns = actor.collect(params, jax.random.key(1), 16)
    mask = np.asarray(batch.mask)
    assert not mask.all()
    parameters, values = jax.jit(policy.apply)(params, batch.inputs)
    log_probs = policy.distribution.log_prob(parameters, batch.actions)
    np.testing.assert_allclose(
        np.asarray(batch.log_probs)[mask], np.asarray(log_probs)[mask], rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        np.asarray(batch.values)[mask], np.asarray(values)[mask], rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(returns.sum(axis=1), batch.rewards.sum(axis=1), rtol=1e-6)
    last = mask.sum(axis=1) - 1
    assert not np.any(np.asarray(batch.discounts)[np.arange(16), last])


@pytest.mark.parametrize(
    ("settings", "steps", "on_host", "tasks"),
    [
        ({"env_steps": 100_000}, 400, True, 50),
        ({"env_steps": 100_000}, 400, False, 1000),
        ({"env_steps": 100_000, "validation_every": 50_000}, 100, True, 100),
        ({"env_steps": 10**9}, 10, True, 1000),
        ({"env_steps": 1000}, 400, True, 16),
        ({"env_steps": 100_000, "validation_tasks": 700}, 400, True, 700),
        ({"minutes": 1.0}, 1000, True, 200),
    ],
)
def test_validation_on_the_host_takes_a_fifth_of_the_steps(settings, steps, on_host, tasks):
    """1,000 tasks took 267 s of 270."""
    assert validation_tasks_of(TrainConfig(**settings), steps, on_host) == tasks


def test_fewer_validation_tasks_are_said_and_kept_with_the_scores(lake, tmp_path):
    class Listening(SilentProgress):
        def __init__(self):
            self.heard = []

        def message(self, text):
            self.heard.append(text)

    progress = Listening()
    config = dataclasses.replace(TINY, world=lake, validation_tasks=1000)
    agent = train(config, tmp_path / "run", progress=progress)
    (said,) = [text for text in progress.heard if "validation tasks" in text]
    assert "tried on 16 validation tasks instead of 1,000" in said
    assert agent.scores["validation_tasks"] == 16


@pytest.mark.parametrize("signal_at", [pytest.param(30, marks=pytest.mark.slow), 190])
def test_a_signal_stops_worlds_on_the_host_at_once(signal_at, lake, tmp_path, monkeypatch):
    """In the middle of an update, and of a validation, which took minutes; the rest is as never stopped."""
    config = dataclasses.replace(TINY, world=lake, validation_tasks=40)
    expected = train(config, tmp_path / "expected", progress=SilentProgress())
    import my_lake  # pyright: ignore[reportMissingImports]

    monkeypatch.setattr(my_lake, "taken", 0)
    monkeypatch.setattr(my_lake, "signal_at", signal_at)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "run", progress=SilentProgress())
    assert signal_at <= my_lake.taken < signal_at + 40  # the step that all worlds are taking
    agent = resume_training(tmp_path / "run", progress=SilentProgress())
    assert RunDirectory.open(tmp_path / "run").outcome["outcome"] == "finished"  # pyright: ignore
    for a, b in zip(jax.tree.leaves(agent.params), jax.tree.leaves(expected.params), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("steps", "length", "tasks"), [(12_000, 200, 16), (1_200_000, 200, 1000), (240_000, 400, 100)]
)
def test_the_test_on_the_host_takes_no_more_than_half_of_the_steps(steps, length, tasks):
    assert affordable_test_tasks(steps, length) == tasks


@pytest.mark.parametrize(
    ("speed", "length", "tasks"),
    # played by three, at such a speed, in 320, 300, 571 and 600 seconds, or in any case
    [
        (300.0, 200, 200),
        (2_000.0, 400, 1_000),
        (1_400.0, 16, 10_000),
        (50.0, 500, 20),
        (1.0, 500, 16),
    ],
)
def test_an_evaluation_anew_on_the_host_is_proposed_at_a_size_of_minutes(speed, length, tasks):
    assert suitable_test_tasks(speed, length) == tasks
    assert tasks == 16 or 3 * tasks * length / speed <= 600
