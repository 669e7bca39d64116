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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from metarl import classical_agents, rl_baselines
from metarl.environments import Agent, Trial
from metarl.errors import InvalidInput, require

from ..agent.agent import TrainedAgent
from ..settings.world_config import WorldConfig
from .entrants import Entrant, find_entrants, find_trial
from .scores import ORACLE, RANDOM, Evaluation, score_of
from .stage import TOGETHER, Stage
from .within_task import FromScratchPlan, WithinTask, compare_within_task

DEFAULT_TASKS = 1_000


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
    stage = Stage(trial, tasks, seed, say)
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
        doubts = entrant.doubts(trial)
        scores[text] = score_of(entrant, plays[text], greedy, first, yardsticks, doubts)
    return Evaluation(
        environment=describe_trial(trial),
        tasks=tasks,
        seed=seed,
        agents=scores,
        yardsticks={
            name: score_of(Entrant(name), played, None, first, yardsticks)
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


def _yardsticks(trial: Trial) -> dict[str, Agent]:
    """Returns the agents that know nothing and everything, as far as there are such."""
    found = {RANDOM: classical_agents.make(RANDOM, trial)}
    with contextlib.suppress(InvalidInput):  # there is none for this family
        found[ORACLE] = classical_agents.make(ORACLE, trial)
    return found
