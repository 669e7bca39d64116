"""controller reward: what the controller's rules earn as it learns, beside random rules.

The paper draws the reward of every sampled rule; here each point is a generation, and a line is the mean of all
searches. A rule that was filtered out before training or proposed before has earned nothing of its own, so what is
drawn are the rules that were trained, against all that were sampled.

Letters: S seeds, M positions.

Reference: Bello et al. (2017), figure 4.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from metarl.reading import Count, check_fields
from metarl.reporting import Column, Drawing, Table, curve_panels

from ..comparing.tables import INTERVALS
from ..reports.chart import Chart
from ..reports.figures import column
from ..searching.search_job import SearchJob
from ..settings.config import SearchConfig
from .searches import (
    Log,
    over_searches,
    run_search,
    search_curve,
    search_rows,
    window_means,
)
from .work import Findings, Work

_LOGGED = ("sampled", "trained", "mean_reward", "best_reward", "better_than_adam")
_POSITIONS = 12


@dataclass(frozen=True)
class Settings:
    """The searches."""

    search: SearchConfig = field(default_factory=SearchConfig)
    """The settings of all searches; strategy, seed and budget are set for each."""
    strategies: tuple[str, ...] = ("ppo", "random")
    """Names of strategies; the first is the controller."""
    seeds: Count = 10
    """S, searches of each."""

    def __post_init__(self) -> None:
        check_fields(self)


def follow_rewards(work: Work) -> Findings:
    """Searches with the controller and with random rules, and draws what rules earn as the searches go on."""
    settings: Settings = work.settings
    runs: dict[str, list[Log]] = {name: [] for name in settings.strategies}
    for seed in range(work.seed, work.seed + settings.seeds):
        twins: list[SearchJob] = []  # of this seed, so that its programs are compiled once
        for name in settings.strategies:
            runs[name].append(_log(work, name, seed, settings, twins))
    rows = [_row(name, found) for name, found in runs.items()]
    return Findings(
        claims=[_claim(row, settings) for row in rows],
        tables={"rewards": _table(rows, settings)},
        charts=[Chart("reward", _drawing(runs), _caption(settings))],
        numbers={row["strategy"]: row for row in rows},
    )


def _log(work: Work, name: str, seed: int, settings: Settings, twins: list[SearchJob]) -> Log:
    place = f"{name}-seed-{seed}"

    def measure() -> Mapping[str, Any]:
        config = dataclasses.replace(settings.search, strategy=name, seed=seed)
        work.say(f"{name}, seed {seed}: {config.budget:,} rules")
        twins.append(run_search(work, place, config, next(iter(twins), None))[0])
        rows = search_rows(work, place)
        return {column_name: column(rows, column_name) for column_name in _LOGGED}

    return work.arrays(place, measure)


def _edges(runs: Mapping[str, Sequence[Log]]) -> np.ndarray:
    """Returns the edges of the stretches: up to what every controller search has sampled."""
    first = next(iter(runs.values()))
    return np.linspace(0, min(run["sampled"][-1] for run in first), _POSITIONS + 1)


def _drawing(runs: Mapping[str, Sequence[Log]]) -> Drawing:
    edges = _edges(runs)
    panels = {}
    for title, name in (
        ("mean reward of the rules trained", "mean_reward"),
        ("share of them better than tuned Adam", "better_than_adam"),
    ):
        panels[title] = [
            search_curve(strategy, edges[1:], window_means(found, "sampled", name, edges))
            for strategy, found in runs.items()
        ]
    return curve_panels(panels, "rules sampled", ["reward", "share"], height=2.8)


def _row(name: str, runs: Sequence[Log]) -> dict[str, Any]:
    """Returns the mean rewards of the first and of the last quarter of the rules sampled."""
    quarters = np.stack(
        [window_means([run], "sampled", "mean_reward", _quarters(run))[0] for run in runs]
    )  # [S, 4]
    good = np.isfinite(quarters).all(axis=1)
    first, last = quarters[good, 0], quarters[good, 3]
    return {
        "strategy": name,
        "first": over_searches(first),
        "last": over_searches(last),
        "gain": over_searches(last - first),
        "best": over_searches(np.array([run["best_reward"][-1] for run in runs])),
        "sampled": float(np.mean([run["sampled"][-1] for run in runs])),
        "trained": float(np.mean([run["trained"][-1] for run in runs])),
    }


def _quarters(run: Log) -> np.ndarray:
    return np.linspace(0, run["sampled"][-1], 5)


def _table(rows: Sequence[Mapping[str, Any]], settings: Settings) -> Table:
    columns = [
        Column("strategy"),
        Column("first", "mean reward, first quarter"),
        Column("last", "last quarter"),
        Column("gain", better="higher"),
        Column("best", "best reward", essential=False),
        Column("sampled", "rules sampled", essential=False),
        Column("trained", "trained", essential=False),
    ]
    note = (
        f"{settings.seeds} searches of each; IQM over searches. {INTERVALS} Rewards of the rules that "
        "were trained, by quarters of the rules sampled; 0 is tuned Adam, 0.1 is 10 % less loss."
    )
    return Table("Reward over a search", columns, list(rows), [note])


def _claim(row: Mapping[str, Any], settings: Settings) -> str:
    gain = row["gain"]
    if gain is None:
        return f"{row['strategy']}: too few rules were trained to tell."
    word = "no clear change"
    if gain.excludes(0.0):
        word = "rises" if gain.estimate > 0 else "falls"
    return (
        f"{row['strategy']}: the mean reward of trained rules from the first to the last quarter of a search: {word}, "
        f"{gain.estimate:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}] over {settings.seeds} searches."
    )


def _caption(settings: Settings) -> str:
    return (
        f"Rules that were trained, against rules sampled: IQM over {settings.seeds} searches with its 95 % interval. "
        "Reward: minus the log of the loss over tuned Adam's; rules that fail have -5. Random search samples more "
        "rules until as many are trained, so its searches go on beyond the right edge."
    )
