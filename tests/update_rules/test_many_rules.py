"""Many rules at once, against the reference one by one."""

from __future__ import annotations

import numpy as np
import pytest

from metarl.update_rules import Grammar, Space, exact_updates, parse, reference_update

B, C = 3, 8
STEPS = np.array([0, 7, 20])


def states(seed=0):
    rng = np.random.default_rng(seed)
    arrays = {name: rng.standard_normal((B, C)) for name in ("g", "m", "v", "y", "w", "s", "c")}
    return {**arrays, "v": arrays["v"] ** 2}


def all_at_once(grammar, tokens, given):
    return exact_updates(grammar, tokens, **given, t=STEPS[:, None], total_steps=20, epsilon=1e-8)


@pytest.mark.parametrize(("space", "depth"), [("arxiv", 1), ("arxiv", 3), ("constants", 2)])
def test_each_update_is_that_of_the_reference(space, depth):
    grammar, given = Grammar(space, depth), states()
    tokens = grammar.sample(np.random.default_rng(depth), 400)  # more than are computed at a time
    for row, updates in zip(tokens, all_at_once(grammar, tokens, given), strict=True):
        rule = grammar.to_rule(row)
        if "random" in rule.needs:
            continue
        for block, t in enumerate(STEPS):
            block_states = {name: x[block] for name, x in given.items()}
            expected = reference_update(rule, t=int(t), total_steps=20, **block_states)
            np.testing.assert_allclose(updates[block], expected, rtol=1e-12, err_msg=str(rule))


def test_a_rule_has_the_same_bits_whatever_stands_beside_it_chance_included():
    grammar, given = Grammar("arxiv", 2), states()
    tokens = grammar.sample(np.random.default_rng(5), 300)
    together = all_at_once(grammar, tokens, given)
    for place in (0, 255, 256, 299):
        alone = all_at_once(grammar, tokens[place : place + 1], given)[0]
        np.testing.assert_array_equal(together[place], alone)
    assert all_at_once(grammar, tokens[:0], given).shape == (0, B, C)


def test_chance_is_one_draw_of_each_noise_and_of_each_rate():
    operands = ("g", "m", "noise", "annealed_noise")
    unary = ("x", "drop(x, 0.3)", "drop(x, 0.5)", "sign(x)")
    grammar = Grammar(Space("chance", operands, unary, ("*", "-", "keep"), "chance"), depth=2)
    texts = ("noise - noise", "drop(g, 0.5) - drop(g, 0.5)", "noise - annealed_noise")
    texts += ("drop(g, 0.3) - drop(g, 0.5)",)
    tokens = np.stack([grammar.to_tokens(parse(text)) for text in texts])
    same, dropped, *different = all_at_once(grammar, tokens, states())
    assert not same.any() and not dropped.any()
    assert all(update.any() for update in different)
