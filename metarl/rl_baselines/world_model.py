"""A world model of tokens: a causal transformer that tells what an action leads to, and is dreamt in.

What is seen and done is a line of tokens, M of each picture and one of each action,

  z[0]_1 ... z[0]_M  a[0]  z[1]_1 ... z[1]_M  a[1]  ...

each shown with its place within the step. After a[t] the transformer tells the reward r[t], whether the episode
ended, and z[t+1]_1; after z[t+1]_m it tells z[t+1]_{m+1}. All are categorical: tokens by their number, the reward by
bins (`ValueBins`), the end by yes or no.

  minimise  -Σ log P(z[t+1]_m) / M  -  log P(r[t])  -  log P(end[t])     in the mean over steps t of an episode

Dreaming draws tokens and ends, and takes the mean of the reward's bins; keys and values of the line so far are held, so
a step costs M + 1 tokens, however long the dream is.

Letters: B lines; L steps; M tokens of a picture; V codes; A actions; K bins of rewards; Q = M + 1 tokens of a step.

Reference: Micheli, Alonso, Fleuret (2023), "Transformers are sample-efficient world models", arXiv:2209.00588,
section 2.2. Differs from the paper: rewards by bins where it has their sign, and their mean where it draws one;
positions are relative (rotary); tokens of the first picture are not predicted.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import optax

from metarl.controller import Policy, categorical_head, recurrent_policy, transformer
from metarl.policy_gradient import ValueBins

from .config import IRISConfig


class WorldModel(NamedTuple):
    """The transformer, and how its line is spelt."""

    network: Policy  # tokens as vectors [..., V + A + Q] -> V, K and 2 logits
    tokens: int  # M
    codes: int  # V
    actions: int  # A
    reward_bins: ValueBins  # K of them


class Told(NamedTuple):
    """What the transformer tells after a token."""

    tokens: jax.Array  # [..., V] logits of the picture's next token
    reward: (
        jax.Array
    )  # [..., K] logits; after an action alone they mean something, as those of the end
    end: jax.Array  # [..., 2] logits of going on and of ending


class Walks(NamedTuple):
    """What really happened, in tokens."""

    tokens: jax.Array  # [B, L + 1, M] int32
    actions: jax.Array  # [B, L] int32
    rewards: jax.Array  # [B, L]
    ended: jax.Array  # [B, L] bool, terminated
    valid: jax.Array  # [B, L] bool, a step of the episode with which the line began


class Dreams(NamedTuple):
    """What was dreamt; what follows an end means nothing."""

    tokens: jax.Array  # [B, L + 1, M] int32
    actions: jax.Array  # [B, L] int32
    rewards: jax.Array  # [B, L]
    ended: jax.Array  # [B, L] bool


def world_model(tokens: int, actions: int, config: IRISConfig) -> WorldModel:
    """Returns the world model of pictures of so many tokens."""
    place = tokens + 1
    shown = jax.ShapeDtypeStruct((config.codes + actions + place,), jnp.float32)
    network = recurrent_policy(
        shown,
        lambda inputs: hk.Linear(config.hidden, name="tokens")(inputs),
        transformer(config.hidden, config.layers, config.heads, (config.horizon + 1) * place),
        categorical_head(config.codes + config.bins + 2),
        value="none",
    )
    bins = ValueBins(config.bins, config.reward_limit, squashed=True)
    return WorldModel(network, tokens, config.codes, actions, bins)


def loss(model: WorldModel, params: Any, walks: Walks) -> jax.Array:
    """Returns the loss of real walks []."""
    told = tell(model, params, walks.tokens, walks.actions)
    following = optax.softmax_cross_entropy_with_integer_labels(
        told.tokens[:, :, : model.tokens], walks.tokens[:, 1:]
    )
    bins = model.reward_bins.weights(walks.rewards)
    missed = jnp.mean(following, axis=-1)
    missed += optax.softmax_cross_entropy(told.reward[:, :, 0], bins)
    missed += optax.softmax_cross_entropy_with_integer_labels(
        told.end[:, :, 0], walks.ended.astype(jnp.int32)
    )
    return jnp.sum(jnp.where(walks.valid, missed, 0.0)) / jnp.maximum(jnp.sum(walks.valid), 1)


def tell(model: WorldModel, params: Any, tokens: jax.Array, actions: jax.Array) -> Told:
    """Returns what is told of lines: [B, L, Q, ...], after an action and after each token it led to.

    Args:
      model: the world model.
      params: of the transformer.
      tokens: z [B, L + 1, M].
      actions: a [B, L].
    """
    steps = actions.shape[1]
    ahead = jnp.pad(actions, ((0, 0), (0, 1)))  # the last picture is followed by no action
    spelt = _spelt(model, tokens, ahead)  # [B, L + 1, Q, ...]
    line = spelt.reshape(len(spelt), -1, spelt.shape[-1])[:, :-1]
    logits, _ = model.network.apply(params, line)
    after = logits[:, model.tokens :].reshape(len(logits), steps, model.tokens + 1, -1)
    return _told(model, after)


def dream(
    model: WorldModel,
    params: Any,
    key: jax.Array,
    first: jax.Array,
    act: Callable[[jax.Array, jax.Array, jax.Array], jax.Array],
    horizon: int,
) -> Dreams:
    """Returns dreams of `horizon` steps.

    Args:
      model: the world model.
      params: of the transformer.
      key: consumed.
      first: tokens of the pictures in which they begin [B, M].
      act: key, which step it is [], tokens [B, M] -> actions [B].
      horizon: L.
    """
    read = functools.partial(_read, model, params)

    def look(state: Any, tokens: jax.Array) -> Any:
        """Reads a picture that is known."""
        spelt = jnp.swapaxes(_spelt(model, tokens), 0, 1)  # [M, B, ...]
        return jax.lax.scan(lambda state, one: (read(state, one)[0], None), state, spelt)[0]

    def step(carry: Any, now: tuple[jax.Array, jax.Array]) -> Any:
        state, tokens = carry
        number, key = now
        act_key, end_key, draw_key = jax.random.split(key, 3)
        actions = act(act_key, number, tokens)
        done = _one_token(model, model.codes + actions, model.tokens)
        state, told = read(state, done)
        ended = jax.random.categorical(end_key, told.end) == 1
        reward = model.reward_bins.told_by(told.reward)

        def draw(carry: Any, now: tuple[jax.Array, jax.Array]) -> Any:
            state, logits = carry
            place, key = now
            token = jax.random.categorical(key, logits).astype(jnp.int32)  # [B]
            state, told = read(state, _one_token(model, token, place))
            return (state, told.tokens), token

        places = jnp.arange(model.tokens), jax.random.split(draw_key, model.tokens)
        (state, _), following = jax.lax.scan(draw, (state, told.tokens), places)
        following = following.T  # [B, M]
        return (state, following), (following, actions, reward, ended)

    state = look(model.network.initial_state(len(first)), first)
    numbers = jnp.arange(horizon), jax.random.split(key, horizon)
    _, steps = jax.lax.scan(step, (state, first), numbers)
    tokens, *others = (jnp.swapaxes(x, 0, 1) for x in steps)  # [L, B, ...] -> [B, L, ...]
    return Dreams(jnp.concatenate([first[:, None], tokens], axis=1), *others)


def _read(model: WorldModel, params: Any, state: Any, spelt: jax.Array) -> tuple[Any, Told]:
    """Returns the state after one more token [B, V + A + Q], and what is told then."""
    state, logits, _ = model.network.step(params, state, spelt)
    return state, _told(model, logits)


def _told(model: WorldModel, logits: jax.Array) -> Told:
    return Told(*jnp.split(logits, [model.codes, model.codes + model.reward_bins.count], axis=-1))


def _spelt(model: WorldModel, tokens: jax.Array, actions: jax.Array | None = None) -> jax.Array:
    """Returns pictures [..., M], and what was done in them [...], as vectors of tokens [..., Q, V + A + Q]."""
    parts = [tokens] if actions is None else [tokens, model.codes + actions[..., None]]
    words = jnp.concatenate(parts, axis=-1)
    places = jnp.broadcast_to(
        jnp.arange(words.shape[-1]).reshape([1] * (words.ndim - 1) + [-1]), words.shape
    )
    return _one_token(model, words, places)


def _one_token(model: WorldModel, word: jax.Array, place: jax.Array | int) -> jax.Array:
    """Returns words [...] in a place of a step as vectors [..., V + A + Q]."""
    places = jax.nn.one_hot(jnp.broadcast_to(jnp.asarray(place), word.shape), model.tokens + 1)
    words = jax.nn.one_hot(word, model.codes + model.actions)
    return jnp.concatenate([words, places], axis=-1)
