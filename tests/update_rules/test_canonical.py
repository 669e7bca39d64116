"""The canonical form keeps every bit of the value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metarl.update_rules import Grammar, Rule, parse, reference_update

EDGES = [0.0, -0.0, 1.0, -1.0, 2.0, 1e-30, -1e-30, 1e30, -1e30, np.inf, -np.inf, 0.5, -3.0]


def state(seed: int, dtype: type = np.float32) -> dict:
    """Returns random arrays whose first entries pair every edge case of g with others."""
    rng = np.random.default_rng(seed)
    names = ("g", "m", "v", "y", "w", "s", "c")
    arrays = {
        name: np.concatenate([rng.permutation(EDGES), rng.normal(size=20)]).astype(dtype)
        for name in names
    }
    arrays["v"] = np.abs(arrays["v"])
    return {**arrays, "t": int(rng.choice([0, 3, 10])), "total_steps": 10}


def bits(rule: Rule, seed: int, dtype: type = np.float32) -> np.ndarray:
    """Returns the bits of the update, all kinds of NaN as one."""
    arguments = state(seed, dtype)
    value = reference_update(rule, **arguments, rng=np.random.default_rng(seed))
    value = np.where(np.isnan(value), np.asarray(np.nan, dtype), value)
    return value.view(np.uint32 if dtype == np.float32 else np.uint64)


@given(data=st.data(), seed=st.integers(0, 99))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_the_value_keeps_its_bits(data, seed, expressions):
    rule = Rule(data.draw(expressions))
    np.testing.assert_array_equal(bits(rule, seed), bits(rule.canonical(), seed))


@given(data=st.data())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_the_canonical_form_is_final_and_never_larger(data, expressions):
    rule = Rule(data.draw(expressions))
    once = rule.canonical()
    assert once.canonical() == once
    assert once.size <= rule.size + 1 if "^0" in str(once) else once.size <= rule.size
    assert once.needs <= rule.needs


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("space", ["arxiv", "deterministic", "sign", "modern"])
def test_rules_of_the_grammar_keep_their_bits_in_both_precisions(space, depth):
    grammar = Grammar(space, depth)
    for tokens in grammar.sample(np.random.default_rng(depth), 40):
        rule = grammar.to_rule(tokens)
        for dtype in (np.float32, np.float64):
            np.testing.assert_array_equal(
                bits(rule, depth, dtype), bits(rule.canonical(), depth, dtype)
            )


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("m * g", "g * m"),
        ("g * 2", "2 * g"),
        ("sign(m) * sign(g) * g", "g * (sign(g) * sign(m))"),
        ("--g", "g"),
        ("g * 1", "g"),
        ("1 * g", "g"),
        ("g - 0", "g"),
        ("exp(g) + 0", "exp(g)"),
        ("0 + sqrt(g)", "sqrt(g)"),
        ("g^1", "g"),
        ("(m * v)^0", "g^0"),
        ("g + -m", "g - m"),
        ("-g + m", "m - g"),
        ("g - -m", "g + m"),
        ("-g * m", "-(g * m)"),
        ("-g * -m", "g * m"),
        ("-g / m", "-(g / m)"),
        ("sqrt(-g)", "sqrt(g)"),
        ("log(--g)", "log(g)"),
        ("sign(sign(g))", "sign(g)"),
        ("drop(drop(g, 0.3), 0.3)", "drop(g, 0.3)"),
        ("drop(m, 0.3) + drop(g, 0.1)", "drop(g, 0.1) + drop(m, 0.3)"),
        ("noise + annealed_noise", "noise + annealed_noise"),
        ("-noise + annealed_noise", "annealed_noise - noise"),
        ("clip(clip(g, 1e-3), 1e-4)", "clip(g, 1e-4)"),
        ("clip(clip(g, 1e-5), 1e-4)", "clip(g, 1e-5)"),
        ("(1 + 1) * g", "2 * g"),
        ("(1 - 2) * g", "-g"),
        ("g * (2 * 3 - 5)", "g"),
        ("exp(-(-(m * 1)))", "exp(m)"),
        ("s * m * c", "c * (m * s)"),
        ("rms(-g) * m", "-(m * rms(g))"),
        ("colnorm(-rownorm(-m))", "colnorm(rownorm(m))"),
        ("ortho(--m)", "ortho(m)"),
    ],
)
def test_equal_rules_get_one_form(text, canonical):
    assert str(parse(text).canonical()) == canonical
    for dtype in (np.float32, np.float64):
        np.testing.assert_array_equal(bits(parse(text), 0, dtype), bits(parse(canonical), 0, dtype))


@pytest.mark.parametrize(
    "text",
    [
        "g / 1",  # epsilon is added to the divisor
        "0 * g",  # infinity
        "g - g",  # infinity
        "0 + g",  # -0 + 0 is +0
        "-(g - m)",  # 0 or -0
        "sign(-g)",  # 0 or -0
        "sign(exp(g))",  # underflow
        "g + (m + v)",  # rounding
        "1e-4 + 2",  # rounding
        "1 + 256",  # beyond what bfloat16 holds
        "noise - noise",  # infinity, after a long way
        "noise^0",  # a draw would go, and the next take its number
        "drop(drop(g, 0.3), 0.1)",  # two masks
        "g / -m",  # epsilon again
        "log(exp(g))",
        "ortho(-g)",  # 0 or -0
        "rms(rms(g))",  # epsilon
        "cautious(-g)",
        "g * 0.1^1",  # a power rounds a number to the gradient's precision
        "g * (0.2 + 0.1^1)",
        "g * (1e-200 * 1e200^1)",  # and that may be infinite
        "g * 0.1^0",
    ],
)
def test_what_would_change_a_value_stays(text):
    assert str(parse(text).canonical()) == text


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("x", ["0.1", "1e-3", "0.7", "1e39", "1e200", "1e-50", "(2^0.5)"])
def test_powers_of_numbers_keep_their_bits(x, dtype):
    for text in (f"({x}^1 + 0.2) * g", f"{x}^1 * 1e-200 * g", f"g * ({x}^1 - {x})", f"{x}^0 * g"):
        rule = parse(text)
        np.testing.assert_array_equal(bits(rule, 0, dtype), bits(rule.canonical(), 0, dtype))


def test_commuted_rules_are_one_rule():
    written = [
        "exp(sign(g) * sign(m)) * g",
        "g * exp(sign(m) * sign(g))",
        "exp(--(sign(m) * sign(g))) * g",
    ]
    assert len({parse(text) for text in written}) == 3
    assert len({parse(text).canonical() for text in written}) == 1
