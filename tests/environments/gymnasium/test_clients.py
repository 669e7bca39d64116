"""Other libraries take our worlds by name, and none of them is asked to know metarl."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

import metarl  # noqa: F401 (registers the environments)
from metarl.environments import HostTrials, Trial, from_gymnasium
from metarl.environments.gymnasium.registration import IDS

pytestmark = [
    pytest.mark.extras,
    pytest.mark.filterwarnings("ignore"),  # theirs, about our spaces and one another
]


def client(module: str) -> Any:
    """Returns a module of another library, or skips the test."""
    return pytest.importorskip(module, reason=f"no {module}: pip install 'metarl[peers]'")


@pytest.mark.parametrize("name", IDS)
def test_stable_baselines_takes_every_id(name):
    model = client("stable_baselines3").PPO(
        "MlpPolicy", name, n_steps=8, batch_size=8, n_epochs=1, device="cpu", seed=0
    )
    model.learn(16)
    assert model.num_timesteps == 16


def test_stable_baselines_makes_several_worlds():
    make = client("stable_baselines3.common.env_util").make_vec_env
    worlds = make("metarl/MDP-v0", 2, seed=0, env_kwargs={"states": 4})
    assert worlds.reset().shape == (2,)
    ends = [worlds.step(np.zeros(2, int))[2] for _ in range(10)]
    np.testing.assert_array_equal(ends, [[False, False]] * 9 + [[True, True]])


@pytest.mark.parametrize("name", IDS)
def test_torchrl_takes_every_id(name):
    rollout = client("torchrl.envs.libs.gym").GymEnv(name).rollout(3)
    assert rollout["next", "reward"].isfinite().all()


@pytest.mark.parametrize("name", IDS)
def test_gymnasium_makes_several_with_a_limit(name):
    worlds = gymnasium.make_vec(name, 2, max_episode_steps=1)
    worlds.reset(seed=0)
    _, _, terminated, truncated, _ = worlds.step(worlds.action_space.sample())
    assert (terminated | truncated).all()


def test_stable_baselines_learns_from_pixels():
    """A world of its own of uint8 pixels, and the same with what RL² sees beside them."""
    settings = {"size": 3, "width": 40, "height": 40, "uint8": True, "horizon": 8}
    for policy, more in (("CnnPolicy", {}), ("MultiInputPolicy", {"rl2_inputs": True})):
        env = gymnasium.make("metarl/Maze-v0", **settings, **more)
        model = client("stable_baselines3").PPO(policy, env, n_steps=8, batch_size=8, n_epochs=1)
        model.learn(8)


def test_a_recurrent_policy_from_elsewhere_sees_what_rl2_sees():
    env = gymnasium.make("metarl/Bandit-v0", arms=2, episodes=4, rl2_inputs=True)
    settings = {"n_steps": 8, "batch_size": 8, "n_epochs": 1}
    model = client("sb3_contrib").RecurrentPPO("MlpLstmPolicy", env, **settings)
    model.learn(8)
    assert model.observation_space.shape == (1 + 2 + 2,)


def test_a_trial_in_minigrid_keeps_its_task():
    """Layout, start and goal come from the seed of `reset`: another one in each inner episode."""
    wrappers = client("minigrid.wrappers")

    def make_env():
        return wrappers.ImgObsWrapper(gymnasium.make("MiniGrid-FourRooms-v0"))

    with pytest.warns(UserWarning, match="the seed is taken for the task"):
        family = from_gymnasium(make_env, lambda generator, split: {}, horizon=3)
    assert family.seed_is_task
    with HostTrials(Trial(family, episodes=4), 2) as trials:
        seen = [trials.reset(seed=0)]
        while not trials.over.all():
            ended = trials.step(np.array([2, 2])).episode_ended
            if ended.all() and not trials.over.all():
                seen.append(trials.observations)
    assert len(seen) == 4
    for later in seen[1:]:
        np.testing.assert_array_equal(later, seen[0])
    assert (seen[0][0] != seen[0][1]).any()


def test_worlds_step_in_processes_of_their_own():
    worlds = gymnasium.make_vec(
        "metarl:metarl/MDP-v0", 2, vectorization_mode="async", vector_kwargs={"context": "spawn"}
    )
    together = gymnasium.make_vec("metarl/MDP-v0", 2)
    for envs in (worlds, together):
        envs.reset(seed=0)
    mine, theirs = together.step(np.array([0, 1])), worlds.step(np.array([0, 1]))
    worlds.close()
    np.testing.assert_array_equal(mine[0], theirs[0])
    np.testing.assert_allclose(mine[1], theirs[1], rtol=1e-6)
