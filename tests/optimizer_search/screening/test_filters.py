"""Probes, filters and fingerprints, on rules whose verdict is known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from metarl.optimizer_search.screening.filters import Verdict, counts, screen
from metarl.optimizer_search.screening.probes import (
    BLOCKS,
    COORDINATES,
    ProbeOutputs,
    Probes,
    probes_of,
    profiles,
    rule_fingerprints,
)
from metarl.optimizer_search.settings.config import FilterConfig
from metarl.update_rules import Grammar, Interpreter, parse

GRAMMAR = Grammar("arxiv", depth=2)


@pytest.fixture(scope="module")
def probes():
    return Probes(Interpreter(GRAMMAR))


def tokens_of(*texts):
    return np.stack([GRAMMAR.to_tokens(parse(text)) for text in texts])


def fingerprint(probes, text):
    return rule_fingerprints(probes.exact_updates(tokens_of(text)))[0]


VERDICTS = {
    "passes": (
        "g",
        "m",
        "adam",
        "rmsprop",
        "sign(m)",
        "g^3",
        "clip(g, 1e-4)",
        "drop(g, 0.5)",
        "ld * g",
        "g + noise",
        "exp(sign(g) * sign(m)) * g",
        "exp(g) - exp(m)",
    ),
    "not finite": ("exp(exp(g^3))", "exp(g / v)", "g^g", "log(g - g) * g"),
    "constant": ("1", "ld", "noise", "exp(annealed_noise)", "sign(v) * noise", "g - g"),
    "one sign": ("v", "g^2", "exp(g)", "-v"),
    "uphill": ("-g", "m - g", "g * m", "sign(g) * noise", "1e-1 * w"),
    "not odd": ("g + 1", "g + 2", "rmsprop + 1"),
}


@pytest.mark.parametrize("verdict", VERDICTS)
def test_rules_get_the_verdict_they_deserve(probes, verdict):
    texts = VERDICTS[verdict]
    verdicts = screen(probes.outputs(tokens_of(*texts)), probes, FilterConfig())
    assert dict(zip(texts, verdicts, strict=True)) == dict.fromkeys(texts, verdict)


def test_a_hurdle_that_is_turned_off_stops_nothing(probes):
    off = FilterConfig(min_cosine=-1.0, min_oddness=-1.0, both_signs=False)
    outputs = probes.outputs(tokens_of("v", "-g", "g + 1", "1", "g^g"))
    passes = Verdict.PASSES
    expected = [passes, passes, passes, Verdict.CONSTANT, Verdict.NOT_FINITE]
    assert screen(outputs, probes, off) == expected


def test_bounds_move_the_verdict(probes):
    outputs = probes.outputs(tokens_of("m"))
    for bound, verdict in ((0.6, Verdict.PASSES), (0.9, Verdict.UPHILL)):
        config = dataclasses.replace(FilterConfig(), min_cosine=bound)
        assert screen(outputs, probes, config) == [verdict]


def test_the_cosine_counts_every_block_alike(probes):
    uphill_late = np.ones((BLOCKS, 1))
    uphill_late[1:] = -1.0  # the first block holds nearly all of the gradient's length
    update = (uphill_late * probes.gradients).reshape(1, -1)
    outputs = ProbeOutputs(update, -update, np.roll(update, 1))
    assert screen(outputs, probes, FilterConfig()) == [Verdict.UPHILL]


def test_a_rule_of_more_nodes_than_the_bound_is_too_large_if_it_passes_the_other_hurdles(probes):
    texts = ("g", "sign(m)", "g + m", "exp(sign(g) * sign(m)) * g", "-g", "g^g")
    tokens = tokens_of(*texts)
    passes, large = Verdict.PASSES, Verdict.TOO_LARGE
    others = [Verdict.UPHILL, Verdict.NOT_FINITE]
    for bound, expected in {
        None: [passes, passes, passes, passes],
        8: [passes, passes, passes, passes],
        7: [passes, passes, passes, large],
        2: [passes, passes, large, large],
        1: [passes, large, large, large],
    }.items():
        config = FilterConfig(max_size=bound)
        found = screen(probes.outputs(tokens), probes, config, tokens)
        assert found == [*expected, *others]


def test_a_bound_on_the_size_stops_exactly_the_rules_that_pass_and_are_larger(probes):
    tokens = GRAMMAR.sample(np.random.default_rng(1), 400)
    outputs = probes.outputs(tokens)
    free = screen(outputs, probes, FilterConfig())
    bounded = screen(outputs, probes, FilterConfig(max_size=5), tokens)
    sizes = [GRAMMAR.to_rule(row).canonical().size for row in tokens]
    large = [
        size > 5 and verdict == Verdict.PASSES for size, verdict in zip(sizes, free, strict=True)
    ]
    assert bounded == [
        Verdict.TOO_LARGE if it_is else verdict for it_is, verdict in zip(large, free, strict=True)
    ]
    assert 10 < sum(large) < free.count(Verdict.PASSES)


def test_counts_name_every_verdict_in_order():
    found = counts([Verdict.PASSES, Verdict.UPHILL, Verdict.PASSES])
    assert list(found) == [
        *("not finite", "constant", "one sign", "uphill", "not odd", "too large", "passes")
    ]
    assert found["passes"] == 2 and found["uphill"] == 1 and found["constant"] == 0


def test_probes_are_states_that_training_could_reach(probes):
    """The averages are those of a loop over gradients, so Adam's update is of size 1, not 1000."""
    adam, sign, g = probes.outputs(tokens_of("adam", "sign(g)", "g")).update
    assert np.all(np.sign(g) == sign)
    assert np.abs(adam).max() < 5.0
    np.testing.assert_array_equal(g.reshape(BLOCKS, COORDINATES), probes.gradients)
    scales = np.abs(probes.gradients).mean(axis=1)
    assert np.all(scales[:-1] / scales[1:] > 3)


