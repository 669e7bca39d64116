"""How often learners from scratch fall back on CartPole-v1 after it was as good as solved, beside a peer's PPO.

    python late_falls.py --seeds 48                # ours, a line for each seed in late_falls_seeds.csv
    python late_falls.py --peer --seeds 32         # stable-baselines3's PPO at the settings of ours, a minute a seed
    python late_falls.py --judge                   # the table alone, from what is measured
    python late_falls.py --agents trpo             # some of the settings

What is measured already is not measured again. Each seed learns for 70,000 environment steps in a world of its own.
It is as good as solved at the first 20 successive episodes whose mean return is 475; it has fallen back if 20 later
ones have a mean below 400.

Written: `late_falls_seeds.csv`, and from it `late_falls.csv`, a line for each setting: the counts, the share that has
fallen back of those that were as good as solved with Wilson's interval (95 %), the p-value of Fisher's exact test that
it differs from that of the same algorithm at its defaults, the mean return of the episodes that ended after 50,000
steps, the number of seeds in which that is below 475 with the p-value of the same test, and the median of the steps
after which it was as good as solved, of settings for which that is recorded.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import fisher_exact

from metarl.statistics import share_interval

STEPS, LATE, EPISODES, SOLVED, FALLEN = 70_000, 50_000, 20, 475.0, 400.0
LUCK = 1  # of our seeds; the cause was looked for on others
PEER = "stable-baselines3"
DEFAULT = "ppo"
AGENTS = (
    DEFAULT,
    "ppo:preserve_values=false",
    "trpo",
    "trpo:advantage_floor=0",
    "trpo:advantage_floor=0,preserve_values=true",
    "ppo:normalise_values=false",
)
Rows = list[dict[str, Any]]


def ours(agent: str, seeds: int) -> Rows:
    """Returns what became of each seed of one setting, all learnt side by side."""
    from metarl.environments import Trial, load, play_split
    from metarl.rl_baselines import make

    trial = Trial(load("cartpole"), steps=STEPS)
    played = play_split(make(agent, trial), trial, LUCK, seeds, "test")
    rows = []
    for seed, (returns, lengths) in enumerate(zip(played.returns, played.lengths, strict=True)):
        whole = np.flatnonzero(lengths)[:-1]  # the last episode was cut short
        scores, ends = np.asarray(returns[whole], float), np.cumsum(lengths[whole])
        rows.append({"agent": agent, "seed": seed, **fate(scores, ends)})
    return rows


def theirs(seeds: int, done: set[int]) -> Iterator[Rows]:
    """Gives what became of each seed of the peer that is not done yet."""
    import torch
    from stable_baselines import Episodes, _peer

    torch.set_num_threads(1)
    for seed in sorted(set(range(seeds)) - done):
        model, episodes = _peer("ppo", seed), Episodes()
        model.learn(STEPS, callback=episodes)
        run = episodes.run()
        yield [{"agent": PEER, "seed": seed, **fate(run.returns, run.ends)}]


def fate(scores: np.ndarray, ends: np.ndarray) -> dict[str, float | str]:
    """Returns the least mean of 20 episodes after it was as good as solved, the late return, and when that was.

    What never was is empty.

    Args:
      scores: of each episode [E].
      ends: the environment steps when it ended [E].
    """
    means = np.convolve(scores, np.full(EPISODES, 1 / EPISODES), "valid")
    solved = np.flatnonzero(means >= SOLVED)
    return {
        "lowest": round(float(means[solved[0] :].min()), 1) if solved.size else "",
        "late_return": round(float(scores[ends > LATE].mean()), 1),
        "solved_after": int(ends[solved[0] + EPISODES - 1]) if solved.size else "",
    }


def judged(rows: Rows) -> Rows:
    """Returns a row for each setting, with the share that has fallen back and how it differs from the default's."""
    table = []
    for agent in dict.fromkeys(row["agent"] for row in rows):
        own = [row for row in rows if row["agent"] == agent]
        lowest = [float(row["lowest"]) for row in own if row["lowest"] != ""]
        fallen = np.array(lowest) < FALLEN
        found = share_interval(fallen)
        table.append(
            {
                "agent": agent,
                "seeds": len(own),
                "solved": len(lowest),
                "fallen": int(fallen.sum()),
                "share": round(found.estimate, 3),
                "share_low": round(found.low, 3),
                "share_high": round(found.high, 3),
                "late_return": round(
                    float(np.mean(late := [float(r["late_return"]) for r in own])), 1
                ),
                "late_below": sum(mean < SOLVED for mean in late),
                "solved_after": _median([r["solved_after"] for r in own if r.get("solved_after")]),
            }
        )
    by_agent = {row["agent"]: row for row in table}
    for row in table:
        name = DEFAULT if row["agent"] == PEER else row["agent"].partition(":")[0]
        usual = by_agent.get(name, row)
        row["p_beside_default"] = "" if usual is row else _p("fallen", "solved", row, usual)
        row["p_late"] = "" if usual is row else _p("late_below", "seeds", row, usual)
    return table


def _median(steps: list[Any]) -> int | str:
    """Returns the median of some numbers of steps, nothing of none."""
    return round(float(np.median([int(number) for number in steps]))) if steps else ""


def _p(counted: str, among: str, *rows: Any) -> float:
    """Returns the p-value of Fisher's exact test for how many seeds are counted among how many."""
    counts = [[row[counted], row[among] - row[counted]] for row in rows]
    return float(f"{fisher_exact(counts)[1]:.2g}")


def main() -> None:
    """Measures what was not measured, and writes the judged table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, default=48)
    parser.add_argument("--peer", action="store_true", help="measure the peer instead")
    parser.add_argument("--agents", nargs="+", default=AGENTS, help="settings of ours")
    parser.add_argument("--judge", action="store_true", help="measure nothing")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    file = given.output / "late_falls_seeds.csv"
    rows: Rows = list(csv.DictReader(file.open(newline=""))) if file.is_file() else []
    if given.peer:
        done = {int(row["seed"]) for row in rows if row["agent"] == PEER}
        for found in theirs(given.seeds, done):
            rows += found
            write(file, rows)
    elif not given.judge:
        from metarl.cli import configure

        configure("cpu", threads=1)
        for agent in given.agents:
            if not any(row["agent"] == agent for row in rows):
                rows += ours(agent, given.seeds)
                write(file, rows)
                print(judged(rows)[-1], flush=True)
    table = judged(rows)
    for row in table:
        print(row)
    write(given.output / "late_falls.csv", table)


def write(file: Path, rows: Rows) -> None:
    """Writes rows as CSV."""
    with file.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, list(rows[-1]), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
