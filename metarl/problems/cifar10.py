"""CIFAR-10, 60,000 small photographs of ten kinds of things, from its binary files.

The files are those of the archive cifar-10-binary.tar.gz; metarl does not hold them. A record has 3073
bytes: the class 0 ... 9, then 32 x 32 shades of red, of green and of blue, row by row. Every file is checked
against the MD5 sum of the published one.

Of the 50,000 training images 40,000 are trained on, 5,000 judge a search and 5,000 the choice among
finalists; the 10,000 test images are for the report. Images stay bytes until a batch is used.

Reference: Krizhevsky (2009), Learning Multiple Layers of Features from Tiny Images. Differs from
Bello et al. (2017): they hold out 5,000 images, and 5,000 more are here.

Letters: n images of a split, B of a batch.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from metarl.errors import require

from .catalogue import CARDS
from .convolutions import conv_net, quick_conv3x3
from .data_files import find_files
from .networks import Network
from .problem import Card, Examples, ModelState, Params, Problem, Split
from .residual import residual_net, wide_blocks
from .supervised import cross_entropy

# Of the files in the archive, whose own sum is ARCHIVE_MD5.
MD5 = {
    "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
    "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
    "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
    "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
    "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
    "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
}
ARCHIVE_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"

_PUBLISHED = (
    "Get cifar-10-binary.tar.gz (162 MB, MD5 "
    f"{ARCHIVE_MD5}) from the CIFAR-10 page, www.cs.toronto.edu/~kriz/cifar.html, and unpack it there."
)
_FOLDER = "cifar-10-batches-bin"  # that the archive unpacks into
_SIDE = 32  # pixels
_RECORD = 1 + 3 * _SIDE**2  # bytes
_FARTHEST = 4  # pixels, of a random shift
_JUDGED = 100  # images at a time


def cifar10_conv() -> Problem:
    """Returns the child task of neural optimizer search: two 3x3 convolutions of 32 filters.

    Reference:
      Bello et al. (2017), Neural Optimizer Search with Reinforcement Learning, section 5.1.
    """
    network = conv_net(32, 10, side=_SIDE, colours=3, convolution=quick_conv3x3)
    return _classification(CARDS["cifar10-conv"], network)


def cifar10_wrn(depth: int = 16, widening: int = 4) -> Problem:
    """Returns CIFAR-10 by a Wide ResNet, its training images shifted and mirrored at random.

    Args:
      depth: 6 n + 4; 16 has two blocks in each of three groups.
      widening: k, the channels of the groups over 16, 32 and 64.

    Raises:
      InvalidInput: no Wide ResNet has that depth or widening.

    Reference:
      Zagoruyko and Komodakis (2016), Wide Residual Networks.
    """
    require(
        isinstance(depth, int) and depth >= 10 and (depth - 4) % 6 == 0,
        f"depth must be 10, 16, 22, 28 ..., not {depth!r}.",
    )
    require(
        isinstance(widening, int) and widening >= 1,
        f"widening must be a whole number of at least 1, not {widening!r}.",
    )
    card, standard = CARDS["cifar10-wrn"], (16, 4)
    if (depth, widening) != standard:
        card = _renamed(card, depth, widening)
    blocks = wide_blocks(depth, widening)
    network = residual_net(blocks, 10, side=_SIDE, colours=3, convolution=quick_conv3x3)
    return _classification(card, network, alter=moved)


def _renamed(card: Card, depth: int, widening: int) -> Card:
    """Returns the card of a Wide ResNet under a name that tells its size."""
    return dataclasses.replace(
        card,
        name=f"{card.name}({depth}, {widening})",
        description=f"CIFAR-10 by a Wide ResNet {depth}-{widening}, images shifted and mirrored.",
    )


def _classification(
    card: Card,
    network: Network,
    alter: Callable[[jax.Array, jax.Array], jax.Array] | None = None,
) -> Problem:
    """Returns the problem of naming images; `alter(key, images)` changes those trained on."""

    def loss(
        params: Params, model_state: ModelState, batch: Examples, key: jax.Array
    ) -> tuple[jax.Array, ModelState]:
        images = batch["images"] if alter is None else alter(key, batch["images"])
        logits, model_state = network.apply(params, model_state, shades(images), True)
        return cross_entropy(logits, batch["labels"].astype(jnp.int32)), model_state

    def evaluate(params: Params, model_state: ModelState, batch: Examples) -> dict[str, jax.Array]:
        def judge(piece: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            images, label = piece
            logits, _ = network.apply(params, model_state, shades(images[None]), False)
            hit = (jnp.argmax(logits, axis=1) == label).astype(jnp.float32)
            return cross_entropy(logits, label[None]), hit[0]

        labels = jnp.asarray(batch["labels"]).astype(jnp.int32)
        pieces = (jnp.asarray(batch["images"]), labels)
        losses, hits = jax.lax.map(judge, pieces, batch_size=min(_JUDGED, len(labels)))
        return {"loss": jnp.mean(losses), "accuracy": jnp.mean(hits)}

    wider = network.at_width
    return Problem.from_card(
        card,
        init=network.init,
        loss=loss,
        evaluate=evaluate,
        examples=lambda split: _splits(tuple(find_files(list(MD5), _FOLDER, _PUBLISHED)))[split],
        at_width=wider and (lambda factor: _classification(card, wider(factor), alter)),
    )


def shades(images: jax.Array) -> jax.Array:
    """Returns bytes [B, 32, 32, 3] as numbers in -1 ... 1."""
    return images.astype(jnp.float32) / 127.5 - 1


def moved(key: jax.Array, images: jax.Array) -> jax.Array:
    """Returns every image shifted by up to four pixels, black moving in, and half of them mirrored.

    Args:
      key: consumed.
      images: bytes [B, 32, 32, 3].
    """
    shift_key, mirror_key = jax.random.split(key)
    count = images.shape[0]
    shifts = jax.random.randint(shift_key, (count, 2), 0, 2 * _FARTHEST + 1)
    mirrored = jax.random.bernoulli(mirror_key, shape=(count,))

    def one(image: jax.Array, shift: jax.Array, mirror: jax.Array) -> jax.Array:
        around = (_FARTHEST, _FARTHEST)
        padded = jnp.pad(image, (around, around, (0, 0)))
        cut = jax.lax.dynamic_slice(padded, (shift[0], shift[1], 0), (_SIDE, _SIDE, 3))
        return jnp.where(mirror, cut[:, ::-1], cut)

    return jax.vmap(one)(images, shifts, mirrored)


@functools.cache
def _splits(paths: tuple[Path, ...]) -> dict[Split, Examples]:
    """Returns images and classes of every split; the last path is that of the test images."""
    parts = [read_records(path) for path in paths]
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts[:-1], strict=True))
    order = np.random.RandomState(0).permutation(len(labels))
    tenth = len(labels) // 10
    places = np.split(order, [8 * tenth, 9 * tenth])
    splits: dict[Split, Examples] = {
        split: {"images": images[rows], "labels": labels[rows]}
        for split, rows in zip(("train", "search", "choice"), places, strict=True)
    }
    splits["test"] = dict(zip(("images", "labels"), parts[-1], strict=True))
    for examples in splits.values():
        for array in examples.values():
            array.flags.writeable = False  # shared by all who ask
    return splits


def read_records(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Returns the images of one file, bytes [n, 32, 32, 3], and their classes, bytes [n].

    Raises:
      InvalidInput: it is not the published file.
    """
    raw = path.read_bytes()
    received, expected = hashlib.md5(raw, usedforsecurity=False).hexdigest(), MD5[path.name]
    require(
        received == expected,
        f"{str(path)!r} is not the published file: {len(raw):,} bytes with MD5 {received}, published "
        f"is {expected}. {_PUBLISHED}",
    )
    require(
        len(raw) > 0 and len(raw) % _RECORD == 0,
        f"{str(path)!r}: {len(raw):,} bytes are no whole number of records of {_RECORD} bytes.",
    )
    records = np.frombuffer(raw, np.uint8).reshape(-1, _RECORD)
    labels = records[:, 0].copy()
    require(labels.max() <= 9, f"{str(path)!r}: a class is {labels.max()}; they are 0 ... 9.")
    colours = records[:, 1:].reshape(-1, 3, _SIDE, _SIDE)
    return np.ascontiguousarray(colours.transpose(0, 2, 3, 1)), labels
