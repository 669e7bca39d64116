"""Who a comparison compares: names, texts, and what is neither."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search.comparing.entrants import BASELINE, entrant, references
from metarl.update_rules import NAMED_RULES, parse, to_optax

PARAMS = {"w": jnp.array([0.5, -1.0, 2.0])}


def three_steps(transform):
    params: Any = PARAMS
    state = transform.init(PARAMS)
    for t in range(3):
        grads = jax.tree.map(lambda w, t=t: 2.0 * w + 0.3 * t, params)
        updates, state = transform.update(grads, state, params)
        params = optax.apply_updates(params, updates)
    return np.asarray(params["w"])


def made(text, total_steps=10, seed=0):
    return entrant(text).make(0.05, total_steps, jax.random.key(seed))


@pytest.mark.parametrize(
    ("name", "transform"),
    [
        ("sgd", optax.sgd(0.05)),
        ("momentum", optax.sgd(0.05, momentum=0.9)),
        ("nesterov", optax.sgd(0.05, momentum=0.9, nesterov=True)),
        ("rmsprop", optax.rmsprop(0.05)),
        ("adam", optax.adam(0.05)),
        ("adamw", optax.adamw(0.05)),
        ("nadam", optax.nadam(0.05)),
        ("sign-sgd", optax.sign_sgd(0.05)),
        ("lion", optax.lion(0.05)),
        ("powersign", to_optax("exp(sign(g) * sign(m)) * g", 0.05)),
        ("addsign", to_optax("(1 + sign(g) * sign(m)) * g", 0.05)),
    ],
)
def test_names_of_references_mean_optaxs_own_at_their_defaults(name, transform):
    np.testing.assert_allclose(three_steps(made(name)), three_steps(transform), rtol=1e-6)
    assert name in {reference.label for reference in references()}


def test_there_are_eleven_references_and_adam_is_the_baseline():
    labels = [reference.label for reference in references()]
    assert len(labels) == len(set(labels)) == 11 and BASELINE == "adam" and BASELINE in labels


@pytest.mark.parametrize("text", ["g", "exp(g) - exp(m)", "ld * adam", "sign(m)*rmsprop"])
def test_the_text_of_a_rule_is_that_rule_under_the_text_as_typed(text):
    found = entrant(text)
    assert found.label == text and found.rule == parse(text)
    expected = three_steps(to_optax(text, 0.05, total_steps=10))
    np.testing.assert_array_equal(three_steps(made(text)), expected)


def test_names_of_rules_that_are_no_references_mean_those_rules():
    for name in set(NAMED_RULES) - {reference.label for reference in references()}:
        assert entrant(name).rule == parse(NAMED_RULES[name].text)


def test_random_rules_draw_by_the_key_of_the_run():
    first, again, other = (three_steps(made("g + noise", seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


def test_the_learning_rate_may_be_traced():
    def final(rate):
        transform = entrant("g").make(rate, 10, jax.random.key(0))
        updates: Any = transform.update(PARAMS, transform.init(PARAMS), PARAMS)[0]
        return updates["w"]

    np.testing.assert_allclose(jax.jit(final)(0.5), -0.5 * PARAMS["w"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("adma", "Unknown optimizer or rule 'adma'. Did you mean 'adam'?"),
        ("powersing", "Unknown optimizer or rule 'powersing'. Did you mean 'powersign'?"),
        ("sign(g * m", "^"),
        ("g ** 2", "^"),
        ("", ""),
    ],
)
def test_what_is_neither_name_nor_rule_is_refused(text, message):
    with pytest.raises(InvalidInput) as refusal:
        entrant(text)
    assert message in str(refusal.value) and str(refusal.value)
