"""What the network is shown: exactly what the paper lists, nothing of the task, nothing of time."""

from __future__ import annotations

import dataclasses

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces

from metarl import environments
from metarl.environments import RL2Inputs
from metarl.errors import InvalidInput
from metarl.rl_squared import NetworkConfig
from metarl.rl_squared.agent.inputs import Previous, make_encoder
from metarl.rl_squared.agent.network import make_policy


def test_the_first_inputs_have_no_action_no_reward_and_a_flag():
    encoder = make_encoder(environments.load("mdp", states=3, actions=2), NetworkConfig())
    seen = encoder(jnp.array(0), encoder.first())
    np.testing.assert_array_equal(seen, [1, 0, 0, 0, 0, 0, 1])


def test_later_inputs_are_observation_action_reward_and_flag_in_a_row():
    encoder = make_encoder(environments.load("mdp", states=3, actions=2), NetworkConfig())
    previous = Previous(
        jnp.array(1), jnp.array(1), jnp.array(-0.5), jnp.array(False), jnp.array(True)
    )
    np.testing.assert_array_equal(encoder(jnp.array(2), previous), [0, 0, 1, 0, 1, -0.5, 0])


def test_pairs_add_the_previous_pair_alone_and_times_the_reward():
    encoder = make_encoder(environments.load("mdp", states=3, actions=2), NetworkConfig(pairs=True))
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
    encoder = make_encoder(environments.load("mdp", states=3, actions=2), NetworkConfig(pairs=True))
    assert not np.any(encoder(jnp.array(0), encoder.first())[7:])


