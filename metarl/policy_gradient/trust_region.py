"""TRPO: the natural gradient, as far as a bound on the mean KL allows.

  maximise  gᵀ d   subject to   ½ dᵀ F d <= δ,     d = sqrt(2 δ / sᵀ F s) s,   F s = g

F is the exact Fisher matrix of the recorded inputs, as products with vectors; s comes from
conjugate gradients; d is shrunk until the surrogate improves and the true mean KL is within the
bound. The value is fitted afterwards, through the parameters that it has to itself, so it cannot
push the policy over the bound.

Reference: Schulman et al. (2015), arXiv:1502.05477.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from .batch import Algorithm, Batch, TrainablePolicy, check, shuffled_minibatches
from .config import TRPOConfig
from .credit import Credit, assign_credit
from .losses import masked_mean, mean_kl, surrogate
from .normalisation import RunningMoments, no_moments, preserve
from .returns import without_padding
from .steps import backtrack, conjugate_gradients, global_norm, inner_product
from .value_bins import ValueBins, asked, require_no_rewriting, value_loss

Metrics = dict[str, jax.Array]


class TRPOState(NamedTuple):
    """Everything TRPO remembers."""

    params: Any
    value_optimizer: optax.OptState
    returns: RunningMoments  # of the value's targets


def trpo(
    policy: TrainablePolicy, config: TRPOConfig | None = None, bins: ValueBins | None = None
) -> Algorithm:
    """Returns trust region policy optimisation.

    Args:
      policy: what learns.
      config: settings; the default ones if None.
      bins: those of the policy's value, which then learns by cross-entropy; None where it is one number.

    Returns:
      The algorithm. Law: after each update the mean KL from the old policy is at most
      `config.max_kl`.

    Raises:
      InvalidInput: a value in bins is to be preserved.
    """
    config = config or TRPOConfig()
    require_no_rewriting(bins, config.preserve_values)
    value_optimizer = optax.adam(config.value_learning_rate)

    def init(params: Any) -> TRPOState:
        return TRPOState(params, value_optimizer.init(params), no_moments())

    def update(key: jax.Array, state: TRPOState, batch: Batch) -> tuple[TRPOState, Metrics]:
        parts = config.value_minibatches * config.shuffle_groups
        check(batch, parts if config.value_epochs else 1)
        batch = without_padding(batch)
        credit = assign_credit(batch, state.returns, config)
        params = state.params
        if config.preserve_values:
            params = preserve(policy, params, state.returns, credit.moments)
        params, metrics = _improve_policy(policy, config, params, batch, credit)
        learner = (params, state.value_optimizer)
        params, value_state, missed = _fit_value(
            key, policy, config, value_optimizer, learner, batch, credit, bins
        )
        metrics |= credit.metrics | {"value_loss": missed}
        return TRPOState(params, value_state, credit.moments), metrics

    return Algorithm(init, update)


def _improve_policy(
    policy: TrainablePolicy, config: TRPOConfig, params: Any, batch: Batch, credit: Credit
) -> tuple[Any, Metrics]:
    """Takes the longest accepted step along the natural gradient."""
    distribution, mask = policy.distribution, batch.mask

    def parameters_of(params: Any) -> Any:
        return policy.apply(params, batch.inputs)[0]

    def objective(new: Any) -> jax.Array:
        log_probs = distribution.log_prob(new, batch.actions)
        gain = surrogate(log_probs, batch.log_probs, credit.advantages, mask)
        return gain + config.entropy_weight * masked_mean(distribution.entropy(new), mask)

    def divergence(old: Any, new: Any) -> jax.Array:
        return mean_kl(distribution, old, new, mask)

    old = parameters_of(params)
    gradient = jax.grad(lambda params: objective(parameters_of(params)))(params)
    fisher = fisher_vector_product(parameters_of, divergence, params, config.damping)
    step = _natural_step(gradient, fisher, config, _share(config, credit))

    def accepts(candidate: Any) -> jax.Array:
        new = parameters_of(candidate)
        return (objective(new) > objective(old)) & (divergence(old, new) <= config.max_kl)

    goal = jax.tree.map(jnp.add, params, step)
    improved, fraction = backtrack(
        params, goal, accepts, config.backtrack_factor, config.backtracks
    )
    new = parameters_of(improved)
    return improved, {
        "policy_loss": -objective(new),
        "entropy": masked_mean(distribution.entropy(new), mask),
        "kl": divergence(old, new),
        "gradient_norm": global_norm(gradient),
        "step_fraction": fraction,
    }


def fisher_vector_product(
    parameters_of: Callable[[Any], Any],
    divergence: Callable[[Any, Any], jax.Array],
    params: Any,
    damping: float = 0.0,
) -> Callable[[Any], Any]:
    """Returns v -> (F + damping I) v, F the Hessian of divergence(old, new) at new = old.

    There the divergence is flat, so its Hessian is exactly Jᵀ H J: J the Jacobian of the
    distribution parameters, H the Hessian of the divergence in them. Cheaper than differentiating
    the divergence twice through the network.

    Args:
      parameters_of: params -> distribution parameters.
      divergence: (old, new) distribution parameters -> mean KL.
      params: where.
      damping: added to the diagonal.
    """
    old, pull_back = jax.vjp(parameters_of, params)
    _, push_forward = jax.linearize(parameters_of, params)
    slope = jax.grad(divergence, argnums=1)

    def product(vector: Any) -> Any:
        moved = push_forward(vector)  # J v
        bent = jax.jvp(lambda new: slope(old, new), (old,), (moved,))[1]  # H J v
        (product,) = pull_back(bent)
        return jax.tree.map(lambda x, v: x + damping * v, product, vector)

    return product


def _share(config: TRPOConfig, credit: Credit) -> jax.Array | float:
    """Returns which share of the longest step is taken."""
    if config.advantage_floor == 0:
        return 1.0
    return jnp.minimum(credit.size / config.advantage_floor, 1.0)


def _natural_step(
    gradient: Any, fisher: Callable[[Any], Any], config: TRPOConfig, share: jax.Array | float
) -> Any:
    """Returns a share of the step along F⁻¹ g whose predicted KL is the bound."""
    direction = conjugate_gradients(fisher, gradient, config.conjugate_gradient_steps)
    curvature = inner_product(direction, fisher(direction))
    # A gradient of 0 has no direction; any finite scale will do.
    scale = jnp.sqrt(2 * config.max_kl / jnp.maximum(curvature, 1e-20))
    return jax.tree.map(lambda x: share * scale * x, direction)


def _fit_value(
    key: jax.Array,
    policy: TrainablePolicy,
    config: TRPOConfig,
    optimizer: optax.GradientTransformation,
    learner: tuple[Any, optax.OptState],
    batch: Batch,
    credit: Credit,
    bins: ValueBins | None,
) -> tuple[Any, optax.OptState, jax.Array]:
    """Fits the value by Adam on minibatches; moves only what the distribution does not read."""
    fitted = policy.value_parameters(learner[0])
    if config.value_epochs == 0 or not any(jax.tree.leaves(fitted)):
        return *learner, jnp.zeros(())

    def loss(params: Any, inputs: Any, targets: jax.Array, mask: jax.Array) -> jax.Array:
        params = jax.tree.map(
            lambda x, free: x if free else jax.lax.stop_gradient(x), params, fitted
        )
        _, values, logits = asked(policy, params, inputs, bins is not None)
        return value_loss(values, logits, targets, mask, bins)

    def descend(learner: Any, minibatch: Any) -> Any:
        params, optimizer_state = learner
        error, gradient = jax.value_and_grad(loss)(params, *minibatch)
        change, optimizer_state = optimizer.update(gradient, optimizer_state, params)
        return (optax.apply_updates(params, change), optimizer_state), error

    def epoch(learner: Any, key: jax.Array) -> Any:
        data = (batch.inputs, credit.value_targets, batch.mask)
        minibatches = shuffled_minibatches(
            key, data, config.value_minibatches, config.shuffle_groups
        )
        return jax.lax.scan(descend, learner, minibatches)

    learner, errors = jax.lax.scan(epoch, learner, jax.random.split(key, config.value_epochs))
    return *learner, jnp.mean(errors[-1])
