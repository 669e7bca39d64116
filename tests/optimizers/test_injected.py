"""Inside `optax.inject_hyperparams`, under jit: every hyperparameter may be a schedule, or be changed."""

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
from metarl.update_rules import to_optax

RATE = optax.linear_schedule(0.1, 0.0, 4)
NO_OPTIMIZERS = (
    "DECAYS",
    "by_name",
    "cautious",
    "named",
    "needs_total_steps",
    "weight_dimension_numbers",
)
NAMES = [
    name
    for name in optimizers.__all__
    if name not in (*NO_OPTIMIZERS, "linear_cosine_decay", "noisy_linear_cosine_decay")
    and not name.startswith("scale_by_")
]


FEW: dict[str, tuple[Any, dict[str, Any]]] = {
    "adam_step_back": (optimizers.adam_step_back, {}),
    "drop10_momentum_exp_g3": (optimizers.drop10_momentum_exp_g3, {}),
    "powersign": (optimizers.powersign, {"decay": "ld", "total_steps": 9}),
    "addsign": (optimizers.addsign, {}),
    "named": (optimizers.named, {"name": "powersign-cd", "total_steps": 9}),
    "soap": (optimizers.soap, {}),
    "mars": (optimizers.mars, {}),
    "adan": (optimizers.adan, {}),
    "cautious_adamw": (optimizers.cautious_adamw, {}),
}


def two_steps(transforms: dict[str, Any], dtype: Any = jnp.float32, weights: bool = False) -> Any:
    """Returns every transform's updates of the second of two steps, computed by one compiled program."""
    params = {"a": jnp.array([1.0, -2.0, 3.0], dtype), "b": jnp.array(0.5, dtype)}

    @jax.jit
    def step(states: Any, sign: jax.Array) -> Any:
        gradients = jax.tree.map(lambda x: (sign * jnp.sin(x)).astype(dtype), params)
        given = params if weights else None
        return {name: tx.update(gradients, states[name], given) for name, tx in transforms.items()}

    states = {name: tx.init(params) for name, tx in transforms.items()}
    after = step(states, jnp.float32(1.0))
    after = step({name: state for name, (_, state) in after.items()}, jnp.float32(-0.5))
    return {name: updates for name, (updates, _) in after.items()}


def plain(made: dict[str, tuple[Any, dict[str, Any]]]) -> dict[str, Any]:
    return {name: make(learning_rate=RATE, **settings) for name, (make, settings) in made.items()}


def injected(
    made: dict[str, tuple[Any, dict[str, Any]]], rate: Any = RATE, **options: Any
) -> dict[str, Any]:
    return {
        name: optax.inject_hyperparams(make, **options)(learning_rate=rate, **settings)
        for name, (make, settings) in made.items()
    }


def assert_close(actual: Any, expected: Any, rtol: float) -> None:
    assert set(actual) == set(expected)
    for name, updates in actual.items():
        for leaf, other in zip(
            jax.tree.leaves(updates), jax.tree.leaves(expected[name]), strict=True
        ):
            np.testing.assert_allclose(
                np.asarray(leaf, np.float32), other, rtol=rtol, atol=1e-6, err_msg=name
            )


@pytest.mark.parametrize("name", NAMES)
def test_every_optimizer_is_traced_and_wants_no_parameters_without_weight_decay(name):
    optimizer = optax.inject_hyperparams(getattr(optimizers, name))(learning_rate=RATE)
    gradients = jnp.ones(2)
    state = optimizer.init(gradients)
    reads_them = name in ("drop30_momentum_exp_w", "rms_ortho_cautious")
    params = gradients if reads_them else None
    updates, _ = jax.eval_shape(optimizer.update, gradients, state, params)
    assert updates.shape == (2,)


def test_a_schedule_that_is_injected_is_followed():
    # An injected 0.999 is rounded to float32 before it is taken from 1.
    assert_close(two_steps(injected(FEW)), two_steps(plain(FEW)), rtol=1e-3)


