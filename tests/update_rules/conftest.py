"""Random rules, for properties that hold for every rule; exported rules as modules."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from hypothesis import strategies as st

from metarl.update_rules import BINARY, OPERANDS, UNARY, Binary, Grammar, Number, Operand, Unary

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


@pytest.fixture(scope="session")
def rules_of_every_depth():
    """The function from n and a space to n random rules, of each depth as many."""

    def draw(n, space="arxiv"):
        rng = np.random.default_rng(0)
        grammars = [Grammar(space, depth) for depth in (1, 2, 3, 4)]
        return [each.to_rule(tokens) for each in grammars for tokens in each.sample(rng, n // 4)]

    return draw


@pytest.fixture
def load(tmp_path):
    """The function that writes source to a file, imports it and returns the module."""

    def load(source, name="exported"):
        path = tmp_path / f"{name}.py"
        path.write_text(source, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
