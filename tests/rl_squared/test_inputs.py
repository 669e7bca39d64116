"""What the network is shown: exactly what the paper lists, nothing of the task, nothing of time."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl import environments
from metarl.errors import InvalidInput
from metarl.rl_squared.inputs import Previous, make_encoder


def test_the_first_inputs_have_no_action_no_reward_and_a_flag():
    encoder = make_encoder(environments.load("mdp", states=3, actions=2), pairs=False)
    seen = encoder(jnp.array(0), encoder.first())
    np.testing.assert_array_equal(seen, [1, 0, 0, 0, 0, 0, 1])


def test_later_inputs_are_observation_action_reward_and_flag_in_a_row():
    encoder = make_encoder(environments.load("mdp", states=3, actions=2), pairs=False)
    previous = Previous(
        jnp.array(1), jnp.array(1), jnp.array(-0.5), jnp.array(False), jnp.array(True)
    )
    np.testing.assert_array_equal(encoder(jnp.array(2), previous), [0, 0, 1, 0, 1, -0.5, 0])


def test_pairs_add_the_previous_pair_alone_and_times_the_reward():
    encoder = make_encoder(environments.load("mdp", states=3, actions=2), pairs=True)
    previous = Previous(
        jnp.array(1), jnp.array(1), jnp.array(-0.5), jnp.array(False), jnp.array(True)
    )
    seen = np.asarray(encoder(jnp.array(2), previous))
    pair = np.zeros((3, 2))
    pair[1, 1] = 1
    np.testing.assert_array_equal(seen[7:13], pair.ravel())
    np.testing.assert_array_equal(seen[13:], -0.5 * pair.ravel())
    assert encoder.size == seen.size


def test_before_the_first_step_there_is_no_pair():
    encoder = make_encoder(environments.load("mdp", states=3, actions=2), pairs=True)
    assert not np.any(encoder(jnp.array(0), encoder.first())[7:])


@pytest.mark.parametrize("name", environments.names())
def test_every_family_can_be_shown(name):
    environment = environments.load(name)
    encoder = make_encoder(environment, pairs=False)
    task = environment.sample_task(jax.random.key(0))
    observation, _ = environment.reset(jax.random.key(1), task)
    assert encoder(observation, encoder.first()).shape == (encoder.size,)


def test_pairs_of_what_is_not_discrete_are_refused():
    with pytest.raises(
        InvalidInput, match=r"--network\.pairs needs discrete observations and actions"
    ):
        make_encoder(environments.load("pendulum"), pairs=True)
