"""One optimizer: interpreter, compiler, exported files and reference give a rule one meaning, under jit, at every step.

The expected values are written out here in double precision, in whole numbers where the law is one of whole numbers.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl import update_rules
from metarl.errors import InvalidInput
from metarl.update_rules import (
    Grammar,
    Interpreter,
    Space,
    parse,
    reference_update,
    to_python,
    to_torch,
)
from metarl.update_rules.interpreter import power

to_optax: Any = update_rules.to_optax  # types of trees are too wide for a checker to follow

DECAYS = ("ld", "cd", "cd10", "rd10", "rd20")
# 41 (1 / 41) is not 1 in single precision, so that a linear decay would not end.
LENGTHS = (41, 50, 100, 110, 1000, *map(int, np.random.default_rng(16).integers(2, 5000, 4)))


def decays(t, total):
    """The decays at step t, [5], in double precision."""
    done = min(t, total)
    p = done / total
    return [
        1 - p,
        (1 + math.cos(math.pi * p)) / 2,
        (1 + math.cos(2 * math.pi * (10 * done % total) / total)) / 2,
        (1 + math.cos(math.pi * (10 * done % total) / total)) / 2,
        (1 + math.cos(math.pi * (20 * done % total) / total)) / 2,
    ]


def of_transforms(optimizers):
    """The compiled function from steps [N] to the updates of optax transforms, [N, K]."""
    one = jnp.ones(1)

    def at(t):
        rows = []
        for optimizer in optimizers:
            first, *rest = optimizer.init(one)
            rows.append(-optimizer.update(one, (first._replace(count=t), *rest), one)[0][0])
        return jnp.stack(rows)

    return jax.jit(jax.vmap(at))


@pytest.fixture(scope="module")
def interpreted_decays():
    """The compiled function from steps [N] and T to the interpreter's decays, [N, 5]."""
    space = Space("decays", ("g", *DECAYS), ("x",), ("*", "keep"), "what the test needs")
    grammar = Grammar(space, depth=1)
    interpreter, one = Interpreter(grammar), jnp.ones(1)
    tables, moments, seed = interpreter.randomness(1), interpreter.init(1), jnp.int32(0)
    tokens = jnp.stack([jnp.asarray(grammar.to_tokens(parse(f"{name} * g"))) for name in DECAYS])

    def at(t, total):
        return jax.lax.map(
            lambda row: interpreter.update(row, moments, one, one, t, total, seed, tables)[0],
            tokens,
        )

    return jax.jit(jax.vmap(at, (0, None)))


@pytest.mark.parametrize("total", LENGTHS)
def test_decays_begin_and_end_at_their_steps_in_every_executor(total, load, interpreted_decays):
    steps = np.unique(
        [*range(min(total, 120)), *(total * np.arange(1, 21) // 20), total, total + 3]
    )
    steps = np.unique(np.clip([*steps - 1, *steps, *steps + 1], 0, None)).astype(np.int32)
    expected = np.array([decays(int(t), total) for t in steps])
    files = [
        load(to_python(name, name="rule"), f"{name}_{total}").rule(1.0, total_steps=total)
        for name in DECAYS
    ]
    rules = [to_optax(name, 1.0, total_steps=total) for name in DECAYS]
    one = np.ones(1, np.float32)
    seen = {
        "compiler": of_transforms(rules)(steps),
        "exported file": of_transforms(files)(steps),
        "interpreter": interpreted_decays(steps, np.int32(total)),
        "reference": [
            [reference_update(name, one, t=int(t), total_steps=total)[0] for name in DECAYS]
            for t in steps
        ],
    }
    for executor, values in seen.items():
        values = np.asarray(values)
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-5, err_msg=executor)
        # a decay is 1 where a cycle begins, and the linear one 0 at the end, to the bit
        sharp = (expected == 1.0) | (expected == 0.0)
        np.testing.assert_array_equal(values[sharp], expected[sharp], err_msg=executor)


@pytest.mark.extras
@pytest.mark.parametrize("total", [41, 50, 100, 1000])
def test_decays_begin_and_end_at_their_steps_in_torch(total, load):
    torch = pytest.importorskip("torch")
    rows = []
    for name in DECAYS:
        p = torch.nn.Parameter(torch.zeros(1))
        Rule = load(to_torch(name, name="Rule"), f"{name}_{total}").Rule
        optimizer = Rule([p], lr=1.0, total_steps=total)
        p.grad = torch.ones(1)
        row = []
        for _ in range(total + 3):
            with torch.no_grad():
                p.zero_()
            optimizer.step()
            row.append(-p.item())
        rows.append(row)
    expected = np.array([decays(t, total) for t in range(total + 3)])
    values = np.array(rows).T
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-5)
    sharp = (expected == 1.0) | (expected == 0.0)
    np.testing.assert_array_equal(values[sharp], expected[sharp])


