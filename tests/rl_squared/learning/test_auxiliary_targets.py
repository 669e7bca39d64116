"""Auxiliary targets: what the memory learns to predict, and that acting needs none of it."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.environments import AuxiliaryTargets, Trial, load
from metarl.environments.mazes.maze import LEFT, RIGHT
from metarl.errors import InvalidInput
from metarl.rl_squared import NetworkConfig, TrainConfig, WorldConfig, make_job
from metarl.rl_squared.agent.inputs import make_encoder
from metarl.rl_squared.agent.network import POLICY, make_policy
from metarl.rl_squared.learning.rollout import collect

pytestmark = pytest.mark.usefixtures("keys_checked")

TINY = TrainConfig(
    world=WorldConfig(arms=2, episodes=5),
    network=NetworkConfig(hidden=8),
    batch_steps=200,
    env_steps=400,
    validation_tasks=20,
    validation_every=200,
)


def test_the_labels_of_a_batch_are_of_the_states_that_were_acted_upon():
    environment = load("maze", size=3, horizon=6, width=1, height=1)
    trial, network = Trial(environment, episodes=2), NetworkConfig(hidden=4, value="shared")
    policy = make_policy(environment, network, predicting=True)
    encoder = make_encoder(environment, network)

    @jax.jit
    def act(key):
        keys = jax.random.split(key, 3)
        params = policy.init(jax.random.key(1))
        return collect(policy, params, encoder, trial, keys, 0.9, False).batch

    batch = jax.device_get(act(jax.random.key(0)))
    assert set(batch.labels) == {"place", "heading", "goal", "way"}
    lefts = 1 * (batch.actions == LEFT) - 1 * (batch.actions == RIGHT)
    for turns, labels in zip(lefts, batch.labels["heading"], strict=True):
        for episode in (slice(0, 6), slice(6, 12)):  # each begins where the first began
            degrees = 15 * (np.cumsum(turns[episode]) - turns[episode])
            np.testing.assert_array_equal(labels[episode], np.round(degrees / 45) % 8)


def test_the_memory_learns_to_predict_and_goes_on_where_it_stopped_and_acts_without(monkeypatch):
    """In bandits that tell which arm is the better one."""
    best = AuxiliaryTargets(
        {"best": 2}, lambda task: jnp.argmax(task.means), lambda arm, state: {"best": arm}
    )
    telling = dataclasses.replace(load("bandit", arms=2), auxiliary_targets=best)
    where = "metarl.rl_squared.learning.train_job"
    monkeypatch.setattr(f"{where}.make_trial", lambda world: Trial(telling, episodes=5))
    monkeypatch.setattr(f"{where}.CHUNK_STEPS", 200)
    job = make_job(dataclasses.replace(TINY, auxiliary_weight=0.5))
    start = job.init()
    assert "labels" not in start.best
    half, metrics = job.update(start)
    moved = jax.tree.map(
        lambda a, b: not np.array_equal(a, b),
        start.learner.params["labels"],
        half.learner.params["labels"],
    )
    assert all(jax.tree.leaves(moved))
    assert 0 < metrics["accuracy_best"] < 1 and 0 < metrics["auxiliary_loss"] < 2
    arrays, meta = job.save(half)
    whole, _ = job.update(half)
    resumed, _ = job.update(job.load(arrays, meta))
    assert job.finished(whole)
    jax.tree.map(np.testing.assert_array_equal, whole.learner, resumed.learner)
    plain = make_job(TINY).init().learner.params
    assert set(plain) == set(start.learner.params) - {"labels"}
    jax.tree.map(np.testing.assert_array_equal, start.learner.params[POLICY], plain[POLICY])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "needs an environment with 'auxiliary_targets', which 'bandit' has not; leave it out"),
        ({"algorithm": "trpo"}, "weight is 1 and algorithm 'trpo', whose loss has no such term"),
        ({"algorithm": "reinforce"}, "leave --auxiliary-weight out, or give --algorithm ppo"),
        (
            {"distil": "decision", "teacher": "oracle"},
            "auxiliary_weight is 1 and distil 'decision', which has no updates of reinforcement",
        ),
        ({"auxiliary_weight": -1.0}, "auxiliary_weight is -1.0"),
    ],
)
def test_a_weight_that_nothing_heeds_is_refused(changes, message):
    with pytest.raises(InvalidInput, match=message):
        make_job(dataclasses.replace(TINY, **{"auxiliary_weight": 1.0, **changes}))
