"""Maps and rules that must be found out: what trainings come to, beside who finds out and who knows.

In the memory and planning game and in grids of rules the same network is trained by reinforcement, and taught by a
hand-made agent that finds out and forgets nothing. The figure is the honest curve: what each training earns in
validation tasks, against its steps, and how far that is from the yardsticks.

References: Ritter et al. (2021), arXiv:2006.03662; Laskin et al. (2022), arXiv:2210.14215.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metarl.reporting import Curve, curve_panels, to_markdown, write_csv, write_file

from .documents import slug
from .in_context import WaysWork, in_context_table
from .worlds import Documents, Written, reproduction

_NAME = "maps-and-rules"


def trainings_and_yardsticks(document: Mapping[str, Any]) -> list[Curve]:
    """Returns what each training earned against its steps, and what the yardsticks earn as level lines."""
    agents = document["agents"]
    learnt = {name: agent["curve"] for name, agent in agents.items() if agent.get("curve")}
    longest = max(steps for curve in learnt.values() for steps, _ in curve)
    curves = [
        Curve(name, [steps for steps, _ in curve], [earned for _, earned in curve])
        for name, curve in learnt.items()
    ]
    for name, agent in agents.items():
        if name not in learnt:
            level = agent["return"]["mean"]
            curves.append(Curve(name, [0, longest], [level, level], foreground=False))
    return curves


def _write(place: Path, documents: Documents) -> Written:
    tables = {world: in_context_table(document) for world, document in documents.items()}
    panels = {world: trainings_and_yardsticks(document) for world, document in documents.items()}
    chart = curve_panels(panels, "environment steps of training", "return of a trial", height=2.8)
    files = [
        *(write_csv(place / f"{_NAME}-{slug(world)}.csv", t) for world, t in tables.items()),
        write_file(place / f"{_NAME}.md", "\n".join(map(to_markdown, tables.values()))),
        chart.write_svg(place / f"{_NAME}.svg"),
        chart.write_png(place / f"{_NAME}.png"),
    ]
    return tables, files


reproduce_maps_and_rules = reproduction(WaysWork, _write)
