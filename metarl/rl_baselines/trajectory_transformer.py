"""Trajectory transformer: a model of whole episodes as words of tokens, and a beam search that plans in it.

An episode is a line of tokens, each drawn from its own part of one vocabulary,

  o[t]_1 ... o[t]_D  a[t]  e[t]          e: the reward's bin, and whether the episode ended

and a causal transformer learns which token comes next, behaviour and world alike:

  minimise  - mean log P(token | tokens before)  - mean log P(bin of R[t] | tokens up to e[t])

with R[t] the return to go after step t, which is predicted and never shown. To act, W lines are continued
`depth` steps by tokens drawn from the model, each W times over `expand`; after every step the W are kept for which

  rewards so far + E[R]

is largest, and the first action of the best is taken. Rewards and returns have at most K bins: their values where
there are no more, else quantiles.

Differs from the paper: what is ranked is the expected return to go, not a token of it, of which one random
walk in forty has another than 0; that an episode ended is a token; positions are relative (rotary); observations are
finite, one token each part, so nothing of them is binned.

Letters: N episodes; T steps; D parts of an observation; L = D + 2 tokens of a step; V tokens of the
vocabulary; K bins; W beams.

Reference: Janner, Li & Levine (2021), "Offline reinforcement learning as one big sequence modeling problem", NeurIPS
34, arXiv:2106.02039, sections 3.1 and 3.2, algorithm 1.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from metarl.controller import Policy, categorical_head, recurrent_policy, transformer
from metarl.environments import Agent, Environment, Trial, feature_size, make_agent

from .config import TrajectoryTransformerConfig
from .offline_data import Trajectories, walks_of
from .offline_learning import Lesson, fitting, learnt, shape_of


class Words(NamedTuple):
    """How episodes of a world are spelt."""

    parts: tuple[int, ...]  # [D] values of each part of an observation
    actions: int
    bins: int  # K

    @property
    def sizes(self) -> tuple[int, ...]:
        """Tokens in each of the L places of a step."""
        return (*self.parts, self.actions, 2 * self.bins)

    @property
    def vocabulary(self) -> int:
        """V."""
        return sum(self.sizes)

    @property
    def offsets(self) -> np.ndarray:
        """The first token of each place [L]."""
        return np.cumsum([0, *self.sizes[:-1]])

    def allowed(self, place: int) -> np.ndarray:
        """Which tokens may stand in a place [V]."""
        tokens = np.arange(self.vocabulary) - self.offsets[place]
        return (tokens >= 0) & (tokens < self.sizes[place])


class Bins(NamedTuple):
    """What bins mean."""

    rewards: jax.Array  # [K]
    returns: jax.Array  # [K]


class Memory(NamedTuple):
    """What is known of an episode: the model's state after its tokens so far."""

    state: Any


class Beams(NamedTuple):
    """W lines of tokens that go on from where the agent stands."""

    state: Any  # of the model [W, ...]
    logits: jax.Array  # [W, V + K] of what comes next
    first: jax.Array  # [W] int32, the first action
    earned: jax.Array  # [W] rewards so far
    ended: jax.Array  # [W] bool
    score: jax.Array  # [W]


@functools.lru_cache(maxsize=32)
def trajectory_transformer(environment: Environment, config: TrajectoryTransformerConfig) -> Agent:
    """Returns a trajectory transformer, trained on random walks; one object for one call.

    Args:
      environment: compiled, with finitely many actions and observations.
      config: of the data, the training and the search.

    Raises:
      InvalidInput: the world is stepped on the host.
    """
    return learnt(lesson_of_trajectories(environment, config))


def lesson_of_trajectories(environment: Environment, config: TrajectoryTransformerConfig) -> Lesson:
    """Returns how a trajectory transformer is trained; see `trajectory_transformer`."""
    data_key, train_key = jax.random.split(jax.random.key(config.seed))
    data = walks_of(data_key, environment, config)
    words = words_of(environment, config.bins)
    bins = bins_of(data, config.bins)
    policy = _policy(words, environment.horizon, shape_of(config))
    sources = (*tokens_of(data, words, bins), data.valid)
    searching = (config.beams, config.expand, config.depth)
    return Lesson(
        fitting(train_key, policy, _loss_of(policy, words), config, sources),
        lambda learner: make_agent(*_functions(policy, words, searching), learner[0], bins),
    )


def words_of(environment: Environment, bins: int) -> Words:
    """Returns how episodes of a world are spelt, with so many bins of rewards and returns."""
    space: Any = environment.observation_space
    parts = space.nvec.ravel().tolist() if hasattr(space, "nvec") else [int(space.n)]
    return Words(tuple(parts), feature_size(environment.action_space), bins)


