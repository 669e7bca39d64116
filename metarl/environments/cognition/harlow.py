"""Harlow's task: of two objects one always pays, wherever it stands; six rounds, then two new objects.

Each round, an episode of one step, shows the two objects side by side, left and right at random; action 0
takes the left one, 1 the right one. The object that pays brings 1, the other 0. The first choice of a trial
is a guess; who has learnt to learn is right in all others, whichever object it was.

An object is a code of B bits, ±1 each. The 2ᴮ objects are dealt 70 : 15 : 15 to train, validation and
test, so the objects of a test have never been seen.

References: Harlow (1949), "The formation of learning sets", Psychological Review 56; Wang et al. (2018),
Nature Neuroscience 21, simulation 5. Differs from it: codes and not pictures on a screen, which one
looks at with a moving eye.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces

from metarl.errors import require

from ..contract.dealing import deal_out
from ..contract.environment import Environment, Oracle, Split, Step
from ..contract.setting_checks import whole_number
from .pictures import draw_objects

FEWEST_BITS, MOST_BITS = 4, 16  # two objects in each split; 2^16 objects are dealt out


class HarlowTask(NamedTuple):
    """A task."""

    paying: jax.Array  # [B] float32, the code of the object that pays
    other: jax.Array  # [B] float32


class HarlowState(NamedTuple):
    """Where an episode stands."""

    side: jax.Array  # [] int32, of the object that pays: 0 left, 1 right


def harlow(bits: int = 10) -> Environment:
    """Returns Harlow's tasks; the module's docstring tells their rules.

    Args:
      bits: B, of an object's code, from 4 to 16.

    Raises:
      InvalidInput: a setting is not accepted.
    """
    bits = whole_number("bits", bits, FEWEST_BITS)
    require(
        bits <= MOST_BITS,
        f"bits is {bits}; at most {MOST_BITS} are accepted: objects are dealt out.",
    )
    objects = deal_out(np.arange(2**bits, dtype=np.int32))

    def draw_task(key: jax.Array, split: Split) -> HarlowTask:
        own = jnp.asarray(objects[split])
        first_key, second_key = jax.random.split(key)
        first = jax.random.randint(first_key, (), 0, len(own))
        ahead = jax.random.randint(second_key, (), 1, len(own))  # so that it is another one
        return HarlowTask(_code(own[first], bits), _code(own[(first + ahead) % len(own)], bits))

    def reset(key: jax.Array, task: HarlowTask) -> tuple[jax.Array, HarlowState]:
        side = jax.random.randint(key, (), 0, 2)
        return _look(side, task), HarlowState(side)

    def step(key: jax.Array, state: HarlowState, action: jax.Array, task: HarlowTask) -> Step:
        del key
        ends = jnp.ones((), bool)
        return Step(_look(state.side, task), state, _pays(state, action), ends, ~ends, {})

    return Environment(
        name="harlow",
        settings={"bits": bits},
        observation_space=spaces.Box(-1.0, 1.0, (2 * bits,), np.float32),
        action_space=spaces.Discrete(2),
        horizon=1,
        draw_task=draw_task,
        reset=reset,
        step=step,
        fixed_length=True,
        optimal_return=lambda task: jnp.ones(()),
        mean_reward=lambda state, action, task: _pays(state, action),
        oracle=Oracle(solve=lambda task: jnp.ones(()), value=lambda best, state: best),
        task_features=lambda task: jnp.concatenate(task),
        views={"objects": draw_objects},
        description=f"two objects of {bits} bits, one of which pays, left or right at random",
    )


def _code(number: jax.Array, bits: int) -> jax.Array:
    return 2.0 * ((number >> jnp.arange(bits)) & 1) - 1.0


def _look(side: jax.Array, task: HarlowTask) -> jax.Array:
    """Returns the codes of the left and the right object, one after the other [2 B]."""
    pair = jnp.stack([task.paying, task.other])  # [2, B]
    return jnp.where(side == 0, pair, pair[::-1]).ravel()


def _pays(state: HarlowState, action: Any) -> jax.Array:
    return (action == state.side).astype(jnp.float32)
