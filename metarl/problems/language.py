"""Characters of Python's own documentation, one at a time: a small recurrent language model.

The text is the language reference of Python 3.13 as its `help` shows it, 414 kB, compressed in the
package beside its licence (see text/README.md). It is cut into windows of 33 characters; blocks of
32 windows in a row go to one split, so that neighbours mostly stay together. Characters are bytes
0 ... 95: 95 printable ASCII characters, then the line feed. Recurrent and attentive models are
judged on every 16th window of a split, some 4,500 characters.

Letters: n windows, B of a batch, T = 32 characters predicted in each, V = 96 characters, H units.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
import lzma
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from .catalogue import CARDS
from .networks import affine, glorot, normal, widened
from .problem import SPLITS, Card, Examples, ModelState, Params, Problem, Split
from .splits import stratified_indices
from .supervised import cross_entropy

ALPHABET = "".join(map(chr, range(32, 127))) + "\n"
# Of the decompressed text.
SHA256 = "2289dcf04136602dcc6d4e43517e3b4986190ed5497198a288fd91acbc1d6aff"

PREDICTED = 32  # T
_WINDOWS_A_BLOCK = 32
_JUDGED = 16  # one window in so many
_UNITS = 32  # H


def python_docs_gru() -> Problem:
    """Returns the prediction of every next character in a window by a GRU of 32 units.

    The loss is the mean cross-entropy in nats, the metric the same in bits. The hidden state starts
    at zero in every window.
    """
    return _gru(_UNITS)


def _gru(units: int) -> Problem:
    start = functools.partial(_init, characters=len(ALPHABET), units=units)
    return surprise_problem(
        CARDS["python-docs-gru"],
        start,
        _surprise,
        at_width=lambda factor: _gru(widened(units, factor)),
    )


def surprise_problem(
    card: Card,
    start: Callable[[jax.Array], Params],
    surprise: Callable[[Params, jax.Array], jax.Array],
    examples: Callable[[], dict[Split, Examples]] | None = None,
    at_width: Callable[[float], Problem] | None = None,
) -> Problem:
    """Returns the problem of a language model without a model state.

    Args:
      card: its metric is bits per character.
      start: key -> params.
      surprise: params, characters [B, ...] -> mean cross-entropy in nats [].
      examples: () -> per split {"characters": bytes [n, ...]}; the windows if not given.
      at_width: factor -> the problem with hidden layers so many times as wide.
    """

    def loss(
        params: Params, model_state: ModelState, batch: Examples, key: jax.Array
    ) -> tuple[jax.Array, ModelState]:
        del key  # nothing is drawn
        return surprise(params, batch["characters"]), model_state

    def evaluate(params: Params, model_state: ModelState, batch: Examples) -> dict[str, jax.Array]:
        del model_state
        nats = surprise(params, batch["characters"])
        return {"loss": nats, "bits per character": nats / np.log(2)}

    read = _judged_windows if examples is None else examples
    return Problem.from_card(
        card,
        init=lambda key: (start(key), ()),
        loss=loss,
        evaluate=evaluate,
        examples=lambda split: read()[split],
        at_width=at_width,
    )


def _init(key: jax.Array, characters: int, units: int) -> Params:
    """Returns the parameters of a GRU: Glorot weights, biases at zero."""
    inward, recurrent, head = jax.random.split(key, 3)

    def weights(key: jax.Array, rows: int, columns: int, fan_out: int) -> jax.Array:
        return normal(key, (rows, columns), glorot(rows, fan_out))

    return {
        "inward": weights(inward, characters, 3 * units, units),  # one row a character: [V, 3 H]
        "inward_bias": jnp.zeros(3 * units, jnp.float32),
        "recurrent": weights(recurrent, units, 3 * units, units),  # [H, 3 H]
        "recurrent_bias": jnp.zeros(3 * units, jnp.float32),
        "head": weights(head, units, characters, characters),  # [H, V]
        "head_bias": jnp.zeros(characters, jnp.float32),
    }


def _surprise(params: Params, characters: jax.Array) -> jax.Array:
    """Returns the mean cross-entropy in nats of characters [B, T + 1] given those before."""
    characters = characters.astype(jnp.int32).T  # [T + 1, B]
    inward = params["inward"][characters[:-1]] + params["inward_bias"][None, None, :]  # [T, B, 3 H]
    start = jnp.zeros((characters.shape[1], params["head"].shape[0]), jnp.float32)  # [B, H]

    def step(hidden: jax.Array, inward: jax.Array) -> tuple[jax.Array, jax.Array]:
        hidden = gru_step(params["recurrent"], params["recurrent_bias"], hidden, inward)
        return hidden, hidden

    _, hidden = jax.lax.scan(step, start, inward)  # [T, B, H]
    flat = hidden.reshape(-1, hidden.shape[2])  # [T B, H]
    logits = affine(flat, params["head"], params["head_bias"])  # [T B, V]
    return cross_entropy(logits, characters[1:].reshape(-1))


def gru_step(
    recurrent: jax.Array, bias: jax.Array, hidden: jax.Array, inward: jax.Array
) -> jax.Array:
    """Returns the next hidden state of a gated recurrent unit.

    r, z = sigmoid(W x + U h); c = tanh(W x + r (U h)); h <- z h + (1 - z) c, with biases.

    Args:
      recurrent: U [H, 3 H]; the columns of this and the other matrices are those of r, z, c.
      bias: added to U h [3 H].
      hidden: h [B, H].
      inward: W x with its bias [B, 3 H]; x is a character, so that W x is a row of the table W'.

    Returns:
      The next h [B, H].

    Reference:
      Cho et al. (2014), with the reset gate after the product, as in cuDNN: one product a step.
    """
    units = hidden.shape[1]
    own = affine(hidden, recurrent, bias)  # [B, 3 H]
    gates = jax.nn.sigmoid(inward[:, : 2 * units] + own[:, : 2 * units])
    reset, keep = gates[:, :units], gates[:, units:]
    candidate = jnp.tanh(inward[:, 2 * units :] + reset * own[:, 2 * units :])
    return keep * hidden + (1 - keep) * candidate


def text() -> str:
    """Returns the documentation text.

    Raises:
      RuntimeError: the file in the package is damaged.
    """
    packed = importlib.resources.files("metarl.problems").joinpath("text", "python_docs.txt.xz")
    raw = lzma.decompress(packed.read_bytes())
    if hashlib.sha256(raw).hexdigest() != SHA256:
        raise RuntimeError("The text of python-docs-gru is damaged; install metarl again.")
    return raw.decode("ascii")


def windows(split: Split) -> np.ndarray:
    """Returns the windows of a split as bytes [n, T + 1] in 0 ... V - 1; all splits are disjoint."""
    return _all_windows()[split]


@functools.cache
def _judged_windows() -> dict[Split, Examples]:
    """Returns the windows to train on, and of the other splits one in sixteen."""
    return {
        split: {"characters": windows(split)[:: 1 if split == "train" else _JUDGED]}
        for split in SPLITS
    }


@functools.cache
def _all_windows() -> dict[Split, np.ndarray]:
    """Returns the windows of every split as bytes [n, T + 1] in 0 ... V - 1."""
    raw = np.frombuffer(text().encode("ascii"), np.uint8)
    codes = np.where(raw == ord("\n"), len(ALPHABET) - 1, raw - 32).astype(np.uint8)
    pieces = codes[: len(codes) // (PREDICTED + 1) * (PREDICTED + 1)].reshape(-1, PREDICTED + 1)
    _, first = np.unique(pieces, axis=0, return_index=True)
    pieces = pieces[np.sort(first)]  # the rules of tables repeat; splits must not share them
    count = len(pieces) // _WINDOWS_A_BLOCK
    blocks = pieces[: count * _WINDOWS_A_BLOCK].reshape(count, _WINDOWS_A_BLOCK, -1)
    indices = stratified_indices(np.zeros(count))
    splits: dict[Split, np.ndarray] = {}
    for split in SPLITS:
        splits[split] = blocks[indices[split]].reshape(-1, PREDICTED + 1)
        splits[split].flags.writeable = False  # shared by all who ask
    return splits
