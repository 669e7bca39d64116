"""What each primitive means, against its formula written out for one number."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.update_rules import BINARY, OPERANDS, UNARY, evaluate, parse, reference_update

EPSILON = 1e-8
G = np.array([-3.0, -0.5, 0.0, 0.25, 2.0])
M = np.array([0.5, -1.0, 0.125, -0.25, 4.0])
V = np.array([1.0, 0.04, 0.0, 0.25, 9.0])
Y = np.array([-1.0, 0.5, 0.0, 0.125, 8.0])
S = np.array([0.25, -0.5, 1.0, 0.75, -2.0])
C = np.array([-0.5, 0.25, 3.0, 0.0, 1.5])
W = np.array([1.0, -2.0, 3.0, -4.0, 0.5])
STATE = {"g": G, "m": M, "v": V, "y": Y, "s": S, "c": C, "w": W}
STEP, STEPS = 30, 80

OPERAND_FORMULAS = {
    "g": lambda i: G[i],
    "m": lambda i: M[i],
    "v": lambda i: V[i],
    "y": lambda i: Y[i],
    "s": lambda i: S[i],
    "c": lambda i: C[i],
    "w": lambda i: W[i],
    "adam": lambda i: M[i] / (math.sqrt(V[i]) + EPSILON),
    "rmsprop": lambda i: G[i] / (math.sqrt(V[i]) + EPSILON),
    "ld": lambda i: 1 - STEP / STEPS,
    "cd": lambda i: (1 + math.cos(math.pi * STEP / STEPS)) / 2,
    "cd10": lambda i: (1 + math.cos(2 * math.pi * 10 * STEP / STEPS)) / 2,
    "rd10": lambda i: (1 + math.cos(math.pi * ((STEP * 10) % STEPS) / STEPS)) / 2,
    "rd20": lambda i: (1 + math.cos(math.pi * ((STEP * 20) % STEPS) / STEPS)) / 2,
}
RANDOM_OPERANDS = {"noise": 0.1, "annealed_noise": (1 + STEP) ** (-0.55 / 2)}  # standard deviations

FUNCTION_FORMULAS = {
    "-g": lambda x: -x,
    "exp(g)": math.exp,
    "log(g)": lambda x: math.log(abs(x)) if x else -math.inf,
    "sqrt(g)": lambda x: math.sqrt(abs(x)),
    "sign(g)": lambda x: (x > 0) - (x < 0),
    "clip(g, 0.3)": lambda x: min(max(x, -0.3), 0.3),
}

OPERATOR_FORMULAS = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / (y + EPSILON),
    "^": lambda x, y: x**y,  # of a base that is not negative
}


def update(text, dtype=np.float64, **more):
    arrays = {name: np.asarray(x, dtype) for name, x in STATE.items()}
    arguments = {**arrays, "t": STEP, "total_steps": STEPS, "epsilon": EPSILON, **more}
    return reference_update(text, **arguments)


def test_each_row_of_the_table_has_a_formula_here():
    assert set(OPERANDS) == {*OPERAND_FORMULAS, *RANDOM_OPERANDS}
    functions = {text.removesuffix("g").partition("(")[0] for text in FUNCTION_FORMULAS}
    elsewhere = {name for name, row in UNARY.items() if row.of_tensors}  # test_tensor_functions.py
    assert set(UNARY) == {*functions, *elsewhere, "drop"}
    assert set(BINARY) == set(OPERATOR_FORMULAS)


@pytest.mark.parametrize("name", OPERAND_FORMULAS)
def test_an_operand_is_its_formula(name):
    expected = [OPERAND_FORMULAS[name](i) for i in range(len(G))]
    np.testing.assert_allclose(update(name), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("text", FUNCTION_FORMULAS)
def test_a_function_is_its_formula(text):
    expected = [FUNCTION_FORMULAS[text](float(x)) for x in G]
    np.testing.assert_allclose(update(text), expected, rtol=1e-12)


@pytest.mark.parametrize("name", OPERATOR_FORMULAS)
def test_an_operator_is_its_formula(name):
    base = np.abs(M)  # a negative base has a test of its own
    expected = [OPERATOR_FORMULAS[name](float(x), float(y)) for x, y in zip(base, G, strict=True)]
    np.testing.assert_allclose(update(f"m {name} g", m=base), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("base", "exponent", "expected"),
    [
        (-2.0, 3.0, -8.0),
        (-2.0, 2.0, 4.0),
        (-2.0, -1.0, -0.5),
        (-2.0, 0.5, math.nan),
        (-2.0, math.nan, math.nan),
        (-math.inf, 0.5, math.inf),
        (-math.inf, -0.5, 0.0),
        (-math.inf, 1.5, math.inf),
        (1.0, math.inf, 1.0),
        (1.0, math.nan, 1.0),
        (-1.0, -math.inf, 1.0),
        (-2.0, 0.0, 1.0),
        (math.nan, 0.0, 1.0),
        (-2.5, 1.0, -2.5),
        (0.0, 0.5, 0.0),
        (0.0, -1.0, math.inf),
    ],
)
def test_powers_are_those_of_ieee_754(base, exponent, expected):
    np.testing.assert_equal(update("g^m", g=np.array([base]), m=np.array([exponent]))[0], expected)


@pytest.mark.parametrize("name", RANDOM_OPERANDS)
def test_noise_is_normal_with_the_stated_deviation(name):
    draw = reference_update(name, np.zeros(20_000), t=STEP, rng=np.random.default_rng(0))
    assert abs(draw.mean()) < 0.03 * RANDOM_OPERANDS[name]
    np.testing.assert_allclose(draw.std(), RANDOM_OPERANDS[name], rtol=0.03)


def test_drop_zeroes_the_stated_share_and_rescales_nothing():
    draw = reference_update("drop(g, 0.3)", np.full(20_000, 2.0), rng=np.random.default_rng(0))
    assert set(np.unique(draw)) == {0.0, 2.0}
    np.testing.assert_allclose((draw == 0.0).mean(), 0.3, atol=0.01)


def test_equal_parts_are_computed_once():
    calls = []
    library = SimpleNamespace(exp=lambda x: calls.append("exp") or np.exp(x), sign=np.sign)
    scope: Any = SimpleNamespace(g=G, xp=library, keep=lambda x, rate: calls.append("keep") or x)
    text = "exp(sign(g)) * exp(sign(g)) + drop(g, 0.5) - drop(g, 0.5)"
    evaluate(parse(text).expression, scope)
    assert sorted(calls) == ["exp", "keep"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("text", ["1", "exp(1) * g", "ld", "g + cd10 / 3", "2^g", "sqrt(2) * w"])
def test_the_update_has_the_type_and_shape_of_the_gradient(text, dtype):
    result = update(text, dtype)
    assert result.dtype == dtype and result.shape == G.shape


def test_constants_divide_as_arrays_do():
    np.testing.assert_equal(update("1 / -1e-8"), np.full(5, np.inf))
    np.testing.assert_equal(update("(1 - 1) / -1e-8"), np.full(5, np.nan))


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("m * g", "m"),
        ("adam", "m, v"),
        ("s * c", "c, s"),
        ("ld * w", "total_steps, w"),
        ("noise", "rng"),
    ],
)
def test_what_a_rule_needs_must_be_given(text, missing):
    with pytest.raises(InvalidInput, match=f"needs {missing} too"):
        reference_update(text, G)
