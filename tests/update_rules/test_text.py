"""Text to rule and back."""

from __future__ import annotations

import contextlib
import pickle
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metarl.errors import InvalidInput
from metarl.update_rules import (
    BINARY,
    OPERANDS,
    UNARY,
    Binary,
    Number,
    Operand,
    Rule,
    RuleSyntaxError,
    Unary,
    parse,
)
from metarl.update_rules.parser import MAX_CHARACTERS, MAX_DEPTH, MAX_NODES
from metarl.update_rules.printer import number_text

LIMIT_SECONDS = 5.0  # of computing; collecting the garbage of a long test run alone may take one


def error_of(text) -> RuleSyntaxError:
    with pytest.raises(RuleSyntaxError) as caught:
        parse(text)
    return caught.value


def small_trees() -> list:
    """Returns every way to nest operators and a minus two deep, and a third on either side."""
    g, m = Operand("g"), Operand("m")
    once = [g, Number(2.0), Unary("-", g), Unary("exp", g)]
    once += [Binary(name, g, m) for name in BINARY]
    twice = [Binary(name, left, right) for name in BINARY for left in once for right in once]
    twice += [Unary("-", tree) for tree in once]
    outer = [
        Binary(name, *pair) for name in BINARY for tree in twice for pair in ((tree, m), (m, tree))
    ]
    return [*once, *twice, *outer, *(Unary("-", tree) for tree in twice)]


def test_every_small_tree_parses_back_from_its_text():
    trees = small_trees()
    texts = [str(Rule(tree)) for tree in trees]
    assert len(set(texts)) == len(set(trees)) > 4000
    for tree, text in zip(trees, texts, strict=True):
        assert parse(text).expression == tree


@given(data=st.data())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_every_rule_parses_back_from_its_text(data, expressions):
    rule = Rule(data.draw(expressions))
    assert parse(str(rule)) == rule
    assert Rule.from_json(rule.to_json()) == rule
    assert hash(parse(str(rule))) == hash(rule)


@given(data=st.data())
@settings(max_examples=80, deadline=None, derandomize=True)
def test_no_pair_of_parentheses_can_be_left_out(data, expressions):
    text = str(Rule(data.draw(expressions)))
    for opening, closing in bracket_pairs(text):
        if opening > 0 and text[opening - 1].isalpha():
            continue  # the brackets of a function
        without = text[:opening] + text[opening + 1 : closing] + text[closing + 1 :]
        with contextlib.suppress(RuleSyntaxError):
            assert parse(without) != parse(text)


def bracket_pairs(text):
    opened, pairs = [], []
    for place, character in enumerate(text):
        if character == "(":
            opened.append(place)
        elif character == ")":
            pairs.append((opened.pop(), place))
    return pairs


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("-g^2", "-(g^2)"),
        ("(-g)^2", "(-g)^2"),
        ("2^-g * m", "(2^(-g)) * m"),
        ("2^-g^2", "2^(-(g^2))"),
        ("g^m^v", "g^(m^v)"),
        ("g - m - v", "(g - m) - v"),
        ("g / m * v", "(g / m) * v"),
        ("g + m * v", "g + (m * v)"),
        ("-g * m", "(-g) * m"),
        ("g - -m", "g - (-m)"),
        ("--g", "-(-g)"),
        (" g\n\t+ m ", "g+m"),
        ("2. * .5 + 1E-4", "2 * 0.5 + 0.0001"),
    ],
)
def test_precedences_are_those_of_mathematics(text, same):
    assert parse(text) == parse(same)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("-g^2", Unary("-", Binary("^", Operand("g"), Number(2.0)))),
        ("clip(g, 1e-4)", Unary("clip", Operand("g"), 1e-4)),
        ("g - m * v", Binary("-", Operand("g"), Binary("*", Operand("m"), Operand("v")))),
    ],
)
def test_text_becomes_the_tree_it_says(text, tree):
    assert parse(text).expression == tree


@pytest.mark.parametrize("name", OPERANDS)
def test_every_operand_of_the_table_is_text(name):
    assert parse(name).expression == Operand(name)
    assert str(parse(name)) == name


