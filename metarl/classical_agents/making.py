"""From a text to an agent, and from a name to the texts of a grid."""

from __future__ import annotations

import itertools

from metarl.environments import Agent, Trial
from metarl.errors import unknown_name

from .agent_text import AgentText, parse
from .row import PRESETS, World
from .table import find_row, world_of


def make(text: str | AgentText, trial: Trial) -> Agent:
    """Returns the agent that a text names, for a trial.

    Args:
      text: such as "gittins" or "ucb1:c=0.2".
      trial: in which it will act; the number of arms, the horizon and so on are taken from it, and
        priors from what its family says of its tasks.

    Raises:
      InvalidInput: the text is not understood, or the agent does not fit the environment.
    """
    understood = parse(text) if isinstance(text, str) else text
    row = find_row(understood.name, world_of(trial.environment))
    told = trial.environment.distribution
    return row.build(row.values(understood.settings, understood.preset, told), trial)


def doubts(text: str | AgentText, trial: Trial) -> tuple[str, ...]:
    """Returns what an agent believes or assumes that the family denies or does not say.

    Args:
      text: such as "gittins" or "psrl:preset=paper".
      trial: in which it acts.

    Returns:
      Sentences without a subject, such as "assumes arms that stay as they are"; none if all that
      the agent builds upon is true.

    Raises:
      InvalidInput: the text is not understood.
    """
    understood = parse(text) if isinstance(text, str) else text
    row = find_row(understood.name, world_of(trial.environment))
    told = trial.environment.distribution
    return row.doubts(understood.settings, understood.preset, told)


def grid(text: str, world: World, preset: str = "matched") -> list[str]:
    """Returns the texts of a preset's grid: every combination of its values.

    Args:
      text: a name; settings given with it are fixed, even those of the grid.
      world: in which the agents will act.
      preset: "paper" or "matched".

    Returns:
      At least one text: that of the preset itself if it has no grid.

    Raises:
      InvalidInput: see `make`.
    """
    if preset not in PRESETS:
        raise unknown_name("preset", preset, PRESETS)
    base = parse(text)
    row = find_row(base.name, world)
    row.values(base.settings, preset)  # for its errors
    axes = {name: v for name, v in row.grids.get(preset, {}).items() if name not in base.settings}
    kept = preset if row.presets.get(preset) else None
    return [
        str(AgentText(base.name, {**base.settings, **dict(zip(axes, point, strict=True))}, kept))
        for point in itertools.product(*axes.values())
    ]
