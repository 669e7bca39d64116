"""Random rules, for properties that hold for every rule."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from metarl.update_rules import BINARY, OPERANDS, UNARY, Binary, Number, Operand, Unary

NUMBERS = st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.0, 3.0, 255.0, 1e-4, 2.5e10]) | st.floats(
    min_value=0.0, allow_infinity=False, allow_nan=False
).map(abs)
LIMITS = st.sampled_from([1e-5, 1e-3, 1.0]) | st.floats(
    min_value=0.0, max_value=1e30, exclude_min=True
)
RATES = st.sampled_from([0.0, 0.1, 0.5])


def _functions(argument: st.SearchStrategy, random: bool) -> st.SearchStrategy:
    constants = {"clip": LIMITS, "drop": RATES}
    names = [name for name in UNARY if random or name != "drop"]
    return st.sampled_from(names).flatmap(
        lambda name: st.builds(Unary, st.just(name), argument, constants.get(name, st.none()))
    )


def _make(random: bool) -> st.SearchStrategy:
    names = [name for name, row in OPERANDS.items() if random or "random" not in row.needs]
    leaves = st.sampled_from(names).map(Operand) | NUMBERS.map(Number)
    return st.recursive(
        leaves,
        lambda inner: (
            _functions(inner, random)
            | st.builds(Binary, st.sampled_from(list(BINARY)), inner, inner)
        ),
        max_leaves=12,
    )


EXPRESSIONS = _make(random=True)
DETERMINISTIC = _make(random=False)


@pytest.fixture(scope="session")
def expressions() -> st.SearchStrategy:
    """Expressions over the whole table."""
    return EXPRESSIONS


@pytest.fixture(scope="session")
def deterministic() -> st.SearchStrategy:
    """Expressions that draw no random numbers."""
    return DETERMINISTIC
