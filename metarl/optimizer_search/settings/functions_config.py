"""Settings of an enumeration: which functions of a space are met."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from metarl.reading import Bounds, Budget, Count, check_fields

from .config import FilterConfig, check_one_size


@dataclass(frozen=True)
class FunctionsConfig:
    """Which functions of which space, and how far."""

    space: str = "sign"
    """The space of the rules, as `metarl list primitives` names it."""
    depth: Annotated[int, Bounds(least=1, most=4)] = 1
    """Groups of a rule, 1 to 4; from 2 on most spaces are larger than the budget."""
    max_size: Count | None = None
    """Nodes of the largest rules; the end of the space if not given."""
    budget: Budget = 1_000_000
    """The most rules that are run on the probes; the functions met by then are listed, the simplest there are."""
    filters: FilterConfig = field(default_factory=FilterConfig)

    def __post_init__(self) -> None:
        check_fields(self, within=True)
        check_one_size(self.filters)
