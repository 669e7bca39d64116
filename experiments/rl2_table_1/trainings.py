"""Several trainings of each cell of table 1, by the settings of `training.json`, on one thread each.

    python trainings.py                      # all seeds of the cells below, one after another
    python trainings.py --cell 10x5          # one cell; what has been trained is not trained again

Counted is the processor time of acting, learning and trying on validation tasks; compiling and the test
tasks are not. What stands in the table is the agent that a training hands over, the best on validation
tasks, in the test tasks of the table.

    trainings.csv    a line a training, which `metarl reproduce rl2-table-1` reads
    curves.csv       the return of trials in training against processor time
    validations.csv  the return on validation tasks against processor time
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "rl2_learning"))
HEADING, SCALE = "RL²", "laptop"
SEEDS = {"10x5": 5, "10x10": 5, "10x50": 3, "100x5": 5, "100x10": 5}


def main() -> None:
    """Trains what has not been trained, and writes the files of all that was."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cell", action="append", choices=SEEDS, help="all if not given")
    parser.add_argument("--run-dir", type=Path, default=Path("runs/rl2_table_1_trainings"))
    parser.add_argument("--output", type=Path, default=HERE)
    arguments = parser.parse_args()
    from metarl.cli import configure

    configure(threads=1)
    arguments.run_dir.mkdir(parents=True, exist_ok=True)
    for cell in arguments.cell or SEEDS:
        for seed in range(SEEDS[cell]):
            kept = arguments.run_dir / f"{cell}-seed-{seed}.json"
            if not kept.is_file():
                found = train_cell(cell, seed)
                kept.write_text(json.dumps(found, indent=2) + "\n")
                told = f"{found['return']:.2f} in test tasks, {found['cpu_seconds']:.0f} s"
                print(f"{cell}, seed {seed}: {told}", flush=True)
    write(arguments.run_dir, arguments.output)


def train_cell(cell: str, seed: int) -> dict[str, Any]:
    """Returns what one training of a cell cost, and what its agent earns in the table's test tasks."""
    from rl2_learning import train_and_play

    from metarl.rl_squared.reproduction.scales import read_scale, table_at

    scale = read_scale(HERE, SCALE)
    table = table_at(scale, HERE, None)
    config = scale.learnt[HEADING].config(table, cell, SCALE, seed)
    return {"column": HEADING, "cell": cell, "seed": seed, **train_and_play(config, table.tasks)}


def write(runs: Path, output: Path) -> None:
    """Writes what all trainings gave so far; those that lie in other directories keep their lines."""
    found = [
        json.loads(path.read_text())
        for cell, seeds in SEEDS.items()
        for path in (runs / f"{cell}-seed-{seed}.json" for seed in range(seeds))
        if path.is_file()
    ]
    names = ("column", "cell", "seed", "env_steps", "cpu_seconds", "compile_cpu_seconds")
    names += ("validation_return", "return", "standard_error")
    write_lines(output / "trainings.csv", names, [[row[name] for name in names] for row in found])
    for file, part, last in (
        ("curves.csv", "curve", "return"),
        ("validations.csv", "tried", "validation_return"),
    ):
        points = [
            [row["cell"], row["seed"], *point] for row in found for point in row.get(part, ())
        ]
        write_lines(output / file, ("cell", "seed", "env_steps", "cpu_seconds", last), points)


def write_lines(path: Path, names: Sequence[str], lines: Sequence[Sequence[Any]]) -> None:
    """Writes lines as CSV, cell by cell, with those of the file of which no training is among them.

    Args:
      path: of the file.
      names: of its columns, "cell" and "seed" among them.
      lines: a value for each column.
    """
    from metarl.reporting import Column, Table, write_csv

    rows = [dict(zip(names, line, strict=True)) for line in lines]
    measured = {(row["cell"], str(row["seed"])) for row in rows}
    if path.is_file():
        with path.open(encoding="utf-8") as file:
            before = [
                row for row in csv.DictReader(file) if (row["cell"], row["seed"]) not in measured
            ]
        rows += before
    cells = list(SEEDS)
    rows.sort(key=lambda row: (cells.index(row["cell"]), int(row["seed"])))
    write_csv(path, Table(path.stem, [Column(name) for name in names], rows))


if __name__ == "__main__":
    main()
