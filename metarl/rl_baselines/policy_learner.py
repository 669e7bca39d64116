"""REINFORCE, PPO and TRPO from scratch: act for N steps, learn from them, forget them.

The algorithms are those of `metarl.policy_gradient`. Credit is assigned before they see a rollout, so
each step can be a sequence of its own, and minibatches are of steps:

  δ[t] = r[t] + γ V(s[t+1]) - V(s[t]),   A[t] = δ[t] + γ λ A[t+1],   G[t] = A[t] + V(s[t])

V(s[t+1]) is 0 after a terminated step. A is cut where an episode ends; where it was truncated, or
the rollout ends within it, V stands for the rest. REINFORCE has λ = 1, so that G is the return; its
rollouts hold whole episodes where all have one length. Learning is done at the same steps in all
worlds that are played together, and nowhere else.

Letters: N steps of a rollout; F features of an observation.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.controller import (
    Head,
    Policy,
    categorical_head,
    gaussian_head,
    memoryless,
    recurrent_policy,
)
from metarl.environments import (
    Agent,
    Environment,
    Trial,
    computed_where,
    feature_size,
    features,
    make_agent,
)
from metarl.policy_gradient import (
    Algorithm,
    Batch,
    generalised_advantages,
    ppo,
    reinforce,
    trpo,
)

from .config import PolicyAgentConfig, PolicyNetwork, PPOAgentConfig, ReinforceAgentConfig
from .experience import Experience, no_experience, one_step, written


class Memory(NamedTuple):
    """What a learner knows of one task."""

    learner: Any  # the state of the algorithm, with the policy's parameters
    rollout: Experience  # [N]
    step: jax.Array  # [] int32, taken in the trial
    key: jax.Array  # of the updates


class Lived(NamedTuple):
    """Sequences of steps to be credited, [B, N, ...]."""

    inputs: jax.Array  # [B, N, F] what the policy saw
    actions: jax.Array  # [B, N, ...]
    rewards: jax.Array  # [B, N]
    terminated: jax.Array  # [B, N] bool
    cut: jax.Array  # [B, N] bool, what follows is not of the return; its value stands for it if it was not terminated
    next_inputs: jax.Array  # [B, N, F] where the step led
    mask: jax.Array  # [B, N] bool, which are learnt from


@functools.cache
def policy_learner(environment: Environment, config: PolicyAgentConfig) -> Agent:
    """Returns REINFORCE, PPO or TRPO, by the settings, for an environment; one object for one call."""
    space = environment.observation_space
    policy = make_policy(environment, config)
    algorithm = make_algorithm(policy, config)
    steps = rollout_steps(environment, config)

    def init(key: jax.Array, trial: Trial, task: None) -> Memory:
        del trial, task
        policy_key, update_key = jax.random.split(key)
        return Memory(
            learner=algorithm.init(policy.init(policy_key)),
            rollout=no_experience(environment, steps),
            step=jnp.zeros((), jnp.int32),
            key=update_key,
        )

    def act(key: jax.Array, memory: Memory, observation: Any):
        inputs = features(space, observation)[None]
        _, parameters, _ = policy.step(memory.learner.params, policy.initial_state(1), inputs)
        action = policy.distribution.sample(key, jax.tree.map(lambda x: x[0], parameters))
        return action, memory

    def observe(memory: Memory, *what_happened: Any) -> Memory:
        rollout = written(memory.rollout, memory.step, one_step(*what_happened))
        step = memory.step + 1
        due = step % steps == 0

        def learn() -> Any:
            batch = assign(policy, config, space, memory.learner, rollout)
            key = jax.random.fold_in(memory.key, step)
            return algorithm.update(key, memory.learner, batch)[0]

        learner = computed_where(due, learn, memory.learner)
        return memory._replace(learner=learner, rollout=rollout, step=step)

    return make_agent(init, act, observe)


def make_policy(environment: Environment, network: PolicyNetwork) -> Policy:
    """Returns a feed-forward policy, with a value network of its own."""
    inputs = jax.ShapeDtypeStruct((feature_size(environment.observation_space),), jnp.float32)
    core = memoryless([network.hidden] * network.layers)
    policy = recurrent_policy(inputs, _as_it_is, core, _head(environment), value="separate")
    # One world after the other: jaxlib's QR of a batch, which makes orthogonal matrices, waits in a
    # thread for others of the same pool, so that two devices of a CPU can wait for ever.
    return dataclasses.replace(policy, init=jax.custom_batching.sequential_vmap(policy.init))


def make_algorithm(policy: Policy, config: PolicyAgentConfig) -> Algorithm:
    """Returns the outer algorithm of a learner."""
    if isinstance(config, ReinforceAgentConfig):
        return reinforce(policy, config.update)
    if isinstance(config, PPOAgentConfig):
        return ppo(policy, config.update)
    return trpo(policy, config.update)


def rollout_steps(environment: Environment, config: PolicyAgentConfig) -> int:
    """Returns N: as configured, and for REINFORCE whole episodes where all have one length."""
    if isinstance(config, ReinforceAgentConfig) and environment.fixed_length:
        return -(-config.steps // environment.horizon) * environment.horizon
    return config.steps


def assign(
    policy: Policy, config: PolicyAgentConfig, space: Any, learner: Any, rollout: Experience
) -> Batch:
    """Returns a rollout with its credit, as N sequences of one step.

    Args:
      policy: who acted.
      config: γ, and λ in its `update`.
      space: of the observations.
      learner: with the parameters that acted, and the units in which the value speaks.
      rollout: [N].
    """
    seen = jax.vmap(functools.partial(features, space))
    last = jnp.arange(len(rollout.rewards)) == len(rollout.rewards) - 1
    lived = Lived(
        inputs=seen(rollout.observations),
        actions=rollout.actions,
        rewards=rollout.rewards,
        terminated=rollout.terminated,
        cut=rollout.ended | last,
        next_inputs=seen(rollout.next_observations),
        mask=jnp.ones_like(last),
    )
    alone = jax.tree.map(lambda x: x[None], lived)
    return credited(
        policy, learner, alone, config.discount, getattr(config.update, "gae_lambda", 1.0)
    )


def credited(
    policy: Policy, learner: Any, lived: Lived, discount: float, gae_lambda: float
) -> Batch:
    """Returns steps with their credit, as B N sequences of one step.

    Args:
      policy: who acted.
      learner: with the parameters that acted, and the units in which the value speaks.
      lived: [B, N].
      discount: γ.
      gae_lambda: λ.
    """
    parameters, values = policy.apply(learner.params, lived.inputs)
    _, next_values = policy.apply(learner.params, lived.next_inputs)
    now, later = (learner.returns.restore(x) for x in (values, next_values))  # [B, N]
    rest = jnp.where(lived.terminated, 0.0, discount * later)
    advantages = generalised_advantages(
        lived.rewards + jnp.where(lived.cut, rest, 0.0),
        jnp.where(lived.cut, 0.0, discount),
        now,
        gae_lambda,
    )
    batch = Batch(
        inputs=lived.inputs,
        actions=lived.actions,
        log_probs=policy.distribution.log_prob(parameters, lived.actions),
        rewards=advantages + now,
        values=values,
        discounts=jnp.zeros_like(now),
        mask=lived.mask,
    )
    return jax.tree.map(lambda x: x.reshape(-1, 1, *x.shape[2:]), batch)


def _as_it_is(inputs: jax.Array) -> jax.Array:
    return inputs


def _head(environment: Environment) -> Head:
    space = environment.action_space
    if type(space).__name__ == "Discrete":
        return categorical_head(feature_size(space))
    return gaussian_head(tuple(space.shape or ()))
