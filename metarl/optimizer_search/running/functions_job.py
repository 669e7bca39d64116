"""functions_job: the functions of a space as a run on disk, resumed where it stood.

    config.json     the space, the depth, the filters, how far to go
    functions.csv   a row a function, simplest first: number, size, verdict of the filters, rule
    result.json     how many there are, whether that is all of them, and those that a search would train

Letters: K functions; L tokens of a rule.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metarl.errors import require
from metarl.reporting import Column, Table, write_csv, write_json
from metarl.runs import (
    RESULT,
    Interrupted,
    Progress,
    RunDirectory,
    drive,
    progress_on_stderr,
    saying_how_to_resume,
    stored_result,
    tell_what_changed,
)
from metarl.update_rules import LANGUAGE, Grammar, Interpreter

from ..screening.filters import Verdict
from ..screening.probes import Probes
from ..screening.screened import VERDICTS, ScreenedFunctions
from ..settings.config import from_dict, to_dict
from ..settings.functions_config import FunctionsConfig
from ..settings.language import require_same_language

JOB = "enumerate"
FUNCTIONS = "functions.csv"
_CHECKPOINT_SECONDS = 30.0


class FunctionsJob:
    """Meets functions a block at a time."""

    def __init__(self, config: FunctionsConfig):
        """Raises InvalidInput when the space cannot be enumerated."""
        self.config = config
        self.grammar = Grammar(config.space, config.depth)
        self._probes = Probes(Interpreter(self.grammar))
        self.init()  # checks the grammar and the size

    def init(self) -> ScreenedFunctions:
        """Returns the state in which no function is met."""
        config = self.config
        return ScreenedFunctions(self.grammar, self._probes, config.filters, config.max_size)

    def update(self, state: ScreenedFunctions) -> tuple[ScreenedFunctions, dict[str, Any]]:
        """Runs the next block of rules."""
        size, verdicts = state.advance()
        passing = verdicts.count(Verdict.PASSES)
        return state, {"size": size, "met": len(verdicts), "pass": passing}

    def finished(self, state: ScreenedFunctions) -> bool:
        """Tells whether the space, the size or the budget is exhausted."""
        return state.enumeration.finished or state.enumeration.tried >= self.config.budget

    def position(self, state: ScreenedFunctions) -> tuple[int, int | None]:
        """Returns the rules run on the probes; nobody knows of how many."""
        return state.enumeration.tried, None

    def save(self, state: ScreenedFunctions) -> tuple[dict[str, np.ndarray], Any]:
        """Returns the state as arrays."""
        return state.to_arrays(), {"language": LANGUAGE["version"]}

    def load(self, arrays: dict[str, np.ndarray], meta: Any) -> ScreenedFunctions:
        """Inverse of `save`.

        Raises:
          InvalidInput: it was saved in another version of the rule language, in which rules are other functions.
        """
        require_same_language(meta, "The checkpoint of this enumeration")
        state = self.init()
        state.restore(arrays)
        return state


def begin_functions(
    config: FunctionsConfig, run_dir: str | Path | None = None, *, command: Sequence[str] = ()
) -> RunDirectory:
    """Makes the directory of an enumeration, after looking at what can be wrong with its settings.

    Raises:
      InvalidInput: the settings cannot be used; nothing has been written then.
    """
    FunctionsJob(config)
    return RunDirectory.create(run_dir, JOB, to_dict(config), command or sys.argv)


def resume_functions(run_dir: str | Path, *, progress: Progress | None = None) -> dict[str, Any]:
    """Goes on with an enumeration; the result of a finished one is read.

    Returns:
      The document of `metarl enumerate --json`.

    Raises:
      InvalidInput: there is no such run, it is damaged or in use.
      Interrupted: a signal came; everything is kept, and it has been said how to go on.
    """
    run = RunDirectory.open(run_dir)
    require(run.job == JOB, f"Run {str(run.path)!r} is {run.described}, not an enumeration.")
    finished = stored_result(run, "by_verdict")
    if finished is not None:
        return finished
    job = FunctionsJob(from_dict(FunctionsConfig, run.config, str(run.path / "config.json")))
    progress = progress or progress_on_stderr()
    tell_what_changed(run, progress.message)
    with run.lock(), saying_how_to_resume(run, progress):  # until the result is there
        state, outcome = drive(
            job,
            run,
            progress,
            checkpoint_seconds=_CHECKPOINT_SECONDS,
            unit="rules",
            describe=lambda metrics: f"size {metrics['size']}",
        )
        if outcome == "interrupted":
            raise Interrupted
        rows = _rows(job, state)
        columns = [Column(name, name) for name in ("number", "size", "verdict", "rule")]
        write_csv(run.path / FUNCTIONS, Table(f"Functions of {job.config.space}", columns, rows))
        trained = [row for row in rows if row["verdict"] == Verdict.PASSES]
        document = {"run_dir": str(run.path), **_summary(job, state), "rules": trained}
        write_json(run.path / RESULT, document)
    return document


def _rows(job: FunctionsJob, state: ScreenedFunctions) -> list[dict[str, Any]]:
    """Returns a row a function, simplest first."""
    return [
        {
            "number": number,
            "size": int(size),
            "verdict": str(VERDICTS[verdict]),
            "rule": str(job.grammar.to_rule(tokens)),
        }
        for number, (tokens, size, verdict) in enumerate(
            zip(state.tokens, state.sizes, state.verdicts, strict=True), start=1
        )
    ]


def _summary(job: FunctionsJob, state: ScreenedFunctions) -> dict[str, Any]:
    """Returns how many functions there are, by size and by verdict."""
    sizes, passes, counted = state.sizes, state.passes, Counter(state.verdicts.tolist())
    last = state.enumeration.size - 1  # the largest size that is met whole
    return {
        "space": job.config.space,
        "depth": job.config.depth,
        "language": dict(LANGUAGE),
        "tried": state.enumeration.tried,
        "sequences": job.grammar.size,
        "functions": len(sizes),
        "pass": int(passes.sum()),
        "whole_space": state.enumeration.finished and job.config.max_size is None,
        "complete_size": last,
        "by_size": [
            {
                "size": size,
                "functions": int((sizes == size).sum()),
                "pass": int(passes[sizes == size].sum()),
            }
            for size in range(1, int(sizes.max(initial=0)) + 1)
        ],
        "by_verdict": {str(verdict): counted[number] for number, verdict in enumerate(VERDICTS)},
    }
