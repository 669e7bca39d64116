"""train: from settings to a recurrent agent on disk, and what it is worth."""

from __future__ import annotations

import argparse
import dataclasses
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from metarl.errors import InvalidInput, require
from metarl.reading import MOST_SETTINGS, read_json_object
from metarl.rl_squared import (
    PRESETS,
    TrainConfig,
    WorldConfig,
    ended_by_the_clock,
    preset,
    preset_of,
    train_config,
)

from .hosts import Hosts
from .machine import Machine
from .parsing import find_origin, parse_arguments

if TYPE_CHECKING:
    from metarl.runs import Gang


@dataclass(frozen=True)
class Settings(TrainConfig):
    """A `TrainConfig` whose world has flags without a prefix."""

    world: Annotated[WorldConfig, tyro.conf.arg(name="")] = field(default_factory=WorldConfig)

    def config(self) -> TrainConfig:
        """Returns the settings themselves."""
        names = [setting.name for setting in dataclasses.fields(TrainConfig)]
        return TrainConfig(**{name: getattr(self, name) for name in names})


@dataclass(frozen=True)
class Arguments:
    """Trains a recurrent agent to learn, and compares it with classical agents on test tasks."""

    train: Annotated[Settings, tyro.conf.arg(name="")] = field(default_factory=Settings)
    preset: str | None = None
    """Defaults for all settings: bandit or mdp (small updates, a control variate), laptop (any world), paper (Duan et
    al. 2016) or smoke (seconds); if not given mdp in MDPs, bandit in bandits of 50 pulls and more, else laptop."""
    config: str | None = None
    """Take all settings from an earlier run's config.json; other flags change them."""
    run_dir: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """A new directory for the run; runs/train-DATE-TIME-... if not given."""
    tensorboard: bool = False
    """Also write TensorBoard's event files, into RUN_DIR/tensorboard; needs metarl[tensorboard]."""
    print_config: bool = False
    """Print the settings as JSON and end."""
    machine: Annotated[Machine, tyro.conf.arg(name="")] = field(default_factory=Machine)
    together: Annotated[Hosts, tyro.conf.arg(name="")] = field(default_factory=Hosts)
    json: bool = False
    """Print one JSON document on standard output, and nothing else there."""


def parse(words: Sequence[str], program: str) -> Arguments:
    """Returns the arguments; --preset, --config and the world say what the flags that are not given mean."""
    origin = find_origin(words)
    if origin.config:
        config = settings_of_run(Path(origin.config))
    else:
        config = _preset(origin.preset) if origin.preset is not None else _usual(words)
    default = Arguments(train=Settings(**{f.name: getattr(config, f.name) for f in _FIELDS}))
    return parse_arguments(Arguments, words, program=program, default=default)


_FIELDS = dataclasses.fields(TrainConfig)


def run(arguments: Arguments) -> dict[str, Any]:
    """Trains, evaluates, and returns the result of `metarl.rl_squared.conclude`."""
    config = arguments.train.config()
    if arguments.print_config:
        return config.to_json()
    gang = arguments.machine.start(arguments.together)
    from metarl.rl_squared import begin_training
    from metarl.runs import leaving_nothing_if_refused, together

    if not gang.leads:
        return follow(gang)
    with together(gang):
        begun = begin_training(
            config,
            arguments.run_dir,
            command=["metarl", *sys.argv[1:]],
            tensorboard=arguments.tensorboard,
        )
    with leaving_nothing_if_refused(begun):
        return finish(begun.path, gang)


def follow(gang: Gang) -> dict[str, Any]:
    """Trains along with the process that has the run, and returns how it ended.

    Raises:
      KeyboardInterrupt: the training was interrupted.
    """
    from metarl.rl_squared import follow_training
    from metarl.runs import together

    with together(gang):
        outcome = follow_training(gang)
    if outcome == "interrupted":
        raise KeyboardInterrupt
    return {"host_index": gang.index, "hosts": gang.size, "outcome": outcome}


def finish(run_dir: Path, gang: Gang | None = None) -> dict[str, Any]:
    """Goes on with a training, then evaluates its agent; what is done already is read.

    Args:
      run_dir: of the training.
      gang: of which this process is the first; None is a process on its own.

    Raises:
      Interrupted: a signal came; it has been said how to go on.
    """
    from metarl.rl_squared import conclude, resume_training
    from metarl.runs import (
        Gang,
        RunDirectory,
        progress_on_stderr,
        saying_how_to_resume,
        together,
    )

    gang = gang or Gang()
    progress = progress_on_stderr()
    flags = f" {gang.flags}" if gang.flags else ""
    with saying_how_to_resume(RunDirectory.open(run_dir), progress, flags):
        with together(gang):
            resume_training(run_dir, progress=progress, gang=gang)
        return conclude(run_dir, say=progress.message)


def show(document: dict[str, Any]) -> None:
    """Prints the table and how to use the agent; or the settings."""
    if "evaluation" not in document:
        print(json.dumps(document, indent=2))
        return
    from metarl.reporting import print_table
    from metarl.rl_squared import evaluation_table

    print_table(evaluation_table(document["evaluation"]))
    print()
    for line in _closing_lines(document):
        print(line)


