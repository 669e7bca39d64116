"""The built-in problems: one row each, read without jax, scikit-learn or data.

A row is a card and the place of the factory that builds the problem, "module:function". A new problem is one row here
and one function there. Roles: rules are searched on two networks and a quadratic; every other problem is held out, so
that a rule meets data, networks and losses it was never selected on.
"""

from __future__ import annotations

import math

from .problem import Card

_DIGITS = "Optical recognition of handwritten digits, UCI (Alpaydin and Kaynak 1998), as bundled with scikit-learn"
_MORE = "Moré, Garbow and Hillstrom (1981), Testing Unconstrained Optimization Software, ACM TOMS 7(1)"

_ROWS: tuple[tuple[str, Card], ...] = (
    (
        "metarl.problems.digits:digits_mlp",
        Card(
            name="digits-mlp",
            family="vision",
            role="search",
            metric="accuracy",
            chance=0.1,
            steps=100,
            batch_size=64,
            description="Handwritten digits, 8x8 pixels, by a 64-64-10 ReLU network.",
            source=_DIGITS,
        ),
    ),
)

FACTORIES: dict[str, str] = {card.name: factory for factory, card in _ROWS}
CARDS: dict[str, Card] = {card.name: card for _, card in _ROWS}
