"""Why a decision transformer learns little from 1,000 random walks: a return of 1 is rare in what it is shown.

    python balance.py                       # decision transformers of 300 gradient steps, balanced and not
    python balance.py steps=1000,balance=0.5

Success in % of 200 episodes in pairs of key and door that the walks were made in, of trainings with seeds that
`settings.json` does not use.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

SEEDS = (100, 101, 102, 103)
TASKS, LUCK = 200, 7


def main() -> None:
    """Prints a line for each set of settings."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("settings", nargs="*", default=["steps=300", "steps=300,balance=0.5"])
    arguments = parser.parse_args()
    from metarl.cli import configure

    configure(threads=1)
    from metarl.environments import Trial, load, play_split
    from metarl.rl_baselines import make

    trial = Trial(load("key-to-door"), episodes=1)
    for settings in arguments.settings:
        began, opened = time.process_time(), []
        for seed in SEEDS:
            agent = make(f"decision-transformer:trajectories=1000,{settings},seed={seed}", trial)
            played = play_split(agent, trial, LUCK, TASKS, "train")
            opened.append(100 * float(np.mean(played.totals)))
        spent = time.process_time() - began
        each = ", ".join(f"{share:.0f}" for share in opened)
        print(f"{settings}: {np.mean(opened):.1f} % ({each}), {spent:.0f} s", flush=True)


if __name__ == "__main__":
    main()
