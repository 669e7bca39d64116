"""table search: a search that looks losses up instead of training, as a run on disk, and what its find is truly worth.

    config.json    the settings of the search; `table` names the table
    journal.jsonl  every verdict, as of any search
    result.json    the finalists by choice data, their true scores, and the best of the space

Job, strategy, journal and archive are those of every search. The choice is the table's: the archive's best rules, at
the half-decades around their rates, by choice data on replicates that the search did not see. There is no comparison
with other optimizers, for that needs training (`metarl compare RULE`); instead the table tells what nobody can know
otherwise: the score on test data over replicates that neither search nor choice saw, and its rank among all rules.

Letters: K functions of the table; R learning rates; J judges.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from metarl.errors import InvalidInput, require
from metarl.reading import from_dict
from metarl.reporting import counted, write_json
from metarl.runs import (
    RESULT,
    Progress,
    RunDirectory,
    leaving_nothing_if_refused,
    progress_on_stderr,
    saying_how_to_resume,
    stored_result,
    tell_what_changed,
)
from metarl.update_rules import LANGUAGE

from ..journal.journal import FILE, Journal
from ..journal.journaled import journaling
from ..searching.archive import ArchivedRule
from ..searching.search_job import DEFAULT_BUDGET, SearchJob, drive_search
from ..searching.search_state import SearchState
from ..selecting.choice import Choice
from ..settings.config import SearchConfig, to_dict
from ..tables import RuleTable, full_name, load_table, table_programs, truth
from ..tables.table_evaluator import TableEvaluator
from ..tables.table_programs import TablePrograms, rules_within

JOB = "table-search"
_AROUND = 2  # half-decades on either side of a rule's rate that the choice tries


def search_table(
    config: SearchConfig,
    run_dir: str | Path | None = None,
    *,
    command: Sequence[str] = (),
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Searches a table.

    Args:
      config: of the search; `table` is the name of a table or the path of one.
      run_dir: a new directory; `runs/table-search-...` if not given.
      command: the command line to record; that of the process if empty.
      progress: where progress is shown; standard error if None.

    Returns:
      The document of `metarl search --evaluator table:NAME --json`.

    Raises:
      InvalidInput: the settings cannot be used, or the table does not hold what they ask for; nothing has been written.
      KeyboardInterrupt: a signal came; everything is kept, and `resume_table_search` goes on.
    """
    config = _within(config.validate(), _table_of(config))
    made = _job(config)
    run = RunDirectory.create(run_dir, JOB, to_dict(config), command or sys.argv)
    with leaving_nothing_if_refused(run):
        return _conduct(run, config, progress or progress_on_stderr(), made)


def resume_table_search(run_dir: str | Path, *, progress: Progress | None = None) -> dict[str, Any]:
    """Goes on with a search on a table; the result of a finished one is read.

    Raises:
      InvalidInput: there is no such run, it is damaged or in use, or its table is not there.
    """
    run = RunDirectory.open(run_dir)
    require(run.job == JOB, f"Run {str(run.path)!r} is {run.described}, not a search on a table.")
    finished = stored_result(run, "best_of_table")
    if finished is not None:
        return finished
    config = from_dict(SearchConfig, run.config, str(run.path / "config.json"))
    made, progress = _job(config), progress or progress_on_stderr()
    tell_what_changed(run, progress.message)
    return _conduct(run, config, progress, made)


class TableChoice(NamedTuple):
    """A rule of the choice, and its place in the table."""

    place: int
    choice: Choice


def choose_from_table(
    programs: TablePrograms, entries: Sequence[ArchivedRule], cap: float | None = None
) -> list[TableChoice]:
    """Returns rules of an archive in the order of their score on choice data, best first; those of the table alone.

    Args:
      programs: of the search.
      entries: of its archive.
      cap: the most that one judge counts; None for no cap.

    Returns:
      Each with its score at the best half-decade within a decade of its rate in the search, by the mean over the
      replicates that are the choice's and over judges. Of rules that are one function the best.
    """
    places = (
        programs.table.place_of(np.stack([entry.tokens for entry in entries])) if entries else []
    )
    found = [
        TableChoice(int(place), _chosen(programs, entry, int(place), cap))
        for entry, place in zip(entries, places, strict=True)
        if place >= 0
    ]
    found.sort(key=lambda one: -one.choice.choice_score)
    return list({one.place: one for one in reversed(found)}.values())[::-1]


