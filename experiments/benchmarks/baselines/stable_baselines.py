"""DQN and PPO from scratch beside stable-baselines3's on CartPole-v1, at the same settings.

    python stable_baselines.py --steps 60000 --seeds 8 --output .

The peer is stable-baselines3, `pip install 'metarl[peers]'`, on gymnasium's CartPole-v1; ours learns on
metarl's, whose trajectories are the same, all seeds at once. Both get one world, as many environment
steps, and the same settings wherever both have them (`TEXTS`). What differs: ours brings the targets
of PPO's value to mean 0 and deviation 1, and draws initial weights of DQN from a normal distribution.

Written: `runs.csv`, a line for each seed; `curves.csv`, the mean return of episodes that ended within
each bin of steps, its deviation over seeds, and that against the peer's; both beside `speed.json`.

Letters: S seeds; E episodes of a run.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.callbacks import BaseCallback

from metarl.cli import configure
from metarl.environments import Trial, load, play_split
from metarl.rl_baselines import make, parse
from metarl.runs import usable_cores

BINS = 30
SOLVED, EPISODES = 475.0, 100  # CartPole-v1: the mean return of so many successive episodes
TEXTS = {"dqn": "dqn:double=false", "ppo": "ppo"}  # the peer's DQN is not double


class Run(NamedTuple):
    """One seed."""

    returns: np.ndarray  # [E] of each episode
    ends: np.ndarray  # [E] environment steps when it ended


class Episodes(BaseCallback):
    """Keeps the return of every episode; in CartPole that is its length."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[int] = []

    def _on_step(self) -> bool:
        if self.locals["dones"][0]:
            self.ends.append(self.num_timesteps)
        return True

    def run(self) -> Run:
        ends = np.array(self.ends)
        return Run(np.diff(ends, prepend=0).astype(float), ends)


def ours(name: str, steps: int, seeds: int) -> list[Run]:
    """Returns metarl's runs, learnt side by side."""
    trial = Trial(load("cartpole"), steps=steps)
    played = play_split(make(TEXTS[name], trial), trial, 0, seeds, "test")
    runs = []
    for returns, lengths in zip(played.returns, played.lengths, strict=True):
        begun = np.asarray(lengths) > 0
        ends = np.cumsum(lengths[begun])
        runs.append(
            Run(np.asarray(returns[begun], float)[:-1], ends[:-1])
        )  # the last was cut short
    return runs


def theirs(name: str, steps: int, seeds: int) -> list[Run]:
    """Returns stable-baselines3's runs, one after the other."""
    runs = []
    for seed in range(seeds):
        model, episodes = _peer(name, seed), Episodes()
        model.learn(steps, callback=episodes)
        runs.append(episodes.run())
    return runs


def _peer(name: str, seed: int) -> Any:
    """Returns the peer with our settings."""
    config: Any = parse(TEXTS[name])[1]
    layers = [config.hidden] * config.layers
    shared = {"gamma": config.discount, "seed": seed, "device": "cpu"}
    if name == "dqn":
        return DQN(
            "MlpPolicy",
            "CartPole-v1",
            learning_rate=config.learning_rate,
            buffer_size=config.memory,
            learning_starts=config.learn_after,
            batch_size=config.batch_size,
            train_freq=config.learn_every,
            gradient_steps=config.gradient_steps,
            target_update_interval=config.target_every,
            exploration_fraction=config.exploration_share,
            exploration_initial_eps=config.first_epsilon,
            exploration_final_eps=config.last_epsilon,
            max_grad_norm=config.max_gradient_norm,
            policy_kwargs={"net_arch": layers},
            **shared,
        )
    update = config.update
    return PPO(
        "MlpPolicy",
        "CartPole-v1",
        learning_rate=update.learning_rate,
        n_steps=config.steps,
        batch_size=config.steps // update.minibatches,
        n_epochs=update.epochs,
        gae_lambda=update.gae_lambda,
        clip_range=update.clip,
        ent_coef=update.entropy_weight,
        vf_coef=update.value_weight,
        max_grad_norm=update.max_gradient_norm,
        policy_kwargs={"net_arch": {"pi": layers, "vf": layers}},
        **shared,
    )


