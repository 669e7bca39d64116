"""Training: from settings to an agent on disk."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from metarl.errors import require
from metarl.runs import (
    Gang,
    Interrupted,
    Outcome,
    Progress,
    RunDirectory,
    compilation_seconds,
    follow,
    lead,
    leaving_nothing_if_refused,
    progress_on_stderr,
    stands_for,
    tell_what_changed,
)

from ..agent.agent import TrainedAgent, check_own_world
from ..agent.agent_files import AGENT_FILE, load, save
from ..settings.config import TrainConfig, train_config
from .ancestors import ancestor_of, kept_files, named_ancestor, require_same_network
from .metrics import describe
from .train_job import TrainJob
from .train_state import TrainState

JOB = "train"
UNIT = "environment steps"  # of a position


def train(
    config: TrainConfig,
    run_dir: str | Path | None = None,
    *,
    command: Sequence[str] = (),
    progress: Progress | None = None,
) -> TrainedAgent:
    """Trains an agent.

    Args:
      config: what to learn, and how.
      run_dir: a new directory; `runs/train-...` if None.
      command: the command line to record; that of the process if empty.
      progress: where progress is shown; standard error if None.

    Returns:
      The agent that was best on validation tasks; it is also on disk, as `agent.npz` in the run.

    Raises:
      InvalidInput: the settings cannot be used; nothing has been written then.
      OSError: the run could not be written.
      KeyboardInterrupt: a signal came; everything is kept, and `resume_training` goes on.
    """
    require(
        jax.process_count() == 1,
        "train is for one process; of several, the first calls begin_training and resume_training, "
        "and the others follow_training.",
    )
    run = begin_training(config, run_dir, command=command)
    job = make_job(config, ancestor_of(run, config))
    with leaving_nothing_if_refused(run):
        return _conduct(run, job, progress or progress_on_stderr(), Gang())


def begin_training(
    config: TrainConfig,
    run_dir: str | Path | None = None,
    *,
    command: Sequence[str] = (),
    tensorboard: bool = False,
) -> RunDirectory:
    """Checks the settings and makes the run's directory; `resume_training` does the rest.

    Args:
      config: of the training.
      run_dir: a new directory; `runs/train-...` if not given.
      command: the command line to record; that of the process if empty.
      tensorboard: also write TensorBoard's event files into the run.

    Raises:
      InvalidInput: the settings cannot be used; nothing has been written then.
      OSError: the run could not be written.
    """
    ancestor = named_ancestor(config)
    job = make_job(config, ancestor)
    check_own_world(config.world.environment, job.trial.environment)
    return RunDirectory.create(
        run_dir,
        JOB,
        config.to_json(),
        command or sys.argv,
        tensorboard=tensorboard,
        files=kept_files(ancestor),
    )


def resume_training(
    run_dir: str | Path,
    *,
    progress: Progress | None = None,
    gang: Gang | None = None,
    owner: RunDirectory | None = None,
) -> TrainedAgent:
    """Goes on with a training where it stopped; the agent of a finished one is read.

    Args:
      run_dir: of the training.
      progress: where progress is shown; standard error if None.
      gang: of which this process is the first, while the others are in `follow_training`; None is a
        process on its own. It has parted when this returns.
      owner: the run that this one is a part of, and that is therefore what a person resumes.

    Raises:
      InvalidInput: there is no training to resume, it is in use, or its checkpoint is damaged.
      GangBroken: another process of the gang is gone.
    """
    gang = gang or Gang()
    run = RunDirectory.open(run_dir)
    require(run.job == JOB, f"Run {str(run.path)!r} is {run.described}, not a training.")
    config = train_config(run.config, str(run.path / "config.json"))
    finished = (run.outcome or {}).get("outcome") == "finished"
    if finished and (run.path / AGENT_FILE).is_file():
        gang.share_json(None)
        return load(run.path, own=[config.world.environment])
    gang.share_json({"run": str(run_dir), "config": run.config})
    progress = progress or progress_on_stderr()
    job = make_job(config, ancestor_of(run, config))
    tell_what_changed(run, progress.message)
    return _conduct(run, job, progress, gang, owner)


def train_in(
    place: Path,
    config: TrainConfig,
    label: str,
    settings: str,
    owner: RunDirectory,
    progress: Progress,
) -> None:
    """Trains to the end in a directory of a larger undertaking, or goes on there.

    Args:
      place: the run; its parent is made if needed.
      config: of the training.
      label: what is trained, in words.
      settings: the name of what holds the settings.
      owner: the run of that undertaking, which a person goes on with; its command line is recorded.
      progress: where progress is shown.

    Raises:
      InvalidInput: it was begun there with other settings.
      KeyboardInterrupt: a signal came; the same call goes on.
    """
    if place.exists():
        require(
            _begun_with(place, config, owner) == config,
            f"{str(place)!r} was begun with other settings than {settings} has now; choose another "
            "--run-dir, or remove that directory.",
        )
    else:
        place.parent.mkdir(exist_ok=True)
        begin_training(config, place, command=owner.provenance["command"])
    progress.message(f"{label}: training in {place}")
    resume_training(place, progress=progress, owner=owner)


def _begun_with(place: Path, asked: TrainConfig, owner: RunDirectory) -> TrainConfig:
    """Returns the settings of a training in a larger undertaking, as it would have begun in its present place."""
    config = train_config(RunDirectory.open(place).config, str(place))
    before, now = config.init_from, asked.init_from
    if before is not None and now is not None and stands_for(owner, before, now):
        return dataclasses.replace(config, init_from=now)
    return config


def follow_training(gang: Gang) -> Outcome:
    """Does its share of the training that the first process of a gang resumes or has just begun.

    Settings and state come from there; nothing is read from the run's directory or written to it.

    Args:
      gang: this process is not its first. It has parted when this returns.

    Returns:
      The outcome of the session.

    Raises:
      GangBroken: another process of the gang is gone.
    """
    shared = gang.share_json()
    if shared is None:
        return "finished"
    return follow(make_job(train_config(shared["config"])), shared["run"], gang)


def make_job(config: TrainConfig, ancestor: TrainedAgent | None = None) -> TrainJob:
    """Returns the job of a configuration, and so checks it.

    Args:
      config: of the training.
      ancestor: the agent to start from where `init_from` names one; read from there if None.

    Raises:
      InvalidInput: says what is wrong.
    """
    ancestor = ancestor or named_ancestor(config)
    if ancestor is None:
        return TrainJob(config)
    job = TrainJob(config, ancestor.params)
    ancestor.require_fits(job.trial.environment)
    require_same_network(ancestor, config)
    return job


def _conduct(
    run: RunDirectory,
    job: TrainJob,
    progress: Progress,
    gang: Gang,
    owner: RunDirectory | None = None,
) -> TrainedAgent:
    if job.validation_tasks < job.config.validation_tasks:
        progress.message(
            f"{job.trial.environment.name} is stepped on the host: the agent is tried on "
            f"{job.validation_tasks} validation tasks instead of {job.config.validation_tasks:,}, "
            "which takes about a fifth of the training's steps; --validation-tasks asks for another number."
        )
    state, outcome = lead(
        job,
        run,
        progress,
        gang,
        minutes=job.config.minutes,
        unit=UNIT,
        describe=describe,
        compiling=compilation_seconds,
        owner=owner,
    )
    if outcome == "interrupted":  # somebody waits, and the training that goes on will try it
        save(_agent(run, job, state), run.path / AGENT_FILE)
        raise Interrupted
    if not job.went_on(state):
        progress.message(
            f"The policy is {_beginning(job.config)}: in the first {job.config.value_warm_up} updates of "
            f"{job.sizes.reinforcement_steps:,} steps the value learns alone, and there were "
            f"{state.progress.reinforcement}. Train longer (--env-steps, --minutes), or give --value-warm-up 0."
        )
    agent = _agent(run, job, job.with_last_tried(state))
    if not job.on_host:  # where two more validations would take as long as much of the training
        agent = _beside_random(agent, job, progress)
    save(agent, run.path / AGENT_FILE)
    return agent


def _beside_random(agent: TrainedAgent, job: TrainJob, progress: Progress) -> TrainedAgent:
    """Returns the agent whose scores tell whether it beats chance; says so if it does not."""
    found = job.beside_random(agent.params)
    if not found.beats_random:
        earned = agent.scores["validation_return"]
        progress.message(
            f"The agent earns {earned:.4g} a trial on {job.validation_tasks:,} validation "
            f"tasks, acting at random {found.random_return:.4g}: it has not been shown to be better. "
            "It needs a longer training (--env-steps, --minutes) or other settings."
        )
    scores = {
        "random_validation_return": found.random_return,
        "beats_random": found.beats_random,
    }
    return dataclasses.replace(agent, scores={**agent.scores, **scores})


def _agent(run: RunDirectory, job: TrainJob, state: TrainState) -> TrainedAgent:
    """Returns the best agent so far."""
    progress = state.progress
    scores: dict[str, Any] = {
        "validation_return": progress.best_score if progress.tried_at >= 0 else None,
        "validation_tasks": job.validation_tasks,
        "env_steps": progress.env_steps,
        "best_at": progress.best_at,
    }
    ancestor = ancestor_of(run, job.config)
    if ancestor is not None:
        scores["ancestor_warm_started"] = ancestor.warm_started
        scores["ancestor_distilled"] = ancestor.distilled
        scores["ancestor_variance_reduction"] = ancestor.variance_reduction
        scores["ancestor_inner_trust"] = ancestor.inner_trust
        scores["ancestor_auxiliary_weight"] = ancestor.auxiliary_weight
        scores["ancestor_env_steps"] = ancestor.scores.get("env_steps")
    return TrainedAgent(state.best, dataclasses.replace(job.config), scores, run.provenance)


def _beginning(config: TrainConfig) -> str:
    """Returns what a policy that was one to be lost at first began as, in words."""
    if config.warm_start:
        return f"what has come of imitating {config.warm_start}"
    return f"that of {config.init_from!r}" if config.init_from else "to go by the plans it is told"
