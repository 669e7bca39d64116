"""table programs: by what a search on a table judges rules: the table's judges, replicates and tuned Adam.

The replicates of a table are dealt out by the seed of the search: some to the search, for its short and its full runs,
half of the others to the choice, and what is left to the truth, which nobody sees before the end.

Letters: N sequences; K functions; L tokens; S replicates; J judges.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container, Iterable, Sequence
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np

from metarl.errors import require
from metarl.problems import Problem
from metarl.reporting import counted
from metarl.update_rules import Grammar

from ..judging.candidates import Judgement, Recipe, Trial
from ..judging.evaluators import Evaluator
from ..judging.judges import Judge
from ..judging.reference import HALF_DECADES, Reference
from ..screening.probes import ProbeOutputs, probes_of
from ..searching.programs import (
    SHORT_RUN,
    SearchPrograms,
    full_trial,
    search_trial,
    short_name,
    short_trial,
)
from ..searching.sorting import Sorting
from ..settings.config import SearchConfig
from ..training.inner_training import Layout
from ..training.schedules import CONSTANT
from .places import OUTSIDE
from .rule_table import RuleTable
from .sweeping import CHECKPOINTS
from .table_evaluator import TableEvaluator

_DEAL = 0x7AB1E
_LAYOUT = Layout(replicates=0, train=0, batch=0, held=0, shared=False)  # nothing is trained


class Deal(NamedTuple):
    """Which replicates of a table who sees; places among the S."""

    sweep: tuple[int, ...]  # of the search's short runs
    full: tuple[int, ...]  # of its full runs
    choice: tuple[int, ...]
    truth: tuple[int, ...]

    @property
    def shown(self) -> tuple[int, ...]:
        """Those that the search or the choice sees."""
        return (*self.sweep, *self.full, *self.choice)


def deal(table: RuleTable, trial: Trial, seed: int) -> Deal:
    """Returns how the replicates of a table are dealt out, by the seed of a search.

    Raises:
      InvalidInput: there are too few for the trial, one for the choice and one for the truth.
    """
    order = np.random.default_rng([seed, _DEAL]).permutation(table.replicates).tolist()
    sweep, search = trial.sweep_replicates, trial.replicates
    left = table.replicates - search
    require(
        left >= 2,
        f"Table {table.name!r} has {table.replicates} replicates; a search with --training.seeds "
        f"{trial.full_replicates} sees {search} of them and leaves {max(left, 0)}, where the choice and the truth need "
        f"one each: give at most --training.seeds {table.replicates - 2 - sweep}.",
    )
    middle = search + left // 2
    return Deal(
        *(
            tuple(x)
            for x in (order[:sweep], order[sweep:search], order[search:middle], order[middle:])
        )
    )


class TablePrograms(SearchPrograms):
    """By what a search on a table judges rules.

    Args:
      table: that answers.
      grammar: of the rules, in the table's space and depth.
      problems: that rules are judged on.
      config: the settings of the search.

    Raises:
      InvalidInput: the table does not hold what the settings ask for.
    """

    def __init__(
        self, table: RuleTable, grammar: Grammar, problems: Sequence[Problem], config: SearchConfig
    ):
        """Compiles nothing."""
        super().__init__(grammar, problems, config)
        require_fit(table, config, self.judges)
        self.table = table
        self.deal = deal(table, search_trial(self.judges[0].steps, config), config.seed)
        self._backend = partial(TableEvaluator, table)

    @cached_property
    def judgements(self) -> dict[str, Judgement]:
        """What the table is asked for by each judge; there is no program."""
        found = {judge.name: self._judgement(judge) for judge in self.judges}
        if self.config.racing:
            found |= {short_name(judge.name): self._short_judgement(judge) for judge in self.judges}
        return found

    @cached_property
    def references(self) -> dict[str, Reference]:
        """Tuned Adam on the full replicates of the search, by judge."""
        return {judge.name: self._reference(judge.name) for judge in self.judges}

    @cached_property
    def short_references(self) -> dict[str, Reference]:
        """Adam tuned for the short runs of racing, by judge."""
        at = CHECKPOINTS.index(SHORT_RUN)
        return {j.name: self._reference(j.name, self.deal.sweep, at) for j in self.judges}

    @cached_property
    def evaluator(self) -> Evaluator:
        """Who looks verdicts up."""
        return self._backend(self.judgements)

    def sort(
        self,
        tokens: np.ndarray,
        known: Container[bytes],
        in_flight: Iterable[Sorting] = (),
        room: int | None = None,
    ) -> Sorting:
        """Returns what `sorting.sort` would, from the places of the table; no rule is run on the probes."""
        codes = self.table.places.codes(tokens, self.config.filters.max_size)
        passes = codes >= OUTSIDE
        inside = np.maximum(codes, 0)
        prints = [
            b"" if code < OUTSIDE
            else self.table.places.fingerprint(code) if code != OUTSIDE
            else hashlib.blake2b(row.tobytes(), digest_size=16).digest()
            for code, row in zip(codes.tolist(), np.ascontiguousarray(tokens, np.int32), strict=True)
        ]  # fmt: skip
        met = {sorting.fingerprints[place] for sorting in in_flight for place in sorting.new}
        repeated = np.zeros(len(tokens), bool)
        for place in np.flatnonzero(passes):
            repeated[place] = prints[place] in known or prints[place] in met
            met.add(prints[place])
        new = np.flatnonzero(passes & ~repeated)[:room]
        outputs = ProbeOutputs(*(x[inside] for x in table_outputs(self.table)))
        reasons = [self.table.places.verdict(code) for code in codes.tolist()]
        return Sorting(outputs, prints, reasons, passes, repeated, new)

    def _judgement(self, judge: Judge) -> Judgement:
        own = self.deal.full if self.config.racing else (*self.deal.sweep, *self.deal.full)
        return self._looked_up(judge, full_trial(judge.steps, self.config), own)

    def _short_judgement(self, judge: Judge) -> Judgement:
        return self._looked_up(judge, short_trial(judge.steps, self), self.deal.sweep)

    def _looked_up(self, judge: Judge, trial: Trial, replicates: Sequence[int]) -> Judgement:
        found = self.table.judge(judge.name)
        seeds = tuple(found.seeds[s] for s in replicates)
        recipe = Recipe(judge.problem, self.grammar, trial, "search", seeds, "table")
        baseline = float(found.start[list(self.deal.sweep)].mean())
        return Judgement(None, (), _LAYOUT, baseline, recipe)  # type: ignore[arg-type]

    def _reference(
        self, name: str, replicates: Sequence[int] | None = None, at: int = -1
    ) -> Reference:
        chosen = list(self.deal.full if replicates is None else replicates)
        losses = self.table.judge(name).adam_runs["search"][:, chosen, at]  # [R, S]
        best = int(np.argmin(losses.mean(axis=1)))
        return Reference(losses[best], float(HALF_DECADES[best]))


def table_programs(
    table: RuleTable,
) -> Callable[[Grammar, Sequence[Problem], SearchConfig], TablePrograms]:
    """Returns what makes the programs of a `SearchJob` on a table."""
    return partial(TablePrograms, table)


def require_fit(table: RuleTable, config: SearchConfig, judges: Sequence[Judge]) -> None:
    """Refuses a search that a table cannot answer.

    Raises:
      InvalidInput: says what was asked, what the table holds, and what to do.
    """
    what = f"Table {table.name!r}"
    require(
        (config.space, config.depth) == (table.space, table.depth),
        f"{what} holds rules of space {table.space!r} at depth {table.depth}; the search is in {config.space!r} at "
        f"depth {config.depth}. Add --space {table.space} --depth {table.depth}.",
    )
    for field in ("min_cosine", "min_oddness", "both_signs"):
        asked, held = getattr(config.filters, field), getattr(table.filters, field)
        require(
            asked == held,
            f"{what} holds the rules that pass filters with {field} {held}; the search has {asked}, and would train "
            f"others. Leave --filters.{field.replace('_', '-')} as it is.",
        )
    asked, held = config.filters.max_size, table.max_size
    require(
        asked is None or held is None or asked <= held,
        f"{what} ends at rules of {counted(held or 0, 'node')}; --filters.max-size {asked} lets larger ones pass. Give "
        f"--filters.max-size {held} or less, or leave it out: then larger rules earn the floor.",
    )
    require(
        config.reward == "loss",
        f"{what} holds losses and no accuracies; take --reward loss.",
    )
    require(
        config.training.schedule == CONSTANT,
        f"{what} holds runs at constant learning rates; the search asks for {config.training.schedule!r}. Leave "
        "--training.schedule out, or search without --evaluator table.",
    )
    for judge in judges:
        held = table.judge(judge.name)
        require(
            held.steps == judge.steps,
            f"{what} has runs of {held.steps} steps by judge {judge.name!r}; the search asks for {judge.steps}. Leave "
            "--training.steps out.",
        )
    _require_rates(table, config)
    count = rules_within(table, config)
    of_size = "" if asked is None else f" of at most {counted(asked, 'node')}"
    require(
        config.budget is None or config.budget <= count,
        f"{what} holds {counted(count, 'rule')}{of_size}; a budget of {config.budget or 0:,} is more than there are. "
        f"Give --budget {count} or less.",
    )
    final = config.final
    for field, asked in (
        *(("funnel", final.funnel), ("meta-overfitting", final.meta_overfitting)),
        ("simplify", final.simplify is not None),
    ):
        require(
            not asked,
            f"--final.{field} trains networks, which a search on a table does not; leave it out, or search without "
            "--evaluator table.",
        )


def rules_within(table: RuleTable, config: SearchConfig) -> int:
    """Returns how many rules of a table a search can train: those within its bound on sizes."""
    bound = config.filters.max_size
    return len(table.tokens) if bound is None else int((table.sizes <= bound).sum())


def table_outputs(table: RuleTable) -> ProbeOutputs:
    """Returns what the functions of a table give on the probes, [K, n] each; computed once a process."""
    if table not in _OUTPUTS:
        _OUTPUTS[table] = probes_of(table.grammar).outputs(table.tokens)
    return _OUTPUTS[table]


_OUTPUTS: dict[RuleTable, ProbeOutputs] = {}


def _require_rates(table: RuleTable, config: SearchConfig) -> None:
    grid = np.log10(table.rates)
    for rate in config.training.learning_rates:
        require(
            bool(np.abs(grid - np.log10(rate)).min() < 1e-3),
            f"Table {table.name!r} has learning rates by half-decades from 10^{grid[0]:.1f} to 10^{grid[-1]:.1f}; "
            f"{rate:g} is none of them.",
        )
    require(
        config.training.sweep_fraction in CHECKPOINTS,
        f"Table {table.name!r} has losses at {', '.join(f'{x:g}' for x in CHECKPOINTS)} of a run, not at "
        f"{config.training.sweep_fraction:g}; --training.sweep-fraction is one of these.",
    )
