"""views: what a table of rules shows to one search, and what is kept from it as the truth.

The replicates of a table are dealt out anew for every search: some to the search itself, some to its choice, the rest
to the truth; none serves two. What the search sees of a rule is what it would see by training, for all rules at once:
short runs at whole decades, the half-decades beside the best, full runs at the two best rates, of a rule that is not
given up. The choice tunes the rate anew among the half-decades around it, on choice data. The truth is the score on
test data at that rate on the replicates that neither has seen. All scores are minus the log of the loss over tuned
Adam's on the same replicate, and the floor where a run diverged.

Differs from a search in earnest: a short run is the first half of a full one, so a decay looks at the full length
there; where a search has one replicate only, short and full runs share it; the choice tunes and scores on the same
replicates. Of several problems a search has the mean.

Letters: K rules of the table, R learning rates, S replicates, C checkpoints, F replicates of full runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from metarl.errors import require

from ..judging.panel import REFINEMENT
from ..judging.rewards import FLOOR, relative_scores
from ..settings.config import TrainingConfig
from ..tables import RuleTable, TableJudge

FEWEST_REPLICATES = 4
_HALFWAY = 2  # the place of the checkpoint at half of a run


class Draw(NamedTuple):
    """Which replicates serve what in one search; those of short runs are the search's too."""

    short: np.ndarray
    full: np.ndarray
    choice: np.ndarray
    truth: np.ndarray


class View(NamedTuple):
    """The rules of a table in one search."""

    rewards: np.ndarray  # [K] float32, what training earns in the search
    lasting: np.ndarray  # [K] bool, whether no full run diverged, as the archive asks
    steps: np.ndarray  # [K] optimizer steps that its training takes
    choice: np.ndarray  # [K] score on choice data
    truth: np.ndarray  # [K] score on test data, not shown
    elsewhere: np.ndarray | None  # [K] the same on held-out problems; None where the table has none


def draw_replicates(generator: np.random.Generator, count: int) -> Draw:
    """Deals out the replicates of a table: a quarter to the search, a quarter to the choice, the rest to the truth.

    Args:
      generator: of the order.
      count: S, at least 4.
    """
    require(
        count >= FEWEST_REPLICATES,
        f"A table of at least {FEWEST_REPLICATES} replicates is needed to keep some of them as the truth, not {count}.",
    )
    order, share = generator.permutation(count), count // FEWEST_REPLICATES
    search, choice, truth = np.split(order, [share, 2 * share])
    return Draw(search[:1], search[1:] if share > 1 else search, choice, truth)


