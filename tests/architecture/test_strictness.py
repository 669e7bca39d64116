"""What the tests themselves are strict about."""

from __future__ import annotations

import jax
import pytest


@pytest.mark.usefixtures("keys_checked")
def test_a_key_that_is_consumed_twice_raises():
    def twice(key):
        return jax.random.uniform(key) + jax.random.normal(key)

    with pytest.raises(jax.errors.KeyReuseError):
        jax.jit(twice)(jax.random.key(0))


def test_an_implicit_broadcast_between_ranks_raises():
    with pytest.raises(ValueError, match="rank"):
        jax.numpy.add(jax.numpy.ones((2, 3)), jax.numpy.ones(3))
