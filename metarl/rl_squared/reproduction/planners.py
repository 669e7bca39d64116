"""Planners: what plans, remembers, imitates or has learnt to learn, in three worlds, by return, real steps and seconds.

Every method is measured by the mean return of E successive episodes of a test task:

  from scratch   the last E of many episodes in it; what came before them are its real steps in the task
  all others     the first E; what they learnt before, they learnt elsewhere, in training tasks

Seconds are of the processor, one agent after the other, with compiling, learning and playing in all tasks; of a
method that was interrupted those of all sessions, of one that was killed but for its last seconds.

Letters: S trainings; N tasks; E episodes.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from metarl.environments import Trial, play_split
from metarl.reading import read_json_object
from metarl.reporting import (
    Column,
    Table,
    interval_text,
    number_text,
    to_json,
    to_markdown,
    write_csv,
    write_file,
    write_json,
)
from metarl.rl_baselines import offline_names, parse
from metarl.runs import without_compilation_cache, write_durably
from metarl.statistics import Mean, infinities_to_json, mean_interval, number_from_json

from ..agent.agent import make_trial
from ..agent.agent_files import load
from ..evaluating.alone import play_alone
from ..evaluating.entrants import Entrant, find_entrants
from ..learning.training import train_in
from ..settings.config import TrainConfig
from .documents import slug
from .scales import changed_config, world_config
from .worlds import SETTINGS, Documents, WorldWork, Written, reproduction

_NAME = "planners"
_EVERY = 5.0  # seconds from one note of the time that was spent to the next
_LUCK = 0  # seed of tasks and of what happens in them


class Shown(NamedTuple):
    """What one training of a method showed."""

    returns: np.ndarray  # [N] of an episode, mean of E
    steps: float  # in the task before those episodes, mean over tasks
    elsewhere: int  # in training tasks, at most


class _Work(WorldWork):
    """One command at work."""

    def measure(self, world: str) -> dict[str, Any]:
        """Returns what each method is given, and what it earned in one world for which steps and seconds."""
        rows = self._data(world)["rows"]
        return {
            "given": self.settings["given"],
            "rows": {method: self._row(world, method, row) for method, row in rows.items()},
        }

    def _data(self, world: str) -> dict[str, Any]:
        """Returns what is to be done in a world: what holds at every scale, and what the scale says."""
        return {**self.settings["worlds"].get(world, {}), **self.scale["worlds"][world]}

    def _row(self, world: str, method: str, row: Mapping[str, Any]) -> dict[str, Any]:
        if "missing" in row:
            return dict(row)
        kept = self.run.path / "rows" / f"{slug(world)}-{slug(method)}.json"
        if not kept.is_file():
            self.progress.message(f"{world}, {method}")
            data, spent = self._data(world), kept.with_suffix(".seconds.json")
            kept.parent.mkdir(exist_ok=True)
            with without_compilation_cache(), _adding_up(spent):
                seeds = range(trainings(row, data))
                shown = [self._shown(world, method, row, seed) for seed in seeds]
            document = summed_up(shown, read_json_object(spent)["seconds"])
            write_json(kept, document | {"command": command(row, data)})
            spent.unlink()
        return read_json_object(kept)

    def _shown(self, world: str, method: str, row: Mapping[str, Any], seed: int) -> Shown:
        data = self._data(world)
        where = world_of(row, data)
        trial = make_trial(world_config(where))
        name = f"{slug(world)}-{slug(method)}-{seed}"
        if "train" in row:
            place = self.run.path / "trainings" / name
            config = training(row, data, seed)
            label = f"{world}, {method}, seed {seed}"
            train_in(place, config, label, SETTINGS, self.run, self.progress)
            learnt = load(place)
            played = play_split(learnt.as_agent(), trial, _LUCK, tasks_of(row, data), "test")
            return _first(played, trial, learnt.scores["env_steps"])
        (entrant,) = find_entrants([text_of(row, data, seed)])
        if not (entrant.from_scratch or entrant.is_offline):
            played = play_split(entrant.make(trial), trial, _LUCK, tasks_of(row, data), "test")
            return _first(played, trial, _seen_elsewhere(entrant, trial))
        plan = from_scratch(row, data) if entrant.from_scratch else data
        played = play_alone(
            self.run.path / "learning" / name,
            entrant.text,
            where,
            tasks_of(row, plan),
            _LUCK,
            plan["episodes"] if entrant.from_scratch else None,
            self.run,
            self.progress,
        )
        if entrant.from_scratch:
            return _last(played, trial)
        return _first(played, trial, _seen_elsewhere(entrant, trial))


@contextlib.contextmanager
def _adding_up(spent: Path) -> Iterator[None]:
    """Adds the processor seconds of the block to those that a file tells, again and again until the block ends."""
    before = read_json_object(spent)["seconds"] if spent.is_file() else 0.0
    began, over = time.process_time(), threading.Event()

    def note() -> None:
        seconds = before + time.process_time() - began
        write_durably(spent, to_json({"seconds": seconds}).encode())

    def note_on() -> None:  # so that not much is lost where the process is killed
        while not over.wait(_EVERY):
            with contextlib.suppress(OSError):  # the last note meets it, too
                note()

    notes = threading.Thread(target=note_on, daemon=True)
    notes.start()
    try:
        yield
    finally:
        over.set()
        notes.join()
        note()


# Rows of the settings ----------------------------------------------------------------------------


def trainings(row: Mapping[str, Any], data: Mapping[str, Any]) -> int:
    """Returns S: 1 of what has none, and of the others the row's own number, or that of all."""
    offline = row.get("agent", "").partition(":")[0] in offline_names()
    return row.get("seeds", data["seeds"]) if offline or "train" in row else 1


