"""The rows of agents for bandits."""

from __future__ import annotations

from .row import Row

BANDIT_ROWS: tuple[Row, ...] = ()
