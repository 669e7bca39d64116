"""Rules and tokens, masks against a brute force, sizes against the paper's."""

from __future__ import annotations

import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metarl.errors import InvalidInput
from metarl.update_rules import (
    NAMED_RULES,
    SPACES,
    Grammar,
    Space,
    parse,
    space_named,
    space_names,
)

TINY = Space("tiny", ("g", "m"), ("x", "sign(x)"), ("+", "keep"), "small enough to list")
CONSTRAINTS = ("different_operands", "no_final_addition", "reuse_values")
ALL_OPTIONS = [
    dict(zip(CONSTRAINTS, chosen, strict=True))
    for chosen in itertools.product([False, True], repeat=3)
]


def option_id(options: dict) -> str:
    return " and ".join(name for name, on in options.items() if on) or "no constraint"


def is_allowed(grammar: Grammar, tokens) -> bool:
    """The constraints as the paper says them, by group."""
    bank = len(grammar.operand_expressions)
    groups = [tokens[place : place + 5] for place in range(0, len(tokens), 5)]
    for group, (first, second, *_) in enumerate(groups):
        if grammar.different_operands and first == second:
            return False
        if grammar.reuse_values and group > 0 and first < bank and second < bank:
            return False
    last = grammar.binary_names[groups[-1][4]]
    return not (grammar.no_final_addition and last == "+")


@pytest.mark.parametrize(("depth", "size"), [(1, 2.5e5), (2, 7e10), (3, 2e16), (4, 8e21)])
def test_the_icml_space_has_the_size_of_the_paper(depth, size):
    assert Grammar("icml", depth).size == pytest.approx(size, rel=0.1)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("options", ALL_OPTIONS, ids=option_id)
def test_the_size_counts_what_the_constraints_allow(options, depth):
    grammar = Grammar(TINY, depth, **options)
    every = itertools.product(*(range(size) for size in grammar.slot_sizes))
    assert grammar.size == sum(is_allowed(grammar, tokens) for tokens in every)


@pytest.mark.parametrize("options", ALL_OPTIONS, ids=option_id)
def test_a_grammar_allows_exactly_the_sequences_that_break_no_constraint(options):
    grammar = Grammar(TINY, 2, **options)
    every = list(itertools.product(*(range(size) for size in grammar.slot_sizes)))[::7]
    for tokens in every:
        assert grammar.allows(np.array(tokens, np.int32)) == is_allowed(grammar, tokens)


@pytest.mark.parametrize("options", ALL_OPTIONS, ids=option_id)
def test_masks_allow_exactly_the_beginnings_of_allowed_sequences(options):
    grammar = Grammar(TINY, 2, **options)
    every = itertools.product(*(range(size) for size in grammar.slot_sizes))
    allowed = np.array([tokens for tokens in every if is_allowed(grammar, tokens)], np.int32)
    for position in range(grammar.length):
        beginnings = {tuple(row) for row in allowed[:, : position + 1].tolist()}
        for row in sorted({beginning[:-1] for beginning in beginnings})[::7]:
            tokens = np.zeros(grammar.length, np.int32)
            tokens[:position] = row
            expected = [(*row, token) in beginnings for token in range(grammar.width)]
            np.testing.assert_array_equal(grammar.mask(tokens, position), expected)


@pytest.mark.parametrize("options", [ALL_OPTIONS[0], ALL_OPTIONS[-1]], ids=option_id)
def test_the_traced_mask_is_the_mask(options):
    grammar = Grammar("arxiv", 3, **options)
    tokens = grammar.sample(np.random.default_rng(0), 6)
    traced = jax.jit(grammar.next_mask)
    for position in range(grammar.length):
        before = tokens * (np.arange(grammar.length) < position)
        mask = traced(jnp.asarray(before), jnp.int32(position))
        assert mask.shape == (6, grammar.width) and mask.dtype == bool
        expected = [grammar.mask(row, position) for row in tokens]
        np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("options", ALL_OPTIONS, ids=option_id)
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_samples_are_allowed_and_come_back_through_their_rule(depth, options):
    grammar = Grammar("icml", depth, **options)
    for tokens in grammar.sample(np.random.default_rng(depth), 15):
        assert is_allowed(grammar, tokens)
        rule = grammar.to_rule(tokens)
        again = grammar.to_tokens(rule)
        assert again.shape == (grammar.length,) and again.dtype == np.int32
        assert is_allowed(grammar, again)
        assert grammar.to_rule(again) == rule == parse(str(rule))


