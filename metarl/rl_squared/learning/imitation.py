"""Imitation: the network learns, through its own recurrent state, to say what somebody else would do.

In some trials a teacher acts, in the others the student; in all of them somebody, who sees what
happens, says at every step what is to be done, and the student learns to say so too:

  minimise  - mean log π(what was said | all inputs so far)

and, with an auxiliary weight, so much of the cross-entropy of what the simulator knows of the state, which the
memory then learns to predict.

Who says it tells what comes of it (`teachers`):

  warm start              the teacher itself, also where the student's own actions lead
  algorithm distillation  the teacher itself, which acts in all trials: the student learns to learn as the
                          teacher does, or, if episodes of the histories are left out, faster
  decision-pretrained     who knows the task. The student, who does not, can do no better than
                          π(a | h) = P(a is best | h), so sampling from it is Thompson sampling, whoever acted: but
                          for the task, what somebody does who sees no more than h tells nothing

Differs from Laskin et al. and Lee et al.: histories are made anew for every update instead of read from
a data set; where the student is told what is best it acts in most trials itself, and it sees its own
episode up to the step, where theirs is shown earlier episodes alone.

Letters: B trials; T steps of the student's trial; E episodes; H steps of each.

References: Ross et al. (2011), arXiv:1011.0686 (labels on the student's own trajectories); Duan et
al. (2016), arXiv:1611.02779, section 3.1 (the same network can hold the Gittins policy); Laskin et al.
(2022), arXiv:2210.14215, algorithm 1; Lee et al. (2023), arXiv:2306.14892, algorithm 1 and theorem 1.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from metarl.controller import Policy
from metarl.environments import Agent, Trial
from metarl.policy_gradient import global_norm, prediction_loss

from ..agent.inputs import Encoder, Inputs
from ..settings.config import ImitationConfig
from .parallel import Mesh, spread
from .rollout import begin
from .teachers import Teaching

Metrics = dict[str, jax.Array]
_RISE = 0.02  # of the updates, while the learning rate rises


class Lessons(NamedTuple):
    """B trials, and what was to be done in them."""

    inputs: Inputs  # [B, T, ...]
    labels: jax.Array  # [B, T, ...] actions
    known: Any  # [B, T] int32 by name, what the simulator knows and the memory learns to predict; () if nothing
    mask: jax.Array  # [B, T] bool
    returns: jax.Array  # [B] of the trials in which the student acted, 0 in the others
    own: jax.Array  # [B] bool, the student acted


class ImitationState(NamedTuple):
    """Everything imitation remembers."""

    params: Any  # of the acting policy, and of what predicts
    optimizer: Any


class Imitation(NamedTuple):
    """The pair of functions of imitation."""

    init: Any  # params -> ImitationState
    update: Any  # key, state -> state, metrics


def imitation(
    policy: Policy,
    encoder: Encoder,
    trial: Trial,
    teaching: Teaching,
    config: ImitationConfig,
    trials: int,
    updates: int,
    mesh: Mesh,
    auxiliary_weight: float = 0.0,
) -> Imitation:
    """Returns the functions of imitation.

    Args:
      policy: the acting policy, without a value; if the auxiliary weight is not 0, with the labels to predict.
      encoder: how worlds are shown to it.
      trial: the student's environment and budget.
      teaching: who acts before it, and who says what is to be done.
      config: settings.
      trials: B, a multiple of the mesh's size.
      updates: how many there will be; the learning rate falls to 0 over them.
      mesh: the devices to spread the trials over.
      auxiliary_weight: of the cross-entropy of the labels.
    """
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, config.learning_rate, max(1, int(_RISE * updates)), max(2, updates)
    )
    optimizer = optax.chain(
        optax.clip_by_global_norm(config.max_gradient_norm), optax.adam(schedule)
    )
    gather = spread(
        lambda params, keys: collect_lessons(policy, params, encoder, trial, teaching, keys),
        mesh,
        replicated=1,
    )
    predict = spread(policy.predict, mesh, replicated=1)

    def init(params: Any) -> ImitationState:
        return ImitationState(params, optimizer.init(params))

    def loss(params: Any, lessons: Lessons) -> tuple[jax.Array, Metrics]:
        parameters, _, logits = predict(params, lessons.inputs)
        log_probs = policy.distribution.log_prob(parameters, lessons.labels)
        entropy = policy.distribution.entropy(parameters)
        agrees = policy.distribution.mode(parameters) == lessons.labels
        weight = lessons.mask / jnp.maximum(jnp.sum(lessons.mask), 1)
        agrees = agrees.reshape(*lessons.mask.shape, -1).all(axis=-1)
        cross_entropy = total = -jnp.sum(log_probs * weight)
        predicted = {}
        if policy.labels:
            missed, predicted = prediction_loss(logits, lessons.known, lessons.mask)
            total = cross_entropy + auxiliary_weight * missed
        return total, {
            "cross_entropy": cross_entropy,
            "entropy": jnp.sum(entropy * weight),
            "agreement": jnp.sum(agrees * weight),
            **predicted,
        }

    def update(key: jax.Array, state: ImitationState) -> tuple[ImitationState, Metrics]:
        lessons = gather(state.params, jax.random.split(key, trials))
        (_, metrics), gradient = jax.value_and_grad(loss, has_aux=True)(state.params, lessons)
        change, optimizer_state = optimizer.update(gradient, state.optimizer, state.params)
        metrics["gradient_norm"] = global_norm(gradient)
        if teaching.share < 1:
            metrics["return"] = jnp.sum(lessons.returns) / jnp.maximum(jnp.sum(lessons.own), 1)
        return ImitationState(optax.apply_updates(state.params, change), optimizer_state), metrics

    return Imitation(init, update)


def collect_lessons(
    policy: Policy,
    params: Any,
    encoder: Encoder,
    trial: Trial,
    teaching: Teaching,
    keys: jax.Array,
) -> Lessons:
    """Acts through one trial in each of B new training tasks, and asks at every step what is to be done.

    Args:
      policy: the student.
      params: of the student.
      encoder: how worlds are shown to it.
      trial: the student's environment and budget.
      teaching: who acts in its share of the trials, and who is asked; an oracle is shown the task.
      keys: one for each trial [B].
    """
    task_keys, world_keys, student_keys, teacher_keys, who_keys = jax.vmap(
        lambda key: tuple(jax.random.split(key, 5))
    )(keys)
    tasks = jax.vmap(trial.environment.sample_task)(task_keys)
    own = jax.vmap(jax.random.uniform)(who_keys) >= teaching.share  # [B]
    fold = jax.vmap(jax.random.fold_in, in_axes=(0, None))
    taught = teaching.trial
    targets = taught.environment.auxiliary_targets if policy.labels else None
    known_tasks = jax.vmap(targets.solve)(tasks) if targets else ()
    voices = [teaching.acts] if teaching.says is None else [teaching.acts, teaching.says]

    def ask(carry: Any, time: jax.Array):
        state, previous, memory, teachers = carry
        seen = jax.vmap(encoder)(state.observation, previous)
        spoken, teachers = zip(
            *(
                jax.vmap(voice.act)(_of(teacher_keys, time, number), teacher, state.observation)
                for number, (voice, teacher) in enumerate(zip(voices, teachers, strict=True))
            ),
            strict=True,
        )
        actions, labels = spoken[0], spoken[-1]
        known = jax.vmap(targets.tell)(known_tasks, state.environment) if targets else ()
        if teaching.share < 1:
            memory, parameters, _ = policy.step(
                params, memory, Inputs(seen, jnp.zeros((keys.shape[0], 0)))
            )
            chosen = jax.vmap(policy.distribution.sample)(fold(student_keys, time), parameters)
            actions = jnp.where(own.reshape(-1, *[1] * (actions.ndim - 1)), chosen, actions)
        following, transition = jax.vmap(taught.step)(fold(world_keys, time), state, actions, tasks)
        happened = (
            state.observation,
            actions,
            transition.reward,
            transition.terminated,
            transition.truncated,
            transition.next_observation,
        )
        teachers = tuple(
            jax.vmap(voice.observe)(teacher, *happened)
            for voice, teacher in zip(voices, teachers, strict=True)
        )
        later = encoder.remember_all(previous, state.observation, actions, transition)
        shown = _shown(teaching, time - 1)
        previous = jax.tree.map(lambda a, b: jnp.where(shown, a, b), later, previous)
        carry = (following, previous, memory, teachers)
        return carry, (seen, labels, known, transition.reward, transition.valid)

    def first_lesson(voice: Agent, keys: jax.Array) -> Any:
        return jax.vmap(
            lambda key, task: voice.init(key, taught, task if voice.sees_task else None)
        )(keys, tasks)

    start = begin(policy, encoder, taught, fold(world_keys, 0), tasks)
    teachers = tuple(
        first_lesson(voice, _of(teacher_keys, 0, number)) for number, voice in enumerate(voices)
    )
    carry = (start.trial, start.previous, start.memory, teachers)
    _, recorded = jax.lax.scan(ask, carry, jnp.arange(1, taught.length + 1))
    kept = np.flatnonzero(_shown(teaching, np.arange(taught.length)))  # [T]
    seen, labels, known, rewards, mask = jax.tree.map(
        lambda x: jnp.swapaxes(x[kept], 0, 1), recorded
    )
    returns = jnp.where(own, jnp.sum(rewards, axis=1), 0.0)
    return Lessons(Inputs(seen, jnp.zeros((*mask.shape, 0))), labels, known, mask, returns, own)


def _shown(teaching: Teaching, step: Any) -> Any:
    """Tells whether the student is shown a step of the teacher's trial, counted from 0."""
    if teaching.skip == 1:
        return step >= 0
    return step // teaching.trial.environment.horizon % teaching.skip == 0


def _of(keys: jax.Array, time: jax.Array | int, voice: int) -> jax.Array:
    """Returns the keys of one step [B] for who speaks first or second."""
    keys = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, time)
    return keys if voice == 0 else jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, voice)
