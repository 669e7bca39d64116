"""choice: which of the archive's best rules are worth reporting.

The search score is the best of thousands and therefore too good. So the best rules are tuned anew around their rate, on
fresh seeds, and judged on "choice" data that the search never saw; rank 1 of that list is the winner unless larger
problems rank the list once more (`funnel`), and the claim is about it alone.

Letters: K rules, L tokens, J judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from metarl.problems import Problem
from metarl.update_rules import Grammar

from ..judging.evaluators import Backend, local_evaluator
from ..judging.judges import judges_of
from ..judging.panel import Panel, around, refining_trial
from ..searching.archive import Archive, ArchivedRule
from ..settings.config import SearchConfig


class Choice(NamedTuple):
    """One rule, as choice data see it."""

    rule: str
    reward: float  # of the search
    choice_score: float  # the same measure on choice data and fresh seeds
    learning_rate: float  # re-tuned, for the first judge
    scores: dict[str, float] = {}  # noqa: RUF012 (never changed); of choice data, by judge
    larger_score: float | None = (
        None  # the same measure on larger problems, where the funnel has them
    )
    larger_scores: dict[str, float] = {}  # noqa: RUF012 (never changed); of larger problems, by judge
    simplified_from: str | None = None  # the rule that was found and earned the scores above


class Ranked(NamedTuple):
    """A rule of the choice, with its tokens."""

    tokens: np.ndarray  # [L]
    choice: Choice


def choose(
    archive: Archive, grammar: Grammar, problems: list[Problem], config: SearchConfig
) -> list[Choice]:
    """Returns the archive's best rules in the order of their score on choice data, best first.

    At most `config.final.candidates` rules enter, one of each group of near-duplicates. Where two have one text, its
    best score counts.
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
) -> Panel:
    """Returns the search's judges on choice data, with fresh seeds."""
    judges = judges_of(problems, config.training.steps, config.training.horizons)
    trial_of = lambda steps: refining_trial(steps, config)  # noqa: E731
    return Panel(judges, grammar, config, "choice", trial_of, backend)


def rank(entries: Sequence[ArchivedRule], panel: Panel) -> list[Ranked]:
    """Returns rules of an archive in the order of their score by a panel, best first; of equal texts the best."""
    if not entries:
        return []
    tokens = np.stack([entry.tokens for entry in entries])
    rates = np.stack([entry.learning_rates for entry in entries])  # [K, J]
    scores = panel.scores(tokens, around(rates))
    tuned = scores.rates[panel.names[0]]
    texts = [str(panel.grammar.to_rule(row).canonical()) for row in tokens]
    found: dict[str, Ranked] = {}
    for i in np.argsort(-scores.total, kind="stable"):
        choice = Choice(
            texts[i],
            float(entries[i].reward),
            float(scores.total[i]),
            float(tuned[i]),
            {name: float(alone[i]) for name, alone in scores.by_judge.items()},
        )
        found.setdefault(choice.rule, Ranked(tokens[i], choice))
    return list(found.values())