def _closing_lines(document: dict[str, Any]) -> list[str]:
    """Returns what the training took, and how its agent is used."""
    run_dir = document["run_dir"]
    first, *others = document["evaluation"]["agents"]
    beside = f" --against {shlex.join(others[:3])}" if others else ""
    name = document["evaluation"]["environment"]["name"]
    own = ":" in name  # code that is imported only by who names it
    beside += f" --environment {shlex.quote(name)}" if own else ""
    loaded = f"{first!r}" + (f", own=[{name!r}]" if own else "")
    compiling = document.get("compile_seconds") or 0.0
    compiled = f" and {compiling:.0f} s of compiling" if compiling else ""
    return [
        *_warnings(document),
        f"Trained on {document['env_steps']:,} environment steps in "
        f"{document['seconds'] - compiling:.0f} s{compiled}, "
        f"{document['steps_per_second']:,.0f} a second.",
        f"Evaluate it anew: metarl evaluate {shlex.quote(first)}{beside} --tasks {document.get('tasks_again', 10_000)}",
        f"Use it: from metarl import rl_squared; agent = rl_squared.load({loaded}).as_agent()",
        f"Go on from it: metarl train --init-from {shlex.quote(first)} ...",
        f"Report: metarl report {shlex.quote(str(run_dir))}",
    ]


def _warnings(document: dict[str, Any]) -> list[str]:
    if document.get("beats_random") is not False:
        return []
    earned, by_chance = document["validation_return"], document["random_validation_return"]
    return [
        f"On validation tasks the agent ({earned:.4g}) has not been shown to beat acting at random "
        f"({by_chance:.4g})."
    ]


def _preset(name: str) -> TrainConfig:
    if name not in PRESETS:
        from metarl.errors import unknown_name

        raise unknown_name("preset", name, PRESETS)
    return preset(name)  # type: ignore[arg-type]


def _usual(words: Sequence[str]) -> TrainConfig:
    """Returns the settings for the world that was typed; what is wrong in the words is said by who reads them all."""
    scout = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    scout.add_argument("--environment", default=WorldConfig.environment)
    scout.add_argument("--setting", nargs="*", default=[])
    scout.add_argument("--episodes", type=int)
    scout.add_argument("--trial-steps", "--trial_steps", dest="trial_steps", type=int)
    scout.add_argument("--minutes")
    scout.add_argument("--env-steps", "--env_steps", dest="env_steps")
    try:
        typed = scout.parse_known_args(list(words))[0]
        length = {"episodes": typed.episodes, "trial_steps": typed.trial_steps}
        own = preset_of(WorldConfig(typed.environment, setting=tuple(typed.setting), **length))
    except (argparse.ArgumentError, InvalidInput):
        return preset()
    by_the_clock = typed.minutes is not None and typed.env_steps is None
    return ended_by_the_clock(preset(own)) if by_the_clock else preset(own)


def settings_of_run(path: Path) -> TrainConfig:
    """Returns the settings in a file; a time limit becomes the budget that repeats the run, if one does."""
    path = path / "config.json" if path.is_dir() else path
    values = read_json_object(path, MOST_SETTINGS)
    config = train_config(values, str(path))
    outcome = path.parent / "outcome.json"
    if config.minutes is None or not outcome.exists():
        return config
    ended = read_json_object(outcome, MOST_SETTINGS)
    budget, limited = ended.get("repeats_with_budget"), ended.get("reason") == "time limit"
    if budget is None:
        return config
    require(type(budget) is int, f"{str(outcome)!r}: repeats_with_budget is no whole number.")
    if config.env_steps is not None and not limited:  # the clock had no part in it
        return dataclasses.replace(config, minutes=None)
    return _without_clock(config, budget, path.parent)


def _without_clock(config: TrainConfig, position: int, run_dir: Path) -> TrainConfig:
    """Returns settings that end after as many environment steps as a run did that had a time limit.

    The budget counts reinforcement alone. Where only the clock was to end the run, the learning rate
    did not decay. Where it was on its way to 0 over steps that the clock has cut off, in imitation or in
    reinforcement, no budget repeats the run: the settings keep their time limit.
    """
    from metarl.runs import MetricLog

    rows = MetricLog(run_dir / "metrics.jsonl").rows()
    imitated = [row.get("position", 0) for row in rows if row.get("phase") == "imitation"]
    require(
        all(type(place) is int for place in imitated),
        f"The metric log of {str(run_dir)!r} holds a wrong position.",
    )
    steps = position - max(imitated, default=0)
    decays = config.algorithm == "ppo" and config.learning_rate_decay
    decays = decays and config.ppo.decay_updates is None and config.env_steps is not None
    if decays or steps == 0:
        return config
    return dataclasses.replace(
        config,
        minutes=None,
        env_steps=steps,
        learning_rate_decay=config.learning_rate_decay and config.env_steps is not None,
    )
