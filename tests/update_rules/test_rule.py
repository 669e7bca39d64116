"""The rule as a value: equality, limits of hand-made trees, JSON, LaTeX, named rules."""

from __future__ import annotations

import copy
import dataclasses
import io
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import mathtext

from metarl.errors import InvalidInput
from metarl.update_rules import (
    NAMED_RULES,
    OPERANDS,
    PRIMITIVES,
    UNARY,
    Binary,
    Number,
    Operand,
    Rule,
    RuleSyntaxError,
    Unary,
    parse,
    resolve,
)

G = Operand("g")


def test_a_rule_is_a_value():
    rule = parse("sign(g) * m")
    assert rule == parse("sign( g )*m") and rule != parse("m * sign(g)")
    assert {rule: 1}[parse("sign(g) * m")] == 1
    assert repr(rule) == "Rule.parse('sign(g) * m')"
    assert pickle.loads(pickle.dumps(rule)) == rule == copy.deepcopy(rule)
    with pytest.raises(dataclasses.FrozenInstanceError):
        rule.expression = G  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("text", "size", "depth", "needs"),
    [
        ("g", 1, 1, set()),
        ("exp(sign(g) * sign(m)) * g", 8, 5, {"m"}),
        ("adam", 1, 1, {"m", "v"}),
        ("rmsprop + y", 3, 2, {"v", "y"}),
        ("ld * drop(g, 0.3)", 4, 3, {"progress", "random"}),
        ("g + 1e-3 * w + annealed_noise", 7, 4, {"w", "random", "count"}),
    ],
)
def test_size_depth_and_needs_are_those_of_the_tree(text, size, depth, needs):
    rule = parse(text)
    assert (rule.size, rule.depth, rule.needs) == (size, depth, needs)


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        (Operand("foo"), "Unknown operand 'foo'"),
        (Operand("adm"), "Did you mean 'adam'?"),
        (Unary("exq", G), "Did you mean 'exp'?"),
        (Binary("**", G, G), "Unknown operator '**'"),
        (Number(-1.0), "a finite float that is not negative"),
        (Number(-0.0), "a finite float that is not negative"),
        (Number(float("nan")), "a finite float that is not negative"),
        (Number(float("inf")), "a finite float that is not negative"),
        (Number(10**400), "a finite float that is not negative"),
        (Unary("clip", G), "The limit of clip is a float above 0, not None"),
        (Unary("clip", G, float("inf")), "The limit of clip is a float above 0, not inf"),
        (Unary("drop", G, 1.0), "The rate of drop is a float at least 0 and below 1, not 1.0"),
        (Unary("exp", G, 1.0), "exp takes no constant"),
        ("g", "A rule is made of Operand, Number, Unary, Binary, not str"),
    ],
)
def test_a_tree_made_by_hand_is_checked_as_text_is(tree, says):
    with pytest.raises(InvalidInput) as caught:
        Rule(tree)
    assert says in str(caught.value)


def test_a_tree_too_deep_for_its_text_is_refused():
    tree = G
    for _ in range(290):
        tree = Unary("exp", tree)
    with pytest.raises(InvalidInput, match="at most 100 levels"):
        Rule(tree)
    for _ in range(100_000):
        tree = Unary("exp", tree)
    with pytest.raises(InvalidInput, match="at most 300 operands"):
        Rule(tree)
    while isinstance(tree, Unary):  # a chain this long must not be freed recursively
        tree = tree.argument


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("", "it is not JSON"),
        ("{", "it is not JSON"),
        ("[" * 100_000, "nested more than 64 levels deep"),
        (None, "is NoneType; JSON is text"),
        ("[]", "its format is not 'metarl.rule'"),
        ('{"text": "g"}', "its format is not 'metarl.rule'"),
        ('{"format": "metarl.rule", "version": 2, "text": "g"}', "in version 2"),
        ('{"format": "metarl.rule", "version": true, "text": "g"}', "in version True"),
        ('{"format": "metarl.rule", "version": 1, "text": "g", "text": "m"}', "stands twice"),
        ('{"format": "metarl.rule", "version": 1}', "there is nothing here"),
        ('{"format": "metarl.rule", "version": 1, "text": 3}', "A rule is text"),
        ('{"format": "metarl.rule", "version": 1, "text": "exq(g)"}', "Did you mean 'exp'?"),
    ],
)
def test_a_document_that_is_no_rule_is_refused(document, says):
    with pytest.raises(InvalidInput) as caught:
        Rule.from_json(document)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("g * m", r"g \cdot \hat{m}"),
        ("(g + m) * v", r"\left(g + \hat{m}\right) \cdot \hat{v}"),
        ("g / (m + v)", r"\frac{g}{\hat{m} + \hat{v} + \epsilon}"),
        ("exp(g)^2", r"\left(e^{g}\right)^{2}"),
        ("adam^2", r"\left(\frac{\hat{m}}{\sqrt{\hat{v}} + \epsilon}\right)^{2}"),
        ("2^(g + m)", r"2^{g + \hat{m}}"),
        ("g + -m", r"g + \left(-\hat{m}\right)"),
        ("-(g + m)", r"-\left(g + \hat{m}\right)"),
        ("-g * m", r"-g \cdot \hat{m}"),
        ("g * (m * v)", r"g \cdot \left(\hat{m} \cdot \hat{v}\right)"),
        ("1e-4 * w", r"10^{-4} \cdot w"),
        ("g^1.5e-7", r"g^{1.5 \cdot 10^{-7}}"),
        ("1e-4^g", r"\left(10^{-4}\right)^{g}"),
        ("clip(g, 1e-5)", r"\mathrm{clip}\left(g, 10^{-5}\right)"),
    ],
)
def test_latex_groups_as_the_tree_does(text, latex):
    assert parse(text).to_latex() == latex


