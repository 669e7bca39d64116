"""Control with physics drawn per task: what is memory worth, and what would knowing the physics be?

In each world three agents are trained alike: RL²; one without memory, which has to do for all physics
(domain randomisation); and one without memory that is shown the constants of the task, an oracle. All
are played in the same test tasks with the same luck; beside them learners from scratch have many
episodes in each task.

Whatever has been trained or measured lies in the run's directory and is not done again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metarl.environments import load as load_environment
from metarl.reading import read_json_object
from metarl.reporting import Table, to_markdown, write_csv, write_file, write_json
from metarl.rl_baselines import fitting
from metarl.statistics import mean_interval

from ..evaluating.evaluation import Evaluation, evaluate
from ..evaluating.running import evaluate_in
from ..evaluating.within_task import FromScratchPlan
from ..learning.training import train_in
from ..reports.tables import evaluation_table
from ..reports.within_task_report import within_task_table, write_within_task
from ..settings.config import TrainConfig
from .documents import slug
from .scales import changed_config, world_config
from .worlds import SETTINGS, Documents, WorldWork, Written, reproduction

_SHOWN = "show_physics"


class _Work(WorldWork):
    """One command at work on control."""

    def measure(self, world: str) -> dict[str, Any]:
        """Returns the document of one world: that of an evaluation, oracles that see the physics among its agents."""
        kept = self.run.path / f"{slug(world)}-evaluation.json"
        if not kept.is_file():
            places = {name: str(self._train(world, name)) for name in self.settings["agents"]}
            hidden = {places[name]: name for name in places if not self._is_shown(name)}
            learners = [n for n in self.settings["learners"] if n in self._fitting(world)]
            plan = FromScratchPlan(
                self.scale["episodes_from_scratch"],
                self.scale["tasks_from_scratch"],
                self.scale["tune_from_scratch"],
            )
            place = self.run.path / "evaluations" / slug(world)  # learners take hours
            found = evaluate_in(
                place,
                [*hidden, *learners],
                tasks=self.scale["tasks"],
                from_scratch=plan,
                owner=self.run,
                progress=self.progress,
            )
            shown = {
                name: self._play([place]) for name, place in places.items() if place not in hidden
            }
            write_json(kept, _joined(found, hidden, shown))
        return read_json_object(kept)

    def _play(self, agents: Sequence[str]) -> Evaluation:
        return evaluate(agents, tasks=self.scale["tasks"], say=self.progress.message)

    def _train(self, world: str, name: str) -> Path:
        """Returns the run of an agent, trained to the end."""
        config = self._config(world, name)
        place = self.run.path / "trainings" / f"{slug(world)}-{slug(name)}"
        train_in(place, config, f"{world}, {name}", "experiments/", self.run, self.progress)
        return place

    def _config(self, world: str, name: str) -> TrainConfig:
        own = dict(self.settings["agents"][name])
        where = dict(self.scale["worlds"][world])
        if own.pop(_SHOWN, False):
            where["setting"] = [*where.get("setting", ()), f"{_SHOWN}=true"]
        changes = (self.scale["every"], own, {"world": where})
        return changed_config(self.scale["preset"], changes, f"{SETTINGS}, world {world}")

    def _is_shown(self, name: str) -> bool:
        return bool(self.settings["agents"][name].get(_SHOWN))

    def _fitting(self, world: str) -> tuple[str, ...]:
        config = world_config(self.scale["worlds"][world])
        return fitting(load_environment(config.environment, **config.settings()))


def _tables(documents: Documents) -> dict[str, Table]:
    """Returns for each world who earns what in a trial, and then within a task."""
    tables = {}
    for world, document in documents.items():
        tables[world] = evaluation_table(document)
        if "from_scratch" in document:
            tables[f"{world}, within a task"] = within_task_table(document)
    return tables


def _write(place: Path, documents: Documents) -> Written:
    tables = _tables(documents)
    files = [
        write_file(place / f"{slug(name)}.md", to_markdown(table)) for name, table in tables.items()
    ]
    for world, document in documents.items():
        files.append(write_csv(place / f"{slug(world)}.csv", tables[world]))
        if "from_scratch" in document:
            files += write_within_task(place / slug(world), document)
    return tables, files


def _joined(
    found: Evaluation, names: Mapping[str, str], shown: Mapping[str, Evaluation]
) -> dict[str, Any]:
    """Returns the document of an evaluation to which agents that see more were added.

    Args:
      found: of agents that see as much as each other; the first is the one others are compared with.
      names: of agents, by the texts they were evaluated with.
      shown: by name, agents that were played alone in the same tasks with the same luck.
    """
    document = _renamed(found.to_json(), names)
    first = next(iter(found.agents.values()))
    for name, alone in shown.items():
        (score,) = alone.agents.values()
        (document["agents"][name],) = alone.to_json()["agents"].values()
        difference = mean_interval(score.totals - first.totals)
        document["differences"]["agents"][name] = difference._asdict()
    return document


def _renamed(document: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Returns an evaluation whose agents have the experiment's names instead of the places of their runs."""

    def by_name(scores: Mapping[str, Any]) -> dict[str, Any]:
        return {names.get(text, text): score for text, score in scores.items()}

    def part(whole: Mapping[str, Any], first: str) -> dict[str, Any]:
        name = names.get(whole[first], whole[first])
        return {**whole, first: name, "agents": by_name(whole["agents"])}

    renamed = {**document, "agents": by_name(document["agents"])}
    renamed["differences"] = part(document["differences"], "to")
    if "from_scratch" in document:
        renamed["from_scratch"] = part(document["from_scratch"], "mark_of")
    return renamed


reproduce_control = reproduction(_Work, _write)
