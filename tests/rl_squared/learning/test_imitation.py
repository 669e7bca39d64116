"""Warm start: labels are the teacher's, the student acts where it should, and it learns."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.environments import Trial, load, make_agent
from metarl.rl_squared import ImitationConfig, NetworkConfig
from metarl.rl_squared.agent.inputs import make_encoder
from metarl.rl_squared.agent.network import make_policy
from metarl.rl_squared.learning.imitation import collect_lessons, imitation
from metarl.rl_squared.learning.parallel import make_mesh
from metarl.rl_squared.learning.teachers import Teaching

NETWORK = NetworkConfig(hidden=8)


def init(key, trial, task):
    return jnp.zeros((), jnp.int32)


def act(key, state, observation):
    return state, state


def observe(state, observation, action, reward, terminated, truncated, next_observation):
    return (action + 1) % 3


NEXT_ARM = make_agent(init, act, observe)  # one arm after the other, from whatever was pulled last


@functools.cache
def lessons(share, trials=40):
    environment = load("bandit", arms=3)
    trial = Trial(environment, episodes=6)
    policy = make_policy(environment, NETWORK, acting=True)
    encoder = make_encoder(environment, NetworkConfig())
    keys = jax.random.split(jax.random.key(1), trials)
    params = jax.jit(policy.init)(jax.random.key(0))
    teaching = Teaching(trial, NEXT_ARM, share=share)
    collect = jax.jit(lambda keys: collect_lessons(policy, params, encoder, trial, teaching, keys))
    return collect(keys)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_labels_are_what_the_teacher_would_do_after_what_was_done(share):
    taught = lessons(share)
    done = np.argmax(taught.inputs.seen[:, 1:, 1:4], axis=-1)  # the action before each step
    np.testing.assert_array_equal(taught.labels[:, 1:], (done + 1) % 3)


def test_the_teacher_acts_in_its_share_of_the_trials():
    assert not np.any(lessons(1.0).own)
    assert np.all(lessons(0.0).own)
    mixed = lessons(0.5)
    own = np.asarray(mixed.own)
    assert 5 < own.sum() < 35  # of 40 fair coins; fails by chance once in a million
    done = np.argmax(mixed.inputs.seen[:, 1:, 1:4], axis=-1)
    followed = np.all(done == np.asarray(mixed.labels)[:, :-1], axis=1)
    assert np.all(followed[~own])
    assert not np.all(followed[own])


def test_the_student_learns_what_it_is_told():
    environment = load("bandit", arms=3)
    trial = Trial(environment, episodes=6)
    config, teaching = ImitationConfig(learning_rate=3e-2), Teaching(trial, NEXT_ARM, share=0.3)
    policy = make_policy(environment, NETWORK, acting=True)
    taught = imitation(
        policy,
        make_encoder(environment, NetworkConfig()),
        trial,
        teaching,
        config,
        32,
        120,
        make_mesh(1),
    )
    state = taught.init(jax.jit(policy.init)(jax.random.key(0)))
    update = jax.jit(taught.update)
    for step in range(120):
        state, metrics = update(jax.random.key(step), state)
    assert metrics["agreement"] > 0.95
    assert metrics["cross_entropy"] < 0.2
