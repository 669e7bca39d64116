"""Teachers: who acts before a student, who says what was to be done, and in which trials.

  warm start              teacher and student act, the teacher says
  algorithm distillation  the teacher acts and says; of its episodes every so many-th is shown
  decision-pretrained     teacher and student act, who knows the task says

Letters: E episodes of the student's trial.

References: Ross et al. (2011), arXiv:1011.0686; Laskin et al. (2022), "In-context reinforcement learning with
algorithm distillation", arXiv:2210.14215; Lee et al. (2023), "Supervised pretraining can learn in-context
reinforcement learning", arXiv:2306.14892.
"""

from __future__ import annotations

from typing import NamedTuple

from metarl import classical_agents, rl_baselines
from metarl.environments import Agent, Trial
from metarl.errors import InvalidInput, require, unknown_name

from ..settings.config import TrainConfig

_KNOWS = "oracle"  # the classical agent of a world that is shown the task


class Teaching(NamedTuple):
    """How a student is taught."""

    trial: Trial  # the teacher's
    acts: Agent
    says: Agent | None = None  # None: who acts says what it would do
    share: float = 1.0  # of the trials in which the teacher acts; the student does in the others
    skip: int = 1  # every so many-th episode is shown

    @property
    def steps(self) -> int:
        """Environment steps of one lesson."""
        return self.trial.length


def find_teaching(config: TrainConfig, trial: Trial) -> Teaching | None:
    """Returns how a configuration wants its student to be taught; None if it does not.

    Args:
      config: of the training.
      trial: the student's.

    Raises:
      InvalidInput: the teacher is unknown or cannot play the world, nobody knows the best actions, or
        episodes cannot be left out.
    """
    imitation = config.imitation
    if config.warm_start is not None:
        teacher = classical_agents.make(config.warm_start, trial)
        return Teaching(trial, teacher, share=imitation.teacher_share)
    if config.teacher is None:
        return None
    require(
        not trial.environment.on_host,
        f"{trial.environment.name!r} is stepped on the host, where --distil has no histories; leave it out.",
    )
    if config.distil == "algorithm":
        longer = _history(trial, imitation.skip)
        return Teaching(longer, _learner(config.teacher, longer), skip=imitation.skip)
    teacher = _learner(config.teacher, trial)
    return Teaching(trial, teacher, _who_knows(trial), imitation.teacher_share)


def _learner(text: str, trial: Trial) -> Agent:
    """Returns the agent whose histories are learnt from.

    Raises:
      InvalidInput: see `find_teaching`; or it is shown the task, so that its histories would tell it.
    """
    name, learners = text.partition(":")[0], rl_baselines.names()
    if name not in (known := [*classical_agents.names(), *learners]):
        raise unknown_name("agent", name, known)
    agent = (rl_baselines if name in learners else classical_agents).make(text, trial)
    require(
        not agent.sees_task,
        f"--teacher {text} is shown the task, so there is no learning in its histories; take one that learns, "
        "such as thompson in bandits, psrl in MDPs or q-learning in both.",
    )
    return agent


def _who_knows(trial: Trial) -> Agent:
    """Returns the agent that knows the task and acts best in it."""
    try:
        return classical_agents.make(_KNOWS, trial)
    except InvalidInput as error:
        raise InvalidInput(
            f"--distil decision learns the best actions, which nobody knows here: {error} Take --distil "
            "algorithm, which needs a teacher alone."
        ) from error


def _history(trial: Trial, skip: int) -> Trial:
    """Returns the trial in which a teacher's episodes 0, skip, 2 skip, ... are the E of a student's."""
    if skip == 1:
        return trial
    require(
        trial.episodes is not None and trial.environment.fixed_length,
        f"--imitation.skip {skip} leaves out whole episodes of equal length, in trials of so many episodes; "
        f"{trial.environment.name!r} here has not both. Leave --imitation.skip out.",
    )
    assert trial.episodes is not None
    return Trial(trial.environment, (trial.episodes - 1) * skip + 1)
