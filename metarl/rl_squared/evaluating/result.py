"""The result of a training: its agent beside classical ones on test tasks, kept in its run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from metarl.errors import require
from metarl.reporting import write_json
from metarl.runs import RESULT, RunDirectory, resume_command, stored_result

from ..agent.agent_files import AGENT_FILE, load
from ..learning.training import UNIT
from ..settings.config import train_config
from .entrants import text_of_path
from .evaluation import DEFAULT_TASKS, evaluate
from .rival_agents import rivals

_FEWEST_TASKS = 16
_PLAYERS = 3  # who is nearly always played: the agent by sampling and greedily, and at random
_MANY_TASKS = 10_000  # for an interval ten times as narrow as a hundred tasks give
_LATER_SECONDS = 600.0  # that an evaluation may well take whose hour one chooses oneself


def conclude(
    run_dir: str | Path,
    *,
    tasks: int | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Evaluates the agent of a training that has ended, and writes the result into its run.

    Args:
      run_dir: of the training. A result that is there already is read.
      tasks: how many of the test split; None for 1,000, where worlds are stepped on the host for
        `affordable_test_tasks`.
      say: called with a line about what is played next.

    Returns:
      "run_dir"; "agent", the path of its file; "warm_start", whom it imitated, or None;
      "distilled", how and from whose histories it was, or None;
      "env_steps", "seconds", "compile_seconds" (a part of them) and "steps_per_second" (without
      compiling) of the training; "validation_return"; "random_validation_return" and "beats_random",
      whether it earned more than acting at random on validation tasks, beyond chance;
      "evaluation", as `metarl evaluate --json` has it; and "tasks_again", how many tasks suit an evaluation anew.

    Raises:
      InvalidInput: it is no run of a training, or the training has not ended.
    """
    run = RunDirectory.open(run_dir)
    require(run.job == "train", f"Run {str(run_dir)!r} is {run.described}, not a training.")
    outcome = run.outcome or {}
    require(
        outcome.get("outcome") == "finished",
        f"The training {str(run.path)!r} has not ended; go on with it by `{resume_command(run)}`.",
    )
    finished = stored_result(run, "evaluation")
    if finished is not None:
        return {**finished, "run_dir": str(run_dir)}
    with run.lock():  # who resumes it meanwhile would play everybody again
        run.heartbeat.note(outcome["position"], outcome.get("total"), UNIT)
        run.heartbeat.note_end()
        result = _evaluated(run, run_dir, outcome, tasks, say)
        write_json(run.path / RESULT, result)
    return result


def _evaluated(
    run: RunDirectory,
    run_dir: str | Path,
    outcome: Mapping[str, Any],
    tasks: int | None,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Returns what `conclude` writes into a run."""
    config = train_config(run.config, str(run.path / "config.json"))
    world = {"environment": config.world.environment}
    agent = load(run.path, own=world.values())
    beside = rivals(agent.trial, say)
    if tasks is None:
        on_host, steps = agent.trial.environment.on_host, outcome["position"]
        tasks = affordable_test_tasks(steps, agent.trial.length) if on_host else DEFAULT_TASKS
        if tasks < DEFAULT_TASKS:
            say(
                f"{agent.trial.environment.name} is stepped on the host: the agent is played in {tasks} test tasks "
                f"instead of {DEFAULT_TASKS:,}, with who stands beside it in about half of the training's steps; "
                "metarl evaluate with --tasks plays it in more."
            )
    speed = outcome["position"] / _learning_seconds(outcome)
    return {
        "run_dir": str(run_dir),
        "agent": str(run.path / AGENT_FILE),
        "warm_start": agent.config.warm_start,
        "distilled": agent.distilled,
        "env_steps": outcome["position"],
        "seconds": outcome["seconds"],
        "compile_seconds": outcome.get("compile_seconds"),
        "steps_per_second": speed,
        "validation_return": agent.scores.get("validation_return"),
        "random_validation_return": agent.scores.get("random_validation_return"),
        "beats_random": agent.scores.get("beats_random"),
        "evaluation": evaluate(
            [text_of_path(run_dir), *beside], world=world, tasks=tasks, say=say
        ).to_json(),
        "tasks_again": suitable_test_tasks(speed, agent.trial.length)
        if agent.trial.environment.on_host
        else _MANY_TASKS,
    }


def affordable_test_tasks(steps: int, trial_steps: int) -> int:
    """Returns in how many test tasks an agent is played where worlds are stepped on the host.

    These take nearly all of the time, step for step; so no more than what takes half the steps of the training.

    Args:
      steps: environment steps of the training.
      trial_steps: T.
    """
    affordable = steps // (2 * _PLAYERS * trial_steps)
    return min(DEFAULT_TASKS, max(_FEWEST_TASKS, affordable))


def suitable_test_tasks(steps_per_second: float, trial_steps: int) -> int:
    """Returns in how many test tasks an agent may be played anew where worlds are stepped on the host: in ten minutes.

    Args:
      steps_per_second: of the training, which is hardly slower than playing.
      trial_steps: T.

    Returns:
      1, 2 or 5 times a power of ten, at most 10,000; but never below the fewest that `conclude` plays.
    """
    affordable = _LATER_SECONDS * steps_per_second / (_PLAYERS * trial_steps)
    round_numbers = [digit * 10**power for power in range(5) for digit in (1, 2, 5)]
    fitting = [x for x in round_numbers if x <= min(affordable, _MANY_TASKS)]
    return max(fitting, default=0) if affordable >= _FEWEST_TASKS else _FEWEST_TASKS


def _learning_seconds(outcome: Mapping[str, Any]) -> float:
    """Returns what a training took without compiling, where that was measured."""
    return max(outcome["seconds"] - (outcome.get("compile_seconds") or 0.0), 1e-9)
