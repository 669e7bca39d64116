"""Control with physics drawn per task: what is memory worth, and what would knowing the physics be?

In each world three agents are trained alike: RL²; one without memory, which has to do for all physics
(domain randomisation); and one without memory that is shown the constants of the task, an oracle. All
are played in the same test tasks with the same luck; beside them learners from scratch have many
episodes in each task.

Whatever has been trained or measured lies in the run's directory and is not done again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from metarl.environments import load as load_environment
from metarl.reading import read_json_object
from metarl.reporting import Column, Table, to_markdown, write_csv, write_file, write_json
from metarl.rl_baselines import fitting
from metarl.runs import Progress, RunDirectory

from .config import TrainConfig, WorldConfig, preset, train_config
from .evaluation import evaluate
from .experiments import Experiment
from .scales import changed_settings
from .tables import read_mean, world_text
from .training import train_in
from .within_task import FromScratchPlan
from .within_task_report import within_task_table, write_within_task
from .world_reproduction import Documents, Written, reproduce_worlds

_SHOWN = "show_physics"


class _Work(NamedTuple):
    """One command at work."""

    settings: Mapping[str, Any]  # of the experiment
    scale: Mapping[str, Any]
    run: RunDirectory
    progress: Progress

    def measure(self, world: str) -> dict[str, Any]:
        """Returns the document of one world: that of an evaluation, and the oracle's."""
        kept = self.run.path / f"{_slug(world)}-evaluation.json"
        if not kept.is_file():
            places = {name: self._train(world, name) for name in self.settings["agents"]}
            hidden = [name for name in places if not self._is_shown(name)]
            learners = [n for n in self.settings["learners"] if n in self._fitting(world)]
            plan = FromScratchPlan(
                self.scale["episodes_from_scratch"], self.scale["tasks_from_scratch"]
            )
            found = self._play([str(places[name]) for name in hidden] + learners, plan)
            texts = {str(places[name]): name for name in hidden}
            for name in places.keys() - set(hidden):
                alone = self._play([str(places[name])], None)
                found["agents"][name] = alone["agents"][str(places[name])]
            write_json(kept, _renamed(found, texts))
        return read_json_object(kept)

    def _play(self, agents: Sequence[str], plan: FromScratchPlan | None) -> dict[str, Any]:
        say = self.progress.message
        return evaluate(agents, tasks=self.scale["tasks"], from_scratch=plan, say=say).to_json()

    def _train(self, world: str, name: str) -> Path:
        """Returns the run of an agent, trained to the end."""
        config = self._config(world, name)
        place = self.run.path / "trainings" / f"{_slug(world)}-{_slug(name)}"
        command = self.run.provenance["command"]
        train_in(place, config, f"{world}, {name}", "experiments/", command, self.progress)
        return place

    def _config(self, world: str, name: str) -> TrainConfig:
        values = preset(self.scale["preset"]).to_json()
        own = dict(self.settings["agents"][name])
        where = dict(self.scale["worlds"][world])
        if own.pop(_SHOWN, False):
            where["setting"] = [*where.get("setting", ()), f"{_SHOWN}=true"]
        for change in (self.scale["every"], own, {"world": where}):
            values = changed_settings(values, change)
        return train_config(values, f"settings.json, world {world}")

    def _is_shown(self, name: str) -> bool:
        return bool(self.settings["agents"][name].get(_SHOWN))

    def _fitting(self, world: str) -> tuple[str, ...]:
        given = dict(self.scale["worlds"][world])
        config = WorldConfig(**{**given, "setting": tuple(given.get("setting", ()))})
        return fitting(load_environment(config.environment, **config.settings()))


def reproduce_control(
    experiment: Experiment,
    scale: str,
    run_dir: str | Path | None,
    command: Sequence[str],
    progress: Progress,
) -> dict[str, Any]:
    """Trains and compares, or goes on with it; see `reproduce_worlds`."""
    return reproduce_worlds(experiment, scale, run_dir, command, progress, _Work, _write)


def _tables(documents: Documents) -> dict[str, Table]:
    """Returns for each world who earns what in a trial, and then within a task."""
    tables = {}
    for world, document in documents.items():
        tables[world] = _trial_table(document)
        if "from_scratch" in document:
            tables[f"{world}, within a task"] = within_task_table(document)
    return tables


def _trial_table(document: Mapping[str, Any]) -> Table:
    columns = [
        Column("agent"),
        Column("return", "return of a trial"),
        Column("first_episode", "first episode"),
        Column("last_episode", "last episode"),
    ]
    scores = {**document["agents"], **document["yardsticks"]}
    rows = [
        {
            "agent": name,
            "return": read_mean(score["return"]),
            "first_episode": score["per_episode"][0],
            "last_episode": score["per_episode"][-1],
        }
        for name, score in sorted(scores.items(), key=lambda item: -item[1]["return"]["mean"])
    ]
    title = f"{world_text(document['environment'])}: {document['tasks']:,} test tasks"
    return Table(title, columns, rows, ["Intervals: 95 %, normal, over tasks."])


def _write(place: Path, documents: Documents) -> Written:
    tables, files = _tables(documents), []
    for name, table in tables.items():
        files.append(write_csv(place / f"{_slug(name)}.csv", table))
        files.append(write_file(place / f"{_slug(name)}.md", to_markdown(table)))
    for world, document in documents.items():
        if "from_scratch" in document:
            files += write_within_task(place / _slug(world), document)
    return tables, files


def _renamed(document: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Returns an evaluation whose agents have the experiment's names instead of the places of their runs."""

    def by_name(scores: Mapping[str, Any]) -> dict[str, Any]:
        return {names.get(text, text): score for text, score in scores.items()}

    document = {**document, "agents": by_name(document["agents"])}
    if "from_scratch" in document:
        part = document["from_scratch"]
        mark = names.get(part["mark_of"], part["mark_of"])
        part = {**part, "agents": by_name(part["agents"]), "mark_of": mark}
        document["from_scratch"] = part
    return document


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower().replace("²", "2")).strip("-")
