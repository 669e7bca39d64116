"""PPO: several epochs of minibatches on a clipped surrogate, and a guard on the divergence.

With the guard it is the outer loop of the RL² paper: of all epochs within the bound on the mean KL
the one with the largest surrogate is kept, and where none is within it the last is drawn back
towards the old policy. The bound is the policy's: what moves the value alone keeps all epochs.

Letters: B sequences; T steps; E epochs; M minibatches.

Reference: Schulman et al. (2017), arXiv:1707.06347; the guard: Duan et al. (2016),
arXiv:1611.02779.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from .batch import (
    Algorithm,
    Batch,
    TrainablePolicy,
    check,
    in_parts,
    shuffled_minibatches,
)
from .config import PPOConfig
from .credit import assign_credit
from .losses import clipped_surrogate, kl_from_samples, masked_mean, mean_kl, prediction_loss
from .normalisation import RunningMoments, no_moments, preserve
from .returns import without_padding
from .steps import MakeOptimizer, backtrack, clipped, global_norm
from .value_bins import ValueBins, asked, require_no_rewriting, value_loss

BACKTRACKS = 10  # halvings of the step of the last epoch before the update is given up

Metrics = dict[str, jax.Array]
Learner = tuple[Any, optax.OptState]  # what changes from step to step: params, optimizer state


class PPOState(NamedTuple):
    """Everything PPO remembers."""

    params: Any
    optimizer: optax.OptState
    returns: RunningMoments  # of the value's targets


class Lesson(NamedTuple):
    """What one gradient step sees."""

    batch: Batch
    advantages: jax.Array  # [B, T]
    value_targets: jax.Array  # [B, T]


class Terms(NamedTuple):
    """Of the loss, what settings alone do not give."""

    entropy: jax.Array | float  # its weight
    auxiliary: float  # its weight
    bins: ValueBins | None  # of the value


def ppo(
    policy: TrainablePolicy,
    config: PPOConfig | None = None,
    make_optimizer: MakeOptimizer = optax.adam,
    auxiliary_weight: float = 0.0,
    bins: ValueBins | None = None,
) -> Algorithm:
    """Returns proximal policy optimisation.

    Args:
      policy: what learns.
      config: settings; the default ones if None.
      make_optimizer: learning rate or schedule -> the optimizer that takes its steps.
      auxiliary_weight: of the cross-entropy of the labels in batches, which the policy then learns to predict; 0
        leaves them alone.
      bins: those of the policy's value, which then learns by cross-entropy; None where it is one number.

    Returns:
      The algorithm. Its metrics are means over the minibatches of the last epoch; with the guard,
      `kl` is that of the policy that was kept.

    Raises:
      InvalidInput: a value in bins is to be preserved.
    """
    config = config or PPOConfig()
    require_no_rewriting(bins, config.preserve_values)
    optimizer = _optimizer(policy, config, make_optimizer)

    def init(params: Any) -> PPOState:
        return PPOState(params, optimizer.init(params), no_moments())

    def update(key: jax.Array, state: PPOState, batch: Batch) -> tuple[PPOState, Metrics]:
        check(batch, config.minibatches * config.accumulation * config.shuffle_groups)
        batch = without_padding(batch)
        credit = assign_credit(batch, state.returns, config)
        lesson = Lesson(batch, credit.advantages, credit.value_targets)
        start = state.params
        if config.preserve_values:
            start = preserve(policy, start, state.returns, credit.moments)

        def epoch(learner: Learner, key: jax.Array):
            minibatches = shuffled_minibatches(
                key, lesson, config.minibatches, config.shuffle_groups
            )
            learner, metrics = jax.lax.scan(descend, learner, minibatches)  # metrics [M]
            params = learner[0] if config.max_kl is not None else None
            return learner, (metrics, params)

        descend = functools.partial(_descend, policy, config, optimizer, auxiliary_weight, bins)
        (params, optimizer_state), (metrics, after_each) = jax.lax.scan(
            epoch, (start, state.optimizer), jax.random.split(key, config.epochs)
        )
        metrics = jax.tree.map(lambda x: jnp.mean(x[-1]), metrics)  # [E, M] -> []
        if config.max_kl is not None:
            params, kl = _keep_within_bound(policy, config, start, after_each, lesson)
            metrics["kl"] = kl
        return PPOState(params, optimizer_state, credit.moments), metrics | credit.metrics

    return Algorithm(init, update)


def _optimizer(
    policy: TrainablePolicy, config: PPOConfig, make_optimizer: MakeOptimizer
) -> optax.GradientTransformation:
    """Returns the optimizer, whose steps of the value's own parameters have a size of their own."""
    rate = _learning_rate(config)
    optimizer = clipped(make_optimizer, rate, config.max_gradient_norm)
    if config.value_learning_rate is None:
        return optimizer
    ratio = config.value_learning_rate / config.learning_rate
    return optax.chain(optimizer, optax.masked(optax.scale(ratio), policy.value_parameters))


def _learning_rate(config: PPOConfig) -> float | optax.Schedule:
    if config.decay_updates is None:
        return config.learning_rate
    return optax.cosine_decay_schedule(config.learning_rate, _decay_steps(config))


