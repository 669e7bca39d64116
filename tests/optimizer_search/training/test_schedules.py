"""What surrounds an update rule: schedules and weight decay against optax's own."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from metarl import optimizers
from metarl.optimizer_search.settings.compare_config import SCHEDULE_NAMES
from metarl.optimizer_search.training.schedules import SCHEDULES, scheduled, with_weight_decay

RATE, STEPS = 0.3, 10
OPTAX: dict[str, Any] = {
    "constant": optax.constant_schedule(RATE),
    "linear": optax.linear_schedule(RATE, 0.0, STEPS),
    "cosine": optax.cosine_decay_schedule(RATE, STEPS),
    "linear-cosine": optimizers.linear_cosine_decay(RATE, STEPS),
}


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
