"""transfer: rules found on search problems, judged on these and on problems that no search has seen.

Everybody is tuned alike on every problem. What is asked is how much of a rule's lead over tuned Adam is left on the
held-out problems, and whether a rule that is good on the former is good on the latter.

Letters: P problems.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metarl.errors import require
from metarl.problems import cards
from metarl.reporting import Column, Table
from metarl.statistics import Interval

from ..comparing.comparison import Comparison
from ..comparing.entrants import BASELINE, entrant, rule_entrant
from ..comparing.problem_names import suite_names
from .compared import (
    RATIO,
    VERDICTS,
    Protocol,
    by_problem,
    compared,
    detail_table,
    relative_chart,
    relative_loss,
)
from .titled_rules import titled_rules
from .work import Findings, Work

SEARCH, HELD_OUT = "search", "held-out"


@dataclass(frozen=True)
class Settings:
    """Which rules, on which problems."""

    protocol: Protocol
    """Problems of both kinds, and seeds."""
    rules: tuple[str, ...] = ("found", "PowerSign = powersign", "AddSign = addsign")
    """Rules that searches found; "found" are those of metarl."""
    references: tuple[str, ...] = ("sgd", "momentum", "rmsprop")
    """Standard optimizers, beside Adam."""


def judge_transfer(work: Work) -> Findings:
    """Compares rules with tuned Adam on search problems and on held-out ones."""
    settings: Settings = work.settings
    rules = titled_rules(settings.rules)
    entrants = [rule_entrant(title, rule) for title, rule in rules.items()]
    entrants += [entrant(text) for text in settings.references]
    groups = split_by_role(settings.protocol.problems)
    comparison = compared(work, entrants, settings.protocol)
    labels = [one.label for one in entrants]
    rows = [_row(comparison, label, groups) for label in labels]
    return Findings(
        claims=[_claim(row, groups) for row in rows if row["optimizer"] in rules],
        tables={
            "transfer": _table(rows, groups, settings),
            "problems": detail_table(comparison, labels, BASELINE, "Transfer, by problem"),
        },
        charts=[
            relative_chart(
                f"{role}-problems",
                {row["optimizer"]: row[role] for row in rows},
                "tuned Adam",
                f" on the {len(names)} {role} problems",
            )
            for role, names in groups.items()
        ],
        numbers={"problems": groups, "rules": {row["optimizer"]: row for row in rows}},
    )


def split_by_role(names: Sequence[str]) -> dict[str, list[str]]:
    """Returns the names of problems by role; search and held-out among them stand for all of a role.

    Raises:
      InvalidInput: there are none of one role.
    """
    roles = {card.name: card.role for card in cards()}
    groups = {
        role: [name for name in suite_names(names) if roles.get(name) == role]
        for role in (SEARCH, HELD_OUT)
    }
    for role, members in groups.items():
        require(len(members) > 0, f"Transfer needs {role} problems; none among {', '.join(names)}.")
    return groups


def _row(comparison: Comparison, label: str, groups: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    found = by_problem(comparison, label, BASELINE)
    held_out = [found[problem].verdict for problem in groups[HELD_OUT]]
    return {
        "optimizer": label,
        SEARCH: relative_loss(comparison, label, BASELINE, groups[SEARCH]),
        HELD_OUT: relative_loss(comparison, label, BASELINE, groups[HELD_OUT]),
        "better": held_out.count("better"),
        "worse": held_out.count("worse"),
    }


def _table(
    rows: Sequence[Mapping[str, Any]], groups: Mapping[str, Sequence[str]], settings: Settings
) -> Table:
    columns = [
        Column("optimizer"),
        Column(SEARCH, "loss on search problems, Adam = 1"),
        Column(HELD_OUT, "on held-out problems"),
        Column("better", "held-out problems where better"),
        Column("worse", "where worse"),
    ]
    notes = [
        f"Search problems: {', '.join(groups[SEARCH])}. Held out: {', '.join(groups[HELD_OUT])}.",
        f"{settings.protocol.seeds} seeds. {RATIO} {VERDICTS}",
    ]
    return Table("Transfer", columns, list(rows), notes)


def _claim(row: Mapping[str, Any], groups: Mapping[str, Sequence[str]]) -> str:
    before, after = row[SEARCH], row[HELD_OUT]
    return (
        f"{row['optimizer']}: {_told(before)} on the {len(groups[SEARCH])} search problems, {_told(after)} on the "
        f"{len(groups[HELD_OUT])} held-out ones (better on {row['better']}, worse on {row['worse']})."
    )


def _told(loss: Interval) -> str:
    return f"{loss.estimate:.3f} [{loss.low:.3f}, {loss.high:.3f}] times Adam's loss"
