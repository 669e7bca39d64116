"""table job: a table as a run on disk: every function, by one judge after another, resumed where it stood.

    table/functions.npz   the functions, written first
    table/JUDGE.npz       the losses of a judge, written as soon as it is complete
    losses/JUDGE.npz      the same before rounding
    result.json           what there is

So a run that is stopped leaves a table of the judges that are complete, and may be gone on with for the others.

Letters: K functions; L tokens; R learning rates; S replicates; C checkpoints; J judges.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from metarl import problems as problem_suite
from metarl.errors import require
from metarl.reading import from_dict, read_arrays
from metarl.reporting import write_json
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
    write_arrays,
)
from metarl.update_rules import LANGUAGE, Grammar, Interpreter

from ..judging.evaluators import Backend, Evaluator, local_evaluator
from ..judging.judges import Judge, judges_named
from ..judging.reference import HALF_DECADES
from ..screening.probes import Probes
from ..screening.screened import ScreenedFunctions
from ..settings.config import to_dict
from ..settings.language import require_same_language
from ..settings.table_config import TableConfig
from ..training.inner_training import check_start
from .packing import ROUNDING, STEP, Losses, content_hash, pack, tuned
from .places import Places
from .rule_table import RuleTable
from .sweeping import (
    CHECKPOINTS,
    RATES,
    adam_losses,
    checkpoint_steps,
    starting_losses,
    table_judgement,
)
from .table_files import FUNCTIONS, SIZE, file_name, load_table, read_file, write_file

JOB = "table"
FOLDER, LOSSES = "table", "losses"
_RULES = 16  # trained in one generation
_MOST_FUNCTIONS = 20_000
_CHECKPOINT_SECONDS = 60.0


@dataclass
class TableState:
    """How far a table is."""

    functions: dict[str, np.ndarray]  # tokens [K, L], sizes [K], fingerprints [K, 16]
    judge: int = 0  # that trains now; all before it are complete
    rule: int = 0  # trained by it
    steps: int = 0  # optimizer steps executed for rules, by all judges
    search: np.ndarray | None = None  # [K, R, S, C] of the judge
    ends: np.ndarray | None = None  # [K, R, S, 2], choice and test


class TableJob:
    """Trains every function of a space by one judge after another.

    Args:
      config: what to train.
      place: the directory of the run, in which the files are written.
      provenance: recorded in the files.
      backend: where rules are trained; threads of this process if not given. The numbers are the same.

    Raises:
      InvalidInput: the space cannot be enumerated, or a problem is unknown or cannot be trained on.
    """

    def __init__(
        self,
        config: TableConfig,
        place: Path,
        provenance: Mapping[str, Any] | None = None,
        backend: Backend = local_evaluator,
    ):
        """Looks everything up by name; nothing is compiled."""
        self.config, self._place, self._provenance = config, place, dict(provenance or {})
        self.grammar = Grammar(config.space, config.depth)
        self.judges = judges_named(config.judges, problem_suite.load)
        self._probes = Probes(Interpreter(self.grammar))
        self._screened()  # checks the space
        self._backend = backend
        self._evaluator: tuple[str, Evaluator] | None = None

    def init(self) -> TableState:
        """Meets the functions, and writes them."""
        state = TableState(self._functions())
        for folder in (FOLDER, LOSSES):
            (self._place / folder).mkdir(exist_ok=True)
        self.write_functions(state.functions, self._place / FOLDER)
        return state

    def update(self, state: TableState) -> tuple[TableState, dict[str, Any]]:
        """Has the next rules trained; writes the judge's file after the last of them."""
        judge, tokens = self.judges[state.judge], state.functions["tokens"]
        count, sizes = len(tokens), (len(RATES), self.config.replicates)
        if state.search is None or state.ends is None:
            state.search = np.full((count, *sizes, len(CHECKPOINTS)), np.inf, np.float32)
            state.ends = np.full((count, *sizes, 2), np.inf, np.float32)
        rows = tokens[state.rule : state.rule + _RULES]
        rates = np.tile(RATES.astype(np.float32), (len(rows), 1))
        verdicts = self._trainer(judge).evaluate(rows, rates)[judge.name]
        place = slice(state.rule, state.rule + len(rows))
        state.search[place], state.ends[place] = verdicts.losses, verdicts.metrics
        state.rule, state.steps = place.stop, state.steps + int(verdicts.steps.sum())
        if state.rule == count:
            found = Losses(state.search, state.ends[..., 0], state.ends[..., 1])
            self._write_judge(state, found)
            state.judge, state.rule, state.search, state.ends = state.judge + 1, 0, None, None
        return state, {"judge": judge.name, "rules": len(rows), "steps": state.steps}

    def finished(self, state: TableState) -> bool:
        """Tells whether all judges are done."""
        return state.judge == len(self.judges) or len(state.functions["tokens"]) == 0

    def position(self, state: TableState) -> tuple[int, int | None]:
        """Returns the verdicts given, and all of them."""
        count = len(state.functions["tokens"])
        return state.judge * count + state.rule, len(self.judges) * count

    def save(self, state: TableState) -> tuple[dict[str, np.ndarray], Any]:
        """Returns the state as arrays."""
        arrays = {f"function|{name}": x for name, x in state.functions.items()}
        if state.search is not None and state.ends is not None:
            arrays |= {"search": state.search[: state.rule], "ends": state.ends[: state.rule]}
        meta = {"judge": state.judge, "rule": state.rule, "steps": state.steps}
        return arrays, {**meta, "language": LANGUAGE["version"]}

    def load(self, arrays: dict[str, np.ndarray], meta: Any) -> TableState:
        """Inverse of `save`.

        Raises:
          InvalidInput: it was saved in another version of the rule language.
        """
        require_same_language(meta, "The checkpoint of this table")
        prefix = "function|"
        functions = {n.removeprefix(prefix): x for n, x in arrays.items() if n.startswith(prefix)}
        state = TableState(functions, meta["judge"], meta["rule"], meta["steps"])
        if "search" in arrays:
            left = len(functions["tokens"]) - meta["rule"]
            state.search, state.ends = (
                np.concatenate([x, np.full((left, *x.shape[1:]), np.inf, np.float32)])
                for x in (arrays["search"], arrays["ends"])
            )
        return state

    def close(self) -> None:
        """Frees threads and devices."""
        if self._evaluator is not None:
            self._evaluator[1].close()

    def _functions(self) -> dict[str, np.ndarray]:
        found, config = self._screened(), self.config
        while not found.enumeration.finished:
            size, _ = found.advance()
            require(
                found.passes.sum() <= _MOST_FUNCTIONS,
                f"Space {config.space!r} at depth {config.depth} has more than {_MOST_FUNCTIONS:,} functions "
                f"that pass the filters; name the largest rules, --max-size {size - 1} for example.",
            )
        good, prints = found.passes, found.enumeration.fingerprints
        return {
            "tokens": found.tokens[good],
            "sizes": found.sizes[good],
            "fingerprints": prints[good],
        }

    def _screened(self) -> ScreenedFunctions:
        config = self.config
        return ScreenedFunctions(self.grammar, self._probes, config.filters, config.max_size)

    def _trainer(self, judge: Judge) -> Evaluator:
        """Returns who trains for a judge; the one before it is let go."""
        if self._evaluator is None or self._evaluator[0] != judge.name:
            self.close()
            judgement = table_judgement(judge, self.grammar, self._seeds(judge))
            self._evaluator = (judge.name, self._backend({judge.name: judgement}))
        return self._evaluator[1]

    def _seeds(self, judge: Judge) -> list[int]:
        return judge.seeds(self.config.seed, "search", self.config.replicates)

    def write_functions(self, functions: Mapping[str, np.ndarray], folder: Path) -> None:
        """Writes the file of the functions: tokens [K, L], sizes [K], fingerprints [K, 16]."""
        config, arrays = self.config, dict(functions)
        if config.depth == 1:
            found = Places(
                self.grammar, config.filters, functions["tokens"], functions["fingerprints"]
            )
            arrays["places"] = found.of_every_sequence().astype(np.int16)
        described = self._described()
        same = {name: x for name, x in described.items() if name not in ("seed", "provenance")}
        document = {
            "kind": "functions",
            "name": table_name(config),
            "identity": content_hash(same, arrays),
            **described,
            "functions": len(functions["tokens"]),
            "rates": RATES.tolist(),
        }
        write_file(folder / FUNCTIONS, document, arrays)

    def _write_judge(self, state: TableState, losses: Losses) -> None:
        judge = self.judges[state.judge]
        adam = adam_losses(judge, self._seeds(judge), HALF_DECADES)
        exact = {**losses._asdict(), **{f"adam_{n}": x for n, x in adam._asdict().items()}}
        write_arrays(self._place / LOSSES / file_name(judge.name), exact)
        self.write_judge(judge, exact, self._place / FOLDER)

    def write_judge(self, judge: Judge, exact: Mapping[str, np.ndarray], folder: Path) -> None:
        """Writes the file of a judge, from losses that are not rounded.

        Args:
          judge: one of the job's.
          exact: search [K, R, S, C], choice and test [K, R, S], and Adam's runs under the names with `adam_`.
          folder: of the table, which holds the functions.
        """
        runs = Losses(*(exact[f"adam_{split}"] for split in Losses._fields))
        codes = pack(Losses(*(exact[split] for split in Losses._fields)), tuned(runs)[0])
        document = {
            "kind": "judge",
            "judge": judge.name,
            "number": self.judges.index(judge),
            **{"problem": judge.problem.name, "family": judge.problem.family},
            **{"role": judge.problem.role, "steps": judge.steps, "horizon": judge.horizon},
            **{"checkpoint_steps": checkpoint_steps(judge.steps), "seeds": self._seeds(judge)},
            "rates": RATES.tolist(),
            "adam_rates": HALF_DECADES.tolist(),
            "code": {"step": STEP, "rounding": ROUNDING},
            "functions": read_file(folder / FUNCTIONS, "functions")[0]["identity"],
            **self._described(),
        }
        arrays = {"codes": codes, **{f"adam_{n}": x for n, x in runs._asdict().items()}}
        arrays["start"] = starting_losses(judge, self._seeds(judge))
        write_file(folder / file_name(judge.name), document, arrays)

    def _described(self) -> dict[str, Any]:
        """Returns what every file says of the table."""
        config = self.config
        filters = to_dict(config.filters)
        # searches alone have it, and a table of before there was one is the same table
        del filters["max_size"]
        return {
            "language": LANGUAGE["version"],
            **{"space": config.space, "depth": config.depth, "max_size": config.max_size},
            **{"filters": filters, "seed": config.seed},
            "provenance": self._provenance,
        }


