"""Cuts of rules: each is simpler, each can be written, and none is missing."""

from __future__ import annotations

import numpy as np
import pytest

from metarl.update_rules import Grammar, Space, complexity, parse, simpler, space_named, with_parts


def cuts(text):
    return {str(cut.canonical()) for cut in simpler(parse(text))}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("g", set()),
        ("1", set()),
        ("exp(m)", {"m"}),
        ("clip(m, 1e-3)", {"m"}),
        ("g + m", {"g", "m"}),
        ("2 * g", {"2", "g"}),
        ("exp(sign(g)) * g", {"exp(sign(g))", "g", "sign(g) * g", "g * exp(g)"}),
        ("2 + g", {"2", "g", "1 + g"}),
    ],
)
def test_a_cut_puts_an_argument_or_one_in_the_place_of_a_part(text, expected):
    assert cuts(text) == {str(parse(cut).canonical()) for cut in expected}


def test_a_part_that_stands_twice_is_cut_twice():
    assert "m + exp(m)" in cuts("g * m + exp(g * m)")
    assert "g * m + exp(m)" not in cuts("g * m + exp(g * m)")


def test_of_equal_cuts_one_is_given():
    assert sorted(cuts("g + g")) == ["g"] and len(simpler(parse("g + g"))) == 1


@pytest.mark.parametrize("space", ["arxiv", "constants", "sign"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_every_cut_of_a_random_rule_is_simpler_and_can_be_written_at_its_depth(space, depth):
    grammar = Grammar(space, depth)
    for row in grammar.sample(np.random.default_rng(depth), 12):
        rule = grammar.to_rule(row)
        parts = Grammar(with_parts(space_named(space), [rule]), depth)
        np.testing.assert_array_equal(parts.to_rule(parts.to_tokens(rule)), rule)
        for cut in simpler(rule):
            assert complexity(cut) < complexity(rule)
            assert parts.to_rule(parts.to_tokens(cut)).canonical() == cut.canonical()


def test_a_space_with_the_parts_of_rules_keeps_its_own_members_in_their_places():
    bare = Space("bare", ("g", "1e-3 * w"), ("x",), ("*",), "without what its operands are made of")
    rules = [parse("g * (1e-3 * w)"), parse("exp(clip(m, 0.5)) + g")]
    whole = with_parts(bare, rules)
    assert whole.operands == ("g", "1e-3 * w", "1", "1e-3", "w", "m")
    assert whole.unary == ("x", "exp(x)", "clip(x, 0.5)")
    assert whole.binary == ("*", "+", "keep")
    assert with_parts(whole, rules).operands == whole.operands
    Grammar(whole, 2)


def test_complexity_counts_parts_and_then_numbers_that_are_not_one():
    assert complexity(parse("g")) < complexity(parse("1 + g")) < complexity(parse("2 + g"))
    assert complexity(parse("2 + g")) < complexity(parse("exp(g) + m"))
    assert complexity(parse("--g")) == complexity(parse("g"))
