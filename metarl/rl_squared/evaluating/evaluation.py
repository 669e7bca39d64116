"""Evaluation: learnt and hand-made agents in the same test tasks, with the same luck.

Every agent is played by the same function with the same keys, so differences are paired by task.
Learnt agents act twice: by sampling, which counts, and greedily. Two yardsticks are played beside
them, who knows nothing and who knows the task; between them lies the normalised return,

  (R - R_random) / (R_oracle - R_random)

Intervals are normal, over tasks.

Learners from scratch meet the same trials too, and then more episodes of each task (`within_task.py`).

Letters: N tasks; E episodes.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from metarl import classical_agents, rl_baselines
from metarl.environments import (
    Agent,
    Played,
    Trial,
    play_in_chunks,
    play_on_host,
)
from metarl.errors import InvalidInput, require
from metarl.statistics import Mean, mean_interval, ratio_interval

from ..agent.agent import TrainedAgent
from ..settings.config import WorldConfig
from .entrants import Entrant, find_entrants, find_trial
from .within_task import FromScratchPlan, WithinTask, compare_within_task

DEFAULT_TASKS = 1_000
RANDOM, ORACLE = "random", "oracle"  # the yardsticks
TOGETHER = 10_000  # tasks that are played at a time, by agents that remember little


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
    """

    totals: np.ndarray = dataclasses.field(repr=False, compare=False)
    returns: Mean
    per_episode: tuple[float, ...]
    normalised: Mean | None = None
    greedy: Mean | None = None
    difference: Mean | None = None
    learnt: bool = False
    teacher: str | None = None


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
        }
        if self.within_task is not None:
            document["from_scratch"] = self.within_task.to_json()
        return document


