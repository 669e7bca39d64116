"""Sizes of a training: how many trials an update has, and how many updates there are.

Letters: B trials of an update; T steps of a trial.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ..settings.config import TrainConfig

_VALIDATION_SHARE, _FEWEST_TASKS = 0.2, 16  # of the steps in between; whatever it costs


class Sizes(NamedTuple):
    """What follows from the settings, the length of a trial and the number of devices."""

    trial_steps: int  # T
    trials: int  # B of a reinforcement update: whole minibatches on every device
    lessons: int  # B of an imitation update
    imitation_updates: int
    reinforcement_updates: int | None  # None: the clock alone ends the run
    lesson_steps: int  # of the environment, for the T that a student is shown

    @property
    def imitation_steps(self) -> int:
        """Environment steps of one imitation update; B T, more where episodes are left out."""
        return self.lessons * self.lesson_steps

    @property
    def reinforces(self) -> bool:
        """Whether there is more than imitation."""
        return self.reinforcement_updates != 0

    @property
    def reinforcement_steps(self) -> int:
        """Environment steps of one reinforcement update, B T."""
        return self.trials * self.trial_steps

    @property
    def env_steps(self) -> int | None:
        """Environment steps of all updates; None if the clock alone ends the run."""
        if self.reinforcement_updates is None:
            return None
        imitated = self.imitation_updates * self.imitation_steps
        return imitated + self.reinforcement_updates * self.reinforcement_steps


def sizes_of(
    config: TrainConfig, trial_steps: int, devices: int, lesson_steps: int | None = None
) -> Sizes:
    """Returns the sizes of a training.

    Args:
      config: of the training.
      trial_steps: T.
      devices: how many.
      lesson_steps: environment steps of a lesson; T if None.
    """
    trials = _multiple(config.batch_steps, trial_steps, _parts(config, devices))
    lessons = _multiple(config.imitation.batch_steps, trial_steps, devices)
    lesson_steps, budget = lesson_steps or trial_steps, config.budget
    imitated, reinforced = config.imitation.env_steps if config.warm_start else 0, budget
    if config.distil != "none":
        assert budget is not None, "TrainConfig asks for it"
        imitated, reinforced = budget, 0
    return Sizes(
        trial_steps,
        trials,
        lessons,
        imitation_updates=_quotient(imitated, lessons * lesson_steps),
        reinforcement_updates=(
            None if reinforced is None else _quotient(reinforced, trials * trial_steps)
        ),
        lesson_steps=lesson_steps,
    )


def validation_tasks_of(config: TrainConfig, trial_steps: int, on_host: bool) -> int:
    """Returns on how many validation tasks an agent is tried.

    Worlds on the host take nearly all of the time, step for step. There the default number is no more than what
    takes a fifth of the steps from one trial on validation tasks to the next; any other number is taken as it is.

    Args:
      config: of the training.
      trial_steps: T.
      on_host: whether worlds are stepped on the host.
    """
    if not on_host or config.validation_tasks != TrainConfig.validation_tasks:
        return config.validation_tasks
    between = min(config.validation_every, config.budget or config.validation_every)
    affordable = max(_FEWEST_TASKS, int(_VALIDATION_SHARE * between / trial_steps))
    return min(config.validation_tasks, affordable)


def _parts(config: TrainConfig, devices: int) -> int:
    """Returns of what number B is a multiple: whole parts of minibatches, on each device as many."""
    minibatches, groups = {
        "ppo": (config.ppo.minibatches * config.ppo.accumulation, config.ppo.shuffle_groups),
        "trpo": (config.trpo.value_minibatches, config.trpo.shuffle_groups),
        "reinforce": (1, 1),
    }[config.algorithm]
    return minibatches * math.lcm(devices, groups)


def _multiple(steps: int, length: int, parts: int) -> int:
    """Returns a number of trials, a multiple of `parts`, with about so many steps in all."""
    return max(1, round(steps / length / parts)) * parts


def _quotient(steps: int, size: int) -> int:
    """Returns how many updates of a size reach so many steps."""
    return -(-steps // size)
