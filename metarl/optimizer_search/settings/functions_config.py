"""Settings of an enumeration: which functions of a space are met."""

from __future__ import annotations

from dataclasses import dataclass, field

from .config import FilterConfig


@dataclass(frozen=True)
class FunctionsConfig:
    """Which functions of which space, and how far."""

    space: str = "sign"
    """The space of the rules, as `metarl list primitives` names it."""
    depth: int = 1
    """Groups of a rule, 1 to 4; from 2 on most spaces are larger than the budget."""
    max_size: int | None = None
    """Nodes of the largest rules; the end of the space if not given."""
    budget: int = 1_000_000
    """The most rules that are run on the probes; the functions met by then are listed, the simplest there are."""
    filters: FilterConfig = field(default_factory=FilterConfig)
