"""figures: the charts of a search's report, from its metric log and its comparison's document.

Letters: N generations, C points of a curve, R learning rates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite, nan
from typing import Any

import numpy as np

from metarl.reporting import (
    Curve,
    curve_chart,
    interval_chart,
    learning_curves,
    learning_rate_sensitivity,
    search_curve,
)
from metarl.statistics import Interval, interval_from_json, number_from_json

from ..comparing.entrants import BASELINE, RANDOM_PREFIX
from ..comparing.problem_names import file_stem
from .chart import Chart

_FOREGROUND = 3  # finalists that get a hue
# What lies further out than this multiple of the typical difference, or of the worst tuned loss, leaves the chart.
_FAR, _HOPELESS = 6.0, 30.0

Rows = Sequence[Mapping[str, Any]]


def search_charts(rows: Rows, strategy: str, random_rows: Rows = ()) -> list[Chart]:
    """Returns how the search went, and its best reward beside that of random search if that ran.

    Args:
      rows: N rows of the metric log; without any there is no chart.
      strategy: what proposed the rules.
      random_rows: the same of random search.
    """
    if not rows:
        return []
    trained, best = column(rows, "trained"), column(rows, "best_reward")
    charts = [
        Chart(
            "search",
            search_curve(
                trained,
                best,
                column(rows, "mean_reward"),
                column(rows, "distinct_share"),
                f"Best and mean reward and the share of distinct rules over {int(trained[-1]):,} rules trained.",
            ),
            "Reward of the best rule so far, mean reward of the rules each generation trained, and the share of "
            "distinct rules that pass the filters among those it proposed. Reward is measured on search data; rules "
            "that fail get the floor.",
        )
    ]
    if random_rows:
        rivals = [
            Curve(strategy, trained, best),
            Curve(
                "random search",
                column(random_rows, "trained"),
                column(random_rows, "best_reward"),
            ),
        ]
        caption = (
            f"Reward of the best rule so far, of {strategy} and of random search with the same number of "
            "trained rules."
        )
        charts.append(
            Chart("search-and-random", curve_chart(rivals, "rules trained", "best reward"), caption)
        )
    return charts


def problem_charts(
    name: str, compared: Mapping[str, Any], finalists: Sequence[str], *, ranked: bool = True
) -> list[Chart]:
    """Returns paired differences to Adam, learning curves and learning-rate sensitivity of one problem.

    Args:
      name: of the problem.
      compared: its part of `Comparison.to_document()`.
      finalists: rules in the order of their rank, or whoever stands in the foreground.
      ranked: whether their names tell the rank.
    """
    stem = file_stem(name)
    ordered = _ordered(compared["entries"], finalists)
    labels = {label: _short_name(label, finalists if ranked else ()) for label in ordered}
    charts = [
        _differences(f"{stem}-differences", name, compared, ordered, labels),
        _curves(f"{stem}-curves", name, compared, ordered, labels, finalists),
        _sensitivity(f"{stem}-learning-rates", name, compared, ordered, labels)
        if compared["learning_rates"]
        else None,
    ]
    return [chart for chart in charts if chart is not None]


def _differences(
    file: str, name: str, compared: Mapping[str, Any], ordered: list[str], labels: dict[str, str]
) -> Chart | None:
    rivals = [label for label in ordered if label != BASELINE]
    if not rivals:
        return None
    found = [
        interval_from_json(compared["entries"][label]["difference_to_adam"])
        or Interval(inf, inf, inf)
        for label in rivals
    ]
    sizes = [abs(d.estimate) for d in found if isfinite(d.estimate)]
    edge = _FAR * float(np.median(sizes)) if any(sizes) else inf
    chart = interval_chart(
        [labels[label] for label in rivals],
        [_cut(difference, edge) for difference in found],
        "test loss minus tuned Adam's, paired by seed",
        description=f"Differences of the final test loss to tuned Adam on {name}, with 95 % intervals; the table has "
        "the numbers.",
    )
    caption = (
        f"Difference of the final test loss to tuned Adam, IQM over {compared['report_seeds']} pairs by seed with "
        "its 95 % interval; left of the line is better. Filled: the interval excludes zero. An arrow: beyond the chart."
    )
    return Chart(file, chart, caption)


def _curves(
    file: str,
    name: str,
    compared: Mapping[str, Any],
    ordered: list[str],
    labels: dict[str, str],
    finalists: Sequence[str],
) -> Chart:
    entries = compared["entries"]
    strong = {*finalists[:_FOREGROUND], BASELINE, *_best_reference(entries, finalists)}
    curves = [
        Curve(
            labels[label],
            compared["points"],
            *(_numbers(entries[label]["curve"][part]) for part in ("median", "low", "high")),
            foreground=label in strong,
        )
        for label in ordered
    ]
    positive = all(np.all(np.asarray(curve.y) > 0) for curve in curves)
    chart = learning_curves(
        curves,
        "test loss",
        "log" if positive else "linear",
        f"Test losses on {name} over {compared['steps']} optimizer steps, each optimizer at its tuned learning rate.",
    )
    caption = (
        f"Test loss at the tuned learning rate: median and quartiles of {compared['report_seeds']} runs. In colour: "
        "the first finalists, Adam and the best other reference."
    )
    return Chart(file, chart, caption)


def _sensitivity(
    file: str, name: str, compared: Mapping[str, Any], ordered: list[str], labels: dict[str, str]
) -> Chart:
    rates = np.asarray(compared["learning_rates"])  # [R]
    losses = {label: _numbers(compared["entries"][label]["tuning_losses"]) for label in ordered}
    lowest = [row.min() for row in losses.values() if isfinite(row.min())]
    worst = _HOPELESS * max(lowest, default=inf)
    curves = [
        Curve(
            labels[label],
            rates * compared["entries"][label].get("rate_scale", 1.0),
            np.where(row <= worst, row, inf) if worst > 0 else row,
            chosen=_chosen(rates, compared["entries"][label]),
        )
        for label, row in losses.items()
    ]
    chart = learning_rate_sensitivity(
        curves,
        labels[BASELINE],
        "tuning loss",
        f"Mean loss of the tuning runs on {name} against the learning rate, one panel per optimizer.",
    )
    caption = (
        "Mean loss of the tuning runs at each learning rate, Adam's repeated thin in every panel. A dot: the rate that "
        "was chosen. A cross: runs diverged there, or ended far above everything shown."
    )
    return Chart(file, chart, caption)


def _chosen(rates: np.ndarray, entry: Mapping[str, Any]) -> int:
    """Returns the place of an entry's learning rate in its grid."""
    return int(np.argmin(np.abs(rates * entry.get("rate_scale", 1.0) - entry["learning_rate"])))


