"""A problem whose steps cost nothing and which uses all of the contract: logistic regression on two inputs.

Its loss draws random numbers, its model state is a running mean that `evaluate` needs, and its starts differ by seed.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from metarl.problems import Card, Problem, classification, mlp

SIZES = {"train": 40, "search": 24, "choice": 24, "test": 32}


def examples(split):
    """Examples numbered through all splits, so that a test can tell where one came from."""
    first = sum(SIZES[s] for s in SIZES if list(SIZES).index(s) < list(SIZES).index(split))
    rng = np.random.default_rng(7)
    x = rng.standard_normal((sum(SIZES.values()), 2)).astype(np.float32)
    label = (x @ [1.5, -1.0] + 0.6 * rng.standard_normal(len(x)) > 0).astype(np.float32)
    number = np.arange(len(x), dtype=np.int32)
    rows = slice(first, first + SIZES[split])
    return {"x": x[rows], "label": label[rows], "number": number[rows]}


def init(key):
    return {"w": 0.1 * jax.random.normal(key, (2,)), "b": jnp.zeros((1,))}, {"mean": jnp.zeros(2)}


def _loss(params, x, label):
    logits = x @ params["w"] + params["b"]
    signs = 2.0 * label - 1.0
    return jnp.mean(jax.nn.softplus(-signs * logits)), jnp.mean(signs * logits > 0)


def loss(params, model_state, batch, key):
    # not jax.random.normal: it would be half of what the tests have to compile
    x = batch["x"] + 0.01 * (jax.random.key_data(key)[0] % 16)
    mean = 0.9 * model_state["mean"] + 0.1 * x.mean(axis=0)
    return _loss(params, x - x.mean(axis=0, keepdims=True), batch["label"])[0], {"mean": mean}


def evaluate(params, model_state, batch):
    value, accuracy = _loss(params, batch["x"] - model_state["mean"][None], batch["label"])
    return {"loss": value, "accuracy": accuracy}


def logistic():
    """Loaded by tests as "toy_problem:logistic"."""
    return Problem(
        name="toy",
        metric="accuracy",
        chance=0.5,
        steps=12,
        batch_size=8,
        init=init,
        loss=loss,
        evaluate=evaluate,
        examples=examples,
    )


def broken():
    """Its loss is NaN before the first step."""

    def nan_loss(params, model_state, batch, key):
        value, model_state = loss(params, model_state, batch, key)
        return value * jnp.nan, model_state

    return dataclasses.replace(logistic(), name="broken", loss=nan_loss)


def without_metric():
    """All there is of it is the loss."""
    return dataclasses.replace(logistic(), name="without-metric", metric=None, chance=None)


def gentle():
    """Gradients a ten-thousandth of the usual: the best learning rate of SGD lies off any ordinary grid."""

    def gentle_loss(params, model_state, batch, key):
        value, model_state = loss(params, model_state, batch, key)
        return 1e-4 * value, model_state

    return dataclasses.replace(without_metric(), name="gentle", loss=gentle_loss)


def in_other_units():
    """The toy with parameters a hundred times as large that do what a hundredth of them did."""
    whole = logistic()

    def scaled(params, factor):
        return jax.tree.map(lambda x: factor * x, params)

    def other_init(key):
        params, model_state = init(key)
        return scaled(params, 100.0), model_state

    return dataclasses.replace(
        whole,
        name="other units",
        init=other_init,
        loss=lambda params, *rest: loss(scaled(params, 0.01), *rest),
        evaluate=lambda params, *rest: evaluate(scaled(params, 0.01), *rest),
    )


def perceptron():
    """It has a hidden layer, of four units, that can be widened."""
    x = np.concatenate([examples(split)["x"] for split in SIZES])
    label = np.concatenate([examples(split)["label"] for split in SIZES]).astype(int)
    card = Card("perceptron", chance=0.5, steps=12, batch_size=8)
    return classification(card, mlp(2, 4, 2), lambda: (x, label))


def half_widened():
    """At other widths it is the perceptron, whose loss is another."""
    whole = perceptron()

    def halved(*batch):
        value, model_state = whole.loss(*batch)
        return 0.5 * value, model_state

    return dataclasses.replace(whole, name="half-widened", loss=halved)


def namesake():
    """Another problem of the toy's name."""
    return dataclasses.replace(gentle(), name="toy")


def nearly_without_metric():
    """Another problem whose files would be those of `without_metric`."""
    return dataclasses.replace(without_metric(), name="without metric")
