"""The rows of agents for tabular MDPs."""

from __future__ import annotations

from .row import Row

MDP_ROWS: tuple[Row, ...] = ()
