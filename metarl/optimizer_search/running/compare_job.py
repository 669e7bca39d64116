"""compare_job: a comparison as a run on disk, resumed problem by problem.

    config.json               who is compared, and the protocol
    measurements/             what was measured, a file a problem
    runs.csv                  a row a run: optimizer x problem x seed x learning rate
    problems.csv              a row per problem and optimizer
    scores.csv                a row per optimizer, all problems together
    curves.npz                test losses [S, C] by "problem|optimizer", their steps by "problem|steps"
    result.json, report.html  the document of `metarl compare --json`, and a page

A user's own optimizer or problem is stored by its name, and imported on resume only when that name is given again: a
directory that somebody sent must not run code by being resumed.
"""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from metarl import problems as problem_suite
from metarl.errors import InvalidInput, require
from metarl.reporting import write_csv, write_json
from metarl.runs import (
    RESULT,
    Progress,
    RunDirectory,
    no_result_yet,
    progress_on_stderr,
    resume_command,
    saying_how_to_resume,
    stored_result,
    tell_what_changed,
    telling_of_damage,
    write_arrays,
)
from metarl.statistics import infinities_to_json
from metarl.update_rules import LANGUAGE, parse

from ..comparing.comparison import Comparison, check_comparison, compare
from ..comparing.control import CONTROL
from ..comparing.diagnostics import diagnose, diagnostic_problems
from ..comparing.entrants import Entrant, entered, entrant, is_own, rule_entrant
from ..comparing.scores import score
from ..comparing.tables import finalists_table
from ..reports.comparison_report import write_comparison_report
from ..reports.result import SearchResult, finalists_document
from ..reports.score_tables import raw_table, score_table
from ..settings.compare_config import MEASURED_ALIKE, PROTOCOL_VERSION, CompareConfig
from ..settings.config import from_dict, to_dict
from ..settings.language import require_same_language

JOB = "compare"
_MEASUREMENTS = "measurements"
_SEARCH = "search"
_MOST_SETTINGS = 100_000  # of the control


def begin_comparison(
    entrants: Sequence[Entrant],
    config: CompareConfig,
    run_dir: str | Path | None = None,
    *,
    diagnostics: bool = False,
    command: Sequence[str] = (),
) -> RunDirectory:
    """Makes the directory of a comparison after looking at everything that can be wrong with it.

    Args:
      entrants: who is compared with the references.
      config: the protocol.
      run_dir: a new directory; `runs/compare-...` if not given.
      diagnostics: whether to try everybody on the diagnostic problems too.
      command: the command line to record; that of the process if empty.

    Raises:
      InvalidInput: the settings cannot be used; nothing has been written then.
      OSError: the directory could not be written.
    """
    config = dataclasses.replace(config, control=control_number(config.control))
    check_comparison(entrants, config, diagnostic_problems() if diagnostics else ())
    stored = {
        "protocol": PROTOCOL_VERSION,
        "language": LANGUAGE["version"],
        "optimizers": [
            {
                "label": e.label,
                "rule": None if e.rule is None else str(e.rule),
                "learning_rate_multiple": e.learning_rate_multiple,
                "rules_trained": e.rules_trained,
            }
            for e in entrants
        ],
        "compare": to_dict(config),
        "diagnostics": diagnostics,
        "seed": config.seed,
    }
    run = RunDirectory.create(run_dir, JOB, stored, command or sys.argv)
    (run.path / _MEASUREMENTS).mkdir()
    return run


def control_number(text: str | None) -> str | None:
    """Returns how many settings of Adam the control tries: the number, or that of the rules that a search trained.

    Args:
      text: a number, or the directory of a finished search.

    Raises:
      InvalidInput: it is neither.
    """
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        require(0 < int(text) <= _MOST_SETTINGS, _not_a_control(text))
        return str(int(text))
    require(Path(text).is_dir(), _not_a_control(text))
    run = RunDirectory.open(text)
    require(
        run.job == _SEARCH,
        f"Run {str(run.path)!r} is {run.described}, not a search; the control tries as many settings as a search has "
        "rules.",
    )
    with telling_of_damage(run):
        found = SearchResult.read(run.path)
    if found is None:
        raise no_result_yet(run)
    return str(max(1, min(found.rules_trained, _MOST_SETTINGS)))


def _not_a_control(text: str) -> str:
    return (
        f"control is {text!r}; it must be a number of settings from 1 to {_MOST_SETTINGS:,}, or the directory of a "
        "search, for as many as it trained rules."
    )


