"""Problems made from arrays: metrics against naive formulas, lazy data, and refusals by text."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.problems import SPLITS, Card, classification, linear, load, mlp, regression
from metarl.problems.splits import stratified_indices
from metarl.problems.supervised import cross_entropy


def arrays(count=40, classes=2):
    random = np.random.default_rng(0)
    return random.normal(size=(count, 3)), np.arange(count) % classes


def test_accuracy_is_the_share_of_rows_whose_largest_logit_is_right():
    problem = load("digits-mlp")
    params, model_state = problem.init(jax.random.key(0))
    batch = problem.examples("test")
    hidden = np.maximum(batch["inputs"] @ np.asarray(params["w0"]) + np.asarray(params["b0"]), 0)
    logits = hidden @ np.asarray(params["w1"]) + np.asarray(params["b1"])
    right = [row.argmax() == label for row, label in zip(logits, batch["labels"], strict=True)]
    received = problem.evaluate(params, model_state, batch)["accuracy"]
    assert float(received) == pytest.approx(np.mean(right))


def test_r2_is_the_share_of_variance_that_is_explained():
    problem = load("diabetes-regression")
    params, model_state = problem.init(jax.random.key(0))
    batch = problem.examples("test")
    hidden = np.maximum(batch["inputs"] @ np.asarray(params["w0"]), 0)
    outputs = (hidden @ np.asarray(params["w1"])).astype(np.float64)[:, 0]
    targets = batch["targets"].astype(np.float64)[:, 0]
    expected = 1 - ((targets - outputs) ** 2).sum() / ((targets - targets.mean()) ** 2).sum()
    scores = problem.evaluate(params, model_state, batch)
    assert float(scores["r2"]) == pytest.approx(expected, rel=1e-4)
    assert float(scores["loss"]) == pytest.approx(((targets - outputs) ** 2).mean(), rel=1e-4)


def test_r2_of_the_mean_is_zero_and_of_the_truth_is_one():
    inputs = np.linspace(0, 1, 40)[:, None]
    problem = regression(Card("line"), linear(1, 1), lambda: (inputs, inputs[:, 0]))
    batch = problem.examples("train")
    for slope, r2 in ((0.0, 0.0), (1.0, 1.0)):
        params = {"w": np.full((1, 1), slope, np.float32), "b": np.zeros(1, np.float32)}
        scores = problem.evaluate(params, (), batch)
        assert float(scores["r2"]) == pytest.approx(r2, abs=1e-5)
        assert float(scores["loss"]) == pytest.approx(1 - r2, abs=1e-5)


def test_data_are_read_once_and_only_when_examples_are_asked_for():
    calls = []

    def data():
        calls.append(1)
        return arrays()

    problem = classification(Card("lazy"), mlp(3, 2), data)
    problem.init(jax.random.key(0))
    assert calls == []
    for split in SPLITS:
        problem.examples(split)
    assert calls == [1]


def test_examples_cannot_be_changed_by_who_asks_for_them():
    examples = load("wine-mlp").examples("train")
    with pytest.raises(ValueError, match="read-only"):
        examples["inputs"][0] = 0


def test_a_constant_feature_becomes_zero():
    inputs, labels = arrays()
    inputs[:, 1] = 7.0
    problem = classification(Card("constant"), mlp(3, 2), lambda: (inputs, labels))
    assert not problem.examples("train")["inputs"][:, 1].any()


def test_splits_hold_every_example_once():
    parts = stratified_indices(np.arange(1000) % 7)
    together = np.sort(np.concatenate([parts[split] for split in SPLITS]))
    np.testing.assert_array_equal(together, np.arange(1000))
    assert [len(parts[split]) for split in SPLITS] == [445, 185, 185, 185]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((np.zeros((40, 3)), np.zeros(39, int)), r"as many targets as inputs; .*\[40, 3\].*\[39\]"),
        ((np.zeros((4, 3)), np.zeros(4, int)), "at least 8 examples for four splits"),
        ((np.zeros((40, 3)), np.full(40, 0.5)), "labels must be whole numbers from 0 on"),
        ((np.zeros((40, 3)), np.full(40, -1)), "labels must be whole numbers from 0 on"),
        (np.zeros((40, 3)), r"must give \(inputs, targets\)"),
    ],
)
def test_data_that_do_not_fit_together_are_refused(data, message):
    problem = classification(Card("odd"), mlp(3, 2), lambda: data)
    with pytest.raises(InvalidInput, match=message):
        problem.examples("train")


@pytest.mark.parametrize("size", [0.0, 1e4, 1e9, 1e30])
def test_equal_logits_of_any_size_cost_the_log_of_the_number_of_classes(size):
    """In logsumexp(x) - x[label] two huge numbers would cancel to 0, which a search would exploit."""
    logits, labels = jnp.full((4, 10), size), jnp.arange(4)
    np.testing.assert_allclose(cross_entropy(logits, labels), np.log(10.0), rtol=1e-6)
