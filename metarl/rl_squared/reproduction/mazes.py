"""Reproduction of table 3 and figures 4 to 6: mazes, learnt by a curriculum over their sizes.

    trained     stage after stage, each from the agent of the one before; for each kind of agent and each seed
    measured    the last agent of each kind's best seed, and the yardsticks: one at random, one who explores and
                forgets nothing, one who draws a map, one who knows it; in the test mazes of each cell
    written     table, curves and pictures, the paper's numbers beside ours

`experiments/rl2_table_3` holds what was published (`settings.json`) and, for each scale, the world, the kinds of agents
with their stages, and the cells (`training.json`). Whatever has been trained or measured lies in the run's
directory and is not done again; the table and the figures share it.

Reference: Duan et al. (2016), arXiv:1611.02779, table 3, figures 4 to 6; Mishra et al. (2018),
arXiv:1707.03141, table 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from metarl import classical_agents
from metarl.environments import Agent, Trial
from metarl.errors import require, unknown_name
from metarl.reading import read_json_object
from metarl.reporting import Table, to_markdown, write_csv, write_file, write_json
from metarl.runs import (
    Progress,
    RunDirectory,
    begin_or_go_on,
    experiment_folder,
    saying_how_to_go_on,
)

from ..agent.agent import make_trial
from ..agent.agent_files import load
from ..learning.training import train_in
from ..settings.config import TrainConfig
from .documents import finish
from .experiments import Experiment
from .maze_figures import draw_observations, draw_training, draw_ways
from .maze_measures import maze_table, measure, notes_on_learning, notes_on_splits
from .scales import FILE, changed_config, world_config

TABLE, VIEWS, CURVES, WAYS = MAZES = tuple(
    f"rl2-{what}" for what in ("table-3", "figure-4", "figure-5", "figure-6")
)
YARDSTICKS = {
    "Random": "random",
    "Explorer": "frontier",
    "Cartographer": "cartographer",
    "Oracle": "oracle",
}


def reproduce_mazes(
    experiment: Experiment,
    scale: str,
    run_dir: str | Path | None,
    command: Sequence[str],
    progress: Progress,
    cells: Sequence[str] = (),
    committed: bool = False,
) -> dict[str, Any]:
    """Trains, measures and draws, or goes on with it.

    Args:
      experiment: its card; one of `MAZES`.
      scale: "smoke", "laptop" or "paper".
      run_dir: where everything is kept; `runs/FOLDER-SCALE` if None.
      command: the command line to record.
      progress: where progress is shown.
      cells: kinds of mazes to measure; none for all.
      committed: take the agent that comes with the package instead of training.

    Returns:
      "experiment", "scale", "run_dir", "tables" by cell, and "files" that were written.

    Raises:
      InvalidInput: there is no such scale or cell, another reproduction is in that directory, or no
        checkout.
      KeyboardInterrupt: a signal came; the same command goes on.
    """
    folder = experiment_folder(experiment.folder)
    settings, scales = (read_json_object(folder / name) for name in ("settings.json", FILE))
    if scale not in scales:
        raise unknown_name("scale", scale, scales)
    for cell in cells:
        if cell not in scales[scale]["cells"]:
            raise unknown_name("cell", cell, scales[scale]["cells"])
    name = experiment.name
    if committed:  # refused before anything is written
        require(name != CURVES, f"{name} shows trainings: leave --agents committed out.")
        require(
            name == VIEWS or all("agent" in kind for kind in scales[scale]["learnt"].values()),
            "No agent of this scale comes with the package; train.",
        )
    place = run_dir or experiment.run_dir(scale)  # type: ignore[arg-type]
    run = begin_or_go_on(
        place,
        {"mazes": experiment.folder, "scale": scale},
        command,
        progress.message,
        {**settings, "scales": {scale: scales[scale]}},
    )
    with run.lock(), saying_how_to_go_on(progress):
        work = _Work(settings, scales[scale], run, progress, committed)
        tables: dict[str, Table] = {}
        if name == VIEWS:
            files = draw_observations(run.path, name, work.trials())
        elif name in (CURVES, WAYS):
            cell = next(iter(cells), work.scale["drawn"])
            files = [file for kind in work.kinds for file in work.figure(name, kind, cell)]
        else:
            tables = {cell: work.table(cell) for cell in (cells or work.scale["cells"])}
            files = _write_tables(run.path, name, tables)
        return finish(experiment, scale, run, {"tables": tables}, files, whole=not cells)


class _Work(NamedTuple):
    """One command at work."""

    settings: Mapping[str, Any]  # what was published
    scale: Mapping[str, Any]
    run: RunDirectory
    progress: Progress
    committed: bool

    @property
    def kinds(self) -> list[str]:
        """The kinds of agents that learn."""
        return list(self.scale["learnt"])

    def figure(self, name: str, kind: str, cell: str) -> list[Path]:
        """Draws the trainings of a kind of agents, or the ways of its best; the first kind's bear the name alone."""
        file = name if kind == self.kinds[0] else f"{name}-{_slug(kind)}"
        best = self.best(kind)
        if name == CURVES:
            return draw_training(self.run.path, file, self.runs(kind))
        return draw_ways(self.run.path, file, load(best), self.trial(cell))

    def trials(self) -> dict[str, Trial]:
        return {cell: self.trial(cell) for cell in self.scale["cells"]}

    def trial(self, cell: str) -> Trial:
        return make_trial(
            world_config({**self.scale["world"], **self.scale["cells"][cell]["world"]})
        )

    def table(self, cell: str) -> Table:
        """Returns the table of one kind of maze; what is new in it is played."""
        learnt = {kind: self.best(kind) for kind in self.kinds}
        agents = {**learnt, **YARDSTICKS}
        ours = {name: self._measured(cell, name, agent) for name, agent in agents.items()}
        published = self.settings["published"].get(self.scale["cells"][cell].get("paper"), ())
        notes = []
        for kind, place in learnt.items():
            best = load(place)
            notes += notes_on_splits(kind, best.trial.environment, self.trial(cell).environment)
            notes += notes_on_learning(
                kind, best.auxiliary_weight, best.config.network.inner_values
            )
        return maze_table(cell, ours, published, notes)

    def best(self, kind: str) -> str:
        """Returns the last agent of a kind's best seed, all seeds trained to the end; or the committed."""
        if self.committed:
            return self.scale["learnt"][kind]["agent"]
        places = [self._trained(kind, seed) for seed in self._seeds(kind)]
        scores = [load(place).standing for place in places]
        return str(places[scores.index(max(scores))])

    def runs(self, kind: str) -> dict[str, list[RunDirectory]]:
        """Returns the runs of each stage of a kind, one for each seed."""
        return {
            stage: [RunDirectory.open(self._place(kind, stage, seed)) for seed in self._seeds(kind)]
            for stage in self.scale["learnt"][kind]["stages"]
        }

    def _seeds(self, kind: str) -> range:
        return range(self.scale["learnt"][kind]["seeds"])

    def _trained(self, kind: str, seed: int) -> Path:
        """Returns the run of the last stage of a seed."""
        before: Path | None = None
        for stage in self.scale["learnt"][kind]["stages"]:
            config = self._config(kind, stage, seed, before)
            place, caption = self._place(kind, stage, seed), f"{kind}, {stage}, seed {seed}"
            train_in(place, config, caption, FILE, self.run, self.progress)
            before = place
        assert before is not None
        return before

    def _config(self, kind: str, stage: str, seed: int, before: Path | None) -> TrainConfig:
        own = {"seed": seed, "init_from": None if before is None else str(before)}
        learnt, world = self.scale["learnt"][kind], {"world": self.scale["world"]}
        changes = (learnt["every"], world, learnt["stages"][stage], own)
        return changed_config(self.scale["preset"], changes, f"{FILE}, {kind}, stage {stage}")

    def _place(self, kind: str, stage: str, seed: int) -> Path:
        first = kind == self.kinds[0]
        folder = f"{stage}-seed-{seed}" if first else f"{_slug(kind)}-{stage}-seed-{seed}"
        return self.run.path / "trainings" / folder

    def _measured(self, cell: str, name: str, text: str) -> dict[str, Any]:
        """Returns the measures of an agent in a cell; they are kept in a file."""
        source = "-committed" if self.committed and name not in YARDSTICKS else ""
        kept = self.run.path / "measured" / f"{cell}-{_slug(name)}{source}.json"
        if not kept.is_file():
            trial = self.trial(cell)
            agent = _player(name, text, trial)
            self.progress.message(f"{cell}, {name}: {self.scale['tasks']} test mazes")
            found = measure(agent, trial, self.scale["tasks"], self.settings["seed"])
            kept.parent.mkdir(exist_ok=True)
            write_json(kept, {"agent": text, **found})
        return read_json_object(kept)


def _slug(name: str) -> str:
    """Returns the name of an agent as part of a file's."""
    return name.lower().replace("²", "2").replace(", ", "-").replace(" ", "-")


def _player(name: str, text: str, trial: Trial) -> Agent:
    """Returns a yardstick by its name among the classical agents, or a trained agent."""
    if name in YARDSTICKS:
        return classical_agents.make(text, trial)
    return load(text).as_agent(trial.environment)


def _write_tables(place: Path, name: str, tables: Mapping[str, Table]) -> list[Path]:
    """Writes each cell as CSV, and all of them as one page."""
    files = [write_csv(place / f"{name}-{cell}.csv", table) for cell, table in tables.items()]
    page = "\n".join(to_markdown(table) for table in tables.values())
    return [*files, write_file(place / f"{name}.md", page)]
