"""Losses of one optimizer over those of others: python experiments/zoo/beside.py RUN_DIR[,RUN_DIR ...] LABEL OTHER ...

RUN_DIR is that of a comparison, several are of different problems, LABEL is one of their optimizers. Of each other
one are printed the interquartile mean over problems, as in the comparison's own table, the geometric mean, and each
problem; intervals hold the noise of tuning.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from metarl.optimizer_search.comparing.measurements import load
from metarl.optimizer_search.comparing.problem_results import (
    exponential,
    finals_of,
    log_relative_losses,
    versus,
)
from metarl.optimizer_search.comparing.tuning_noise import smoothed
from metarl.statistics import Interval, iqm, stratified_bootstrap


def text(found: Interval) -> str:
    """Returns an interval as the tables have it."""
    return f"{found.estimate:.2f} [{found.low:.2f}, {found.high:.2f}]"


def beside(run_dirs: Sequence[Path], label: str, other: str) -> None:
    """Prints how one stands to another, problem by problem and together."""
    pairs, paths = {}, [p for d in run_dirs for p in (d / "measurements").glob("*.measured")]
    for path in sorted(paths, key=lambda path: path.name):
        records = load(path).records
        pairs[path.stem] = finals_of(records[label]), finals_of(records[other])
    found = [
        smoothed(log_relative_losses, *pair, place) for place, pair in enumerate(pairs.values())
    ]
    values, errors = [one.values for one in found], [one.error for one in found]
    middle, mean = (
        exponential(stratified_bootstrap(values, iqm, over, errors=errors))
        for over in (iqm, np.mean)
    )
    print(f"{label} over {other}: {text(middle)}; geometric mean {text(mean)}")
    for name, pair in pairs.items():
        ratio = versus(*pair).ratio
        assert ratio is not None
        print(f"  {name}: {text(ratio)}")


if __name__ == "__main__":
    places, first, *others = sys.argv[1:]
    for rival in others:
        beside([Path(place) for place in places.split(",")], first, rival)
