"""tables: a comparison's document as rows, for the terminal, the report and a spreadsheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

from metarl.reporting import Column, Table, counted, number_text
from metarl.statistics import fewest_runs, interval_from_json, number_from_json

_COLUMNS = (
    Column("optimizer"),
    Column("learning_rate", "learning rate", essential=False),
    Column("extra", "changed settings", essential=False),
    Column("final_loss", "test loss, IQM"),
    Column("relative_loss", "loss, Adam = 1", better="lower", neutral=1.0),
    Column("difference_to_adam", "difference to Adam", essential=False),
    Column("metric", essential=False),
    Column("steps_to_target", "steps to target", essential=False),
    Column("state_bytes_per_parameter", "state, bytes/parameter", essential=False),
    Column("step_time_relative_to_adam", "time/step, Adam = 1", essential=False),
    Column("diverged", essential=False),
)


INTERVALS = f"Intervals: 95 %, bootstrap over seeds; none, and no verdict, with fewer than {fewest_runs()} seeds."


def problem_table(name: str, result: Mapping[str, Any], highlighted: Sequence[str] = ()) -> Table:
    """Returns all optimizers on one problem, best first.

    Args:
      name: of the problem.
      result: its part of `Comparison.to_document()`.
      highlighted: labels to point out.
    """
    entries = sorted(result["entries"].items(), key=lambda item: _order(item[1]))
    ratios = all(entry["relative_loss"] is not None for entry in result["entries"].values())
    special = {"metric": Column("metric", result["metric"] or "metric", essential=False)}
    if not ratios:
        special["difference_to_adam"] = Column(
            "difference_to_adam", "difference to Adam", better="lower"
        )
    changed = any(entry.get("extra") for entry in result["entries"].values())
    left_out = {"relative_loss": not ratios, "metric": not result["metric"], "extra": not changed}
    columns = [
        special.get(column.name, column) for column in _COLUMNS if not left_out.get(column.name)
    ]
    keep = {column.name for column in columns}
    rows = [{k: v for k, v in _row(label, e).items() if k in keep} for label, e in entries]
    labels = [label for label, _ in entries]
    return Table(
        f"{name}: {result['steps']} steps, {counted(result['report_seeds'], 'fresh seed')}",
        columns,
        rows,
        _notes(result),
        [labels.index(label) for label in highlighted if label in labels],
    )


def finalists_table(document: Mapping[str, Any]) -> Table:
    """Returns one row per problem and optimizer, for a spreadsheet."""
    rows = [
        {"problem": problem, **_row(label, entry)}
        for problem, result in document.items()
        for label, entry in result["entries"].items()
    ]
    return Table("finalists", [Column("problem"), *_COLUMNS], rows)


def sensitivity_table(document: Mapping[str, Any]) -> Table:
    """Returns one row per problem, optimizer and learning rate: the mean tuning loss."""
    columns = [Column(name) for name in ("problem", "optimizer", "learning_rate", "tuning_loss")]
    rows = [
        {
            "problem": problem,
            "optimizer": label,
            "learning_rate": rate * entry.get("rate_scale", 1.0),
            "tuning_loss": number_from_json(loss),
        }
        for problem, result in document.items()
        for label, entry in result["entries"].items()
        for rate, loss in zip(result["learning_rates"], entry["tuning_losses"], strict=True)
    ]
    return Table("learning rates", columns, rows)


def _row(label: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "optimizer": label,
        "learning_rate": entry["learning_rate"],
        "extra": extra_text(entry.get("extra", {})),
        "final_loss": interval_from_json(entry["final_loss"]),
        "relative_loss": interval_from_json(entry["relative_loss"]),
        "difference_to_adam": interval_from_json(entry["difference_to_adam"]),
        "metric": interval_from_json(entry["metric"]),
        "steps_to_target": interval_from_json(entry["steps_to_target"]),
        "state_bytes_per_parameter": entry["state_bytes_per_parameter"],
        "step_time_relative_to_adam": entry["step_time_relative_to_adam"],
        "diverged": entry["diverged"],
    }


def _untuned(result: Mapping[str, Any]) -> str:
    if result.get("finer_points"):
        return (
            "Adam alone is tuned; the others run at one multiple of its learning rate for all problems, found on the "
            "search problems."
        )
    return "Not tuned: one learning rate of each for all problems, found on the search problems."


def _finer(result: Mapping[str, Any]) -> str:
    points = result.get("finer_points", 0)  # before protocol 5 there were none
    return f", then {points} points around the best" if points else ""


def extra_text(changed: Mapping[str, float]) -> str:
    """Returns what was changed of an optimizer's own settings; empty for nothing.

    >>> extra_text({"b2": 0.99})
    'b2 = 0.99'
    """
    return ", ".join(f"{name} = {value:g}" for name, value in changed.items())


def _order(entry: Mapping[str, Any]) -> tuple[float, float]:
    loss = interval_from_json(entry["final_loss"])
    return (nan, nan) if loss is None else (loss.estimate, loss.high)


def _notes(result: Mapping[str, Any]) -> list[str]:
    rates = result["learning_rates"]
    tuning = (
        f"Tuning: {len(rates)} learning rates from {rates[0]:.0e} to {rates[-1]:.0e} for each{_finer(result)}, "
        f"{result['runs_spent']:,} runs in all."
        if rates
        else _untuned(result)
    )
    notes = [
        tuning,
        f"Adam = 1: loss over Adam's on the same seed, IQM of logarithms; better, worse: its interval excludes 1. "
        f"Difference: IQM over the same pairs. {INTERVALS}",
    ]
    if any(entry["relative_loss"] is None for entry in result["entries"].values()):
        notes.append(
            "Losses below zero have no ratio; better, worse: the interval of the difference excludes 0."
        )
    if "target_of" in result:  # in protocol 1 it was Adam
        target = number_text(number_from_json(result["target"]))
        notes.append(f"Target: the median final loss of {result['target_of']}, {target}.")
    scales = {x: e.get("rate_scale", 1.0) for x, e in result["entries"].items()}
    own = [
        f"{label}'s is from {rates[0] * scale:.1e} to {rates[-1] * scale:.1e}"
        for label, scale in scales.items()
        if rates and scale != 1.0
    ]
    if own:
        notes.append(f"Grids of as many rates elsewhere: {', '.join(own)}.")
    if result["on_edge"]:
        notes.append(f"Best rate on the widened grid's edge: {', '.join(result['on_edge'])}.")
    return notes