def test_a_rule_has_the_same_bits_whatever_stands_beside_it(probes):
    tokens = GRAMMAR.sample(np.random.default_rng(0), 70)
    together = probes.outputs(tokens)
    for row in (0, 63, 64, 69):
        alone = probes.outputs(tokens[row : row + 1])
        for one, many in zip(alone, together, strict=True):
            np.testing.assert_array_equal(one[0], many[row])


def test_who_asks_for_the_probes_of_one_grammar_gets_the_same_ones():
    assert probes_of(Grammar("sign", 1)) is probes_of(Grammar("sign", 1))
    assert probes_of(Grammar("sign", 1)) is not probes_of(Grammar("sign", 2))


def test_no_rules_give_no_outputs(probes):
    outputs = probes.outputs(np.zeros((0, GRAMMAR.length), np.int32))
    assert outputs.update.shape == (0, BLOCKS * COORDINATES)
    assert screen(outputs, probes, FilterConfig()) == [] and rule_fingerprints(outputs.update) == []


EQUAL = (
    ("g", "2 * g"),
    ("g", "g + g"),
    ("g * m", "m * g"),
    ("rmsprop", "g / sqrt(v)"),
    ("m", "--m"),
    ("exp(g)", "exp(1) * exp(g)"),
    ("exp(g + m)", "exp(g) * exp(m)"),
    ("noise + g", "g + noise"),
    ("drop(g, 0.3) * drop(m, 0.3)", "drop(g * m, 0.3)"),
    ("g - m", "-(m - g)"),
)
DIFFERENT = (
    ("adam", "rmsprop"),
    ("g", "-g"),
    ("g", "ld * g"),
    ("g", "g + 1e-4 * w"),
    ("g", "sign(g)"),
    ("cd * g", "ld * g"),
    ("clip(g, 1e-4)", "clip(g, 1e-3)"),
    ("noise * g", "g"),
    ("1", "2 + ld"),
    ("g + noise", "g - noise"),
    ("adam", "adam + 1e-1 * w"),
    ("adam", "adam + 1e-3 * w"),
    ("adam", "adam + 1e-4 * w"),
    ("sign(m)", "sign(m) + 1e-4 * w"),
    ("rmsprop", "rmsprop - 1e-4 * w"),
    ("sign(g)", "sign(g) + clip(m, 1e-5)"),
    ("drop(g, 0.1)", "drop(g, 0.3)"),
)


@pytest.mark.parametrize("pair", EQUAL, ids=" = ".join)
def test_rules_that_are_equal_up_to_a_factor_have_one_fingerprint(probes, pair):
    assert fingerprint(probes, pair[0]) == fingerprint(probes, pair[1])