def test_a_run_is_no_longer_than_its_cycles_can_be_counted():
    longest = (2**31 - 1) // 20
    optimizer = to_optax("rd20", 1.0, total_steps=longest)
    first, *rest = optimizer.init(jnp.ones(1))
    for t in (longest // 20 * 19, longest - 1, longest, 2**31 - 1):
        state = (first._replace(count=jnp.int32(t)), *rest)
        value = -optimizer.update(jnp.ones(1), state)[0][0]
        assert value == pytest.approx(decays(t, longest)[-1], abs=1e-5)
    with pytest.raises(InvalidInput, match="at most 107,374,182; received 107374183"):
        to_optax("rd20", 1.0, total_steps=longest + 1)


# The values that entries have where equal text has equal value and different draws are independent.
CHANCES = {
    "drop(g, 0.5) - drop(g, 0.5)": {0.0},
    "drop(g, 0.5) * drop(m, 0.5)": {0.0, 1.0},
    "drop(g, 0.5) + drop(m, 0.5)": {0.0, 2.0},
    "drop(g, 0.1) + drop(g, 0.3) * 2": {0.0, 1.0, 2.0, 3.0},
    "noise - noise": {0.0},
    "sign(noise) * sign(noise)": {1.0},
    "annealed_noise - annealed_noise": {0.0},
    "sign(annealed_noise) * sign(noise)": {-1.0, 1.0},
}


@pytest.fixture(scope="module")
def interpreted_chance():
    """The compiled function from tokens [K, L] to the interpreter's updates where g and m are 1, [K, P]."""
    operands = ("g", "m", "2", "noise", "annealed_noise")
    unary = ("x", "drop(x, 0.1)", "drop(x, 0.3)", "drop(x, 0.5)", "sign(x)", "2 * x")
    grammar = Grammar(Space("chance", operands, unary, ("*", "+", "-", "keep"), "chance"), depth=3)
    interpreter, ones = Interpreter(grammar), jnp.ones(4000)
    moments, tables = interpreter.init(4000), interpreter.randomness(4000)
    moments = interpreter.moments(moments, ones)
    t, total, seed = jnp.int32(3), jnp.int32(10), jnp.int32(7)

    def one(row):
        return interpreter.update(row, moments, ones, ones, t, total, seed, tables)

    return jax.jit(lambda rows: jax.lax.map(one, rows)), grammar


def first_update(optimizer):
    ones = jnp.ones(4000)
    return np.asarray(-optimizer.update(ones, optimizer.init(ones))[0])


@pytest.mark.parametrize("executor", ["reference", "compiler", "exported file", "interpreter"])
def test_equal_text_has_equal_value_where_chance_is_drawn(executor, load, interpreted_chance):
    interpret, grammar = interpreted_chance
    ones = np.ones(4000, np.float32)
    if executor == "interpreter":
        interpreted = interpret(np.stack([grammar.to_tokens(parse(text)) for text in CHANCES]))
    for number, (text, values) in enumerate(CHANCES.items()):
        if executor == "reference":
            rng = np.random.default_rng(0)
            got = reference_update(text, ones, m=ones, rng=rng)
        elif executor == "compiler":
            got = first_update(to_optax(text, 1.0))
        elif executor == "exported file":
            got = first_update(load(to_python(text, name="rule"), f"chance_{number}").rule(1.0))
        else:
            got = np.asarray(interpreted[number])
        assert set(np.unique(got.round(5)).tolist()) == values, f"{executor}: {text}"


@pytest.mark.extras
def test_equal_text_has_equal_value_in_torch(load):
    torch = pytest.importorskip("torch")
    for number, (text, values) in enumerate(CHANCES.items()):
        p = torch.nn.Parameter(torch.zeros(4000))
        optimizer = load(to_torch(text, name="Rule"), f"chance_{number}").Rule([p], lr=1.0)
        p.grad = torch.ones(4000)
        optimizer.step()
        assert set(np.unique(-p.detach().numpy().round(5)).tolist()) == values, text


def test_a_value_that_tokens_use_again_is_the_value_that_the_rule_writes_twice(interpreted_chance):
    """A group's value used twice, and the rule of the same text with the draw written in both places."""
    interpret, grammar = interpreted_chance
    operands, unary, binary = (
        grammar.operand_expressions,
        grammar.unary_functions,
        grammar.binary_names,
    )
    g, x, drop = (
        operands.index(parse("g").expression),
        unary.index((None, None)),
        unary.index(("drop", 0.5)),
    )
    minus, keep = binary.index("-"), binary.index("keep")
    value = len(operands)
    reused = np.array([g, 0, drop, x, keep, value, value, x, x, minus, value + 1, 0, x, x, keep])
    rule = grammar.to_rule(reused)
    assert str(rule) == "drop(g, 0.5) - drop(g, 0.5)"
    written = np.array([g, g, drop, drop, minus, value, 0, x, x, keep, value + 1, 0, x, x, keep])
    assert grammar.to_rule(written) == rule
    np.testing.assert_array_equal(interpret(np.stack([reused, written])), 0.0)


def test_the_draws_of_a_step_are_independent_of_each_other(interpreted_chance):
    """Nine means or correlations of 4,000 entries: the standard deviation is at most 0.016, the bound 5 of them."""
    interpret, grammar = interpreted_chance
    texts = ("noise", "annealed_noise", "drop(g, 0.3)", "drop(g, 0.5)")
    rows = interpret(np.stack([grammar.to_tokens(parse(text)) for text in texts]))
    assert abs(np.corrcoef(rows) - np.eye(4)).max() < 0.08
    for one, other, mean in (
        ("sign(noise)", "sign(annealed_noise)", 0.0),
        ("sign(noise)", "drop(g, 0.5)", 0.0),
        ("drop(g, 0.3)", "drop(g, 0.5)", 0.35),
    ):
        assert abs(first_update(to_optax(f"{one} * {other}", 1.0)).mean() - mean) < 0.08


def test_a_rule_that_draws_once_keeps_the_numbers_it_always_had():
    """The key of a draw: the step's, split by leaf, with the number of the draw folded in, from 1."""
    ones = jnp.ones(5)
    key = jax.random.split(jax.random.fold_in(jax.random.key(3), 0), 1)[0]
    kept = jax.random.bernoulli(jax.random.fold_in(key, 1), 0.7, (5,))
    optimizer = to_optax("drop(g, 0.3)", 1.0, seed=3)
    np.testing.assert_array_equal(-optimizer.update(ones, optimizer.init(ones))[0], kept)


# Standard: IEEE 754-2019, section 9.2.1.
SPECIAL = np.array(
    [-np.inf, -3.0, -2.5, -2.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 2.0, 2.5, 3.0, np.inf, np.nan]
)


def double_precision(wanted):
    """The context in which jax computes in double precision if that is wanted, and in single otherwise."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(wanted)
    from jax import experimental  # of jax before 0.8

    return experimental.enable_x64(wanted)  # pyright: ignore[reportAttributeAccessIssue]


def power_by_cases(x, y):
    """x ^ y of two Python floats, case by case."""
    if y == 0.0 or x == 1.0:
        return 1.0
    if math.isnan(x) or math.isnan(y):
        return math.nan
    odd = math.isfinite(y) and y == math.floor(y) and y % 2.0 == 1.0
    sign = -1.0 if odd and math.copysign(1.0, x) < 0.0 else 1.0
    if math.isfinite(x) and x < 0.0 and math.isfinite(y) and y != math.floor(y):
        return math.nan
    size = abs(x)
    if size == 1.0:
        return sign
    if size in (0.0, math.inf) or math.isinf(y):
        return sign * (math.inf if (size > 1.0) == (y > 0.0) else 0.0)
    return sign * size**y


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
def test_powers_have_the_values_of_the_standard_in_every_executor(dtype, load):
    """The signs of zeros included; numbers to the precision of the type, which exp and log have three bits less of."""
    x, y = (a.reshape(-1) for a in np.meshgrid(SPECIAL, SPECIAL))
    expected = np.array(
        [power_by_cases(*pair) for pair in zip(x.tolist(), y.tolist(), strict=True)]
    )
    module = load(to_python("g^w", name="rule"), f"power_{dtype}")
    with double_precision(dtype == "float64"):
        g, w = jnp.asarray(x, dtype), jnp.asarray(y, dtype)
        seen = {"interpreter": jax.jit(power)(g, w)}
        for name, optimizer in (("compiler", to_optax("g^w", -1.0)), ("file", module.rule(-1.0))):
            seen[name] = jax.jit(lambda g, w, o=optimizer: o.update(g, o.init(w), w)[0])(g, w)
        tolerance = 8 * float(jnp.finfo(dtype).eps)
        seen = {name: np.asarray(value, np.float64) for name, value in seen.items()}
    if dtype != "bfloat16":
        seen["reference"] = reference_update("g^w", x.astype(dtype), w=y.astype(dtype))
    for executor, got in seen.items():
        np.testing.assert_allclose(got, expected, rtol=tolerance, atol=0, err_msg=executor)
        number = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(got)[number], np.signbit(expected)[number])


def moments_by_hand(gradients, dtype):
    """m, v, y at every step, [N, 3, P], averaged in the type that an executor averages in."""
    averages, rows = [np.zeros(gradients.shape[1], dtype)] * 3, []
    for t, g in enumerate(gradients):
        g = g.astype(dtype)
        powers, rates = (g, g * g, g * g * g), (0.9, 0.999, 0.999)
        averages = [
            (np.asarray(b, dtype) * a + np.asarray(1 - b, dtype) * x).astype(dtype)
            for a, x, b in zip(averages, powers, rates, strict=True)
        ]
        rows.append(
            [a.astype(float) / (1 - b ** (t + 1)) for a, b in zip(averages, rates, strict=True)]
        )
    return np.array(rows)


# In single precision 1 - 0.999 is right to 5e-5, in optax as well.
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 1e-4), ("bfloat16", 0.04), ("float64", 1e-13)]
)
def test_moments_and_decays_have_their_formulas_at_every_step_in_every_executor(
    dtype, tolerance, load
):
    steps, total = 12, 10
    rng = np.random.default_rng(4)
    gradients = rng.uniform(0.5, 2.0, (steps, 6)) * rng.choice([-1.0, 1.0], 6)
    texts = ("m", "v", "y", "adam", "rmsprop", "ld * g", "rd10 * g", "cd * m")
    modules = [load(to_python(text, name="rule"), f"r{i}_{dtype}") for i, text in enumerate(texts)]
    with double_precision(dtype == "float64"):
        given = jnp.asarray(gradients, dtype)
        exact = np.asarray(given, float)
        needs_steps = [
            {"total_steps": total} if "progress" in parse(t).needs else {} for t in texts
        ]
        makers: dict[str, Any] = {
            "compiler": [to_optax(t, -1.0, **n) for t, n in zip(texts, needs_steps, strict=True)],
            "file": [m.rule(-1.0, **n) for m, n in zip(modules, needs_steps, strict=True)],
        }
        seen = {}
        for executor, optimizers in makers.items():

            def one_step(states, g, optimizers=optimizers):
                pairs = [o.update(g, s, g) for o, s in zip(optimizers, states, strict=True)]
                return [state for _, state in pairs], jnp.stack([update for update, _ in pairs])

            begin = [optimizer.init(given[0]) for optimizer in optimizers]
            seen[executor] = jax.jit(lambda b, g, step=one_step: jax.lax.scan(step, b, g)[1])(
                begin, given
            )
        if dtype != "bfloat16":
            seen["interpreter"] = interpreted_steps(texts, given, total)
        seen = {executor: np.asarray(values, float) for executor, values in seen.items()}
        m, v, y = np.moveaxis(moments_by_hand(exact, jnp.dtype(dtype)), 1, 0)
    ld, cd, _, rd10, _ = np.array([decays(t, total) for t in range(steps)]).T[:, :, None]
    root = np.sqrt(v) + 1e-8
    expected = np.stack(
        [m, v, y, m / root, exact / root, ld * exact, rd10 * exact, cd * m], axis=1
    )  # [N, K, P]
    for executor, values in seen.items():
        np.testing.assert_allclose(
            values, expected, rtol=tolerance, atol=tolerance, err_msg=executor
        )


def interpreted_steps(texts, gradients, total):
    """The interpreter's updates at every step, [N, K, P]."""
    operands = ("g", "m", "v", "y", "adam", "rmsprop", *DECAYS)
    grammar = Grammar(Space("all", operands, ("x",), ("*", "keep"), "what the test needs"), depth=1)
    tokens = jnp.stack([jnp.asarray(grammar.to_tokens(parse(text))) for text in texts])
    size = gradients.shape[1]
    interpreter = Interpreter(grammar)
    tables, seed, total = interpreter.randomness(size), jnp.int32(0), jnp.int32(total)

    def one_step(moments, scanned):
        g, t = scanned
        moments = interpreter.moments(moments, g)

        def one_rule(row):
            return interpreter.update(row, moments, g, g, t, total, seed, tables)

        return moments, jax.lax.map(one_rule, tokens)

    numbered = (gradients, jnp.arange(len(gradients)))
    return jax.jit(lambda n: jax.lax.scan(one_step, interpreter.init(size), n)[1])(numbered)


@pytest.mark.extras
def test_powers_have_the_values_of_the_standard_in_torch(load):
    torch = pytest.importorskip("torch")
    x, y = (a.reshape(-1) for a in np.meshgrid(SPECIAL, SPECIAL))
    expected = np.array(
        [power_by_cases(*pair) for pair in zip(x.tolist(), y.tolist(), strict=True)]
    )
    got = load(to_torch("g^w", name="Rule"))._rule(torch.tensor(x), torch.tensor(y)).numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-14, atol=0)
