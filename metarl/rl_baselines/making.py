"""From a text to a learner, and the choice of its settings on validation tasks.

dqn                                  every setting has its default
ppo:steps=64,learning_rate=3e-3      settings, those of the algorithm among them
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from metarl.environments import (
    Agent,
    Played,
    Split,
    Trial,
    play_on_host,
    play_split,
    split_settings,
)
from metarl.errors import InvalidInput, require, unknown_name

from .config import LearnerConfig
from .offline_learning import Lesson
from .table import Row, Value, find_row

TUNING_TASKS = 64  # of the validation split
TOGETHER = 256  # worlds played at a time: what all of them remember has to fit into memory
# What means nothing here: values are always normalised by what their algorithm was given, steps are
# sequences of their own, and nobody knows how many updates there will be.
_NOT_SETTINGS = ("update", "value_target", "decay_updates", "baseline")


def parse(text: str) -> tuple[Row, LearnerConfig]:
    """Returns the learner and the settings that a text names.

    Args:
      text: such as "dqn" or "ppo:steps=64,learning_rate=3e-3".

    Raises:
      InvalidInput: the name or a setting is unknown (the nearest is suggested), or a value is not
        accepted.

    Examples:
      >>> parse("dqn:hidden=32,double=false")[1].hidden
      32
    """
    row = find_row(text.partition(":")[0])
    name, given = split_settings(text)
    config = row.config
    for setting, value in given.items():
        config = _changed(name, config, setting, value)
    return row, config


def make(text: str, trial: Trial) -> Agent:
    """Returns the learner that a text names, for a trial.

    Args:
      text: see `parse`.
      trial: in which it will learn.

    Raises:
      InvalidInput: the text is not understood, or the learner cannot learn in the environment.
    """
    row, config = parse(text)
    row.require_fits(trial.environment)
    return row.build(trial.environment, config)


def lesson(text: str, trial: Trial) -> Lesson | None:
    """Returns how somebody learns from offline data before it is played; None of all who learn within the task.

    Args:
      text: see `parse`.
      trial: in whose environment it will act.

    Raises:
      InvalidInput: see `make`.
    """
    row, config = parse(text)
    row.require_fits(trial.environment)
    return None if row.lesson is None else row.lesson(trial.environment, config)


def settings_of(row: Row) -> dict[str, Value]:
    """Returns all settings of a learner by the names that texts give them, with their defaults."""
    own = _fields(row.config)
    update = getattr(row.config, "update", None)
    return own if update is None else own | _fields(update)


def grid(name: str) -> list[str]:
    """Returns the texts of a learner's grid: every combination of its values.

    Raises:
      InvalidInput: there is no learner of that name.
    """
    axes = find_row(name).grid
    return [
        f"{name}:" + ",".join(f"{k}={v:g}" for k, v in zip(axes, point, strict=True))
        for point in itertools.product(*axes.values())
    ]


def learn_split(agent: Agent, trial: Trial, seed: int, count: int, split: Split) -> Played:
    """Plays a learner in each of the first `count` tasks of a split, some hundreds at a time.

    The same as `play_split`, and on the host where worlds are stepped there.
    """
    if trial.environment.on_host:
        return play_on_host(agent, trial, seed, count, split)
    return play_split(agent, trial, seed, count, split, TOGETHER)


def tune(
    name: str,
    trial: Trial,
    tasks: int = TUNING_TASKS,
    seed: int = 0,
    say: Callable[[str], None] = lambda text: None,
) -> str:
    """Returns the best text of a learner's grid, by mean return over validation tasks.

    All members meet the same tasks, and are compared by what they earn while they learn.

    Args:
      name: of a learner.
      trial: the environment, and the episodes it has for learning.
      tasks: how many of the validation split.
      seed: of tasks and luck.
      say: called with a line about each member.

    Raises:
      InvalidInput: see `make`.
    """
    earned = {}
    for text in grid(name):
        played = learn_split(make(text, trial), trial, seed, tasks, "validation")
        earned[text] = float(np.mean(played.totals))
        say(f"{text}: {earned[text]:,.1f} on {tasks} validation tasks")
    return max(earned, key=earned.__getitem__)


def _fields(config: Any) -> dict[str, Value]:
    return {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if field.name not in _NOT_SETTINGS
    }


def _changed(name: str, config: Any, setting: str, text: str) -> Any:
    """Returns the settings with one of them changed, their own or one of their `update`."""
    update = getattr(config, "update", None)
    if setting in _fields(config):
        holder = config
    elif update is not None and setting in _fields(update):
        holder = update
    else:
        known = settings_of(find_row(name))
        raise unknown_name(f"setting of agent {name!r}", setting, known)
    value = _read(name, setting, text, get_type_hints(type(holder))[setting])
    try:
        changed = dataclasses.replace(holder, **{setting: value})
        return changed if holder is config else dataclasses.replace(config, update=changed)
    except InvalidInput as error:
        raise InvalidInput(f"{name}: {error}") from error


def _read(name: str, setting: str, text: str, kind: Any) -> Any:
    """Returns the value that a text names, of the type that the setting has."""
    kinds = get_args(kind) if get_origin(kind) is not None else (kind,)
    if type(None) in kinds and text.casefold() == "none":
        return None
    if bool in kinds:
        words = {"true": True, "false": False}
        require(
            text.casefold() in words,
            f"{name}: {setting} is {text[:40]!r}; it must be true or false.",
        )
        return words[text.casefold()]
    number = int if int in kinds else float
    try:
        value = number(text)
    except ValueError:
        value = float("nan")
    what = "a whole number" if number is int else "a number"
    require(bool(np.isfinite(value)), f"{name}: {setting} is {text[:40]!r}; it must be {what}.")
    return value
