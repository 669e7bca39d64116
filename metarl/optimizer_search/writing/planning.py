"""planning: rules written by tree search with a controller, one token after the other.

Before every token a tree over what may follow is grown with the controller alone: its probabilities are the prior,
its value says what a prefix is worth, and nothing is trained. A rule has one slot more, its end, which holds a single
token, so that the controller's value of a complete rule is its guess of what that rule earns. In a tree the end
repeats itself.

Letters: K rules; L tokens; W width, the largest vocabulary.

Reference: Danihelka, Guez, Schrittwieser, Silver, "Policy improvement by planning with Gumbel", ICLR 2022; by mctx.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import mctx as _mctx

from metarl.controller import (
    TokenInputs,
    TokenPolicy,
    TokenPolicyConfig,
    token_inputs,
    token_policy,
)
from metarl.update_rules import Grammar

from ..settings.config import ControllerConfig

mctx: Any = _mctx  # no checker sees the fields of its dataclasses


class Planned(NamedTuple):
    """Rules, and what the search would have chosen at every token."""

    tokens: jax.Array  # [K, L] int32
    weights: jax.Array  # [K, L, W], probabilities of the improved policy


class Judged(NamedTuple):
    """What the controller thinks of rules by anybody."""

    logits: jax.Array  # [K, L, W], of what may stand at every slot
    values: jax.Array  # [K, L + 1], before every token, and of the complete rule


class _Prefix(NamedTuple):
    """The first tokens of K rules, and what the controller thinks of them."""

    tokens: jax.Array  # [K, L] int32, 0 from the position on
    position: jax.Array  # [K] int32, how many stand; L for a complete rule
    state: Any  # of the controller
    logits: jax.Array  # [K, W], of the next token; at the end of the one that stands there
    values: jax.Array  # [K]


class Planner:
    """A controller with a value that plans the rules of one grammar; made by `planner`."""

    def __init__(self, grammar: Grammar, policy: TokenPolicy, simulations: int):
        """Binds the three; nothing is compiled yet."""
        self.grammar, self.policy, self._simulations = grammar, policy, simulations
        self.write = jax.jit(self._write, static_argnums=2)

    def judged(self, params: Any, tokens: jax.Array) -> Judged:
        """Returns what the controller thinks of rules by anybody, [K, L]; can be traced."""
        chex.assert_shape(tokens, (None, self.grammar.length))
        positions = jnp.arange(self.grammar.length + 1, dtype=jnp.int32)
        masks = jax.vmap(lambda p: self._mask(tokens, jnp.full(len(tokens), p)), out_axes=1)(
            positions
        )
        ended = jnp.pad(tokens, ((0, 0), (0, 1)))  # [K, L + 1]
        logits, values = self.policy.apply(params, token_inputs(ended, masks))
        return Judged(logits[:, :-1], values)

    def _write(self, key: jax.Array, params: Any, count: int) -> Planned:
        """Returns K rules; `write` is this, compiled.

        Args:
          key: of the Gumbel noise.
          params: of the controller.
          count: K.
        """

        def choose(prefix: _Prefix, key: jax.Array) -> tuple[_Prefix, jax.Array]:
            # mctx selects among keys, which looks like using one twice to the check of key reuse.
            bits = jax.random.key_data(key)
            found = mctx.gumbel_muzero_policy(
                params,
                bits,
                mctx.RootFnOutput(
                    prior_logits=prefix.logits, value=prefix.values, embedding=prefix
                ),
                self._simulated,
                self._simulations,
                invalid_actions=~self._mask(prefix.tokens, prefix.position),
                max_depth=self.grammar.length + 1,
            )
            return self._after(params, prefix, found.action), found.action_weights

        keys = jax.random.split(key, self.grammar.length)
        prefix, weights = jax.lax.scan(choose, self._empty(params, count), keys)
        return Planned(prefix.tokens, jnp.swapaxes(weights, 0, 1))

    def _simulated(self, params: Any, key: jax.Array, action: jax.Array, prefix: _Prefix):
        """Returns a step of the tree: no reward and no discount on the way, so a path is worth its last value."""
        del key
        after = self._after(params, prefix, action)
        nothing = jnp.zeros_like(after.values)
        output = mctx.RecurrentFnOutput(
            reward=nothing, discount=nothing + 1.0, prior_logits=after.logits, value=after.values
        )
        return output, after

    def _empty(self, params: Any, count: int) -> _Prefix:
        tokens = jnp.zeros((count, self.grammar.length), jnp.int32)
        position = jnp.zeros(count, jnp.int32)
        return self._seen(params, tokens, position, self.policy.initial_state(count))

    def _after(self, params: Any, prefix: _Prefix, action: jax.Array) -> _Prefix:
        """Returns the prefixes with a token more; complete rules stay as they are."""
        rows, length = jnp.arange(len(action)), self.grammar.length
        tokens = prefix.tokens.at[rows, prefix.position].set(action, mode="drop")
        position = jnp.minimum(prefix.position + 1, length)
        after = self._seen(params, tokens, position, prefix.state)
        ended = prefix.position == length
        return jax.tree.map(
            lambda old, new: jnp.where(jnp.expand_dims(ended, range(1, new.ndim)), old, new),
            prefix,
            after,
        )

    def _seen(self, params: Any, tokens: jax.Array, position: jax.Array, state: Any) -> _Prefix:
        """Returns prefixes with the controller's thoughts, which has read all but their last token."""
        last = jnp.take_along_axis(tokens, jnp.maximum(position - 1, 0)[:, None], axis=1)[:, 0]
        inputs = TokenInputs(
            jnp.where(position > 0, last, 0), position, self._mask(tokens, position)
        )
        state, logits, values = self.policy.step(params, state, inputs)
        return _Prefix(tokens, position, state, logits, values)

    def _mask(self, tokens: jax.Array, position: jax.Array) -> jax.Array:
        """Returns what may stand at a position of each row, bool [K, W]; at the end the one token 0."""

        def of_one(tokens: jax.Array, position: jax.Array) -> jax.Array:
            inside = jnp.minimum(position, self.grammar.length - 1)
            allowed = self.grammar.next_mask(tokens[None], inside)[0]
            end = jnp.arange(self.policy.width) == 0
            return jnp.where(position < self.grammar.length, allowed, end)

        return jax.vmap(of_one)(tokens, position)


def planner(grammar: Grammar, settings: ControllerConfig, simulations: int) -> Planner:
    """Returns the controller that plans the rules of a grammar.

    Args:
      grammar: of the rules.
      settings: size and first weights of the controller.
      simulations: nodes of the tree that is grown before every token.
    """
    config = TokenPolicyConfig(
        hidden_size=settings.hidden,
        embedding_size=settings.embedding,
        initial_range=settings.init_scale,
        value="shared",
    )
    return _planner(grammar, config, simulations)


@functools.lru_cache(maxsize=64)
def _planner(grammar: Grammar, config: TokenPolicyConfig, simulations: int) -> Planner:
    return Planner(grammar, token_policy((*grammar.slot_sizes, 1), config), simulations)