def table_name(config: TableConfig) -> str:
    """Returns the name of a table: its space and depth, and the largest size if it ends before the space does."""
    whole = f"{config.space}-{config.depth}"
    return whole if config.max_size is None else f"{whole}{SIZE}{config.max_size}"


def write_again(run_dir: str | Path, folder: str | Path) -> RuleTable:
    """Writes the table of a run's complete judges into another folder, from the losses before rounding.

    Raises:
      InvalidInput: there is no such run, or it is damaged.
    """
    run, folder = RunDirectory.open(run_dir), Path(folder)
    job = TableJob(from_dict(TableConfig, run.config, "config.json"), run.path, run.provenance)
    folder.mkdir(parents=True, exist_ok=True)
    _, functions = read_file(run.path / FOLDER / FUNCTIONS, "functions")
    job.write_functions({n: functions[n] for n in ("tokens", "sizes", "fingerprints")}, folder)
    for judge in job.judges:
        exact = run.path / LOSSES / file_name(judge.name)
        if exact.is_file():
            job.write_judge(judge, read_arrays(exact, f"Losses {str(exact)!r}"), folder)
    return load_table(folder)


def begin_table(
    config: TableConfig, run_dir: str | Path | None = None, *, command: Sequence[str] = ()
) -> RunDirectory:
    """Makes the directory of a table, after looking at what can be wrong with its settings.

    Raises:
      InvalidInput: the settings cannot be used; nothing has been written then.
    """
    for judge in TableJob(config, Path()).judges:
        check_start(judge.problem)
    return RunDirectory.create(run_dir, JOB, to_dict(config), command or sys.argv)


