"""Settings of a rule table: which functions of a space are trained, by whom they are judged, and how often."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from metarl.errors import require
from metarl.reading import Bounds, Count, PairedSeeds, Seed, check_fields

from .config import FilterConfig, check_one_size


@dataclass(frozen=True)
class TableConfig:
    """Which rules are trained for a table, and by whom they are judged."""

    space: str = "sign"
    """The space of the rules, as `metarl list primitives` names it."""
    depth: Annotated[int, Bounds(least=1, most=4)] = 1
    """Groups of a rule, 1 to 4."""
    max_size: Count | None = None
    """Nodes of the largest rules; the whole space if not given, which few spaces beyond depth 1 can be trained in."""
    judges: tuple[str, ...] = ("digits-mlp",)
    """Problems, each one file of the table; "digits-mlp x4" is one at four times its usual steps, "digits-mlp x0.25" at
    a quarter."""
    replicates: PairedSeeds = 8
    """Runs of a rule at each learning rate, each with its own start and its own split of the data."""
    filters: FilterConfig = field(default_factory=FilterConfig)
    """Which functions are trained: those that a search would train."""
    seed: Seed = 0
    """Of everything random."""

    def __post_init__(self) -> None:
        check_fields(self, within=True)
        check_one_size(self.filters)
        require(
            len(self.judges) > 0 and len(set(self.judges)) == len(self.judges),
            f"judges must be one or more different problems, not {', '.join(self.judges) or 'none'}.",
        )
