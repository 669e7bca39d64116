"""Why a decision transformer learns little from 1,000 random walks: a return of 1 is rare in what it is shown.

    python balance.py                       # decision transformers of 300 gradient steps, balanced and not
    python balance.py steps=300,balance=0.5 --seeds 0 1 2 3 4 --luck 0     # trainings and tasks of settings.json
    python balance.py steps=300,balance=0.5 steps=3000,balance=0.5 steps=3000 --walks 10000

Success in % of 200 episodes in pairs of key and door that the walks were made in, and in other pairs. The usual
seeds are none that `settings.json` uses: by them settings were chosen.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

SEEDS = (100, 101, 102, 103)
TASKS = 200


def main() -> None:
    """Prints a line for each set of settings."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("settings", nargs="*", default=["steps=300", "steps=300,balance=0.5"])
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--walks", type=int, default=1000, help="that each training learns from")
    parser.add_argument("--luck", type=int, default=7, help="seed of tasks and luck")
    arguments = parser.parse_args()
    from metarl.cli import configure

    configure(threads=1)
    from metarl.environments import Trial, load, play_split
    from metarl.rl_baselines import make

    trial = Trial(load("key-to-door"), episodes=1)
    for settings in arguments.settings:
        began = time.process_time()
        opened: dict[str, list[float]] = {"train": [], "test": []}
        for seed in arguments.seeds:
            data = f"trajectories={arguments.walks},seed={seed}"
            agent = make(f"decision-transformer:{settings},{data}", trial)
            for split, shares in opened.items():
                played = play_split(agent, trial, arguments.luck, TASKS, split)  # type: ignore[arg-type]
                shares.append(100 * float(np.mean(played.totals)))
        spent = time.process_time() - began
        for split, shares in opened.items():
            each = ", ".join(f"{share:.0f}" for share in shares)
            print(f"{settings}, {split}: {np.mean(shares):.1f} % ({each})")
        print(f"{spent:.0f} seconds of processor time", flush=True)


if __name__ == "__main__":
    main()
