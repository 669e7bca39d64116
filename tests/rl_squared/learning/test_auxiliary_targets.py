"""Auxiliary targets: what the memory learns to predict, and that acting needs none of it."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.environments import AuxiliaryTargets, Trial, load
from metarl.environments.mazes.body import LEFT, RIGHT
from metarl.errors import InvalidInput
from metarl.rl_squared import ImitationConfig, NetworkConfig, TrainConfig, WorldConfig, make_job
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


@pytest.mark.usefixtures("telling")
def test_the_memory_learns_to_predict_and_goes_on_where_it_stopped_and_acts_without():
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


@pytest.fixture
def telling(monkeypatch):
    """Lets jobs train in bandits that tell which arm is the better one, 200 steps a chunk."""
    best = AuxiliaryTargets(
        {"best": 2}, lambda task: jnp.argmax(task.means), lambda arm, state: {"best": arm}
    )
    bandits = dataclasses.replace(load("bandit", arms=2), auxiliary_targets=best)
    where = "metarl.rl_squared.learning.train_job"
    monkeypatch.setattr(f"{where}.make_trial", lambda world: Trial(bandits, episodes=5))
    monkeypatch.setattr(f"{where}.CHUNK_STEPS", 200)


@pytest.mark.usefixtures("telling")
@pytest.mark.parametrize(
    "taught",
    [
        {"warm_start": "thompson"},
        pytest.param({"distil": "decision", "teacher": "thompson"}, marks=pytest.mark.slow),
    ],
)
def test_imitation_teaches_the_memory_too(taught):
    imitation = ImitationConfig(env_steps=600, batch_steps=200)
    config = dataclasses.replace(TINY, imitation=imitation, auxiliary_weight=0.5, **taught)
    config = dataclasses.replace(config, env_steps=600)
    job, plain = (make_job(c) for c in (config, dataclasses.replace(config, auxiliary_weight=0.0)))
    start = job.init()
    assert set(start.learner.params) == {POLICY, "labels"}
    assert set(plain.init().learner.params) == {POLICY}
    first, metrics = job.update(start)  # by a learning rate that begins at 0
    _, without = plain.update(plain.init())
    assert metrics["phase"] == "imitation" and "auxiliary_loss" not in without
    # two classes: as good as guessing at first
    assert 0.3 < metrics["auxiliary_loss"] < 1.5 and 0 < metrics["accuracy_best"] < 1
    assert metrics["cross_entropy"] == without["cross_entropy"]
    assert metrics["gradient_norm"] > without["gradient_norm"]
    second, _ = job.update(first)
    assert _moved(first.learner.params, second.learner.params)
    arrays, meta = job.save(first)
    resumed, _ = job.update(job.load(arrays, meta))
    jax.tree.map(np.testing.assert_array_equal, second.learner, resumed.learner)


@pytest.mark.usefixtures("telling")
def test_what_a_warm_start_has_learnt_to_predict_reinforcement_begins_with():
    imitation = ImitationConfig(env_steps=400, batch_steps=200)
    config = dataclasses.replace(TINY, imitation=imitation, warm_start="thompson", env_steps=200)
    job = make_job(dataclasses.replace(config, auxiliary_weight=0.5))
    start = job.init()
    state, _ = job.update(start)
    state, _ = job.update(state)
    assert "value" in state.learner.params  # reinforcement has begun
    taught = {name: state.learner.params[name] for name in (POLICY, "labels")}
    assert _moved(start.learner.params, taught)


def _moved(before, after):
    """Whether every parameter has changed."""
    same = jax.tree.map(np.array_equal, jax.device_get(before), jax.device_get(after))
    return not any(jax.tree.leaves(same))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "needs an environment with 'auxiliary_targets', which 'bandit' has not; leave it out"),
        ({"algorithm": "trpo"}, "weight is 1 and algorithm 'trpo', whose loss has no such term"),
        ({"algorithm": "reinforce"}, "leave --auxiliary-weight out, or give --algorithm ppo"),
        (
            {"distil": "decision", "teacher": "oracle"},
            "needs an environment with 'auxiliary_targets', which 'bandit' has not",
        ),
        ({"auxiliary_weight": -1.0}, "auxiliary_weight is -1.0"),
    ],
)
def test_a_weight_that_nothing_heeds_is_refused(changes, message):
    with pytest.raises(InvalidInput, match=message):
        make_job(dataclasses.replace(TINY, **{"auxiliary_weight": 1.0, **changes}))
