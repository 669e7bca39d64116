"""compared: optimizers under the protocol of `metarl compare`, and how they stand to one of them.

Everybody is tuned alike and measured on the same fresh seeds (comparison.py). Here one of those who take part, such as
a rule without a decay, is what the others are measured against; differences are paired by seed.

Letters: S seeds, C points of a curve, P problems.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metarl.reading import Count, check_fields
from metarl.reporting import Column, Curve, Table, interval_chart
from metarl.statistics import Interval, bootstrap_interval, iqm

from ..comparing.comparison import Comparison, compare
from ..comparing.entrants import Entrant
from ..comparing.problem_results import Versus, finals_of, have_ratios, versus
from ..comparing.scores import relative_loss_over
from ..comparing.tables import INTERVALS
from ..reports.chart import Chart
from ..settings.compare_config import CompareConfig
from .work import Findings, Work

_PLACE = "comparisons"
RATIO = (
    "Loss: test loss over the baseline's on the same seed, clipped to a factor of ten; IQM of logarithms over seeds, "
    "then over problems."
)
VERDICTS = "Better, worse: the 95 % interval of that ratio on the problem, IQM of logarithms over seeds, excludes 1."


@dataclass(frozen=True)
class Protocol:
    """How optimizers are compared; see `metarl compare --help`."""

    problems: tuple[str, ...]
    """By name."""
    steps: Count | None = None
    """Optimizer steps of a run; each problem's own default if not given."""
    seeds: Count = 20
    """Fresh paired seeds of the report."""
    tuning_seeds: Count = 5
    """Seeds at each learning rate."""

    def __post_init__(self) -> None:
        check_fields(self)


def compared(
    work: Work, entrants: Sequence[Entrant], protocol: Protocol, name: str = "comparison"
) -> Comparison:
    """Returns how the entrants and tuned Adam do; what was measured on a problem is kept.

    Args:
      work: whose part it is.
      entrants: who is compared.
      protocol: problems and seeds.
      name: of the part.
    """
    place = work.run.path / _PLACE / name
    place.mkdir(parents=True, exist_ok=True)
    config = CompareConfig(
        problem=protocol.problems,
        steps=protocol.steps,
        seeds=protocol.seeds,
        tuning_seeds=protocol.tuning_seeds,
        references=(),
        schedules=("constant",),
        horizons=(),
        time_compilation=False,
        seed=work.seed,
    )
    return compare(entrants, config, work.say, place=place)


def final_losses(comparison: Comparison, problem: str, label: str) -> np.ndarray:
    """Returns the final test losses of an optimizer, +inf for a diverged run, [S]."""
    return comparison.problems[problem].entries[label].curves[:, -1]


def by_problem(comparison: Comparison, label: str, baseline: str) -> dict[str, Versus]:
    """Returns by problem how an optimizer's final losses stand to the baseline's, paired by seed."""
    return {
        problem: versus(
            finals_of(result.measured.records[label]),
            finals_of(result.measured.records[baseline]),
            have_ratios(entry.curves[:, -1] for entry in result.entries.values()),
        )
        for problem, result in comparison.problems.items()
    }


def relative_loss(
    comparison: Comparison, label: str, baseline: str, problems: Sequence[str] = ()
) -> Interval:
    """Returns the loss relative to the baseline's over problems, as `metarl compare` takes it; see scores.py.

    Args:
      comparison: of both.
      label: whose.
      baseline: what is 1.
      problems: over which; all if not given.
    """
    results = [comparison.problems[problem] for problem in problems or comparison.problems]
    return relative_loss_over(results, label, baseline)


def detail_table(comparison: Comparison, labels: Sequence[str], baseline: str, title: str) -> Table:
    """Returns one row for each problem and optimizer."""
    columns = [
        Column("problem"),
        Column("optimizer"),
        Column("learning_rate", "learning rate", essential=False),
        Column("final_loss", "test loss, IQM"),
        Column("relative_loss", f"loss, {baseline} = 1", better="lower", neutral=1.0),
        Column("difference", f"difference to {baseline}", essential=False),
        Column("metric", "metric, IQM", essential=False),
        Column("diverged", essential=False),
    ]
    found = {label: by_problem(comparison, label, baseline) for label in labels}
    rows = []
    for problem, result in comparison.problems.items():
        for label in labels:
            entry = result.entries[label]
            rows.append(
                {
                    "problem": problem,
                    "optimizer": label,
                    "learning_rate": entry.learning_rate,
                    "final_loss": entry.final_loss,
                    "relative_loss": None if label == baseline else found[label][problem].ratio,
                    "difference": None if label == baseline else found[label][problem].difference,
                    "metric": entry.metric,
                    "diverged": entry.diverged,
                }
            )
    return Table(title, columns, rows, [_note(comparison)])