@pytest.mark.parametrize("pair", DIFFERENT, ids=" and ".join)
def test_different_rules_have_different_fingerprints(probes, pair):
    assert fingerprint(probes, pair[0]) != fingerprint(probes, pair[1])


def test_rounding_of_the_last_bits_changes_no_fingerprint():
    """A straddled boundary has a chance of 36 x 1e-15 / 1e-7 a rule, so 1e-4 that any of 400 is hit."""
    generator = np.random.default_rng(0)
    exact = generator.standard_normal((400, BLOCKS * COORDINATES))
    rounded = exact * (1 + 1e-15 * generator.uniform(-1, 1, exact.shape))
    assert rule_fingerprints(exact) == rule_fingerprints(rounded)


def test_updates_in_double_precision_are_those_of_the_program_to_its_rounding(probes):
    tokens = GRAMMAR.sample(np.random.default_rng(3), 200)
    calm = [row for row in tokens if "random" not in GRAMMAR.to_rule(row).needs]
    single, exact = probes.outputs(np.stack(calm)).update, probes.exact_updates(np.stack(calm))
    assert exact.dtype == np.float64
    finite = np.isfinite(single) & np.isfinite(exact)
    close = np.isclose(single, exact, rtol=1e-4, atol=1e-30)
    assert finite.mean() > 0.8 and close[finite].mean() > 0.99


def test_a_profile_is_the_same_for_any_factor_even_at_the_edges_of_float32():
    row = np.random.default_rng(0).standard_normal((1, BLOCKS * COORDINATES)).astype(np.float32)
    expected = profiles(row)
    for factor in (1e-30, 1e30):
        got = profiles(row * np.float32(factor))
        np.testing.assert_allclose(got.directions, expected.directions, rtol=1e-5)
        np.testing.assert_allclose(got.log_sizes, expected.log_sizes, atol=1e-4)


def test_a_profile_of_zeros_is_zero_and_of_nan_is_nan():
    row = np.ones((1, BLOCKS, COORDINATES))
    row[0, 0] = 0.0
    got = profiles(row.reshape(1, -1))
    assert np.all(got.directions[0, :COORDINATES] == 0) and np.all(got.log_sizes == 0)
    row[0, 1, 5] = np.nan
    assert np.isnan(profiles(row.reshape(1, -1)).directions[0, COORDINATES + 5])
    assert len(rule_fingerprints(row.reshape(1, -1))[0]) == 16


MODERN = Grammar("modern", depth=1)
ELEMENTWISE = ("g", "m", "adam", "sign(g)", "m + exp(g)", "adam - 1e-2 * w")


@pytest.fixture(scope="module")
def modern():
    """The probes of a space with functions of whole tensors, and the function from texts to tokens."""
    probes = Probes(Interpreter(MODERN))
    return probes, lambda *texts: np.stack([MODERN.to_tokens(parse(text)) for text in texts])


def test_functions_of_whole_tensors_pass_and_are_functions_of_their_own(modern):
    probes, tokens_of = modern
    functions = ("x", "sign(x)", "ortho(x)", "rms(x)", "rownorm(x)", "colnorm(x)", "cautious(x)")
    texts = [f.replace("x", o) for f in functions for o in ("g", "m", "s", "c", "adam")]
    outputs = probes.outputs(tokens_of(*texts))
    assert set(screen(outputs, probes, FilterConfig())) == {Verdict.PASSES}
    exact = probes.exact_updates(tokens_of(*texts))
    np.testing.assert_allclose(outputs.update, exact, rtol=1e-3, atol=2e-4)
    prints = dict(zip(texts, rule_fingerprints(exact), strict=True))
    # where every entry of g has the sign of g, caution has nothing to do
    assert prints.pop("cautious(g)") == prints["g"]
    # nor has adam's sign another sign than m
    assert prints.pop("sign(adam)") == prints["sign(m)"]
    assert len(set(prints.values())) == len(prints)


def test_a_rule_without_tensors_has_one_fingerprint_in_both_kinds_of_space(modern):
    probes, tokens_of = modern
    grammar = Grammar("constants", depth=2)
    plain = np.stack([grammar.to_tokens(parse(text)) for text in ELEMENTWISE])
    prints = rule_fingerprints(Probes(Interpreter(grammar)).exact_updates(plain))
    assert prints == rule_fingerprints(probes.exact_updates(tokens_of(*ELEMENTWISE)))