def evaluate(
    agents: Sequence[str | Path | TrainedAgent],
    *,
    world: WorldConfig | Mapping[str, Any] | None = None,
    tasks: int = DEFAULT_TASKS,
    seed: int = 0,
    from_scratch: FromScratchPlan | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Evaluation:
    """Plays agents in the same test tasks.

    Args:
      agents: files, runs or names of trained agents, texts of classical ones ("ucb1:c=0.2") or
        of learners from scratch ("dqn"), or trained agents themselves. One that is named twice is
        played once. A name comes before a path of the same letters; write `./name` for the path.
      world: where; some settings as a mapping are enough if a trained agent tells the others, and
        none are needed then; but an environment of somebody's own (my_module:factory) is imported
        only if it is named here. Trained agents can be tried in longer or shorter trials than their
        own.
      tasks: N, of the test split.
      seed: of tasks and luck.
      from_scratch: how many episodes and tasks learners from scratch have, if there are any.
      say: called with a line about what is played next.

    Raises:
      InvalidInput: an agent is unknown, damaged, or does not fit; the world is not told, or
        contradicts a trained agent's; a return is NaN.
    """
    require(len(agents) > 0, "There is nobody to evaluate; name at least one agent.")
    require(tasks >= 1, f"tasks is {tasks}; it must be at least 1.")
    require(0 <= seed < 2**32, f"seed is {seed}; it must be from 0 to 4294967295.")
    given = dataclasses.asdict(world) if isinstance(world, WorldConfig) else world or {}
    entrants = find_entrants(agents, own=[given.get("environment")])
    trial = find_trial(entrants, given)
    plan = from_scratch or FromScratchPlan()
    if any(entrant.from_scratch for entrant in entrants):
        plan.trial(trial)  # refuses what cannot be compared, before anything is played
        entrants = [_tuned(entrant, trial, plan, say) for entrant in entrants]
    playing = {entrant.text: (entrant, entrant.make(trial)) for entrant in entrants}
    stage = _Stage(trial, tasks, seed, say)
    yardsticks = {name: stage.play(name, agent) for name, agent in _yardsticks(trial).items()}
    plays = {
        text: yardsticks[text]
        if text in yardsticks
        else stage.play(text, agent, rl_baselines.TOGETHER if entrant.from_scratch else TOGETHER)
        for text, (entrant, agent) in playing.items()
    }
    first = next(iter(plays.values()))
    scores = {}
    for text, (entrant, _) in playing.items():
        greedy = None
        if entrant.trained is not None:
            greedy = stage.play(f"{text}, greedily", entrant.make(trial, greedy=True))
        scores[text] = _score(entrant, plays[text], greedy, first, yardsticks)
    return Evaluation(
        environment=describe_trial(trial),
        tasks=tasks,
        seed=seed,
        agents=scores,
        yardsticks={
            name: _score(Entrant(name), played, None, first, yardsticks)
            for name, played in yardsticks.items()
        },
        within_task=_within_task(entrants, trial, plan, seed, say),
    )


def describe_trial(trial: Trial) -> dict[str, Any]:
    """Returns an environment's name and settings, and the budget of a trial in it, as JSON."""
    budget = {"trial_steps": trial.steps} if trial.steps else {"episodes": trial.episodes}
    return {"name": trial.environment.name, **trial.environment.settings, **budget}


def _tuned(
    entrant: Entrant, trial: Trial, plan: FromScratchPlan, say: Callable[[str], None]
) -> Entrant:
    """Returns a learner with settings chosen on validation tasks, if it is to be; others as they are."""
    if not (plan.tune and entrant.text in rl_baselines.names()):
        return entrant
    entrant.make(trial)  # before an hour of tuning: can it learn there?
    return Entrant(rl_baselines.tune(entrant.text, plan.trial(trial), say=say))


def _within_task(
    entrants: Sequence[Entrant],
    trial: Trial,
    plan: FromScratchPlan,
    seed: int,
    say: Callable[[str], None],
) -> WithinTask | None:
    """Returns what agents earn within a task, from its first episode on; None without learners."""
    learners = {entrant.text for entrant in entrants if entrant.from_scratch}
    if not learners:
        return None
    long_trial = plan.trial(trial)
    return compare_within_task(
        {e.text: e.make(trial) for e in entrants if e.text not in learners},
        {e.text: e.make(long_trial) for e in entrants if e.text in learners},
        trial,
        long_trial,
        seed,
        plan.tasks,
        say,
    )


class _Play(NamedTuple):
    """What came of N trials, no larger than it must be."""

    totals: np.ndarray  # [N]
    per_episode: tuple[float, ...]  # [E]


class _Stage(NamedTuple):
    """Where all agents are played."""

    trial: Trial
    tasks: int
    seed: int
    say: Callable[[str], None]

    def play(self, text: str, agent: Agent, together: int = TOGETHER) -> _Play:
        """Plays one agent, chunk by chunk; of each chunk the totals and sums are kept."""
        self.say(f"{text}: {self.tasks:,} tasks")
        totals, sums, begun = [], 0.0, 0
        for played in self._chunks(agent, together):
            returns = np.asarray(played.returns, np.float64)  # [n, E]
            totals.append(returns.sum(axis=1))
            sums, begun = sums + returns.sum(axis=0), begun + (played.lengths > 0).sum(axis=0)
        every_total, reached = np.concatenate(totals), np.asarray(begun) > 0
        require(
            bool(np.isfinite(every_total).all()),
            f"{text}: its return in test task {int(np.argmin(np.isfinite(every_total)))} is not "
            "finite; the environment gives rewards or observations that are NaN or infinite.",
        )
        means = np.asarray(sums)[reached] / np.asarray(begun)[reached]
        return _Play(every_total, tuple(means.tolist()))

    def _chunks(self, agent: Agent, together: int) -> Iterable[Played]:
        if self.trial.environment.on_host:
            return [play_on_host(agent, self.trial, self.seed, self.tasks, "test")]
        return play_in_chunks(agent, self.trial, self.seed, self.tasks, "test", together)


def _yardsticks(trial: Trial) -> dict[str, Agent]:
    """Returns the agents that know nothing and everything, as far as there are such."""
    found = {RANDOM: classical_agents.make(RANDOM, trial)}
    with contextlib.suppress(InvalidInput):  # there is none for this family
        found[ORACLE] = classical_agents.make(ORACLE, trial)
    return found


def _score(
    entrant: Entrant,
    played: _Play,
    greedy: _Play | None,
    first: _Play,
    yardsticks: Mapping[str, _Play],
) -> AgentScore:
    return AgentScore(
        totals=played.totals,
        returns=mean_interval(played.totals),
        per_episode=played.per_episode,
        normalised=_normalised(played, yardsticks),
        greedy=None if greedy is None else mean_interval(greedy.totals),
        difference=None if played is first else mean_interval(played.totals - first.totals),
        learnt=entrant.trained is not None,
        teacher=entrant.teacher,
    )


def _normalised(played: _Play, yardsticks: Mapping[str, _Play]) -> Mean | None:
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
