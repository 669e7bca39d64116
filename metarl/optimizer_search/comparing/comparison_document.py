"""comparison_document: a comparison's results as plain values, for JSON, tables and figures."""

from __future__ import annotations

from typing import Any

import numpy as np

from metarl.statistics import infinities_to_json, interval_to_json

from .problem_results import EntrantResult, ProblemResult


def entry_json(entry: EntrantResult) -> dict[str, Any]:
    """Returns one optimizer on one problem, without its curves."""
    return {
        "learning_rate": entry.learning_rate,
        "schedule": entry.schedule,
        "weight_decay": entry.weight_decay,
        "extra": entry.extra,
        "rate_scale": entry.rate_scale,
        "final_loss": interval_to_json(entry.final_loss),
        "metric": interval_to_json(entry.metric),
        "steps_to_target": interval_to_json(entry.steps_to_target),
        "seconds_to_target": entry.seconds_to_target,
        "reached_target": entry.reached_target,
        "difference_to_adam": interval_to_json(entry.difference_to_adam),
        "relative_loss": interval_to_json(entry.relative_loss),
        "verdict": entry.verdict,
        "speed_up": interval_to_json(entry.speed_up),
        "state_bytes_per_parameter": entry.state_bytes_per_parameter,
        "step_time_relative_to_adam": entry.step_time_relative_to_adam,
        "compile_seconds": entry.compile_seconds,
        "diverged": entry.diverged,
    }


def problem_document(result: ProblemResult) -> dict[str, Any]:
    """Returns one problem with everybody's curves; infinities are spelled out."""
    entries = {}
    for label, entry in result.entries.items():
        low, median, high = np.quantile(
            entry.curves, [0.25, 0.5, 0.75], axis=0, method="closest_observation"
        )
        entries[label] = {
            **entry_json(entry),
            "curve": {"median": median.tolist(), "low": low.tolist(), "high": high.tolist()},
            "final_losses": entry.curves[:, -1].tolist(),
            "tuning_losses": entry.tuning_losses.tolist(),
            **_choices(result, label),
        }
    return infinities_to_json(
        {
            "metric": result.metric,
            "steps": result.steps,
            "points": result.points.tolist(),
            "learning_rates": result.learning_rates.tolist(),
            "report_seeds": result.report_seeds,
            "finer_points": max(len(r.finer.settings) for r in result.measured.records.values()),
            "runs_spent": result.runs_spent,
            "on_edge": list(result.on_edge),
            "target": result.target,
            "target_of": result.target_of,
            "entries": entries,
        }
    )


def _choices(result: ProblemResult, label: str) -> dict[str, Any]:
    """Returns the settings that the report ran, the chosen one first, and what tuning and report said of them."""
    record = result.measured.records[label]
    choices = record.choices
    if choices is None:
        return {}
    rows = zip(choices.settings, choices.tuning.tolist(), choices.losses.tolist(), strict=True)
    return {
        "choices": [
            {
                **setting._asdict(),
                "extra": record.extra_of(setting),
                "tuning_losses": tuning,
                "final_losses": losses,
            }
            for setting, tuning, losses in rows
        ],
        "other_seeds": choices.other_seeds,
    }
