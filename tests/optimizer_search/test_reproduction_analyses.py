"""What the experiments compute, against loops that take their time."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from metarl.controller import TokenPolicyConfig, sample_tokens, token_policy
from metarl.optimizer_search.reproduction.controller_diagram import (
    entropies,
    probabilities_along,
    writing_rows,
)
from metarl.optimizer_search.reproduction.expression_trees import expression_tree
from metarl.optimizer_search.reproduction.rosenbrock import (
    Settings,
    _paths,
    first_below,
    rosenbrock,
)
from metarl.optimizer_search.reproduction.searches import at_positions
from metarl.reporting import Tree
from metarl.update_rules import Grammar, parse

INF = float("inf")


def test_a_path_in_the_valley_is_that_of_gradient_descent_by_hand():
    found = _paths(parse("g"), np.array([1e-3, 1e-4]), np.array([[-1.2, 1.0], [0.0, 0.5]]), steps=4)
    assert found.shape == (2, 2, 5, 2)
    x, y = -1.2, 1.0
    for n in range(5):
        assert found[0, 0, n] == pytest.approx([x, y], rel=1e-4)
        dx, dy = -2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)
        x, y = x - 1e-3 * dx, y - 1e-3 * dy
    last = _paths(parse("g"), np.array([1e-3]), np.array([[-1.2, 1.0]]), steps=4, last_only=True)
    assert last[0, 0, 0].tolist() == found[0, 0, -1].tolist()
    assert rosenbrock(np.array(1.0), np.array(1.0)) == 0
    assert Settings(rules=()).exponents[0] == -6


def test_the_first_step_below_a_value_is_found_and_never_is_infinite():
    values = np.array([[4.0, 2.0, 0.5, 0.1], [4.0, 3.0, 2.0, 1.0], [0.2, INF, INF, 0.1]])
    assert first_below(values, 0.5).tolist() == [2.0, INF, 0.0]


def test_a_tree_has_operands_below_and_functions_above():
    tree = expression_tree(parse("exp(sign(g) * 2) * adam - clip(m, 1e-4)"))
    assert tree.label == "−"
    product, clip = tree.children
    assert clip.label == "clip\n0.0001" and clip.children == (Tree(r"$\hat{m}$"),)
    assert [child.label for child in product.children] == ["exp", "adam"]
    (inside,) = product.children[0].children
    assert inside == Tree("×", (Tree("sign", (Tree("$g$"),)), Tree("$2$")))


def test_probabilities_along_a_rule_are_those_it_was_sampled_with():
    grammar = Grammar("sign", 2, different_operands=True)
    policy = token_policy(grammar.slot_sizes, TokenPolicyConfig(hidden_size=8, embedding_size=4))
    params = policy.init(jax.random.key(0))
    sample = sample_tokens(policy, params, jax.random.key(1), 3, grammar.next_mask)
    for tokens, log_probs in zip(np.asarray(sample.tokens), sample.log_probs, strict=True):
        found = probabilities_along(policy, params, grammar, tokens)
        assert found.sum(axis=1) == pytest.approx(np.ones(10), abs=1e-5)
        chosen = found[np.arange(10), tokens]
        assert np.log(chosen) == pytest.approx(np.asarray(log_probs), abs=1e-4)
        assert found[1, tokens[0]] == 0  # the second operand differs
        rows = writing_rows(grammar, tokens, found)
        assert [len(row.steps) for row in rows] == [5, 5]
        first, second = rows[0].steps[:2]
        assert first.reads == "start" and second.reads == first.chosen
        assert len(second.options) == len(first.options) - 1
        assert dict(first.options)[first.chosen] == pytest.approx(chosen[0])


def test_entropies_are_sums_over_what_has_probability():
    rows = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
    assert entropies(rows) == pytest.approx([np.log(2), 0.0])


def test_a_log_is_read_at_positions_by_the_last_entry_before_them():
    x, y = np.array([10.0, 20.0, 35.0]), np.array([1.0, 2.0, 3.0])
    positions = np.array([5.0, 10.0, 19.0, 20.0, 100.0])
    expected = []
    for position in positions:
        before = [value for place, value in zip(x, y, strict=True) if place <= position]
        expected.append(before[-1] if before else np.nan)
    assert np.array_equal(at_positions(positions, x, y), expected, equal_nan=True)
