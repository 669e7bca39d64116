"""choice: which of the archive's best rules are worth reporting.

The search score is the best of thousands and therefore too good. So the best rules are tuned anew around their rate, on
fresh seeds, and judged on "choice" data that the search never saw: many on few seeds, then fewer on more (`halving`).
Those left at the end get a score on seeds that had no part in their ranking. Rank 1 of the list is the winner unless
further problems rank the list once more (`funnel`), and the claim is about it alone.

Letters: K rules, L tokens, J judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from metarl.problems import Problem
from metarl.update_rules import Grammar

from ..judging.evaluators import Backend, local_evaluator
from ..judging.halving import HalvingPanel, Rounds, rounds_of
from ..judging.judges import judges_of
from ..judging.panel import around
from ..searching.archive import Archive, ArchivedRule
from ..settings.config import SearchConfig


class Choice(NamedTuple):
    """One rule, as choice data see it."""

    rule: str
    reward: float  # of the search
    choice_score: float  # the same measure on choice data; of those left at the end on seeds that ranked nothing
    learning_rate: float  # re-tuned, for the first judge
    scores: dict[str, float] = {}  # noqa: RUF012 (never changed); of choice data, by judge
    larger_score: float | None = (
        None  # the same measure on further problems, where the funnel has them
    )
    larger_scores: dict[str, float] = {}  # noqa: RUF012 (never changed); of further problems, by judge
    simplified_from: str | None = None  # the rule that was found and earned the scores above
    choice_seeds: int = 0  # that the choice score rests on
    first_score: float | None = (
        None  # of the first round of the choice, on the same few seeds for all
    )
    rate_multiple: float | None = (
        None  # of tuned Adam's learning rate, the same for all judges, where a search has one
    )
    joint_score: float | None = (
        None  # of the judges of choice and funnel together, where their mean or the worst of them orders rules
    )


class Ranked(NamedTuple):
    """A rule of the choice, with its tokens."""

    tokens: np.ndarray  # [L]
    choice: Choice
    rates: np.ndarray  # [J], re-tuned, by judge


def choose(
    archive: Archive, grammar: Grammar, problems: list[Problem], config: SearchConfig
) -> list[Choice]:
    """Returns the archive's best rules as choice data order them, best first.

    At most `config.final.candidates` rules enter, one of each group of near-duplicates. Where two have one text, the
    better one counts.
    """
    panel = choice_panel(problems, grammar, config)
    ranked = rank(archive.best(config.final.candidates), panel)
    panel.close()
    return [rule.choice for rule in ranked]


def choice_panel(
    problems: Sequence[Problem],
    grammar: Grammar,
    config: SearchConfig,
    backend: Backend = local_evaluator,
) -> HalvingPanel:
    """Returns the search's judges on choice data, with fresh seeds."""
    judges = judges_of(problems, config.training.steps, config.training.horizons)
    return HalvingPanel(judges, grammar, config, choice_rounds(config), backend)


def choice_rounds(config: SearchConfig) -> Rounds:
    """Returns the rounds of a search's choice, which leave as many rules as what comes after it asks for."""
    final = config.final
    return rounds_of(final, max(config.finalists, final.funnel_rules if final.funnel else 1))


def rank(entries: Sequence[ArchivedRule], panel: HalvingPanel) -> list[Ranked]:
    """Returns rules of an archive in the order that a panel gives them, best first; of equal texts the better one."""
    if not entries:
        return []
    tokens = np.stack([entry.tokens for entry in entries])
    rates = np.stack([entry.learning_rates for entry in entries])  # [K, J]
    halved = panel.halve(tokens, around(rates), np.array([entry.reward for entry in entries]))
    scores, tuned = halved.scores, halved.scores.rates[panel.names[0]]
    adam = panel.adam_rates[0] if panel.one_rate else None
    texts = [str(panel.grammar.to_rule(row).canonical()) for row in tokens]
    found: dict[str, Ranked] = {}
    for i in halved.order:
        choice = Choice(
            texts[i],
            float(entries[i].reward),
            float(scores.total[i]),
            float(tuned[i]),
            {name: float(alone[i]) for name, alone in scores.by_judge.items()},
            choice_seeds=int(halved.seeds[i]),
            first_score=float(halved.first[i]),
            rate_multiple=None if adam is None else float(tuned[i] / adam),
        )
        by_judge = np.array([scores.rates[name][i] for name in panel.names])
        found.setdefault(choice.rule, Ranked(tokens[i], choice, by_judge))
    return list(found.values())
