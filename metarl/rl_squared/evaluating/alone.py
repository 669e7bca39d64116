"""One agent alone, as a part of a larger undertaking: it learns, then plays, and goes on where it stood.

    config.json    who, where, in how many tasks
    checkpoints/   what is finished, and where its lesson or the chunk of tasks at work stands (`evaluation_job`)

All of its trials is kept, not only what an evaluation compares: the lengths of episodes too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metarl.environments import Played
from metarl.errors import require
from metarl.runs import Interruption, Progress, RunDirectory

from .evaluation_job import EvaluationJob, Order, lesson_part
from .parts import Part
from .running import driven, world_of_json
from .within_task import FromScratchPlan

JOB = "play"


class AloneJob(EvaluationJob):
    """Plays one agent, a learner from scratch in its long trials; see `EvaluationJob`."""

    def _all_parts(self) -> tuple[Part, ...]:
        (entrant,) = self.named
        order, learns = self.order, bool(self.learners)
        lessons = [lesson_part(entrant.text, self.trial)] if entrant.is_offline else []
        trial = self.long_trial if self.long_trial is not None else self.trial
        self._preparing, self._yardsticks = len(lessons), 0
        alone = Part("alone", entrant.text, trial, order.tasks, order.seed, learns)
        if not lessons:
            self._make(alone, entrant.text)  # refuses who does not fit
        return (*lessons, alone)


def play_alone(
    place: Path,
    agent: str,
    world: Mapping[str, Any],
    tasks: int,
    seed: int,
    episodes: int | None,
    owner: RunDirectory,
    progress: Progress,
) -> Played:
    """Returns the trials of an agent in the first test tasks, all numpy arrays; goes on with them, or reads them.

    Args:
      place: the run; its parent is made if needed.
      agent: the text of a learner, a classical agent, or who learns from offline data.
      world: settings of the world, by the names of `WorldConfig`, as JSON can hold them.
      tasks: N.
      seed: of tasks and luck.
      episodes: of a learner from scratch in each task; None for all others.
      owner: the run of the undertaking, which a person goes on with; its command line is recorded.
      progress: where progress is shown.

    Raises:
      InvalidInput: other settings were asked for when it was begun there; or see `evaluate`.
      KeyboardInterrupt: a signal came; the same call goes on.
    """
    plan = FromScratchPlan(episodes)
    job = AloneJob(Order([agent], world_of_json(world), tasks, seed, plan), progress.message)
    config = {
        "agent": agent,
        "world": dict(world),
        "tasks": tasks,
        "seed": seed,
        "episodes": episodes,
    }
    if not place.exists():
        place.parent.mkdir(exist_ok=True)
        RunDirectory.create(place, JOB, config, owner.provenance["command"])
    run = RunDirectory.open(place)
    require(
        run.job == JOB and run.config == config,
        f"{str(place)!r} was begun with other settings than are asked for now; choose another --run-dir, or remove "
        "that directory.",
    )
    with Interruption() as stop, contextlib.closing(job):
        state = driven(job, run, progress, stop, owner)
    return Played(**state.done[-1])  # type: ignore[arg-type]
