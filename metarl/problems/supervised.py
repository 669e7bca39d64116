"""Problems from arrays: classification and regression, with the split, the loss and the metric taken care of.

A card, a network and a function that gives (inputs, targets) make a problem. Features are standardised with the mean
and deviation of the training split alone, so that nothing of the other splits leaks into it.

Letters: n examples of the data set, B of a batch, D features, C classes.
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
from .problem import SPLITS, Card, Examples, ModelState, Params, Problem, Split
from .splits import stratified_indices

Data = Callable[[], tuple[Any, Any]]  # () -> inputs [n, ...], labels or targets


def classification(card: Card, network: Network, data: Data, *, standardise: bool = True) -> Problem:
    """Returns the problem of predicting classes, with cross-entropy as its loss and accuracy as its metric.

    Args:
      card: what tables show of it; the metric is filled in here.
      network: from inputs [B, ...] to one logit a class [B, C].
      data: called once, when examples are first asked for: () -> inputs [n, ...], labels [n] in 0 ... C - 1.
      standardise: whether every input feature is brought to mean 0 and deviation 1, by training statistics.

    Returns:
      A problem whose examples are {"inputs": float32 [n, ...], "labels": int32 [n]}.

    Raises:
      InvalidInput: from `examples`, when inputs and labels do not fit together.
    """

    @functools.cache
    def splits() -> dict[Split, Examples]:
        inputs, labels = _arrays(card, *data())
        whole = labels.ndim == 1 and labels.dtype.kind in "iub" and int(labels.min()) >= 0
        require(whole, f"Problem {card.name!r}: labels must be whole numbers from 0 on, [n].")
        indices = stratified_indices(labels)
        inputs = _standardised(inputs, indices["train"]) if standardise else inputs
        return _cut({"inputs": inputs.astype(np.float32), "labels": labels.astype(np.int32)}, indices)

    def scores(logits: jax.Array, batch: Examples) -> dict[str, jax.Array]:
        hits = jnp.argmax(logits, axis=1) == batch["labels"]
        return {
            "loss": cross_entropy(logits, batch["labels"]),
            "accuracy": jnp.mean(hits.astype(jnp.float32)),
        }

    facts = dataclasses.replace(card, metric="accuracy", higher_is_better=True)
    error = lambda logits, batch: cross_entropy(logits, batch["labels"])  # noqa: E731
    return _problem(facts, network, error, scores, lambda split: splits()[split])


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Returns the mean over rows of -log softmax(logits)[label], in nats.

    Args:
      logits: [B, C].
      labels: whole numbers in 0 ... C - 1, [B].

    Returns:
      The mean [].
    """
    chosen = jax.nn.one_hot(labels, logits.shape[1], dtype=logits.dtype)  # a product; a gather's gradient is a scatter
    return jnp.mean(jax.nn.logsumexp(logits, axis=1) - jnp.sum(logits * chosen, axis=1))


def _problem(card: Card, network: Network, error: Callable, scores: Callable, examples: Callable) -> Problem:
    """Returns the problem of a network whose outputs are judged by `error` in training and `scores` in evaluation."""

    def loss(
        params: Params, model_state: ModelState, batch: Examples, key: jax.Array
    ) -> tuple[jax.Array, ModelState]:
        del key  # these networks draw nothing
        outputs, model_state = network.apply(params, model_state, batch["inputs"], True)
        return error(outputs, batch), model_state

    def evaluate(params: Params, model_state: ModelState, batch: Examples) -> dict[str, jax.Array]:
        outputs, _ = network.apply(params, model_state, batch["inputs"], False)
        return scores(outputs, batch)

    return Problem.from_card(card, init=network.init, loss=loss, evaluate=evaluate, examples=examples)


def _arrays(card: Card, inputs: Any, targets: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns inputs and targets as arrays of equally many rows."""
    inputs, targets = np.asarray(inputs), np.asarray(targets)
    require(
        inputs.ndim >= 1 and targets.ndim >= 1 and len(inputs) == len(targets),
        f"Problem {card.name!r}: data must give as many targets as inputs; "
        f"their shapes are {list(inputs.shape)} and {list(targets.shape)}.",
    )
    require(
        len(inputs) >= 8,
        f"Problem {card.name!r}: four splits need at least 8 examples; there are {len(inputs)}.",
    )
    return inputs, targets


def _standardised(values: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Returns values [n, ...] with mean 0 and deviation 1 on the rows `train`; constant features become 0."""
    mean, deviation = values[train].mean(axis=0), values[train].std(axis=0)
    return (values - mean) / np.where(deviation > 0, deviation, 1.0)


def _cut(arrays: dict[str, np.ndarray], indices: dict[Split, np.ndarray]) -> dict[Split, Examples]:
    """Returns the rows of every split, read-only because they are shared by all who ask."""
    splits = {split: {name: array[indices[split]] for name, array in arrays.items()} for split in SPLITS}
    for leaf in jax.tree.leaves(splits):
        leaf.flags.writeable = False
    return splits