def _ordered(entries: Mapping[str, Any], finalists: Sequence[str]) -> list[str]:
    """Returns finalists by rank, then all others by their loss."""
    others = sorted(
        (label for label in entries if label not in finalists), key=lambda x: _loss(entries[x])
    )
    return [*(label for label in finalists if label in entries), *others]


def _best_reference(entries: Mapping[str, Any], finalists: Sequence[str]) -> list[str]:
    """Returns the standard optimizer of the lowest loss, Adam aside; none if there is no other."""
    others = [
        label
        for label in entries
        if label not in finalists and label != BASELINE and not _is_random(label)
    ]
    return sorted(others, key=lambda label: _loss(entries[label]))[:1]


def _loss(entry: Mapping[str, Any]) -> float:
    return number_from_json(entry["final_loss"]["iqm"])


def _is_random(label: str) -> bool:
    return label.startswith(RANDOM_PREFIX)


def _short_name(label: str, finalists: Sequence[str]) -> str:
    """Returns a finalist's rank and rule, for charts cut long rules short; any other label as it is."""
    if label in finalists:
        return f"{finalists.index(label) + 1}: {label}"
    return "random search's best" if _is_random(label) else label


def _cut(difference: Interval, edge: float) -> Interval:
    """Returns the interval with infinities for what lies beyond the edge, which are drawn as arrows."""
    return Interval(*(x if abs(x) <= edge else float(np.copysign(inf, x)) for x in difference))


def column(rows: Rows, name: str) -> np.ndarray:
    """Returns the numbers of one name in a metric log, [N], NaN where a generation has none.

    Args:
      rows: of the log, one a generation.
      name: of the number.
    """
    return np.array([nan if row.get(name) is None else row[name] for row in rows], dtype=float)


def _numbers(values: Sequence[float | None]) -> np.ndarray:
    return np.array([number_from_json(value) for value in values])
