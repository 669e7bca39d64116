"""In context: four ways to an agent that learns within a trial, beside their teachers.

Reinforcement, imitation before it, and two kinds of distillation from histories: each way is trained with the
same network from some seeds, and all play in the same test tasks with the same luck as who taught them.

Letters: S seeds; N tasks; E episodes of a trial.

References: Laskin et al. (2022), arXiv:2210.14215; Lee et al. (2023), arXiv:2306.14892.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from metarl.classical_agents import make
from metarl.environments import Agent, Trial, play, play_on_host
from metarl.errors import InvalidInput
from metarl.reading import read_json_object
from metarl.reporting import (
    Column,
    Curve,
    Table,
    counted,
    curve_chart,
    to_markdown,
    write_csv,
    write_file,
    write_json,
)
from metarl.runs import RunDirectory
from metarl.statistics import Mean, mean_interval

from ..agent.agent_files import load
from ..evaluating.entrants import find_entrants
from ..evaluating.scores import ORACLE
from ..evaluating.worlds import describe_trial
from ..learning.training import train_in
from ..reports.tables import world_text
from ..settings.config import TrainConfig
from .documents import slug
from .scales import changed_config
from .worlds import SETTINGS, Documents, WorldWork, Written, reproduction

_NAME = "in-context"
_LUCK = 0  # seed of test tasks and of what happens in them
_COLUMNS = (
    Column("agent"),
    Column("return", "return of a trial [95 %]"),
    Column("difference", "more than the reference [95 %]", better="higher"),
    Column("seeds", "lowest and highest seed"),
    Column("env_steps", "environment steps", digits=4),
    Column("seconds", "seconds of learning"),
)


class WaysWork(WorldWork):
    """One command at work."""

    def measure(self, world: str) -> dict[str, Any]:
        """Returns the document of one world: "environment", "tasks", "agents" and what each earned."""
        kept = self.run.path / f"{world}.json"
        if not kept.is_file():
            write_json(kept, self._measured(world))
        return read_json_object(kept)

    def _measured(self, world: str) -> dict[str, Any]:
        data = self.scale["worlds"][world]
        runs = {
            way: [self._trained(world, way, seed) for seed in range(self.scale["seeds"])]
            for way in data["ways"]
        }
        trial = load(next(iter(runs.values()))[0]).trial
        players = {
            way: [load(place).as_agent() for place in places] for way, places in runs.items()
        }
        beside = [data["reference"], *data["beside"]]
        players |= {one.text: [one.make(trial)] for one in find_entrants(beside)}
        with contextlib.suppress(InvalidInput):  # there is none for this family
            players[ORACLE] = [make(ORACLE, trial)]
        returns = {name: self._play(world, name, agents, trial) for name, agents in players.items()}
        first = returns[data["reference"]].mean(axis=0).sum(axis=-1)
        return {
            "environment": describe_trial(trial),
            "tasks": self._tasks(world),
            "reference": data["reference"],
            "agents": {
                name: _earned(earned, first) | _told(runs.get(name, []))
                for name, earned in returns.items()
            },
        }

    def _play(self, world: str, name: str, agents: Sequence[Agent], trial: Trial) -> np.ndarray:
        """Returns what each seed earned in each episode of the test tasks [S, N, E]."""
        count = self._tasks(world)
        self.progress.message(f"{world}, {name}: {counted(count, 'test task')}")
        if trial.environment.on_host:
            played = (play_on_host(agent, trial, _LUCK, count, "test") for agent in agents)
            return np.stack([np.asarray(one.returns) for one in played])
        task_key, key = jax.random.split(jax.random.key(_LUCK))
        tasks = trial.environment.sample_tasks(task_key, count, "test")
        return np.stack([np.asarray(play(agent, trial, key, tasks).returns) for agent in agents])

    def _tasks(self, world: str) -> int:
        """Returns how many test tasks there are: those of the scale, or of the world where it says so."""
        return self.scale["worlds"][world].get("tasks", self.scale["tasks"])

    def _trained(self, world: str, way: str, seed: int) -> Path:
        """Returns the run of one agent, trained to the end."""
        place = self.run.path / "trainings" / f"{world}-{slug(way)}-seed-{seed}"
        config = self._config(world, way, seed)
        train_in(place, config, f"{world}, {way}, seed {seed}", SETTINGS, self.run, self.progress)
        return place

    def _config(self, world: str, way: str, seed: int) -> TrainConfig:
        data = self.scale["worlds"][world]
        changes = (self.scale["every"], {"world": data["world"]}, data["ways"][way], {"seed": seed})
        preset = data.get("preset", self.scale["preset"])
        return changed_config(preset, changes, f"{SETTINGS}, {world}, {way}")


def in_context_table(document: Mapping[str, Any]) -> Table:
    """Returns the table of one world, the best first."""
    reference = document["reference"]
    seeds = max(agent["trainings"] for agent in document["agents"].values())
    columns = [column for column in _COLUMNS if seeds > 1 or column.name != "seeds"]
    rows = [
        {
            **{column.name: agent.get(column.name) for column in columns},
            "agent": f"{name} ({agent['mark']})" if agent.get("mark") else name,
            "return": Mean(**agent["return"]),
            "difference": None if name == reference else Mean(**agent["difference"]),
        }
        for name, agent in document["agents"].items()
    ]
    rows.sort(key=lambda row: -row["return"].mean)
    notes = [
        f"Intervals are over tasks, of the mean of {counted(seeds, 'training')} each; they do not tell how "
        f"another training would differ. The reference is {reference}; differences are by task, with the same luck.",
    ]
    learnt = [index for index, row in enumerate(rows) if row["env_steps"]]
    title = f"{world_text(document['environment'])}: {counted(document['tasks'], 'test task')}"
    return Table(title, columns, rows, notes, learnt)


def _earned(returns: np.ndarray, first: np.ndarray) -> dict[str, Any]:
    """Returns what came of an agent.

    Args:
      returns: [S, N, E].
      first: totals of whom differences are to [N].
    """
    totals = returns.sum(axis=-1)  # [S, N]
    means = totals.mean(axis=1)
    return {
        "trainings": len(returns),
        "return": mean_interval(totals.mean(axis=0))._asdict(),
        "difference": mean_interval(totals.mean(axis=0) - first)._asdict(),
        "seeds": f"{means.min():.1f} to {means.max():.1f}" if len(means) > 1 else None,
        "per_episode": returns.mean(axis=(0, 1)).tolist(),
    }


def _told(places: Sequence[Path]) -> dict[str, Any]:
    """Returns what trainings say of themselves: by whom they were taught, what they took, how the first one went."""
    if not places:
        return {}
    agent = load(places[0])
    teacher = agent.config.teacher or agent.config.warm_start
    outcomes = [RunDirectory.open(place).outcome or {} for place in places]
    seconds = [one["seconds"] - (one.get("compile_seconds") or 0.0) for one in outcomes]
    return {
        "mark": teacher and f"teacher: {teacher}",
        "env_steps": agent.scores["env_steps"],
        "seconds": float(np.mean(seconds)),
        "curve": _curve_of(places[0]),
    }


def _curve_of(place: Path) -> list[list[float]]:
    """Returns a training's environment steps and mean returns of validation tasks."""
    rows = RunDirectory.open(place).metrics.rows()
    return [
        [row["position"], row["validation_return"]] for row in rows if "validation_return" in row
    ]


def _write(place: Path, documents: Documents) -> Written:
    tables = {world: in_context_table(document) for world, document in documents.items()}
    files = [
        *(write_csv(place / f"{_NAME}-{world}.csv", table) for world, table in tables.items()),
        write_file(place / f"{_NAME}.md", "\n".join(map(to_markdown, tables.values()))),
    ]
    for world, document in documents.items():
        chart = curve_chart(_regrets(document), "episode, in bandits a pull", "regret so far")
        files.append(chart.write_svg(place / f"{_NAME}-{world}.svg"))
        files.append(chart.write_png(place / f"{_NAME}-{world}.png"))
    return tables, files


def _regrets(document: Mapping[str, Any]) -> list[Curve]:
    """Returns what who knows the task earned more, so far, against episodes; the trained in colour."""
    earned = {name: np.array(one["per_episode"]) for name, one in document["agents"].items()}
    best = earned.pop(ORACLE)
    episodes = np.arange(1, len(best) + 1)
    return [
        Curve(
            name,
            episodes,
            np.cumsum(best - own),
            foreground=bool(document["agents"][name].get("env_steps")),
        )
        for name, own in earned.items()
        if name != "random"
    ]


reproduce_in_context = reproduction(WaysWork, _write)
