"""watch: an animation of a trained agent's trial."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from metarl.reading import Count, Seed
from metarl.reporting import counted
from metarl.rl_squared import EnvironmentConfig

from .machine import Machine
from .output_file import check_output


@dataclass(frozen=True)
class World(EnvironmentConfig):
    """Where the agent is watched, if not as it was trained."""

    environment: str | None = None  # type: ignore[assignment]
    """That of the agent, my_module:factory, if it is outside metarl: its code is imported only if it is named. Or
    one of your own in which it can act."""


@dataclass(frozen=True)
class Arguments:
    """Plays one trial in a test task, and writes it as an animated GIF: all views, the reward so far.

    A built-in environment, or a family of your own that has `views`: that in which the agent was trained. Settings
    given here take the place of its own, such as --size 9 for larger mazes, wherever observations and actions stay the
    same.
    """

    agent: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN_DIR")]
    """A run directory, or a file or name of a trained agent."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None
    """The GIF; trial.gif in the run if not given, or here for an agent that is no run."""
    world: Annotated[World, tyro.conf.arg(name="")] = field(default_factory=World)
    force: bool = False
    """Replace a GIF that is there already."""
    split: Literal["train", "validation", "test"] = "test"
    """Of the task."""
    seed: Seed = 0
    """Of the task and of luck: another seed, another maze."""
    greedy: bool = False
    """Take the likeliest action instead of sampling."""
    episodes: Count = 2
    """How many episodes of the trial are shown, from the first."""
    machine: Annotated[Machine, tyro.conf.arg(name="")] = field(default_factory=Machine)
    json: bool = False
    """Print one JSON document on standard output, and nothing else there."""


def run(arguments: Arguments) -> dict[str, Any]:
    """Writes the animation; returns where it is, and what came of the episodes."""
    check_output(arguments.output, arguments.force)
    arguments.machine.start()
    from metarl.rl_squared import watch
    from metarl.runs import progress_on_stderr

    settings = dataclasses.asdict(arguments.world)
    return watch(
        arguments.agent,
        arguments.output,
        environment=settings.pop("environment"),
        settings=settings,
        split=arguments.split,
        seed=arguments.seed,
        greedy=arguments.greedy,
        episodes=arguments.episodes,
        force=arguments.force,
        say=progress_on_stderr().message,
    )


def show(document: dict[str, Any]) -> None:
    """Prints a line an episode, then where the animation is."""
    for number, episode in enumerate(document["episodes"], 1):
        end = "" if episode["terminated"] else ", cut short by the clock"
        print(
            f"episode {number}: {counted(episode['length'], 'step')}, return {episode['return']:.2f}{end}"
        )
    print(document["animation"])
