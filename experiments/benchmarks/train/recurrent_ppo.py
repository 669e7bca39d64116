"""Training beside the recurrent PPO that one would otherwise pick, on the same trials.

    python recurrent_ppo.py --arms 5 --episodes 10 > recurrent-ppo-5-arms-10-pulls.json
    python recurrent_ppo.py --learn 2000000 > recurrent-ppo-5-arms-10-pulls-learning.json

The peer is sb3-contrib's RecurrentPPO, `pip install 'metarl[peers]'`. It gets what training here has:
whole trials of one bandit as episodes, what RL² sees as observation (`rl2_inputs=True`), a
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
import sys
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


class CompiledTrials(VecEnv):
    """metarl's vector environment as stable-baselines3 has its own."""

    def __init__(self, arms: int, episodes: int, count: int, split: str = "train"):
        self.worlds = gymnasium.make_vec(
            "metarl/Bandit-v0",
            num_envs=count,
            arms=arms,
            episodes=episodes,
            split=split,
            rl2_inputs=True,
            autoreset_mode="SameStep",
        )
        spaces = self.worlds.single_observation_space, self.worlds.single_action_space
        super().__init__(count, *spaces)

    def reset(self) -> np.ndarray:
        return self.worlds.reset(seed=0)[0]

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = actions

    def step_wait(self) -> Any:
        shown, rewards, terminated, truncated, more = self.worlds.step(self._actions)
        done = terminated | truncated
        infos: list[dict[str, Any]] = [
            {"terminal_observation": more["final_obs"][world]} if over else {}
            for world, over in enumerate(done)
        ]
        return shown, rewards.astype(np.float32), done, infos

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
    model, steps = peer(job, worlds), job.trials * job.trial.length
    return lambda: model.learn(steps)


def peer(job: TrainJob, worlds: VecEnv, seed: int = 0) -> RecurrentPPO:
    """Returns RecurrentPPO with the settings of training here."""
    ppo, steps = job.config.ppo, job.trials * job.trial.length
    torch.set_num_threads(CORES)
    return RecurrentPPO(
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
        seed=seed,
    )


def learn(arms: int, episodes: int, steps: int, tasks: int = 10_000) -> dict[str, Any]:
    """Returns what RecurrentPPO earns in a trial of test tasks, after so many steps of training."""
    job = TrainJob(TrainConfig(world=WorldConfig(arms=arms, episodes=episodes)))
    model, returns = peer(job, CompiledTrials(arms, episodes, job.trials)), []
    updates = -(-steps // (job.trials * job.trial.length))
    for update in range(updates):
        model.learn(job.trials * job.trial.length, reset_num_timesteps=update == 0)
        if (update + 1) % max(updates // 8, 1) == 0 or update + 1 == updates:
            earned = trial_returns(model, CompiledTrials(arms, episodes, tasks, "test"), episodes)
            error = float(np.std(earned, ddof=1) / np.sqrt(tasks))
            mean = float(np.mean(earned))
            returns.append({"steps": model.num_timesteps, "return": mean, "standard_error": error})
            print(returns[-1], file=sys.stderr, flush=True)
    return {"learning": returns, "arms": arms, "episodes": episodes, "tasks": tasks}


def trial_returns(model: RecurrentPPO, worlds: CompiledTrials, episodes: int) -> np.ndarray:
    """Returns what the likeliest actions earn in one trial of each world [N]."""
    shown, state = worlds.reset(), None
    begins, earned = np.ones(worlds.num_envs, bool), np.zeros(worlds.num_envs)
    for _ in range(episodes):
        actions, state = model.predict(shown, state, begins, deterministic=True)
        shown, rewards, begins, _ = worlds.step(actions)
        earned += rewards
    return earned


def measure(arms: int, episodes: int, repeats: int) -> dict[str, Any]:
    """Returns the rates, as medians of rounds, and metarl's over each of the peer's."""
    config = TrainConfig(world=WorldConfig(arms=arms, episodes=episodes))
    job = TrainJob(config)
    steps = job.trials * job.trial.length
    settings = {"arms": arms, "episodes": episodes, "rl2_inputs": True}
    usual = DummyVecEnv([lambda: gymnasium.make("metarl/Bandit-v0", **settings)] * WORLDS)
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
    }


def versions() -> dict[str, Any]:
    """Returns who was measured."""
    names = ("metarl", "jax", "torch", "stable_baselines3", "sb3_contrib")
    return {"versions": {name: version(name) for name in names}}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--arms", type=int, default=5)
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--learn", type=int, help="train for so many steps, and say what it earns")
    asked = vars(parser.parse_args())
    repeats, steps = asked.pop("repeats"), asked.pop("learn")
    measured = measure(**asked, repeats=repeats) if steps is None else learn(**asked, steps=steps)
    print(json.dumps(measured | versions(), indent=1))
