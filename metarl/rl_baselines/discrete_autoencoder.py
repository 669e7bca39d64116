"""A discrete autoencoder (VQ-VAE): a picture as a few tokens, and tokens as a picture.

A picture is cut into M squares, each of which one token tells. One perceptron serves all squares; it is shown a
square's pixels and its place:

  e = f(x, place),   k = argmin_v |e - c_v|²                    the token is the nearest of V codes
  q = e + sg(c_k - e)                                           straight through: what comes back to q goes on to e
  x' = g(q, place)

  minimise  |x - x'|²  +  |sg(e) - c_k|²  +  β |e - sg(c_k)|²   in the mean over numbers; sg stops the gradient

A codebook that is learnt by gradients alone collapses where most squares look alike: all are told by one or two codes.
So where some squares are far from their codes, the code that no square took for longest begins anew at the e of one of
them, drawn in proportion to that distance, as k-means++ draws its first means; one code in each gradient step.

Letters: B pictures; H x W pixels; C channels; P pixels along a square; M squares; S = P² C numbers of one; V codes of E
numbers; D hidden units.

References: van den Oord, Vinyals, Kavukcuoglu (2017), "Neural discrete representation learning", arXiv:1711.00937,
equation 3; Micheli, Alonso, Fleuret (2023), arXiv:2209.00588, section 2.1; of unused codes that begin anew: Dhariwal
et al. (2020), "Jukebox", arXiv:2005.00341, who draw all squares alike. Differs from the second: perceptrons of squares,
no convolutions and no attention; squared errors, and no perceptual loss; unused codes begin anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from metarl.environments import Environment
from metarl.errors import require

from .config import IRISConfig

FAR = 0.1  # share of the variance of latents
MOST_TOKENS = 16  # of a picture, where the size of squares is not given


class Autoencoder(NamedTuple):
    """Parameters, and what is done with them."""

    init: Callable[[jax.Array], tuple[Any, jax.Array]]  # key -> params, ages [V]
    encode: Callable[[Any, jax.Array], jax.Array]  # params, pictures [B, H, W, C] -> tokens [B, M]
    decode: Callable[[Any, jax.Array], jax.Array]  # params, tokens [B, M] -> pictures [B, H, W, C]
    loss: Callable[[Any, jax.Array], jax.Array]  # params, pictures [B, H, W, C] -> []
    renew: Callable[..., tuple[Any, jax.Array]]  # key, params, ages [V], pictures -> params, ages
    tokens: int  # M


def autoencoder(environment: Environment, config: IRISConfig) -> Autoencoder:
    """Returns the autoencoder of an environment's pictures.

    Raises:
      InvalidInput: its pictures cannot be cut into such squares.
    """
    shape = tuple(environment.observation_space.shape or ())
    along = square_side(environment, config.patch)
    tokens = math.prod(shape[:2]) // along**2
    numbers = along**2 * shape[2]

    def model() -> Any:
        encoder = hk.nets.MLP([config.picture_hidden, config.code_size], name="encoder")
        decoder = hk.nets.MLP([config.picture_hidden, numbers], name="decoder")
        start = hk.initializers.RandomNormal(1 / math.sqrt(config.code_size))

        def codes() -> jax.Array:
            return hk.get_parameter("codes", (config.codes, config.code_size), init=start)

        def latents(pictures: jax.Array) -> jax.Array:
            return encoder(_placed(squares(pictures, along)))

        def encode(pictures: jax.Array) -> jax.Array:
            return nearest(latents(pictures), codes())

        def show(told: jax.Array) -> jax.Array:
            return joined(decoder(_placed(told)), shape, along)

        def decode(tokens: jax.Array) -> jax.Array:
            return show(codes()[tokens])

        def loss(pictures: jax.Array) -> jax.Array:
            told = latents(pictures)
            chosen = codes()[nearest(told, codes())]
            missed = jnp.mean((show(straight_through(told, chosen)) - pictures) ** 2)
            still = jax.lax.stop_gradient
            moved = jnp.mean((still(told) - chosen) ** 2)
            return missed + moved + config.commitment * jnp.mean((told - still(chosen)) ** 2)

        return loss, (latents, encode, decode, loss)

    functions = hk.without_apply_rng(hk.multi_transform(model))
    nothing = jnp.zeros((1, *shape))
    latents, encode, decode, loss = functions.apply

    def renew(
        key: jax.Array, params: Any, ages: jax.Array, pictures: jax.Array
    ) -> tuple[Any, jax.Array]:
        told = latents(params, pictures).reshape(-1, config.code_size)
        codes, ages = renewed(key, params["~"]["codes"], ages, told, config.renew_after)
        return {**params, "~": {"codes": codes}}, ages

    def init(key: jax.Array) -> tuple[Any, jax.Array]:
        old = jnp.full(
            config.codes, config.renew_after, jnp.int32
        )  # what comes first gives the codes
        return functions.init(key, nothing), old

    return Autoencoder(init, encode, decode, loss, renew, tokens)


def renewed(
    key: jax.Array, codes: jax.Array, ages: jax.Array, latents: jax.Array, after: int
) -> tuple[jax.Array, jax.Array]:
    """Returns the codes, of which the oldest may have begun anew, and their ages.

    It does if it was not taken for long, and some latent is far from its code: farther than a tenth of their variance.

    Args:
      key: consumed.
      codes: c [V, E].
      ages: for how many such calls no latent had taken each [V] int32.
      latents: e of a batch [N, E].
      after: an age up to which a code stays.
    """
    taken = nearest(latents, codes)
    ages = (ages + 1).at[taken].set(0)
    away = jnp.sum((latents - codes[taken]) ** 2, axis=-1)
    spread = jnp.mean(jnp.sum((latents - jnp.mean(latents, axis=0, keepdims=True)) ** 2, axis=-1))
    far = away > FAR * spread
    drawn = jax.random.categorical(key, jnp.where(far, jnp.log(away), -jnp.inf))
    oldest = jnp.argmax(ages)
    begins = (ages[oldest] > after) & jnp.any(far)
    anew = jnp.where(begins, latents[drawn], codes[oldest])
    return codes.at[oldest].set(anew), ages.at[oldest].set(jnp.where(begins, 0, ages[oldest]))


def nearest(latents: jax.Array, codes: jax.Array) -> jax.Array:
    """Returns the number [...] int32 of the code that is nearest to each latent.

    Args:
      latents: e [..., E].
      codes: c [V, E].
    """
    rows = latents.reshape(-1, latents.shape[-1])
    # |e - c|² but for |e|², which is the same for all codes.
    distances = jnp.sum(codes**2, axis=-1)[None] - 2 * rows @ codes.T
    return jnp.argmin(distances, axis=-1).astype(jnp.int32).reshape(latents.shape[:-1])


def straight_through(latents: jax.Array, chosen: jax.Array) -> jax.Array:
    """Returns the chosen codes [..., E]; the gradient goes on to the latents [..., E] as if they were these."""
    return latents + jax.lax.stop_gradient(chosen - latents)


def squares(pictures: jax.Array, along: int) -> jax.Array:
    """Returns the squares of pictures [B, H, W, C], row by row [B, M, S]."""
    count, high, wide, channels = pictures.shape
    cut = pictures.reshape(count, high // along, along, wide // along, along, channels)
    return jnp.swapaxes(cut, 2, 3).reshape(count, -1, along**2 * channels)


def joined(parts: jax.Array, shape: tuple[int, ...], along: int) -> jax.Array:
    """Returns the pictures [B, H, W, C] of which these are the squares [B, M, S]."""
    high, wide, channels = shape
    cut = parts.reshape(-1, high // along, wide // along, along, along, channels)
    return jnp.swapaxes(cut, 2, 3).reshape(-1, high, wide, channels)


def square_side(environment: Environment, asked: int | None) -> int:
    """Returns P: as asked for, or the least that cuts pictures into at most `MOST_TOKENS` squares.

    Raises:
      InvalidInput: pictures cannot be cut into such squares.
    """
    high, wide, *_ = environment.observation_space.shape or (1, 1)
    both = math.gcd(high, wide)
    fitting = [side for side in range(1, both + 1) if both % side == 0]
    few = [side for side in fitting if high * wide // side**2 <= MOST_TOKENS]
    about = f"pictures of {environment.name!r} have {high} x {wide} pixels"
    require(
        asked in fitting if asked is not None else bool(few),
        f"iris: patch is {asked}, and {about}; they are cut into squares of {' or '.join(map(str, fitting))}."
        if asked is not None
        else f"iris: {about}, which are not cut into at most {MOST_TOKENS} equal squares; give patch, the pixels "
        f"along a square ({' or '.join(map(str, fitting))}), or pictures of another size.",
    )
    return few[0] if asked is None else asked


def _placed(rows: jax.Array) -> jax.Array:
    """Returns what is told of each square [B, M, F], and beside it which one it is [B, M, F + M]."""
    places = jnp.broadcast_to(jnp.eye(rows.shape[1])[None], (*rows.shape[:2], rows.shape[1]))
    return jnp.concatenate([rows, places], axis=-1)
