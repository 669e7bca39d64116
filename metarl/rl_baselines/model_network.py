"""The networks of MuZero: representation, dynamics and prediction, which may commute with symmetries.

  represent   features [F]         -> z [G, C]
  step        z, action            -> z' [G, C], logits of the reward [K]
  predict     z                    -> logits of the policy [A], logits of the value [K]

A latent state z has one part for each of G symmetries of the world; without any G is 1, and these are plain
perceptrons. Part h is what a perceptron makes of the world as h sees it:

  z[h] = f(h⁻¹ x),   z'[h] = f(z[h ·], h⁻¹ a),   logits[a] = mean over h of f(z[h ·])[h⁻¹ a]

One f serves all h, so turning x by g turns z, z[g⁻¹ h], and then what comes of it: the logits of the policy
are turned and those of value and reward stay, whatever the weights.

Letters: B rows; G symmetries; C numbers of a part; F features; A actions; K bins of values.

References: Schrittwieser et al. (2020), arXiv:1911.08265; Deac, Weber, Papamakarios (2023), "Equivariant MuZero",
arXiv:2302.04798. Differs from both: perceptrons, no convolutions; from the second: eight symmetries where they have
the four rotations, and weights shared over views where they have group convolutions.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from metarl.environments import Environment, Symmetries, feature_size
from metarl.errors import require

from .config import MuZeroConfig


class ModelNetwork(NamedTuple):
    """Parameters and the three functions of them, for rows [B, ...]."""

    init: Callable[[jax.Array], Any]  # key -> params
    represent: Callable[..., jax.Array]  # params, features [B, F] -> z [B, G, C]
    step: Callable[..., tuple[jax.Array, jax.Array]]  # params, z, actions [B] -> z', reward logits
    predict: Callable[..., tuple[jax.Array, jax.Array]]  # params, z -> policy, value logits


def model_network(environment: Environment, config: MuZeroConfig) -> ModelNetwork:
    """Returns the networks for an environment of finitely many actions.

    Raises:
      InvalidInput: `equivariant` is asked for, and the environment says no symmetries.
    """
    width = feature_size(environment.observation_space)
    actions = feature_size(environment.action_space)
    group = symmetries_of(environment, config)
    parts = max(config.latent // len(group.actions), 1)  # C
    products, seen_actions = group.products, _inverse(group.actions)  # [G, G], [G, A] h⁻¹ a

    def views(latent: jax.Array) -> jax.Array:
        """Returns the latent state as each symmetry sees it [B, G, G C]."""
        return latent[:, products].reshape(*latent.shape[:2], -1)

    def model() -> Any:
        f_represent = _perceptron([config.hidden], parts, "represent")
        f_step = _perceptron([config.hidden], parts, "step")
        f_reward = _perceptron([config.hidden], config.bins, "reward", begins_at_nothing=True)
        f_policy = _perceptron([config.hidden], actions, "policy", begins_at_nothing=True)
        f_value = _perceptron([config.hidden], config.bins, "value", begins_at_nothing=True)

        def represent(features: jax.Array) -> jax.Array:
            return _between_0_and_1(f_represent(features[:, group.features]))

        def step(latent: jax.Array, action: jax.Array) -> tuple[jax.Array, jax.Array]:
            done = jax.nn.one_hot(jnp.asarray(seen_actions)[:, action].T, actions)  # [B, G, A]
            inputs = jnp.concatenate([views(latent), done], axis=-1)
            return _between_0_and_1(latent + f_step(inputs)), jnp.mean(f_reward(inputs), axis=1)

        def predict(latent: jax.Array) -> tuple[jax.Array, jax.Array]:
            inputs = views(latent)
            chosen = jnp.broadcast_to(seen_actions, (len(inputs), *seen_actions.shape))
            policy = jnp.take_along_axis(f_policy(inputs), chosen, axis=-1)
            return jnp.mean(policy, axis=1), jnp.mean(f_value(inputs), axis=1)

        def everything(features: jax.Array, action: jax.Array) -> Any:
            return predict(step(represent(features), action)[0])

        return everything, (represent, step, predict)

    functions = hk.without_apply_rng(hk.multi_transform(model))
    shown, done = jnp.zeros((1, width)), jnp.zeros(1, jnp.int32)
    return ModelNetwork(lambda key: functions.init(key, shown, done), *functions.apply)


def symmetries_of(environment: Environment, config: MuZeroConfig) -> Symmetries:
    """Returns the symmetries that the networks commute with.

    Raises:
      InvalidInput: see `model_network`.
    """
    actions = feature_size(environment.action_space)
    if not config.equivariant:
        return Symmetries.none(feature_size(environment.observation_space), actions)
    found = environment.symmetries
    require(
        found is not None,
        f"muzero: equivariant is true, and {environment.name!r} has no symmetries: turned round, what is "
        "seen in it is another task. 'key-to-door' of an odd size has them, and any world that says its "
        "`symmetries`. Leave equivariant out.",
    )
    assert found is not None
    return found


def _perceptron(
    hidden: list[int], outputs: int, name: str, begins_at_nothing: bool = False
) -> Callable[[jax.Array], jax.Array]:
    first = hk.nets.MLP(hidden, activate_final=True, name=f"{name}_hidden")
    start = jnp.zeros if begins_at_nothing else None
    last = hk.Linear(outputs, w_init=start, name=f"{name}_out")
    return lambda inputs: last(first(inputs))


def _between_0_and_1(latent: jax.Array) -> jax.Array:
    """Returns each row's numbers on a scale from its least to its largest (Schrittwieser et al., appendix G)."""
    reduce = functools.partial(jnp.amin, axis=(1, 2), keepdims=True)
    low, high = reduce(latent), -reduce(-latent)
    return (latent - low) / (high - low + 1e-5)


def _inverse(permutations: np.ndarray) -> np.ndarray:
    """Returns the inverse of each row."""
    return np.argsort(permutations, axis=1)
