"""Rollouts: whole trials, acted by the policy, as a batch for the outer algorithm.

One scan over T steps; at each the B worlds step together, and the network sees all of them at once.
Every trial has a key of its own, so a batch does not depend on how it is spread over devices.

Letters: B trials; T steps; E episodes; F inputs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.controller import Policy
from metarl.environments import Task, Transition, Trial, TrialState
from metarl.policy_gradient import Batch

from ..agent.inputs import Encoder, Inputs, Previous, repeat
from ..settings.config import VarianceReduction
from .control_variates import ControlVariate, ends_of


class Rollout(NamedTuple):
    """B trials."""

    batch: Batch
    returns: jax.Array  # [B, E] of each episode, undiscounted


class _Carry(NamedTuple):
    trial: TrialState  # [B, ...]
    previous: Previous  # [B, ...]
    memory: Any  # [B, ...]
    returns: jax.Array  # [B, E]


def collect(
    policy: Policy,
    params: Any,
    encoder: Encoder,
    trial: Trial,
    keys: jax.Array,
    discount: float,
    privileged: bool,
    variance_reduction: VarianceReduction = "none",
) -> Rollout:
    """Acts through one trial in each of B new training tasks.

    Args:
      policy: who acts, by sampling; if it learns to predict labels, the batch has them.
      params: of the policy.
      encoder: how worlds are shown to it.
      trial: environment and budget.
      keys: one for each trial [B].
      discount: γ, the same through the ends of inner episodes; after a trial's last step it is 0.
      privileged: whether the inputs hold the features of the task.
      variance_reduction: what is taken out of the rewards of the batch; see `control_variates`.

    Returns:
      The batch, and the return of each episode.
    """
    count = keys.shape[0]
    task_keys, world_keys, action_keys = jax.vmap(lambda key: tuple(jax.random.split(key, 3)))(keys)
    tasks = jax.vmap(trial.environment.sample_task)(task_keys)
    task_features = _features_of(trial, tasks, count, privileged)
    variate = ControlVariate(trial, variance_reduction)
    solutions = variate.solve(tasks)
    targets = trial.environment.auxiliary_targets if policy.labels else None
    known_tasks = jax.vmap(targets.solve)(tasks) if targets else ()

    def advance(carry: _Carry, time: jax.Array):
        seen = jax.vmap(encoder)(carry.trial.observation, carry.previous)  # [B, F]
        inputs = Inputs(seen, task_features)
        memory, parameters, values = policy.step(params, carry.memory, inputs)
        actions = jax.vmap(policy.distribution.sample)(_at(action_keys, time), parameters)
        log_probs = policy.distribution.log_prob(parameters, actions)
        step = jax.vmap(trial.step)(_at(world_keys, time), carry.trial, actions, tasks)
        state, transition = step
        previous = encoder.remember_all(
            carry.previous, carry.trial.observation, actions, transition
        )
        returns = jax.vmap(_tally)(carry.returns, transition)
        known = variate.know(solutions, carry.trial.environment, actions, tasks)
        labels = jax.vmap(targets.tell)(known_tasks, carry.trial.environment) if targets else ()
        recorded = (seen, actions, log_probs, values, transition.reward, _over(transition), labels)
        ends = (transition.valid, ends_of(transition))
        return _Carry(state, previous, memory, returns), (*recorded, *ends, known)

    start = begin(policy, encoder, trial, _at(world_keys, 0), tasks)
    carry, recorded = jax.lax.scan(advance, start, jnp.arange(1, trial.length + 1))
    seen, actions, log_probs, values, rewards, over, labels, valid, ended, known = jax.tree.map(
        lambda x: jnp.swapaxes(x, 0, 1), recorded
    )  # each [B, T, ...]
    spread = jnp.broadcast_to(
        task_features[:, None], (count, trial.length, task_features.shape[-1])
    )
    batch = Batch(
        inputs=Inputs(seen, spread),
        actions=actions,
        log_probs=log_probs,
        rewards=variate.apply(rewards, known, ended, over > 0, valid, discount),
        values=values,
        discounts=discount * (1.0 - over),
        mask=valid,
        labels=labels,
    )
    return Rollout(batch, carry.returns)


def begin(policy: Policy, encoder: Encoder, trial: Trial, keys: jax.Array, tasks: Task) -> _Carry:
    """Returns the state of B trials before their first step."""
    count = keys.shape[0]
    return _Carry(
        trial=jax.vmap(trial.reset)(keys, tasks),
        previous=repeat(encoder.first(trial.length), count),
        memory=policy.initial_state(count),
        returns=jnp.zeros((count, trial.max_episodes)),
    )


def _at(keys: jax.Array, time: jax.Array | int) -> jax.Array:
    """Returns the keys of one step [B]; step 0 is what comes before the first."""
    return jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, time)


def _tally(returns: jax.Array, transition: Transition) -> jax.Array:
    return returns.at[transition.episode].add(transition.reward)


def _over(transition: Transition) -> jax.Array:
    return (transition.trial_terminated | transition.trial_truncated).astype(jnp.float32)


def _features_of(trial: Trial, tasks: Task, count: int, privileged: bool) -> jax.Array:
    if not privileged:
        return jnp.zeros((count, 0))
    assert trial.environment.task_features is not None
    return jax.vmap(trial.environment.task_features)(tasks)
