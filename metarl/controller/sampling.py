"""Sampling: letting a token policy write sequences, in one compiled scan.

The grammar stays outside: it is one pure function that says what may follow.

Letters: n sequences; L slots; W width, the largest vocabulary.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from .policy import Params, State
from .tokens import TokenInputs, TokenPolicy

NextMask = Callable[[jax.Array, jax.Array], jax.Array]


class TokenSample(NamedTuple):
    """Written sequences, and what the policy thought when it wrote them."""

    tokens: jax.Array  # [n, L] int32
    log_probs: jax.Array  # [n, L]
    values: jax.Array  # [n, L]
    masks: jax.Array  # [n, L, W] bool


@functools.partial(jax.jit, static_argnames=("policy", "n", "next_mask"))
def sample_tokens(
    policy: TokenPolicy,
    params: Params,
    key: jax.Array,
    n: int,
    next_mask: NextMask,
    condition: Any = (),
) -> TokenSample:
    """Writes n sequences.

    Compiled once for each (policy, n, next_mask), so hand over the same function every time, not a
    fresh lambda.

    Args:
      policy: the writer.
      params: its parameters.
      key: of all choices.
      n: how many sequences.
      next_mask: (tokens so far [n, L] int32, 0 from `position` on; position, int32) -> allowed [n,
        W] bool. Pure.
      condition: [n, C], what each sequence is asked for with; () where the policy takes nothing.

    Returns:
      The sequences, with log-probabilities, values and masks of every choice.
    """

    def choose(carry: tuple[State, jax.Array], scanned: tuple[jax.Array, jax.Array]):
        state, tokens = carry
        position, choice_key = scanned
        mask = next_mask(tokens, position)
        chex.assert_shape(mask, (n, policy.width))
        before = jnp.take(tokens, jnp.maximum(position - 1, 0), axis=1)
        previous = jnp.where(position > 0, before, 0)  # [n]
        inputs = TokenInputs(previous, jnp.full(n, position), mask, condition)
        state, logits, value = policy.step(params, state, inputs)
        token = policy.distribution.sample(choice_key, logits).astype(jnp.int32)
        log_prob = policy.distribution.log_prob(logits, token)
        return (state, tokens.at[:, position].set(token)), (log_prob, value, mask)

    positions = jnp.arange(policy.length, dtype=jnp.int32)
    choice_keys = jax.random.split(key, policy.length)
    nothing = (policy.initial_state(n), jnp.zeros((n, policy.length), jnp.int32))
    (_, tokens), recorded = jax.lax.scan(choose, nothing, (positions, choice_keys))
    log_probs, values, masks = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), recorded)
    return TokenSample(tokens, log_probs, values, masks)
