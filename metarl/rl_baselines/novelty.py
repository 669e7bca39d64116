"""Novelty: a bonus for what was seldom done where one stands, counted among remembered steps.

A picture is known by its tokens, so that counting is comparing:

  r'[t] = r[t] + β / √(1 + n(z[t], a[t]))        n: how often a was taken in pictures of the same tokens z

Paid in dreams alone, it is planned for as a reward is: a policy that learns there goes where little is known, from far.
Tokens are compared by today's autoencoder, which tells all pictures anew. Where no picture comes twice all is equally
new, and the bonus is one number.

Letters: N steps among which is counted; M tokens of a picture.

References: Strehl and Littman (2008), "An analysis of model-based interval estimation for Markov decision processes";
Tang et al. (2017), arXiv:1611.04717, who count what pictures are hashed to. Differs from them: 1 + n under the root.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from .experience import Experience, known_steps

COUNTED = 1024  # N at most


class Done(NamedTuple):
    """Which action was taken in which picture, of some remembered steps."""

    tokens: jax.Array  # [N, M] int32
    actions: jax.Array  # [N] int32
    weights: jax.Array  # [N] of how many remembered steps each stands for


def recalled(
    key: jax.Array,
    experience: Experience,
    step: jax.Array,
    encode: Callable[[Any], jax.Array],
) -> Done:
    """Returns what was done where: in all remembered steps, or in some at equal distances if they are more than N.

    Args:
      key: of where these begin.
      experience: [C].
      step: [] int32, how many were written.
      encode: observations [N, ...] -> tokens [N, M].
    """
    capacity = len(experience.rewards)
    known, rows = known_steps(capacity, step), min(COUNTED, capacity)
    all_fit, numbers = known <= rows, jnp.arange(rows)
    apart = ((numbers + jax.random.uniform(key)) * (known / rows)).astype(jnp.int32)
    places = jnp.where(all_fit, numbers, jnp.minimum(apart, known - 1))
    return Done(
        tokens=encode(experience.observations[places]),
        actions=experience.actions[places].astype(jnp.int32),
        weights=jnp.where(all_fit, numbers < known, known / rows),
    )


def bonus(done: Done, tokens: jax.Array, actions: jax.Array) -> jax.Array:
    """Returns 1 / √(1 + n) of actions [B, L] in pictures of tokens [B, L, M]."""
    same = jnp.all(tokens[:, :, None] == done.tokens[None, None], axis=-1)  # [B, L, N]
    same &= actions[..., None] == done.actions[None, None]
    return 1 / jnp.sqrt(1 + jnp.where(same, 1.0, 0.0) @ done.weights)
