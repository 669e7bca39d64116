"""The interpreter against the compiler, the numpy reference and optax.

One step from random states is compared, never long curves of arbitrary rules: rounding grows through sign and division.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax

from metarl.update_rules import Grammar, Interpreter, Space, parse, scale_by_rule
from metarl.update_rules.interpreter import Moments, power
from metarl.update_rules.reference import reference_update

P, T, STEP = 32, 50, 6
RULES_PER_DEPTH = 40
TOLERANCE = 1e-4
# x ^ y through exp and log loses relative precision as |y log x| grows, so an overflow comes a little earlier or later.
NEAR_OVERFLOW, NEAR_UNDERFLOW = 1e30, 1e-30

TINY = Space(
    "tiny",
    operands=("g", "m", "adam", "rmsprop", "1", "noise", "annealed_noise"),
    unary=("x", "-x", "drop(x, 0.3)"),
    binary=("*", "+", "keep"),
    description="what the tests of randomness and of moments need",
)


@pytest.fixture(scope="session")
def tiny():
    """An interpreter, and its compiled step: (tokens, moments, g, t, seed) -> update."""
    interpreter = Interpreter(Grammar(TINY, depth=1))
    randomness = interpreter.randomness(2048)

    @jax.jit
    def step(tokens, moments, g, t, seed):
        w = jnp.ones_like(g)
        return interpreter.update(tokens, moments, g, w, t, jnp.float32(T), seed, randomness)

    return interpreter, step


def history(seed=0, size=P, steps=STEP + 1):
    rng = np.random.default_rng(seed)
    lasting = rng.standard_normal(size)
    return (lasting + 0.5 * rng.standard_normal((steps, size))).astype(np.float32)  # [N, P]


def averaged(interpreter, gradients):
    moments = interpreter.init(gradients.shape[1])
    for g in gradients:
        moments = interpreter.moments(moments, jnp.asarray(g))
    return moments


def interpreted(grammar, tokens, moments, g, w, executor="switch"):
    """The updates of many rules in one state, [K, P]."""
    interpreter = Interpreter(grammar)
    tables = interpreter.randomness(len(g))

    def one(row):
        return interpreter.update(
            row, moments, g, w, jnp.int32(STEP), jnp.float32(T), jnp.int32(3), tables
        )

    every = jax.vmap(one) if executor == "select" else functools.partial(lax.map, one)
    return np.asarray(jax.jit(every)(jnp.asarray(tokens)))


def compiled(rule, gradients, w):
    """The compiler's update at step STEP, from averages as a loop of numpy makes them."""
    rates = {"mu": (0.9, 1), "nu": (0.999, 2), "xi": (0.999, 3)}
    transform = scale_by_rule(rule, total_steps=T)
    state: Any = transform.init(jnp.asarray(w))
    averages = {}
    for name, (rate, order) in rates.items():
        if getattr(state, name) is not None:
            average = np.zeros(len(w))
            for g in gradients[:-1]:
                average = rate * average + (1 - rate) * g.astype(float) ** order
            averages[name] = jnp.asarray(average, jnp.float32)
    state = state._replace(count=jnp.int32(STEP), **averages)
    return np.asarray(transform.update(jnp.asarray(gradients[-1]), state, jnp.asarray(w))[0])


def in_double_precision(rule, gradients, w):
    """The numpy reference's update at step STEP."""
    corrected = {}
    for name, rate, order in (("m", 0.9, 1), ("v", 0.999, 2), ("y", 0.999, 3)):
        average = np.zeros(len(w))
        for g in gradients:
            average = rate * average + (1 - rate) * g.astype(float) ** order
        corrected[name] = average / (1 - rate ** len(gradients))
    return reference_update(
        rule, gradients[-1].astype(float), w=w.astype(float), t=STEP, total_steps=T, **corrected
    )


def close(one, other):
    with np.errstate(all="ignore"):
        return np.abs(one - other) <= TOLERANCE * np.abs(other) + NEAR_UNDERFLOW