def test_trees_that_are_all_bfloat16_get_finite_updates_where_optaxs_are_not():
    tried = FEW | {"optax.adam": (optax.adam, {})}
    actual = two_steps(injected(tried, rate=0.1), jnp.bfloat16, weights=True)
    assert jnp.isnan(actual.pop("optax.adam")["a"]).all()  # what the docstrings say of it
    for name, updates in actual.items():
        for leaf in jax.tree.leaves(updates):
            assert leaf.dtype == jnp.bfloat16 and jnp.isfinite(leaf).all(), name


def test_hyperparam_dtype_keeps_the_rates_of_bfloat16_trees():
    made = {"v": (to_optax, {"rule": "v"})}  # 0.996 would be seen in the second step
    kept = two_steps(injected(made, hyperparam_dtype=jnp.float32), jnp.bfloat16)
    assert_close(kept, two_steps(plain(made)), rtol=0.02)


HYPERPARAMETERS = {
    "powersign": {"base": 3.0, "b1": 0.7, "weight_decay": 0.1},
    "addsign": {"alpha": 2.0, "b1": 0.7, "weight_decay": 0.1},
    "adam_exp_momentum": {"b1": 0.7, "b2": 0.9, "eps": 0.01, "weight_decay": 0.1},
    "drop10_momentum_exp_g3": {"b1": 0.7, "seed": 3},
}


def test_a_hyperparameter_that_is_injected_does_what_it_does_as_a_number():
    made = {name: (getattr(optimizers, name), s) for name, s in HYPERPARAMETERS.items()}
    assert_close(
        two_steps(injected(made), weights=True), two_steps(plain(made), weights=True), 1e-5
    )


def test_the_base_e_is_a_base_as_any_other():
    bases = [math.e, 2.0, 1.0, 0.5]
    gradients = jnp.array([1.0, -2.0, 3.0])

    @jax.jit
    def first_update(base: Any) -> Any:
        optimizer = optimizers.powersign(1.0, base=base)
        return optimizer.update(gradients, optimizer.init(gradients))[0]

    for base in bases:  # one program for all
        np.testing.assert_allclose(first_update(base), -base * gradients, rtol=1e-6)
        optimizer = optimizers.powersign(1.0, base=base)
        updates: Any = optimizer.update(gradients, optimizer.init(gradients))[0]
        np.testing.assert_allclose(updates, -base * gradients, rtol=1e-6)


def test_a_hyperparameter_can_be_changed_between_steps():
    optimizer = optax.inject_hyperparams(optimizers.powersign)(learning_rate=1.0, base=2.0)
    gradients = jnp.array([1.0, -2.0])
    state: Any = optimizer.init(gradients)
    update: Any = jax.jit(optimizer.update)
    for base in (2.0, 4.0):
        state.hyperparams["base"] = jnp.float32(base)
        updates, state = update(gradients, state)
        np.testing.assert_allclose(updates, -base * gradients, rtol=1e-6)


def test_a_weight_decay_of_nought_that_is_injected_can_become_another():
    optimizer = optax.inject_hyperparams(optimizers.addsign)(learning_rate=1.0, weight_decay=0.0)
    params = jnp.array([1.0, -2.0])
    state: Any = optimizer.init(params)
    state.hyperparams["weight_decay"] = jnp.float32(0.5)
    updates, _ = jax.jit(optimizer.update)(jnp.zeros(2), state, params)
    np.testing.assert_allclose(updates, [-0.5, 1.0], rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (optimizers.powersign, {"base": -1.0}, "base is a positive number; received -1.0"),
        (optimizers.addsign, {"alpha": -1.0}, "alpha is a number, 0 or more; received -1.0"),
        (optimizers.adam_powersign, {"b2": 1.5}, "0 <= b2 < 1; received 1.5"),
        (optimizers.adam_powersign, {"eps": -1.0}, "eps must not be negative; received -1.0"),
    ],
)
def test_a_number_out_of_range_is_still_refused_where_it_is_known(make, settings, message):
    with pytest.raises(InvalidInput, match=message):
        optax.inject_hyperparams(make)(learning_rate=0.1, **settings).init(jnp.ones(2))
