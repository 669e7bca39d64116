"""Settings of the comparison of strategies on tables of rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from metarl.errors import require
from metarl.reading import Bounds, Budget, Seed, check_fields

RANDOM = "random"
SEARCHES = 200  # of a strategy, and of one that trains a network:
SEARCHES_OF_CONTROLLERS = 50
CONTROLLERS = (
    *("reinforce", "ppo", "trpo", "risk-seeking", "priority-queue", "guided-evolution"),
    *("dpo", "rlhf", "imagination", "decision-transformer", "trajectory-transformer", "alphazero"),
)


@dataclass(frozen=True)
class StrategiesConfig:
    """Which strategies search which tables of rules, and how often."""

    table: tuple[str, ...] = ()
    """Strategies: tables of rules, by name or folder; all whole spaces that come with metarl if not given. Table: one
    of them, deterministic-1 if not given."""
    strategy: tuple[str, ...] = ("evolution", "enumeration", "reinforce", "ppo", "trpo")
    """Strategies: names, or my_module:factory of your own; random search is always there beside them. Table: evolution
    if not given. Overhead: all if not given."""
    searches: Annotated[int, Bounds(least=1, most=100_000)] | None = None
    """Strategies: searches of each; 200 if not given, 50 where a network learns; fewer than 8 have no intervals."""
    budget: Budget | None = None
    """Strategies: rules that a search trains, at most those of the table; an eighth of them, and 32, if not given.
    Table: 1,500, or all of a smaller table. Overhead: 256."""
    seed: Seed = 0
    """Strategies, table, overhead, problems: of everything random."""

    def __post_init__(self) -> None:
        check_fields(self)
        require(len(self.strategy) > 0, "Name at least one strategy, such as --strategy evolution.")

    def searches_of(self, strategy: str) -> int:
        """Returns how many searches a strategy does."""
        return self.searches or (SEARCHES_OF_CONTROLLERS if strategy in CONTROLLERS else SEARCHES)

    @property
    def strategies(self) -> tuple[str, ...]:
        """The strategies named, each once, random search before them."""
        return tuple(dict.fromkeys((RANDOM, *self.strategy)))
