"""PowerSign and AddSign are the rules they name, for any base, and say what is wrong."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from metarl import optimizers
from metarl.errors import InvalidInput
from metarl.update_rules import to_optax

FAMILIES = {
    "powersign": lambda **settings: optimizers.powersign(0.1, **settings),
    "powersign-2": lambda **settings: optimizers.powersign(0.1, base=2.0, **settings),
    "addsign": lambda **settings: optimizers.addsign(0.1, **settings),
    "addsign-2": lambda **settings: optimizers.addsign(0.1, alpha=2.0, **settings),
    "powersign-ld": lambda **settings: optimizers.powersign(
        0.1, decay="ld", total_steps=10, **settings
    ),
    "powersign-cd": lambda **settings: optimizers.powersign(
        0.1, decay="cd", total_steps=10, **settings
    ),
    "addsign-rd10": lambda **settings: optimizers.addsign(
        0.1, decay="rd10", total_steps=10, **settings
    ),
}


def two_steps(optimizer: Any) -> Any:
    """Returns the updates of the second of two steps with fixed gradients."""
    weights = jnp.array([1.0, -2.0, 3.0, 0.5])
    state = optimizer.init(weights)
    _, state = optimizer.update(jnp.array([1.0, -1.0, 0.5, 2.0]), state, weights)
    return optimizer.update(jnp.array([-0.5, -2.0, 0.1, -3.0]), state, weights)[0]


@pytest.mark.parametrize("name", FAMILIES)
def test_powersign_and_addsign_are_the_named_rules(name):
    expected = two_steps(to_optax(name, 0.1, b1=0.8, weight_decay=0.1, total_steps=10))
    actual = two_steps(FAMILIES[name](b1=0.8, weight_decay=0.1))
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_powersign_scales_a_gradient_by_the_base_or_its_inverse():
    np.testing.assert_allclose(
        two_steps(optimizers.powersign(1.0, base=3.0)),
        [0.5 / 3.0, 6.0, -0.3, 9.0],
        rtol=1e-6,
    )


@pytest.mark.parametrize("family", ["powersign", "addsign"])
def test_a_second_number_without_a_name_is_refused(family):
    make: Any = getattr(optimizers, family)
    with pytest.raises(TypeError, match="takes 1 positional argument but 2 were given"):
        make(0.1, 0.9)  # optax.sgd(0.1, 0.9) means momentum


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: optimizers.powersign(0.1, base=0.0), "base is a positive number; received 0.0"),
        (
            lambda: optimizers.addsign(0.1, alpha=-1.0),
            "alpha is a number, 0 or more; received -1.0",
        ),
        (lambda: optimizers.powersign(0.1, decay="ldd"), "Unknown decay 'ldd'. Did you mean 'ld'"),
        (lambda: optimizers.powersign(0.1, decay="ld"), "pass total_steps"),
        (lambda: optimizers.powersign(0.1, b1=1.0), "0 <= b1 < 1; received 1.0"),
    ],
)
def test_a_mistake_is_named(call, message):
    with pytest.raises(InvalidInput, match=message):
        call()
