"""The next character from the eight before it: embeddings and one layer of tanh units.

The quickest language model: no recurrence. Examples are the beginnings of the windows of
language.py, each kept once.

Letters: n examples, B of a batch, T = 8 characters given, V = 96 characters known, E numbers for each,
H hidden units.

Reference: Bengio et al. (2003), A Neural Probabilistic Language Model. Differs from the paper:
characters for words, no direct connections.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from .catalogue import CARDS
from .language import ALPHABET, surprise_problem, windows
from .networks import Network, in_series, mlp, normal, stateless, widened
from .problem import SPLITS, Examples, Params, Problem, Split
from .supervised import cross_entropy

_GIVEN = 8  # T
_NUMBERS = 12  # E
_UNITS = 64  # H


def python_docs_ngram() -> Problem:
    """Returns the prediction of one character from eight by a network 96-64-96 on embeddings.

    The loss is the mean cross-entropy in nats, the metric the same in bits.
    """
    return _ngram(_UNITS)


def _ngram(units: int) -> Problem:
    hidden = mlp(_GIVEN * _NUMBERS, units, len(ALPHABET), activation=jnp.tanh)
    network = in_series(embedding(len(ALPHABET), _NUMBERS), hidden)

    def surprise(params: Params, characters: jax.Array) -> jax.Array:
        characters = characters.astype(jnp.int32)  # [B, T + 1]
        logits, _ = network.apply(params, ((), ()), characters[:, :-1], True)
        return cross_entropy(logits, characters[:, -1])

    return surprise_problem(
        CARDS["python-docs-ngram"],
        lambda key: network.init(key)[0],
        surprise,
        _beginnings,
        lambda factor: _ngram(widened(units, factor)),
    )


def embedding(rows: int, numbers: int) -> Network:
    """Returns the network that puts a row of a table for each of its inputs, rows side by side.

    Args:
      rows: of the table, V; they start normal with deviation 0.3.
      numbers: in a row, E.

    Returns:
      A network from whole numbers [B, T] in 0 ... V - 1 to [B, T E].
    """

    def apply(params: Params, inputs: jax.Array) -> jax.Array:
        return params["table"][inputs].reshape(inputs.shape[0], -1)

    return stateless(lambda key: {"table": normal(key, (rows, numbers), 0.3)}, apply)


@functools.cache
def _beginnings() -> dict[Split, Examples]:
    """Returns the first T + 1 characters of the windows of every split, bytes [n, T + 1]."""
    splits: dict[Split, Examples] = {}
    met: set[bytes] = set()
    for split in SPLITS:
        pieces = windows(split)[:, : _GIVEN + 1]
        new = {row.tobytes(): place for place, row in enumerate(pieces) if row.tobytes() not in met}
        met.update(new)
        splits[split] = {"characters": pieces[sorted(new.values())]}
        splits[split]["characters"].flags.writeable = False  # shared by all who ask
    return splits
