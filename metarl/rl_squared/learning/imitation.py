"""Warm start: the network learns to act as a classical agent does, through its own recurrent state.

In some trials the teacher acts, in the others the student; in all of them the teacher, who sees what
happens, says at every step what it would have done, and the student learns to say so too:

  minimise  - mean log π(teacher's action | all inputs so far)

So the student is taught where its own actions lead, not only where the teacher's do.

Letters: B trials; T steps.

Reference: Ross et al. (2011), arXiv:1011.0686 (labels on the student's own trajectories); Duan et
al. (2016), arXiv:1611.02779, section 3.1 (the same network can hold the Gittins policy).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from metarl.controller import Policy
from metarl.environments import Agent, Trial
from metarl.policy_gradient import global_norm

from ..agent.inputs import Encoder, Inputs, Previous
from ..settings.config import ImitationConfig
from .parallel import Mesh, spread
from .rollout import begin, remember

Metrics = dict[str, jax.Array]
_RISE = 0.02  # of the updates, while the learning rate rises


class Lessons(NamedTuple):
    """B trials, and what the teacher would have done in them."""

    inputs: Inputs  # [B, T, ...]
    labels: jax.Array  # [B, T, ...] actions
    mask: jax.Array  # [B, T] bool
    returns: jax.Array  # [B] of the trials in which the student acted, 0 in the others
    own: jax.Array  # [B] bool, the student acted


class ImitationState(NamedTuple):
    """Everything imitation remembers."""

    params: Any  # of the acting policy
    optimizer: Any


class Imitation(NamedTuple):
    """The pair of functions of a warm start."""

    init: Any  # params -> ImitationState
    update: Any  # key, state -> state, metrics


def imitation(
    policy: Policy,
    encoder: Encoder,
    trial: Trial,
    teacher: Agent,
    config: ImitationConfig,
    trials: int,
    updates: int,
    mesh: Mesh,
) -> Imitation:
    """Returns the warm start.

    Args:
      policy: the acting policy, without a value.
      encoder: how worlds are shown to it.
      trial: environment and budget.
      teacher: who is imitated.
      config: settings.
      trials: B, a multiple of the mesh's size.
      updates: how many there will be; the learning rate falls to 0 over them.
      mesh: the devices to spread the trials over.
    """
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, config.learning_rate, max(1, int(_RISE * updates)), max(2, updates)
    )
    optimizer = optax.chain(
        optax.clip_by_global_norm(config.max_gradient_norm), optax.adam(schedule)
    )
    gather = spread(
        lambda params, keys: collect_lessons(
            policy, params, encoder, trial, teacher, keys, config.teacher_share
        ),
        mesh,
        replicated=1,
    )
    apply = spread(policy.apply, mesh, replicated=1)

    def init(params: Any) -> ImitationState:
        return ImitationState(params, optimizer.init(params))

    def loss(params: Any, lessons: Lessons) -> tuple[jax.Array, Metrics]:
        parameters, _ = apply(params, lessons.inputs)
        log_probs = policy.distribution.log_prob(parameters, lessons.labels)
        entropy = policy.distribution.entropy(parameters)
        agrees = policy.distribution.mode(parameters) == lessons.labels
        weight = lessons.mask / jnp.maximum(jnp.sum(lessons.mask), 1)
        agrees = agrees.reshape(*lessons.mask.shape, -1).all(axis=-1)
        cross_entropy = -jnp.sum(log_probs * weight)
        return cross_entropy, {
            "cross_entropy": cross_entropy,
            "entropy": jnp.sum(entropy * weight),
            "agreement": jnp.sum(agrees * weight),
        }

    def update(key: jax.Array, state: ImitationState) -> tuple[ImitationState, Metrics]:
        lessons = gather(state.params, jax.random.split(key, trials))
        (_, metrics), gradient = jax.value_and_grad(loss, has_aux=True)(state.params, lessons)
        change, optimizer_state = optimizer.update(gradient, state.optimizer, state.params)
        metrics["gradient_norm"] = global_norm(gradient)
        metrics["return"] = jnp.sum(lessons.returns) / jnp.maximum(jnp.sum(lessons.own), 1)
        return ImitationState(optax.apply_updates(state.params, change), optimizer_state), metrics

    return Imitation(init, update)


def collect_lessons(
    policy: Policy,
    params: Any,
    encoder: Encoder,
    trial: Trial,
    teacher: Agent,
    keys: jax.Array,
    teacher_share: float,
) -> Lessons:
    """Acts through one trial in each of B new training tasks, and asks the teacher at every step.

    Args:
      policy: the student.
      params: of the student.
      encoder: how worlds are shown to it.
      trial: environment and budget.
      teacher: who is asked; an oracle is shown the task.
      keys: one for each trial [B].
      teacher_share: the probability with which the teacher acts in a trial.
    """
    task_keys, world_keys, student_keys, teacher_keys, who_keys = jax.vmap(
        lambda key: tuple(jax.random.split(key, 5))
    )(keys)
    tasks = jax.vmap(trial.environment.sample_task)(task_keys)
    own = jax.vmap(jax.random.uniform)(who_keys) >= teacher_share  # [B]
    fold = jax.vmap(jax.random.fold_in, in_axes=(0, None))

    def ask(carry: Any, time: jax.Array):
        state, previous, memory, teaching = carry
        seen = jax.vmap(encoder)(state.observation, previous)
        memory, parameters, _ = policy.step(
            params, memory, Inputs(seen, jnp.zeros((keys.shape[0], 0)))
        )
        chosen = jax.vmap(policy.distribution.sample)(fold(student_keys, time), parameters)
        labels, teaching = jax.vmap(teacher.act)(
            fold(teacher_keys, time), teaching, state.observation
        )
        actions = jnp.where(own.reshape(-1, *[1] * (labels.ndim - 1)), chosen, labels)
        following, transition = jax.vmap(trial.step)(fold(world_keys, time), state, actions, tasks)
        teaching = jax.vmap(teacher.observe)(
            teaching,
            state.observation,
            actions,
            transition.reward,
            transition.terminated,
            transition.truncated,
            transition.next_observation,
        )
        previous: Previous = remember(state.observation, actions, transition)
        carry = (following, previous, memory, teaching)
        return carry, (seen, labels, transition.reward, transition.valid)

    def first_lesson(key: jax.Array, task: Any) -> Any:
        return teacher.init(key, trial, task if teacher.sees_task else None)

    start = begin(policy, encoder, trial, fold(world_keys, 0), tasks)
    teaching = jax.vmap(first_lesson)(fold(teacher_keys, 0), tasks)
    carry = (start.trial, start.previous, start.memory, teaching)
    _, recorded = jax.lax.scan(ask, carry, jnp.arange(1, trial.length + 1))
    seen, labels, rewards, mask = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), recorded)
    returns = jnp.where(own, jnp.sum(rewards, axis=1), 0.0)
    return Lessons(Inputs(seen, jnp.zeros((*mask.shape, 0))), labels, mask, returns, own)
