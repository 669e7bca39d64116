"""Everybody on all problems: python experiments/zoo/whole.py TABLE.csv ... [--over LABEL ...]

TABLE.csv is what `metarl compare` wrote by problem (`problems.csv`). Each comparison has Adam, and problems or
optimizers of its own; of an optimizer that several have on one problem the first counts. Printed are the optimizers
that were compared on all of the problems, by the interquartile mean over problems of their loss over tuned Adam's,
with

- its interval: a problem's is taken for a normal distribution of the logarithm, independent of the other problems', so
  it holds what they hold, seeds and the noise of tuning;
- the same for problems drawn anew;
- the geometric mean;
- how many problems are won, lost and unclear: which side of 1 the problem's interval is on.

With --over the same follows for the loss over that of others, by way of Adam's. Both errors count, though they share
Adam's, so intervals are rather too wide. A ratio is clipped to a factor of ten, as each over Adam's is.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from metarl.statistics import iqm

DRAWS, LARGEST = 10_000, np.log(10.0)
Logarithms = dict[str, tuple[float, float]]  # by problem: log of the loss over Adam's, its error


def read(paths: Sequence[Path]) -> dict[str, Logarithms]:
    """Returns what the tables say of each optimizer."""
    found: dict[str, Logarithms] = {}
    for path in paths:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                middle, low, high = (
                    np.log(float(row[f"relative_loss{end}"])) for end in ("", "_low", "_high")
                )
                mine = found.setdefault(row["optimizer"], {})
                mine.setdefault(row["problem"], (middle, (high - low) / 3.92))
    return found


def text(drawn: np.ndarray) -> str:
    """Returns the interval of draws of logarithms, as ratios."""
    low, high = np.exp(np.percentile(drawn, [2.5, 97.5]))
    return f"[{low:.2f}, {high:.2f}]"


def row(label: str, found: Logarithms, problems: Sequence[str]) -> tuple[float, str]:
    """Returns the mean of an optimizer, and its line of the table."""
    rng = np.random.default_rng(0)
    means = np.array([found[problem][0] for problem in problems])
    errors = np.array([found[problem][1] for problem in problems])
    drawn = np.clip(rng.normal(means, errors, (DRAWS, len(problems))), -LARGEST, LARGEST)
    anew = rng.integers(0, len(problems), drawn.shape)
    redrawn = np.take_along_axis(drawn, anew, axis=1)
    won = int((means + 1.96 * errors < 0).sum())
    lost = int((means - 1.96 * errors > 0).sum())
    middle = float(iqm(means))
    cells = (
        f"`{label}`",
        f"{np.exp(middle):.2f} {text(iqm(drawn))}",
        text(iqm(redrawn)),
        f"{np.exp(means.mean()):.2f} {text(drawn.mean(axis=1))}",
        *map(str, (won, lost, len(problems) - won - lost)),
    )
    return middle, f"| {' | '.join(cells)} |"


def over(mine: Logarithms, other: Logarithms) -> Logarithms:
    """Returns the logarithms of one's loss over the other's."""
    return {
        problem: (
            float(np.clip(mine[problem][0] - other[problem][0], -LARGEST, LARGEST)),
            float(np.hypot(mine[problem][1], other[problem][1])),
        )
        for problem in mine
    }


def table(title: str, found: dict[str, Logarithms], problems: Sequence[str]) -> None:
    """Prints the optimizers that have all problems, the lowest loss first."""
    print(
        f"\n| {title} | interquartile mean | problems drawn anew too | geometric mean | won | lost | unclear |"
    )
    print("|---|---|---|---|---|---|---|")
    whole = {label: each for label, each in found.items() if set(problems) <= set(each)}
    for _, line in sorted(row(label, each, problems) for label, each in whole.items()):
        print(line)


def main(words: Sequence[str]) -> None:
    """Prints the tables."""
    place = words.index("--over") if "--over" in words else len(words)
    found = read([Path(word) for word in words[:place]])
    problems = sorted(found["adam"])
    print(f"{len(problems)} problems: {', '.join(problems)}")
    table("loss, Adam = 1", found, problems)
    whole = {label: each for label, each in found.items() if set(problems) <= set(each)}
    for label in words[place + 1 :]:
        table(
            f"loss over that of `{label}`",
            {other: over(each, whole[label]) for other, each in whole.items() if other != label},
            problems,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