def test_every_sequence_of_a_tiny_grammar_comes_back_through_its_rule():
    grammar = Grammar(TINY, 2)
    every = itertools.product(*(range(size) for size in grammar.slot_sizes))
    rules = {grammar.to_rule(tokens) for tokens in every}
    assert len(rules) > 100
    for rule in rules:
        assert grammar.to_rule(grammar.to_tokens(rule)) == rule


@given(space=st.sampled_from(sorted(SPACES)), depth=st.integers(1, 4), seed=st.integers(0, 10**6))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_rules_and_tokens_agree_in_every_space(space, depth, seed):
    grammar = Grammar(space, depth)
    (tokens,) = grammar.sample(np.random.default_rng(seed), 1)
    rule = grammar.to_rule(tokens)
    assert grammar.to_rule(grammar.to_tokens(rule)) == rule


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("space", ["arxiv", "modern", "sign"])
def test_a_canonical_text_is_that_of_the_rule(space, normalised):
    grammar = Grammar(space, 2, normalised=normalised)
    for tokens in grammar.sample(np.random.default_rng(0), 50):
        assert grammar.canonical_text(tokens) == str(grammar.to_rule(tokens).canonical())


@given(
    space=st.sampled_from(sorted(SPACES)),
    depth=st.integers(1, 4),
    options=st.sampled_from(ALL_OPTIONS),
    normalised=st.booleans(),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_sizes_are_the_nodes_of_canonical_forms_as_groups_can_write_them(
    space, depth, options, normalised, seed
):
    grammar = Grammar(space, depth, **options, normalised=normalised)
    free = Grammar(space, depth, normalised=normalised)
    tokens = grammar.sample(np.random.default_rng(seed), 20)
    sizes = grammar.rule_sizes(tokens).tolist()
    for row, size in zip(tokens, sizes, strict=True):
        rule = grammar.to_rule(row)
        canonical = rule.canonical()
        again = free.to_rule(free.to_tokens(canonical))
        assert canonical.size <= size == min(rule.size, again.size)
        offered = numbers(SPACES[space].operands) | numbers(SPACES[space].unary)
        if numbers([str(canonical)]) <= offered and "-" not in str(canonical):
            assert size == canonical.size
    for most in (1, 3, 5, 9):
        assert grammar.larger_than(most, tokens).tolist() == [size > most for size in sizes]
    assert grammar.rule_sizes(tokens[:0]).shape == (0,)


def numbers(texts) -> set[float]:
    return {float(x) for text in texts for x in re.findall(r"(?<![\w.])\d[\d.]*(?:e-?\d+)?", text)}


@pytest.mark.parametrize(
    ("groups", "text", "size"),
    [
        ([[0, 0, 1, 0, 4], [12, 3, 1, 0, 2]], "g * sign(m)", 4),  # -(-g) * sign(m)
        ([[1, 4, 0, 0, 3], [0, 12, 0, 1, 1]], "g + m", 3),  # g - -(m ^ 1)
        ([[4, 4, 0, 0, 0], [0, 12, 0, 0, 3]], "g^2", 3),  # g ^ (1 + 1)
        ([[4, 5, 0, 0, 0], [0, 12, 0, 0, 3]], "g^3", 5),  # g ^ (1 + 2): the space has no 3
        ([[0, 0, 2, 0, 4], [4, 12, 1, 0, 2]], "-exp(g)", 3),  # -1 * exp(g), and so
        (
            [[0, 1, 0, 0, 0], [4, 12, 1, 2, 2]],
            "-exp(g + m)",
            7,
        ),  # -1 * exp(g + m): no group is left
    ],
)
def test_a_rule_is_as_large_as_its_canonical_form_if_groups_can_write_that(groups, text, size):
    grammar, tokens = Grammar("sign", 2), np.array(groups).reshape(1, -1)
    assert grammar.canonical_text(tokens[0]) == text
    assert grammar.rule_sizes(tokens).tolist() == [size]


def test_samples_are_uniform_over_what_is_allowed():
    grammar = Grammar(TINY, 1, different_operands=True, no_final_addition=True)
    tokens = grammar.sample(np.random.default_rng(0), 8000)
    counts = np.unique(tokens, axis=0, return_counts=True)[1]
    assert len(counts) == grammar.size == 8
    np.testing.assert_allclose(counts, 1000, rtol=0.15)


def test_the_same_generator_draws_the_same_tokens():
    grammar = Grammar("arxiv", 2)
    first, second = (grammar.sample(np.random.default_rng(3), 5) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("count", [1, 7])
def test_samples_without_constraints_are_those_drawn_token_by_token_under_a_mask(count):
    grammar, rng, other = Grammar("arxiv", 2), *(np.random.default_rng(5) for _ in range(2))
    expected = np.zeros((count, grammar.length), np.int32)
    for position in range(grammar.length):
        for row, draw in enumerate(rng.random(count)):
            allowed = np.flatnonzero(grammar.mask(expected[row], position))
            expected[row, position] = allowed[int(draw * len(allowed))]
    np.testing.assert_array_equal(grammar.sample(other, count), expected, strict=True)
    assert rng.random() == other.random()


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_rule_depends_on_the_tokens_read_alone(depth):
    grammar = Grammar(TINY, depth)
    read = {}
    for tokens in itertools.product(*(range(size) for size in grammar.slot_sizes)):
        read.setdefault(grammar.tokens_read(np.array(tokens)), []).append(tokens)
        if len(read) == 300:
            break
    for representative, alike in read.items():
        texts = {str(grammar.to_rule(tokens)) for tokens in alike}
        assert texts == {str(grammar.to_rule(representative))}
        assert grammar.tokens_read(np.array(representative)) == representative
    assert len(read) < sum(map(len, read.values()))


def test_tokens_read_group_by_group():
    grammar = Grammar("icml", 2)
    assert grammar.length == 10 and grammar.width == 18
    assert grammar.slot_sizes == (17, 17, 12, 12, 6, 18, 18, 12, 12, 6)
    sign_g, sign_m, times = 6, 7, grammar.binary_names.index("*")
    identity, exp, value = 0, 2, len(grammar.operand_expressions)
    tokens = [sign_g, sign_m, identity, identity, times, value, 0, exp, identity, times]
    powersign = parse("exp(sign(g) * sign(m)) * g")
    assert grammar.to_rule(tokens) == powersign
    np.testing.assert_array_equal(grammar.to_tokens(powersign), tokens)


def test_keep_drops_the_right_side():
    grammar = Grammar("icml", 1)
    keep = grammar.binary_names.index("keep")
    exp = grammar.unary_functions.index(("exp", None))
    assert grammar.to_rule([3, 0, exp, 5, keep]) == parse("exp(m)")


def test_a_shallow_rule_is_padded_with_groups_that_keep_it():
    grammar = Grammar("icml", 4)
    tokens = grammar.to_tokens(parse("g + m")).reshape(4, 5)
    assert [grammar.binary_names[how] for how in tokens[:, 4]] == ["+", "keep", "keep", "keep"]
    assert tokens[1:, 0].tolist() == [17, 18, 19]


def test_a_value_used_twice_costs_one_group():
    grammar = Grammar("icml", 3)
    rule = parse("exp(g * m) * (g * m) + sign(g * m)")
    assert grammar.to_rule(grammar.to_tokens(rule)) == rule


@pytest.mark.parametrize(
    "name", [name for name in NAMED_RULES if "addsign" not in name or name == "addsign"]
)
def test_named_rules_are_in_the_grammar(name):
    grammar = Grammar("modern" if "ortho" in name else "arxiv", 3)
    rule = NAMED_RULES[name].rule
    assert grammar.to_rule(grammar.to_tokens(rule)) == rule


def test_a_rule_written_otherwise_gets_the_tokens_of_its_canonical_form():
    grammar = Grammar("icml", 1)
    rule = grammar.to_rule(grammar.to_tokens(parse("w * 1e-3 * 1 + --g")))
    assert rule == parse("g + 1e-3 * w").canonical()


def test_a_factor_is_a_function_of_any_value():
    grammar = Grammar("constants", 2)
    half = grammar.unary_functions.index(("*", 0.5))
    rule = parse("exp(0.5 * sign(g) * sign(m)) * g")
    tokens = grammar.to_tokens(rule)
    assert half in tokens.reshape(2, 5)[0, 2:4]
    assert grammar.to_rule(tokens) == rule
    with pytest.raises(InvalidInput, match=r"no slot offers '0\.7'"):
        grammar.to_tokens(parse("exp(0.7 * sign(g)) * g"))


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("g * 7", {}, "no slot offers '7'"),
        ("clip(m, 0.5) + g", {}, "no slot offers 'clip(m, 0.5)'"),
        ("ld * g", {}, "no slot offers 'ld'"),
        ("exp(sign(g) * sign(m)) * g", {"depth": 1}, "it needs depth 2"),
        ("(1 + sign(g) * sign(m)) * g", {}, "it needs depth 3"),
        ("g * g", {"depth": 1, "different_operands": True}, "a sampling constraint"),
        ("(g + m) * (v + y) + g * m * (v * y) + g / m", {}, "needs more than 4 groups"),
    ],
)
def test_a_rule_outside_the_grammar_is_refused_with_the_reason(text, options, says):
    with pytest.raises(InvalidInput) as caught:
        Grammar("icml", **{"depth": 2, **options}).to_tokens(parse(text))
    assert str(caught.value).startswith(f"The rule '{text}' cannot be written in space 'icml'")
    assert says in str(caught.value)