def bins_of(data: Trajectories, count: int) -> Bins:
    """Returns the values that bins of rewards and returns stand for; those left over repeat the last."""
    valid = np.asarray(data.valid)
    after = np.asarray(data.returns_to_go - data.rewards)
    return Bins(*(jnp.asarray(_levels(np.asarray(x)[valid], count)) for x in (data.rewards, after)))


def tokens_of(data: Trajectories, words: Words, bins: Bins) -> tuple[jax.Array, jax.Array]:
    """Returns the tokens of episodes [N, T, L], and the bin of each return to go after a step [N, T]."""
    ends = np.cumsum(words.parts)[:-1]
    parts = jnp.split(data.observations, ends, axis=-1)
    seen = jnp.stack([jnp.argmax(part, axis=-1) for part in parts], axis=-1)  # [N, T, D]
    later = jnp.pad(data.valid[:, 1:], ((0, 0), (0, 1)))
    outcome = outcome_of(data.rewards, data.valid & ~later, bins)
    places = jnp.concatenate([seen, data.actions[..., None], outcome[..., None]], axis=-1)
    after = data.returns_to_go - data.rewards
    return places + words.offsets[None, None], _nearest(after, bins.returns)


def outcome_of(reward: jax.Array, ended: jax.Array, bins: Bins) -> jax.Array:
    """Returns e: twice the bin of a reward, and one more where the episode ended."""
    return 2 * _nearest(reward, bins.rewards) + ended


def _levels(values: np.ndarray, count: int) -> np.ndarray:
    """Returns `count` levels, rising: the values themselves if they are no more, else quantiles."""
    different = np.unique(values)
    if len(different) > count:
        different = np.quantile(values, (np.arange(count) + 0.5) / count)
    return np.pad(different, (0, count - len(different)), mode="edge").astype(np.float32)


def _nearest(values: jax.Array, levels: jax.Array) -> jax.Array:
    levels = levels.reshape(*[1] * jnp.ndim(values), -1)
    return jnp.argmin(jnp.abs(values[..., None] - levels), axis=-1).astype(jnp.int32)


@functools.lru_cache(maxsize=32)
def _policy(words: Words, horizon: int, config: Any) -> Policy:
    return recurrent_policy(
        jax.ShapeDtypeStruct((words.vocabulary,), jnp.float32),
        lambda inputs: hk.Linear(config.hidden)(inputs),
        transformer(config.hidden, config.layers, config.heads, horizon * len(words.sizes)),
        categorical_head(words.vocabulary + words.bins),
        value="none",
    )


@functools.lru_cache(maxsize=32)
def _loss_of(policy: Policy, words: Words) -> Any:
    """Returns the loss of a minibatch of tokens [B, T, L], bins of returns [B, T] and what is no padding."""
    length, allowed = (
        len(words.sizes),
        np.stack([words.allowed(p) for p in range(len(words.sizes))]),
    )

    def loss_of(params: Any, batch: tuple[jax.Array, ...]) -> jax.Array:
        tokens, returns, valid = batch
        steps = tokens.shape[1]
        line = tokens.reshape(len(tokens), -1)  # [B, T L]
        shown = jax.nn.one_hot(line[:, :-1], words.vocabulary)
        logits, _ = policy.apply(params, jnp.pad(shown, ((0, 0), (0, 1), (0, 0))))
        next_logits, return_logits = jnp.split(logits, [words.vocabulary], axis=-1)
        masks = jnp.tile(jnp.asarray(allowed), (steps, 1))  # [T L, V] of each token
        own = jnp.where(masks[None, 1:], next_logits[:, :-1], -jnp.inf)
        told = jnp.repeat(valid, length, axis=1)[:, 1:]
        surprise = _surprise(own, line[:, 1:], told)
        # the last token of an episode is shown nowhere, and what follows it is known: nothing
        after = return_logits[:, length - 1 :: length][:, :-1]
        return surprise + _surprise(after, returns[:, :-1], valid[:, :-1])

    return loss_of


def _surprise(logits: jax.Array, labels: jax.Array, valid: jax.Array) -> jax.Array:
    """Returns the mean of -log P(label) where it is valid []."""
    log_probs = jax.nn.log_softmax(logits)
    surprise = -jnp.take_along_axis(log_probs, labels[..., None], axis=-1)[..., 0]
    return jnp.sum(jnp.where(valid, surprise, 0.0)) / jnp.maximum(jnp.sum(valid), 1)


