"""Averages of weights: the mean of what was learnt, which changes nothing of the learning."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.rl_squared import NetworkConfig, TrainConfig, WorldConfig, make_job
from metarl.rl_squared.agent.network import POLICY
from metarl.rl_squared.learning.averages import averaged, handed_over
from metarl.rl_squared.learning.reinforcement import Learning
from metarl.rl_squared.learning.train_job import TrainJob

pytestmark = pytest.mark.usefixtures("keys_checked")

TINY = TrainConfig(
    world=WorldConfig(arms=2, episodes=5),
    network=NetworkConfig(hidden=8),
    batch_steps=400,
    env_steps=1_600,
    validation_tasks=20,
    validation_every=400,
)


def mean_of(policies, decay):
    """The weighted mean by its definition: the latest weighs 1, the one before d, then d², ..."""
    weights = decay ** np.arange(len(policies))[::-1]
    return jax.tree.map(
        lambda *leaves: np.tensordot(weights, np.stack(leaves), 1) / weights.sum(), *policies
    )


def counting():
    """Learns 1, 2, 3, ... as its one weight."""

    class Learner(dict):
        params = property(lambda self: {POLICY: self["weight"]})

    def update(key, learner, rollout, frozen):
        return Learner(weight=learner["weight"] + 1 - frozen), {}

    return Learning(lambda params: Learner(weight=params[POLICY]), update)


def test_the_latest_weigh_most_and_updates_in_which_the_policy_rests_nothing():
    learning = averaged(counting(), 0.5)
    state = learning.init({POLICY: jnp.zeros(())})
    averages = [float(handed_over(state))]
    for frozen in (True, False, False, True, False):
        state, _ = learning.update(jax.random.key(0), state, None, jnp.asarray(frozen))  # type: ignore[arg-type]
        averages.append(float(handed_over(state)))
    third = (3 + 2 / 2 + 1 / 4) / (1 + 1 / 2 + 1 / 4)
    np.testing.assert_allclose(averages, [0, 0, 1, 5 / 3, 5 / 3, third], rtol=1e-6)


@pytest.mark.parametrize("seeds", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_the_average_is_tried_and_kept_and_learning_goes_on_as_without_it(
    request, monkeypatch, seeds
):
    if seeds > 1:
        request.getfixturevalue("keys_unchecked")
    monkeypatch.setattr("metarl.rl_squared.learning.train_job.CHUNK_STEPS", 400)
    tried = []
    validate = TrainJob.validate
    monkeypatch.setattr(
        TrainJob, "validate", lambda job, params: tried.append(params) or validate(job, params)
    )
    config = dataclasses.replace(TINY, seeds=seeds)
    plain, job = make_job(config), make_job(dataclasses.replace(config, average_weights=0.8))
    raw, state, policies = plain.init(), job.init(), []
    while not job.finished(state):
        raw, _ = plain.update(raw)
        tried.clear()
        state, _ = job.update(state)
        for a, b in zip(
            jax.tree.leaves(raw.learner), jax.tree.leaves(state.learner.learner), strict=True
        ):
            np.testing.assert_array_equal(a, b)
        policies.append(jax.device_get(raw.learner.params[POLICY]))
        expected = mean_of(policies, 0.8)
        for number, params in enumerate(tried):
            own = expected if seeds == 1 else jax.tree.map(lambda x, n=number: x[n], expected)
            for a, b in zip(jax.tree.leaves(params), jax.tree.leaves(own), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert len(tried) == seeds and len(policies) == 4
    assert not np.allclose(jax.tree.leaves(tried[0])[0], jax.tree.leaves(policies[-1])[0], 1e-4)


@pytest.mark.parametrize("decay", [0.0, 1.0, -0.5])
def test_a_decay_that_averages_nothing_is_refused(decay):
    with pytest.raises(
        InvalidInput, match=r"average_weights is .*; it must be above 0 and at most"
    ):
        dataclasses.replace(TINY, average_weights=decay)