def text_of(row: Mapping[str, Any], data: Mapping[str, Any], seed: int = 0) -> str:
    """Returns the agent of one training of a row, as `metarl evaluate` is told it."""
    text = row["agent"]
    if trainings(row, data) == 1:
        return text
    return f"{text}{',' if ':' in text else ':'}seed={seed}"


def world_of(row: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings of the world: the row's own, where its agent has to see it otherwise, or that of all."""
    return row.get("world", data["world"])


def from_scratch(row: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Returns how many episodes and tasks a learner from scratch has: the row's own, or those of all."""
    return {**data["from_scratch"], **row.get("from_scratch", {})}


def tasks_of(row: Mapping[str, Any], plan: Mapping[str, Any]) -> int:
    """Returns N: the row's own, or as many as the others have."""
    return row.get("tasks", plan["tasks"])


def training(row: Mapping[str, Any], data: Mapping[str, Any], seed: int) -> TrainConfig:
    """Returns the settings of a row's training in its world."""
    own = {name: value for name, value in row["train"].items() if name != "preset"}
    changes = (own, {"world": world_of(row, data), "seed": seed})
    return changed_config(row["train"]["preset"], changes, SETTINGS)


def command(row: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """Returns the command that prints the returns of a row, a line of a shell."""
    world = _flags(world_of(row, data))
    if "train" in row:
        places = [
            f"runs/{slug(data['world']['environment'])}-{s}" for s in range(trainings(row, data))
        ]
        own = f"metarl train {world} {_flags(row['train'])}"
        learn = [f"{own} --seed {s} --run-dir {place}" for s, place in enumerate(places)]
        look = f"metarl evaluate {' '.join(places)} --tasks {tasks_of(row, data)}"
        return " && ".join([*learn, look])
    agents = " ".join(text_of(row, data, seed) for seed in range(trainings(row, data)))
    words = f"metarl evaluate {agents} {world}"
    (entrant,) = find_entrants([text_of(row, data)])
    if not entrant.from_scratch:
        return f"{words} --tasks {tasks_of(row, data)}"
    plan = from_scratch(row, data)
    tasks = tasks_of(row, plan)
    long = f"--episodes-from-scratch {plan['episodes']} --tasks-from-scratch {tasks}"
    return f"{words} --tasks {tasks} {long}"


def _flags(settings: Mapping[str, Any], prefix: str = "") -> str:
    """Returns settings as flags of a command: {"ppo": {"learning_rate": 0.1}} is --ppo.learning-rate 0.1."""
    words = []
    for name, value in settings.items():
        flag = f"{prefix}{name}".replace("_", "-")
        if isinstance(value, Mapping):
            words.append(_flags(value, f"{prefix}{name}."))
        elif isinstance(value, bool):
            before, _, last = flag.rpartition(".")
            words.append(f"--{flag}" if value else f"--{before}{'.' if before else ''}no-{last}")
        else:
            values = value if isinstance(value, list) else [value]
            words.append(" ".join([f"--{flag}", *map(str, values)]))
    return " ".join(words)


# What came of them -------------------------------------------------------------------------------


def _first(played: Any, trial: Trial, elsewhere: int) -> Shown:
    """Returns what was earned in the first E episodes, all of which count."""
    return Shown(np.asarray(played.totals, np.float64) / trial.max_episodes, 0.0, elsewhere)


def _last(played: Any, trial: Trial) -> Shown:
    """Returns what was earned in the last E episodes of many."""
    window = trial.max_episodes
    returns = np.asarray(played.returns, np.float64)[:, -window:].mean(axis=1)
    steps = np.asarray(played.lengths)[:, :-window].sum(axis=1)
    return Shown(returns, float(steps.mean()), 0)


def _seen_elsewhere(entrant: Entrant, trial: Trial) -> int:
    """Returns how many steps of training tasks an agent has learnt from, at most."""
    if entrant.text.partition(":")[0] not in offline_names():
        return 0 if entrant.trained is None else int(entrant.trained.scores["env_steps"])
    config: Any = parse(entrant.text)[1]
    return config.trajectories * trial.environment.horizon


def summed_up(shown: Sequence[Shown], seconds: float) -> dict[str, Any]:
    """Returns the document of one row: what its trainings earned on average, in each task."""
    returns = np.stack([one.returns for one in shown])  # [S, N]
    means = returns.mean(axis=1)
    apart = f"{number_text(means.min(), 3)} to {number_text(means.max(), 3)}"
    return {
        "return": infinities_to_json(mean_interval(returns.mean(axis=0))._asdict()),
        "trainings": len(shown),
        "apart": apart if len(shown) > 1 else None,
        "tasks": returns.shape[1],
        "steps": round(float(np.mean([one.steps for one in shown]))),
        "elsewhere": shown[0].elsewhere,
        "seconds": seconds / len(shown),
    }


def row_table(documents: Documents) -> Table:
    """Returns the table with a row for each world and method, and its command."""
    rows = [
        {"world": world, "method": method, **row, "return": _mean(row)}
        for world, document in documents.items()
        for method, row in document["rows"].items()
    ]
    columns = [
        Column("world"),
        Column("method"),
        Column("return", "return of an episode [95 %]"),
        Column("apart", "lowest and highest training"),
        Column("trainings"),
        Column("tasks"),
        Column("steps", "real steps in the task before", digits=6),
        Column("elsewhere", "steps in training tasks, at most", digits=8),
        Column("seconds", "processor seconds of a training and its tasks"),
        Column("command"),
        Column("missing", "why not"),
    ]
    return Table("Planners", columns, rows)


def world_table(documents: Documents) -> Table:
    """Returns the table with a row for each method and a column for each world."""
    given = next(iter(documents.values()))["given"]
    rows = [
        {
            "method": method,
            "given": what,
            **{world: _cell(document["rows"].get(method)) for world, document in documents.items()},
        }
        for method, what in given.items()
    ]
    columns = [
        Column("method"),
        Column("given", "is given"),
        *(
            Column(world, f"{world}: return of an episode; real steps; seconds")
            for world in documents
        ),
    ]
    notes = [
        "Intervals are 95 %, over tasks, of the mean of the trainings; they do not tell how another training would "
        "differ. Real steps are those in the task before the return was measured; in brackets, those of training "
        "tasks elsewhere. Seconds are of the processor: compiling, learning, and playing in all tasks, which are not "
        "equally many for all.",
        *(
            f"No {method} in {world}: {row['missing']}."
            for world, document in documents.items()
            for method, row in document["rows"].items()
            if "missing" in row
        ),
    ]
    return Table("Planners", columns, rows, notes)


def _cell(row: Mapping[str, Any] | None) -> str | None:
    earned = _mean(row or {})
    if row is None or earned is None:
        return None
    estimate, bounds = interval_text(earned)
    steps = f"({row['elsewhere']:,})" if row["elsewhere"] else f"{row['steps']:,}"
    return f"{estimate} {bounds}; {steps}; {number_text(row['seconds'], 2)} s"


def _mean(row: Mapping[str, Any]) -> Mean | None:
    """Returns what a row earned, None where it is missing."""
    if "return" not in row:
        return None
    return Mean(**{name: number_from_json(number) for name, number in row["return"].items()})


def _write(place: Path, documents: Documents) -> Written:
    every, beside = row_table(documents), world_table(documents)
    files = [
        write_csv(place / f"{_NAME}.csv", every),
        write_file(place / f"{_NAME}.md", to_markdown(beside) + "\n" + _commands(every)),
    ]
    return {_NAME: beside}, files


def _commands(table: Table) -> str:
    """Returns the command of every row, in Markdown."""
    words = [row["command"] for row in table.rows if row.get("command")]
    return "\n".join(["```", *words, "```", ""])


reproduce_planners = reproduction(_Work, _write)
