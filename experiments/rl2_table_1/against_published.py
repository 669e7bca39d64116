"""RL² by reinforcement alone beside the better of the paper's RL² and SNAIL: in how many cells is it at or above?

    python experiments/rl2_table_1/against_published.py      # a second

Read are the `table.csv` of both tables of the paper and of 1000 pulls of 50 arms; nothing is played. At or above
means that ours lacks at most two standard errors: of ours alone, over 10,000 test tasks, or of both, where the
published number is taken as a mean over 1,000 tasks that vary as ours do. What is published is rounded
(to 0.05 at most; SNAIL's in MDPs, from shares, to 0.2 to 2.1), which is not allowed for.

    against_published.csv, against_published.md     a line a cell and kind of agent, then how many cells
"""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FOLDERS = {"rl2_table_1": "", "rl2_bandit_1000x50": "", "rl2_table_2": "MDP "}
KINDS = {  # how the column of an agent begins, and what it is called here
    "RL²": "plain",
    "RL², inner learner": "inner values",
    "RL², plans at first": "plans at first",
}
PUBLISHED = "RL²", "SNAIL (published)", "SNAIL, from its shares (published)"
BOUNDS = "Bayes-optimal", "Gittins, exact, pulls left"  # the best there is, and all but that
TASKS, PUBLISHED_TASKS = 10_000, 1_000
VARIATE = ", control variate: regret"


def main() -> None:
    """Writes the table and prints it."""
    from metarl.reporting import Column, Table, to_markdown, write_csv, write_file

    rows = [row for folder in FOLDERS for row in rows_of(folder)]
    names = ("cell", "published", "whose", "agents", "ours", "standard_error", "difference")
    names += ("above", "within_ours", "within_both", "bound", "bound_exceeded")
    columns = [Column(name, name.replace("_", " "), digits=5) for name in names]
    table = Table("Beside the better of the paper's RL² and SNAIL", columns, rows, counts(rows))
    write_csv(HERE / "against_published.csv", table)
    write_file(HERE / "against_published.md", to_markdown(table))
    print(to_markdown(table))


def rows_of(folder: str) -> list[dict[str, Any]]:
    """Returns a row for each cell of an experiment and each kind of agents in it."""
    with (HERE.parent / folder / "table.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    cells: dict[str, dict[str, dict[str, str]]] = {}
    for line in lines:
        heading = line["column"].partition(VARIATE)[0]
        cells.setdefault(line["cell"], {})[heading] = line
    return [
        {"cell": FOLDERS[folder] + cell, "agents": called, **compared(found, heading)}
        for cell, found in cells.items()
        for heading, called in KINDS.items()
        if heading in found
    ]


def compared(cell: dict[str, dict[str, str]], heading: str) -> dict[str, Any]:
    """Returns how agents stand beside the better of what is published.

    Args:
      cell: the lines of a cell, by heading.
      heading: of the agents.
    """
    published = {name: float(cell[name]["paper"]) for name in PUBLISHED if name in cell}
    whose = max(published, key=lambda name: published[name])
    ours, low, high = (float(cell[heading][name]) for name in ("ours", "ours_low", "ours_high"))
    error = (high - low) / 2 / 1.96
    both = error * math.sqrt(1 + TASKS / PUBLISHED_TASKS)
    difference = ours - published[whose]
    bound = next((float(cell[name]["ours"]) for name in BOUNDS if name in cell), None)
    return {
        "published": published[whose],
        "whose": whose.partition(" (")[0].partition(",")[0],
        "ours": ours,
        "standard_error": error,
        "difference": difference,
        "above": difference > 0,
        "within_ours": difference >= -2 * error,
        "within_both": difference >= -2 * both,
        "bound": bound,
        "bound_exceeded": None if bound is None else published[whose] > bound,
    }


def counts(rows: list[dict[str, Any]]) -> list[str]:
    """Returns in how many cells agents of each kind are above, or lack no more than the noise.

    The agents of a kind that has none in bandits are the plain ones there.
    """
    bandits = [row for row in rows if not row["cell"].startswith("MDP")]
    told = []
    for kind in KINDS.values():
        of_kind = [
            *bandits,
            *(row for row in rows if row["agents"] == kind and row["cell"].startswith("MDP")),
        ]
        above, ours, both = (
            sum(row[name] for row in of_kind) for name in ("above", "within_ours", "within_both")
        )
        told.append(
            f"With {kind} agents in MDPs, of {len(of_kind)} cells: above in {above}; lacking at most two "
            f"standard errors of ours alone in {ours}, of both in {both}."
        )
    exceeded = ", ".join(
        f"{row['cell']} ({row['published']:g}, {row['bound']:.5g})"
        for row in rows
        if row["bound_exceeded"]
    )
    told.append(
        "bound: Bayes-optimal, else the index for the pulls left, in test tasks of ours. What is published "
        f"exceeds it in {exceeded}."
    )
    return told


if __name__ == "__main__":
    main()
