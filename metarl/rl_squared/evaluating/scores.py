"""Scores: what agents are worth in the same test tasks, between who knows nothing and who knows the task.

Letters: N tasks; E episodes of a trial.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from metarl.statistics import Mean, mean_interval, ratio_interval

from .entrants import Entrant
from .parts import Play
from .within_task import WithinTask

RANDOM, ORACLE = "random", "oracle"  # the yardsticks


@dataclass(frozen=True)
class AgentScore:
    """What one agent is worth.

    Attributes:
      totals: the return of a trial in each task [N], for differences of one's own.
      returns: their mean.
      per_episode: the mean return of each episode of a trial [E]; where trials have a budget of
        steps, over those that came so far.
      normalised: 0 is random, 1 who knows the task; None where nobody can know it.
      greedy: the return with the likeliest actions instead of sampled ones; learnt agents only.
      difference: to the first agent, paired by task; None for that itself.
      learnt: whether it was trained here.
      teacher: whom it imitated before it was reinforced, if it did.
      doubts: what it believes or assumes that the family denies or does not say; classical agents
        only, see `metarl.classical_agents.doubts`.
      control_variate: what was taken out of the rewards that it learnt from, if anything was.
      auxiliary_loss: with which weight its memory has learnt to predict what the simulator knows, if it has.
      distilled: how it was distilled, and from whose histories, if it was.
      inputs: what it is shown beyond the inputs of RL², if anything is.
      trained_otherwise: the settings of the world and the budget that were others in its training, see `worlds`.
    """

    totals: np.ndarray = dataclasses.field(repr=False, compare=False)
    returns: Mean
    per_episode: tuple[float, ...]
    normalised: Mean | None = None
    greedy: Mean | None = None
    difference: Mean | None = None
    learnt: bool = False
    teacher: str | None = None
    doubts: tuple[str, ...] = ()
    control_variate: str | None = None
    auxiliary_loss: str | None = None
    distilled: str | None = None
    inputs: str | None = None
    trained_otherwise: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """Agents in the same test tasks.

    Attributes:
      environment: its name, settings and the budget of a trial.
      tasks: N.
      seed: of tasks and luck.
      agents: by the texts they were named with, in that order.
      yardsticks: "random" and, where it can be had, "oracle".
      within_task: return against episodes within a task, if there are learners from scratch.
    """

    environment: Mapping[str, Any]
    tasks: int
    seed: int
    agents: Mapping[str, AgentScore]
    yardsticks: Mapping[str, AgentScore]
    within_task: WithinTask | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns the document of `metarl evaluate --json`; infinite bounds become null there."""
        first = next(iter(self.agents))
        differences = {
            text: score.difference._asdict()
            for text, score in {**self.yardsticks, **self.agents}.items()
            if score.difference is not None
        }
        document = {
            "environment": dict(self.environment),
            "tasks": self.tasks,
            "agents": {text: _score_json(score) for text, score in self.agents.items()},
            "seed": self.seed,
            "yardsticks": {text: _score_json(score) for text, score in self.yardsticks.items()},
            "differences": {"to": first, "agents": differences},
            "warm_started": {
                text: score.teacher for text, score in self.agents.items() if score.teacher
            },
            "distilled": {
                text: score.distilled for text, score in self.agents.items() if score.distilled
            },
            "doubts": {
                text: list(score.doubts) for text, score in self.agents.items() if score.doubts
            },
            "control_variates": {
                text: score.control_variate
                for text, score in self.agents.items()
                if score.control_variate
            },
            "auxiliary_losses": {
                text: score.auxiliary_loss
                for text, score in self.agents.items()
                if score.auxiliary_loss
            },
            "inputs": {text: score.inputs for text, score in self.agents.items() if score.inputs},
            "trained_otherwise": {
                text: dict(score.trained_otherwise)
                for text, score in self.agents.items()
                if score.trained_otherwise
            },
        }
        if self.within_task is not None:
            document["from_scratch"] = self.within_task.to_json()
        return document


def score_of(
    entrant: Entrant,
    played: Play,
    greedy: Play | None,
    first: Play | None,
    yardsticks: Mapping[str, Play],
    doubts: tuple[str, ...] = (),
    trained_otherwise: Mapping[str, Any] | None = None,
) -> AgentScore:
    """Returns what an agent is worth.

    Args:
      entrant: the agent.
      played: what came of it.
      greedy: likewise, with the likeliest actions; None if that was not tried.
      first: what came of the agent with which others are compared; None for that itself.
      yardsticks: what came of `RANDOM` and, where it can be had, `ORACLE`.
      doubts: about what it believes and assumes.
      trained_otherwise: what was otherwise in its training, see `worlds`.
    """
    return AgentScore(
        totals=played.totals,
        returns=mean_interval(played.totals),
        per_episode=played.per_episode,
        normalised=_normalised(played, yardsticks),
        greedy=None if greedy is None else mean_interval(greedy.totals),
        difference=None if first is None else mean_interval(played.totals - first.totals),
        learnt=entrant.trained is not None,
        teacher=entrant.teacher,
        doubts=doubts,
        control_variate=entrant.control_variate,
        auxiliary_loss=entrant.auxiliary_loss,
        distilled=entrant.distilled,
        inputs=entrant.inputs,
        trained_otherwise=trained_otherwise or {},
    )


def _normalised(played: Play, yardsticks: Mapping[str, Play]) -> Mean | None:
    """Returns (R - random) / (oracle - random); None if there is no oracle, or nothing to know."""
    if ORACLE not in yardsticks:
        return None
    random = yardsticks[RANDOM].totals
    span = yardsticks[ORACLE].totals - random
    if np.mean(span) <= 0:
        return None
    return ratio_interval(played.totals - random, span)


def _score_json(score: AgentScore) -> dict[str, Any]:
    document: dict[str, Any] = {
        "return": score.returns._asdict(),
        "normalised": None if score.normalised is None else score.normalised._asdict(),
        "per_episode": list(score.per_episode),
    }
    if score.greedy is not None:
        document["greedy_actions"] = {"return": score.greedy._asdict()}
    return document
