"""Won, lost and unclear by problem on the track `default`, from the stored losses beside this file.

python experiments/zoo/constant_rates/verdicts.py
"""

from __future__ import annotations

import csv
import gzip
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from metarl.optimizer_search.comparing.problem_results import versus
from metarl.optimizer_search.comparing.tuning_noise import certain


def verdicts(path: Path) -> dict[str, Counter]:
    """Returns how often each optimizer is better, worse or unclear beside Adam on the same seeds."""
    losses: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    with gzip.open(path, "rt", newline="") as file:
        for row in csv.DictReader(file):
            if row["stage"] == "report":
                losses[row["problem"], row["optimizer"]][row["seed"]] = float(row["loss"])
    found: dict[str, Counter] = defaultdict(Counter)
    for (problem, optimizer), ours in losses.items():
        adam = losses[problem, "adam"]
        pairs = np.array([(ours[seed], adam[seed]) for seed in adam])
        found[optimizer][versus(*map(certain, pairs.T)).verdict] += 1
    return found


if __name__ == "__main__":
    print("Without tuning: won, lost, unclear")
    for optimizer, count in verdicts(Path(__file__).parent / "default_runs.csv.gz").items():
        print(f"  {optimizer}: {count['better']}, {count['worse']}, {count['unclear']}")
