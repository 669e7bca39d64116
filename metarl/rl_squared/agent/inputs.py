"""What the network is shown at each step: observation, previous action, previous reward, flag.

  x[t] = [φ(o[t]), φ(a[t-1]), r[t-1], d[t-1]]

φ is the one-hot vector of a discrete space and the numbers of any other; the reward is raw; the
flag d is 1 where an inner episode has just ended, and at the first step of a trial, where action
and reward are 0. Nothing says where a trial begins but that.

With `pairs` the previous observation and action come once more as one pair, alone and times the
reward, which an agent could compute from what it saw:

  [φ(o[t-1], a[t-1]), r[t-1] φ(o[t-1], a[t-1])]

With `inner_values` come last what is left of trial and episode, and, of each action, how rarely it was taken in the
present state and its values in a model counted from the trial: see `inner_learner`; or what the world's own inner
learner tells, as that of mazes.

Images stay images: a `Box` of three axes, the last of at most four channels, with sides of at least 13,
is shown as a `Sight`, whose pixels are 256 levels where they have bounds, a quarter of the memory; the
rest of the inputs is told beside them.

Reference: Duan et al. (2016), arXiv:1611.02779, section 2.2.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metarl.controller import LEAST_PIXELS, ActionLayout, Sight
from metarl.environments import (
    Environment,
    Transition,
    draw_member,
    feature_size,
    features,
    is_image,
    last_step_features,
    levels,
)
from metarl.errors import require

from ..settings.network_config import NetworkConfig
from .inner_learner import inner_learning, tells_of_actions


class Inputs(NamedTuple):
    """The inputs of the policy; the part that only a privileged value network reads is apart."""

    seen: Any  # [..., F], or a `Sight` [...]
    task: jax.Array  # [..., F'] features of the task; F' = 0 unless the value is privileged


class Previous(NamedTuple):
    """What the last step left behind."""

    observation: Any
    action: jax.Array
    reward: jax.Array  # [] float32
    ended: jax.Array  # [] bool, the flag
    begun: jax.Array  # [] bool, False before the first step, when there was no action
    learner: Any = ()  # what an inner learner believes, if it is shown


class Encoder(NamedTuple):
    """How an environment's observations and actions are written for the network.

    Attributes:
      environment: whose spaces these are.
      pairs: whether the pair of previous observation and action is shown too.
      inner_values: whether counts and values of an inner learner are shown too.
    """

    environment: Environment
    pairs: bool = False
    inner_values: bool = False

    @property
    def size(self) -> int:
        """F."""
        observation = feature_size(self.environment.observation_space)
        action = feature_size(self.environment.action_space)
        pairs = 2 * observation * action if self.pairs else 0
        believed = inner_learning(self.environment).size if self.inner_values else 0
        return observation + action + 2 + pairs + believed

    @property
    def sees_images(self) -> bool:
        """Whether observations are images, for convolutions."""
        return is_image(self.environment.observation_space, LEAST_PIXELS)

    def example(self) -> Any:
        """Returns shapes and types of the inputs of one step of one world."""
        key = jax.eval_shape(lambda: jax.random.key(0))

        def draw(key: jax.Array) -> Any:
            return self(draw_member(key, self.environment.observation_space), self.first())

        return jax.eval_shape(draw, key)

    @property
    def layout(self) -> ActionLayout:
        """Where the inputs say what was done: the pair if it is shown, else the action."""
        observation = feature_size(self.environment.observation_space)
        actions = feature_size(self.environment.action_space)
        last = tells_of_actions(self.environment) if self.inner_values else 0
        told = slice(self.size - last, self.size) if last else None
        if not self.pairs:
            return ActionLayout(slice(observation, observation + actions), None, actions, told)
        first = observation + actions + 2
        pair = slice(first, first + observation * actions)
        return ActionLayout(pair, slice(0, observation), actions, told)

    def first(self, length: int = 1) -> Previous:
        """Returns what there is before the first step of a trial.

        Args:
          length: T of the trial, which an inner learner knows; nothing else depends on it.
        """
        space = self.environment.action_space
        learner = inner_learning(self.environment).begin(length) if self.inner_values else ()
        return Previous(
            observation=_zeros(self.environment.observation_space),
            action=_zeros(space),
            reward=jnp.zeros(()),
            ended=jnp.ones((), bool),
            begun=jnp.zeros((), bool),
            learner=learner,
        )

    def remember(
        self,
        previous: Previous,
        observation: Any,
        action: jax.Array,
        reward: jax.Array,
        terminated: jax.Array,
        truncated: jax.Array,
        next_observation: Any,
    ) -> Previous:
        """Returns what a step of one world leaves behind for the next inputs.

        Args:
          previous: what the step before it left behind.
          observation: in which it was taken.
          action: taken.
          reward: [].
          terminated: [] bool, of the inner episode.
          truncated: [] bool, of the inner episode.
          next_observation: where it led; at an episode's end its last observation.
        """
        learner = previous.learner
        if self.inner_values:
            step = (observation, action, reward, next_observation, terminated, truncated)
            learner = inner_learning(self.environment).after(learner, *step)
        ended = terminated | truncated
        observation = jnp.asarray(observation, previous.observation.dtype)
        action = jnp.asarray(action, previous.action.dtype)
        return Previous(observation, action, reward, ended, jnp.ones_like(ended), learner)

    def remember_all(
        self, previous: Previous, observations: Any, actions: jax.Array, transitions: Transition
    ) -> Previous:
        """Returns what a step of B worlds leaves behind; each argument has an axis [B] in front."""
        return jax.vmap(self.remember)(
            previous,
            observations,
            actions,
            transitions.reward,
            transitions.terminated,
            transitions.truncated,
            transitions.next_observation,
        )

    def __call__(self, observation: Any, previous: Previous) -> Any:
        """Returns the inputs of one step of one world: [F], or a `Sight`."""
        space, acting = self.environment.observation_space, self.environment.action_space
        action, begun = previous.action, previous.begun
        told = last_step_features(acting, action, previous.reward, previous.ended, begun)
        believed = []
        if self.inner_values:
            believed = [inner_learning(self.environment).tell(previous.learner, observation)]
        if self.sees_images:
            return Sight(levels(space, observation), jnp.concatenate([told, *believed]))
        parts = [features(space, observation), told]
        if self.pairs:
            before = features(space, previous.observation)
            pair = jnp.outer(before, told[: feature_size(acting)]).ravel()
            parts += [pair, previous.reward * pair]
        return jnp.concatenate([*parts, *believed])


def make_encoder(environment: Environment, network: NetworkConfig) -> Encoder:
    """Returns the encoder of an environment.

    Args:
      environment: whose observations and actions are shown.
      network: says what is shown beside them.

    Raises:
      InvalidInput: a space is not supported, or pairs or the values of an inner learner are asked for where there
        are none.
    """
    encoder = Encoder(environment, network.pairs, network.inner_values)
    spaces = (environment.observation_space, environment.action_space)
    require(
        not network.pairs or all(hasattr(space, "n") for space in spaces),
        f"--network.pairs needs discrete observations and actions, which {environment.name!r} "
        "has not.",
    )
    if network.inner_values:
        inner_learning(environment)
    assert encoder.size > 0
    return encoder


def _zeros(space: Any) -> jax.Array:
    """Returns the least member of a discrete space, of `MultiDiscrete` too, and zeros of any other.

    Real numbers are float32, as policies act by them, whatever the space has.
    """
    least = np.broadcast_to(getattr(space, "start", 0), space.shape)
    real = np.issubdtype(space.dtype, np.floating)
    return jnp.asarray(least, jnp.float32 if real else jax.dtypes.canonicalize_dtype(space.dtype))


def repeat(tree: Any, count: int) -> Any:
    """Returns the tree with a leading axis on which it is repeated."""
    return jax.tree.map(lambda x: jnp.broadcast_to(x[None], (count, *x.shape)), tree)
