"""How well mazes are walked: the paper's measures of an agent, episode by episode.

An episode that does not reach the goal counts with its whole length in the mean; the mean over
successes leaves it out. A maze is improved where the second episode is shorter than the first.

Letters: N tasks; E episodes.

Reference: Duan et al. (2016), arXiv:1611.02779, table 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from metarl.environments import Agent, Environment, Played, Trial, play_split
from metarl.reporting import Column, Table

CHUNK = 250  # tasks that are played together
SHOWN = 2  # episodes in a table, as in the paper's


def measure(agent: Agent, trial: Trial, tasks: int, seed: int) -> dict[str, Any]:
    """Plays test tasks, and returns `measures` of them."""
    return measures(play_split(agent, trial, seed, tasks, "test", CHUNK))


def measures(played: Played) -> dict[str, Any]:
    """Returns the measures, as JSON can hold them.

    Args:
      played: of N trials of at least two episodes.

    Returns:
      "tasks"; lists [E] "length", "length_of_successes" (None where there is none), "success" and
      "return"; "length_error" [E], standard errors; "improved" and "as_long", the shares of second
      episodes that are shorter than the first, and as long; "shorter_by" and "shorter_by_error", the
      mean of first minus second, and its standard error.
    """
    lengths = np.asarray(played.lengths, float)  # [N, E]
    reached = np.asarray(played.terminated)
    count = len(lengths)
    shorter = lengths[:, 0] - lengths[:, 1]
    return {
        "tasks": count,
        "length": lengths.mean(axis=0).tolist(),
        "length_error": (lengths.std(axis=0, ddof=1) / np.sqrt(count)).tolist(),
        "length_of_successes": [
            float(column[ended].mean()) if ended.any() else None
            for column, ended in zip(lengths.T, reached.T, strict=True)
        ],
        "success": reached.mean(axis=0).tolist(),
        "return": np.asarray(played.returns).mean(axis=0).tolist(),
        "improved": float((shorter > 0).mean()),
        "as_long": float((shorter == 0).mean()),
        "shorter_by": float(shorter.mean()),
        "shorter_by_error": float(shorter.std(ddof=1) / np.sqrt(count)),
    }


def maze_table(
    cell: str,
    ours: Mapping[str, Mapping[str, Any]],
    published: Sequence[Mapping[str, Any]],
    notes: Sequence[str] = (),
) -> Table:
    """Returns what was measured in one kind of maze, beside what was published of it.

    Args:
      cell: its title.
      ours: measures by agent.
      published: rows of "agent", "source", and some of "length", "success" (lists) and "improved".
      notes: what else is to be said below.
    """
    here = [{**found, "agent": agent, "source": "here"} for agent, found in ours.items()]
    return Table(
        cell,
        [
            Column("agent"),
            Column("source"),
            *(Column(f"length_{e}", f"length, episode {e}", digits=4) for e in (1, 2)),
            *(Column(f"success_{e}", f"success, episode {e}") for e in (1, 2)),
            Column("improved", "second shorter"),
            *(
                Column(f"reached_{e}", f"length where reached, episode {e}", essential=False)
                for e in (1, 2)
            ),
        ],
        [_row(entry) for entry in (*here, *published)],
        [
            "[v] read in the paper. Length: all episodes, those that miss the goal with the horizon.",
            "Oracle: knows the map, and walks its only way. Explorer: sees it on the way, and forgets nothing. "
            "Cartographer: draws it from the pixels and its own steps, and goes by it.",
            *notes,
        ],
    )


def notes_on_splits(agent: str, trained: Environment, played: Environment) -> list[str]:
    """Returns what is to be said of an agent whose mazes were split otherwise than these.

    Args:
      agent: its name in the table.
      trained: in which it was trained.
      played: in whose test split it is measured.
    """
    theirs, here = (world.settings.get("splits", "shape") for world in (trained, played))
    if theirs == here:
        return []
    return [
        f"{agent} was trained in splits by {theirs}; these mazes are of splits by {here}, so it may have met "
        "them, turned or mirrored or as they are: of 3 x 3 and 4 x 4 cells most, of larger ones hardly any."
    ]


def notes_on_learning(agent: str, auxiliary_weight: float, inner_values: bool) -> list[str]:
    """Returns what is to be said of an agent that learnt or acts with more than plain RL² has.

    Args:
      agent: its name in the table.
      auxiliary_weight: with which its memory learnt to predict what the simulator knows.
      inner_values: whether it is shown what an inner learner believes.
    """
    notes = []
    if auxiliary_weight:
        notes.append(
            f"{agent} was trained with an auxiliary loss (weight {auxiliary_weight:g}): its memory learnt to predict "
            "what the simulator knows of the state; it acts without."
        )
    if inner_values:
        notes.append(
            f"{agent} is shown what an inner learner believes (--network.inner-values): a map drawn from the pixels "
            "and its own steps, and plans in it."
        )
    return notes


def _row(entry: Mapping[str, Any]) -> dict[str, Any]:
    row = {name: entry.get(name) for name in ("agent", "source", "improved")}
    columns = {"length": "length", "success": "success", "reached": "length_of_successes"}
    for column, name in columns.items():
        values = [*(entry.get(name) or ()), None, None]
        row |= {f"{column}_{e + 1}": values[e] for e in range(SHOWN)}
    return row
