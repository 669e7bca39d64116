"""pipeline: from settings to a result; search, random search beside it, choice, comparison, report.

`search` starts a run and `resume` goes on with one, and both do the same: whatever stage is complete on disk
is not done again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from metarl import problems as problem_suite
from metarl.errors import InvalidInput, require
from metarl.problems import Problem
from metarl.reporting import counted
from metarl.runs import (
    Progress,
    RunDirectory,
    compiled_beside,
    leaving_nothing_if_refused,
    progress_on_stderr,
    saying_how_to_resume,
    tell_what_changed,
    telling_of_damage,
)
from metarl.update_rules import parse

from .. import strategies
from ..comparing.comparison import Comparison, compare, contest_ahead, standard_optimizers
from ..comparing.entrants import BASELINE, RANDOM_PREFIX, Entrant, rule_entrant
from ..comparing.problem_names import require_different_names, suite_names
from ..journal.journal import FILE, Journal
from ..journal.journaled import journaling
from ..judging.evaluators import Backend, local_evaluator
from ..reports.result import SearchResult, finalists_document
from ..searching.programs import grammar_of
from ..searching.search_job import Earlier, SearchJob, drive_search
from ..searching.time_spent import time_text
from ..selecting.choice import Choice
from ..selecting.funnel import Funnel, stage
from ..selecting.meta_overfitting import write_points
from ..settings.compare_config import CompareConfig
from ..settings.config import SearchConfig, from_dict, to_dict
from ..training.inner_training import Spread, check_start, check_widths

JOB = "search"
_RANDOM_RUN = "random-search"
# What tokens mean, and which are rules: a strategy that remembers some, or how many, goes on in the same grammar alone.
_CONSTRAINTS = ("different_operands", "no_final_addition", "reuse_values")
_OF_THE_GRAMMAR = ("space", "depth", "normalised", *_CONSTRAINTS)
# Six in seven random rules are filtered out; this many leave enough to keep all threads busy.
_RANDOM_BATCH = 512


def search(
    config: SearchConfig,
    run_dir: str | Path | None = None,
    *,
    command: Sequence[str] = (),
    progress: Progress | None = None,
    backend: Backend = local_evaluator,
    tensorboard: bool = False,
) -> SearchResult:
    """Searches for update rules and compares the best with tuned standard optimizers.

    Args:
      config: what to search, and how.
      run_dir: a new directory; `runs/search-...` if not given.
      command: the command line to record; that of the process if empty.
      progress: where progress is shown; standard error if None.
      backend: where candidates are trained; this process if not given. The numbers are the same.
      tensorboard: also write TensorBoard's event files into the run.

    Returns:
      The result, which is also on disk.

    Raises:
      InvalidInput: the settings cannot be used, or a strategy or problem of the user's fails at its work; nothing is
        left on disk then, unless rules have been trained.
      OSError: the run could not be written.
      Interrupted: a signal came; everything is kept, and it has been said how to go on.
    """
    check(config)
    run = RunDirectory.create(
        run_dir,
        JOB,
        to_dict(config),
        command or sys.argv,
        tensorboard=tensorboard,
    )
    with leaving_nothing_if_refused(run):
        return _conduct(run, config, progress or progress_on_stderr(), backend)


def resume(
    run_dir: str | Path,
    *,
    progress: Progress | None = None,
    backend: Backend = local_evaluator,
) -> SearchResult:
    """Goes on with a run where it stopped; the result of a finished one is read.

    Candidates may be trained elsewhere than before: any backend goes on with any run.

    Raises:
      InvalidInput: there is no search to resume, it is in use, or its checkpoint is damaged.
    """
    run = RunDirectory.open(run_dir)
    require(run.job == JOB, f"Run {str(run.path)!r} is {run.described}, not a search.")
    with telling_of_damage(run):
        finished = SearchResult.read(run.path)
    progress = progress or progress_on_stderr()
    if finished is not None:
        if not (run.path / "report.html").exists():  # killed between the two
            _write_report(run.path, progress)
        return finished
    config = from_dict(SearchConfig, run.config, str(run.path / "config.json"))
    _own_code(config)
    tell_what_changed(run, progress.message)
    return _conduct(run, config, progress, backend)


def check(config: SearchConfig) -> list[Problem]:
    """Returns the problems of a search after looking at everything that can be wrong with its settings.

    Raises:
      InvalidInput: says what is wrong.
    """
    config.validate()
    _own_code(config)
    suite = [problem_suite.load(name) for name in dict.fromkeys(config.problem)]
    final = config.final
    judging = [problem_suite.load(name) for name in (*final.funnel, *final.meta_overfitting)]
    standard_optimizers(comparison_config(config).validate().references)
    held_out = [problem_suite.load(name) for name in dict.fromkeys(final.held_out)]
    everything = {id(problem): problem for problem in (*suite, *judging, *held_out)}.values()
    require_different_names(everything)
    for problem in everything:
        check_start(problem)
    for problem in (*suite, *judging):
        require(
            config.reward == "loss" or problem.metric is not None,
            f"Problem {problem.name!r} has no metric, so `--reward accuracy` cannot judge on it. Use `--reward loss`.",
        )
    if config.training.random_width != 1.0:
        judges = list({id(problem): problem for problem in (*suite, *judging)}.values())
        problem_suite.require_widths(judges)
        for problem in judges:
            check_widths(problem, Spread(width=config.training.random_width))
    if config.init_from is not None:
        _earlier(config)
    return suite


def _own_code(config: SearchConfig) -> None:
    """Imports the strategy and all problems of a search; any may be the user's.

    Raises:
      InvalidInput: one of them cannot be used.
    """
    final = config.final
    strategies.make(config.strategy, grammar_of(config), config)
    for name in (*config.problem, *final.funnel, *final.meta_overfitting, *final.held_out):
        problem_suite.load(name)


def _conduct(
    run: RunDirectory, config: SearchConfig, progress: Progress, backend: Backend
) -> SearchResult:
    with run.lock(), saying_how_to_resume(run, progress), _Ahead() as ahead:
        job = _job(run, config)
        compared, contests = comparison_config(config), {}
        with Journal(run.path / FILE, progress.message) as journal:
            here, backend = backend is local_evaluator, journaling(backend, journal)
            with contextlib.closing(Funnel(job.grammar, job.problems, config, backend)) as funnel:
                searched = (run.outcome or {}).get("outcome") == "finished"  # then choices are, too
                ready = ahead.do(funnel.prepare) if here and not searched else None
                for problem in _light_problems(compared) if here else ():
                    contests[problem.name] = ahead.do(contest_ahead, problem, compared)
                state = drive_search(job, run, progress, minutes=config.minutes, backend=backend)
                spent = job.time.to_json()
                said = f"; {time_text(spent)}" if spent else ""
                progress.message(
                    f"Searched: {counted(state.counts.trained, 'distinct rule')} trained{said}."
                )
                if ready is not None:
                    ready.result()
                rivals = _random_winner(run, job, state.counts.trained, funnel, progress, backend)
                best, selection = funnel.select(state, config.finalists, progress.message)
                selection["meta_overfitting"] = funnel.look_again(state, progress.message)
        comparison = compare(
            _entrants(best, rivals),
            compared,
            progress.message,
            together=True,
            contests={name: contest.result() for name, contest in contests.items()},
        )
        selection["stages"].append(_comparison_stage(best, comparison))
        result = SearchResult(
            run_dir=str(run.path),
            rules_sampled=state.counts.sampled,
            rules_trained=state.counts.trained,
            duplicates=state.counts.repeated,
            filtered=sum(state.counts.filtered.values()),
            failed=state.counts.failed,
            seconds=(run.outcome or {}).get("seconds", 0.0),
            best=best,
            random_best=rivals,
            finalists=finalists_document(comparison, [choice.rule for choice in best]),
            comparison=comparison.to_document(),
            selection=selection,
            time=spent,
        )
        write_points(selection["meta_overfitting"], run.path)
        result.write()
        _write_report(run.path, progress)
        return result


class _Ahead:
    """A thread that makes ready, beside the search, what comes after it and does not depend on what is found."""

    def __enter__(self) -> _Ahead:
        """Starts it."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ahead")
        return self

    def __exit__(self, error: type | None, *_: object) -> None:
        """Waits for what it is at, unless by an error nobody needs it any more; the rest is dropped."""
        self._thread.shutdown(wait=error is None, cancel_futures=True)

    def do(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Does some work when what came before is done."""
        return self._thread.submit(_beside, work, *arguments)


def _beside(work: Callable[..., Any], *arguments: Any) -> Any:
    with compiled_beside():
        return work(*arguments)


def _light_problems(config: CompareConfig) -> list[Problem]:
    """Returns the problems of a comparison that may wait in memory while a search runs."""
    suite = [problem_suite.load(name) for name in suite_names(config.problem)]
    return [problem for problem in suite if not problem.is_costly]


def _comparison_stage(best: list[Choice], comparison: Comparison) -> dict[str, Any]:
    seeds = min((found.report_seeds for found in comparison.problems.values()), default=0)
    return stage("comparison", len(best), list(comparison.problems), seeds, "test")


def comparison_config(config: SearchConfig) -> CompareConfig:
    """Returns the settings under which the finalists of a search are compared."""
    return CompareConfig(
        problem=tuple(dict.fromkeys((*config.problem, *config.final.held_out))),
        steps=config.training.steps,
        seeds=config.final.report_seeds,
        tuning_seeds=config.final.tuning_seeds,
        references=config.final.references,
        schedules=config.final.schedules or (config.training.schedule,),
        horizons=(),
        time_compilation=False,
        seed=config.seed,
    )


def _job(run: RunDirectory, config: SearchConfig) -> SearchJob:
    """Returns the job; the run that it starts from is read only while it has no checkpoint of its own."""
    begins = config.init_from is not None and run.checkpoints.newest() is None
    return SearchJob(config, _earlier(config) if begins else None)


def _random_winner(
    run: RunDirectory,
    searched: SearchJob,
    budget: int,
    funnel: Funnel,
    progress: Progress,
    backend: Backend,
) -> Choice | None:
    """Returns the choice of random search at the same number of trained rules, by the same procedure."""
    config = searched.config
    if not config.final.random_baseline or config.strategy == "random" or budget == 0:
        return None
    settings = dataclasses.replace(
        config,
        strategy="random",
        budget=budget,
        minutes=None,
        init_from=None,
        batch_size=_RANDOM_BATCH,
    )
    place = run.path / _RANDOM_RUN
    beside = (
        RunDirectory.open(place)
        if place.exists()
        else RunDirectory.create(place, JOB, to_dict(settings), run.provenance["command"])
    )
    progress.message(f"Random search beside it, {counted(budget, 'rule')}.")
    job = SearchJob(settings)
    job.programs.share(searched.programs)
    state = drive_search(job, beside, progress, owner=run, backend=backend)
    return next(iter(funnel.select(state, 1).best), None)


def _entrants(best: list[Choice], rival: Choice | None) -> list[Entrant]:
    # Adam found again is the baseline that stands in the comparison anyway
    entrants = [
        rule_entrant(choice.rule, parse(choice.rule)) for choice in best if choice.rule != BASELINE
    ]
    if rival is not None:
        entrants.append(rule_entrant(RANDOM_PREFIX + rival.rule, parse(rival.rule)))
    return entrants


def _earlier(config: SearchConfig) -> Earlier:
    """Returns the settings and the last checkpoint, arrays and meta, of the run that a search starts from.

    Judges may be others: problems, training, filters. What a strategy remembers is then rules and what they earned
    elsewhere, which it learns to think otherwise of; only what it has proposed is forgotten (`SearchJob.init`).

    Raises:
      InvalidInput: there is no such run, it has no checkpoint, its rules are of another grammar, or its controller does
        not fit.
    """
    assert config.init_from is not None
    run = RunDirectory.open(config.init_from)
    before = from_dict(SearchConfig, run.config, str(run.path / "config.json"))
    names = ("strategy", *_OF_THE_GRAMMAR, *strategies.parts(config.strategy))
    others = [name for name in names if getattr(config, name) != getattr(before, name)]
    theirs, ours = (
        " and ".join(f"{name} {getattr(settings, name)!r}" for name in others)
        for settings in (before, config)
    )
    require(
        not others,
        f"--init-from {config.init_from}: that run has {theirs}, not {ours}; {_why_not(others)}. Take the same "
        f"{', '.join(others)}, for example with --config {config.init_from}/config.json, or begin anew without "
        "--init-from.",
    )
    saved = run.checkpoints.load_newest()
    if saved is None:
        raise InvalidInput(f"--init-from {config.init_from}: that run has no checkpoint yet.")
    arrays, meta = saved
    return before, arrays, meta["job"]


def _why_not(others: Sequence[str]) -> str:
    """Returns why a strategy cannot go on where these settings are others."""
    if "normalised" in others:
        return "the rules that its strategy remembers are others here"
    if set(others) <= set(_CONSTRAINTS):
        return "its strategy would go on from rules that are not those of this grammar"
    return "its strategy does not fit"


def _write_report(place: Path, progress: Progress) -> None:
    from ..reports.report import write_report

    progress.message(f"Report: {write_report(place)}")
