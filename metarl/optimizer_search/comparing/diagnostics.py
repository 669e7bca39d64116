"""diagnostics: everybody on small problems that each add one difficulty; pass or fail.

An optimizer is tuned on each diagnostic as in a comparison, then runs on fresh seeds, and on the diagnostic's variants
at the same settings. What is judged is a ratio of losses, IQM over seeds (metarl.problems.Diagnostic says which).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from metarl.problems import Diagnostic, Problem
from metarl.problems import diagnostics as all_diagnostics
from metarl.reporting import Column, Table, number_text
from metarl.statistics import iqm

from ..judging.evaluators import Device
from ..settings.compare_config import CompareConfig
from ..training.seeding import replicate_seeds
from .comparison import check_comparison
from .contest import Contest, Crew
from .entrants import Entrant
from .settings_of_runs import Setting, runs_of
from .tuning import sweep

_TUNING_SEEDS, _REPORT_SEEDS = 3, 10


def diagnose(
    entrants: Sequence[Entrant],
    config: CompareConfig,
    say: Callable[[str], None],
    chosen: Sequence[Diagnostic] | None = None,
) -> dict[str, Any]:
    """Returns what each diagnostic says of everybody.

    Args:
      entrants: who is compared; the references of the settings join them.
      config: of the comparison, for its references and seed.
      say: called with a line about what is done next.
      chosen: the diagnostics; all if not given.

    Returns:
      By diagnostic: question, criterion, and "findings": by label, "passed" and "ratio" (None if it diverged).
    """
    field, _ = check_comparison(entrants, config)
    found = {}
    for diagnostic in chosen or all_diagnostics():
        say(f"diagnostic: {diagnostic.question}")
        ratios = _ratios(diagnostic, field, config.seed)
        found[diagnostic.name] = {
            "question": diagnostic.question,
            "criterion": diagnostic.criterion,
            "findings": {
                label: {
                    "passed": bool(ratio <= diagnostic.bound),
                    "ratio": ratio if math.isfinite(ratio) else None,
                }
                for label, ratio in ratios.items()
            },
        }
    return found


def diagnostic_problems() -> list[Problem]:
    """Returns the problems that `diagnose` tries everybody on."""
    return [
        one
        for diagnostic in all_diagnostics()
        for one in (diagnostic.problem, *diagnostic.variants)
    ]


def diagnostics_table(found: Mapping[str, Any], highlighted: Sequence[str] = ()) -> Table:
    """Returns one row per optimizer, one column per diagnostic.

    Args:
      found: see `diagnose`.
      highlighted: labels to point out.
    """
    labels = list(next(iter(found.values()))["findings"])
    labels.sort(key=lambda label: -_passes(found, label))
    rows = [
        {"optimizer": label, "passed": f"{_passes(found, label)} of {len(found)}"}
        | {name: _cell(what["findings"][label]) for name, what in found.items()}
        for label in labels
    ]
    columns = [Column("optimizer"), Column("passed"), *(Column(name) for name in found)]
    notes = [
        f"{name}: {what['question']}; passes if {what['criterion']}."
        for name, what in found.items()
    ]
    places = [labels.index(label) for label in highlighted if label in labels]
    return Table("Diagnostics: pass, or the ratio that failed", columns, rows, notes, places)


def _passes(found: Mapping[str, Any], label: str) -> int:
    return sum(what["findings"][label]["passed"] for what in found.values())


def _cell(finding: Mapping[str, Any]) -> str:
    if finding["passed"]:
        return "pass"
    return "diverged" if finding["ratio"] is None else number_text(finding["ratio"], 2)


def _ratios(diagnostic: Diagnostic, field: Sequence[Entrant], seed: int) -> dict[str, float]:
    """Returns by label the ratio that is judged."""
    own = _contest(diagnostic.problem, seed)
    with Crew() as crew:
        tuned = sweep(own, field, crew.map)
        settings = {entrant.label: tuned.best(entrant.label) for entrant in field}
        final = _final_losses(own, field, settings, crew)
        variants = [
            _final_losses(_contest(problem, seed), field, settings, crew)
            for problem in diagnostic.variants
        ]
    if diagnostic.relative_to == "start":
        begin = _loss_at_start(own)
        return {label: loss / begin for label, loss in final.items()}
    worst = {label: max(losses[label] for losses in variants) for label in final}
    return {
        label: math.inf if math.isinf(final[label]) else worst[label] / max(final[label], 1e-12)
        for label in final
    }


def _contest(problem: Problem, seed: int) -> Contest:
    tuning = replicate_seeds(seed, "tuning", _TUNING_SEEDS)
    report = replicate_seeds(seed, "report", _REPORT_SEEDS)
    return Contest(problem, problem.steps, tuning, report, points=1, other_seeds=tuning)


def _final_losses(
    contest: Contest, field: Sequence[Entrant], settings: Mapping[str, Setting], crew: Crew
) -> dict[str, float]:
    """Returns by label the IQM of final losses on the report's seeds."""

    def measure(entrant: Entrant, device: Device) -> float:
        runs = runs_of(settings[entrant.label], contest.axes, contest.report)
        return float(iqm(contest.measure(entrant, runs, device).losses[:, -1]))

    return dict(zip([e.label for e in field], crew.map(measure, field), strict=True))


def _loss_at_start(contest: Contest) -> float:
    """Returns the IQM over the report's seeds of the loss before the first step."""
    return float(iqm(contest.losses_at_start()))