@pytest.mark.parametrize("name", [name for name in UNARY if name != "-"])
def test_every_function_of_the_table_is_text(name):
    constant = None if UNARY[name].constant is None else 0.3
    text = f"{name}(m)" if constant is None else f"{name}(m, 0.3)"
    assert parse(text).expression == Unary(name, Operand("m"), constant)
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1"),
        (0.5, "0.5"),
        (0.01, "0.01"),
        (1e-3, "1e-3"),
        (1e-4, "1e-4"),
        (0.0015, "0.0015"),
        (100.0, "100"),
        (1000.0, "1e3"),
        (123456.0, "123456"),
        (0.1 + 0.2, "0.30000000000000004"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e308"),
    ],
)
def test_numbers_print_shortest(value, text):
    assert number_text(value) == text
    assert float(text) == value


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("", 1, "there is nothing here"),
        ("   ", 4, "there is nothing here"),
        ("g**2", 2, "powers are written with `^`"),
        ("exq(g)", 1, "Did you mean 'exp'?"),
        ("g * adm", 5, "Did you mean 'adam'?"),
        ("Exp(g)", 1, "Did you mean 'exp'?"),
        ("e^g", 1, "write exp(x)"),
        ("g / epsilon", 5, "adds epsilon to its divisor"),
        ("exp g", 1, "exp is a function: write exp(x)"),
        ("clip(g)", 7, "write clip(x, 1e-4)"),
        ("clip(g, m)", 9, "the limit of clip is a number above 0"),
        ("clip(g, 0)", 9, "the limit of clip is a number above 0, not 0"),
        ("clip(g, -1)", 9, "the limit of clip is a number above 0"),
        ("drop(g, 1)", 9, "at least 0 and below 1, not 1"),
        ("exp(g, 2)", 6, "exp takes one argument"),
        ("drop(g, 0.1, 2)", 12, "drop takes x and a rate"),
        ("(g + m", 1, "never closed"),
        ("exp(g", 4, "never closed"),
        ("g + m)", 6, "never opened"),
        ("g, m", 2, "a comma belongs between"),
        ("2 g", 3, "an operator is missing"),
        ("1.2.3", 4, "an operator is missing"),
        ("g(2)", 2, "g is a value, not a function"),
        ("g + * m", 5, "where a value should stand"),
        ("g +", 4, "the text ends where a value should stand"),
        ("+g", 1, "where a value should stand"),
        ("()", 2, "where a value should stand"),
        ("g × m", 3, "write `*`"),
        ("g² + m", 2, "write `^2`"),
        ("g − m", 3, "write the ASCII `-`"),
        ("g & m", 3, "'&' has no meaning here"),
        ("g\x00", 2, r"'\x00' has no meaning here"),
        ("\ud800", 1, r"'\ud800' has no meaning here"),
        ("١", 1, "has no meaning here"),
        ("1e999", 1, "too large"),
        ("g * 1e-999", 5, "too small"),
    ],
)
def test_an_error_names_the_column_and_what_to_write(text, column, says):
    error = error_of(text)
    assert error.column == column
    assert says in error.problem
    assert f"column {column} of the rule" in str(error)
    str(error).encode()  # can be printed anywhere


def test_the_caret_stands_below_the_column():
    assert str(error_of("g * exq(m)")).splitlines()[1:] == ["  g * exq(m)", "      ^"]


def test_an_error_in_a_later_line_shows_that_line():
    error = error_of("g +\n  foo * m\n+ v")
    assert (error.line, error.column) == (2, 3)
    assert str(error).splitlines()[0].startswith("At line 2, column 3 of the rule: unknown name")
    assert str(error).splitlines()[1:] == ["    foo * m", "    ^"]


def test_a_long_line_is_cut_around_the_column():
    excerpt, caret = str(error_of("g + " * 40 + "foo" + " + g" * 40)).splitlines()[1:]
    assert len(excerpt) < 80
    assert excerpt[caret.index("^") :].startswith("foo + g")
    assert excerpt.strip().startswith("...") and excerpt.endswith("...")


def test_wide_characters_do_not_move_the_caret():
    assert str(error_of("g *\t漢 m")).splitlines()[1:] == ["  g * ? m", "      ^"]


def test_errors_travel_between_processes():
    error = error_of("g * foo")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        "(" * 100_000 + "g" + ")" * 100_000,
        "[" * 9_000,
        ")" * 9_000,
        "(" * 9_000,
        "exp(" * 2_000,
        "-" * 9_000 + "g",
        "g" + "^g" * 4_000,
        "g" + "+g" * 4_000,
        "clip(" * 1_500 + "g",
        "a" * 1_000_000,
        "a" * 9_999,
        "1" * 1_000_000,
        "1" * 9_999,
        "1." + "0" * 9_990 + "e99999",
        "\n" * 1_000_000,
        "漢" * 1_000_000,
        "\u0301" * 9_000,
        "\u202e" * 9_000,
        "\x00" * 9_000,
        "𝒈" * 9_000,
        "g" + " " * 9_000 + "m",
        ("e" * 50 + " ") * 190,
    ],
    ids=lambda text: f"{text[:4]!a} and {len(text)} characters",
)
def test_hostile_text_ends_in_that_error_within_a_second_of_computing(text):
    start = time.thread_time()
    error = error_of(text)
    assert time.thread_time() - start < LIMIT_SECONDS
    assert len(str(error)) < 700
    str(error).encode()


@given(st.text(max_size=200) | st.text(alphabet="g m2.e(),+-*/^clip", max_size=200))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_any_text_is_a_rule_or_that_error(text):
    try:
        rule = parse(text)
    except RuleSyntaxError:
        return
    assert parse(str(rule)) == rule


@pytest.mark.parametrize("thing", [None, 3, b"g", ["g"]])
def test_what_is_no_text_is_refused(thing):
    with pytest.raises(InvalidInput, match="A rule is text such as"):
        parse(thing)


def test_the_limits_are_what_they_say():
    deepest = "exp(" * (MAX_DEPTH - 1) + "g" + ")" * (MAX_DEPTH - 1)
    assert parse(deepest).depth == MAX_DEPTH
    assert f"at most {MAX_DEPTH} levels" in error_of(f"exp({deepest})").problem
    right = "g * (" * (MAX_DEPTH - 1) + "g" + ")" * (MAX_DEPTH - 1)
    assert parse(str(parse(right))) == parse(right)
    wide = "+".join(["g * m"] * 75)  # 225 operands and operators below 75 levels
    assert parse(wide).size <= MAX_NODES
    assert f"at most {MAX_NODES} operands" in error_of(f"({wide}) * ({wide})").problem
    assert f"at most {MAX_CHARACTERS}" in error_of("g" + " " * MAX_CHARACTERS).problem


def test_a_rule_of_every_admitted_size_evaluates_hashes_and_prints():
    deepest = parse("-" * (MAX_DEPTH - 1) + "g")
    assert deepest.canonical() == parse("-g")
    assert hash(deepest) == hash(parse(str(deepest)))
    assert deepest.to_latex().count("-") == MAX_DEPTH - 1
