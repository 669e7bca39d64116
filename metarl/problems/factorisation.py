"""A matrix from some of its entries, as a product of two thin ones: a photograph, and words.

Every row i and every column j has a vector and a bias, and an entry is predicted as

  l_i · r_j + a_i + b_j.

A batch touches few rows and columns, so most of a gradient is zero: sparse gradients. Where all vectors
are zero there is a saddle, and starts lie close to it.

Letters: B entries, R factors (the rank), N rows, M columns.
"""

from __future__ import annotations

import collections
import functools
import re

import jax
import jax.numpy as jnp
import numpy as np

from .catalogue import CARDS
from .language import text
from .networks import Network, normal, stateless
from .photographs import shades
from .problem import Examples, ModelState, Params, Problem, Split
from .splits import cut, stratified_indices
from .supervised import r2, regression

_WORDS = 400
_APART = 5  # words; those further apart do not count as near
_OFTEN = 20.0  # a count from which on an entry has full weight


def flower_completion() -> Problem:
    """Returns the shades of a photograph from 44.5 % of its pixels, a matrix of rank 8.

    Reference:
      Koren, Bell and Volinsky (2009), Matrix Factorization Techniques for Recommender Systems.
    """
    shape = (106, 160)
    return regression(
        CARDS["flower-completion"], factors(*shape, rank=8), _pixels, standardise=False
    )


def word_vectors() -> Problem:
    """Returns how often words of the documentation stand near each other, from a vector for each.

    An entry is log X_ij, with X_ij how often word j follows word i within five words. The loss is the mean of
    f(X_ij) (prediction - log X_ij)², f(X) = min(1, (X / 20)^0.75); the metric is r2 without weights.

    Reference:
      Pennington, Socher and Manning (2014), GloVe: Global Vectors for Word Representation.
    """
    network = factors(_WORDS, _WORDS, rank=4)

    def error(params: Params, batch: Examples) -> tuple[jax.Array, jax.Array]:
        outputs, _ = network.apply(params, (), batch["inputs"], True)
        weights = jnp.minimum(1.0, (jnp.exp(batch["targets"]) / _OFTEN) ** 0.75)  # [B, 1]
        return jnp.mean(weights * jnp.square(outputs - batch["targets"])), outputs

    def loss(
        params: Params, model_state: ModelState, batch: Examples, key: jax.Array
    ) -> tuple[jax.Array, ModelState]:
        del key  # nothing is drawn
        return error(params, batch)[0], model_state

    def evaluate(params: Params, model_state: ModelState, batch: Examples) -> dict[str, jax.Array]:
        del model_state
        weighted, outputs = error(params, batch)
        return {"loss": weighted, "r2": r2(outputs, batch)}

    return Problem.from_card(
        CARDS["word-vectors"],
        init=network.init,
        loss=loss,
        evaluate=evaluate,
        examples=lambda split: _near_words()[split],
    )


def factors(rows: int, columns: int, rank: int) -> Network:
    """Returns the network from entries [B, 2], row and column as whole numbers, to [B, 1].

    Args:
      rows: N.
      columns: M.
      rank: R; vectors start normal with deviation 0.1, biases at zero.
    """

    def init(key: jax.Array) -> Params:
        left, right = jax.random.split(key)
        return {
            "left": normal(left, (rows, rank), 0.1),
            "left_bias": jnp.zeros(rows, jnp.float32),
            "right": normal(right, (columns, rank), 0.1),
            "right_bias": jnp.zeros(columns, jnp.float32),
        }

    def apply(params: Params, entries: jax.Array) -> jax.Array:
        row, column = entries[:, 0].astype(jnp.int32), entries[:, 1].astype(jnp.int32)
        product = jnp.sum(params["left"][row] * params["right"][column], axis=1)
        bias = params["left_bias"][row] + params["right_bias"][column]
        return (product + bias)[:, None]  # [B, 1]

    return stateless(init, apply)


def _pixels() -> tuple[np.ndarray, np.ndarray]:
    """Returns places [n, 2] and shades [n] of a grey picture of 106 x 160, shades in -1 ... 1."""
    grey = 2 * shades("flower.jpg", 4).mean(axis=2) - 1
    return np.argwhere(np.isfinite(grey)), grey.reshape(-1)


@functools.cache
def _near_words() -> dict[Split, Examples]:
    """Returns pairs of words [n, 2] and the logarithm of how often they meet [n, 1], per split."""
    words = re.findall(r"[a-z_]+", text().lower())
    common = {w: i for i, (w, _) in enumerate(collections.Counter(words).most_common(_WORDS))}
    places = np.array([common.get(word, -1) for word in words])
    counts = np.zeros((_WORDS, _WORDS))
    for apart in range(1, _APART + 1):
        first, second = places[:-apart], places[apart:]
        known = (first >= 0) & (second >= 0)
        np.add.at(counts, (first[known], second[known]), 1)
    pairs = np.argwhere(counts > 0)
    targets = np.log(counts[pairs[:, 0], pairs[:, 1]])[:, None]
    return cut(
        stratified_indices(np.zeros(len(pairs))),
        inputs=pairs.astype(np.int32),
        targets=targets.astype(np.float32),
    )