@pytest.mark.parametrize("space", ["icml", "modern"])
def test_rules_of_a_normalised_grammar_are_written_normalised_and_come_back(space):
    grammar, plain = Grammar(space, 2, normalised=True), Grammar(space, 2)
    for tokens in grammar.sample(np.random.default_rng(2), 40):
        rule = grammar.to_rule(tokens)
        assert str(rule) == f"rms({plain.to_rule(tokens)})"
        assert grammar.to_rule(grammar.to_tokens(rule)) == rule
    canonical = parse("rms(-m)").canonical()
    assert str(canonical) == "-rms(m)" and "shape" in grammar.needs
    if space == "icml":  # which can write -m
        assert grammar.to_rule(grammar.to_tokens(canonical)).canonical() == canonical


def test_a_rule_that_is_not_normalised_is_refused_by_a_normalised_grammar():
    grammar = Grammar("icml", 2, normalised=True)
    with pytest.raises(InvalidInput, match=r"rules are normalised: write 'rms\(g \+ m\)'"):
        grammar.to_tokens(parse("g + m"))
    with pytest.raises(InvalidInput, match=r"no slot offers '7'"):
        grammar.to_tokens(parse("rms(g * 7)"))
    with pytest.raises(InvalidInput, match=r"it needs depth 3"):
        grammar.to_tokens(parse("rms((1 + sign(g) * sign(m)) * g)"))


