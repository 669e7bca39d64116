"""rule table: what came of every rule of a small space, by every judge.

Losses are those of whole runs of a search (`judging.candidates`), read back from their rounded logarithms. A rule is
known by its place, 0 to K - 1, simplest first; whatever text a rule is written in, `place_of` finds the function that
it computes up to a positive factor, which the learning rate absorbs: the losses are those of the function's simplest
rule at the rates of the grid.

Letters: K functions; L tokens; R learning rates; S replicates; C checkpoints; J judges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from metarl.errors import require, unknown_name
from metarl.update_rules import Grammar

from ..settings.config import FilterConfig
from .places import Places

SPLITS = ("search", "choice", "test")
_FLOOR = -5.0  # what a score is where a run diverged, and the least it can be; the most is 5
_TINY = 1e-12  # losses below this are zero for all that single precision can tell


@dataclass(frozen=True, eq=False)
class TableJudge:
    """By whom the rules of a table were judged: a problem at a horizon.

    Attributes:
      name: of the judge: its problem's, with the horizon where that is not 1 (`digits-mlp x0.25`).
      problem: name of the problem.
      family: of the problem.
      role: "search" or "held-out": whether rules may be searched on it.
      steps: N, of a run.
      checkpoint_steps: after how many steps the losses were taken, [C].
      seeds: of the replicates, [S].
      adam: losses of tuned Adam by replicate, [S] each, on "search", "choice" and "test" data, at the end of a run.
      adam_rates: its learning rate for each of the three, that of the lowest mean loss over the replicates.
      adam_runs: its losses at fifteen learning rates from 1e-5 to 100: on "search" data at the checkpoints, [R, S, C],
        on "choice" and "test" data at the end, [R, S].
      start: losses on search data before the first step, [S].
      rounding: the most that the logarithm of a loss was changed by rounding.
      document: all that the file says of itself.
    """

    name: str
    problem: str
    family: str
    role: str
    steps: int
    checkpoint_steps: tuple[int, ...]
    seeds: tuple[int, ...]
    adam: Mapping[str, np.ndarray]
    adam_rates: Mapping[str, float]
    adam_runs: Mapping[str, np.ndarray] = field(repr=False)
    start: np.ndarray = field(repr=False)
    rounding: float
    document: Mapping[str, Any] = field(repr=False, default_factory=dict)
    _losses: Mapping[str, np.ndarray] = field(repr=False, default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether a run has the problem's usual steps, or more of them."""
        return self.document.get("horizon", 1.0) >= 1


