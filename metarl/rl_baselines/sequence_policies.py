"""Policies from offline data: a causal transformer that is asked for a return, and one that imitates the best.

  input at step t   [R(t), φ(o[t]), φ(a[t-1])]    R(t) the return to go, φ one-hot where discrete
  maximise          mean over steps of the data of log π(a[t] | inputs up to t)

  decision transformer   learns from all data; acting, R begins with the return asked for, and each
                         reward is taken off
  behaviour cloning      learns from the best share of the data; R is 0

Both act greedily, and forget an episode when the next begins. They are trained when they are made, on
random walks in tasks of the training split, and learn nothing afterwards.

Differs from the paper: return, observation and action before are one token, where it has three tokens a
step; positions are relative (rotary).

Letters: N trajectories; B of a minibatch; T steps; A actions.

Reference: Chen et al. (2021), "Decision transformer: reinforcement learning via sequence modeling",
NeurIPS 34, arXiv:2106.01345.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from metarl.controller import Policy, categorical_head, recurrent_policy, transformer
from metarl.environments import Agent, Environment, Trial, feature_size, features, make_agent

from .config import BehaviourCloningConfig, DecisionTransformerConfig, OfflineConfig
from .offline_data import Trajectories, best_share, walks_of
from .offline_learning import Fitting, Lesson, fitting, learnt, shape_of


class Memory(NamedTuple):
    """What is known of an episode."""

    state: Any  # of the transformer
    wanted: jax.Array  # [] return to go
    last_action: jax.Array  # [A], 0 before the first


@functools.lru_cache(maxsize=32)
def decision_transformer(environment: Environment, config: DecisionTransformerConfig) -> Agent:
    """Returns a decision transformer, trained; one object for one call.

    Args:
      environment: compiled, with finitely many actions.
      config: of the data and the training; `asked` is the return it is asked for, None the best of the data.
    """
    return learnt(lesson_of_transformer(environment, config))


def lesson_of_transformer(environment: Environment, config: DecisionTransformerConfig) -> Lesson:
    """Returns how a decision transformer is trained; see `decision_transformer`."""
    data_key, train_key = jax.random.split(jax.random.key(config.seed))
    data = walks_of(data_key, environment, config)
    chances = balanced(data.returns, config.balance) if config.balance else None
    asked = float(jnp.max(data.returns)) if config.asked is None else config.asked
    return Lesson(
        training(train_key, environment, config, data, chances),
        lambda learner: _acting(environment, config, learner[0], asked),
    )


@functools.lru_cache(maxsize=32)
def behaviour_cloning(environment: Environment, config: BehaviourCloningConfig) -> Agent:
    """Returns who imitates the best share of random walks, trained; one object for one call.

    Args:
      environment: compiled, with finitely many actions.
      config: of the data and the training; `share` is what is imitated.

    Raises:
      InvalidInput: all of the data are equally good.
    """
    return learnt(lesson_of_cloning(environment, config))


def lesson_of_cloning(environment: Environment, config: BehaviourCloningConfig) -> Lesson:
    """Returns how the best walks are imitated; see `behaviour_cloning`."""
    data_key, train_key = jax.random.split(jax.random.key(config.seed))
    best = best_share(walks_of(data_key, environment, config), config.share)
    nothing = best._replace(rewards=jnp.zeros_like(best.rewards))
    return Lesson(
        training(train_key, environment, config, nothing),
        lambda learner: _acting(environment, config, learner[0], 0.0, asks=False),
    )


def training(
    key: jax.Array,
    environment: Environment,
    config: OfflineConfig,
    data: Trajectories,
    chances: jax.Array | None = None,
) -> Fitting:
    """Returns the training of the parameters that tell best which actions the data hold.

    Args:
      key: consumed.
      environment: of the data.
      config: how long and how fast.
      data: N episodes.
      chances: see `fitting`.
    """
    policy = _policy(environment, shape_of(config))
    sources = (
        sequence_inputs(data, feature_size(environment.action_space)),
        data.actions,
        data.valid,
    )
    return fitting(key, policy, _loss_of(policy), config, sources, chances)


def balanced(returns: jax.Array, balance: float) -> jax.Array:
    """Returns the chances of episodes to be learnt from [N]: a share goes to those that earned more than the worst.

    What is learnt is π(a | history, R), and who earned what is a function of R alone: so the episodes that it is
    learnt from for an R stand to each other as before, and only how well it is learnt for each R changes.

    Args:
      returns: [N].
      balance: the share, from 0 to 1; the rest is the same for all.
    """
    better = returns > jnp.min(returns)
    among = better / jnp.maximum(jnp.sum(better), 1)
    share = jnp.where(jnp.any(better), balance, 0.0)
    return (1 - share) / len(returns) + share * among


@functools.lru_cache(maxsize=32)
def _loss_of(policy: Policy) -> Any:
    def loss_of(params: Any, batch: tuple[jax.Array, ...]) -> jax.Array:
        shown, actions, valid = batch
        logits, _ = policy.apply(params, shown)
        return imitation_loss(policy, logits, actions, valid)

    return loss_of


def imitation_loss(
    policy: Policy, logits: jax.Array, actions: jax.Array, valid: jax.Array
) -> jax.Array:
    """Returns the mean of -log π over the steps that are no padding []."""
    surprise = -policy.distribution.log_prob(logits, actions)  # [B, T]
    return jnp.sum(jnp.where(valid, surprise, 0.0)) / jnp.maximum(jnp.sum(valid), 1)


def sequence_inputs(data: Trajectories, actions: int) -> jax.Array:
    """Returns what a transformer is shown [N, T, 1 + F + A]."""
    done = jax.nn.one_hot(data.actions, actions)
    before = jnp.pad(done[:, :-1], ((0, 0), (1, 0), (0, 0)))
    return jnp.concatenate([data.returns_to_go[..., None], data.observations, before], axis=-1)


@functools.lru_cache(maxsize=32)
def _policy(environment: Environment, config: OfflineConfig) -> Policy:
    actions = feature_size(environment.action_space)
    size = 1 + feature_size(environment.observation_space) + actions
    return recurrent_policy(
        jax.ShapeDtypeStruct((size,), jnp.float32),
        lambda inputs: hk.Linear(config.hidden)(inputs),
        transformer(config.hidden, config.layers, config.heads, environment.horizon),
        categorical_head(actions),
        value="none",
    )


def _acting(
    environment: Environment, config: OfflineConfig, params: Any, asked: float, asks: bool = True
) -> Agent:
    """Returns who acts by trained parameters."""
    functions = _functions(environment, _policy(environment, shape_of(config)), asks)
    return make_agent(*functions, params, jnp.float32(asked))


@functools.lru_cache(maxsize=32)
def _functions(environment: Environment, policy: Policy, asks: bool) -> Any:
    actions = feature_size(environment.action_space)

    def fresh(asked: jax.Array) -> Memory:
        return Memory(policy.initial_state(1), asked, jnp.zeros(actions))

    def init(params: Any, asked: jax.Array, key: jax.Array, trial: Trial, task: None) -> Memory:
        del params, key, trial, task
        return fresh(asked)

    def act(params: Any, asked: jax.Array, key: jax.Array, memory: Memory, observation: Any):
        del asked, key
        seen = features(environment.observation_space, observation)
        inputs = jnp.concatenate([memory.wanted[None], seen, memory.last_action])
        state, logits, _ = policy.step(params, memory.state, inputs[None])
        return jnp.argmax(logits[0]).astype(jnp.int32), memory._replace(state=state)

    def observe(
        params: Any,
        asked: jax.Array,
        memory: Memory,
        observation: Any,
        action: jax.Array,
        reward: jax.Array,
        terminated: jax.Array,
        truncated: jax.Array,
        next_observation: Any,
    ) -> Memory:
        del params, observation, next_observation
        wanted = memory.wanted - reward if asks else memory.wanted
        later = Memory(memory.state, wanted, jax.nn.one_hot(action, actions))
        ended = terminated | truncated
        return jax.tree.map(lambda a, b: jnp.where(ended, a, b), fresh(asked), later)

    return init, act, observe
