"""Learners: what a training begins with, and the outer algorithm that its settings name."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Mapping
from typing import Any

import jax
import optax

from metarl import optimizers
from metarl.controller import Policy
from metarl.errors import require
from metarl.policy_gradient import Algorithm, MakeOptimizer, make_bins, ppo, reinforce, trpo
from metarl.problems import LeafRole, leaf_paths, roles_of_leaves

from ..agent.network import POLICY
from ..settings.config import TrainConfig
from .seeds import for_each_seed, over_seeds, split_seeds
from .train_state import Params

_ROLES: Mapping[str, LeafRole] = {  # of leaves whose names would mislead
    "*/~_output/output/w": "matrix",  # of attention
    "*/~_scores/score/w": "output",  # of the outer-product memory
    "labels/*/w": "output",
}


def make_algorithm(policy: Policy, config: TrainConfig, updates: int | None) -> Algorithm:
    """Returns the outer algorithm.

    Args:
      policy: that it updates.
      config: names the algorithm, and has its settings.
      updates: over which PPO's learning rate falls, where it does and `decay_updates` gives no other number; None
        keeps it.

    Raises:
      InvalidInput: nothing has the optimizer's name, or it does not fit the algorithm or a run without a length; or
        values in bins do not fit the algorithm's settings.
    """
    bins = make_bins(config.value)
    make_optimizer = _outer_optimizer(policy, config, updates)
    if config.algorithm == "trpo":
        return trpo(policy, config.trpo, bins)
    if config.algorithm == "reinforce":
        return reinforce(policy, config.reinforce, make_optimizer, bins)
    settings = config.ppo
    if settings.decay_updates is None and config.learning_rate_decay:
        settings = dataclasses.replace(settings, decay_updates=updates)
    return ppo(policy, settings, make_optimizer, config.auxiliary_weight, bins)


def _outer_optimizer(policy: Policy, config: TrainConfig, updates: int | None) -> MakeOptimizer:
    """Returns learning rate -> the optimizer of policy and value."""
    if config.algorithm == "trpo":
        require(
            config.optimizer == "adam",
            f"optimizer is {config.optimizer!r} and algorithm 'trpo', which takes natural gradients; leave "
            "--optimizer out, or give --algorithm ppo or reinforce.",
        )
    require(
        not optimizers.needs_total_steps(config.optimizer) or updates is not None,
        f"The optimizer {config.optimizer!r} depends on how far the run is, and a training that the clock alone "
        "ends has no length; give --env-steps.",
    )
    params = jax.eval_shape(policy.init, jax.random.key(0))
    steps = config.ppo.epochs * config.ppo.minibatches if config.algorithm == "ppo" else 1

    def make(learning_rate: float | optax.Schedule) -> optax.GradientTransformation:
        return optimizers.by_name(
            config.optimizer,
            learning_rate,
            total_steps=None if updates is None else max(updates * steps, 1),
            weight_dimension_numbers=_matrices(params),
            seed=config.seed,
        )

    return make


def _matrices(params: Any) -> Any:
    """Returns which leaves of policy and value are matrices, for Muon and SOAP; embeddings and last layers are none."""
    paths = leaf_paths(params)
    given: dict[str, LeafRole] = {
        pattern: role
        for pattern, role in _ROLES.items()
        if any(fnmatch.fnmatchcase(path, pattern) for path in paths)
    }
    return optimizers.weight_dimension_numbers(params, roles_of_leaves(params, given))


def initial_params(key: jax.Array, policy: Policy, start: Params | None, seeds: int) -> Params:
    """Returns the parameters of policy and value before the first update.

    Args:
      key: consumed.
      policy: whose they are.
      start: parameters of an acting policy to start from; None draws them.
      seeds: S.
    """
    params = over_seeds(policy.init, seeds)(split_seeds(key, seeds))
    return params if start is None else {**params, POLICY: for_each_seed(start, seeds)}
