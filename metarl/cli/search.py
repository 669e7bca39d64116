"""search: from settings to a run on disk, and what it found."""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from metarl.errors import require
from metarl.optimizer_search import SearchConfig, from_dict, preset
from metarl.reading import MOST_SETTINGS, read_json_object
from metarl.reporting import counted

from .data_files import DataFiles
from .evaluators import Evaluators
from .machine import Machine
from .parsing import find_origin, parse_arguments

PRESETS = ("laptop", "demo", "paper", "smoke")


@dataclass(frozen=True)
class Arguments:
    """Searches for update rules, compares the best with tuned optimizers, and reports."""

    search: Annotated[SearchConfig, tyro.conf.arg(name="")] = field(default_factory=SearchConfig)
    preset: str | None = None
    """Defaults for all settings: laptop (if not given), demo (that of `make demo`), paper (Bello et al. 2017;
    --data-dir) or smoke (a minute)."""
    config: str | None = None
    """Take all settings from an earlier run's config.json; other flags change them."""
    run_dir: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """A new directory for the run; runs/search-DATE-TIME-... if not given."""
    tensorboard: bool = False
    """Also write TensorBoard's event files, into RUN_DIR/tensorboard; needs metarl[tensorboard]."""
    print_config: bool = False
    """Print the settings as JSON and end."""
    dry_run: bool = False
    """Print what would be trained, the time and memory it takes, and write nothing."""
    data: Annotated[DataFiles, tyro.conf.arg(name="")] = field(default_factory=DataFiles)
    machine: Annotated[Machine, tyro.conf.arg(name="")] = field(default_factory=Machine)
    evaluators: Annotated[Evaluators, tyro.conf.arg(name="")] = field(default_factory=Evaluators)
    json: bool = False
    """Print one JSON document on standard output, and nothing else there."""


def parse(words: Sequence[str], program: str) -> Arguments:
    """Returns the arguments; --preset and --config say what the flags that are not given mean."""
    told = [word for word in words if word.replace("_", "-") in _RACING]
    rest = [word for word in words if word not in told]
    origin = find_origin(rest)
    default = Arguments(search=_settings(origin.preset, origin.config))
    found = parse_arguments(Arguments, rest, program=program, default=default)
    if told:
        racing = _RACING[told[-1].replace("_", "-")]
    else:
        racing = found.search.racing and (origin.config is not None or _gains_by_racing(found))
    return dataclasses.replace(found, search=dataclasses.replace(found.search, racing=racing))


def _gains_by_racing(arguments: Arguments) -> bool:
    """Returns whether a preset that races means this search: it compares losses, and its short runs are trained.

    On a table a short run is the beginning of a long one, which costs nothing and in which decays do not run their
    course.
    """
    on_a_table = arguments.evaluators.table is not None or arguments.search.table is not None
    return arguments.search.reward == "loss" and not on_a_table


# both, so that a command can say either; tyro would have the one that changes the default
_RACING = {"--racing": True, "--no-racing": False}


def run(arguments: Arguments) -> dict[str, Any]:
    """Runs the search, or prints what it would be."""
    if arguments.print_config:
        return dataclasses.asdict(arguments.search.validate())
    arguments.evaluators.check()
    arguments.data.use()
    if arguments.evaluators.table is not None or arguments.search.table is not None:
        return _on_a_table(arguments)
    if arguments.dry_run:
        arguments.machine.start()
        from metarl.optimizer_search import estimate

        return {"dry_run": estimate(arguments.search)}
    command = ["metarl", *sys.argv[1:]]
    with arguments.evaluators.backend(arguments.machine) as backend:
        from metarl.optimizer_search import search

        found = search(
            arguments.search,
            arguments.run_dir,
            command=command,
            backend=backend,
            tensorboard=arguments.tensorboard,
        )
    return found.to_json()


def _on_a_table(arguments: Arguments) -> dict[str, Any]:
    """Searches a table, which takes a second and trains nothing."""
    named, config = arguments.evaluators.table, arguments.search
    arguments.evaluators.check()
    require(
        arguments.evaluators.evaluator != "ray",
        f"--evaluator ray trains, and --table {config.table} looks losses up; give one.",
    )
    require(
        named is None or config.table in (None, named),
        f"--evaluator table:{named} and --table {config.table} name two tables; give one.",
    )
    require(
        not (arguments.dry_run or arguments.tensorboard),
        "--dry-run and --tensorboard go with a search that trains, not with one on a table.",
    )
    arguments.machine.start()
    from metarl.optimizer_search import search_table

    config = dataclasses.replace(config, table=named or config.table)
    return search_table(config, arguments.run_dir, command=["metarl", *sys.argv[1:]])


def show(document: dict[str, Any]) -> None:
    """Prints the finalists, the winner and where everything is; or settings, or an estimate."""
    if "best_of_table" in document:
        show_table_search(document)
    elif "run_dir" in document:
        show_result(Path(document["run_dir"]))
    elif "dry_run" in document:
        _show_estimate(document["dry_run"])
    else:
        print(json.dumps(document, indent=2))


