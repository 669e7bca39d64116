"""protocol: how a search's numbers came about, in words and facts, and how to get them again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from metarl.runs import RunDirectory
from metarl.statistics import fewest_runs

from ..settings.config import SearchConfig
from ..training.schedules import CONSTANT
from .result import SearchResult

_REWARDS = {
    "loss": "Its reward is minus the mean log of its loss relative to tuned Adam's on the same seeds: 0 is as good as "
    "Adam, 0.1 is about 10 % less loss.",
    "accuracy": "Its reward is the mean metric; a run that diverged counts as chance.",
}


def protocol(config: SearchConfig, result: SearchResult) -> list[str]:
    """Returns five paragraphs: search, choice, tuning, report, intervals."""
    training, final = config.training, config.final
    rates = training.multiples if training.one_rate else training.learning_rates
    compared = result.comparison.values()
    grids = sorted({len(problem["learning_rates"]) for problem in compared})
    low = min((problem["learning_rates"][0] for problem in compared), default=0.0)
    high = max((problem["learning_rates"][-1] for problem in compared), default=0.0)
    seeds = sorted({problem["report_seeds"] for problem in compared})
    lengths = " and ".join(f"{horizon:g}" for horizon in training.horizons)
    horizons = f" at {lengths} times the steps" if training.horizons != (1.0,) else ""
    horizons += _spread("the number of its steps", training.random_horizon)
    horizons += _spread("the scale of its start", training.random_scale)
    kind = (
        "learning rate" if training.schedule == CONSTANT else f"{training.schedule} learning rate"
    )
    tried, around = (
        f"{_count(len(rates), kind)} from {min(rates):g} to {max(rates):g}",
        "learning rates",
    )
    if training.one_rate:
        multiples = f"{_count(len(rates), 'multiple')} from {min(rates):g} to {max(rates):g}"
        tried = f"{multiples} of tuned Adam's {kind}, the same for all problems,"
        around = "multiples of Adam's, again the same for all problems,"
    return [
        f"Search: each rule was trained{horizons} at {tried} on one seed for {training.sweep_fraction:.0%} of "
        "the steps, then at the best of them in "
        f"full on {_count(training.seeds, 'other seed')}, and judged on search data. {_REWARDS[config.reward]}",
        f"Choice: the best of many is partly lucky, so up to {final.candidates} rules of the search, none a "
        f"near-duplicate of another, were tuned anew around their {around} on fresh seeds and run on a few more; "
        "the better ones went on, twice, to two and to four times as many, and all runs so far ranked them, on choice "
        f"data, which the search had not seen. Those left ran on {final.choice_seeds} more, which ranked nothing and "
        "give the score that is reported. "
        f"{_funnel(config)}Rank 1 is the winner, and the claim is about it alone.",
        f"Tuning: finalists and references all tried the same {_joined(grids)} learning rates, in half-decades from "
        f"{low:.0e} to {high:.0e}, on {_count(final.tuning_seeds, 'seed')} of their own{_finer(compared)}; where the "
        "best rate of anyone lay on the grid's edge, the grid of that problem was widened for all. The rate of the "
        "lowest mean loss, on data apart from the test data, was taken.",
        f"Report: at its rate each then ran on {_joined(seeds)} fresh seeds, the same for all, so that runs pair up, "
        "and was judged on test data that neither search, choice nor tuning had seen. On the held-out problems the "
        "rules themselves are untouched; only their learning rates are tuned, as everybody's are.",
        "Intervals are 95 %, by bootstrap over seeds, of the interquartile mean (IQM): of losses, and of the "
        'logarithms of their ratios to Adam\'s on the same seeds. "Better" and "worse" are said only where the '
        f"interval of that ratio excludes 1; fewer than {fewest_runs()} seeds have no interval. Each problem is judged "
        "by itself, without correction for how many there are.",
    ]


def _spread(what: str, most: float) -> str:
    return "" if most == 1.0 else f", {what} drawn for each seed up to a factor of {most:g},"


def _finer(compared: Iterable[Mapping[str, Any]]) -> str:
    """Returns what else was tried; before protocol 5 of the comparison there was nothing else."""
    points = max((problem.get("finer_points", 0) for problem in compared), default=0)
    return f" (half of them), then {points} finer ones around the best of each" if points else ""


def _funnel(config: SearchConfig) -> str:
    """Returns what else happened between choice and comparison, where anything did."""
    final, text = config.final, ""
    if final.funnel:
        text += (
            f"The first {final.funnel_rules} of them were tuned and ranked again on choice data of "
            f"{', '.join(final.funnel)}, with {_count(final.funnel_seeds, 'fresh seed')}; that order counts. "
        )
    if final.simplify is not None:
        text += (
            f"From the finalists was dropped what costs at most {final.simplify:g} score, by the 95 % interval over "
            "pairs of runs. "
        )
    return text


def provenance_facts(run: RunDirectory) -> dict[str, Any]:
    """Returns what the numbers may depend on, as names and values for people."""
    recorded, outcome = run.provenance, run.outcome or {}
    revision, processor = recorded.get("revision") or {}, recorded.get("processor") or {}
    cores, system = recorded.get("cores") or {}, recorded.get("system") or {}
    facts = {
        "Run": run.path.name,
        "Command": shlex.join(recorded.get("command") or []),
        "Seed": recorded.get("seed"),
        "Started": recorded.get("started"),
        "Search ended": outcome.get("reason"),
        "Versions": _pairs(recorded.get("versions") or {}),
        "Revision": _revision(revision),
        "Devices": ", ".join(
            f"{d['platform']} ({d['kind']})" for d in recorded.get("devices") or []
        ),
        "Processor": " ".join(
            filter(None, (processor.get("model"), processor.get("architecture")))
        ),
        "Cores": f"{cores.get('usable')} of {cores.get('present')} usable" if cores else None,
        "Matrix products": recorded.get("matmul_precision") or "the backend's own precision",
        "System": " ".join(str(part) for part in system.values()),
    }
    return {name: value for name, value in facts.items() if value not in (None, "")}


def export_command(run_dir: Path) -> str:
    """Returns what to type for the winner as a file that needs only jax and optax."""
    place = shlex.quote(str(run_dir))
    return f"metarl export {place} --rank 1 --to optax --name found_rule -o found_rule.py"


def repeat_command(run: RunDirectory) -> str:
    """Returns what to type to repeat the search; a time limit becomes the budget at which it ended."""
    command = f"metarl search --config {shlex.quote(str(run.path / 'config.json'))}"
    budget = (run.outcome or {}).get("repeats_with_budget")
    if run.config.get("minutes") is None or budget is None:
        return command
    return f"{command} --minutes None --budget {budget}"


def _revision(revision: Mapping[str, Any]) -> str | None:
    if not revision.get("commit"):
        return None
    return revision["commit"] + (" with changes" if revision.get("modified") else "")


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if value is not None)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _joined(numbers: list[int]) -> str:
    return " or ".join(str(number) for number in numbers) or "no"
