"""An evaluation as a run on disk: begun, interrupted, gone on with, and its result read.

    config.json    who is evaluated and where, and a digest of the weights of each trained agent
    checkpoints/   what is finished, and where the chunk of tasks at work stands (`evaluation_job`)
    result.json    the document of `metarl evaluate --json`

Reference for the files: docs/run_directory.md.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from metarl.errors import InvalidInput, reason, require
from metarl.reporting import write_json
from metarl.runs import (
    RESULT,
    Interruption,
    Progress,
    RunDirectory,
    drive,
    flatten_tree,
    progress_on_stderr,
    stands_for,
    stored_result,
    tell_what_changed,
)

from ..agent.agent import TrainedAgent
from ..settings.world_config import WorldConfig
from .entrants import Entrant, text_of_path
from .evaluation import concluded
from .evaluation_job import EvaluationJob, Order, Standing
from .scores import Evaluation
from .within_task import FromScratchPlan

JOB = "evaluate"


def begin_evaluation(
    agents: Sequence[str | Path],
    run_dir: str | Path | None = None,
    *,
    world: WorldConfig | Mapping[str, Any] | None = None,
    tasks: int,
    seed: int = 0,
    from_scratch: FromScratchPlan | None = None,
    output: str | Path | None = None,
    force: bool = False,
    command: Sequence[str] = (),
) -> RunDirectory:
    """Checks everything and makes the run's directory; `resume_evaluation` does the rest.

    Args:
      agents: see `evaluate`; texts and paths only.
      run_dir: a new directory; `runs/evaluate-...` if not given.
      world: see `evaluate`.
      tasks: see there.
      seed: see there.
      from_scratch: see there.
      output: where the table is to be written, for `resume_evaluation`.
      force: whether what is there then may be replaced.
      command: the command line to record; that of the process if empty.

    Raises:
      InvalidInput: see `evaluate`; nothing has been written then.
      OSError: the run could not be written.
    """
    strange = [agent for agent in agents if not isinstance(agent, str | Path)]
    require(
        not strange,
        f"What is kept on disk names agents by texts and files; received {strange[:1]!r}. Save the agent, and give "
        "the path of its file.",
    )
    given = dataclasses.asdict(world) if isinstance(world, WorldConfig) else dict(world or {})
    plan = from_scratch or FromScratchPlan()
    job = EvaluationJob(Order(agents, given, tasks, seed, plan))
    config = {
        "agents": _texts(agents),
        "world": given,
        "tasks": tasks,
        "seed": seed,
        "from_scratch": dataclasses.asdict(plan),
        "output": None if output is None else str(Path(output).absolute()),  # resumed from anywhere
        "force": force,
        "weights": _weights(job.named),
    }
    return RunDirectory.create(run_dir, JOB, config, command or sys.argv)


def resume_evaluation(
    run_dir: str | Path,
    *,
    progress: Progress | None = None,
    write: Callable[[Mapping[str, Any], Path, bool], None] | None = None,
) -> dict[str, Any]:
    """Goes on with an evaluation where it stopped; the result of a finished one is read.

    Args:
      run_dir: of `begin_evaluation`.
      progress: where progress is shown; standard error if None.
      write: called with the document, and `output` and `force` as they were asked for, once it is finished; not
        where no output was.

    Returns:
      The document of `metarl evaluate --json`, with "run_dir".

    Raises:
      InvalidInput: there is no evaluation, it is damaged or in use, or a trained agent is not what it was.
      KeyboardInterrupt: a signal came; everything is kept, and it has been said how to go on.
    """
    run = RunDirectory.open(run_dir)
    require(run.job == JOB, f"Run {str(run.path)!r} is {run.described}, not an evaluation.")
    finished = stored_result(run, "yardsticks")
    if finished is not None:
        return _with_place(finished, run)
    progress = progress or progress_on_stderr()
    with Interruption() as stop, contextlib.closing(_stored(run, progress.message)) as job:
        tell_what_changed(run, progress.message)
        with run.lock():  # until the result is there
            state = driven(job, run, progress, stop)
            document = concluded(job, state).to_json()
            if write is not None and run.config["output"] is not None:
                write(document, Path(run.config["output"]), bool(run.config.get("force")))
            write_json(run.path / RESULT, document)
    return _with_place(document, run)


def evaluate_in(
    place: Path,
    agents: Sequence[str | Path],
    *,
    world: WorldConfig | Mapping[str, Any] | None = None,
    tasks: int,
    from_scratch: FromScratchPlan | None = None,
    owner: RunDirectory,
    progress: Progress,
) -> Evaluation:
    """Evaluates in a directory of a larger undertaking, or goes on there; nobody learns anew what is kept.

    Args:
      place: the run; its parent is made if needed.
      agents: see `evaluate`; texts and paths only.
      world: see there.
      tasks: see there.
      from_scratch: see there.
      owner: the run of that undertaking, which a person goes on with; its command line is recorded.
      progress: where progress is shown.

    Raises:
      InvalidInput: it was begun there with others or otherwise.
      KeyboardInterrupt: a signal came; the same call goes on.
    """
    plan = from_scratch or FromScratchPlan()
    if not place.exists():
        place.parent.mkdir(exist_ok=True)
        command = owner.provenance["command"]
        begin_evaluation(
            agents, place, world=world, tasks=tasks, from_scratch=plan, command=command
        )
    run, texts = RunDirectory.open(place), _texts(agents)
    asked = {"tasks": tasks, "from_scratch": dataclasses.asdict(plan)}
    before = run.config.get("agents", [])
    require(
        run.job == JOB
        and asked == {name: run.config.get(name) for name in asked}
        and len(before) == len(texts)
        and all(stands_for(owner, *pair) for pair in zip(before, texts, strict=True)),
        f"{str(place)!r} was begun with other agents or settings than are asked for now; choose another --run-dir, or "
        "remove that directory.",
    )
    with (
        Interruption() as stop,
        contextlib.closing(_stored(run, progress.message, texts)) as job,
    ):
        return concluded(job, driven(job, run, progress, stop, owner))


def world_of_json(world: Mapping[str, Any]) -> dict[str, Any]:
    """Returns settings of a world, by the names of `WorldConfig`, as they were before JSON had them."""
    return {name: tuple(v) if isinstance(v, list) else v for name, v in world.items()}


def driven(
    job: EvaluationJob,
    run: RunDirectory,
    progress: Progress,
    stop: Interruption,
    owner: RunDirectory | None = None,
) -> Standing:
    """Returns the last state of an evaluation; a signal ends it before, once it has been said how to go on."""
    state, outcome = drive(
        job,
        run,
        progress,
        unit="steps",
        describe=lambda metrics: f"{metrics['part']}: {metrics['agent']}",
        interruption=stop,
        owner=owner,
    )
    if outcome == "interrupted":
        raise KeyboardInterrupt
    return state


def _stored(
    run: RunDirectory, say: Callable[[str], None], agents: Sequence[str] | None = None
) -> EvaluationJob:
    """Returns the job of a run, if everybody is who they were when it began.

    Args:
      run: of `begin_evaluation`.
      say: see `EvaluationJob`.
      agents: their texts, where paths are others now; None if they are not.
    """
    where, config = str(run.path / "config.json"), run.config
    try:
        plan = FromScratchPlan(**config["from_scratch"])
        world = world_of_json(config["world"])
        weights = dict(config["weights"])
        before: list[str] = config["agents"]
        texts = before if agents is None else agents
        formerly: dict[str, str] = dict(zip(texts, before, strict=True))
        order = Order(texts, world, config["tasks"], config["seed"], plan)
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(
            f"{where} is damaged ({reason(error)}). Begin a new evaluation."
        ) from error
    try:
        job = EvaluationJob(order, say, formerly)
    except InvalidInput as error:
        if not weights:
            raise
        raise InvalidInput(
            f"{error} Files of agents are read from the folder in which the evaluation was begun."
        ) from error
    now = _weights(job.named)
    other = [text for text in now if now[text] != weights.get(formerly.get(text, text))]
    require(
        not other,
        f"{', '.join(other)}: the weights are not those with which {str(run.path)!r} was begun. Put the agent's "
        "files back as they were, or begin a new evaluation.",
    )
    return job


def _texts(agents: Sequence[str | Path]) -> list[str]:
    """Returns the texts that name agents."""
    return [text_of_path(agent) if isinstance(agent, Path) else agent for agent in agents]


def _weights(entrants: Sequence[Entrant]) -> dict[str, str]:
    """Returns a digest of the weights of each trained agent, by its text."""
    return {e.text: _digest(e.trained) for e in entrants if e.trained is not None}


def _digest(agent: TrainedAgent) -> str:
    digest = hashlib.sha256()
    for name, array in flatten_tree(jax.device_get(agent.params)).items():
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _with_place(document: Mapping[str, Any], run: RunDirectory) -> dict[str, Any]:
    return {**document, "run_dir": str(run.path)}