def renders(latex: str) -> bool:
    mathtext.math_to_image(f"${latex}$", io.BytesIO(), dpi=20)
    return True


@pytest.mark.parametrize("row", PRIMITIVES, ids=lambda row: f"{row.kind} {row.name}")
def test_every_row_of_the_table_shows_in_mathtext(row):
    constant = None if row.constant is None else 1e-4
    tree = {
        "operand": lambda: Operand(row.name),
        "unary": lambda: Unary(row.name, Operand("adam"), constant),
        "binary": lambda: Binary(row.name, Operand("adam"), Operand("cd10")),
    }[row.kind]()
    assert renders(Rule(tree).to_latex())
    assert row.meaning and row.source in ("icml", "arxiv", "modern")


@given(data=st.data())
@settings(max_examples=20, deadline=None, derandomize=True)
def test_the_latex_of_every_rule_shows_in_mathtext(data, expressions):
    assert renders(Rule(data.draw(expressions)).to_latex())


def test_the_table_holds_the_language_of_the_paper_and_what_came_after_it():
    def rows(table, modern):
        return {row.name for row in table.values() if (row.source == "modern") == modern}

    operands = "g m v y w adam rmsprop noise annealed_noise ld cd cd10 rd10 rd20"
    assert rows(OPERANDS, modern=False) == set(operands.split())
    assert rows(UNARY, modern=False) == {"-", "exp", "log", "sqrt", "sign", "clip", "drop"}
    assert rows(OPERANDS, modern=True) == {"s", "c"}
    tensors = {"ortho", "rms", "rownorm", "colnorm", "cautious"}
    assert rows(UNARY, modern=True) == tensors
    assert tensors == {row.name for row in UNARY.values() if row.of_tensors}


@pytest.mark.parametrize("row", NAMED_RULES.values(), ids=lambda row: row.name)
def test_every_named_rule_is_written_as_it_prints(row):
    assert str(row.rule) == row.text
    assert resolve(row.name) == row.rule == resolve(row.text)
    assert row.name.replace("-", "_").isidentifier() and row.name == row.name.lower()
    assert row.source and row.mark in ("v", "r", "?")
    # a number of the paper is printed with its mark alone
    assert all("[" in part for part in row.note.split(";") if "accuracy" in part)


def test_named_rules_are_different_rules():
    assert len({row.rule.canonical() for row in NAMED_RULES.values()}) == len(NAMED_RULES)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("powersing", "Did you mean 'powersign'?"),
        ("adamm", "Did you mean 'adam'?"),
        ("power-sign-ld", "Did you mean 'powersign-ld'?"),
        ("qqqq", "Named: sgd, momentum, adam"),
        ("exp(q)", "column 5"),
        ("a" * 1_000_000, "Unknown rule"),
        ("g + " * 1_000_000, "too many"),
        (3, "A rule is given by its name or as text."),
    ],
)
def test_what_is_neither_name_nor_text_is_refused_with_a_suggestion(text, says):
    with pytest.raises(InvalidInput) as caught:
        resolve(text)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 1500


def test_a_formula_keeps_its_caret_through_resolve():
    with pytest.raises(RuleSyntaxError, match=r"\^"):
        resolve("exp(sign(g) * sgn(m)) * g")
