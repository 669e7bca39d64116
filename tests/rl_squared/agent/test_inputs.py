"""What the network is shown: exactly what the paper lists, nothing of the task, nothing of time."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces

from metarl import environments
from metarl.errors import InvalidInput
from metarl.rl_squared import NetworkConfig
from metarl.rl_squared.agent.inputs import Previous, make_encoder
from metarl.rl_squared.agent.network import make_policy


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
    seen = encoder(observation, encoder.first())
    assert sum(part.size for part in jax.tree.leaves(seen)) == encoder.size
    assert jax.tree.map(lambda x: (x.shape, x.dtype), seen) == jax.tree.map(
        lambda x: (x.shape, x.dtype), encoder.example()
    )


def test_pairs_of_what_is_not_discrete_are_refused():
    with pytest.raises(
        InvalidInput, match=r"--network\.pairs needs discrete observations and actions"
    ):
        make_encoder(environments.load("pendulum"), pairs=True)


def test_images_stay_images_as_levels_and_the_rest_is_told_beside_them():
    maze = environments.load("maze", size=3, width=16, height=13)
    encoder = make_encoder(maze, pairs=False)
    observation, _ = maze.reset(jax.random.key(0), maze.sample_task(jax.random.key(1)))
    seen = encoder(observation, encoder.first())
    assert seen.pixels.dtype == jnp.uint8 and seen.pixels.shape == (13, 16, 3)
    np.testing.assert_array_equal(seen.pixels, np.round((np.asarray(observation) + 1) * 127.5))
    np.testing.assert_array_equal(seen.told, [0, 0, 0, 0, 1])  # no action, no reward, the flag


def test_images_too_small_for_two_convolutions_are_numbers_in_a_row():
    encoder = make_encoder(environments.load("maze", size=3, width=16, height=12), pairs=False)
    assert encoder.example().shape == (16 * 12 * 3 + 5,)


def test_images_without_bounds_are_shown_as_they_are():
    maze = environments.load("maze", size=3, width=16, height=13)
    endless = dataclasses.replace(maze, observation_space=spaces.Box(-np.inf, np.inf, (13, 16, 3)))
    image = jnp.full((13, 16, 3), 7.25)
    encoder = make_encoder(endless, pairs=False)
    np.testing.assert_array_equal(encoder(image, encoder.first()).pixels, image)


def test_a_fast_weight_memory_sees_no_images():
    with pytest.raises(InvalidInput, match="outer-product sees no images, which 'maze' shows"):
        make_policy(environments.load("maze"), NetworkConfig(core="outer-product"))
