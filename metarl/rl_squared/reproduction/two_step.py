"""The two-step task: does an agent that learnt to learn plan, or does it repeat what paid?

An agent is trained by reinforcement, whose outer loop is model-free, and played in the same tasks as a
model-based and a model-free learner and one that reasons by Bayes' rule. How often each takes the same
action again, after a reward or none by a common or a rare transition, tells whom it is like.

Reference: Wang et al. (2018), Nature Neuroscience 21, figure 5; arXiv:1611.05763, section 3.3.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from metarl import classical_agents
from metarl.environments import Trial, record
from metarl.reading import read_json_object
from metarl.reporting import (
    Column,
    Table,
    bar_panels,
    counted,
    to_markdown,
    write_csv,
    write_file,
    write_json,
)
from metarl.statistics import Mean, mean_interval

from ..agent.agent import make_trial
from ..agent.agent_files import load
from ..learning.training import train_in
from .documents import slug
from .scales import changed_config, world_config
from .stays import CONDITIONS, Rounds, stays_of
from .worlds import SETTINGS, Documents, WorldWork, Written, reproduction

_NAME, _LEARNT = "two-step", "RL²"


class _Work(WorldWork):
    """One command at work."""

    def measure(self, world: str) -> dict[str, Any]:
        """Returns the rows of the table of one world."""
        kept = self.run.path / f"{slug(world)}-stays.json"
        if not kept.is_file():
            trial = make_trial(world_config(self.scale["worlds"][world]))
            place = self._train(world)
            agents = {_LEARNT: load(place).as_agent(trial.environment)}
            for name in self.settings["yardsticks"]:
                self.progress.message(f"{name}: tuning on validation tasks")
                text = classical_agents.tune(name, trial, tasks=self.scale["tuning_tasks"])
                agents[text] = classical_agents.make(text, trial)
            rows = [self._row(text, agent, trial) for text, agent in agents.items()]
            write_json(kept, {"rows": rows})
        return read_json_object(kept)

    def _train(self, world: str) -> Path:
        """Returns the run of the agent, trained to the end."""
        changes = (self.scale["every"], {"world": self.scale["worlds"][world]})
        config = changed_config(self.scale["preset"], changes, f"{SETTINGS}, world {world}")
        place = self.run.path / "trainings" / slug(world)
        train_in(place, config, world, "experiments/", self.run, self.progress)
        return place

    def _row(self, text: str, agent: Any, trial: Trial) -> dict[str, Any]:
        self.progress.message(f"{text}: {counted(self.scale['tasks'], 'task')}")
        rounds = play_rounds(agent, trial, self.scale["tasks"])
        stays = stays_of(rounds)
        return {
            "agent": text,
            "return": mean_interval(rounds.rewarded.sum(axis=1))._asdict(),
            **dict(zip(CONDITIONS, (p._asdict() for p in stays.probabilities), strict=True)),
            "interaction": stays.interaction._asdict(),
            "interaction, apart": stays.interaction_apart._asdict(),
            "of reward": stays.of_reward._asdict(),
        }


def play_rounds(agent: Any, trial: Trial, tasks: int, seed: int = 0) -> Rounds:
    """Returns what happened in episodes of as many test tasks, as rounds."""
    tasks_key, luck_key = jax.random.split(jax.random.key(seed))
    drawn = trial.environment.sample_tasks(tasks_key, tasks, "test")
    happened = jax.device_get(record(agent, trial, luck_key, drawn))
    actions = np.asarray(happened.actions)[:, ::2]
    led_to = np.asarray(happened.transitions.next_observation)[:, ::2]
    better = np.asarray(happened.transitions.info["better"])[:, ::2]
    usual = 1 + (actions ^ np.asarray(drawn.swapped)[:, None])  # where actions commonly lead
    rewarded = np.asarray(happened.transitions.reward)[:, 1::2] > 0
    return Rounds(actions, led_to == usual, rewarded, usual == better)


def stay_table(document: Mapping[str, Any]) -> Table:
    """Returns the table: a row for each agent."""
    rows = [
        {name: value if name == "agent" else Mean(**value) for name, value in row.items()}
        for row in document["rows"]
    ]
    columns = [
        Column("agent"),
        Column("return", "return of an episode [95 %]"),
        *(Column(name, f"stays: {name}") for name in CONDITIONS),
        Column("interaction"),
        Column("interaction, apart", "interaction, right and wrong actions apart"),
        Column("of reward", "effect of reward"),
    ]
    notes = ["Intervals are over test tasks; of one trained agent, so they say nothing of another."]
    return Table("Two-step task", columns, rows, notes)


def _write(place: Path, documents: Documents) -> Written:
    tables, files = {}, []
    for world, document in documents.items():
        table = tables[world] = stay_table(document)
        panels = {
            row["agent"].partition(":")[0]: {
                "common transition": [row[CONDITIONS[0]], row[CONDITIONS[2]]],
                "rare transition": [row[CONDITIONS[1]], row[CONDITIONS[3]]],
            }
            for row in table.rows
        }
        chart = bar_panels(panels, ("rewarded", "not"), "stays, share of rounds", y_top=1.0)
        files += [
            write_csv(place / f"{slug(world)}.csv", table),
            write_file(place / f"{slug(world)}.md", to_markdown(table)),
            chart.write_svg(place / f"{slug(world)}.svg"),
            chart.write_png(place / f"{slug(world)}.png"),
        ]
    return tables, files


reproduce_two_step = reproduction(_Work, _write)