@dataclass(frozen=True, eq=False)
class RuleTable:
    """Every function of a space that passes the filters, and what training said of it.

    Attributes:
      name: of the table.
      space: of the rules.
      depth: groups of a rule.
      max_size: nodes of the largest rules; None if the whole space is there.
      filters: which functions are there.
      tokens: one sequence a function, the simplest first, int32 [K, L].
      sizes: nodes of these rules, int [K].
      rates: learning rates, ascending, float32 [R].
      judges: by whom they were judged, in the order in which they were trained; those of short runs last.
      places: finds the function of a sequence of tokens.
      document: all that the file of the functions says of itself.
    """

    name: str
    space: str
    depth: int
    max_size: int | None
    filters: FilterConfig
    tokens: np.ndarray
    sizes: np.ndarray
    rates: np.ndarray
    judges: tuple[TableJudge, ...]
    places: Places = field(repr=False)
    document: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @property
    def grammar(self) -> Grammar:
        """The grammar of the tokens."""
        return Grammar(self.space, self.depth)

    @property
    def replicates(self) -> int:
        """S."""
        return len(self.judges[0].seeds)

    @property
    def whole_judges(self) -> tuple[TableJudge, ...]:
        """The judges but for those of short runs, which predict what a rule is worth and do not say it."""
        return tuple(judge for judge in self.judges if judge.is_whole)

    @property
    def extent(self) -> str | None:
        """What of its space is there, in words; None if all of it is."""
        return None if self.max_size is None else f"up to size {self.max_size}"

    @property
    def notice(self) -> str | None:
        """A line for those who use a table that ends before its space does; None if it does not."""
        if self.extent is None:
            return None
        return f"{self.space}-{self.depth}: {self.extent}, {len(self.tokens):,} rules."

    def judge(self, name: str | TableJudge) -> TableJudge:
        """Returns a judge by its name.

        Raises:
          InvalidInput: the table has none of the name; the nearest is suggested.
        """
        if isinstance(name, TableJudge):
            return name
        for judge in self.judges:
            if judge.name == name:
                return judge
        raise unknown_name(f"judge of table {self.name!r}", name, [j.name for j in self.judges])

    def losses(self, judge: str | TableJudge) -> np.ndarray:
        """Returns held-out losses on search data at the checkpoints, +inf where diverged, float32 [K, R, S, C]."""
        return self.judge(judge)._losses["search"]

    def choice(self, judge: str | TableJudge) -> np.ndarray:
        """Returns losses on choice data at the end of the same runs, +inf where diverged, float32 [K, R, S]."""
        return self.judge(judge)._losses["choice"]

    def test(self, judge: str | TableJudge) -> np.ndarray:
        """Returns losses on test data at the end of the same runs, +inf where diverged, float32 [K, R, S]."""
        return self.judge(judge)._losses["test"]

    def place_of(self, tokens: np.ndarray, max_size: int | None = None) -> np.ndarray:
        """Returns the place of the function that each sequence computes, -1 where it is not in the table, int [N].

        Args:
          tokens: of the table's grammar, [N, L].
          max_size: the most nodes of a rule, as `--filters.max-size`; larger ones have no place. No bound if None.
        """
        return self.places.of(tokens, max_size)

    def rule(self, place: int) -> str:
        """Returns the text of a function's simplest rule."""
        return str(self.grammar.to_rule(self.tokens[place]).canonical())

    def scores(
        self,
        judge: str | TableJudge,
        split: str = "search",
        replicates: Sequence[int] | None = None,
    ) -> np.ndarray:
        """Returns how much lower than tuned Adam's the losses at the end are, -mean log(loss / Adam's), [K, R].

        Args:
          judge: by its name.
          split: "search", "choice" or "test".
          replicates: over which the mean is taken; all if None.

        Returns:
          Scores by rule and learning rate, each run's clipped to [-5, 5]; -5 where any of the runs diverged.
        """
        judge = self.judge(judge)
        require(split in SPLITS, f"split must be one of {', '.join(SPLITS)}, not {split!r}.")
        chosen = slice(None) if replicates is None else list(replicates)
        losses = judge._losses[split]
        losses = (losses[..., -1] if split == "search" else losses)[:, :, chosen]
        good = np.isfinite(losses)
        logs = np.log(np.maximum(np.where(good, losses, 1.0), _TINY))
        relative = np.log(np.maximum(judge.adam[split][chosen], _TINY)) - logs
        means = np.clip(relative, _FLOOR, -_FLOOR).mean(axis=2)
        return np.where(good.all(axis=2), means, _FLOOR)


def truth(
    table: RuleTable,
    judges: str | TableJudge | Sequence[str | TableJudge],
    shown: Sequence[int] = (),
) -> np.ndarray:
    """Returns what rules are worth: their score on test data over the replicates that were not shown, [K].

    The learning rate of a rule is that of its best score on choice data over the same replicates, so its own luck on
    test data has no part in it; the score is -mean log(loss / tuned Adam's), the mean over judges.

    Args:
      table: of the rules.
      judges: one or more of its judges.
      shown: replicates that a search has seen, by number.

    Raises:
      InvalidInput: no replicate is left, or the table has no such judge.
    """
    hidden = [s for s in range(table.replicates) if s not in set(shown)]
    require(
        len(hidden) > 0, f"All {table.replicates} replicates of table {table.name!r} were shown."
    )
    names = [judges] if isinstance(judges, str | TableJudge) else list(judges)
    found = []
    for name in names:
        best = table.scores(name, "choice", hidden).argmax(axis=1)
        found.append(table.scores(name, "test", hidden)[np.arange(len(table.tokens)), best])
    return np.mean(found, axis=0)