def show_result(run_dir: Path) -> None:
    """Prints what a finished run found."""
    from metarl.optimizer_search import SearchResult, problem_table
    from metarl.reporting import print_table

    result = SearchResult.read(run_dir)
    assert result is not None, run_dir
    highlighted = [choice.rule for choice in result.best[:1]]
    for name, compared in result.comparison.items():
        print_table(problem_table(name, compared, highlighted))
        print()
    for line in _closing_lines(result):
        print(line)


def show_table_search(document: dict[str, Any]) -> None:
    """Prints the finalists of a search on a table, and what they are truly worth."""
    from metarl.reporting import Column, Table, print_table

    columns = [
        Column("rule"),
        Column("reward", "search score"),
        Column("choice_score", "choice score"),
        Column("true_score", "true score"),
        Column("true_rank", f"rank of {document['functions']:,}"),
    ]
    title = f"Table {document['table']}: {', '.join(document['judges'])}"
    rows = [{column.name: row[column.name] for column in columns} for row in document["best"]]
    print_table(Table(title, columns, rows))
    print(
        f"{_sampled(document, 'looked up')}; {document['seconds']:.1f} s, for {document['steps']:,} optimizer steps."
    )
    best = document["best_of_table"]
    print(f"Best of the table: {best['rule']}; true score {best['true_score']:+.3f}.")
    print(
        "Scores are -mean log(loss / tuned Adam's); the true score is on test data over replicates that neither search "
        "nor choice saw."
    )
    print(f"Run: {document['run_dir']}")


def _closing_lines(result: Any) -> list[str]:
    """Returns the counts, the winner, what it is worth, and how to take it home."""
    from metarl.optimizer_search import against_others, ranked_by, selection_lines, verdicts

    counts = (
        f"{_sampled(result.to_json(), 'trained')}; {result.failed:,} of the trained failed. "
        f"{result.rules_per_second:.3g} rules trained a second."
    )
    if result.winner is None:
        return [counts, "No rule learnt anything; try a larger --budget.", f"Run: {result.run_dir}"]
    return [
        counts,
        *selection_lines(result.selection, result.winner),
        "",
        f"Winner (rank 1 {ranked_by(result.selection, result.winner)}): {result.winner.rule}",
        *(f"  {line}" for line in [*verdicts(result), *against_others(result)]),
        *_beside(result),
        "",
        f"Take it home: metarl export {shlex.quote(str(result.run_dir))} --to optax -o found_rule.py",
        f"  or: from metarl.update_rules import to_optax; to_optax({result.winner.rule!r}, learning_rate)",
        f"Report: {Path(result.run_dir) / 'report.html'}",
    ]


def _sampled(document: Mapping[str, Any], done: str) -> str:
    """Returns what became of every rule that was sampled."""
    sampled, trained = document["rules_sampled"], document["rules_trained"]
    filtered, repeated = document["filtered"], document["duplicates"]
    beyond = sampled - trained - filtered - repeated  # of the last generation, new ones
    over = f", {beyond:,} beyond the budget" if beyond else ""
    rules = counted(sampled, "rule")
    return f"{rules} sampled: {trained:,} {done}, {filtered:,} filtered out, {repeated:,} met before{over}"


def _beside(result: Any) -> list[str]:
    """Returns what random search found, if it ran."""
    if result.random_best is None:
        return []
    from metarl.optimizer_search import beside_rival

    beside = beside_rival(result.selection, result.winner, result.random_best)
    return [f"Random search at as many rules: {result.random_best.rule}; {beside}."]


def _show_estimate(estimate: dict[str, Any]) -> None:
    for name, cost in estimate["problems"].items():
        print(
            f"{name}: {cost['runs_per_rule']:.3g} runs and at most {cost['steps_per_rule']:,} steps a rule, "
            f"{cost['microseconds_per_step']:.0f} microseconds a step"
        )
    rules = (
        "as many rules as fit" if estimate["rules"] is None else counted(estimate["rules"], "rule")
    )
    print(f"learning rates in search and choice: {estimate['schedule']}")
    print(f"search: {rules}, at most {_duration(estimate['search_seconds'])}")
    print(f"selection: about {_duration(estimate['selection_seconds'])}")
    print(
        f"comparison: {counted(estimate['comparison_networks'], 'network')}, about "
        f"{_duration(estimate['comparison_seconds'])}"
    )
    print(
        f"threads: {estimate['threads']}; memory: about {estimate['memory_mb']} MB; nothing was written"
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _settings(preset_name: str | None, path: str | None) -> SearchConfig:
    if path is not None:
        return _settings_of_run(Path(path))
    from metarl.errors import unknown_name

    if preset_name is not None and preset_name not in PRESETS:
        raise unknown_name("preset", preset_name, PRESETS)
    return preset(preset_name or "laptop")  # type: ignore[arg-type]


def _settings_of_run(path: Path) -> SearchConfig:
    """Returns the settings in a file; a time limit becomes the budget that repeats the run, if it has ended."""
    path = path / "config.json" if path.is_dir() else path
    values = read_json_object(path, MOST_SETTINGS)
    config = from_dict(SearchConfig, values, str(path))
    outcome = path.parent / "outcome.json"
    if config.minutes is None or not outcome.exists():
        return config
    budget = read_json_object(outcome, MOST_SETTINGS).get("repeats_with_budget")
    if budget is None:
        return config
    return from_dict(SearchConfig, values | {"minutes": None, "budget": budget}, str(outcome))
