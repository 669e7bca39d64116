"""A value in bins: the agent begins as without, a training that was stopped goes on, and the value comes to know."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.policy_gradient import PPOConfig, TRPOConfig, ValueConfig
from metarl.rl_squared import (
    NetworkConfig,
    TrainConfig,
    WorldConfig,
    load,
    make_job,
    train,
    train_config,
)
from metarl.rl_squared.agent.network import POLICY
from metarl.runs import SilentProgress

pytestmark = pytest.mark.usefixtures("keys_checked")

TINY = TrainConfig(
    world=WorldConfig(arms=2, episodes=5),
    network=NetworkConfig(hidden=8),
    ppo=PPOConfig(learning_rate=1e-2, entropy_weight=0.0),
    value=ValueConfig("hl-gauss", bins=21),
    batch_steps=400,
    env_steps=4_000,
    validation_tasks=20,
    validation_every=4_000,
)


def trained(job, state):
    logged = []
    while not job.finished(state):
        state, metrics = job.update(state)
        logged.append(metrics)
    return state, logged


@pytest.mark.parametrize(
    "config",
    [
        TINY,
        pytest.param(
            dataclasses.replace(TINY, algorithm="trpo", trpo=TRPOConfig(value_learning_rate=1e-2)),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["ppo", "trpo"],
)
def test_a_training_goes_on_as_if_never_stopped_and_its_value_comes_to_know(monkeypatch, config):
    monkeypatch.setattr("metarl.rl_squared.learning.train_job.CHUNK_STEPS", 400)
    job, plain = make_job(config), make_job(dataclasses.replace(config, value=ValueConfig()))
    start = job.init()
    for a, b in zip(
        jax.tree.leaves(start.learner.params[POLICY]),
        jax.tree.leaves(plain.init().learner.params[POLICY]),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)
    assert start.learner.params["value"]["head"]["value"]["w"].shape == (8, 21)
    first, _ = job.update(start)
    whole, logged = trained(job, first)
    restored = make_job(config)
    again, _ = trained(restored, restored.load(*job.save(first)))
    for a, b in zip(jax.tree.leaves(again.learner), jax.tree.leaves(whole.learner), strict=True):
        np.testing.assert_array_equal(a, b)
    assert logged[-1]["explained_variance"] > 0.3
    assert 0 < logged[-1]["value_loss"] < np.log(21)


def test_an_agent_is_handed_over_as_any_other(tmp_path):
    config = dataclasses.replace(TINY, env_steps=400)
    agent = train(config, tmp_path / "run", progress=SilentProgress())
    found = load(tmp_path / "run")
    assert found.config.value == config.value
    jax.tree.map(np.testing.assert_array_equal, agent.params, found.params)


def test_settings_of_before_have_values_that_are_numbers():
    stored = TINY.to_json()
    del stored["value"]
    assert train_config(stored).value == ValueConfig()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ppo": {"preserve_values": True}}, "preserve_values is true, and the value is told"),
        (
            {"algorithm": "reinforce", "reinforce": {"baseline": "none"}},
            "baseline is 'none', and the value, which then learns nothing",
        ),
    ],
)
def test_bins_that_do_not_fit_the_algorithm_are_refused(changes, message):
    config = train_config({**TINY.to_json(), **changes})
    with pytest.raises(InvalidInput) as caught:
        make_job(config)
    assert message in str(caught.value)
