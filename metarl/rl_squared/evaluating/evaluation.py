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

import numpy as np

from ..agent.agent import TrainedAgent
from ..settings.world_config import WorldConfig
from .entrants import Entrant
from .evaluation_job import EvaluationJob, Order, Standing
from .parts import Kept, play_of
from .scores import Evaluation, score_of
from .within_task import FromScratchPlan, WithinTask, compare_within_task
from .worlds import describe_trial, trained_otherwise

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
        played once. A name comes before a path of the same letters; write `./name`, or give a `Path`, for the path.
      world: where; some settings as a mapping are enough if a trained agent tells the others, and
        none are needed then; but an environment of somebody's own (my_module:factory) is imported
        only if it is named here. Trained agents can be tried in other worlds than their own (`find_trial`).
      tasks: N, of the test split.
      seed: of tasks and luck.
      from_scratch: how many episodes and tasks learners from scratch have, if there are any.
      say: called with a line about what is played next.

    Raises:
      InvalidInput: an agent is unknown, damaged, or does not fit; the world is not told, or
        is one in which a trained agent cannot act; a return is NaN.
    """
    given = dataclasses.asdict(world) if isinstance(world, WorldConfig) else world or {}
    job = EvaluationJob(Order(agents, given, tasks, seed, from_scratch or FromScratchPlan()), say)
    with contextlib.closing(job):
        state = job.init()
        while not job.finished(state):
            state, _ = job.update(state)
    return concluded(job, state)


def concluded(job: EvaluationJob, state: Standing) -> Evaluation:
    """Returns what has come of an evaluation whose parts are all finished."""
    kept = job.kept(state.done)
    texts = {entrant.text: job.text_of(entrant.text, state.done) for entrant in job.named}
    yardsticks = {name: play_of(kept[f"play {name}"]) for name in job.yardsticks()}
    first = play_of(kept[f"play {job.named[0].text}"])
    scores = {}
    for entrant in job.named:
        named = entrant.text
        played, greedy = play_of(kept[f"play {named}"]), kept.get(f"greedy {named}")
        scores[texts[named]] = score_of(
            entrant,
            played,
            None if greedy is None else play_of(greedy),
            None if entrant is job.named[0] else first,
            yardsticks,
            entrant.doubts(job.trial),
            trained_otherwise(entrant, job.trial),
        )
    return Evaluation(
        environment=describe_trial(job.trial),
        tasks=job.order.tasks,
        seed=job.order.seed,
        agents=scores,
        yardsticks={
            name: score_of(
                Entrant(name),
                played,
                None,
                None if name == job.named[0].text else first,
                yardsticks,
            )
            for name, played in yardsticks.items()
        },
        within_task=_within_task(job, kept, texts),
    )


def _within_task(
    job: EvaluationJob, kept: Mapping[str, Kept], texts: Mapping[str, str]
) -> WithinTask | None:
    """Returns what agents earn within a task, from its first episode on; None without learners."""
    if job.long_trial is None:
        return None

    def returns(kind: str) -> dict[str, np.ndarray]:
        rows = {texts[who]: kept.get(f"{kind} {who}") for who in texts}
        return {text: found["returns"] for text, found in rows.items() if found is not None}

    episodes = job.long_trial.max_episodes
    return compare_within_task(
        returns("mark"), returns("scratch"), job.trial.max_episodes, episodes
    )
