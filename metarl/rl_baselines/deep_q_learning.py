"""Deep Q-learning: a network of action values, a memory of steps, and a second network for targets.

  y = r + γ Q⁻(s', argmax Q(s', ·))      the double option; else  r + γ max Q⁻(s', ·)
  descend the mean of huber(Q(s, a) - y) over remembered steps

After a terminated step y = r; a truncated episode goes on in thought. Q⁻ is a copy of Q that is
renewed now and then. Learning is done in rounds, at the same steps in all worlds that are played
together, and nowhere else.

Letters: B remembered steps of a minibatch; A actions; F features of an observation.

Reference: Mnih et al. (2015), Human-level control through deep reinforcement learning; van Hasselt
et al. (2016), arXiv:1509.06461.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import optax

from metarl.environments import (
    Agent,
    Environment,
    Trial,
    computed_where,
    feature_size,
    features,
    make_agent,
)

from .config import DQNConfig
from .experience import Experience, no_experience, one_step, written
from .exploration import exploration_steps, explore


class Network(NamedTuple):
    """What learning changes."""

    params: Any
    target: Any  # the parameters of Q⁻
    optimizer: optax.OptState


class Memory(NamedTuple):
    """What a learner knows of one task."""

    network: Network
    experience: Experience
    step: jax.Array  # [] int32, taken in the trial
    exploration_steps: jax.Array  # [] over which ε falls
    key: jax.Array  # of what is remembered when


@functools.cache
def deep_q_learning(environment: Environment, config: DQNConfig) -> Agent:
    """Returns deep Q-learning for an environment of finitely many actions; one object for one call."""
    space = environment.observation_space
    values_of = _network(environment, config)
    optimizer = optax.chain(
        optax.clip_by_global_norm(config.max_gradient_norm), optax.adam(config.learning_rate)
    )
    seen = jax.vmap(functools.partial(features, space))  # [B, ...] -> [B, F]

    def init(key: jax.Array, trial: Trial, task: None) -> Memory:
        del task
        network_key, memory_key = jax.random.split(key)
        params = values_of.init(network_key, jnp.zeros((1, feature_size(space))))
        return Memory(
            network=Network(params, params, optimizer.init(params)),
            experience=no_experience(environment, min(config.memory, trial.length)),
            step=jnp.zeros((), jnp.int32),
            exploration_steps=exploration_steps(config.exploration_share, trial),
            key=memory_key,
        )

    def act(key: jax.Array, memory: Memory, observation: Any):
        values = values_of.apply(memory.network.params, features(space, observation)[None])[0]
        action = explore(config, key, memory.step, memory.exploration_steps, values)
        return action, memory

    def observe(memory: Memory, *what_happened: Any) -> Memory:
        experience = written(memory.experience, memory.step, one_step(*what_happened))
        step = memory.step + 1
        due = (step >= config.learn_after) & (step % config.learn_every == 0)

        def learn() -> Network:
            key = jax.random.fold_in(memory.key, step)
            return learn_round(key, memory.network, experience, step)

        network = computed_where(due, learn, memory.network)
        return memory._replace(network=network, experience=experience, step=step)

    def learn_round(
        key: jax.Array, network: Network, experience: Experience, step: jax.Array
    ) -> Network:
        """Takes the gradient steps of a round; renews the target where it is due."""
        known = jnp.minimum(step, experience.rewards.shape[0])
        places = jax.random.randint(key, (config.gradient_steps, config.batch_size), 0, known)

        def descend(network: Network, places: jax.Array) -> tuple[Network, None]:
            batch = jax.tree.map(lambda x: x[places], experience)  # [B, ...]
            gradient = jax.grad(loss)(network.params, network.target, batch)
            change, state = optimizer.update(gradient, network.optimizer)
            params = optax.apply_updates(network.params, change)
            return network._replace(params=params, optimizer=state), None

        network, _ = jax.lax.scan(descend, network, places)
        renew = functools.partial(jnp.where, step % config.target_every == 0)
        return network._replace(target=jax.tree.map(renew, network.params, network.target))

    def loss(params: Any, target: Any, batch: Experience) -> jax.Array:
        following = seen(batch.next_observations)
        target_values = values_of.apply(target, following)  # [B, A]
        choosing = values_of.apply(params, following) if config.double else target_values
        best = _chosen(target_values, jnp.argmax(choosing, axis=-1))
        goals = batch.rewards + config.discount * jnp.where(batch.terminated, 0.0, best)
        values = _chosen(values_of.apply(params, seen(batch.observations)), batch.actions)
        return jnp.mean(optax.huber_loss(values, jax.lax.stop_gradient(goals)))

    return make_agent(init, act, observe)


def _network(environment: Environment, config: DQNConfig) -> hk.Transformed:
    """Returns the network: features [B, F] -> action values [B, A]."""
    actions = feature_size(environment.action_space)
    sizes = (*[config.hidden] * config.layers, actions)
    return hk.without_apply_rng(hk.transform(lambda inputs: hk.nets.MLP(sizes)(inputs)))


def _chosen(values: jax.Array, actions: jax.Array) -> jax.Array:
    """Returns the value [B] of one action in each row [B, A]."""
    return jnp.take_along_axis(values, actions[:, None], axis=-1)[:, 0]
