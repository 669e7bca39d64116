"""MuZero from scratch: plan in a model that is learnt of rewards, values and policies, and of nothing else.

  act      grow a tree of n latent states from what is seen, by the Gumbel search of mctx; take what it chooses,
           and remember its improved policy w
  beside   search anew from R remembered steps, neighbours, and remember the w of today (reanalyse)
  learn    unroll the dynamics along remembered actions, and descend, in the mean over steps,
           -Σ_a w(a) log π(a)  +  CE(reward, r)  +  c CE(value, G)

G is the n-step return with the values of a target network (`model_targets`), told in bins (`ValueBins`). The
searches of reanalysing are rows of the one that acts, so that one program serves both, at nearly its cost.
Learning is done in rounds, at the same steps in all worlds that are played together, and nowhere else.

Differs from the papers: every step of memory is as likely to be learnt from as any other; one policy acts, so values
need no search statistics; perceptrons of one hidden layer.

Letters: B remembered sequences of a minibatch; U steps of unrolling; R reanalysed steps; A actions; C capacity.

References: Schrittwieser et al. (2020), "Mastering Atari, Go, chess and shogi by planning with a learned model",
arXiv:1911.08265; Danihelka, Guez, Schrittwieser, Silver (2022), "Policy improvement by planning with Gumbel",
ICLR (by mctx); Schrittwieser et al. (2021), "Online and offline reinforcement learning by planning with a
learned model", arXiv:2104.06294 (reanalyse). For `equivariant`: `model_network`.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import mctx as _mctx
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
from metarl.policy_gradient import ValueBins

from .config import MuZeroConfig
from .deep_q_learning import Network
from .experience import Experience, known_steps, no_experience, one_step, successive, written
from .model_network import ModelNetwork, model_network
from .model_targets import sequence_targets

mctx: Any = _mctx  # no checker sees the fields of its dataclasses


class Memory(NamedTuple):
    """What a learner knows of one task."""

    network: Network
    experience: Experience  # [C]
    policies: jax.Array  # [C, A] w of each remembered step
    planned: jax.Array  # [A] w of the step that is being taken
    step: jax.Array  # [] int32, taken in the trial
    key: jax.Array  # of what is remembered when


@functools.cache
def muzero(environment: Environment, config: MuZeroConfig) -> Agent:
    """Returns MuZero for an environment of finitely many actions; one object for one call.

    Raises:
      InvalidInput: `equivariant` is asked for, and the environment says no symmetries.
    """
    space, actions = environment.observation_space, feature_size(environment.action_space)
    model = model_network(environment, config)
    optimizer = optax.chain(
        optax.clip_by_global_norm(config.max_gradient_norm), optax.adam(config.learning_rate)
    )
    seen = jax.vmap(functools.partial(features, space))  # [B, ...] -> [B, F]

    def init(key: jax.Array, trial: Trial, task: None) -> Memory:
        del task
        network_key, memory_key = jax.random.split(key)
        params = model.init(network_key)
        capacity = min(config.memory, trial.length)
        return Memory(
            network=Network(params, params, optimizer.init(params)),
            experience=no_experience(environment, capacity),
            policies=jnp.zeros((capacity, actions)),
            planned=jnp.zeros(actions),
            step=jnp.zeros((), jnp.int32),
            key=memory_key,
        )

    def act(key: jax.Array, memory: Memory, observation: Any):
        capacity = len(memory.policies)
        rows = min(config.reanalyse, capacity)
        place_key, search_key = jax.random.split(key)
        # Neighbours, so none of them twice; where fewer were taken, what is written there is written over.
        known = jnp.clip(memory.step, max(rows, 1), capacity)
        places = (jax.random.randint(place_key, (), 0, known) + jnp.arange(rows)) % known
        here = jnp.asarray(observation)[None]
        roots = jnp.concatenate([here, memory.experience.observations[places].astype(here.dtype)])
        action, weights = plan(model, config, search_key, memory.network.params, seen(roots))
        policies = memory.policies.at[places].set(weights[1:])
        return action[0], memory._replace(policies=policies, planned=weights[0])

    def observe(memory: Memory, *what_happened: Any) -> Memory:
        experience = written(memory.experience, memory.step, one_step(*what_happened))
        place = memory.step % len(memory.policies)
        policies = memory.policies.at[place].set(memory.planned)
        step = memory.step + 1
        due = (step >= config.learn_after) & (step % config.learn_every == 0)

        def learn() -> Network:
            key = jax.random.fold_in(memory.key, step)
            return learn_round(key, memory.network, experience, policies, step)

        network = computed_where(due, learn, memory.network)
        return memory._replace(network=network, experience=experience, policies=policies, step=step)

    def learn_round(
        key: jax.Array,
        network: Network,
        experience: Experience,
        policies: jax.Array,
        step: jax.Array,
    ) -> Network:
        """Takes the gradient steps of a round; renews the target where it is due."""
        capacity = len(policies)
        known = known_steps(capacity, step)
        starts = jax.random.randint(key, (config.gradient_steps, config.batch_size), 0, known)

        def descend(network: Network, starts: jax.Array) -> tuple[Network, None]:
            length = config.unroll + config.n_steps
            places, there = successive(capacity, step, starts, length)  # [B, W]
            batch = jax.tree.map(lambda x: x[places], experience)
            wanted = policies[places[:, : config.unroll + 1]]
            gradient = jax.grad(loss)(network.params, network.target, batch, wanted, there)
            change, state = optimizer.update(gradient, network.optimizer)
            params = optax.apply_updates(network.params, change)
            return network._replace(params=params, optimizer=state), None

        network, _ = jax.lax.scan(descend, network, starts)
        renew = functools.partial(jnp.where, step % config.target_every == 0)
        return network._replace(target=jax.tree.map(renew, network.params, network.target))

    def loss(
        params: Any, target: Any, batch: Experience, wanted: jax.Array, there: jax.Array
    ) -> jax.Array:
        """Returns the loss of sequences [B, W], of which the policies wanted are [B, U + 1, A]."""
        following = jax.vmap(seen)(batch.next_observations)  # [B, W, F]
        next_values = jax.vmap(functools.partial(value_of, target))(following)
        targets_of = functools.partial(
            sequence_targets,
            discount=config.discount,
            unroll=config.unroll,
            n_steps=config.n_steps,
        )
        targets = jax.vmap(targets_of)(batch, there, next_values)
        bins = _bins(config)
        value_bins = bins.weights(targets.values)
        reward_bins = bins.weights(targets.rewards)
        weights = targets.policy_weights, targets.value_weights, targets.reward_weights
        actions = batch.actions[:, : config.unroll + 1]
        along = jax.tree.map(  # [B, U + 1, ...] -> [U + 1, B, ...]
            lambda x: jnp.swapaxes(x, 0, 1), (actions, wanted, value_bins, reward_bins, weights)
        )
        # The root counts like all of the unrolled steps together (Schrittwieser et al., appendix G).
        shares = jnp.full(config.unroll + 1, 1 / config.unroll).at[0].set(1.0)

        def unroll(latent: jax.Array, now: Any) -> tuple[jax.Array, jax.Array]:
            share, (action, wanted, value_bins, reward_bins, weights) = now
            of_policy, of_value, of_reward = weights
            policy, value = model.predict(params, latent)
            latent, reward = model.step(params, latent, action)
            missed = of_policy * _surprise(policy, wanted)
            missed += config.value_weight * of_value * _surprise(value, value_bins)
            told = of_reward * _surprise(reward, reward_bins) / config.unroll
            return (latent + jax.lax.stop_gradient(latent)) / 2, jnp.mean(share * missed + told)

        latent = model.represent(params, seen(batch.observations[:, 0]))
        return jnp.sum(jax.lax.scan(unroll, latent, (shares, along))[1])

    def value_of(params: Any, inputs: jax.Array) -> jax.Array:
        logits = model.predict(params, model.represent(params, inputs))[1]
        return _bins(config).told_by(logits)

    return make_agent(init, act, observe)


def plan(
    model: ModelNetwork, config: MuZeroConfig, key: jax.Array, params: Any, inputs: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Returns actions [B] int32 and improved policies [B, A], by a search from each row.

    Args:
      model: the networks.
      config: of the search.
      key: of the Gumbel noise.
      params: of the networks.
      inputs: features of the observations [B, F].
    """
    latent, bins = model.represent(params, inputs), _bins(config)
    policy, value = model.predict(params, latent)

    def simulated(params: Any, key: jax.Array, action: jax.Array, latent: jax.Array):
        del key
        latent, reward = model.step(params, latent, action)
        policy, value = model.predict(params, latent)
        output = mctx.RecurrentFnOutput(
            reward=bins.told_by(reward),
            discount=jnp.full(len(action), config.discount),
            prior_logits=policy,
            value=bins.told_by(value),
        )
        return output, latent

    found = mctx.gumbel_muzero_policy(
        params,
        # mctx selects among keys, which looks like using one twice to the check of key reuse.
        jax.random.key_data(key),
        mctx.RootFnOutput(prior_logits=policy, value=bins.told_by(value), embedding=latent),
        simulated,
        config.simulations,
        qtransform=functools.partial(
            mctx.qtransform_completed_by_mix_value, epsilon=max(config.least_spread, 1e-8)
        ),
        gumbel_scale=config.gumbel_scale,
    )
    return found.action.astype(jnp.int32), found.action_weights


def _bins(config: MuZeroConfig) -> ValueBins:
    """Returns the bins of values and of rewards."""
    return ValueBins(config.bins, config.value_limit, squashed=True)


def _surprise(logits: jax.Array, weights: jax.Array) -> jax.Array:
    """Returns the cross entropy [B] of logits with weights [B, ...]."""
    return -jnp.sum(weights * jax.nn.log_softmax(logits), axis=-1)
