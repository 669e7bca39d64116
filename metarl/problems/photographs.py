"""Two photographs, bundled with scikit-learn: noisy patches of one, the colours of the other.

Rules are searched on the temple (china.jpg) and judged on the flower (flower.jpg); only the ladder's denoisers, of any
width, have patches of both. Both have 427 x 640 pixels, shades in 0 ... 1. Decoders of JPEG may differ in the last bit
of a shade.

Letters: n examples, B of a batch, F frequencies.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

from metarl.errors import require

from .catalogue import CARDS
from .networks import Network, in_series, mlp, stateless
from .problem import Card, Params, Problem
from .residual import residual_denoiser
from .sources import CHINA, FLOWER
from .supervised import regression

_PHOTOGRAPHS = ("china.jpg", "flower.jpg")
_PATCH = 8  # pixels along each side
_NOISE = 0.1  # deviation, in shades
_FREQUENCIES = 48  # F
_CYCLES = 2.0  # deviation of a frequency, in cycles over half the picture


def china_denoising() -> Problem:
    """Returns a photograph's 8x8 patches from the same with noise: a regression on 64 numbers.

    The noise is drawn once, so that every optimizer sees the same. Noisy and clean shades are
    standardised pixel by pixel.

    Reference:
      Vincent et al. (2008), Extracting and Composing Robust Features with Denoising Autoencoders.
    """
    size = _PATCH**2
    network = mlp(size, size, size, activation=jnp.tanh)
    return regression(CARDS["china-denoising"], network, _noisy_patches)


def wide_denoiser(width: int) -> Problem:
    """Returns noisy 8x8 patches of both photographs, at half their size, by a residual network of two blocks.

    Shades are in units of the noise's deviation, so a loss of 1 is that of taking nothing off.

    Args:
      width: C, channels of the network, at least 1.

    Raises:
      InvalidInput: the width is none.
    """
    require(width >= 1, f"A residual network has at least 1 channel; received {width}.")
    card = Card(
        name=f"photographs-denoiser-{width}",
        family="convolution",
        role="held-out",
        chance=0.0,
        steps=200,
        batch_size=32,
        description=f"8x8 patches of two photographs, noise taken off by two residual blocks of {width} channels.",
        source=f"{CHINA}; {FLOWER}",
        data="photographs",
        leaf_roles={
            "head": "output",
            "stem": "convolution",
            "*/conv?": "convolution",
            "*": "vector",
        },
    )
    network = residual_denoiser(width, blocks=2, side=_PATCH)
    return regression(card, network, _patches_of_both, standardise=False, strata=_which_photograph)


def flower_coordinates() -> Problem:
    """Returns the three colours of a photograph's points from their two coordinates.

    A point (x, y) goes through the sines and cosines of fixed random frequencies into a ReLU
    network; without them a network learns the coarse shape alone.

    Reference:
      Tancik et al. (2020), Fourier Features Let Networks Learn High Frequency Functions in Low
      Dimensional Domains.
    """
    network = in_series(waves(_FREQUENCIES, _CYCLES), mlp(2 * _FREQUENCIES, 64, 64, 3))
    return regression(CARDS["flower-coordinates"], network, _coloured_points, standardise=False)


def waves(count: int, deviation: float) -> Network:
    """Returns the network without parameters from points [B, 2] to sines and cosines [B, 2 F].

    Args:
      count: F; the frequencies are drawn once for all, normally.
      deviation: of a frequency, in cycles over a distance of 1.
    """
    drawn = np.random.RandomState(0).normal(scale=2 * np.pi * deviation, size=(2, count))

    def apply(params: Params, points: jax.Array) -> jax.Array:
        del params  # there are none
        angles = points @ jnp.asarray(drawn, jnp.float32)  # [B, F]
        return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=1)

    return stateless(lambda key: {}, apply)


def shades(name: str, square: int) -> np.ndarray:
    """Returns a photograph in 0 ... 1, every shade the mean of a square: [427 // s, 640 // s, 3].

    Args:
      name: china.jpg or flower.jpg.
      square: s, its side in pixels.
    """
    whole = _photograph(name)
    height, width = whole.shape[0] // square, whole.shape[1] // square
    squares = whole[: height * square, : width * square].reshape(height, square, width, square, 3)
    return squares.mean(axis=(1, 3))


@functools.cache
def _photograph(name: str) -> np.ndarray:
    """Returns the pixels [427, 640, 3] in 0 ... 1."""
    from sklearn.datasets import load_sample_image  # heavy: loaded when data are first asked for

    return load_sample_image(name).astype(np.float32) / 255.0


def _noisy_patches() -> tuple[np.ndarray, np.ndarray]:
    """Returns 4,240 grey patches side by side, with noise and without, each [n, 64]."""
    clean = _patches(shades("china.jpg", 1).mean(axis=2))
    noise = np.random.RandomState(0).normal(scale=_NOISE, size=clean.shape)
    return clean + noise, clean


def _patches_of_both() -> tuple[np.ndarray, np.ndarray]:
    """Returns 1,040 grey patches of each photograph, with noise of deviation 1 and without, each [n, 64]."""
    grey = [_patches(shades(name, 2).mean(axis=2)) for name in _PHOTOGRAPHS]
    clean = (np.concatenate(grey) - 0.5) / _NOISE
    return clean + np.random.RandomState(0).normal(size=clean.shape), clean


def _which_photograph() -> np.ndarray:
    """Returns the number of the photograph that each patch of both is of, [n]."""
    return np.repeat(np.arange(len(_PHOTOGRAPHS)), len(_patches_of_both()[0]) // len(_PHOTOGRAPHS))


def _patches(grey: np.ndarray) -> np.ndarray:
    """Returns the patches of a picture [h, w] side by side, [n, 64]; what is left at the edges is left out."""
    rows, columns = (size // _PATCH for size in grey.shape)
    cut = grey[: rows * _PATCH, : columns * _PATCH].reshape(rows, _PATCH, columns, _PATCH)
    return cut.transpose(0, 2, 1, 3).reshape(-1, _PATCH**2)


def _coloured_points() -> tuple[np.ndarray, np.ndarray]:
    """Returns the points [n, 2] of a picture of 53 x 80, in -1 ... 1, and their colours [n, 3]."""
    colours = shades("flower.jpg", 8)
    axes = [np.linspace(-1, 1, size) for size in colours.shape[:2]]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=2)
    return points.reshape(-1, 2), colours.reshape(-1, 3)
