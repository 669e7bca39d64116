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
