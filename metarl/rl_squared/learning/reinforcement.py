"""Reinforcement: act in new training tasks, learn from the trials; several updates at a time.

Where the environment is compiled, a chunk of updates is one program. Where it is stepped on the host
(`from_gymnasium`), each update acts step by step and learns in one program. What is learnt from a
rollout is the same.

Letters: B trials of an update; T steps of a trial; E episodes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metarl.controller import Policy
from metarl.environments import HostTrials, Transition, Trial
from metarl.policy_gradient import Algorithm, Batch

from ..agent.inputs import Encoder, Inputs, repeat
from ..agent.network import POLICY
from ..settings.config import VarianceReduction
from .parallel import Mesh, on_all, spread
from .rollout import Rollout, collect

BLOCKS = 10  # of successive episodes, whose mean returns are logged

Metrics = dict[str, Any]
Chunk = Callable[[Any, jax.Array, jax.Array, jax.Array], tuple[Any, Metrics]]
Update = Callable[[jax.Array, Any, jax.Array], tuple[Any, Metrics]]


class Learning(NamedTuple):
    """An outer algorithm as it learns from rollouts: a pair of pure functions."""

    init: Callable[[Any], Any]  # params -> learner, whose `params` are those of policy and value
    update: Callable[[jax.Array, Any, Rollout, jax.Array], tuple[Any, Metrics]]
    # key, learner, rollout, frozen -> learner, metrics: where `frozen`, the value alone learns


def compiled_update(
    policy: Policy,
    encoder: Encoder,
    trial: Trial,
    learning: Learning,
    discount: float,
    privileged: bool,
    trials: int,
    mesh: Mesh,
    variance_reduction: VarianceReduction = "none",
) -> Update:
    """Returns (key, learner, frozen) -> learner, metrics: one update, to be compiled.

    Args:
      policy: who acts.
      encoder: how worlds are shown to it.
      trial: environment and budget.
      learning: the outer loop.
      discount: γ.
      privileged: whether the value sees the task.
      trials: B.
      mesh: the devices to spread the trials over.
      variance_reduction: what is taken out of the rewards.
    """

    def act(params: Any, keys: jax.Array) -> Rollout:
        return collect(
            policy, params, encoder, trial, keys, discount, privileged, variance_reduction
        )

    gather = spread(act, mesh, replicated=1)

    def update(key: jax.Array, learner: Any, frozen: jax.Array) -> tuple[Any, Metrics]:
        act_key, update_key = jax.random.split(key)
        rollout = gather(learner.params, jax.random.split(act_key, trials))
        return learning.update(update_key, learner, rollout, frozen)

    return update


def learning_of(algorithm: Algorithm) -> Learning:
    """Returns the learning of an outer algorithm, whose state is the learner."""

    def update(
        key: jax.Array, learner: Any, rollout: Rollout, frozen: jax.Array
    ) -> tuple[Any, Metrics]:
        learnt, metrics = algorithm.update(key, learner, rollout.batch)
        kept = functools.partial(jnp.where, frozen)
        policy = jax.tree.map(kept, learner.params[POLICY], learnt.params[POLICY])
        metrics["kl"] = jnp.where(frozen, 0.0, metrics["kl"])
        metrics["return"] = jnp.mean(jnp.sum(rollout.returns, axis=-1))
        metrics["episode_returns"] = _in_blocks(jnp.mean(rollout.returns, axis=0))
        return learnt._replace(params={**learnt.params, POLICY: policy}), metrics

    return Learning(algorithm.init, update)


def chunk_of(update: Callable[..., Any], mesh: Mesh) -> Callable[..., Any]:
    """Returns the program of several updates, one for each row of the arguments after the second.

    They are one loop within one program: loops of Python that start programs of several CPU devices
    one after the other can wait for each other for ever. Rows that are not `active` are passed over, so
    that a last chunk with fewer updates is the same program.

    Args:
      update: (key, learner, *row) -> learner, metrics.
      mesh: the devices that it computes on; each has the results whole.

    Returns:
      (learner, active, keys, *rows) -> learner, metrics of each row, 0 where it was passed over.
    """

    def run(learner: Any, active: jax.Array, keys: jax.Array, *rows: jax.Array) -> Any:
        def advance(learner: Any, row: tuple[jax.Array, ...]) -> tuple[Any, Any]:
            here, key, *others = row
            shapes = jax.eval_shape(lambda: update(key, learner, *others))[1]
            nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
            return jax.lax.cond(
                here, lambda: update(key, learner, *others), lambda: (learner, nothing)
            )

        return jax.lax.scan(advance, learner, (active, keys, *rows))

    return jax.jit(run, out_shardings=on_all(mesh)) if mesh.size > 1 else jax.jit(run)


def host_chunk(
    policy: Policy,
    encoder: Encoder,
    trial: Trial,
    learning: Learning,
    discount: float,
    trials: int,
    each_step: Callable[[], None],
) -> Chunk:
    """Returns (learner, active, keys, frozen) -> learner, metrics: updates in worlds on the host, where
    every row is active.

    Args:
      policy: who acts.
      encoder: how worlds are shown to it.
      trial: of a `HostEnvironment`.
      learning: the outer loop.
      discount: γ.
      trials: B.
      each_step: called before every step; what it raises ends the update.
    """
    actor = _HostActor(policy, encoder, trial, discount)
    learn_on_device = jax.jit(learning.update)

    def run(
        learner: Any, active: jax.Array, keys: jax.Array, frozen: jax.Array
    ) -> tuple[Any, Metrics]:
        del active
        logged = []
        for key, held in zip(keys, frozen, strict=True):
            act_key, update_key = jax.random.split(key)
            rollout = actor.collect(learner.params, act_key, trials, each_step)
            learner, metrics = learn_on_device(update_key, learner, rollout, held)
            logged.append(jax.device_get(metrics))
        return learner, jax.tree.map(lambda *rows: np.stack(rows), *logged)

    return run


class _HostActor:
    """Acts in worlds on the host, with the network on the device."""

    def __init__(self, policy: Policy, encoder: Encoder, trial: Trial, discount: float):
        self._policy, self._encoder = policy, encoder
        self._trial, self._discount = trial, discount
        self._act = jax.jit(self._choose)
        self._remember = jax.jit(encoder.remember_all)

    def collect(
        self, params: Any, key: jax.Array, count: int, each_step: Callable[[], None] = lambda: None
    ) -> Rollout:
        """Acts through one trial in each of B new training tasks."""
        seed_key, actions_key = jax.random.split(key)
        memory = self._policy.initial_state(count)
        previous = repeat(self._encoder.first(self._trial.length), count)
        returns, rows = np.zeros((count, self._trial.max_episodes), np.float32), np.arange(count)
        steps = []
        with HostTrials(self._trial, count) as worlds:
            worlds.reset(int(jax.random.bits(seed_key)), "train")
            for time in range(self._trial.length):
                each_step()
                observations = worlds.observations
                memory, acted = self._act(params, memory, observations, previous, actions_key, time)
                transition = worlds.step(jax.device_get(acted[1]))
                previous = self._remember(previous, observations, acted[1], transition)
                returns[rows, transition.episode] += transition.reward
                steps.append((*acted, *self._said(transition)))
        columns = jax.tree.map(lambda *column: jnp.stack(column, axis=1), *steps)  # [B, T, ...]
        seen, actions, log_probs, values, rewards, discounts, mask = columns
        inputs = Inputs(seen, jnp.zeros((*mask.shape, 0)))
        batch = Batch(inputs, actions, log_probs, rewards, values, discounts, mask)
        return Rollout(batch, jnp.asarray(returns))

    def _choose(
        self, params: Any, memory: Any, observations: Any, previous: Any, key: jax.Array, time: Any
    ) -> Any:
        policy = self._policy
        seen = jax.vmap(self._encoder)(observations, previous)  # [B, F]
        inputs = Inputs(seen, jnp.zeros((len(previous.begun), 0)))
        memory, parameters, values = policy.step(params, memory, inputs)
        actions = policy.distribution.sample(jax.random.fold_in(key, time), parameters)
        return memory, (seen, actions, policy.distribution.log_prob(parameters, actions), values)

    def _said(self, transition: Transition) -> tuple[Any, Any, Any]:
        over = transition.trial_terminated | transition.trial_truncated
        discounts = np.where(over, 0.0, self._discount).astype(np.float32)
        return np.asarray(transition.reward, np.float32), discounts, transition.valid


def _in_blocks(returns: jax.Array) -> jax.Array:
    """Returns the mean returns of at most `BLOCKS` blocks of successive episodes, from E of them."""
    blocks = np.array_split(np.arange(returns.shape[0]), min(BLOCKS, returns.shape[0]))
    return jnp.stack([jnp.mean(returns[block]) for block in blocks])