@pytest.mark.parametrize("real", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("whole", ["int8", "uint8", "int32"])
def test_what_is_left_behind_has_one_type_whatever_the_family_and_the_policy_have(real, whole):
    """As a compiled trial needs: a user's family may show other types than its spaces say."""
    kinds: list[tuple[spaces.Space, tuple[int, ...], str]] = [
        (spaces.Box(-1.0, 1.0, (2,), np.float16), (2,), real),
        (spaces.Box(-1.0, 1.0, (2,), np.float64), (2,), real),
        (spaces.MultiBinary(2), (2,), whole),
        (spaces.MultiDiscrete([2, 3]), (2,), whole),
        (spaces.Discrete(3), (), whole),
        (spaces.Discrete(3, dtype=np.int8), (), whole),
    ]
    flag, reward = jax.ShapeDtypeStruct((), bool), jax.ShapeDtypeStruct((), jnp.float32)
    for space, shape, kind in kinds:
        family = dataclasses.replace(
            environments.load("bandit"), observation_space=space, action_space=space
        )
        encoder = make_encoder(family, NetworkConfig())
        before, given = jax.eval_shape(encoder.first), jax.ShapeDtypeStruct(shape, jnp.dtype(kind))
        after = jax.eval_shape(encoder.remember, before, given, given, reward, flag, flag, given)
        assert after == before, space


@pytest.mark.parametrize("name", environments.names())
def test_every_family_can_be_shown(name):
    environment = environments.load(name)
    encoder = make_encoder(environment, NetworkConfig())

    def first_inputs():
        task = environment.sample_task(jax.random.key(0))
        observation, _ = environment.reset(jax.random.key(1), task)
        return encoder(observation, encoder.first())

    seen = jax.eval_shape(first_inputs)
    assert sum(part.size for part in jax.tree.leaves(seen)) == encoder.size
    assert jax.tree.map(lambda x: (x.shape, x.dtype), seen) == jax.tree.map(
        lambda x: (x.shape, x.dtype), encoder.example()
    )


def test_pairs_of_what_is_not_discrete_are_refused():
    with pytest.raises(
        InvalidInput, match=r"--network\.pairs needs discrete observations and actions"
    ):
        make_encoder(environments.load("pendulum"), NetworkConfig(pairs=True))


def test_images_stay_images_as_levels_and_the_rest_is_told_beside_them():
    maze = environments.load("maze", size=3, width=16, height=13)
    encoder = make_encoder(maze, NetworkConfig())

    @jax.jit
    def first():
        observation, _ = maze.reset(jax.random.key(0), maze.sample_task(jax.random.key(1)))
        return observation, encoder(observation, encoder.first())

    observation, seen = first()
    assert seen.pixels.dtype == jnp.uint8 and seen.pixels.shape == (13, 16, 3)
    np.testing.assert_array_equal(seen.pixels, np.round((np.asarray(observation) + 1) * 127.5))
    np.testing.assert_array_equal(seen.told, [0, 0, 0, 0, 1])  # no action, no reward, the flag


def test_images_too_small_for_two_convolutions_are_numbers_in_a_row():
    encoder = make_encoder(environments.load("maze", size=3, width=16, height=12), NetworkConfig())
    assert encoder.example().shape == (16 * 12 * 3 + 5,)


def test_images_without_bounds_are_shown_as_they_are():
    maze = environments.load("maze", size=3, width=16, height=13)
    endless = dataclasses.replace(maze, observation_space=spaces.Box(-np.inf, np.inf, (13, 16, 3)))
    image = jnp.full((13, 16, 3), 7.25)
    encoder = make_encoder(endless, NetworkConfig())
    np.testing.assert_array_equal(encoder(image, encoder.first()).pixels, image)


def test_a_fast_weight_memory_sees_no_images():
    with pytest.raises(InvalidInput, match="outer-product sees no images, which 'maze' shows"):
        make_policy(environments.load("maze"), NetworkConfig(core="outer-product"))


TRIALS = [
    ("metarl/MDP-v0", {"states": 3, "horizon": 3, "steps": 7}),
    ("metarl/Bandit-v0", {"arms": 2, "episodes": 5}),
    ("metarl/Pendulum-v0", {"horizon": 2, "episodes": 2}),
    ("metarl/Maze-v0", {"size": 3, "width": 16, "height": 13, "horizon": 3, "episodes": 2}),
]


@pytest.mark.parametrize(("name", "settings"), TRIALS)
def test_agents_from_elsewhere_see_what_our_own_see(name, settings):
    """In the same trial: through gymnasium, through the wrapper, and by the encoder of our agents."""
    raw = gymnasium.make(name, **settings)
    seen = gymnasium.make(name, **settings, rl2_inputs=True)
    wrapped = RL2Inputs(gymnasium.make(name, **settings))
    assert seen.observation_space == wrapped.observation_space
    encoder = make_encoder(raw.unwrapped._game.trial.environment, NetworkConfig())  # pyright: ignore
    previous, over = encoder.first(), False
    observation, shown, others = (env.reset(seed=4)[0] for env in (raw, seen, wrapped))
    while True:
        expected = _in_a_row(encoder(jnp.asarray(observation), previous))
        np.testing.assert_array_equal(_in_a_row(shown), expected)
        np.testing.assert_array_equal(_in_a_row(others), expected)
        assert shown in seen.observation_space and others in seen.observation_space
        if over:
            break
        action = seen.action_space.sample()
        observation, reward, terminated, truncated, info = raw.step(action)
        shown, *_ = seen.step(action)
        others, *_ = wrapped.step(action)
        over = terminated or truncated
        previous = Previous(
            jnp.asarray(info["next_observation"]),
            jnp.asarray(action),
            jnp.float32(reward),
            jnp.asarray(info["episode_terminated"] or info["episode_truncated"]),
            jnp.array(True),
        )


@pytest.mark.parametrize(
    ("name", "settings", "mode"),
    [
        (*TRIALS[0], "NextStep"),
        (*TRIALS[0], "SameStep"),
        pytest.param(*TRIALS[3], "NextStep", marks=pytest.mark.slow),
        pytest.param(*TRIALS[3], "SameStep", marks=pytest.mark.slow),
    ],
)
def test_many_worlds_show_what_one_shows(name, settings, mode):
    settings = settings | {"rl2_inputs": True}
    one = gymnasium.make(name, **settings)
    many = gymnasium.make_vec(name, 2, autoreset_mode=mode, **settings)
    assert many.single_observation_space == one.observation_space
    shown, batch = one.reset(seed=5)[0], many.reset(seed=4)[0]
    over = False
    for t in range(12):
        rows = jax.tree.map(lambda rows: rows[1], batch)
        np.testing.assert_allclose(_in_a_row(rows), _in_a_row(shown), atol=1e-6)
        batch, _, terminated, truncated, info = many.step(np.full(2, t % 3))
        if over:  # NEXT_STEP: this step was the reset
            shown, over = one.reset()[0], False
            continue
        shown, _, *ends, _ = one.step(t % 3)
        over = any(ends)
        assert over == (terminated | truncated)[1]
        if over and mode == "SameStep":
            last = _in_a_row(info["final_obs"][1])
            np.testing.assert_allclose(last, _in_a_row(shown), atol=1e-6)
            shown, over = one.reset()[0], False


def _in_a_row(seen):
    """Returns what is seen as one vector: an image first."""
    return np.concatenate([np.ravel(part).astype(float) for part in jax.tree.leaves(seen)])


def test_rl2_inputs_are_asked_for_by_yes_or_no():
    with pytest.raises(InvalidInput, match="rl2_inputs is 'yes'; it must be true or false"):
        gymnasium.make("metarl/Bandit-v0", rl2_inputs="yes")