@pytest.mark.parametrize("depth", [0, 5, -1, 2.0, True, "2", None])
def test_a_depth_outside_one_to_four_is_refused(depth):
    with pytest.raises(InvalidInput, match=r"1, 2, 3 or 4 groups, not"):
        Grammar("icml", depth)


@pytest.mark.parametrize(
    ("tokens", "says"),
    [
        ([0] * 9, r"\[10\] integers, not \[9\]"),
        ([0.0] * 10, "not .* of float64"),
        ([[0] * 10], r"not \[1, 10\]"),
        ([17] + [0] * 9, "operand 1 of group 1 holds 17; its tokens are 0 to 16"),
        ([0] * 9 + [6], "binary of group 2 holds 6; its tokens are 0 to 5"),
        ([0] * 7 + [-1, 0, 0], "unary 1 of group 2 holds -1"),
        ([0, 1, 0, 0, 0, 3, 3, 0, 0, 2], "operand 2 of group 2 .*different_operands"),
        ([0, 1, 0, 0, 0, 17, 3, 0, 0, 0], r"must not be \+"),
    ],
)
def test_tokens_of_another_grammar_are_refused(tokens, says):
    grammar = Grammar("icml", 2, different_operands=True, no_final_addition=True)
    with pytest.raises(InvalidInput, match=says):
        grammar.validate(tokens)
    with pytest.raises(InvalidInput, match=says):
        grammar.to_rule(tokens)


def test_a_grammar_is_a_value():
    assert Grammar("icml", 3) == Grammar(space_named("icml"), 3) != Grammar("icml", 2)
    assert len({Grammar("icml", 3), Grammar("icml", 3)}) == 1


@pytest.mark.parametrize("name", space_names())
def test_every_space_reads(name):
    grammar = Grammar(name, 1)
    space = space_named(name)
    assert len(grammar.operand_expressions) == len(space.operands)
    assert len(grammar.unary_functions) == len(space.unary)
    assert grammar.binary_names == space.binary and space.description