@pytest.mark.parametrize(
    ("space", "depth"),
    [
        ("deterministic", 1),
        pytest.param("deterministic", 2, marks=pytest.mark.slow),
        pytest.param("deterministic", 3, marks=pytest.mark.slow),
        ("deterministic", 4),
        ("constants", 2),
    ],
)
def test_one_step_of_a_random_rule_equals_the_compilers(space, depth):
    """Agreement to 1e-4 wherever single precision can tell the value at all.

    What it cannot tell are entries at which the compiler itself is further than that from double precision (the sign
    of a difference of equals, a power of a rounded number), and those near overflow.
    """
    grammar = Grammar(space, depth)
    drawn = grammar.sample(np.random.default_rng(depth), 2 * RULES_PER_DEPTH)
    repeatable = [row for row in drawn if "random" not in grammar.to_rule(row).needs]
    tokens = np.stack(repeatable[:RULES_PER_DEPTH])
    assert len(tokens) > RULES_PER_DEPTH // 2
    gradients = history(depth)
    w = 0.1 * np.random.default_rng(9).standard_normal(P, np.float32)
    moments = averaged(Interpreter(grammar), gradients)
    ours = interpreted(grammar, tokens, moments, jnp.asarray(gradients[-1]), jnp.asarray(w))
    told_apart = failed = 0
    for row, update in zip(tokens, ours, strict=True):
        rule = grammar.to_rule(row)
        theirs, exact = compiled(rule, gradients, w), in_double_precision(rule, gradients, w)
        with np.errstate(all="ignore"):
            certain = close(theirs, exact) & (np.abs(exact) < NEAR_OVERFLOW)
        assert np.isfinite(update[certain]).all()
        assert close(update, theirs)[certain].all(), f"{rule}: {update} is not {theirs}"
        hopeless = ~np.isfinite(theirs) & ~np.isfinite(exact)
        assert not np.isfinite(update[hopeless]).any(), (
            f"{rule} fails, and is interpreted all the same"
        )
        told_apart += certain.sum()
        failed += hopeless.sum()
    assert told_apart > 0.6 * tokens.shape[0] * P
    assert told_apart + failed > 0.9 * tokens.shape[0] * P


@pytest.mark.parametrize(
    "name", [pytest.param("deterministic", marks=pytest.mark.slow), "constants"]
)
def test_both_executors_give_the_same_numbers_but_for_rounding(name):
    grammar = Grammar(name, depth=2)
    tokens = grammar.sample(np.random.default_rng(1), 24)
    gradients = history(5)
    moments = averaged(Interpreter(grammar), gradients)
    g, w = jnp.asarray(gradients[-1]), jnp.full(P, 0.1)
    real, selected = (
        interpreted(grammar, tokens, moments, g, w, executor) for executor in ("switch", "select")
    )
    alike = (
        close(real, selected) | (~np.isfinite(real) & ~np.isfinite(selected)) | (real == selected)
    )
    assert alike.mean() > 0.99, np.argwhere(~alike)
    assert np.isfinite(real).mean() > 0.5


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("g", optax.sgd(0.1)),
        ("adam", optax.adam(0.1)),
        ("m", optax.chain(optax.ema(0.9, debias=True), optax.scale_by_learning_rate(0.1))),
        ("rmsprop", optax.rmsprop(0.1, decay=0.999, bias_correction=True, eps_in_sqrt=False)),
    ],
)
def test_twenty_steps_equal_optax(tiny, text, reference):
    interpreter, step = tiny
    tokens = jnp.asarray(interpreter.grammar.to_tokens(parse(text)))
    ours: Any = jnp.asarray(history(2)[0])
    theirs: Any = ours
    scale = jnp.exp(jnp.linspace(-2.0, 2.0, P))
    moments, state = interpreter.init(P), reference.init(theirs)
    for t in range(20):
        g = scale * ours
        moments = interpreter.moments(moments, g)
        ours = ours - 0.1 * step(tokens, moments, g, jnp.int32(t), jnp.int32(0))
        updates, state = reference.update(scale * theirs, state, theirs)
        theirs = optax.apply_updates(theirs, updates)
    np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-5)


