"""comparison_report: a comparison as one page that opens from disk.

It begins with the answer, all problems together, then where each optimizer won and lost, then every problem with its
curves, and ends with how it was measured.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metarl.reporting import (
    Code,
    Curve,
    Facts,
    Figure,
    Folded,
    Paragraph,
    Section,
    counted,
    curve_chart,
    html_page,
    interval_chart,
    to_json,
    write_file,
)
from metarl.runs import RunDirectory, no_result_yet, stored_result, telling_of_damage
from metarl.statistics import Interval, interval_from_json

from ..comparing.diagnostics import diagnostics_table
from ..comparing.entrants import BASELINE
from ..comparing.rederived import rederived
from ..comparing.scores import performance_profiles
from ..comparing.tables import problem_table
from .chart import Chart
from .figures import problem_charts
from .protocol import other_tracks, provenance_facts
from .score_tables import by_problem_table, comparison_sentences, score_table

REPORT = "report.html"
_FACTORS = np.geomspace(1.0, 10.0, 41)


def write_comparison_report(place: Path, document: Mapping[str, Any]) -> Path:
    """Writes `report.html` into the directory of a comparison, and returns its path.

    Args:
      place: the directory.
      document: of the comparison, see `compare_job`.
    """
    labels = list(next(iter(document["problems"].values())))
    charts = [Figure(chart.drawing, chart.caption) for chart in score_charts(document)]
    answer = [Paragraph(sentence) for sentence in comparison_sentences(document)]
    sections = [
        Section("All problems together", [*answer, score_table(document, labels), *charts]),
        Section("By problem", [by_problem_table(document, labels)]),
    ]
    if document["diagnostics"]:
        table = diagnostics_table(document["diagnostics"], labels)
        sections.append(Section("Diagnostics", [table]))
    sections += [_problem_section(name, document, labels) for name in document["details"]]
    sections.append(_measurement_section(RunDirectory.open(place)))
    subtitle = f"{', '.join(labels) or 'standard optimizers'} · {counted(len(document['details']), 'problem')}"
    return write_file(place / REPORT, html_page("A comparison of optimizers", sections, subtitle))


def rewrite_comparison_report(run_dir: Path) -> Path:
    """Writes the page of a finished comparison anew, from its result, and returns its path.

    Raises:
      InvalidInput: this is no comparison, it is not finished yet, or its files are damaged.
      OSError: the page could not be written.
    """
    run = RunDirectory.open(run_dir)
    result = stored_result(run)
    if result is None:
        raise no_result_yet(run)
    with telling_of_damage(run):
        return write_comparison_report(run.path, rederived(result))


def score_charts(document: Mapping[str, Any]) -> list[Chart]:
    """Returns the scores over all problems as intervals, where there are any, and the performance profiles."""
    relative = _relative(document["scores"])
    charts = [] if relative is None else [relative]
    if len(document["details"]) > 1:
        charts.append(_profile(document))
    return charts


def _relative(scores: Mapping[str, Any]) -> Chart | None:
    """Returns the scores beside Adam's; None where nobody stands beside Adam."""
    losses = {
        label: loss
        for label, score in scores.items()
        if label != BASELINE and (loss := interval_from_json(score["relative_loss"])) is not None
    }
    if not losses:
        return None
    drawing = interval_chart(
        list(losses),
        [Interval(*(100 * (x - 1) for x in loss)) for loss in losses.values()],
        "loss above Adam's, %",
        description="Loss relative to Adam's over all problems, with 95 % intervals; the table has the numbers.",
    )
    caption = (
        "Loss relative to Adam's, IQM over problems with its 95 % interval; left of the line is better. Filled: the "
        "interval excludes zero."
    )
    return Chart("relative-loss", drawing, caption)


def _profile(document: Mapping[str, Any]) -> Chart:
    labels = list(document["scores"])
    shares = performance_profiles(document["details"], labels, _FACTORS)
    front = [*labels[:4], BASELINE]
    curves = [Curve(label, _FACTORS, shares[label], foreground=label in front) for label in labels]
    caption = (
        "Performance profiles: the share of problems on which an optimizer's loss is within a factor of the lowest. At "
        "1 it is the share that it wins. In colour: the four best scores, and Adam."
    )
    drawing = curve_chart(
        curves, "loss, relative to the lowest of all", "share of problems", x_scale="log"
    )
    return Chart("profiles", drawing, caption)


def _problem_section(name: str, document: Mapping[str, Any], labels: Sequence[str]) -> Section:
    compared = document["details"][name]
    others = [label for label in labels if label != BASELINE]
    charts = problem_charts(name, compared, others, ranked=False)
    figures = [Figure(chart.drawing, chart.caption) for chart in charts]
    role = document["roles"][name]
    return Section(
        f"{name} ({role})", [problem_table(name, compared, labels), Folded("Charts", figures)]
    )


def _measurement_section(run: RunDirectory) -> Section:
    others = other_tracks(run)
    return Section(
        "How it was measured",
        [
            Paragraph(
                "Tuning, choice and report share no seed and no data. Gradients come from a part of the examples that "
                "each seed draws, tuning is judged on the rest of them, and the report on test examples that nothing "
                "else has seen. A run that diverged counts as the worst."
            ),
            Facts(provenance_facts(run)),
            Paragraph("To repeat it:"),
            Code(shlex.join(run.provenance["command"])),
            *([] if others is None else [Paragraph(others)]),
            Folded("Configuration", [Code(to_json(run.config))]),
        ],
    )
