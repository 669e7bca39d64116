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
    train,
)
from metarl.rl_squared.agent.inputs import make_encoder
from metarl.rl_squared.agent.network import make_policy
from metarl.rl_squared.learning.reinforcement import _HostActor
from metarl.runs import RunDirectory, SilentProgress

WORLD = """
import gymnasium
from metarl.environments import from_gymnasium

def lake(horizon=6):
    def draw(generator, split):
        return {"is_slippery": bool(generator.integers(2))}
    return from_gymnasium(lambda **task: gymnasium.make("FrozenLake-v1", **task), draw, horizon=horizon)
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


def test_its_agent_is_evaluated_there_beside_random(lake, tmp_path):
    train(dataclasses.replace(TINY, world=lake), tmp_path / "run", progress=SilentProgress())
    document = conclude(tmp_path / "run", tasks=6)["evaluation"]
    assert list(document["agents"]) == [str(tmp_path / "run")]
    assert set(document["yardsticks"]) == {"random"}  # nobody is told a gymnasium world
    assert document["environment"]["name"] == "my_lake:lake"
    score = document["agents"][str(tmp_path / "run")]
    trial = make_trial(lake)
    played = play_on_host(
        load(tmp_path / "run", own=[lake.environment]).as_agent(), trial, 0, 6, "test"
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
    params = policy.init(jax.random.key(0))
    actor = _HostActor(policy, make_encoder(environment, False), trial, 0.9)
    batch, returns = actor.collect(params, jax.random.key(1), 16)
    mask = np.asarray(batch.mask)
    assert not mask.all()
    parameters, values = policy.apply(params, batch.inputs)
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