def _chosen(programs: TablePrograms, entry: ArchivedRule, place: int, cap: float | None) -> Choice:
    table, scores, rates = programs.table, {}, []
    for judge, rate in zip(programs.judges, entry.learning_rates, strict=True):
        by_rate = table.scores(judge.name, "choice", programs.deal.choice)[place]  # [R]
        at = int(np.abs(np.log(table.rates / rate)).argmin())
        first = max(0, at - _AROUND)
        best = first + int(by_rate[first : at + _AROUND + 1].argmax())
        scores[judge.name] = float(by_rate[best])
        rates.append(float(table.rates[best]))
    counted = [score if cap is None else min(score, cap) for score in scores.values()]
    text = str(programs.grammar.to_rule(entry.tokens).canonical())
    return Choice(text, float(entry.reward), float(np.mean(counted)), rates[0], scores)


def _conduct(
    run: RunDirectory,
    config: SearchConfig,
    progress: Progress,
    made: tuple[SearchJob, TablePrograms],
) -> dict[str, Any]:
    with (
        run.lock(),
        saying_how_to_resume(run, progress),
        Journal(run.path / FILE, progress.message) as journal,
    ):
        job, programs = made
        if programs.table.notice:
            progress.message(f"{programs.table.notice} {_larger(config)}")
        backend = journaling(partial(TableEvaluator, programs.table), journal)
        state = drive_search(job, run, progress, minutes=config.minutes, backend=backend)
        chosen = choose_from_table(
            programs, state.archive.best(config.final.candidates), config.training.judge_cap
        )
        document = {"run_dir": str(run.path), **_found(programs, state, chosen[: config.finalists])}
        document["seconds"] = (run.outcome or {}).get("seconds", 0.0)
        if document["outside"]:
            largest = programs.table.max_size or 0
            progress.message(
                f"{document['outside']:,} rules that pass the filters are not in the table (it ends at "
                f"{counted(largest, 'node')}) and earned the floor; --filters.max-size {largest} filters such rules."
            )
        write_json(run.path / RESULT, document)
        return document


def _found(programs: TablePrograms, state: SearchState, best: list[TableChoice]) -> dict[str, Any]:
    """Returns what a search found and what it is worth, as a plain document."""
    table, counts = programs.table, state.counts
    worth = truth(table, [judge.name for judge in programs.judges], programs.deal.shown)
    winner = int(worth.argmax())
    return {
        "table": table.name,
        "functions": len(table.tokens),
        "judges": [judge.name for judge in programs.judges],
        "replicates": {name: list(places) for name, places in programs.deal._asdict().items()},
        "rules_sampled": counts.sampled,
        "rules_trained": counts.trained,
        "duplicates": counts.repeated,
        "filtered": sum(counts.filtered.values()),
        "failed": counts.failed,
        "outside": sum(table.places.named(fingerprint) < 0 for fingerprint in state.cache),
        "steps": counts.steps,
        "best": [_with_truth(one, worth) for one in best],
        "best_of_table": {"rule": table.rule(winner), "true_score": float(worth[winner])},
        "language": dict(LANGUAGE),
    }


def _with_truth(one: TableChoice, worth: np.ndarray) -> dict[str, Any]:
    """Returns a row of the finalists, with the score that only the table knows and its rank among all rules."""
    choice, true = one.choice, float(worth[one.place])
    return {
        "rule": choice.rule,
        "reward": choice.reward,
        "choice_score": choice.choice_score,
        "learning_rate": choice.learning_rate,
        "scores": choice.scores,
        "true_score": true,
        "true_rank": 1 + int((worth > true).sum()),
    }


def _larger(config: SearchConfig) -> str:
    """Returns what becomes of rules that are larger than those of a table that ends at a size."""
    if config.filters.max_size is None:
        return "Larger ones that pass the filters earn the floor; --filters.max-size filters them."
    return f"Rules of more than {counted(config.filters.max_size, 'node')} are filtered."


def _job(config: SearchConfig) -> tuple[SearchJob, TablePrograms]:
    job = SearchJob(config, programs=table_programs(_table_of(config)))
    assert isinstance(job.programs, TablePrograms)
    return job, job.programs


def _table_of(config: SearchConfig) -> RuleTable:
    if config.table is None:
        raise InvalidInput("A search on a table needs its name: --evaluator table:NAME.")
    return load_table(config.table)


def _within(config: SearchConfig, table: RuleTable) -> SearchConfig:
    """Returns the settings under the table's own name, with a budget that it has rules for where none is asked for."""
    require(
        config.init_from is None,
        "--init-from goes with a search that trains, not with --evaluator table.",
    )
    config = dataclasses.replace(config, table=full_name(config.table or ""))
    if config.budget is not None or config.minutes is not None:
        return config
    return dataclasses.replace(config, budget=min(DEFAULT_BUDGET, rules_within(table, config)))
