"""Architectures at equal wall-clock: what remembers best, given the same seconds of acting and learning?

    rates      updates of every architecture, measured in turns within one process, warm: steps a second
    trained    each for as many environment steps as it makes in the seconds that all are given, at
               several learning rates; the best on validation tasks is that of its other seeds
    played     all in the same test tasks with the same luck
    written    a table for each world, and the curves against environment steps and against seconds

The rates of all worlds are measured first, once, and kept, with the budget that follows from them; so a
training is one of a number of steps, which repeats to the bit wherever it is resumed, and may share the
machine. Compiling and trying on validation tasks are not among the seconds.

Whatever has been measured or trained lies in the run's directory and is not done again.

Letters: S seeds; N points of a curve.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from metarl import classical_agents
from metarl.environments import Agent, Trial, play
from metarl.reading import read_json_object
from metarl.reporting import counted, write_json
from metarl.runs import Progress
from metarl.statistics import mean_interval

from ..agent.agent_files import load
from ..evaluating.worlds import describe_trial
from ..learning.train_job import TrainJob
from ..learning.training import make_job, train_in
from ..measuring.benchmark import Program, median_seconds
from ..settings.config import TrainConfig
from .architecture_report import write_architectures
from .experiments import Experiment
from .scales import changed_config
from .worlds import SETTINGS, Documents, WorldWork, Written, reproduce_worlds

YARDSTICKS = ("random", "oracle")  # who knows nothing, and who knows the task
_TRAININGS = "trainings"
_LUCK = 0  # seed of test tasks and of what happens in them


class Rate(NamedTuple):
    """How fast an architecture is in a world, and what follows."""

    steps_per_second: float
    env_steps: int  # the budget of each of its trainings, whole updates
    parameters: int  # numbers in the network that acts


class _Work(WorldWork):
    """One command at work on architectures."""

    def measure(self, world: str) -> dict[str, Any]:
        """Returns the document of one world: "environment", "tasks", "rates", "tuning", "runs", "returns"."""
        kept = self.run.path / f"{world}.json"
        if not kept.is_file():
            rates = {each: self._rates(each) for each in self.scale["worlds"]}[world]
            tuning = {name: self._tuned(world, name, rate) for name, rate in rates.items()}
            runs = {name: self._runs(world, name, rates[name], tuning[name]) for name in rates}
            agents = {name: [load(place) for place in places] for name, places in runs.items()}
            trial = next(iter(agents.values()))[0].trial
            players = {name: [one.as_agent() for one in ones] for name, ones in agents.items()}
            players |= {name: [classical_agents.make(name, trial)] for name in YARDSTICKS}
            document = {
                "environment": describe_trial(trial),
                "tasks": self.scale["tasks"],
                "rates": {name: rate._asdict() for name, rate in rates.items()},
                "tuning": tuning,
                "runs": runs,
                "returns": {
                    name: [self._play(world, name, one, trial) for one in ones]
                    for name, ones in players.items()
                },
            }
            write_json(kept, document)
        document = read_json_object(kept)
        return {**document, "runs": self._found(document["runs"])}

    def _found(self, runs: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        """Returns where the runs of architectures are now, if all was moved since they were noted."""
        place = self.run.path / _TRAININGS
        return {name: [str(place / Path(one).name) for one in ones] for name, ones in runs.items()}

    def _play(self, world: str, name: str, agent: Agent, trial: Trial) -> dict[str, float]:
        """Returns the mean return of an agent in the test tasks."""
        self.progress.message(f"{world}, {name}: {counted(self.scale['tasks'], 'test task')}")
        task_key, key = jax.random.split(jax.random.key(_LUCK))
        tasks = trial.environment.sample_tasks(task_key, self.scale["tasks"], "test")
        return mean_interval(play(agent, trial, key, tasks).totals)._asdict()

    def _tuned(self, world: str, name: str, rate: Rate) -> list[dict[str, float]]:
        """Returns the first seed's return in validation tasks at each learning rate, the best first."""
        agents = {
            learning_rate: load(self._trained(world, name, 0, rate, learning_rate))
            for learning_rate in self.scale["learning_rates"]
        }
        ranked = sorted(agents, key=lambda learning_rate: -agents[learning_rate].standing)
        return [
            {
                "learning_rate": learning_rate,
                "validation_return": agents[learning_rate].scores["validation_return"],
            }
            for learning_rate in ranked
        ]

    def _runs(
        self, world: str, name: str, rate: Rate, tuning: Sequence[Mapping[str, float]]
    ) -> list[str]:
        """Returns the runs of an architecture's seeds at its best learning rate."""
        learning_rate = tuning[0]["learning_rate"]
        seeds = range(self.scale["seeds"])
        return [str(self._trained(world, name, seed, rate, learning_rate)) for seed in seeds]

    def _rates(self, world: str) -> dict[str, Rate]:
        """Returns the rate of each architecture; all are measured if they were not before."""
        kept = self.run.path / "rates" / f"{world}.json"
        if not kept.is_file():
            jobs = {
                name: make_job(self._config(world, name)) for name in self.settings["architectures"]
            }
            self.progress.message(f"{world}: how fast is each architecture?")
            plan = (self.scale["seconds"], self.scale["rounds"], self.scale["steps_of_a_round"])
            rates = measure_rates(jobs, *plan, self.progress.message)
            kept.parent.mkdir(exist_ok=True)
            write_json(kept, {name: rate._asdict() for name, rate in rates.items()})
        return {name: Rate(**rate) for name, rate in read_json_object(kept).items()}

    def _trained(self, world: str, name: str, seed: int, rate: Rate, learning_rate: float) -> Path:
        """Returns the run of one agent, trained to the end."""
        algorithm = self._config(world, name).algorithm
        own = {
            "seed": seed,
            algorithm: {"learning_rate": learning_rate},
            "env_steps": rate.env_steps,
            "validation_every": math.ceil(rate.env_steps / self.scale["tries"]),
        }
        config = self._config(world, name, own)
        what = f"{name}-rate-{learning_rate:g}-seed-{seed}"
        place = self.run.path / _TRAININGS / f"{world}-{what}"
        label = f"{world}, {what}, {rate.env_steps:,} steps"
        train_in(place, config, label, SETTINGS, self.run, self.progress)
        return place

    def _config(self, world: str, name: str, own: Mapping[str, Any] | None = None) -> TrainConfig:
        changes = (
            self.settings["architectures"][name],
            self.scale["every"],
            self.scale["worlds"][world],
            own or {},
        )
        return changed_config(self.scale["preset"], changes, f"{SETTINGS}, {world}, {name}")


