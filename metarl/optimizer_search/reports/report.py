"""report: a finished search as one page that opens from disk, and its charts as files for a paper.

The page begins with the answer (the winner, and what it is worth on every problem) and ends with how it was found:
finalists, search, all optimizers by problem, protocol and provenance. Its sentences are made of the numbers; "better"
is said where an interval says it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metarl.errors import InvalidInput
from metarl.reporting import (
    Code,
    Column,
    Facts,
    Figure,
    Folded,
    Formula,
    Paragraph,
    Section,
    Table,
    counted,
    html_page,
    number_text,
    to_json,
    write_file,
)
from metarl.runs import RunDirectory
from metarl.update_rules import OPERANDS, Binary, Expression, Operand, Rule, Unary, parse

from ..comparing.entrants import BASELINE
from ..comparing.tables import problem_table
from ..searching.time_spent import time_text
from ..selecting.choice import Choice
from ..training.schedules import CONSTANT
from .finished import Finished, read_finished
from .protocol import export_command, protocol, provenance_facts, repeat_command
from .selection_report import ranked_by, selection_charts, selection_sections
from .summary import against_others, verdicts

REPORT, FIGURES = "report.html", "figures"
_NOT_OWN_LETTER = ("adam", "rmsprop")  # written out in the formula


def write_report(run_dir: Path) -> Path:
    """Writes `report.html` into the directory of a finished search.

    Returns:
      The path of the page.

    Raises:
      InvalidInput: this is no search, it is not finished yet, or its files are damaged.
      OSError: the page could not be written.
    """
    finished = read_finished(Path(run_dir))
    problems = [_problem_section(finished, name) for name in finished.result.comparison]
    sections = [
        _winner_section(finished),
        *_finalists_section(finished),
        *selection_sections(finished.result.selection),
        _search_section(finished),
        *problems,
        _measurement_section(finished),
    ]
    page = html_page("A search for update rules", sections, _subtitle(finished))
    return write_file(finished.run.path / REPORT, page)


def write_figures(run_dir: Path) -> list[Path]:
    """Writes the report's charts as PNG files into `figures/` of the run, and returns their paths.

    Raises:
      InvalidInput: as `write_report`.
      OSError: a file could not be written.
    """
    finished = read_finished(Path(run_dir))
    place = finished.run.path / FIGURES
    place.mkdir(exist_ok=True)
    charts = finished.search_charts() + selection_charts(finished.result.selection)
    for name in finished.result.comparison:
        charts += finished.problem_charts(name)
    return [chart.drawing.write_png(place / f"{chart.name}.png") for chart in charts]


def _subtitle(finished: Finished) -> str:
    config, result = finished.config, finished.result
    return (
        f"{', '.join(config.problem)} · {config.strategy} · space {config.space}, depth {config.depth} · "
        f"{counted(result.rules_trained, 'rule')} trained in {_duration(result.seconds)}"
    )


def _winner_section(finished: Finished) -> Section:
    winner = finished.result.winner
    if winner is None:
        text = (
            "No rule of this search learnt anything, so there is no winner and nothing to export. A larger budget or a "
            "smaller depth may help; the counts below show where the rules were lost."
        )
        return Section("The winner", [Paragraph(text)])
    rule = parse(winner.rule)
    return Section(
        "The winner",
        [
            Formula(rule.to_latex(), winner.rule, _rates_in_words(finished, winner)),
            Paragraph(
                f"The parameters move by minus the learning rate times this value. {_letters(rule)}"
            ),
            *_verdict_blocks(finished),
            Paragraph("As a file of its own, which needs only jax and optax:"),
            Code(export_command(finished.run.path)),
            Paragraph("Or straight from metarl:"),
            Code(_usage(finished, winner, rule)),
        ],
    )


def _verdict_blocks(finished: Finished) -> list[Paragraph]:
    """Returns one sentence a problem: searched ones, such as ranked the finalists, and held-out ones apart."""
    names, sentences = list(finished.result.comparison), verdicts(finished.result)
    kinds = [_kind(finished, name) for name in names]
    blocks = []
    for group, lead in (
        ("searched", "On test data of what it was searched on:"),
        ("ranking", "On test data of further problems by which it was chosen:"),
        ("held out", "On problems that the search never saw:"),
    ):
        mine = [text for text, kind in zip(sentences, kinds, strict=True) if kind == group]
        mine += against_others(finished.result) if mine and group == "searched" else []
        blocks += [Paragraph(text) for text in ([lead, *mine] if mine else [])]
    return blocks


def _kind(finished: Finished, name: str) -> str:
    """Returns what a problem of the comparison was before: searched, ranking the finalists, or held out."""
    if name in finished.searched:
        return "searched"
    return "ranking" if name in finished.ranking else "held out"


def _rates_in_words(finished: Finished, winner: Choice) -> str:
    """Returns the winner's score and tuned learning rate, beside Adam's."""
    problem, compared = next(iter(finished.result.comparison.items()))
    own, adam = (compared["entries"][label]["learning_rate"] for label in (winner.rule, BASELINE))
    return (
        f"Rank 1, score on choice data {winner.choice_score:+.3g}. Tuned learning rate on {problem}: "
        f"{number_text(own)}, {number_text(own / adam)} times Adam's."
    )


def _letters(rule: Rule) -> str:
    """Returns what the letters of a formula stand for, moments that `adam` and `rmsprop` hide among them."""
    names = _operands(rule.expression)
    used = names | rule.needs | ({"g"} if "rmsprop" in names else set())
    letters = [
        row for row in OPERANDS.values() if row.name in used and row.name not in _NOT_OWN_LETTER
    ]
    progress = "p: share of the run that is done. " if "progress" in rule.needs else ""
    return progress + "; ".join(f"{row.name}: {row.meaning}" for row in letters) + "."


def _operands(node: Expression) -> set[str]:
    match node:
        case Operand(name):
            return {name}
        case Unary(argument=argument):
            return _operands(argument)
        case Binary(left=left, right=right):
            return _operands(left) | _operands(right)
    return set()


def _usage(finished: Finished, winner: Choice, rule: Rule) -> str:
    compared = next(iter(finished.result.comparison.values()))
    entry = compared["entries"][winner.rule]
    rate, schedule = entry["learning_rate"], entry.get("schedule", CONSTANT)
    highest = "" if schedule == CONSTANT else f"  # the highest of a {schedule} schedule"
    steps = f", total_steps={compared['steps']}" if "progress" in rule.needs else ""
    return (
        "from metarl.update_rules import to_optax\n\n"
        f'optimizer = to_optax("{winner.rule}", learning_rate={number_text(rate)}{steps}){highest}'
    )


def _finalists_section(finished: Finished) -> list[Section]:
    best, random_best = finished.result.best, finished.result.random_best
    blocks: list[Any] = []
    if best:
        blocks.append(_finalists_table(best, finished.result.selection))
        blocks += [
            _formula(choice, f"Rank {rank}") for rank, choice in enumerate(best, 1) if rank > 1
        ]
    if random_best is not None:
        blocks.append(
            Paragraph("The best rule of random search with as many trained rules, chosen likewise:")
        )
        reward, score = random_best.reward, random_best.choice_score
        numbers = f"Reward {reward:+.3g} on search data, score {score:+.3g} on choice data."
        blocks.append(_formula(random_best, numbers))
    return [Section("The finalists", blocks)] if blocks else []


def _formula(choice: Choice, caption: str) -> Formula:
    return Formula(parse(choice.rule).to_latex(), choice.rule, caption)


def _finalists_table(best: list[Choice], selection: Mapping[str, Any]) -> Table:
    columns = [
        Column("rule", "rank: rule"),
        Column("reward", "reward, search data"),
        Column("choice_score", "score, choice data"),
        Column("learning_rate", "learning rate of the choice"),
    ]
    if best[0].rate_multiple is not None:
        columns.append(Column("rate_multiple", "of Adam's, on every problem"))
    if best[0].larger_score is not None:
        columns.append(Column("larger_score", "score, further problems"))
    if best[0].joint_score is not None:
        columns.append(Column("joint_score", "score that ranks"))
    keep = {column.name for column in columns}
    rows = [
        {name: value for name, value in choice._asdict().items() if name in keep}
        | {"rule": f"{rank}: {choice.rule}"}
        for rank, choice in enumerate(best, 1)
    ]
    note = (
        f"Ranked {ranked_by(selection, best[0])}. The reward of the search is the best of many draws, and so flatters "
        "the rule."
    )
    return Table("Rules by rank", columns, rows, [note], [0])


def _search_section(finished: Finished) -> Section:
    figures = [Figure(chart.drawing, chart.caption) for chart in finished.search_charts()]
    empty = [] if figures else [Paragraph("The metric log of this run is empty.")]
    return Section("The search", [*empty, *figures, Facts(_counts(finished))])


def _counts(finished: Finished) -> dict[str, str]:
    """Returns what became of the rules; by reason where the last checkpoint still tells."""
    result, found = finished.result, _last_counts(finished.run)
    reasons = {name: n for name, n in found.get("filtered", {}).items() if n}
    by_reason = ", ".join(f"{name} {n:,}" for name, n in reasons.items())
    counts = {
        "Rules sampled": f"{result.rules_sampled:,}",
        "Filtered before training": f"{result.filtered:,}"
        + (f" ({by_reason})" if by_reason else ""),
        "Met before": f"{result.duplicates:,}",
        "Trained": f"{result.rules_trained:,}, of which {result.failed:,} failed (diverged, or not worth a full run)",
        "Time": f"{_duration(result.seconds)}, {number_text(result.rules_per_second)} rules trained a second",
    }
    if result.time:
        counts["Time beside training"] = time_text(result.time)
    if found.get("beyond_budget"):
        counts["New, but beyond the budget"] = f"{found['beyond_budget']:,}"
    if found.get("steps"):
        counts["Optimizer steps"] = f"{found['steps']:,}"
    return counts


def _last_counts(run: RunDirectory) -> Mapping[str, Any]:
    with contextlib.suppress(InvalidInput, OSError, KeyError, TypeError):
        saved = run.checkpoints.load_newest()
        return saved[1]["job"]["counts"] if saved is not None else {}
    return {}


def _problem_section(finished: Finished, name: str) -> Section:
    compared = finished.result.comparison[name]
    blocks: list[Any] = [problem_table(name, compared, finished.finalists[:1])]
    figures = [Figure(chart.drawing, chart.caption) for chart in finished.problem_charts(name)]
    folded = Folded("Sensitivity to the learning rate", figures[-1:])
    suffix = {"searched": "", "ranking": " (the choice saw it)", "held out": " (held out)"}
    heading = name + suffix[_kind(finished, name)]
    return Section(heading, [*blocks, *figures[:-1], folded])


def _measurement_section(finished: Finished) -> Section:
    run = finished.run
    return Section(
        "How it was measured",
        [
            *(Paragraph(text) for text in protocol(finished.config, finished.result)),
            Facts(provenance_facts(run)),
            Paragraph("To repeat the search:"),
            Code(repeat_command(run)),
            Folded("Configuration", [Code(to_json(run.config))]),
        ],
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
