"""lookup: every name is the optimizer that it says, and what is no name is refused by text."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from metarl import optimizers
from metarl.errors import InvalidInput
from metarl.optimizer_search.comparing.standard import NULL_RIVALS, STANDARD
from metarl.optimizers.lookup import NAMES
from metarl.update_rules import NAMED_RULES, to_optax

WEIGHTS = {"w": jnp.array([[1.0, -2.0, 0.5], [0.3, 0.2, -1.0]]), "b": jnp.array([0.1, -0.2, 0.3])}
ONLY_THERE = {*NULL_RIVALS, "schedule-free-adamw"}  # judged at other points, seeds or parameters


def three_steps(transform: optax.GradientTransformation) -> dict[str, np.ndarray]:
    """Returns the sum of three updates, each along gradients of its own."""

    @jax.jit
    def walk(weights):
        state, start = transform.init(weights), weights
        for step in range(3):
            gradient = jax.tree.map(lambda x, s=step: jnp.sin(3.0 * x + s), weights)
            change, state = transform.update(gradient, state, weights)
            weights = optax.apply_updates(weights, change)
        return jax.tree.map(jnp.subtract, weights, start)

    return jax.tree.map(np.asarray, walk(WEIGHTS))


def assert_same(one, other):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9), one, other)


def test_the_names_are_those_of_a_comparison():
    assert set(NAMES) == set(STANDARD) - ONLY_THERE


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_the_optimizer_that_a_comparison_means_by_it(name):
    made = STANDARD[name].make(1e-2, 10, jax.random.key(0))
    assert isinstance(made, optax.GradientTransformation)
    found = three_steps(optimizers.by_name(name, 1e-2, total_steps=10))
    assert_same(found, three_steps(made))
    assert all(np.all(np.isfinite(x)) and np.any(x != 0) for x in found.values())


def test_a_rule_is_taken_by_its_name_and_by_its_text():
    name = "adam-step-back"
    expected = three_steps(to_optax(NAMED_RULES[name].rule, 1e-2))
    assert_same(three_steps(optimizers.by_name(name, 1e-2)), expected)
    assert_same(three_steps(optimizers.by_name(str(NAMED_RULES[name].rule), 1e-2)), expected)


def test_the_length_of_the_run_and_the_seed_reach_a_rule():
    decaying = [
        three_steps(optimizers.by_name("cd * g", 1e-2, total_steps=steps)) for steps in (4, 400)
    ]
    assert np.abs(decaying[0]["w"] - decaying[1]["w"]).max() > 1e-4
    noisy = [three_steps(optimizers.by_name("drop(g, 0.3)", 1e-2, seed=seed)) for seed in (0, 1)]
    assert np.abs(noisy[0]["w"] - noisy[1]["w"]).max() > 1e-4


@pytest.mark.parametrize("name", ["muon", "ademamix", "adam-step-back"])
def test_settings_of_its_own_reach_an_optimizer(name):
    setting: dict[str, Any] = {"beta": 0.5} if name == "muon" else {"b1": 0.5}
    unset: dict[str, Any] = {}
    plain, changed = (
        three_steps(optimizers.by_name(name, 1e-2, total_steps=10, **own))
        for own in (unset, setting)
    )
    assert np.abs(plain["w"] - changed["w"]).max() > 1e-4


def test_what_are_matrices_reaches_muon():
    plain = three_steps(optimizers.by_name("muon", 1e-2))
    none = three_steps(
        optimizers.by_name("muon", 1e-2, weight_dimension_numbers={"w": None, "b": None})
    )
    assert np.abs(plain["w"] - none["w"]).max() > 1e-4
    np.testing.assert_allclose(plain["b"], none["b"], rtol=1e-5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("adam", False), ("ademamix", True), ("powersign-cd", True), ("g * ld", True), ("g", False)],
)
def test_who_must_know_the_length_of_a_run_is_told(text, expected):
    assert optimizers.needs_total_steps(text) is expected
    if expected:
        with pytest.raises(InvalidInput, match="total_steps"):
            optimizers.by_name(text, 1e-2)
        with pytest.raises(InvalidInput, match="total_steps is a positive number of steps"):
            optimizers.by_name(text, 1e-2, total_steps=0)
        with pytest.raises(InvalidInput, match=r"number of steps, at most .*; received 2\.5"):
            optimizers.by_name(text, 1e-2, total_steps=2.5)  # type: ignore[arg-type]
    optimizers.by_name(text, 1e-2, total_steps=10)


def test_what_is_neither_a_name_nor_a_rule_is_refused():
    with pytest.raises(InvalidInput, match="Did you mean 'muon'"):
        optimizers.by_name("muom", 1e-2)
    with pytest.raises(InvalidInput, match=r"adam \*"):
        optimizers.by_name("adam *", 1e-2)


@pytest.mark.parametrize("name", ["schedule-free-adamw", "schedule_free_adamw", "schedule-free"])
def test_who_is_judged_elsewhere_is_refused_with_why_and_what_to_do(name):
    for refused in (optimizers.needs_total_steps, lambda text: optimizers.by_name(text, 1e-2)):
        with pytest.raises(InvalidInput) as refusal:
            refused(name)
        said = str(refusal.value)
        assert f"{name!r} is more than one transform: it is judged at an average of weights" in said
        assert "optax.contrib.schedule_free_eval_params(state, params)" in said


@pytest.mark.parametrize("name", [3, None, b"adam", ["adam"]])
def test_what_is_no_text_names_no_optimizer(name):
    with pytest.raises(InvalidInput, match="named by a text, such as 'adam' or a rule, not by"):
        optimizers.by_name(name, 1e-2)
    with pytest.raises(InvalidInput, match="named by a text"):
        optimizers.needs_total_steps(name)
    with pytest.raises(InvalidInput, match="A rule's name must be a text"):
        optimizers.named(name, 1e-2)


def test_no_optimizer_is_made_of_a_learning_rate_that_is_no_number():
    for rate in (float("nan"), "0.01"):
        with pytest.raises(InvalidInput, match="learning_rate is a finite number"):
            optimizers.by_name("muon", rate)  # type: ignore[arg-type]


def test_code_outside_metarl_is_refused_with_what_is_accepted():
    for refused in (optimizers.needs_total_steps, lambda text: optimizers.by_name(text, 1e-2)):
        with pytest.raises(InvalidInput, match=r"'mine:sgd' names code outside metarl, .* muon, "):
            refused("mine:sgd")