def reproduce_architectures(
    experiment: Experiment,
    scale: str,
    run_dir: str | Path | None,
    command: Sequence[str],
    progress: Progress,
) -> dict[str, Any]:
    """Measures, trains and compares, or goes on with it; see `reproduce_worlds`."""

    def write(place: Path, documents: Documents) -> Written:
        return write_architectures(place, experiment.name, documents)

    return reproduce_worlds(experiment, scale, run_dir, command, progress, _Work, write)


def measure_rates(
    jobs: Mapping[str, TrainJob],
    seconds: float,
    rounds: int,
    steps: int,
    say: Callable[[str], None],
) -> dict[str, Rate]:
    """Returns the rate of each training, and the budget that takes it so many seconds.

    Args:
      jobs: by name; none has begun.
      seconds: of acting and learning that each is to have.
      rounds: in each of which every program runs once; the median counts.
      steps: of each program, about.
      say: called with a line about what is measured next.
    """
    sizes = {name: job.trials * job.trial.length for name, job in jobs.items()}  # of an update
    counts = {name: max(1, steps // size) for name, size in sizes.items()}
    programs = {name: _program(job, counts[name]) for name, job in jobs.items()}
    taken = median_seconds(programs, rounds, say)
    rates = {}
    for name, job in jobs.items():
        update = sizes[name]
        rate = counts[name] * update / taken[name]
        budget = max(1, round(seconds * rate / update)) * update
        acting = jax.eval_shape(job.acting.init, jax.random.key(0))
        rates[name] = Rate(rate, budget, sum(x.size for x in jax.tree.leaves(acting)))
    return rates


def _program(job: TrainJob, updates: int) -> Program:
    """Returns so many updates, to be run again and again from the same beginning."""
    learner, rows = job.init().learner, job.reinforcement_rows(0, updates)
    return lambda: job.reinforcement_chunk(learner, *rows)
