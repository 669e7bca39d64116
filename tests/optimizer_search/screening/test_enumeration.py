"""Enumeration, against trying every token sequence of small spaces."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search.screening.enumeration import Enumeration
from metarl.optimizer_search.screening.probes import Probes, rule_fingerprints
from metarl.update_rules import Grammar, Interpreter, Space, space_named

SUMS = Space("sums", ("g", "m"), ("x", "sign(x)"), ("+", "*", "keep"), "")
POWERS = Space("powers", ("g", "m", "1"), ("x", "exp(x)"), ("-", "keep"), "")
TENSORS = Space("tensors", ("g", "m"), ("x", "ortho(x)"), ("+", "keep"), "")
NEGATIVES = Space("negatives", ("g", "m", "1"), ("x", "-x", "exp(x)"), ("*", "keep"), "")
DIFFERENCES = Space("differences", ("g", "m"), ("x",), ("-", "keep"), "")


def every_function(grammar: Grammar, probes: Probes) -> dict[bytes, int]:
    """Returns the smallest size of every function, found by trying all token sequences."""
    sequences = itertools.product(*map(range, grammar.slot_sizes))
    found: dict[bytes, int] = {}
    while block := list(itertools.islice(sequences, 8192)):
        tokens = np.array(block, np.int32)
        prints = rule_fingerprints(probes.exact_updates(tokens))
        for row, fingerprint in zip(tokens, prints, strict=True):
            size = grammar.to_rule(row).size
            found[fingerprint] = min(size, found.get(fingerprint, size))
    return found


@pytest.mark.parametrize(
    ("space", "depth"),
    [
        (SUMS, 2),
        (POWERS, 2),
        (DIFFERENCES, 3),
        (TENSORS, 1),
        pytest.param(TENSORS, 2, marks=pytest.mark.slow),
        pytest.param(space_named("sign"), 1, marks=pytest.mark.slow),
        pytest.param(space_named("deterministic"), 1, marks=pytest.mark.slow),
        pytest.param(space_named("modern"), 1, marks=pytest.mark.slow),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_it_meets_exactly_the_functions_of_all_token_sequences_each_by_a_simplest_rule(
    space, depth
):
    grammar = Grammar(space, depth)
    probes = Probes(Interpreter(grammar))
    met: dict[bytes, int] = {}
    for found in Enumeration(grammar, probes):
        assert not met or found.size >= max(met.values())
        prints = rule_fingerprints(probes.exact_updates(found.tokens))
        for tokens, fingerprint in zip(found.tokens, prints, strict=True):
            grammar.validate(tokens)
            assert fingerprint not in met
            assert grammar.to_rule(tokens).size == found.size
            met[fingerprint] = found.size
    assert met == every_function(grammar, probes)


@pytest.mark.parametrize(
    ("space", "depth"),
    [(SUMS, 2), (POWERS, 2), (DIFFERENCES, 3), (NEGATIVES, 1), (space_named("sign"), 1)],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_rule_of_some_size_computes_a_function_that_is_met_by_that_size(space, depth):
    grammar = Grammar(space, depth)
    probes = Probes(Interpreter(grammar))
    met: dict[bytes, int] = {}
    for found in Enumeration(grammar, probes):
        assert grammar.rule_sizes(found.tokens).tolist() == [found.size] * len(found.tokens)
        prints = rule_fingerprints(probes.exact_updates(found.tokens))
        met |= dict.fromkeys(prints, found.size)
    tokens = grammar.sample(np.random.default_rng(0), 1000)
    sizes = grammar.rule_sizes(tokens)
    prints = rule_fingerprints(probes.exact_updates(tokens))
    assert all(met[print_] <= size for print_, size in zip(prints, sizes, strict=True))
    assert all(size <= grammar.to_rule(row).size for row, size in zip(tokens, sizes, strict=True))


def test_one_that_was_stopped_goes_on_as_one_that_was_not():
    grammar = Grammar(DIFFERENCES, 3)
    probes = Probes(Interpreter(grammar))
    whole = [found.tokens for found in Enumeration(grammar, probes)]
    for stop in range(1, len(whole)):
        first, second = Enumeration(grammar, probes), Enumeration(grammar, probes)
        begun = [first.advance().tokens for _ in range(stop)]
        second.restore(first.to_arrays())
        rest = [found.tokens for found in second]
        np.testing.assert_array_equal(np.concatenate(whole), np.concatenate([*begun, *rest]))
        tried = Enumeration(grammar, probes)
        list(tried)
        assert (second.tried, second.met) == (tried.tried, tried.met)


def test_a_largest_size_ends_it():
    grammar = Grammar(SUMS, 2)
    sizes = [found.size for found in Enumeration(grammar, Probes(Interpreter(grammar)), 3)]
    assert sorted(set(sizes)) == [1, 2, 3]


@pytest.mark.parametrize(
    ("grammar", "size", "message"),
    [
        (Grammar("sign", 1, different_operands=True), None, "it takes no sampling constraint"),
        (Grammar(Space("s", ("g", "m"), ("x",), ("+",), ""), 2), None, "the binary function keep"),
        (Grammar("sign", 1), 0, "1 or more; received 0"),
    ],
)
def test_what_it_cannot_do_is_said(grammar, size, message):
    with pytest.raises(InvalidInput, match=message):
        Enumeration(grammar, Probes(Interpreter(grammar)), size)
