"""strategies: searches by random rules, evolution, REINFORCE, PPO and TRPO, at equal numbers of trained rules.

Each strategy searches from the same seeds. What it costs is counted twice: in distinct rules trained, and in optimizer
steps, for rules that diverge or are given up early are cheap. The best rules of each search are then re-tuned on fresh
seeds and choice data, since the best reward of a thousand draws flatters.

Letters: S seeds, M positions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from metarl.reading import Count, check_fields
from metarl.reporting import Column, Drawing, Table, curve_panels
from metarl.statistics import Interval

from ..comparing.tables import INTERVALS
from ..judging.halving import HalvingPanel
from ..reports.chart import Chart
from ..reports.figures import column
from ..searching.search_job import SearchJob
from ..selecting.choice import choice_panel, rank
from ..settings.config import SearchConfig
from .searches import (
    Log,
    at_positions,
    over_searches,
    run_search,
    search_curve,
    search_rows,
    window_means,
)
from .work import Findings, Work

RANDOM = "random"
_POSITIONS, _WINDOWS = 40, 8
_LATE = 0.75  # the last quarter of a search


@dataclass(frozen=True)
class Settings:
    """Which strategies search, how often, and how."""

    search: SearchConfig = field(default_factory=SearchConfig)
    """The settings of all searches, with a budget of rules; strategy and seed are set for each."""
    strategies: tuple[str, ...] = (RANDOM, "evolution", "reinforce", "ppo", "trpo")
    """Names of strategies, random search among them."""
    seeds: Count = 5
    """S, searches of each strategy."""
    batches: tuple[str, ...] = ("random = 512",)
    """Rules proposed in a generation by a strategy, where it is not the search's own: random rules mostly fail."""

    def __post_init__(self) -> None:
        check_fields(self)


def compare_strategies(work: Work) -> Findings:
    """Searches by every strategy from every seed, and compares what they found."""
    settings: Settings = work.settings
    runs = _searched(work, settings)
    positions = np.linspace(0, settings.search.budget or 0, _POSITIONS + 1)[1:]  # [M]
    steps = np.linspace(0, _common_steps(runs), _POSITIONS + 1)[1:]
    rows = [_row(name, found, runs.get(RANDOM), steps[-1]) for name, found in runs.items()]
    return Findings(
        claims=_claims(rows, settings),
        tables={"strategies": _table(rows, settings)},
        charts=[
            Chart("rules", _drawing(runs, "trained", positions, "rules trained"), _RULES),
            Chart("steps", _drawing(runs, "steps", steps, "optimizer steps"), _STEPS),
        ],
        numbers={row["strategy"]: row for row in rows},
    )


_BANDS = "IQM over searches with its 95 % bootstrap interval. Reward: minus the log of the loss over tuned Adam's."
_RULES = (
    "Left: reward of the best rule so far. Right: mean reward of the rules that a generation trained. Both at equal "
    f"numbers of distinct rules trained. {_BANDS}"
)
_STEPS = f"The same at equal compute: optimizer steps executed, of all trainings together. {_BANDS}"


def _searched(work: Work, settings: Settings) -> dict[str, list[Log]]:
    """Returns for each strategy the logs of its searches, one for each seed."""
    runs: dict[str, list[Log]] = {name: [] for name in settings.strategies}
    for seed in range(work.seed, work.seed + settings.seeds):
        programs = _Programs()
        for name in settings.strategies:
            runs[name].append(_one_search(work, name, seed, settings, programs))
    return runs


@dataclass
class _Programs:
    """What the searches of one seed share, so that it is compiled once."""

    job: SearchJob | None = None
    panel: HalvingPanel | None = None


def _one_search(work: Work, name: str, seed: int, settings: Settings, programs: _Programs) -> Log:
    """Returns the log of one search, and how its best rule does on choice data."""
    place = f"{name}-seed-{seed}"

    def measure() -> Mapping[str, Any]:
        config = dataclasses.replace(
            settings.search, strategy=name, seed=seed, batch_size=_batch_size(name, settings)
        )
        work.say(f"{name}, seed {seed}: {config.budget:,} rules")
        job, state = run_search(work, place, config, programs.job)
        programs.job = job
        programs.panel = programs.panel or choice_panel(job.problems, job.grammar, config)
        best = rank(state.archive.best(config.final.candidates), programs.panel)
        rows = search_rows(work, place)
        names = ("trained", "steps", "best_reward", "mean_reward", "better_than_adam", "sampled")
        return {
            **{column_name: column(rows, column_name) for column_name in names},
            "choice_score": best[0].choice.choice_score if best else np.nan,
            "rule": best[0].choice.rule if best else "",
        }

    return work.arrays(place, measure)


