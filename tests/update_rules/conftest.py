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


def _functions(argument: st.SearchStrategy) -> st.SearchStrategy:
    constants = {"clip": LIMITS, "drop": RATES}
    return st.sampled_from(list(UNARY)).flatmap(
        lambda name: st.builds(Unary, st.just(name), argument, constants.get(name, st.none()))
    )


EXPRESSIONS = st.recursive(
    st.sampled_from(list(OPERANDS)).map(Operand) | NUMBERS.map(Number),
    lambda inner: (
        _functions(inner) | st.builds(Binary, st.sampled_from(list(BINARY)), inner, inner)
    ),
    max_leaves=12,
)


@pytest.fixture(scope="session")
def expressions() -> st.SearchStrategy:
    """Expressions over the whole table."""
    return EXPRESSIONS
