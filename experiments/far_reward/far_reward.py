"""Who ever finds one far reward: Go-Explore beside DQN with ε-greedy actions and PPO with an entropy bonus.

    python far_reward.py            # writes far_reward.csv, .svg and .png

What is in the table already is not measured again. The world is the dark room of 17 x 17 cells, hard: one begins in the
middle, sees where one stands, and a cell that is at least `NEAREST` of an episode's 20 steps away brings 1, once an
episode; nothing else brings anything. Tasks are goals drawn from all cells that far away, the same for everybody. A
reward counts as found at the end of the first episode that earned it.

Letters: N tasks; E episodes; H steps of an episode.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
SIDE, HORIZON, NEAREST = 17, 20, 10
TASKS, EPISODES = 24, 400
AGENTS = (
    "go-explore",
    "dqn:hidden=32,batch_size=32,gradient_steps=2",
    "ppo:hidden=32,entropy_weight=0.01",
    "random",
)
Rows = list[dict[str, Any]]


def main() -> None:
    """Measures what was not measured, and writes table and figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=HERE)
    parser.add_argument("--tasks", type=int, default=TASKS, help="N")
    parser.add_argument("--episodes", type=int, default=EPISODES, help="E")
    parser.add_argument(
        "--draw", action="store_true", help="the figure of what is measured, no more"
    )
    arguments = parser.parse_args()
    if not arguments.draw:
        from metarl.cli import configure

        configure(threads=1)
    file = arguments.output / "far_reward.csv"
    rows = read(file)
    for agent in () if arguments.draw else AGENTS:
        if not any(row["agent"] == agent for row in rows):
            began = time.process_time()
            found = found_after(agent, arguments.tasks, arguments.episodes)
            rows += [{"agent": agent, "task": n, "steps": steps} for n, steps in enumerate(found)]
            write(file, rows)
            print(
                f"{agent}: {time.process_time() - began:.0f} seconds of processor time", flush=True
            )
    say(rows)
    draw(rows, arguments.output, arguments.episodes * HORIZON)


def found_after(agent: str, tasks: int, episodes: int) -> np.ndarray:
    """Returns after how many steps an agent had found the reward, inf if never [N]."""
    import jax
    import jax.numpy as jnp

    from metarl import classical_agents, rl_baselines
    from metarl.environments import DarkRoomTask, Trial, load, play

    room = load("dark-room", size=SIDE, horizon=HORIZON, hard=True)
    cells = np.arange(SIDE * SIDE)
    away = np.abs(cells % SIDE - SIDE // 2) + np.abs(cells // SIDE - SIDE // 2)
    drawn = np.random.default_rng(0).choice(cells[away >= NEAREST], tasks, replace=False)
    trial = Trial(room, episodes=episodes)
    maker = classical_agents if agent in classical_agents.names() else rl_baselines
    goals = DarkRoomTask(jnp.asarray(drawn[:, None], jnp.int32))
    returns = np.asarray(play(maker.make(agent, trial), trial, jax.random.key(0), goals).returns)
    first = np.where((returns > 0).any(axis=1), (returns > 0).argmax(axis=1) + 1.0, np.inf)
    return first * HORIZON


def say(rows: Rows) -> None:
    """Prints the share of tasks in which the reward was found, its 95 % interval, and the median of steps."""
    from scipy import stats

    for agent in dict.fromkeys(row["agent"] for row in rows):
        steps = np.array([row["steps"] for row in rows if row["agent"] == agent])
        count = int(np.isfinite(steps).sum())
        low, high = stats.binomtest(count, len(steps)).proportion_ci(method="wilson")
        share = f"{count} of {len(steps)} tasks [{low:.2f}, {high:.2f}]"
        print(f"{agent}: found in {share}, after a median of {np.median(steps):,.0f} steps")


def read(file: Path) -> Rows:
    """Returns the rows of a table that was written before."""
    if not file.is_file():
        return []
    with file.open(newline="") as lines:
        return [
            {"agent": row["agent"], "task": int(row["task"]), "steps": float(row["steps"])}
            for row in csv.DictReader(lines)
        ]


def write(file: Path, rows: Rows) -> None:
    """Writes the table."""
    with file.open("w", newline="") as lines:
        table = csv.DictWriter(lines, ["agent", "task", "steps"], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def draw(rows: Rows, output: Path, most: int) -> None:
    """Writes the figure: in which share of the tasks the reward was found, against steps."""
    from metarl.reporting import Curve, curve_panels

    at = np.linspace(0, most, 81)
    curves = []
    for agent in dict.fromkeys(row["agent"] for row in rows):
        steps = np.array([row["steps"] for row in rows if row["agent"] == agent])
        share = (steps[None] <= at[:, None]).mean(axis=1)
        label = agent.partition(":")[0]
        curves.append(Curve(label, at, share, share, share, foreground=label == "go-explore"))
    chart = curve_panels(
        {"hard dark rooms": curves}, "real steps", "share of tasks, reward found", height=2.8
    )
    chart.write_svg(output / "far_reward.svg")
    chart.write_png(output / "far_reward.png")


if __name__ == "__main__":
    main()