def _batch_size(name: str, settings: Settings) -> int:
    own = dict(text.split(" = ") for text in settings.batches)
    return int(own.get(name, settings.search.batch_size))


def _common_steps(runs: Mapping[str, Sequence[Log]]) -> float:
    """Returns the optimizer steps that every search has executed."""
    return min(float(run["steps"][-1]) for found in runs.values() for run in found)


def curves_at(runs: Sequence[Log], by: str, name: str, positions: np.ndarray) -> np.ndarray:
    """Returns a column of the logs at positions of another, the last value before each, [S, M]."""
    return np.stack([at_positions(positions, run[by], run[name]) for run in runs])


def _drawing(
    runs: Mapping[str, Sequence[Log]],
    by: str,
    positions: np.ndarray,
    x_label: str,
) -> Drawing:
    best = [
        search_curve(name, positions, curves_at(found, by, "best_reward", positions))
        for name, found in runs.items()
    ]
    edges = np.linspace(0, positions[-1], _WINDOWS + 1)
    mean = [
        search_curve(name, edges[1:], window_means(found, by, "mean_reward", edges))
        for name, found in runs.items()
    ]
    panels = {"best rule so far": best, "mean of the rules trained": mean}
    return curve_panels(panels, x_label, "reward", height=3.0)


def _row(
    name: str,
    runs: Sequence[Log],
    random: Sequence[Log] | None,
    steps: float,
) -> dict[str, Any]:
    best, chosen = (_finals(runs, which) for which in ("best_reward", "choice_score"))
    late = np.array([_late_mean(run) for run in runs])
    at_steps = curves_at(runs, "steps", "best_reward", np.array([steps]))[:, 0]
    others = None if random is None or name == RANDOM else _finals(random, "choice_score")
    return {
        "strategy": name,
        "best_reward": over_searches(best),
        "best_at_equal_steps": over_searches(at_steps),
        "late_mean": over_searches(late),
        "share_trained": float(np.mean([run["trained"][-1] / run["sampled"][-1] for run in runs])),
        "choice_score": over_searches(chosen),
        "difference": None if others is None else _difference(chosen, others),
    }


def _finals(runs: Sequence[Log], name: str) -> np.ndarray:
    return np.array([np.atleast_1d(run[name])[-1] for run in runs], dtype=float)


def _late_mean(run: Log) -> float:
    """Returns the mean reward of the rules trained in the last quarter of a search."""
    end = run["trained"][-1]
    return float(window_means([run], "trained", "mean_reward", np.array([_LATE * end, end]))[0, 0])


def _difference(ours: np.ndarray, theirs: np.ndarray) -> Interval | None:
    """Returns the difference of searches that share their seeds, and so the replicates they train on."""
    return over_searches(ours - theirs)


def _table(rows: Sequence[Mapping[str, Any]], settings: Settings) -> Table:
    columns = [
        Column("strategy"),
        Column("best_reward", "best reward"),
        Column("best_at_equal_steps", "at equal steps", essential=False),
        Column("late_mean", "mean reward, last quarter"),
        Column("share_trained", "trained, share of sampled", essential=False),
        Column("choice_score", "best rule on choice data"),
        Column("difference", "difference to random", better="higher"),
    ]
    budget = settings.search.budget or 0
    notes = [
        f"{settings.seeds} searches of each, {budget:,} distinct rules trained; IQM over searches. "
        f"{INTERVALS} Best rule on choice data: the first after re-tuning on fresh seeds; 0 is tuned Adam, 0.1 is 10 % "
        "less loss. Difference: of the same, paired by seed.",
    ]
    return Table("Strategies at equal numbers of trained rules", columns, list(rows), notes)


def _claims(rows: Sequence[Mapping[str, Any]], settings: Settings) -> list[str]:
    claims = []
    for row in rows:
        difference = row["difference"]
        if difference is None:
            continue
        word = "no clear difference to"
        if difference.excludes(0.0):
            word = "better than" if difference.estimate > 0 else "worse than"
        claims.append(
            f"{row['strategy']}, best rule on choice data: {word} random search's over {settings.seeds} searches "
            "from the same seeds, difference "
            f"{difference.estimate:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]."
        )
    return claims
