"""Watching: an agent's trial in one test task as an animation, in all views of the environment.

Each frame shows the world before a step, beside it what else there is to see of it, and below the
episode, the step and the reward so far. Where an episode ends the picture stands still for a while.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from metarl.environments import Environment, Followed, Split, Trial, follow, load
from metarl.environments import names as environment_names
from metarl.errors import InvalidInput, require
from metarl.reporting import Frame, write_animation

from ..agent.agent_files import load as load_agent
from ..evaluating.entrants import Entrant
from ..evaluating.worlds import find_trial, otherwise_in_words, trained_otherwise

SECONDS, AT_THE_END = 0.08, 1.5  # a frame is shown; the last of an episode


def watch(
    run_or_name: str | Path,
    output: str | Path | None = None,
    *,
    environment: str | None = None,
    settings: Mapping[str, Any] | None = None,
    split: Split = "test",
    seed: int = 0,
    greedy: bool = False,
    episodes: int = 2,
    force: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Writes an animation of a trained agent's trial.

    Args:
      run_or_name: a run directory, a file or a name of a trained agent.
      output: the GIF; `trial.gif` in the run, or in this directory, if None.
      environment: that of the agent, if it is outside metarl (my_module:factory), so that it may be imported; or one
        of your own in which it can act.
      settings: of the environment, by the names of `EnvironmentConfig`, that are to be others than in its training.
      split: of the task.
      seed: of the task and of luck.
      greedy: take the likeliest action instead of sampling.
      episodes: how many of the trial are shown, from the first.
      force: whether a file that is there already may be replaced.
      say: called with the line about what was otherwise in its training, if anything was.

    Returns:
      "animation", the path; "episodes", of each "return", "length" and "terminated"; "trained_otherwise", what was
      otherwise in its training (see `evaluate`).

    Raises:
      InvalidInput: there is no such agent, it cannot act in the environment, which cannot be drawn, or `output` is no
        place for a GIF or is there already.
      OSError: it could not be written.
    """
    agent = load_agent(run_or_name, own=[environment])
    entrant = Entrant(str(run_or_name), agent)
    trial = find_trial([entrant], {"environment": environment, **(settings or {})})
    _require_views(trial.environment)
    place = _checked_output(output, run_or_name, force)
    require(0 <= seed < 2**32, f"seed is {seed}; it must be from 0 to 4294967295.")
    require(episodes >= 1, f"--episodes is {episodes}; it must be at least 1.")
    otherwise = trained_otherwise(entrant, trial)
    if otherwise:
        say(otherwise_in_words(entrant.text, otherwise))
    task_key, key = jax.random.split(jax.random.key(seed))
    task = trial.environment.sample_task(task_key, split)
    followed = jax.device_get(follow(entrant.make(trial, greedy), trial, key, task))
    write_animation(place, frames(trial, jax.device_get(task), followed, episodes))
    return {
        "animation": str(place),
        "episodes": episodes_of(followed)[:episodes],
        "trained_otherwise": otherwise,
    }


def frames(trial: Trial, task: Any, followed: Followed, episodes: int) -> list[Frame]:
    """Returns the frames of the first episodes of a trial that was followed; arrays on the host."""
    transitions, shown = followed.transitions, []
    total, views = 0.0, trial.environment.views.values()
    for episode, steps in enumerate(_steps_of_episodes(followed)[:episodes]):
        so_far = 0.0
        for step in steps:
            states = jax.tree.map(lambda x, a=steps[0], b=step + 1: x[a:b], followed.states)
            words = (
                f"episode {episode + 1}, step {step - steps[0] + 1}",
                f"reward of the episode {so_far:.2f}, of the trial {total:.2f}",
            )
            seconds = AT_THE_END if step == steps[-1] else SECONDS
            shown.append(Frame([view(task, states) for view in views], words, seconds))
            so_far += float(transitions.reward[step])
            total += float(transitions.reward[step])
    return shown


def episodes_of(followed: Followed) -> list[dict[str, Any]]:
    """Returns, of each episode, its return, its length, and whether the task ended it."""
    transitions = followed.transitions
    return [
        {
            "return": float(np.sum(transitions.reward[steps])),
            "length": len(steps),
            "terminated": bool(transitions.terminated[steps[-1]]),
        }
        for steps in _steps_of_episodes(followed)
    ]


def _steps_of_episodes(followed: Followed) -> Sequence[np.ndarray]:
    """Returns the steps of each episode that was begun."""
    taken = np.flatnonzero(followed.transitions.valid)
    episodes = np.asarray(followed.transitions.episode)[taken]
    return [taken[episodes == episode] for episode in np.unique(episodes)]


def _require_views(environment: Environment) -> None:
    """Refuses an environment of which there are no pictures."""
    if environment.views and not environment.on_host:
        return
    drawn = [name for name in environment_names() if load(name).views]
    raise InvalidInput(
        f"There is nothing to watch: environment {environment.name!r} has no pictures "
        f"(Environment.views). Among the built-in ones these have: {', '.join(drawn)}."
    )


def _checked_output(output: str | Path | None, run_or_name: str | Path, force: bool) -> Path:
    """Returns where the animation goes; refuses what cannot be written before anything is played."""
    beside = Path(run_or_name).expanduser()
    folder = beside if beside.is_dir() else Path()
    place = folder / "trial.gif" if output is None else Path(output).expanduser()
    require(
        place.suffix.lower() == ".gif" and not place.is_dir(),
        f"--output {str(place)!r} must be a file that ends in .gif.",
    )
    require(
        place.parent.is_dir(),
        f"--output {str(place)!r}: there is no directory {str(place.parent)!r}; make it first.",
    )
    require(
        os.access(place.parent, os.W_OK),
        f"--output {str(place)!r}: directory {str(place.parent)!r} cannot be written to.",
    )
    require(
        force or not os.path.lexists(place),
        f"{str(place)!r} exists already. Name another file, or give --force to replace it.",
    )
    return place