class TableViews:
    """What searches see of a table.

    Args:
      table: of rules.
      judges: names of those that a search sees, whatever their role; all that rules may be searched on, in whole runs,
        if None. The other held-out problems are those that no search sees.

    Raises:
      InvalidInput: the table lacks the learning rates of a search, a judge of a name, or a problem that rules may be
        searched on.
    """

    def __init__(self, table: RuleTable, judges: Sequence[str] | None = None):
        """Counts the steps of all runs."""
        self.table = table
        self._decades = _places(table.rates, TrainingConfig().learning_rates)
        searched = [judge for judge in table.whole_judges if judge.role == "search"]
        self.judges = searched if judges is None else [table.judge(name) for name in judges]
        held_out = [judge for judge in table.whole_judges if judge.role == "held-out"]
        self.held_out = [judge for judge in held_out if judge not in self.judges]
        require(
            len(self.judges) > 0,
            f"Table {table.name!r} has no problem that rules may be searched on.",
        )
        self._steps = {judge.name: _steps(table, judge) for judge in self.judges}

    def shares(self) -> dict[str, int]:
        """Returns how many replicates serve what."""
        draw = draw_replicates(np.random.default_rng(0), self.table.replicates)
        return {name: len(part) for name, part in draw._asdict().items()}

    def view(self, draw: Draw) -> View:
        """Returns what one search sees of each rule, and the truth about it."""
        found = [self._one(judge, draw) for judge in self.judges]
        scores = np.mean([one.search.mean(axis=1) for one in found], axis=0)  # [K]
        elsewhere = [self._transferred(judge, draw) for judge in self.held_out]
        return View(
            np.nan_to_num(scores, neginf=FLOOR).astype(np.float32),
            np.isfinite(scores),
            np.sum([one.steps for one in found], axis=0),
            np.mean([one.choice for one in found], axis=0),
            np.mean([one.truth for one in found], axis=0),
            np.mean(elsewhere, axis=0) if elsewhere else None,
        )

    def _one(self, judge: TableJudge, draw: Draw) -> _OfJudge:
        rate, full, steps = self._search_runs(judge, draw)
        rows, rates = np.arange(len(rate)), len(self.table.rates)
        around = rate[:, None] + np.arange(len(REFINEMENT)) - len(REFINEMENT) // 2  # [K, 5]
        inside = (around >= 0) & (around < rates)
        around = np.clip(around, 0, rates - 1)
        tried = self.table.scores(judge, "choice", draw.choice.tolist())[rows[:, None], around]
        tuned = np.argmax(np.where(inside, tried, -np.inf), axis=1)
        true = self.table.scores(judge, "test", draw.truth.tolist())
        adam = judge.adam_runs["search"][:, draw.full, -1]  # [R, F]
        return _OfJudge(
            relative_scores(full, adam[adam.mean(axis=1).argmin()]),
            steps,
            tried[rows, tuned],
            true[rows, around[rows, tuned]],
        )

    def _search_runs(
        self, judge: TableJudge, draw: Draw
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns the place of the search's rate [K], the losses of the full runs there [K, F], and the steps [K]."""
        losses, taken = self.table.losses(judge), self._steps[judge.name]
        rows = np.arange(len(losses))
        short = losses[:, :, draw.short, _HALFWAY].mean(axis=2)  # [K, R]
        best = self._decades[np.argmin(short[:, self._decades], axis=1)]  # [K]
        beside = best[:, None] + np.array([-1, 1])
        swept = np.concatenate([np.tile(self._decades, (len(best), 1)), beside], axis=1)
        swept_losses = short[rows[:, None], swept]  # [K, R]
        order = np.argsort(swept_losses, axis=1, kind="stable")[:, :2]
        two = swept[rows[:, None], order]  # [K, 2], the two best rates
        start = float(judge.start[draw.short].mean())
        limit = TrainingConfig().give_up * start if start > 0 else np.inf
        hopeless = ~(swept_losses[rows, order[:, 0]] < limit)
        full = losses[rows[:, None], two][:, :, draw.full, -1]  # [K, 2, F]
        full = np.where(hopeless[:, None, None], np.inf, full)
        better = np.argmin(full.mean(axis=2), axis=1)
        halfway = judge.checkpoint_steps[_HALFWAY]
        short_steps = taken[rows[:, None], swept][:, :, draw.short].clip(max=halfway)
        full_steps = taken[rows[:, None], two][:, :, draw.full].sum(axis=(1, 2))
        steps = short_steps.sum(axis=(1, 2)) + np.where(hopeless, 0, full_steps)
        return two[rows, better], full[rows, better], steps

    def _transferred(self, judge: TableJudge, draw: Draw) -> np.ndarray:
        """Returns the true score on a problem of no search, tuned on choice data at all rates, [K]."""
        rate = self.table.scores(judge, "choice", draw.choice.tolist()).argmax(axis=1)
        return self.table.scores(judge, "test", draw.truth.tolist())[np.arange(len(rate)), rate]


class _OfJudge(NamedTuple):
    search: np.ndarray  # [K, F] scores of the full runs
    steps: np.ndarray  # [K]
    choice: np.ndarray  # [K]
    truth: np.ndarray  # [K]


def _steps(table: RuleTable, judge: TableJudge) -> np.ndarray:
    """Returns the steps of each run; of one that diverged up to the checkpoint that found it so, int32 [K, R, S]."""
    ends = np.asarray(judge.checkpoint_steps, np.int32)  # [C]
    alive = np.isfinite(table.losses(judge))
    return np.where(alive.all(axis=-1), ends[-1], ends[np.argmin(alive, axis=-1)])


def _places(rates: np.ndarray, wanted: Sequence[float]) -> np.ndarray:
    """Returns where learning rates stand in those of a table, with a half-decade on either side."""
    logs = np.log10(np.asarray(rates, float))
    places = np.array([int(np.argmin(np.abs(logs - np.log10(rate)))) for rate in wanted])
    near = np.abs(logs[places] - np.log10(wanted)) < 0.01
    inside = (places >= 1) & (places < len(rates) - 1)
    require(
        bool(near.all() and inside.all()),
        f"The learning rates of the table, {float(rates[0]):.1e} to {float(rates[-1]):.1e}, lack those of a search.",
    )
    return places
