"""What the pixels of a maze's view say of how far one sees: `view` turned round.

Below the horizon a column shows the wall, which is bluer than red, and then the floor, which is not. A wall at depth t
ends 0.5 f / t pixels below the horizon, f being the focal length in pixels. So a floor that begins in a row d pixels
below it, and not yet in the row above, d' pixels below it, tells that 0.5 f / d <= t < 0.5 f / d'. Where the goal's
pillar stands it is the pillar that ends there; what is behind it nobody sees.

Letters: W x H pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .view import focal_length

LEAST_BELOW = 0.25  # pixels: a row nearer to the horizon is no evidence


class Sighted(NamedTuple):
    """What each column of pixels tells."""

    clear: jax.Array  # [W] the depth before which nothing stands
    end: jax.Array  # [W] the depth before which something does
    pillar: jax.Array  # [W] bool, whether that is the goal's pillar, and not a wall
    brick: jax.Array  # [W] the blue level of the brightest brick


def depths_seen(pixels: jax.Array) -> Sighted:
    """Returns how far one sees in each column.

    Args:
      pixels: [H, W, 3], levels from 0 to 255 (uint8), or numbers from -1 to 1.
    """
    height, width = pixels.shape[:2]
    levels = pixels.astype(jnp.float32)
    if not jnp.issubdtype(pixels.dtype, jnp.integer):
        levels = (levels + 1) * 127.5
    below = np.arange(height) + 0.5 - height / 2
    rows = below > LEAST_BELOW
    depths = 0.5 * focal_length(width) / below[rows]  # [R] of what ends just above the row, falling
    red, green, blue = jnp.moveaxis(levels, -1, 0)  # [H, W] each
    pillar = red > 2 * green + 1
    walled = (blue > red)[rows]  # [R, W]
    standing = jnp.sum(pillar[rows] | walled, axis=0)  # [W] rows
    return Sighted(
        clear=jnp.append(depths, 0.0)[standing],
        end=jnp.append(jnp.inf, depths)[standing],
        pillar=jnp.any(pillar, axis=0),
        brick=jnp.max(jnp.where(walled, blue[rows], 0.0), axis=0, initial=0.0),
    )
