"""What an algorithm is, and what it learns from.

Letters: B sequences; T steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import chex
import jax
import jax.numpy as jnp

from metarl.errors import require

VALUE = "value"  # the name of the logits of a value that is told in bins


class Batch(NamedTuple):
    """Sequences as they were acted, all from their first step; B and T are fixed, shorter ones are
    padded at the end.
    """

    inputs: Any  # [B, T, ...] what the policy saw
    actions: Any  # [B, T, ...]
    log_probs: jax.Array  # [B, T] of the actions, as recorded while acting
    rewards: jax.Array  # [B, T]
    values: jax.Array  # [B, T] as the policy said them while acting
    discounts: jax.Array  # [B, T] gamma times (1 - terminated): 0 where the return ends
    mask: jax.Array  # [B, T] bool, False where padded; what padding holds is never read
    labels: Any = ()  # [B, T] int32 each, by name: what the policy learns to predict besides, if anything


class TrainablePolicy(Protocol):
    """The part of a policy that an algorithm needs."""

    @property
    def apply(self) -> Callable[..., tuple[Any, jax.Array]]:
        """params, inputs [B, T, ...] -> distribution parameters [B, T, ...], values [B, T]."""
        ...

    @property
    def value_parameters(self) -> Callable[..., Any]:
        """Params -> the same tree of bool: True where a parameter moves the value alone."""
        ...

    @property
    def rescale_value(self) -> Callable[..., Any]:
        """Params, scale [], shift [] -> params whose values are scale · value + shift, the rest as it was;
        asked of those alone whose values are to be preserved.
        """
        ...

    @property
    def predict(self) -> Callable[..., tuple[Any, jax.Array, Any]]:
        """Params, inputs [B, T, ...] -> what `apply` gives, and logits [B, T, classes] of each label by name,
        `VALUE` being that of a value in bins; asked of those alone that learn to predict labels, or have such a value.
        """
        ...

    @property
    def distribution(self) -> Any:
        """Has log_prob(parameters, action), entropy(parameters) and kl(p, q)."""
        ...


class Algorithm(NamedTuple):
    """An outer algorithm: a pair of pure functions, to be jitted by who uses it.

    The metrics of an update are scalars, among them always `policy_loss`, `value_loss`, `entropy`,
    `kl` (mean, old to new), `gradient_norm` (before clipping), `mean_return` (of whole sequences)
    and `explained_variance` (of the returns by the recorded values).

    Laws: the same key gives the same bits; a state that was stored and restored goes on as if never
    stopped.
    """

    init: Callable[
        [Any], Any
    ]  # params -> state, whose field `params` holds the policy's parameters
    update: Callable[[jax.Array, Any, Batch], tuple[Any, dict[str, jax.Array]]]


def check(batch: Batch, minibatches: int = 1) -> None:
    """Raises unless the shapes of a batch agree and it can be cut into equal minibatches."""
    chex.assert_rank(batch.rewards, 2)
    chex.assert_equal_shape(
        [batch.log_probs, batch.rewards, batch.values, batch.discounts, batch.mask]
    )
    recorded = (batch.inputs, batch.actions, batch.labels)
    chex.assert_tree_shape_prefix(recorded, batch.rewards.shape)
    sequences = batch.rewards.shape[0]
    require(
        sequences % minibatches == 0,
        f"{sequences} sequences cannot be cut into {minibatches} equal minibatches; "
        "choose a number of minibatches, times those of shuffle groups and of accumulation, that "
        "divides the number of sequences.",
    )


def shuffled_minibatches(key: jax.Array, data: Any, count: int, groups: int = 1) -> Any:
    """Cuts a PyTree of sequences [B, ...] into a random partition [count, B / count, ...].

    With several groups the sequences are shuffled within each B / groups successive ones, and every
    minibatch has as many of each: where a group lies on a device of its own, no sequence travels.
    """
    sequences = jax.tree.leaves(data)[0].shape[0]
    if groups == 1:
        order = jax.random.permutation(key, sequences).reshape(count, sequences // count)
        return jax.tree.map(lambda x: x[order], data)
    size = sequences // groups
    orders = jax.vmap(lambda key: jax.random.permutation(key, size))(jax.random.split(key, groups))

    def cut(x: jax.Array) -> jax.Array:
        shuffled = jax.vmap(lambda rows, order: rows[order])(
            x.reshape(groups, size, *x.shape[1:]), orders
        )
        parts = shuffled.reshape(groups, count, size // count, *x.shape[1:])
        return jnp.swapaxes(parts, 0, 1).reshape(count, sequences // count, *x.shape[1:])

    return jax.tree.map(cut, data)


def in_parts(data: Any, count: int) -> Any:
    """Cuts a PyTree of sequences [B, ...] into parts [count, B / count, ...].

    A part holds every so many-th sequence: as many of each device's, where these lie side by side.
    """

    def cut(x: jax.Array) -> jax.Array:
        return jnp.swapaxes(x.reshape(x.shape[0] // count, count, *x.shape[1:]), 0, 1)

    return jax.tree.map(cut, data)
