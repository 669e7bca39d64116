"""Losses of optimizers that were tuned, simulated: what tests of the noise of tuning draw from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Half-decades, quarters and eighths around the best.
DECADES = np.array([-0.5, -0.25, -0.125, 0.0, 0.125, 0.25, 0.5])


def draw(
    rng: np.random.Generator,
    level: float,
    curvature: float,
    noise: float,
    commons: Sequence[np.ndarray],
) -> list[np.ndarray]:
    """Returns the losses of one optimizer at seven rates, [J, S] for each set of seeds.

    It has its best rate somewhere between two eighths of a decade; a run's loss depends on its seed, on how well the
    rate suits the seed, and on chance.

    Args:
      rng: all that is random is of it.
      level: logarithm of the loss at the best rate.
      curvature: of the logarithmic loss, by decade squared.
      noise: of a run, and of how a rate suits a seed.
      commons: for each set of seeds what its seeds add to every optimizer's logarithm, [S].
    """
    away = DECADES - rng.uniform(-1 / 16, 1 / 16)
    return [
        np.exp(
            level
            + curvature * away[:, None] ** 2
            + common
            + np.outer(4 * away, rng.normal(0, noise, len(common)))
            + rng.normal(0, noise, (len(away), len(common)))
        )
        for common in commons
    ]
