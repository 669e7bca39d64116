"""RL² after a warm start beside its teacher: the return on validation tasks, imitation first, then reinforcement.

    python experiments/rl2_table_1/warm_start.py                     # draws warm-start.csv
    python experiments/rl2_table_1/warm_start.py --runs A B          # makes it first, from runs that follow each other

Of each run its log is read, up to where the next began: with the agent that was best on validation tasks. All runs
of one seed play the same tasks with the same luck; the teacher's return is that of the table, in 10,000 test tasks.

    warm-start.csv                       a line a validation, and one for the teacher
    warm-start.svg, warm-start.png       the figure
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
NAMES = ("phase", "env_steps", "validation_return", "standard_error")
TEACHER = "teacher"
CELL, AGENT = "500x50", "gittins:preset=paper"  # the index for the pulls left
PHASES = {"imitation": "imitation", "ppo": "reinforcement"}


def main() -> None:
    """Writes the rows, if runs are given, and the figure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--runs", nargs="+", type=Path, default=(), help="run directories, in order"
    )
    parser.add_argument("--output", type=Path, default=HERE)
    arguments = parser.parse_args()
    from metarl.reporting import Column, Table, write_csv

    kept = arguments.output / "warm-start.csv"
    if arguments.runs:
        rows = [*tried(arguments.runs), teacher(CELL, AGENT)]
        write_csv(kept, Table("warm start", [Column(name) for name in NAMES], rows))
    with kept.open(encoding="utf-8", newline="") as file:
        drawing = chart(list(csv.DictReader(file)))
    drawing.write_svg(kept.with_suffix(".svg"))
    drawing.write_png(kept.with_suffix(".png"))


def tried(runs: list[Path]) -> list[dict[str, Any]]:
    """Returns a row for each time that an agent was tried, with the steps of all runs before it."""
    rows, before = [], 0
    for place in runs:
        lines = [json.loads(line) for line in (place / "metrics.jsonl").read_text().splitlines()]
        scores = json.loads((place / "agent.json").read_text())["scores"]
        ends = scores["env_steps"] if place == runs[-1] else scores["best_at"]
        for line in lines:
            phase = PHASES[line["phase"]]
            if "start_validation_return" in line:
                rows.append(row(phase, before, line["start_validation_return"]))
            if "validation_return" in line and line["position"] <= ends:
                rows.append(row(phase, before + line["position"], line["validation_return"]))
        before += ends
    return rows


def row(phase: str, env_steps: int | None, found: float, error: float | None = None) -> dict:
    """Returns a row of the file."""
    return dict(zip(NAMES, (phase, env_steps, found, error), strict=True))


def teacher(cell: str, agent: str) -> dict[str, Any]:
    """Returns the row of the teacher: what the table has of it."""
    with (HERE / "measured.csv").open(encoding="utf-8", newline="") as file:
        (found,) = (
            line
            for line in csv.DictReader(file)
            if (line["split"], line["cell"], line["agent"]) == ("test", cell, agent)
        )
    return row(TEACHER, None, float(found["mean"]), float(found["standard_error"]))


def chart(rows: list[dict[str, str]]):
    """Returns the drawing of the rows."""
    from metarl.reporting import Curve, curve_chart

    (taught,) = (row for row in rows if row["phase"] == TEACHER)
    mean, error = (float(taught[name]) for name in ("validation_return", "standard_error"))
    steps = [float(row["env_steps"]) / 1e6 for row in rows if row["phase"] != TEACHER]
    ends = min(steps), max(steps)
    curves = [
        Curve(
            phase,
            [float(row["env_steps"]) / 1e6 for row in rows if row["phase"] == phase],
            [float(row["validation_return"]) for row in rows if row["phase"] == phase],
        )
        for phase in PHASES.values()
    ]
    level = Curve("teacher", ends, [mean] * 2, [mean - 1.96 * error] * 2, [mean + 1.96 * error] * 2)
    return curve_chart([*curves, level], "million environment steps", "return on validation tasks")


if __name__ == "__main__":
    main()
