"""beams: rules written by beam search, in a model of which tokens stand in rules and of what rules earn.

A rule has L places and an end. At each of them the model gives two distributions: of the return of a rule that begins
with the tokens before it, over B bins from 0 to 1, and of the token that stands there. So the vocabulary of a place is
that of its slot behind the B bins, and that of the end the bins alone. Returns are foreseen and never shown.

A search goes on with W lines. Each is continued by E tokens, no two alike, drawn from the model among those that the
grammar allows; and of the W E lines the W are kept for which

  a return drawn from P(return | tokens so far)  +  λ log P(tokens so far)

is largest. Draws without replacement do not say how likely a token was, hence the second term. Returns are drawn, and
not expected, so that K searches in one model do not all end where it is wrong: what it is unsure of wins at times.

Letters: K searches; W lines of a search; E continuations of a line; N = W E, or any rules; L tokens; B bins;
V the largest vocabulary of a slot.

References: Janner, Li, Levine (2021), arXiv:2106.02039, section 3.2 and algorithm 1; for draws without replacement
Kool, van Hoof, Welling (2019), arXiv:1903.06059, section 2.3.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from metarl.controller import (
    TokenInputs,
    TokenPolicy,
    TokenPolicyConfig,
    token_inputs,
    token_policy,
)
from metarl.update_rules import Grammar

from ..settings.config import ControllerConfig, TrajectoryTransformerConfig
from .sequence_learning import transformer_config


class Lines(NamedTuple):
    """What K searches end with, of each the best line first."""

    tokens: jax.Array  # [K, W, L] int32
    worth: jax.Array  # [K, W], what they were ranked by
    there: jax.Array  # [K, W] bool; a small space has fewer rules than W


class Foreseen(NamedTuple):
    """What the model thinks of rules by anybody."""

    tokens: jax.Array  # [N, L, V], logits of every token, given those before it
    returns: jax.Array  # [N, L, B], logits of the return, given the tokens up to each


class _Written(NamedTuple):
    """Lines of tokens, the last of which the model has not read."""

    tokens: jax.Array  # [W, L] int32, 0 from the place on
    state: Any  # of the model
    likelihood: jax.Array  # [W], log P of the tokens
    there: jax.Array  # [W] bool


class _Beams(NamedTuple):
    """Lines, and what the model thinks of them."""

    tokens: jax.Array  # [W, L]
    state: Any
    likelihood: jax.Array  # [W]
    there: jax.Array  # [W]
    logits: jax.Array  # [W, B + V]
    allowed: jax.Array  # [W, V] bool, what may stand next
    worth: jax.Array  # [W], what they were ranked by


class BeamWriter:
    """A model of the rules of one grammar and of their returns, and the search in it; made by `beam_writer`."""

    def __init__(
        self, grammar: Grammar, policy: TokenPolicy, settings: TrajectoryTransformerConfig
    ):
        """Binds the three; nothing is compiled yet."""
        self.grammar, self.policy, self._settings = grammar, policy, settings
        self.levels = jnp.linspace(0.0, 1.0, settings.bins)  # [B], the returns that bins stand for
        self.write = jax.jit(self._write, static_argnums=2)

    def bins(self, returns: jax.Array) -> jax.Array:
        """Returns the bins that returns [N] between 0 and 1 fall into, int32 [N]."""
        return jnp.round(returns * (self._settings.bins - 1)).astype(jnp.int32)

    def foreseen(self, params: Any, tokens: jax.Array) -> Foreseen:
        """Returns what the model thinks of rules [N, L] by anybody; can be traced."""
        bins, length = self._settings.bins, self.grammar.length
        chex.assert_shape(tokens, (None, length))
        places = jnp.arange(length + 1, dtype=jnp.int32)
        masks = jax.lax.map(lambda place: self._mask(tokens, place), places)
        shown = jnp.pad(bins + tokens, ((0, 0), (0, 1)))  # [N, L + 1]
        logits, _ = self.policy.apply(params, token_inputs(shown, jnp.swapaxes(masks, 0, 1)))
        return Foreseen(logits[:, :-1, bins:], logits[:, 1:, :bins])

    def _write(self, key: jax.Array, params: Any, count: int, learnt: jax.Array) -> Lines:
        """Returns the lines that K searches end with; `write` is this, compiled.

        Args:
          key: of the draws.
          params: of the model.
          count: K.
          learnt: [] bool, whether the model was told of any rule; else a search ends with a line that was drawn.
        """

        def extend(beams: _Beams, step: tuple[jax.Array, jax.Array]) -> tuple[_Beams, None]:
            place, key = step

            def of_one(key: jax.Array, beams: _Beams) -> _Beams:
                draw_key, return_key = jax.random.split(key)
                many = self._continued(draw_key, params, beams, place)
                worth = jnp.where(learnt, self._worth(return_key, many), 0.0)
                ranked = jnp.where(many.there, worth, -jnp.inf)
                best = jax.lax.top_k(ranked, self._settings.beams)[1]  # of equals the first
                return jax.tree.map(lambda leaf: leaf[best], many._replace(worth=worth))

            return jax.vmap(of_one)(jax.random.split(key, count), beams), None

        begun = jax.vmap(lambda _: self._begun(params))(jnp.arange(count))
        places = jnp.arange(self.grammar.length, dtype=jnp.int32)
        beams, _ = jax.lax.scan(extend, begun, (places, jax.random.split(key, len(places))))
        return Lines(beams.tokens, beams.worth, beams.there)

    def _begun(self, params: Any) -> _Beams:
        """Returns W lines without a token, of which one is there."""
        count = self._settings.beams
        tokens = jnp.zeros((count, self.grammar.length), jnp.int32)
        state, likelihood = self.policy.initial_state(count), jnp.zeros(count)
        lines = _Written(tokens, state, likelihood, jnp.arange(count) == 0)
        return self._read(params, lines, jnp.zeros(count, jnp.int32), jnp.int32(0))

    def _continued(self, key: jax.Array, params: Any, beams: _Beams, place: jax.Array) -> _Beams:
        """Returns the lines with a token more, W E of them."""
        log_probs = jax.nn.log_softmax(beams.logits[:, self._settings.bins :])  # [W, V]
        noise = jax.random.gumbel(key, log_probs.shape)
        noisy = jnp.where(beams.allowed, log_probs + noise, -jnp.inf)
        most = min(self._settings.expand, log_probs.shape[1])
        drawn = jax.lax.top_k(noisy, most)[1].ravel()  # [W E], a draw without replacement
        parents = jnp.repeat(jnp.arange(len(log_probs)), most)
        lines = _Written(
            beams.tokens[parents].at[:, place].set(drawn),
            jax.tree.map(lambda leaf: leaf[parents], beams.state),
            beams.likelihood[parents] + log_probs[parents, drawn],
            beams.there[parents] & beams.allowed[parents, drawn],
        )
        return self._read(params, lines, self._settings.bins + drawn, place + 1)

    def _read(self, params: Any, lines: _Written, last: jax.Array, place: jax.Array) -> _Beams:
        """Returns lines once the model has read their last token."""
        mask = self._mask(lines.tokens, place)
        inputs = TokenInputs(last, jnp.full(len(last), place), mask)
        state, logits, _ = self.policy.step(params, lines.state, inputs)
        allowed = mask[:, self._settings.bins :]
        return _Beams(*lines._replace(state=state), logits, allowed, jnp.zeros(len(last)))

    def _worth(self, key: jax.Array, beams: _Beams) -> jax.Array:
        """Returns what lines are ranked by [W], for which a return of each is drawn."""
        foreseen = beams.logits[:, : self._settings.bins]
        returns = self.levels[jax.random.categorical(key, foreseen)]
        return returns + self._settings.likelihood * beams.likelihood

    def _mask(self, tokens: jax.Array, place: jax.Array) -> jax.Array:
        """Returns which logits count at a place of rules, bool [N, B + V]: all bins, and no token at the end."""
        length = self.grammar.length
        allowed = self.grammar.next_mask(tokens, jnp.minimum(place, length - 1)) & (place < length)
        return jnp.pad(allowed, ((0, 0), (self._settings.bins, 0)), constant_values=True)


def beam_writer(
    grammar: Grammar, controller: ControllerConfig, settings: TrajectoryTransformerConfig
) -> BeamWriter:
    """Returns the model of the rules of a grammar and of their returns, with the search in it.

    Args:
      grammar: of the rules.
      controller: size of the model.
      settings: B, W, E and λ.

    Raises:
      InvalidInput: so many units cannot be cut into heads.
    """
    return _beam_writer(grammar, transformer_config(controller), settings)


@functools.lru_cache(maxsize=64)
def _beam_writer(
    grammar: Grammar, config: TokenPolicyConfig, settings: TrajectoryTransformerConfig
) -> BeamWriter:
    sizes = (*(settings.bins + size for size in grammar.slot_sizes), settings.bins)
    return BeamWriter(grammar, token_policy(sizes, config), settings)
