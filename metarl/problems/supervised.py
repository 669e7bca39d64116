"""Problems from arrays: split, loss and metric for classification and regression.

A card, a network and a function that gives inputs and targets make a problem. Features are
standardised with the mean and deviation of the training split alone, so that nothing of the other
splits leaks into it.

Letters: n examples of the data set, B of a batch, C classes, K outputs.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from metarl.errors import require

from .networks import Network
from .problem import Card, Examples, ModelState, Params, Problem, Split
from .splits import cut, stratified_indices

Data = Callable[[], tuple[Any, Any]]  # () -> inputs [n, ...], labels or targets [n, ...]


def classification(
    card: Card, network: Network, data: Data, *, standardise: bool = True
) -> Problem:
    """Returns the problem of predicting classes: cross-entropy as loss, accuracy as metric.

    Args:
      card: what tables show of it; the metric is filled in here.
      network: from inputs [B, ...] to one logit a class [B, C].
      data: called once, when examples are first asked for: () -> inputs [n, ...], labels [n] in
        0 ... C - 1.
      standardise: whether every input feature is brought to mean 0 and deviation 1.

    Returns:
      A problem whose examples are {"inputs": float32 [n, ...], "labels": int32 [n]}.

    Raises:
      InvalidInput: from `examples`, when inputs and labels do not fit together.
    """

    @functools.cache
    def splits() -> dict[Split, Examples]:
        inputs, labels = _arrays(card, data())
        require(
            labels.ndim == 1 and labels.dtype.kind in "iub" and int(labels.min()) >= 0,
            f"Problem {card.name!r}: labels must be whole numbers from 0 on, [n].",
        )
        indices = stratified_indices(labels)
        inputs = _standardised(inputs, indices["train"]) if standardise else inputs
        return cut(indices, inputs=inputs.astype(np.float32), labels=labels.astype(np.int32))

    def error(logits: jax.Array, batch: Examples) -> jax.Array:
        return cross_entropy(logits, batch["labels"])

    def accuracy(logits: jax.Array, batch: Examples) -> jax.Array:
        hits = jnp.argmax(logits, axis=1) == batch["labels"]
        return jnp.mean(hits.astype(jnp.float32))

    card = dataclasses.replace(card, metric="accuracy", higher_is_better=True)
    return _problem(card, network, error, accuracy, splits)


def regression(
    card: Card,
    network: Network,
    data: Data,
    *,
    standardise: bool = True,
    strata: Callable[[], Any] | None = None,
) -> Problem:
    """Returns the problem of predicting numbers: mean squared error as loss, r2 as metric.

    Args:
      card: what tables show of it; the metric is filled in here.
      network: from inputs [B, ...] to outputs [B, K].
      data: called once, when examples are first asked for: () -> inputs [n, ...], targets [n] or
        [n, K].
      standardise: whether every input feature and every target is brought to mean 0, deviation 1.
      strata: () -> the class of each example [n], when splits shall hold classes in proportion.

    Returns:
      A problem whose examples are {"inputs": float32 [n, ...], "targets": float32 [n, K]}.

    Raises:
      InvalidInput: from `examples`, when inputs and targets do not fit together.
    """

    @functools.cache
    def splits() -> dict[Split, Examples]:
        inputs, targets = _arrays(card, data())
        targets = targets.reshape(len(targets), -1)  # [n, K]
        indices = stratified_indices(
            np.zeros(len(inputs)) if strata is None else np.asarray(strata())
        )
        if standardise:
            inputs = _standardised(inputs, indices["train"])
            targets = _standardised(targets, indices["train"])
        return cut(indices, inputs=inputs.astype(np.float32), targets=targets.astype(np.float32))

    def error(outputs: jax.Array, batch: Examples) -> jax.Array:
        return jnp.mean(jnp.square(outputs - batch["targets"]))

    card = dataclasses.replace(card, metric="r2", higher_is_better=True)
    return _problem(card, network, error, r2, splits)


def r2(outputs: jax.Array, batch: Examples) -> jax.Array:
    """Returns the share of variance that is explained, 1 - Σ (y - ŷ)² / Σ (y - mean of y)².

    Over the batch that is evaluated; not a mean over rows, so evaluate a split as a whole.

    Args:
      outputs: ŷ [B, K].
      batch: its "targets" are y [B, K].
    """
    targets = batch["targets"]
    unexplained = jnp.sum(jnp.square(outputs - targets))
    total = jnp.sum(jnp.square(targets - jnp.mean(targets, axis=0, keepdims=True)))
    return 1 - unexplained / total


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Returns the mean over rows of -log softmax(logits)[label], in nats.

    Args:
      logits: [B, C].
      labels: whole numbers in 0 ... C - 1, [B].

    Returns:
      The mean [].
    """
    # The peak is taken out first. In logsumexp(logits) - logits[label] two huge numbers cancel, so that ten
    # equal logits of 1e9 would have loss 0 and not log 10; a search for update rules finds such rounding
    # within minutes.
    peaks = jax.lax.stop_gradient(jnp.max(logits, axis=1, keepdims=True))
    shifted = logits - peaks
    # A product with one-hot rows: the gradient of indexing is a scatter, which is slow on a CPU.
    chosen = jax.nn.one_hot(labels, logits.shape[1], dtype=logits.dtype)
    return jnp.mean(jnp.log(jnp.sum(jnp.exp(shifted), axis=1)) - jnp.sum(shifted * chosen, axis=1))


def _problem(
    card: Card,
    network: Network,
    error: Callable[[jax.Array, Examples], jax.Array],
    metric: Callable[[jax.Array, Examples], jax.Array],
    splits: Callable[[], dict[Split, Examples]],
) -> Problem:
    """Returns the problem of a network that minimises `error` and is judged by `metric` too."""
    assert card.metric is not None
    metric_name = card.metric

    def loss(
        params: Params, model_state: ModelState, batch: Examples, key: jax.Array
    ) -> tuple[jax.Array, ModelState]:
        del key  # these networks draw nothing
        outputs, model_state = network.apply(params, model_state, batch["inputs"], True)
        return error(outputs, batch), model_state

    def evaluate(params: Params, model_state: ModelState, batch: Examples) -> dict[str, jax.Array]:
        outputs, _ = network.apply(params, model_state, batch["inputs"], False)
        return {"loss": error(outputs, batch), metric_name: metric(outputs, batch)}

    wider = network.at_width
    return Problem.from_card(
        card,
        init=network.init,
        loss=loss,
        evaluate=evaluate,
        examples=lambda split: splits()[split],
        at_width=wider and (lambda by: _problem(card, wider(by), error, metric, splits)),
    )


def _arrays(card: Card, data: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns inputs and targets as arrays of equally many rows."""
    prefix = f"Problem {card.name!r}: data "
    require(
        isinstance(data, tuple | list) and len(data) == 2, prefix + "must give (inputs, targets)."
    )
    inputs, targets = np.asarray(data[0]), np.asarray(data[1])
    shapes = f"their shapes are {list(inputs.shape)} and {list(targets.shape)}."
    require(
        inputs.ndim >= 1 and targets.ndim >= 1 and len(inputs) == len(targets),
        prefix + f"must give as many targets as inputs; {shapes}",
    )
    require(len(inputs) >= 8, prefix + f"must give at least 8 examples for four splits; {shapes}")
    return inputs, targets


def _standardised(values: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Returns values [n, ...], mean 0 and deviation 1 on rows `train`; constant features are 0."""
    mean, deviation = values[train].mean(axis=0), values[train].std(axis=0)
    return (values - mean) / np.where(deviation > 0, deviation, 1.0)
