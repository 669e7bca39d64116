"""small convnet: test accuracy of a small convolutional network under standard optimizers and found rules.

Everybody is tuned alike; curves are the IQM over fresh seeds with its interval. Beside the final accuracies stand the
numbers that were read off the paper's figure, which is of another data set.

Letters: S seeds, C points of a curve.

Reference: Bello et al. (2017), figure 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metarl.reporting import Column, Table, curve_chart
from metarl.statistics import Interval, bootstrap_interval, paired_difference

from ..comparing.comparison import Comparison
from ..comparing.entrants import BASELINE, entrant, rule_entrant
from ..reports.chart import Chart
from .compared import Protocol, compared, interval_curve
from .titled_rules import titled_rules
from .work import Findings, Work

# Read off the paper's figure: CIFAR-10, 300 epochs; which of the found rules it shows is not known.
PAPER = {"sgd": 0.652, "momentum": 0.671, "adam": 0.659, "rmsprop": 0.632}
PAPER_FOUND, _MARK = 0.674, "[v]"


@dataclass(frozen=True)
class Settings:
    """Who is compared, and how."""

    protocol: Protocol
    """One problem with a metric, and seeds."""
    references: tuple[str, ...] = ("sgd", "momentum", "adam", "rmsprop")
    """Standard optimizers."""
    found: tuple[str, ...] = ("PowerSign = powersign", "found")
    """Rules that searches found; "found" are those of metarl."""


def train_networks(work: Work) -> Findings:
    """Trains the network with each optimizer, and draws its test accuracy."""
    settings: Settings = work.settings
    found = titled_rules(settings.found)
    entrants = [entrant(text) for text in settings.references]
    entrants += [rule_entrant(title, rule) for title, rule in found.items()]
    comparison = compared(work, entrants, settings.protocol)
    labels = [one.label for one in entrants]
    rows = [_row(comparison, label) for label in labels]
    best = max(rows, key=lambda row: row["accuracy"].estimate)
    return Findings(
        claims=[_claim(best, rows, settings)],
        tables={"accuracy": _table(rows, comparison)},
        charts=_charts(comparison, labels, set(found)),
        numbers={row["optimizer"]: row for row in rows},
    )


def accuracies(comparison: Comparison, label: str) -> np.ndarray:
    """Returns the test accuracy of each run at each point, chance once it has diverged, [S, C]."""
    (result,) = comparison.problems.values()
    record = result.measured.records[label]
    good = np.isfinite(record.losses) & np.isfinite(record.metrics)
    return np.where(good, record.metrics, result.measured.chance)


def _row(comparison: Comparison, label: str) -> dict[str, Any]:
    (result,) = comparison.problems.values()
    final = accuracies(comparison, label)[:, -1]
    adam = accuracies(comparison, BASELINE)[:, -1]
    return {
        "optimizer": label,
        "learning_rate": result.entries[label].learning_rate,
        "accuracy": bootstrap_interval(final),
        "difference": None if label == BASELINE else paired_difference(final, adam),
        "final_loss": result.entries[label].final_loss,
        "paper": f"{PAPER[label]:.3f} {_MARK}" if label in PAPER else None,
    }


def _table(rows: Sequence[dict[str, Any]], comparison: Comparison) -> Table:
    ((problem, result),) = comparison.problems.items()
    columns = [
        Column("optimizer"),
        Column("learning_rate", "learning rate", essential=False),
        Column("accuracy", "test accuracy, IQM"),
        Column("difference", "difference to Adam", better="higher"),
        Column("final_loss", "test loss, IQM", essential=False),
        Column("paper", "the paper's accuracy, CIFAR-10"),
    ]
    notes = [
        f"{problem}, {result.steps} steps, {result.report_seeds} fresh seeds; intervals: 95 %, bootstrap over seeds. "
        "Difference: IQM of pairs by seed.",
        "The paper's: a small ConvNet on CIFAR-10 after 300 epochs, read off its figure [v]; the found rule there, "
        f"which is not named, has {PAPER_FOUND:.3f} {_MARK}.",
    ]
    return Table("Test accuracy of a small convolutional network", columns, list(rows), notes)


def _charts(comparison: Comparison, labels: Sequence[str], found: set[str]) -> list[Chart]:
    ((problem, result),) = comparison.problems.items()
    right = {label: accuracies(comparison, label) for label in labels}  # [S, C] each
    right_curves = [interval_curve(label, result.points, x) for label, x in right.items()]
    wrong_curves = [interval_curve(label, result.points, 1 - x) for label, x in right.items()]
    caption = (
        f"Test accuracy on {problem}: IQM over {result.report_seeds} runs with its 95 % interval, each optimizer at "
        f"its tuned learning rate. Found by searches: {', '.join(sorted(found))}."
    )
    steps = "optimizer steps"
    return [
        Chart("accuracy", curve_chart(right_curves, steps, "test accuracy"), caption),
        Chart(
            "error",
            curve_chart(wrong_curves, steps, "share of test images misread", y_scale="log"),
            "The same as the share of test images that are misread.",
        ),
    ]


def _claim(best: dict[str, Any], rows: Sequence[dict[str, Any]], settings: Settings) -> str:
    accuracy: Interval = best["accuracy"]
    clear = [
        row["optimizer"] for row in rows if row is not best and row["accuracy"].high < accuracy.low
    ]
    beaten = f"its interval lies above those of {', '.join(clear)}"
    together = "the intervals of all others overlap its own"
    return (
        f"Highest test accuracy over {settings.protocol.seeds} seeds: {best['optimizer']}, {accuracy.estimate:.4f} "
        f"[{accuracy.low:.4f}, {accuracy.high:.4f}]; {beaten if clear else together}."
    )
