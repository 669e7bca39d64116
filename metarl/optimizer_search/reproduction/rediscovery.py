"""rediscovery: whether searches of a space that holds a known optimizer find it again, or something better.

Every search hands over one rule, as `metarl search` does: the best of its archive after re-tuning on choice data. That
rule and the known one are then tuned alike, from the whole grid of learning rates, on replicates that neither the
search nor the choice has seen, and compared run by run. A search has found the known rule again if what it hands over
is the same function up to a positive factor, or is better by its paired interval.

Letters: S replicates, M positions, N generations.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np

from metarl.errors import require
from metarl.reading import Bounds, Count, check_fields
from metarl.reporting import Column, Table, curve_panels
from metarl.statistics import Interval, bootstrap_interval, extended_mean
from metarl.update_rules import resolve

from ..comparing.tables import INTERVALS
from ..judging.panel import Panel, sweeping_trial
from ..judging.rewards import FLOOR
from ..reports.chart import Chart
from ..reports.figures import column
from ..screening.probes import rule_fingerprints
from ..searching.search_job import SearchJob
from ..searching.search_state import SearchState
from ..selecting.choice import choice_panel, rank
from ..settings.config import SearchConfig
from .searches import at_positions, run_search, search_curve, search_rows
from .work import Findings, Work

SAME, BETTER, UNCLEAR, WORSE, NOTHING = "the same", "better", "unclear", "worse", "nothing found"
_FOUND = (SAME, BETTER)
_POSITIONS = 40


@dataclass(frozen=True)
class Settings:
    """What is to be found again, where, and how often it is searched."""

    search: SearchConfig = field(default_factory=lambda: SearchConfig(space="modern", budget=1500))
    """The settings of all searches, with a budget of rules; depth and seed are set for each."""
    rule: str = "ortho(m)"
    """What is to be found again, a name or a text; the space must hold it."""
    depths: tuple[Annotated[int, Bounds(least=1, most=4)], ...] = (1, 2)
    """Groups of the rules; a set of searches for each."""
    seeds: tuple[Count, ...] = (5,)
    """Searches at each depth: one number for all, or one for each."""

    def __post_init__(self) -> None:
        check_fields(self)
        require(len(self.depths) > 0, "depths names no depth; give 1, 2, 3 or 4.")
        require(
            len(self.seeds) in (1, len(self.depths)),
            f"seeds has {len(self.seeds)} numbers of searches for {len(self.depths)} depths; give one, or one each.",
        )

    def searches(self, first: int) -> list[tuple[int, int]]:
        """Returns the depth and the seed of each search.

        Args:
          first: seed at each depth.
        """
        counts = self.seeds * len(self.depths) if len(self.seeds) == 1 else self.seeds
        pairs = zip(self.depths, counts, strict=True)
        return [(depth, first + number) for depth, count in pairs for number in range(count)]


def find_again(work: Work) -> Findings:
    """Searches at every depth from every seed, and compares what is handed over with the known rule."""
    settings: Settings = work.settings
    rows = [_row(work, depth, seed) for depth, seed in settings.searches(work.seed)]
    return Findings(
        claims=[_claim(rows, depth, settings) for depth in settings.depths],
        tables={"searches": _table(rows, settings)},
        charts=[_chart(work, settings)],
        numbers={f"depth {row['depth']}, seed {row['seed']}": row for row in rows},
    )


def _row(work: Work, depth: int, seed: int) -> dict[str, Any]:
    settings: Settings = work.settings

    def measure() -> Mapping[str, Any]:
        config = dataclasses.replace(settings.search, depth=depth, seed=seed)
        work.say(f"depth {depth}, seed {seed}: {config.budget:,} rules")
        job, state = run_search(work, _place(depth, seed), config)
        return _handed_over(job, state, config, settings.rule)

    part = work.arrays(_place(depth, seed), measure)
    ours, known = part["ours"], part["known"]  # [S]
    difference = _interval(ours - known) if len(ours) else None
    return {
        "depth": depth,
        "seed": seed,
        "rule": str(part["rule"]),
        "score": _interval(ours) if len(ours) else None,
        "known": _interval(known) if len(known) else None,
        "difference": difference,
        "verdict": _verdict(bool(part["same"]), difference),
    }


def _place(depth: int, seed: int) -> str:
    return f"depth-{depth}-seed-{seed}"


def _handed_over(
    job: SearchJob, state: SearchState, config: SearchConfig, known: str
) -> dict[str, Any]:
    """Returns the rule that a search hands over, and its scores and those of the known rule, [S] each."""
    panel = choice_panel(job.problems, job.grammar, config)
    best = rank(state.archive.best(config.final.candidates), panel)
    panel.close()
    if not best:
        return {"rule": "", "same": False, "ours": np.zeros(0), "known": np.zeros(0)}
    tokens = np.stack([best[0].tokens, job.grammar.to_tokens(resolve(known))])
    one, other = rule_fingerprints(job.programs.probes.exact_updates(tokens))
    seeds = config.final.choice_seeds
    fresh = Panel(
        job.programs.judges,
        job.grammar,
        config,
        "report",
        lambda steps: sweeping_trial(steps, seeds, config),
    )
    runs = fresh.scores(tokens).replicates  # [2, S]
    fresh.close()
    ours, theirs = np.where(np.isfinite(runs), runs, FLOOR)
    return {"rule": best[0].choice.rule, "same": one == other, "ours": ours, "known": theirs}


def _interval(scores: np.ndarray) -> Interval:
    return bootstrap_interval(scores, extended_mean)


def _verdict(same: bool, difference: Interval | None) -> str:
    if same:
        return SAME
    if difference is None:
        return NOTHING
    if not difference.excludes(0.0):
        return UNCLEAR
    return BETTER if difference.estimate > 0 else WORSE


def _claim(rows: Sequence[Mapping[str, Any]], depth: int, settings: Settings) -> str:
    mine = [row["verdict"] for row in rows if row["depth"] == depth]
    counts = ", ".join(f"{word} {mine.count(word)}" for word in dict.fromkeys(sorted(mine)))
    found = sum(verdict in _FOUND for verdict in mine)
    return (
        f"Depth {depth}: {found} of {len(mine)} searches of {settings.search.budget:,} rules hand over "
        f"{settings.rule} or a rule that is better by its paired interval ({counts})."
    )


def _table(rows: Sequence[Mapping[str, Any]], settings: Settings) -> Table:
    columns = [
        Column("depth"),
        Column("seed"),
        Column("rule", "handed over"),
        Column("score"),
        Column("known", settings.rule),
        Column("difference", better="higher"),
        Column("verdict"),
    ]
    training = settings.search
    notes = [
        f"Space {training.space}, strategy {training.strategy}, {training.budget:,} distinct rules trained on "
        f"{', '.join(training.problem)}. Scores: minus the log of the loss over tuned Adam's, on choice data and "
        f"{training.final.choice_seeds} replicates that no search used; both rules tuned over the same rates. "
        f"{INTERVALS} The same: equal up to a positive factor.",
    ]
    return Table(f"Searches that might find {settings.rule} again", columns, list(rows), notes)


def _chart(work: Work, settings: Settings) -> Chart:
    positions = np.linspace(0, settings.search.budget or 0, _POSITIONS + 1)[1:]  # [M]
    curves = []
    for depth in settings.depths:
        logs = [
            search_rows(work, _place(of, seed))
            for of, seed in settings.searches(work.seed)
            if of == depth
        ]
        best = np.stack(
            [
                at_positions(positions, column(log, "trained"), column(log, "best_reward"))
                for log in logs
            ]
        )
        curves.append(search_curve(f"depth {depth}", positions, best))
    drawing = curve_panels({"best rule so far": curves}, "rules trained", "reward", height=3.0)
    caption = (
        "Reward of the best rule so far, by the search's own judgement: minus the log of the loss over tuned Adam's. "
        "IQM over searches; of eight or more with its 95 % bootstrap interval."
    )
    return Chart("rewards", drawing, caption)
