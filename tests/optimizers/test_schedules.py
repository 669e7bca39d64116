"""The schedules of the learning rate follow their formulas."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from metarl import optimizers
from metarl.errors import InvalidInput


def test_linear_cosine_decay_follows_its_formula_and_stops_at_its_end():
    schedule = optimizers.linear_cosine_decay(0.3, 20, num_periods=1.5, alpha=0.2, beta=0.01)
    for t in range(25):
        p = min(t, 20) / 20
        expected = 0.3 * ((0.2 + 1 - p) * 0.5 * (1 + math.cos(2 * math.pi * 1.5 * p)) + 0.01)
        assert np.asarray(schedule(t)) == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_the_noise_of_a_schedule_is_annealed_and_depends_on_step_and_seed_alone():
    def noise(seed, t) -> Any:
        settings: Any = {"num_periods": 0.0, "beta": 0.0}
        noisy: Any = optimizers.noisy_linear_cosine_decay(1.0, 100, seed=seed, **settings)
        return noisy(t) - optimizers.linear_cosine_decay(1.0, 100, **settings)(t)

    draws: Any = jax.vmap(lambda seed: jax.vmap(lambda t: noise(seed, t))(jnp.array([0, 9, 99])))(
        jnp.arange(4000)
    )
    np.testing.assert_allclose(np.var(draws, axis=0), [1.0, 10**-0.55, 100**-0.55], rtol=0.1)
    np.testing.assert_allclose(np.corrcoef(draws.T), np.eye(3), atol=0.06)
    assert float(noise(0, 3)) == float(noise(0, 3))


def test_schedules_drive_an_optimizer_under_jit():
    for schedule in (
        optimizers.linear_cosine_decay(0.1, 10),
        optimizers.noisy_linear_cosine_decay(0.1, 10),
    ):
        optimizer = optimizers.powersign(schedule)
        state = optimizer.init(jnp.ones(3))
        update = jax.jit(optimizer.update)
        for _ in range(2):
            updates, state = update(jnp.ones(3), state)
        np.testing.assert_allclose(
            updates, -np.asarray(schedule(1)) * math.e * np.ones(3), rtol=1e-5
        )
        assert isinstance(optimizer, optax.GradientTransformationExtraArgs)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: optimizers.linear_cosine_decay(0.1, 0), "positive number of steps; received 0"),
        (
            lambda: optimizers.noisy_linear_cosine_decay(0.1, 5, -1.0),
            "initial_variance must not be negative",
        ),
    ],
)
def test_a_mistake_is_named(call, message):
    with pytest.raises(InvalidInput, match=message):
        call()