def resume_comparison(
    run_dir: str | Path, *, own: Sequence[str] = (), progress: Progress | None = None
) -> dict[str, Any]:
    """Goes on with a comparison where it stopped; the result of a finished one is read.

    Args:
      run_dir: of `begin_comparison`.
      own: names my_module:factory, of the user's optimizers and problems, that may be imported.
      progress: where progress is shown; standard error if None.

    Returns:
      The document of `metarl compare --json`.

    Raises:
      InvalidInput: there is no comparison, it is damaged or in use, or it needs code that `own` does not name.
      Interrupted: a signal came; what is measured is kept, and it has been said how to go on.
    """
    run = RunDirectory.open(run_dir)
    require(run.job == JOB, f"Run {str(run.path)!r} is {run.described}, not a comparison.")
    finished = stored_result(run, "scores")
    if finished is not None:
        return finished
    progress = progress or progress_on_stderr()
    entrants, config = _stored(run, own)
    for name in filter(is_own, config.problem):
        problem_suite.load(name)
    tell_what_changed(run, progress.message)
    optimizers = [entrant.label for entrant in entrants if entrant.is_own]
    again = _flags(optimizers, [name for name in config.problem if is_own(name)])
    with run.lock(), saying_how_to_resume(run, progress, again):
        comparison = _compare(run, entrants, config, progress)
        findings = None
        if run.config["diagnostics"]:
            findings = diagnose(entrants, config, progress.message)
        document = _document(run, entrants, config, comparison, findings)
        _write(run.path, comparison, document)
    return document


def _stored(run: RunDirectory, own: Sequence[str]) -> tuple[list[Entrant], CompareConfig]:
    """Returns who is compared and how, from the configuration of a run."""
    where = str(run.path / "config.json")
    require(
        run.config.get("protocol") in MEASURED_ALIKE,
        f"{where}: it follows version {run.config.get('protocol')} of the protocol, this metarl {PROTOCOL_VERSION}; "
        "their numbers do not stand in one table. Begin a new comparison.",
    )
    require_same_language(run.config, where)
    try:
        rows, values = run.config["optimizers"], run.config["compare"]
        needed = [r["label"] for r in rows if r["rule"] is None and is_own(r["label"])]
        config = from_dict(CompareConfig, values, where)
        _require_named(needed, [name for name in config.problem if is_own(name)], own, run)
        return [_restored(row) for row in rows], config.validate()
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(f"{where} is damaged ({type(error).__name__}: {error}).") from error


def _restored(row: dict[str, Any]) -> Entrant:
    label = row["label"]
    restored = entrant(label) if row["rule"] is None else rule_entrant(label, parse(row["rule"]))
    return restored._replace(
        learning_rate_multiple=row["learning_rate_multiple"], rules_trained=row["rules_trained"]
    )


def _require_named(
    optimizers: Sequence[str], problems: Sequence[str], own: Sequence[str], run: RunDirectory
) -> None:
    missing = [name for name in (*optimizers, *problems) if name not in own]
    require(
        not missing,
        f"Run {str(run.path)!r} compares {', '.join(missing)}, which is code outside metarl. To have it imported: "
        f"{resume_command(run)}{_flags(optimizers, problems)}",
    )


def _flags(optimizers: Sequence[str], problems: Sequence[str]) -> str:
    flags = (("--optimizer", optimizers), ("--problem", problems))
    return "".join(f" {flag} {shlex.join(names)}" for flag, names in flags if names)


def _compare(
    run: RunDirectory, entrants: Sequence[Entrant], config: CompareConfig, progress: Progress
) -> Comparison:
    progress.begin("compare", "problems")
    try:
        return compare(
            entrants,
            config,
            progress.message,
            place=run.path / _MEASUREMENTS,
            done=progress.report,
        )
    finally:
        progress.end()


def _document(
    run: RunDirectory,
    entrants: Sequence[Entrant],
    config: CompareConfig,
    comparison: Comparison,
    findings: dict[str, Any] | None,
) -> dict[str, Any]:
    field = entered(entrants, config.tensor_functions)
    labels = [entrant.label for entrant in field]
    trained = {entrant.label: entrant.rules_trained for entrant in field}
    trained[CONTROL] = None if config.control is None else int(config.control)
    roles = {card.name: card.role for card in problem_suite.cards()}
    return {
        "run_dir": str(run.path),
        "protocol": {"version": PROTOCOL_VERSION, **to_dict(config)},
        "scores": infinities_to_json(
            {
                label: {**one.to_json(), "rules_trained": trained.get(label)}
                for label, one in score(comparison.problems).items()
            }
        ),
        "roles": {name: roles.get(name, "own") for name in comparison.problems},
        **finalists_document(comparison, labels),
        "diagnostics": findings,
        "language": dict(LANGUAGE),
        "details": comparison.to_document(),
    }


def _write(place: Path, comparison: Comparison, document: dict[str, Any]) -> None:
    """Writes all files; `result.json` last, for its presence means that the run is complete."""
    write_csv(place / "runs.csv", raw_table(comparison.problems))
    write_csv(place / "problems.csv", finalists_table(document["details"]))
    write_csv(place / "scores.csv", score_table(document))
    _write_curves(place / "curves.npz", comparison)
    write_comparison_report(place, document)
    write_json(place / RESULT, document)


def _write_curves(path: Path, comparison: Comparison) -> None:
    arrays = {}
    for name, result in comparison.problems.items():
        arrays[f"{name}|steps"] = result.points
        arrays |= {f"{name}|{label}": entry.curves for label, entry in result.entries.items()}
    write_arrays(path, arrays)
