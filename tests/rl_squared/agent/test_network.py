"""The network of an agent acts within the space that its environment names."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces

from metarl import rl_baselines
from metarl.cli import main
from metarl.environments import Environment, Step, Trial, load
from metarl.environments.playing.playing import _play as play_once
from metarl.errors import InvalidInput
from metarl.rl_squared import NetworkConfig
from metarl.rl_squared.agent.agent import acting_agent
from metarl.rl_squared.agent.network import POLICY, make_head, make_policy


def reaching(shape) -> Environment:
    """Episodes of two steps; each pays the sum of the action, which must have the promised shape."""

    def step(key, state, action, task):
        assert action.shape == shape
        reward = jnp.sum(action) * task
        return Step(state.astype(float), state + 1, reward, jnp.bool_(False), state >= 1, {})

    return Environment(
        name="reaching",
        settings={},
        observation_space=spaces.Box(0, 9, ()),
        action_space=spaces.Box(-1, 1, shape),
        horizon=2,
        draw_task=lambda key, split: jax.random.uniform(key),
        reset=lambda key, task: (jnp.float32(0), jnp.int32(0)),
        step=step,
    )


@pytest.mark.parametrize("shape", [(), (2, 2)])
def test_actions_have_the_shape_of_their_space(shape):
    """Also where the environment, one of a user's own, makes something of the shape."""
    trial, config = Trial(reaching(shape), episodes=1), NetworkConfig(core="none", hidden=2)
    policy = make_policy(trial.environment, config, acting=True)

    def play(key):
        network, drawn, luck = jax.random.split(key, 3)
        agent = acting_agent(trial.environment, config, policy.init(network)[POLICY])
        task = trial.environment.sample_tasks(drawn, 2)
        return play_once(trial, agent, luck, task, jnp.arange(2))

    assert jax.eval_shape(play, jax.random.key(0)).returns.shape == (2, 1)


def test_a_learner_from_scratch_remembers_actions_of_any_shape():
    trial = Trial(reaching((2, 2)), episodes=2)
    learner = rl_baselines.make("reinforce:steps=2,hidden=2,layers=1", trial)

    def play(key):
        keys = jax.random.split(key, 4)
        task = trial.environment.sample_task(keys[0])
        observation, _ = trial.environment.reset(keys[1], task)
        memory = learner.init(keys[2], trial, None)
        action, memory = learner.act(keys[3], memory, observation)
        truth = jnp.bool_(True)
        return learner.observe(memory, observation, action, 1.0, truth, truth, observation), action

    assert jax.eval_shape(play, jax.random.key(0))[1].shape == (2, 2)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (spaces.Discrete(3, start=1), "ctions of 'bandit' start at 1; they are counted from 0"),
        (spaces.Box(0, 5, (2,), np.int32), "ctions of 'bandit' are a Box of int32; policies act"),
    ],
)
def test_actions_that_a_policy_cannot_give_are_refused(space, message):
    """Else it would act outside of the space without a word."""
    family = dataclasses.replace(load("bandit", arms=3), action_space=space)
    with pytest.raises(InvalidInput, match=message):
        make_head(family, NetworkConfig())
    with pytest.raises(InvalidInput, match=message):
        rl_baselines.make("ppo", Trial(family, episodes=2))


def test_observations_without_numbers_are_refused_by_who_learns_from_them():
    family = dataclasses.replace(load("bandit", arms=3), observation_space=spaces.Box(-1, 1, (0,)))
    with pytest.raises(InvalidInput, match="observations of 'bandit' hold no numbers"):
        rl_baselines.make("ppo", Trial(family, episodes=2))


def test_double_precision_is_refused_before_anything_is_played(capsys):
    """It ended in an error of jax about types, for every agent that counts and every training."""
    with jax.enable_x64(True):
        for verb in (["evaluate", "ucb1"], ["train"]):
            words = ["--environment", "bandit", "--arms", "7", "--episodes", "3"]
            assert main([*verb, *words]) == 2
            assert (
                "jax_enable_x64 is on; agents learn and act in float32 alone"
                in capsys.readouterr().err
            )
