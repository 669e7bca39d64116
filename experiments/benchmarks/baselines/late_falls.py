"""How often PPO from scratch falls back on CartPole-v1 after it was as good as solved, by how its value is normalised.

    python late_falls.py --seeds 48 --output .
    python late_falls.py --judge late_falls.csv    # intervals and comparisons anew, from the counts in a file

Each seed learns for 70,000 environment steps in a world of its own. It is as good as solved at the first 20
successive episodes whose mean return is 475; it has fallen back if 20 later ones have a mean below 400.

Written: `late_falls.csv`, a line for each setting: the counts, the share that has fallen back of those that were as
good as solved with Wilson's interval (95 %), and the p-value of Fisher's exact test that it differs from the default's.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from scipy.stats import fisher_exact

from metarl.statistics import share_interval

STEPS, LATE, EPISODES, SOLVED, FALLEN = 70_000, 50_000, 20, 475.0, 400.0
SETTINGS = {
    "recent returns count more": "ppo:normalisation_decay=0.99",
    "all returns count alike": "ppo",
    "not normalised": "ppo:normalise_values=false",
}
DEFAULT = "ppo"


def measure(text: str, seeds: int) -> dict[str, float | int]:
    """Returns what became of the seeds of one setting."""
    from metarl.environments import Trial, load, play_split
    from metarl.rl_baselines import make

    trial = Trial(load("cartpole"), steps=STEPS)
    played = play_split(make(text, trial), trial, 1, seeds, "test")
    lowest, late = [], []
    for returns, lengths in zip(played.returns, played.lengths, strict=True):
        whole = np.flatnonzero(lengths)[:-1]  # the last episode was cut short
        scores, ends = np.asarray(returns[whole], float), np.cumsum(lengths[whole])
        means = np.convolve(scores, np.full(EPISODES, 1 / EPISODES), "valid")
        solved = np.flatnonzero(means >= SOLVED)
        if solved.size:
            lowest.append(means[solved[0] :].min())
        late.append(scores[ends > LATE].mean())
    return {
        "seeds": seeds,
        "solved": len(lowest),
        "fallen": int(np.sum(np.array(lowest) < FALLEN)),
        "late_return": round(float(np.mean(late)), 1),
    }


def judged(rows: list[dict]) -> list[dict]:
    """Returns the rows with the share that has fallen back, its interval, and the p-value beside the default."""
    usual = next(row for row in rows if row["agent"] == DEFAULT)
    return [
        {
            **row,
            **_share(row),
            "p_beside_default": ""
            if row is usual
            else round(float(fisher_exact([_split(row), _split(usual)]).pvalue), 3),
        }
        for row in rows
    ]


def _share(row: dict) -> dict[str, float]:
    found = share_interval(np.arange(int(row["solved"])) < int(row["fallen"]))
    shares = {"share": found.estimate, "share_low": found.low, "share_high": found.high}
    return {name: round(share, 3) for name, share in shares.items()}


def _split(row: dict) -> list[int]:
    """Returns how many have fallen back and how many have not."""
    return [int(row["fallen"]), int(row["solved"]) - int(row["fallen"])]


def main() -> None:
    """Measures, or reads counts, and writes the judged table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, default=48)
    parser.add_argument("--output", type=Path, default=Path("."))
    parser.add_argument("--judge", type=Path, help="take the counts of this file")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    rows: list[dict] = []
    if given.judge:
        with given.judge.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    else:
        from metarl.cli import configure

        configure("cpu")
        for name, agent in SETTINGS.items():
            rows.append({"values": name, "agent": agent, **measure(agent, given.seeds)})
            print(rows[-1], flush=True)
    rows = judged(rows)
    for row in rows:
        print(row)
    with (given.output / "late_falls.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