@functools.lru_cache(maxsize=32)
def _functions(policy: Policy, words: Words, searching: tuple[int, int, int]) -> Any:
    depth = len(words.parts)
    beams, expand, steps = searching

    def fresh() -> Memory:
        return Memory(policy.initial_state(1))

    def init(params: Any, bins: Bins, key: jax.Array, trial: Trial, task: None) -> Memory:
        del params, bins, key, trial, task
        return fresh()

    def act(params: Any, bins: Bins, key: jax.Array, memory: Memory, observation: Any):
        tokens = jnp.ravel(observation) + words.offsets[:depth]
        state, logits = _read(policy, words, params, memory.state, tokens)
        plan = search(policy, words, params, bins, key, state, logits, beams, expand, steps)
        return plan, Memory(state)

    def observe(
        params: Any,
        bins: Bins,
        memory: Memory,
        observation: Any,
        action: jax.Array,
        reward: jax.Array,
        terminated: jax.Array,
        truncated: jax.Array,
        next_observation: Any,
    ) -> Memory:
        del observation, next_observation
        ended = terminated | truncated
        outcome = outcome_of(reward, ended, bins)
        tokens = jnp.stack([action, outcome]) + words.offsets[depth:]
        state, _ = _read(policy, words, params, memory.state, tokens)
        return jax.tree.map(lambda a, b: jnp.where(ended, a, b), fresh(), Memory(state))

    return init, act, observe


def search(
    policy: Policy,
    words: Words,
    params: Any,
    bins: Bins,
    key: jax.Array,
    state: Any,
    logits: jax.Array,
    count: int,
    expand: int,
    depth: int,
) -> jax.Array:
    """Returns the first action of the best line of tokens that the search finds [] int32.

    Args:
      policy: the model.
      words: how episodes are spelt.
      params: of the model.
      bins: what bins mean.
      key: consumed.
      state: of the model after an observation [1, ...].
      logits: of the action after it [1, V + K].
      count: W.
      expand: how often each line is continued at every step.
      depth: steps to look ahead.
    """
    parts = len(words.parts)

    def draw(beams: Beams, key: jax.Array, place: int) -> tuple[Beams, jax.Array]:
        """Continues every line by a token of a place."""
        own = jnp.where(words.allowed(place)[None], beams.logits[:, : words.vocabulary], -jnp.inf)
        tokens = jax.random.categorical(key, own)  # [W]
        shown = jax.nn.one_hot(tokens, words.vocabulary)
        state, logits, _ = policy.step(params, beams.state, shown)
        return beams._replace(state=state, logits=logits), tokens - words.offsets[place]

    def look_ahead(beams: Beams, step: tuple[jax.Array, jax.Array]) -> tuple[Beams, None]:
        time, key = step
        keys = jax.random.split(key, parts + 2)
        many = jax.tree.map(lambda leaf: jnp.repeat(leaf, expand, axis=0), beams)
        many, actions = draw(many, keys[0], parts)
        many, outcomes = draw(many, keys[1], parts + 1)
        earned = many.earned + jnp.where(many.ended, 0.0, bins.rewards[outcomes // 2])
        ended = many.ended | (outcomes % 2 == 1)
        chances = jax.nn.softmax(many.logits[:, words.vocabulary :])
        score = earned + jnp.where(ended, 0.0, chances @ bins.returns)
        many = many._replace(
            first=jnp.where(time == 0, actions, many.first).astype(jnp.int32),
            earned=earned,
            ended=ended,
            score=score,
        )
        best = jnp.argsort(-score)[:count]
        kept = jax.tree.map(lambda leaf: leaf[best], many)
        for place in range(parts):
            kept, _ = draw(kept, keys[2 + place], place)
        return kept, None

    alike, begun = jax.tree.map(lambda leaf: jnp.repeat(leaf, count, axis=0), (state, logits))
    start = Beams(
        state=alike,
        logits=begun,
        first=jnp.zeros(count, jnp.int32),
        earned=jnp.zeros(count),
        ended=jnp.zeros(count, bool),
        score=jnp.zeros(count),
    )
    steps = jnp.arange(depth), jax.random.split(key, depth)
    found, _ = jax.lax.scan(look_ahead, start, steps)
    return found.first[0]  # they stand in order


def _read(
    policy: Policy, words: Words, params: Any, state: Any, tokens: jax.Array
) -> tuple[Any, jax.Array]:
    """Returns the model's state after tokens, and the logits of what comes next [1, V + K]."""

    def read(carry: Any, token: jax.Array) -> Any:
        state, _ = carry
        shown = jax.nn.one_hot(token, words.vocabulary)[None]
        state, logits, _ = policy.step(params, state, shown)
        return (state, logits), None

    nothing = jnp.zeros((1, words.vocabulary + words.bins))
    return jax.lax.scan(read, (state, nothing), tokens)[0]
