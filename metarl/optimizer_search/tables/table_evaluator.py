"""table evaluator: the contract of evaluators answered from a table; nothing is trained.

It gives the verdicts that training would give: a judgement names its replicates by their seeds, its trial says which
runs there are (`judging.candidates`), and each is looked up: short runs at a checkpoint, full runs at the end, at the
learning rates of the table's grid. Three things are different from training, and documented (docs/rule_tables.md):
losses are rounded; a rule written otherwise than in the table has its function's losses (a factor is the learning
rate's business); and a rule with a decay sees it run over the whole run in a short one too.

What is not in the table, a rule too large for it or a rate beyond its grid, counts as diverged.

Letters: N candidates; K functions; L tokens; R learning rates (R' = R + 2 with the half-decades); Q sweep replicates; S
full replicates; F full rates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from metarl.errors import require

from ..judging.candidates import Judgement, Trial, Verdicts
from ..judging.evaluators import Result
from ..searching.programs import judge_name
from .rule_table import RuleTable, TableJudge
from .sweeping import CHECKPOINTS

_NEAR = 1e-3  # of the logarithm of a learning rate: float32 has no more to say


class TableEvaluator:
    """Verdicts by looking them up.

    Args:
      table: with the losses of whatever is asked.
      judgements: by name, whose problems, steps and seeds are the table's.

    Attributes:
      outside: how many candidates were asked for that the table does not hold.
    """

    def __init__(self, table: RuleTable, judgements: Mapping[str, Judgement]):
        """Finds every judge and replicate.

        Raises:
          InvalidInput: the table lacks a judge, a replicate or a checkpoint.
        """
        self.judgements: Mapping[str, Judgement] = dict(judgements)
        self.width, self.outside = 1, 0
        self._table = table
        self._runs = {name: _runs_of(table, name, j) for name, j in judgements.items()}

    def as_completed(
        self, tokens: np.ndarray, rates: np.ndarray, judges: Sequence[str] | None = None
    ) -> Iterator[Result]:
        """Yields the verdicts of each judge on all candidates."""
        for name, verdicts in self.evaluate(tokens, rates, judges).items():
            yield Result(name, 0, verdicts)

    def evaluate(
        self, tokens: np.ndarray, rates: np.ndarray, judges: Sequence[str] | None = None
    ) -> dict[str, Verdicts]:
        """Returns the verdicts of all candidates in their order, by judge.

        Args:
          tokens: rules, int32 [N, L].
          rates: learning rates to sweep, [N, R].
          judges: names of those to ask; all if None.
        """
        places = self._table.place_of(tokens)
        self.outside += int((places < 0).sum())
        return {
            name: _looked_up(self._runs[name], self.judgements[name], places, np.asarray(rates))
            for name in judges or self.judgements
        }

    def close(self) -> None:
        """Does nothing: there are no threads."""


class _Runs(NamedTuple):
    """The runs of the table that a judgement asks for; of the last, empty function, nothing is known."""

    grid: np.ndarray  # [R] float32, the table's
    short: np.ndarray  # [K + 1, R, Q]
    short_steps: np.ndarray  # [K + 1, R, Q], executed
    full: np.ndarray  # [K + 1, R, S]
    full_steps: np.ndarray  # [K + 1, R, S]


def _runs_of(table: RuleTable, name: str, judgement: Judgement) -> _Runs:
    name = judge_name(name)
    recipe, judge = judgement.recipe, table.judge(name)
    trial = recipe.trial
    require(
        judge.steps == trial.full_steps,
        f"Table {table.name!r} has runs of {judge.steps} steps by judge {name!r}, not of {trial.full_steps}.",
    )
    missing = [seed for seed in recipe.seeds if seed not in judge.seeds]
    require(
        not missing,
        f"Table {table.name!r} has no replicates of seeds {missing[:3]} by judge {name!r}; it has those of "
        f"{list(judge.seeds)[:3]} ...",
    )
    columns = [judge.seeds.index(seed) for seed in recipe.seeds]
    sweep, full = columns[: trial.sweep_replicates], columns[trial.sweep_replicates :]
    losses = table.losses(judge)
    last = {"search": losses[..., -1], "choice": table.choice(judge), "test": table.test(judge)}
    end, steps = last[recipe.held_out], _steps_executed(judge, losses)
    at = _checkpoint(table, judge, trial)
    require(
        at == len(CHECKPOINTS) - 1 or recipe.held_out == "search",
        f"Table {table.name!r} knows losses on {recipe.held_out} data at the end of a run only.",
    )
    beginning = losses[..., at] if recipe.held_out == "search" else end
    short = steps[:, :, sweep].clip(max=trial.sweep_steps)
    found = (beginning[:, :, sweep], short, end[:, :, full], steps[:, :, full])
    fills = (np.inf, 0, np.inf, 0)
    return _Runs(
        table.rates,
        *(
            np.concatenate([x, np.full((1, *x.shape[1:]), fill, x.dtype)])
            for x, fill in zip(found, fills, strict=True)
        ),
    )


def _checkpoint(table: RuleTable, judge: TableJudge, trial: Trial) -> int:
    """Returns at which checkpoint the short runs of a trial end."""
    require(
        trial.sweep_steps in judge.checkpoint_steps,
        f"Table {table.name!r} has losses after {', '.join(map(str, judge.checkpoint_steps))} steps by judge "
        f"{judge.name!r}, not after {trial.sweep_steps}: --training.sweep-fraction is one of "
        f"{', '.join(f'{share:g}' for share in CHECKPOINTS)}.",
    )
    return judge.checkpoint_steps.index(trial.sweep_steps)


def _steps_executed(judge: TableJudge, losses: np.ndarray) -> np.ndarray:
    """Returns the steps of each run, int32 [K, R, S]; of one that diverged up to the checkpoint that found it so."""
    until = np.asarray(judge.checkpoint_steps, np.int32)
    diverged = ~np.isfinite(losses)
    first = np.where(diverged.any(axis=3), diverged.argmax(axis=3), len(until) - 1)
    return until[first]


def _looked_up(
    runs: _Runs, judgement: Judgement, places: np.ndarray, rates: np.ndarray
) -> Verdicts:
    """Returns what `judging.candidates` computes: sweep, half-decades beside the best, full runs at the two best."""
    trial, rows = judgement.recipe.trial, np.arange(len(places))
    decades = rates.astype(np.float32)  # [N, R]
    at = _rate_places(runs.grid, decades)
    totals = _short_totals(runs, places, at)
    if trial.refine:
        best = totals.argmin(axis=1)
        beside = decades[rows, best, None] * np.array([10.0**-0.5, 10.0**0.5], np.float32)
        beside_at = _rate_places(runs.grid, beside)
        totals = np.concatenate([totals, _short_totals(runs, places, beside_at)], axis=1)
        decades, at = np.concatenate([decades, beside], axis=1), np.concatenate([at, beside_at], 1)
    order = np.argsort(totals, axis=1, kind="stable")[:, : 1 + trial.refine]  # [N, F]
    limit = trial.give_up * judgement.baseline * trial.sweep_replicates
    lowest = totals[rows, order[:, 0]]
    swept = judgement.baseline > 0 and trial.sweep_replicates > 0
    hopeless = ~(lowest < (limit if swept else np.inf))
    full, full_steps = (
        _at(x, places[:, None], np.take_along_axis(at, order, axis=1), fill)
        for x, fill in ((runs.full, np.inf), (runs.full_steps, 0))
    )  # [N, F, S]
    full = np.where(hopeless[:, None, None], np.float32(np.inf), full)
    steps = np.where(hopeless, 0, full_steps.sum(axis=(1, 2)))
    steps += _at(runs.short_steps, places[:, None], at, 0).sum(axis=(1, 2))
    ends = full.mean(axis=2) if trial.full_replicates else full.sum(axis=2)
    better = ends.argmin(axis=1)
    losses = full[rows, better]
    return Verdicts(
        decades,
        totals / np.float32(max(trial.sweep_replicates, 1)),
        decades[rows, order[rows, better]],
        losses,
        np.full_like(losses, np.nan),
        steps.astype(np.int32),
    )


def _short_totals(runs: _Runs, places: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Returns the sums of short runs' losses over their replicates, float32 [N, R]."""
    return _at(runs.short, places[:, None], at, np.inf).sum(axis=2, dtype=np.float32)


def _at(values: np.ndarray, places: np.ndarray, at: np.ndarray, fill: float) -> np.ndarray:
    """Returns the values of functions at rates, [..., S]; the fill where the rate is none of the grid."""
    found = values[places, np.maximum(at, 0)]
    return np.where((at < 0)[..., None], np.asarray(fill, values.dtype), found)


def _rate_places(grid: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Returns the place of each rate in the grid, -1 where it is not one of its numbers."""
    with np.errstate(divide="ignore"):
        gaps = np.abs(np.log(rates)[..., None] - np.log(grid))
    at = gaps.argmin(axis=-1)
    near = np.take_along_axis(gaps, at[..., None], axis=-1)[..., 0] < _NEAR
    return np.where(near, at, -1)
