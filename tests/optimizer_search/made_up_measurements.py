"""Measurements with made-up losses: Adam, a reference that tunes better, and a rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from metarl.optimizer_search.comparing.measurements import AdamRuns, Choices, Measured, Record
from metarl.optimizer_search.comparing.settings_of_runs import Points, Setting

HORIZONS = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
TUNED = 10
SEEDS, POINTS, RATES = 24, np.array([10, 20, 30]), np.array([0.1, 1.0])


def measured(**changes) -> Any:
    """Returns Adam, a reference that tunes better, and a rule, with made-up losses.

    The rule was run at a second setting, that some redraws of its tuning choose.
    """
    rng = np.random.default_rng(0)
    adam = rng.uniform(0.9, 1.1, SEEDS)

    def record(level: float, tuning: float) -> Record:
        final = level * adam * rng.uniform(0.95, 1.05, SEEDS)
        losses = final[:, None] * np.array([4.0, 2.0, 1.0])
        grid = np.array([[tuning], [2.0]])[:, None, None, :]  # [R, D, W, Q]
        return Record(Setting(0.1), grid, losses, 1 - losses / 10, 1e-5 * level, 8.0)

    records = {"adam": record(1.0, 1.0), "momentum": record(0.8, 0.7), "rule": record(0.5, 0.4)}
    records["rule"] = in_doubt(records["rule"], rng)
    at_horizons = records["adam"].losses[:, -1:] / HORIZONS**0.5
    whole = Measured(
        problem="made up", family="own", metric="accuracy", chance=0.1, steps=30, points=POINTS,
        learning_rates=RATES, schedules=("constant",), weight_decays=(0.0,),
        tuning_seeds=np.arange(TUNED), report_seeds=np.arange(SEEDS), on_edge=("momentum",),
        references=("adam", "momentum"), records=records, adam=AdamRuns(HORIZONS, at_horizons),
    )  # fmt: skip
    return whole._replace(**changes)


def in_doubt(record: Record, rng: np.random.Generator) -> Record:
    """Returns a record with finer points, of which the report ran the best two."""
    end = record.losses[:, -1]
    seeds = rng.uniform(0.3, 0.5, TUNED)
    tuning = seeds + np.array([[0.0], [0.01], [0.5]]) + rng.normal(0, 0.02, (3, TUNED))
    points = Points((record.setting, Setting(0.2), Setting(0.4)), tuning)
    losses = np.stack([end, 1.05 * end * rng.uniform(0.97, 1.03, len(end))])
    return record._replace(finer=points, choices=Choices(points.settings[:2], tuning[:2], losses))
