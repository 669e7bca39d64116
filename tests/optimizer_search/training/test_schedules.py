"""What surrounds an update rule: schedules and weight decay against optax's own."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from metarl import optimizers
from metarl.optimizer_search.settings.compare_config import SCHEDULE_NAMES
from metarl.optimizer_search.training.schedules import (
    SCHEDULES,
    scheduled,
    warm_up_steps,
    with_weight_decay,
    without_decay,
)

RATE, STEPS = 0.3, 10
OPTAX: dict[str, Any] = {  # in so few steps the warm-up is over with the first
    "constant": optax.constant_schedule(RATE),
    "warm-up": optax.constant_schedule(RATE),
    "linear": optax.linear_schedule(RATE, 0.0, STEPS),
    "cosine": optax.cosine_decay_schedule(RATE, STEPS),
    "linear-cosine": optimizers.linear_cosine_decay(RATE, STEPS),
}


def test_decaying_rates_rise_over_the_first_twentieth_and_end_at_zero():
    steps, warm_up = 100, 5
    assert warm_up_steps(steps) == warm_up and warm_up_steps(101) == 6 and warm_up_steps(1) == 1
    for name, falling in {
        "warm-up": lambda share: 1.0,
        "linear": lambda share: 1.0 - share,
        "cosine": lambda share: 0.5 * (1.0 + math.cos(math.pi * share)),
    }.items():
        ours: Any = scheduled(RATE, 0, (name,), steps)
        for count in (0, 1, 3, 4, 5, 50, 99, 100):
            if count < warm_up:
                expected = RATE * (count + 1) / warm_up
            else:
                expected = RATE * falling((count - warm_up + 1) / (steps - warm_up + 1))
            assert float(ours(jnp.int32(count))) == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_who_averages_weights_keeps_the_rate_after_the_warm_up():
    assert [without_decay(name) for name in SCHEDULE_NAMES] == ["constant", *["warm-up"] * 4]
    kept: Any = scheduled(RATE, 1, ("warm-up", "warm-up"), 100)
    assert [float(kept(jnp.int32(count))) for count in (0, 50, 99)] == pytest.approx(
        [RATE / 5, RATE, RATE]
    )
    assert scheduled(RATE, 1, ("constant", "constant"), 100) == RATE


def test_the_settings_offer_what_there_is():
    assert tuple(SCHEDULES) == SCHEDULE_NAMES


@pytest.mark.parametrize("name", SCHEDULE_NAMES)
def test_schedules_are_optaxs(name):
    place = SCHEDULE_NAMES.index(name)
    ours: Any = scheduled(RATE, place, SCHEDULE_NAMES, STEPS)
    assert callable(ours)
    for count in (0, 1, 5, 9, 10, 15):
        theirs = OPTAX[name](count)
        expected = float(theirs)
        assert float(jnp.asarray(ours(jnp.int32(count)))) == pytest.approx(
            expected, rel=1e-5, abs=1e-8
        )


@pytest.mark.parametrize("steps", [1, 7, 20, 21, 100])
def test_a_length_that_is_data_of_a_program_gives_the_rates_of_a_known_one(steps):
    counts = jnp.arange(steps + 2)

    def rates(total_steps: Any) -> jax.Array:
        given: list[Any] = [scheduled(RATE, 0, (name,), total_steps) for name in SCHEDULE_NAMES[1:]]
        return jnp.stack([jax.vmap(rate)(counts) for rate in given])

    known = rates(steps)  # a number, as the programs of a comparison have it
    np.testing.assert_allclose(jax.jit(rates)(jnp.int32(steps)), known, rtol=1e-5, atol=1e-7)


def test_a_constant_rate_alone_stays_a_number():
    assert scheduled(RATE, 0, ("constant",), STEPS) == RATE


@pytest.mark.parametrize("rate", [RATE, OPTAX["cosine"]], ids=["number", "schedule"])
def test_weight_decay_is_that_of_adamw(rate):
    strength = 0.1
    ours = with_weight_decay(optax.adam(rate), rate, strength)
    theirs = optax.adamw(rate, weight_decay=strength)
    params: list[Any] = [{"w": jnp.array([1.0, -2.0, 3.0])} for _ in range(2)]
    states = [transform.init(params[0]) for transform in (ours, theirs)]
    for step in range(4):
        for side, transform in enumerate((ours, theirs)):
            grads = {"w": jnp.sin(params[side]["w"] + step)}
            updates, states[side] = transform.update(grads, states[side], params[side])
            params[side] = optax.apply_updates(params[side], updates)
    np.testing.assert_allclose(params[0]["w"], params[1]["w"], rtol=1e-6)