def test_moments_are_those_of_optax(tiny):
    interpreter, _ = tiny
    gradients = history(4, steps=30)
    moments = averaged(interpreter, gradients)
    for order, rate, ours in ((1, 0.9, moments.m), (2, 0.999, moments.v), (3, 0.999, moments.y)):
        theirs = jnp.zeros(P)
        for g in gradients:
            theirs = optax.tree.update_moment(jnp.asarray(g), theirs, rate, order)
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(moments.decay, [0.9**30, 0.999**30, 0.999**30], rtol=1e-5)


def test_moments_that_a_rule_sees_are_corrected_for_their_start(tiny):
    interpreter, step = tiny
    g = jnp.asarray(history(3)[0])
    moments = interpreter.moments(interpreter.init(P), g)
    tokens = jnp.asarray(interpreter.grammar.to_tokens(parse("m")))
    np.testing.assert_allclose(step(tokens, moments, g, jnp.int32(0), jnp.int32(0)), g, rtol=1e-6)


def draws(tiny, text, t=0, seed=0, size=2048, g=None):
    interpreter, step = tiny
    tokens = jnp.asarray(interpreter.grammar.to_tokens(parse(text)))
    g = jnp.ones(size) if g is None else g
    moments = interpreter.moments(interpreter.init(size), g)
    return np.asarray(step(tokens, moments, g, jnp.int32(t), jnp.int32(seed)))


def test_drop_gives_the_argument_or_zero_at_its_rate(tiny):
    g = jnp.arange(1.0, 2049.0)
    kept = np.concatenate(
        [draws(tiny, "drop(g, 0.3)", t, seed=1, g=g) / np.asarray(g) for t in range(8)]
    )
    assert set(kept.tolist()) == {0.0, 1.0}
    # 16,384 draws: the standard deviation of the share is 0.0036
    assert abs((kept == 0.0).mean() - 0.3) < 0.015


@pytest.mark.parametrize("t", [0, 9])
def test_noise_has_its_variance(tiny, t):
    for text, variance in (("noise", 0.01), ("annealed_noise", (1 + t) ** -0.55)):
        values = np.concatenate([draws(tiny, text, t, seed) for seed in range(8)])
        assert abs(values.mean()) < 0.03 * np.sqrt(variance)
        np.testing.assert_allclose(values.var(), variance, rtol=0.05)


def test_random_numbers_depend_on_seed_step_and_place_and_on_nothing_else(tiny):
    first = draws(tiny, "noise", t=3, seed=5)
    np.testing.assert_array_equal(first, draws(tiny, "noise", t=3, seed=5))
    for other in (draws(tiny, "noise", 4, 5), draws(tiny, "noise", 3, 6)):
        assert abs(np.corrcoef(first, other)[0, 1]) < 0.1


X = np.array([-3.0, -2.5, -1.0, -0.5, -0.0, 0.0, 1e-3, 0.5, 1.0, 2.0, 7.3, 1e4], np.float32)


@pytest.mark.parametrize("exponent", [2, 3])
def test_small_whole_powers_are_products(exponent):
    np.testing.assert_array_equal(power(jnp.asarray(X), exponent), np.prod([X] * exponent, axis=0))


def test_moments_before_the_first_step_are_zero():
    interpreter = Interpreter(Grammar(TINY, 1), b1=0.5)
    start = interpreter.init(3)
    assert isinstance(start, Moments) and not np.any([start.m, start.v, start.y])
    after = interpreter.moments(start, jnp.array([2.0, 0.0, -4.0]))
    np.testing.assert_allclose(after.m, [1.0, 0.0, -2.0])
    np.testing.assert_allclose(after.decay, [0.5, 0.999, 0.999], rtol=1e-6)
