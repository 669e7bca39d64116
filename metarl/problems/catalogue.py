"""The built-in problems: one row each, read without jax, scikit-learn or data.

A row is a card and the place of the factory that builds the problem, "module:function". A new
problem is one row and one function. The split into roles is fixed, one module each: rules are
searched on few problems, and every other one is held out, so that a rule meets data, networks and
losses that it was never selected on.
"""

from __future__ import annotations

from . import catalogue_held_out, catalogue_later, catalogue_search
from .problem import Card

_ROWS: tuple[tuple[str, Card], ...] = (
    *catalogue_search.ROWS,
    *catalogue_held_out.ROWS,
    *catalogue_later.ROWS,
)

FACTORIES: dict[str, str] = {card.name: factory for factory, card in _ROWS}
CARDS: dict[str, Card] = {card.name: card for _, card in _ROWS}
