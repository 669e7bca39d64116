"""Experiments: the tables and figures of RL² that can be reproduced, one row each.

Reference: Duan et al. (2016), arXiv:1611.02779, tables 1 to 3, figures 2 to 6; Mishra et al. (2018),
arXiv:1707.03141, table 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from metarl.runs import ExperimentCard, ScaleName


@dataclass(frozen=True, kw_only=True)
class Experiment(ExperimentCard):
    """A table or a figure of the paper.

    Attributes:
      reference: for a figure, the column that is 1 on its axis; None for a table.
    """

    reference: str | None = None


CONTROL = "control"
ARCHITECTURES = "architectures"
KEY_TO_DOOR = "key-to-door"
TWO_STEP = "two-step"
IN_CONTEXT = "in-context"
PLANNERS = "planners"
MAPS_AND_RULES = "maps-and-rules"
LEARNT_WORLDS = "learnt-worlds"

_COSTS: Mapping[ScaleName, str] = MappingProxyType(
    {"smoke": "a minute a cell", "laptop": "hours", "paper": "days without a GPU"}
)

_MAZE_COSTS: Mapping[ScaleName, str] = MappingProxyType(
    {"smoke": "minutes", "laptop": "an hour", "paper": "days without a GPU"}
)

_NO_TRAINING: Mapping[ScaleName, str] = MappingProxyType(
    dict.fromkeys(("smoke", "laptop", "paper"), "some seconds")
)

_ROWS = (
    Experiment(
        name="rl2-table-1",
        folder="rl2_table_1",
        caption="Bernoulli bandits: classical agents and RL² (Duan et al. 2016)",
        costs=_COSTS,
        evidence="table.csv",
    ),
    Experiment(
        name="rl2-table-2",
        folder="rl2_table_2",
        caption="random MDPs: classical agents and RL² (Duan et al. 2016)",
        costs=_COSTS,
        evidence="classical.csv",
    ),
    Experiment(
        name="rl2-figure-2",
        folder="rl2_table_1",
        caption="learning curves of RL² on bandits; Gittins is 1",
        costs=_COSTS,
        evidence="figure-2-curves.csv",
        reference="Gittins",
    ),
    Experiment(
        name="rl2-figure-3",
        folder="rl2_table_2",
        caption="learning curves of RL² on MDPs; OPSRL is 1",
        costs=_COSTS,
        evidence="figure-3-curves.csv",
        reference="OPSRL",
    ),
    Experiment(
        name="rl2-bandit-1000x50",
        folder="rl2_bandit_1000x50",
        caption="1000 pulls of 50 arms (Mishra et al. 2018)",
        costs=_COSTS,
        evidence="classical.csv",
    ),
    *(
        Experiment(
            name=f"rl2-{name}",
            folder="rl2_table_3",
            caption=caption,
            costs=costs,
            evidence=f"rl2-{name}{ending}",
        )
        for name, caption, costs, ending in (
            ("table-3", "mazes: episodes 1 and 2 of RL² (Duan et al. 2016)", _MAZE_COSTS, ".md"),
            ("figure-4", "what an agent sees in mazes, from above too", _NO_TRAINING, ".png"),
            ("figure-5", "learning curves of RL² in mazes", _MAZE_COSTS, "-curves.csv"),
            ("figure-6", "ways of episodes 1 and 2 through mazes", _MAZE_COSTS, ".png"),
        )
    ),
    Experiment(
        name=CONTROL,
        folder="control",
        caption="control with physics per task: RL², no memory, an oracle, learners from scratch",
        costs={"smoke": "minutes", "laptop": "an hour", "paper": "a day without a GPU"},
        evidence="cartpole.csv",
    ),
    Experiment(
        name=ARCHITECTURES,
        folder="architectures",
        caption="what remembers, at equal wall-clock: GRU, LSTM, fast weights, LRU, transformer",
        costs={
            "smoke": "a minute",
            "laptop": "two hours",
            "paper": "four days without a GPU",
        },
        evidence="architectures.md",
    ),
    Experiment(
        name=KEY_TO_DOOR,
        folder="key_to_door",
        caption="learning from random walks: decision transformer, imitation (Chen et al. 2021)",
        costs={"smoke": "a minute", "laptop": "a quarter of an hour", "paper": "two hours"},
        evidence="key-to-door.md",
    ),
    Experiment(
        name=TWO_STEP,
        folder="two_step",
        caption="the two-step task: does RL² plan, or repeat what paid? (Wang et al. 2018)",
        costs={"smoke": "a minute", "laptop": "five minutes", "paper": "half an hour"},
        evidence="two-step.md",
    ),
    Experiment(
        name=IN_CONTEXT,
        folder="in_context",
        caption="ways to an agent that learns within a trial: reinforced, imitating, distilled",
        costs={"smoke": "a minute", "laptop": "half an hour", "paper": "a day"},
        evidence="in-context.md",
    ),
    Experiment(
        name=MAPS_AND_RULES,
        folder="maps_and_rules",
        caption="maps and rules that must be found out: reinforced and taught, beside who finds out",
        costs={"smoke": "a minute", "laptop": "half an hour", "paper": "days"},
        evidence="maps-and-rules.md",
    ),
    Experiment(
        name=LEARNT_WORLDS,
        folder="learnt_worlds",
        caption="one short training in each family of tasks, beside who was made for it",
        costs={"smoke": "a minute", "laptop": "half an hour", "paper": "a day"},
        evidence="learnt-worlds.csv",
    ),
    Experiment(
        name=PLANNERS,
        folder="planners",
        caption="what plans, remembers, imitates or has learnt to learn: return, real steps, seconds",
        costs={"smoke": "a minute", "laptop": "a quarter of an hour", "paper": "half a day"},
        evidence="planners.md",
    ),
)

EXPERIMENTS = MappingProxyType({row.name: row for row in _ROWS})
