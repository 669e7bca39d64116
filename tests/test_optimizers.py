"""The aliases: each is the rule it names; the schedules follow their formulas."""

from __future__ import annotations

import doctest
import inspect
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from metarl import optimizers
from metarl.errors import InvalidInput
from metarl.update_rules import NAMED_RULES, to_optax

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
ALIASES = [
    name
    for name in NAMED_RULES
    if hasattr(optimizers, name.replace("-", "_")) and name not in FAMILIES
]


def two_steps(optimizer: Any) -> Any:
    """Returns the updates of the second of two steps with fixed gradients."""
    weights = jnp.array([1.0, -2.0, 3.0, 0.5])
    state = optimizer.init(weights)
    _, state = optimizer.update(jnp.array([1.0, -1.0, 0.5, 2.0]), state, weights)
    return optimizer.update(jnp.array([-0.5, -2.0, 0.1, -3.0]), state, weights)[0]


@pytest.mark.parametrize("name", FAMILIES)
def test_powersign_and_addsign_are_the_named_rules(name):
    expected = two_steps(to_optax(name, 0.1, b1=0.8, weight_decay=0.1, total_steps=10))
    np.testing.assert_array_equal(two_steps(FAMILIES[name](b1=0.8, weight_decay=0.1)), expected)


@pytest.mark.parametrize("name", ALIASES)
def test_an_alias_is_the_named_rule(name):
    alias = getattr(optimizers, name.replace("-", "_"))
    np.testing.assert_array_equal(
        two_steps(alias(0.1, seed=3, total_steps=9)),
        two_steps(to_optax(name, 0.1, seed=3, total_steps=9)),
    )
    assert str(NAMED_RULES[name].rule) in (inspect.getdoc(alias) or "")


def test_every_rule_found_here_has_an_alias_that_says_where_it_is_from_and_what_it_is_worth():
    rows = {name: row.found for name, row in NAMED_RULES.items() if row.found is not None}
    assert rows and set(rows) <= set(ALIASES)
    for name, found in rows.items():
        text = " ".join((inspect.getdoc(getattr(optimizers, name.replace("-", "_"))) or "").split())
        for fact in (found.command, f"seed {found.seed}", found.versions):
            assert fact in text, (name, fact)
        assert " ".join(found.comparison.split()) in text
        said = {None: "was not compared", True: "it beat tuned Adam", False: "did not beat"}
        assert [s for s in said.values() if s in text] == [said[found.beats_adam]]


def test_every_rule_of_the_papers_table_has_an_alias():
    table = [
        row.name
        for row in NAMED_RULES.values()
        if row.source.endswith("ICML 2017") and row.mark == "?"
    ]
    assert len(table) == 15
    assert set(table) <= set(ALIASES)


def test_powersign_scales_a_gradient_by_the_base_or_its_inverse():
    np.testing.assert_allclose(
        two_steps(optimizers.powersign(1.0, base=3.0)),
        [0.5 / 3.0, 6.0, -0.3, 9.0],
        rtol=1e-6,
    )


def test_any_named_rule_is_reached_by_its_name():
    for name in NAMED_RULES:
        expected = two_steps(to_optax(name, 0.1, total_steps=10))
        np.testing.assert_array_equal(
            two_steps(optimizers.named(name, 0.1, total_steps=10)), expected
        )


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
        (lambda: optimizers.powersign(0.1, base=0.0), "base is a positive number; received 0.0"),
        (
            lambda: optimizers.addsign(0.1, alpha=-1.0),
            "alpha is a number, 0 or more; received -1.0",
        ),
        (lambda: optimizers.powersign(0.1, decay="ldd"), "Unknown decay 'ldd'. Did you mean 'ld'"),
        (lambda: optimizers.powersign(0.1, decay="ld"), "pass total_steps"),
        (lambda: optimizers.named("powersing", 0.1), "Did you mean 'powersign'"),
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


def test_the_examples_of_the_docstrings_run():
    results = doctest.testmod(optimizers)
    assert results.attempted > 100
    assert results.failed == 0