@pytest.mark.parametrize(
    ("space", "says"),
    [
        ("arxif", "Did you mean 'arxiv'?"),
        (3, "Unknown space '3'"),
        (
            Space("s", ("g", "foo"), ("x",), ("+",), ""),
            "In the operands of space 's': .*unknown name",
        ),
        (Space("s", ("g", "x"), ("x",), ("+",), ""), "In the operands of space 's'"),
        (Space("s", ("g",), ("exp(sign(x))",), ("+",), ""), "is not one function of x"),
        (Space("s", ("g",), ("exp(g)",), ("+",), ""), "is not one function of x"),
        (Space("s", ("g",), ("x * x",), ("+",), ""), "is not one function of x"),
        (Space("s", ("g",), ("2 * g",), ("+",), ""), "is not one function of x"),
        (Space("s", ("g",), ("0.5 * x", "5e-1 * x"), ("+",), ""), "holds '5e-1 \\* x' twice"),
        (Space("s", ("g",), ("x",), ("**",), ""), "Unknown binary function"),
        (Space("s", (), ("x",), ("+",), ""), "The operands of space 's' is not a list"),
        (Space("s", ("g^2", "g ^ 2"), ("x",), ("+",), ""), "holds 'g \\^ 2' twice"),
    ],
)
def test_a_space_that_cannot_be_read_is_refused(space, says):
    with pytest.raises(InvalidInput, match=says):
        Grammar(space, 1)


def test_a_constraint_that_leaves_no_choice_is_refused():
    one = Space("one", ("g",), ("x",), ("+",), "")
    with pytest.raises(InvalidInput, match="different_operands asks for"):
        Grammar(one, 1, different_operands=True)
    with pytest.raises(InvalidInput, match="no_final_addition asks for"):
        Grammar(one, 1, no_final_addition=True)


def test_a_space_of_ones_own_needs_no_keep():
    grammar = Grammar(Space("own", ("g", "m"), ("x", "exp(x)"), ("*",), ""), 2)
    rule = parse("g * exp(m) * g")
    assert grammar.to_rule(grammar.to_tokens(rule)) == rule
    with pytest.raises(InvalidInput, match="cannot be written"):
        grammar.to_tokens(parse("g * m"))


@pytest.mark.parametrize(
    ("space", "depth", "settings", "text"),
    [
        ("arxiv", 1, {"normalised": True}, "-rms(rd20 * clip(0.1 * w, 1e-5))"),
        ("arxiv", 1, {}, "-(0.01 * w / log(v))"),
        ("sign", 1, {"normalised": True}, "-rms(exp(cd10))"),
        ("sign", 2, {}, "-(rd10 * (-1)^sign(g))"),
        ("sign", 2, {"normalised": True}, "rms(0)"),
        ("icml", 2, {}, "clip(1e-3 * w, 1e-3) / drop(-(sign(m) * drop(g, 0.1)), 0.1)"),
        ("constants", 1, {}, "clip(g^2, 1e-4) / (0.01 * 0.5)"),
        ("constants", 2, {}, "drop(1e-4 * w, 0.3)^20"),
        ("constants", 2, {"normalised": True}, "rms(exp(-(g / m)) + g / m)"),
        ("modern", 4, {"reuse_values": True}, "(g - exp(c)) * colnorm(sign(g) + rms(cautious(s)))"),
        ("arxiv", 1, {"no_final_addition": True}, "g + m"),
    ],
)
def test_a_canonical_text_is_read_by_the_grammar_of_the_rule_that_it_was_made_of(
    space, depth, settings, text
):
    grammar, rule = Grammar(space, depth, **settings), parse(text)
    tokens = grammar.to_tokens(rule)
    grammar.validate(tokens)
    assert grammar.to_rule(tokens).canonical() == rule.canonical()


CONSTRAINED = {"different_operands": True, "no_final_addition": True, "reuse_values": True}


@pytest.mark.parametrize(
    "settings", [{}, {"normalised": True}, {"normalised": True, **CONSTRAINED}]
)
@pytest.mark.parametrize("space", SPACES)
def test_what_a_search_prints_of_any_rule_is_read_back_as_the_same_function(space, settings):
    for depth in (1, 2, 3):
        grammar = Grammar(space, depth, **settings)
        for tokens in grammar.sample(np.random.default_rng(depth), 12):
            rule = grammar.to_rule(tokens)
            for printed in (str(rule), str(rule.canonical())):
                again = grammar.to_tokens(parse(printed))
                grammar.validate(again)
                assert grammar.to_rule(again).canonical() == rule.canonical(), printed