def _decay_steps(config: PPOConfig) -> int:
    assert config.decay_updates is not None
    return config.decay_updates * config.epochs * config.minibatches


def _descend(
    policy: TrainablePolicy,
    config: PPOConfig,
    optimizer: optax.GradientTransformation,
    auxiliary_weight: float,
    bins: ValueBins | None,
    learner: Learner,
    lesson: Lesson,
) -> tuple[Learner, Metrics]:
    """Takes one gradient step on one minibatch."""
    params, optimizer_state = learner
    terms = Terms(_entropy_weight(config, optimizer_state), auxiliary_weight, bins)
    gradient, metrics = _gradient(policy, config, params, lesson, terms)
    change, optimizer_state = optimizer.update(gradient, optimizer_state, params)
    metrics["gradient_norm"] = global_norm(gradient)
    return (optax.apply_updates(params, change), optimizer_state), metrics


def _entropy_weight(config: PPOConfig, optimizer_state: optax.OptState) -> jax.Array | float:
    """Returns the weight of the entropy at the step to come; the optimizer counts the steps."""
    if not config.entropy_decay or config.decay_updates is None:
        return config.entropy_weight
    _, steps = optax.tree_utils.tree_get_all_with_path(optimizer_state, "count")[0]
    return jnp.asarray(
        optax.cosine_decay_schedule(config.entropy_weight, _decay_steps(config))(steps)
    )


def _gradient(
    policy: TrainablePolicy,
    config: PPOConfig,
    params: Any,
    lesson: Lesson,
    terms: Terms,
) -> tuple[Any, Metrics]:
    """Returns the gradient of a minibatch's loss and its metrics, computed part by part and summed.

    All of them are means over steps, so each part weighs as it has steps that are no padding.
    """

    def differentiate(part: Lesson) -> tuple[Any, Metrics]:
        take = jax.grad(_loss, argnums=2, has_aux=True)
        return take(policy, config, params, part, terms)

    if config.accumulation == 1:
        return differentiate(lesson)
    steps = jnp.maximum(jnp.sum(lesson.batch.mask), 1)

    def add(total: Any, part: Lesson) -> tuple[Any, None]:
        share = jnp.sum(part.batch.mask) / steps
        found = differentiate(part)
        return jax.tree.map(lambda x, y: x + share * y, total, found), None

    parts = in_parts(lesson, config.accumulation)
    shapes = jax.eval_shape(differentiate, lesson)
    nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    return jax.lax.scan(add, nothing, parts)[0]


def _loss(
    policy: TrainablePolicy,
    config: PPOConfig,
    params: Any,
    lesson: Lesson,
    terms: Terms,
) -> tuple[jax.Array, Metrics]:
    """Returns the loss of a minibatch and its metrics."""
    batch, mask = lesson.batch, lesson.batch.mask
    whole = terms.auxiliary > 0 or terms.bins is not None
    parameters, values, logits = asked(policy, params, batch.inputs, whole)
    log_probs = policy.distribution.log_prob(parameters, batch.actions)
    policy_loss = -clipped_surrogate(
        log_probs, batch.log_probs, lesson.advantages, mask, config.clip
    )
    entropy = masked_mean(policy.distribution.entropy(parameters), mask)
    missed = value_loss(values, logits, lesson.value_targets, mask, terms.bins)
    loss = policy_loss - terms.entropy * entropy + config.value_weight * missed
    predicted = {}
    if terms.auxiliary:
        auxiliary_loss, predicted = prediction_loss(logits, batch.labels, mask)
        loss += terms.auxiliary * auxiliary_loss
    return loss, {
        "policy_loss": policy_loss,
        "value_loss": missed,
        "entropy": entropy,
        "kl": kl_from_samples(log_probs, batch.log_probs, mask),
        **predicted,
    }


def _keep_within_bound(
    policy: TrainablePolicy, config: PPOConfig, old_params: Any, after_each: Any, lesson: Lesson
) -> tuple[Any, jax.Array]:
    """Chooses among the parameters after each epoch [E, ...]; returns those kept, and their KL.

    Parameters that move the value alone are those after the last epoch.
    """
    batch, mask, bound = lesson.batch, lesson.batch.mask, config.max_kl or math.inf
    old, _ = policy.apply(old_params, batch.inputs)

    def measure(params: Any) -> tuple[jax.Array, jax.Array]:
        new, _ = policy.apply(params, batch.inputs)
        log_probs = policy.distribution.log_prob(new, batch.actions)
        gain = clipped_surrogate(log_probs, batch.log_probs, lesson.advantages, mask, config.clip)
        return gain, mean_kl(policy.distribution, old, new, mask)

    gains, kls = jax.lax.map(measure, after_each)  # [E] each
    fits = kls <= bound
    best = jnp.where(jnp.any(fits), jnp.argmax(jnp.where(fits, gains, -jnp.inf)), -1)
    chosen = jax.tree.map(lambda x: x[best], after_each)
    kept, _ = backtrack(
        old_params, chosen, lambda params: measure(params)[1] <= bound, 0.5, BACKTRACKS
    )
    last = jax.tree.map(lambda x: x[-1], after_each)
    owned = policy.value_parameters(kept)
    kept = jax.tree.map(lambda x, learnt, own: learnt if own else x, kept, last, owned)
    return kept, measure(kept)[1]
