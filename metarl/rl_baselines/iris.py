"""IRIS from scratch: learn what the world does, in tokens of pictures, and how to act in dreams of it alone.

  act      see the picture as its tokens show it (encoded and decoded), and draw from the policy
  learn    in rounds, from sequences of remembered steps
             autoencoder   pictures as M tokens of V codes (`discrete_autoencoder`)
             world model   which tokens, reward and end follow tokens and an action (`world_model`)
             policy        from the beginning of each sequence dream L steps; REINFORCE with a value as baseline on

                             G[t] = r[t] + γ (1 - end[t]) ((1 - λ) V(x[t+1]) + λ G[t+1]),   G[L] = V(x[L])

                           and an entropy bonus

Policy and value are shown how a decoded picture differs from the usual one (`usual_picture`); a dreamt step can also be
paid for being new (`novelty`). They see no real picture when they learn, and no reward that was paid. An episode that
was truncated goes on in thought: only a terminated one ends. Learning is done at the same steps in all worlds that are
played together, and nowhere else.

Differs from the paper: policy and value are feed-forward, with networks of their own, where it has one convolutional
network with an LSTM, upon the picture as it is; nothing there is paid for being new; besides, see the two modules.

Letters: B sequences and dreams; L steps; H x W pixels; M tokens of a picture; F numbers of a picture.

Reference: Micheli, Alonso, Fleuret (2023), "Transformers are sample-efficient world models", ICLR, arXiv:2209.00588,
algorithm 1.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from metarl.controller import Policy, as_numbers
from metarl.environments import (
    Agent,
    Environment,
    Trial,
    computed_where,
    feature_size,
    levels,
    make_agent,
)
from metarl.policy_gradient import Algorithm, ReinforceState, reinforce

from .config import IRISConfig, PolicyNetwork
from .discrete_autoencoder import Autoencoder, autoencoder
from .experience import Experience, known_steps, no_experience, one_step, successive, written
from .novelty import Done, bonus, recalled
from .policy_learner import Lived, credited, make_policy
from .usual_picture import UsualPicture, different, followed, no_picture
from .world_model import Dreams, Walks, WorldModel, dream, loss, world_model


class Learnt(NamedTuple):
    """A network that is learnt by gradient steps."""

    params: Any
    optimizer: optax.OptState


class LearntCodes(NamedTuple):
    """The autoencoder, and for how many gradient steps no square had taken each code."""

    params: Any
    optimizer: optax.OptState
    ages: jax.Array  # [V] int32


class Learner(NamedTuple):
    """What learning changes."""

    autoencoder: LearntCodes
    usual: UsualPicture
    world: Learnt
    player: ReinforceState


class Memory(NamedTuple):
    """What a learner knows of one task."""

    learner: Learner
    experience: Experience  # [C]
    step: jax.Array  # [] int32, taken in the trial
    key: jax.Array  # of what is remembered and dreamt when


class Parts(NamedTuple):
    """The three that learn, without what they have learnt."""

    autoencoder: Autoencoder
    world: WorldModel
    policy: Policy
    algorithm: Algorithm
    picture_optimizer: optax.GradientTransformation
    world_optimizer: optax.GradientTransformation
    numbers: int  # F
    shares: int  # of a batch of pictures, on each of which the autoencoder takes a gradient step


@functools.cache
def iris(environment: Environment, config: IRISConfig) -> Agent:
    """Returns IRIS for an environment of pictures and finitely many actions; one object for one call.

    Raises:
      InvalidInput: its pictures cannot be cut into squares.
    """
    parts = make_parts(environment, config)
    space = environment.observation_space

    def init(key: jax.Array, trial: Trial, task: None) -> Memory:
        del task
        *keys, memory_key = jax.random.split(key, 4)
        return Memory(
            learner=begin(parts, keys),
            experience=no_experience(environment, min(config.memory, trial.length)),
            step=jnp.zeros((), jnp.int32),
            key=memory_key,
        )

    def act(key: jax.Array, memory: Memory, observation: Any):
        told = encoded(parts, space, memory.learner, jnp.asarray(observation)[None])
        return act_on(parts, memory.learner, key, told)[0], memory

    def observe(memory: Memory, *what_happened: Any) -> Memory:
        experience = written(memory.experience, memory.step, one_step(*what_happened))
        step = memory.step + 1
        due = (step >= config.learn_after) & (step % config.learn_every == 0)

        def learn() -> Learner:
            key = jax.random.fold_in(memory.key, step)
            return learn_round(key, memory.learner, experience, step)

        learner = computed_where(due, learn, memory.learner)
        return memory._replace(learner=learner, experience=experience, step=step)

    def learn_round(
        key: jax.Array, learner: Learner, experience: Experience, step: jax.Array
    ) -> Learner:
        """Takes the gradient steps of a round."""
        capacity = len(experience.rewards)
        starts_key, dreams_key = jax.random.split(key)
        shape = config.gradient_steps, config.batch_size
        starts = jax.random.randint(starts_key, shape, 0, known_steps(capacity, step))
        dreaming = step >= config.dream_after

        def descend(learner: Learner, now: tuple[jax.Array, jax.Array]) -> tuple[Learner, None]:
            starts, key = now
            code_key, dream_key, count_key = jax.random.split(key, 3)
            places, there = successive(capacity, step, starts, config.horizon)  # [B, L]
            batch = jax.tree.map(lambda x: x[places], experience)
            learner, walks = learn_world(parts, space, code_key, learner, batch, there)

            def in_dreams() -> ReinforceState:
                encode = functools.partial(encoded, parts, space, learner)
                done = recalled(count_key, experience, step, encode) if config.novelty else None
                return learn_to_act(parts, config, dream_key, learner, walks.tokens[:, 0], done)

            player = computed_where(dreaming, in_dreams, learner.player)
            return learner._replace(player=player), None

        keys = jax.random.split(dreams_key, config.gradient_steps)
        return jax.lax.scan(descend, learner, (starts, keys))[0]

    return make_agent(init, act, observe)


def make_parts(environment: Environment, config: IRISConfig) -> Parts:
    """Returns what learns.

    Raises:
      InvalidInput: see `iris`.
    """
    pictures = autoencoder(environment, config)
    actions = feature_size(environment.action_space)
    policy = make_policy(environment, PolicyNetwork(hidden=config.hidden, layers=config.layers))
    return Parts(
        autoencoder=pictures,
        world=world_model(pictures.tokens, actions, config),
        policy=policy,
        algorithm=reinforce(policy, config.update),
        picture_optimizer=_clipped_adam(config.picture_learning_rate, config),
        world_optimizer=_clipped_adam(config.model_learning_rate, config),
        numbers=feature_size(environment.observation_space),
        shares=config.picture_steps,
    )


def begin(parts: Parts, keys: Any) -> Learner:
    """Returns networks that have learnt nothing, of three keys, which are consumed."""
    picture_key, world_key, policy_key = keys
    (pictures, ages), world = (
        parts.autoencoder.init(picture_key),
        parts.world.network.init(world_key),
    )
    return Learner(
        autoencoder=LearntCodes(pictures, parts.picture_optimizer.init(pictures), ages),
        usual=no_picture(parts.numbers),
        world=Learnt(world, parts.world_optimizer.init(world)),
        player=parts.algorithm.init(parts.policy.init(policy_key)),
    )


def learn_world(
    parts: Parts,
    space: Any,
    key: jax.Array,
    learner: Learner,
    batch: Experience,
    there: jax.Array,
) -> tuple[Learner, Walks]:
    """Takes a gradient step of autoencoder and world model, and returns the walks as it then tells them.

    Args:
      parts: what learns.
      space: of the observations.
      key: of the codes that begin anew.
      learner: so far.
      batch: successive steps [B, L].
      there: whether a step was taken yet [B, L] bool; the first was.
    """
    pictures = pixels(space, in_line(batch, there))  # [B, L + 1, H, W, C]
    flat = pictures.reshape(-1, *pictures.shape[2:])
    own = learn_pictures(parts, key, learner.autoencoder, flat)
    tokens = parts.autoencoder.encode(own.params, flat)
    going_on = jnp.cumprod(1 - batch.ended.astype(jnp.int32), axis=1)  # through this step
    before = jnp.pad(going_on[:, :-1], ((0, 0), (1, 0)), constant_values=1) == 1
    walks = Walks(
        tokens=tokens.reshape(*pictures.shape[:2], -1),
        actions=batch.actions.astype(jnp.int32),
        rewards=batch.rewards,
        ended=batch.terminated,
        valid=before & there,
    )
    gradient = jax.grad(functools.partial(loss, parts.world))(learner.world.params, walks)
    world = _descended(parts.world_optimizer, learner.world, gradient)
    usual = followed(learner.usual, flat.reshape(len(flat), -1))
    return learner._replace(autoencoder=own, usual=usual, world=world), walks


def in_line(batch: Experience, there: jax.Array) -> jax.Array:
    """Returns what was seen first and what each step led to [B, L + 1, ...]; first again where no step was taken yet.

    Where an episode goes on, what a step led to is what is seen next; where it ends, the line does too.

    Args:
      batch: successive steps [B, L].
      there: whether a step was taken yet [B, L] bool.
    """
    first = batch.observations[:, :1]
    taken = there.reshape(*there.shape, *[1] * (first.ndim - 2))
    return jnp.concatenate([first, jnp.where(taken, batch.next_observations, first)], axis=1)


def learn_pictures(
    parts: Parts, key: jax.Array, codes: LearntCodes, pictures: jax.Array
) -> LearntCodes:
    """Returns the autoencoder after a gradient step on each of equal shares of pictures [B, H, W, C], drawn at random.

    What does not go into equal shares is left out.
    """
    order_key, key = jax.random.split(key)
    each = len(pictures) // parts.shares
    order = jax.random.permutation(order_key, len(pictures))[: each * parts.shares]

    def descend(codes: LearntCodes, now: tuple[jax.Array, jax.Array]) -> tuple[LearntCodes, None]:
        key, places = now
        return learn_codes(parts, key, codes, pictures[places]), None

    turns = jax.random.split(key, parts.shares), order.reshape(parts.shares, each)
    return jax.lax.scan(descend, codes, turns)[0]


def learn_codes(
    parts: Parts, key: jax.Array, codes: LearntCodes, pictures: jax.Array
) -> LearntCodes:
    """Returns the autoencoder after a gradient step on pictures [B, H, W, C]; old codes begin anew before it."""
    params, ages = parts.autoencoder.renew(key, codes.params, codes.ages, pictures)
    gradient = jax.grad(parts.autoencoder.loss)(params, pictures)
    learnt = _descended(parts.picture_optimizer, Learnt(params, codes.optimizer), gradient)
    return LearntCodes(*learnt, ages)


def learn_to_act(
    parts: Parts,
    config: IRISConfig,
    key: jax.Array,
    learner: Learner,
    first: jax.Array,
    done: Done | None = None,
) -> ReinforceState:
    """Returns policy and value after a gradient step on dreams that begin with tokens [B, M].

    Args:
      parts: what learns.
      config: settings.
      key: consumed.
      learner: so far.
      first: tokens of the pictures in which dreams begin [B, M].
      done: among which steps novelty is counted; it is not paid if None.
    """

    def act(key: jax.Array, step: jax.Array, tokens: jax.Array) -> jax.Array:
        del step
        return act_on(parts, learner, key, tokens)

    dreams = dream(parts.world, learner.world.params, key, first, act, config.horizon)
    if done is not None:
        new = bonus(done, dreams.tokens[:, :-1], dreams.actions)
        dreams = dreams._replace(rewards=dreams.rewards + config.novelty * new)
    lived = as_lived(inputs_of(parts, learner, dreams.tokens), dreams)
    batch = credited(parts.policy, learner.player, lived, config.discount, config.gae_lambda)
    # REINFORCE draws nothing; its contract asks for a key.
    return parts.algorithm.update(jax.random.key(0), learner.player, batch)[0]


def as_lived(inputs: jax.Array, dreams: Dreams) -> Lived:
    """Returns dreams as steps to be credited, of what is seen in them [B, L + 1, F]."""
    count, steps = dreams.rewards.shape
    over = jnp.cumsum(dreams.ended, axis=1) > 0  # with this step or before
    last = jnp.arange(steps) == steps - 1
    return Lived(
        inputs=inputs[:, :-1],
        actions=dreams.actions,
        rewards=dreams.rewards,
        terminated=dreams.ended,
        cut=dreams.ended | jnp.broadcast_to(last[None], (count, steps)),
        next_inputs=inputs[:, 1:],
        mask=~jnp.pad(over[:, :-1], ((0, 0), (1, 0))),
    )


def act_on(parts: Parts, learner: Learner, key: jax.Array, tokens: jax.Array) -> jax.Array:
    """Returns actions [B] int32, drawn from the policy, upon pictures told by tokens [B, M]."""
    inputs = inputs_of(parts, learner, tokens)
    state = parts.policy.initial_state(len(tokens))
    _, parameters, _ = parts.policy.step(learner.player.params, state, inputs)
    return parts.policy.distribution.sample(key, parameters)


def encoded(parts: Parts, space: Any, learner: Learner, observations: Any) -> jax.Array:
    """Returns the tokens [B, M] of observations [B, ...] of a space."""
    return parts.autoencoder.encode(learner.autoencoder.params, pixels(space, observations))


def inputs_of(parts: Parts, learner: Learner, tokens: jax.Array) -> jax.Array:
    """Returns what policy and value are shown of tokens [..., M]: how what is seen differs from the usual [..., F]."""
    return different(learner.usual, seen_in(parts, learner, tokens))


def seen_in(parts: Parts, learner: Learner, tokens: jax.Array) -> jax.Array:
    """Returns what is seen of tokens [..., M]: decoded pictures in a row [..., F]."""
    rows = tokens.reshape(-1, tokens.shape[-1])
    pictures = parts.autoencoder.decode(learner.autoencoder.params, rows)
    return pictures.reshape(*tokens.shape[:-1], -1)


def pixels(space: Any, pictures: Any) -> jax.Array:
    """Returns pictures as numbers from -1 to 1; those without bounds as they are."""
    return as_numbers(levels(space, jnp.asarray(pictures)))


def _clipped_adam(rate: float, config: IRISConfig) -> optax.GradientTransformation:
    return optax.chain(optax.clip_by_global_norm(config.max_gradient_norm), optax.adam(rate))


def _descended(optimizer: optax.GradientTransformation, learnt: Learnt, gradient: Any) -> Learnt:
    change, state = optimizer.update(gradient, learnt.optimizer, learnt.params)
    return Learnt(optax.apply_updates(learnt.params, change), state)