def solved_after(run: Run) -> int | None:
    """Returns the environment steps after which a run had solved CartPole-v1; None if it had not."""
    if len(run.returns) < EPISODES:
        return None
    means = np.convolve(run.returns, np.full(EPISODES, 1 / EPISODES), "valid")
    reached = np.flatnonzero(means >= SOLVED)
    return int(run.ends[reached[0] + EPISODES - 1]) if reached.size else None


def curve(run: Run, steps: int) -> np.ndarray:
    """Returns the mean return of the episodes that ended in each bin [BINS]; as before where none did."""
    edges = np.linspace(0, steps, BINS + 1)
    means: list[float] = []
    for low, high in itertools.pairwise(edges):
        inside = run.returns[(run.ends > low) & (run.ends <= high)]
        means.append(float(inside.mean()) if inside.size else means[-1] if means else 0.0)
    return np.array(means)


def measure(steps: int, seeds: int) -> tuple[list[dict], list[dict], dict[str, Any]]:
    """Returns rows of runs, rows of curves, and seconds."""
    runs, curves, seconds = [], [], {}
    makers: dict[str, Callable[..., list[Run]]] = {"metarl": ours, "stable-baselines3": theirs}
    for name in TEXTS:
        by_bin = {}
        for maker, learn in makers.items():
            what, began = f"{maker}, {name}", time.perf_counter()
            found = learn(name, steps, seeds)
            seconds[what] = time.perf_counter() - began
            print(f"{what}: {seconds[what]:.0f} s", file=sys.stderr, flush=True)
            by_bin[maker] = np.stack([curve(run, steps) for run in found])  # [S, BINS]
            runs += [
                {
                    "agent": name,
                    "from": maker,
                    "seed": seed,
                    "mean_return": float(by_bin[maker][seed].mean()),
                    "last_episodes": float(run.returns[-EPISODES:].mean()),
                    "solved_after": solved_after(run),
                }
                for seed, run in enumerate(found)
            ]
        for index in range(BINS):
            row: dict[str, Any] = {"agent": name, "steps": round((index + 1) * steps / BINS)}
            for maker, means in by_bin.items():
                row[f"{maker} mean"] = float(means[:, index].mean())
                row[f"{maker} deviation"] = float(means[:, index].std(ddof=1))
            curves.append(row)
    return runs, curves, {"seconds": seconds}


def within_spread(runs: list[dict]) -> dict[str, Any]:
    """Returns, of each agent, both mean returns over the budget, and their difference in deviations."""
    found = {}
    for name in TEXTS:
        columns = [
            [run["mean_return"] for run in runs if (run["agent"], run["from"]) == (name, maker)]
            for maker in ("metarl", "stable-baselines3")
        ]
        means = [statistics.mean(column) for column in columns]
        spread = statistics.stdev(columns[1])
        error = math.sqrt(sum(statistics.variance(column) / len(column) for column in columns))
        found[name] = {
            "metarl": means[0],
            "stable-baselines3": means[1],
            "standard error of their difference": error,
            "deviation over the peer's seeds": spread,
            "difference in deviations": (means[0] - means[1]) / spread,
        }
    return found


def _write(path: Path, rows: list[dict]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--steps", type=int, default=60_000)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--output", type=Path, default=Path("."))
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    configure("cpu")
    all_runs, all_curves, speed = measure(given.steps, given.seeds)
    _write(given.output / "runs.csv", all_runs)
    _write(given.output / "curves.csv", all_curves)
    names = ("metarl", "jax", "torch", "stable_baselines3", "gymnasium")
    document = {
        "mean return over the budget": within_spread(all_runs),
        **speed,
        "steps": given.steps,
        "seeds": given.seeds,
        "cores": usable_cores(),
        "versions": {name: version(name) for name in names},
    }
    (given.output / "speed.json").write_text(
        json.dumps(document, indent=1) + "\n", encoding="utf-8"
    )
    print(json.dumps(document, indent=1))
