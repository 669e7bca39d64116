"""Learners: what a training begins with, and the outer algorithm that its settings name."""

from __future__ import annotations

import dataclasses

import jax

from metarl.controller import Policy
from metarl.policy_gradient import Algorithm, ppo, reinforce, trpo

from ..agent.network import POLICY
from ..settings.config import TrainConfig
from .seeds import for_each_seed, over_seeds, split_seeds
from .train_state import Params


def make_algorithm(policy: Policy, config: TrainConfig, updates: int | None) -> Algorithm:
    """Returns the outer algorithm.

    Args:
      policy: that it updates.
      config: names the algorithm, and has its settings.
      updates: over which PPO's learning rate falls, where it does; None keeps it.
    """
    if config.algorithm == "trpo":
        return trpo(policy, config.trpo)
    if config.algorithm == "reinforce":
        return reinforce(policy, config.reinforce)
    decay = updates if config.learning_rate_decay else None
    return ppo(policy, dataclasses.replace(config.ppo, decay_updates=decay))


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
