"""Training beside the recurrent PPO that one would otherwise pick, on the same trials.

    python recurrent_ppo.py --arms 5 --episodes 10 > recurrent-ppo-5-arms-10-pulls.json

The peer is sb3-contrib's RecurrentPPO, `pip install 'metarl[peers]'`. It gets what training here has:
whole trials of one bandit as episodes, previous action, reward and flag in the observation, a
recurrent network of 64 units for the policy and one for the value, as many steps, epochs and
minibatches an update, and all cores. Its worlds come in two ways:

  gymnasium   64 environments of `gymnasium.make` in stable-baselines3's DummyVecEnv, as is usual
  compiled    metarl's vector environment, with all trials of an update at once: the fastest it
              could be given

All train in turns in one process; a rate counts environment steps over everything that training does.

Letters: N worlds; F inputs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import gymnasium
import jax
import numpy as np

from metarl.cli import configure
from metarl.runs import usable_cores

CORES = usable_cores()
configure("cpu")  # before anything is computed

import torch  # noqa: E402
from sb3_contrib import RecurrentPPO  # noqa: E402
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv  # noqa: E402

import metarl  # noqa: E402, F401 (registers the environments)
from metarl.rl_squared import TrainConfig, WorldConfig  # noqa: E402
from metarl.rl_squared.learning.train_job import TrainJob  # noqa: E402

WORLDS = 64  # of DummyVecEnv


class Trial(gymnasium.Wrapper):
    """A trial of a bandit, shown as RL² is shown it: previous action, reward and flag."""

    def __init__(self, arms: int, episodes: int):
        super().__init__(gymnasium.make("metarl/Bandit-v0", arms=arms, episodes=episodes))
        self.arms = arms
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (arms + 3,), np.float32)

    def reset(self, **options: Any) -> Any:
        _, info = self.env.reset(**options)
        return self._shown(None, 0.0), info

    def step(self, action: Any) -> Any:
        _, reward, terminated, truncated, info = self.env.step(action)
        return self._shown(action, float(reward)), reward, terminated, truncated, info

    def _shown(self, action: Any, reward: float) -> np.ndarray:
        """Returns the inputs [F]; a pull is an episode, so the flag is always 1."""
        shown = np.zeros(self.arms + 3, np.float32)
        shown[0] = shown[-1] = 1
        shown[-2] = reward
        if action is not None:
            shown[1 + int(action)] = 1
        return shown


class CompiledTrials(VecEnv):
    """Trials of a bandit in one compiled vector environment, shown likewise."""

    def __init__(self, arms: int, episodes: int, count: int):
        self.worlds = gymnasium.make_vec(
            "metarl/Bandit-v0",
            num_envs=count,
            arms=arms,
            episodes=episodes,
            autoreset_mode="SameStep",
        )
        self.arms = arms
        space = gymnasium.spaces.Box(-np.inf, np.inf, (arms + 3,), np.float32)
        super().__init__(count, space, self.worlds.single_action_space)

    def reset(self) -> np.ndarray:
        self.worlds.reset(seed=0)
        return self._shown(np.zeros((self.num_envs, self.arms)), np.zeros(self.num_envs))

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = actions

    def step_wait(self) -> Any:
        _, rewards, terminated, truncated, _ = self.worlds.step(self._actions)
        done = terminated | truncated
        # The first step of a new trial knows of no action and no reward.
        before = np.eye(self.arms)[self._actions] * ~done[:, None]
        shown = self._shown(before, rewards * ~done)
        infos: list[dict[str, Any]] = [
            {"terminal_observation": shown[world]} if over else {}
            for world, over in enumerate(done)
        ]
        return shown, rewards.astype(np.float32), done, infos

    def _shown(self, before: np.ndarray, rewards: np.ndarray) -> np.ndarray:
        """Returns the inputs [N, F]."""
        ones = np.ones((self.num_envs, 1))
        return np.concatenate([ones, before, rewards[:, None], ones], axis=1).astype(np.float32)

    def close(self) -> None:
        self.worlds.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [None] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise NotImplementedError

    def env_method(self, method_name: str, *arguments: Any, **settings: Any) -> list[Any]:
        raise NotImplementedError

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        return [False] * self.num_envs


def ours(job: TrainJob, updates: int) -> Callable[[], Any]:
    """Returns a program of so many updates of metarl's training."""
    learner = job.init().learner
    rows = job.reinforcement_rows(0, updates)
    return lambda: jax.block_until_ready(job.reinforcement_chunk(learner, *rows))


def theirs(job: TrainJob, worlds: VecEnv) -> Callable[[], Any]:
    """Returns an update of RecurrentPPO with the same settings."""
    ppo, steps = job.config.ppo, job.trials * job.trial.length
    torch.set_num_threads(CORES)
    model = RecurrentPPO(
        "MlpLstmPolicy",
        worlds,
        learning_rate=ppo.learning_rate,
        n_steps=steps // worlds.num_envs,
        batch_size=steps // ppo.minibatches,
        n_epochs=ppo.epochs,
        gamma=job.config.discount,
        gae_lambda=ppo.gae_lambda,
        ent_coef=0.0,
        policy_kwargs={"lstm_hidden_size": job.config.network.hidden, "net_arch": []},
        device="cpu",
        seed=0,
    )
    return lambda: model.learn(steps)


def measure(arms: int, episodes: int, repeats: int) -> dict[str, Any]:
    """Returns the rates, as medians of rounds, and metarl's over each of the peer's."""
    config = TrainConfig(world=WorldConfig(arms=arms, episodes=episodes))
    job = TrainJob(config)
    steps = job.trials * job.trial.length
    usual = DummyVecEnv([lambda: Trial(arms, episodes) for _ in range(WORLDS)])
    programs = {
        "metarl": (ours(job, 8), 8),
        "recurrent_ppo, gymnasium": (theirs(job, usual), 1),
        "recurrent_ppo, compiled": (theirs(job, CompiledTrials(arms, episodes, job.trials)), 1),
    }
    rates: dict[str, list[float]] = {name: [] for name in programs}
    for program, _ in programs.values():
        program()  # compiles, and warms caches
    for _ in range(repeats):
        for name, (program, updates) in programs.items():
            began = time.perf_counter()
            program()
            rates[name].append(updates * steps / (time.perf_counter() - began))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    return {
        "ratios": {name: medians["metarl"] / rate for name, rate in medians.items()},
        "steps_per_second": medians,
        "rounds": rates,
        "arms": arms,
        "trial_steps": job.trial.length,
        "batch_steps": steps,
        "cores": CORES,
        "versions": {
            name: version(name)
            for name in ("metarl", "jax", "torch", "stable_baselines3", "sb3_contrib")
        },
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--arms", type=int, default=5)
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    print(json.dumps(measure(**vars(parser.parse_args())), indent=1))