def resume_table(
    run_dir: str | Path,
    *,
    progress: Progress | None = None,
    backend: Backend = local_evaluator,
) -> dict[str, Any]:
    """Goes on with a table; the result of a finished one is read.

    Args:
      run_dir: of the table.
      progress: where it tells how it goes; standard error if None.
      backend: where rules are trained; threads of this process if not given. The numbers are the same.

    Returns:
      The document of `metarl table --json`.

    Raises:
      InvalidInput: there is no such run, it is damaged or in use.
      Interrupted: a signal came; everything is kept, and it has been said how to go on.
    """
    run = RunDirectory.open(run_dir)
    require(run.job == JOB, f"Run {str(run.path)!r} is {run.described}, not a table.")
    finished = stored_result(run, "judges")
    if finished is not None:
        return finished
    config = from_dict(TableConfig, run.config, str(run.path / "config.json"))
    job = TableJob(config, run.path, run.provenance, backend)
    progress = progress or progress_on_stderr()
    tell_what_changed(run, progress.message)
    with run.lock(), saying_how_to_resume(run, progress):  # until the result is there
        try:
            state, outcome = drive(
                job,
                run,
                progress,
                checkpoint_seconds=_CHECKPOINT_SECONDS,
                unit="verdicts",
                describe=lambda metrics: metrics["judge"],
            )
        finally:
            job.close()
        if outcome == "interrupted":
            raise Interrupted
        table = load_table(run.path)
        document = {
            "run_dir": str(run.path),
            "table": table.name,
            "functions": len(table.tokens),
            "steps": state.steps,
            "judges": [
                {
                    "judge": judge.name,
                    "bytes": (run.path / FOLDER / file_name(judge.name)).stat().st_size,
                    "rounding": judge.rounding,
                }
                for judge in table.judges
            ],
        }
        write_json(run.path / RESULT, document)
    return document