def against(
    comparison: Comparison,
    labels: Sequence[str],
    baseline: str,
    title: str,
    files: tuple[str, str, str],
    *,
    shown: Sequence[str],
    called: str = "",
) -> Findings:
    """Returns how optimizers stand to a baseline: a sentence and an interval of each, over all problems and by problem.

    Args:
      comparison: of all.
      labels: of the optimizers.
      baseline: what they are measured against.
      title: of the tables.
      files: names of the table over all problems, of that by problem, and of the chart.
      shown: the labels in the table by problem, in their order.
      called: what the chart calls the baseline, if not by its label.
    """
    rows = [summary_row(comparison, label, baseline) for label in labels]
    by_label = {row["optimizer"]: row for row in rows}
    over_all, by_problem, chart = files
    return Findings(
        claims=[verdict(row, baseline) for row in rows],
        tables={
            over_all: _summary_table(comparison, rows, baseline, title),
            by_problem: detail_table(comparison, shown, baseline, f"{title}, by problem"),
        },
        charts=[relative_chart(chart, losses_of(rows, baseline), called or baseline)],
        numbers=by_label,
    )


def _summary_table(
    comparison: Comparison, rows: Sequence[Mapping[str, Any]], baseline: str, title: str
) -> Table:
    columns = [
        Column("optimizer"),
        Column("relative_loss", f"loss, {baseline} = 1"),
        Column("better", "problems where better"),
        Column("worse", "where worse"),
        Column("unclear", "no clear difference"),
    ]
    notes = [
        f"{RATIO} {VERDICTS}",
        _note(comparison),
    ]
    return Table(title, columns, rows, notes)


def summary_row(comparison: Comparison, label: str, baseline: str) -> dict[str, Any]:
    """Returns how an optimizer stands to the baseline over all problems."""
    found = [one.verdict for one in by_problem(comparison, label, baseline).values()]
    verdicts = {verdict: found.count(verdict) for verdict in ("better", "worse", "unclear")}
    return {
        "optimizer": label,
        "relative_loss": relative_loss(comparison, label, baseline),
        **verdicts,
    }


def relative_chart(
    file: str,
    losses: Mapping[str, Interval],
    baseline: str,
    where: str = "",
) -> Chart:
    """Returns relative losses as intervals around 1, one below the other.

    Args:
      file: what the chart's file is called.
      losses: by label, see `relative_loss`.
      baseline: what is 1.
      where: on which problems, for the axis and the caption.
    """
    over = f"test loss over that of {baseline}{where}"
    drawing = interval_chart(
        list(losses), list(losses.values()), over, reference=1.0, x_scale="log",
        description=f"{over[0].upper()}{over[1:]}, with 95 % intervals; the table has the numbers.",
    )  # fmt: skip
    caption = (
        f"{over[0].upper()}{over[1:]}, paired by seed: IQM over problems with its 95 % interval; left of 1 is better. "
        "Filled: the interval excludes 1."
    )
    return Chart(file, drawing, caption)


def losses_of(rows: Sequence[Mapping[str, Any]], baseline: str) -> dict[str, Interval]:
    """Returns the relative losses of `summary_row`s by label, without the baseline's, which is 1."""
    return {row["optimizer"]: row["relative_loss"] for row in rows if row["optimizer"] != baseline}


def verdict(row: Mapping[str, Any], baseline: str) -> str:
    """Returns a sentence about a `summary_row`."""
    loss: Interval = row["relative_loss"]
    word = (
        "no clear difference to"
        if not loss.excludes(1.0)
        else ("better than" if loss.estimate < 1 else "worse than")
    )
    problems = row["better"] + row["worse"] + row["unclear"]
    return (
        f"{row['optimizer']}: {word} {baseline}; loss {loss.estimate:.3f} [{loss.low:.3f}, {loss.high:.3f}] times as "
        f"high over {problems} problems, clearly better on {row['better']} of them, clearly worse on {row['worse']}."
    )


def interval_curve(
    label: str,
    points: np.ndarray,
    values: np.ndarray,
    statistic: Callable[..., np.ndarray] = iqm,
    **look: Any,
) -> Curve:
    """Returns a statistic of runs with its 95 % interval at each point.

    Args:
      label: of the curve.
      points: [C].
      values: [S, C]; a point where a value is NaN is left out.
      statistic: of the runs.
      **look: `foreground` and the like, of the curve.
    """
    known = [not np.isnan(column).any() for column in values.T]
    found = [
        bootstrap_interval(column, statistic) if ok else Interval(np.nan, np.nan, np.nan)
        for column, ok in zip(values.T, known, strict=True)
    ]
    estimate, low, high = np.array(found, dtype=float).T
    return Curve(label, points, estimate, low, high, **look)


def _note(comparison: Comparison) -> str:
    seeds = sorted({result.report_seeds for result in comparison.problems.values()})
    rates = next(iter(comparison.problems.values())).learning_rates
    return (
        f"{' or '.join(map(str, seeds))} fresh seeds, {len(rates)} or more learning rates from {rates[0]:.0e} to "
        f"{rates[-1]:.0e} for each. {INTERVALS}"
    )
