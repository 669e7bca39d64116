"""schedules: what surrounds an update rule in training: a learning-rate schedule and decoupled weight decay.

They are axes of a comparison, the same for every optimizer, and data of a compiled program: one program serves all
schedules and strengths. An optimizer gets the schedule as its learning rate, as any optax transform takes one.

References: Loshchilov and Hutter (2017), SGDR, arXiv:1608.03983 (cosine); (2019), Decoupled Weight Decay
Regularization, arXiv:1711.05101; Bello et al. (2017), arXiv:1709.07417 (linear cosine).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import optax

from metarl.optimizers import linear_cosine_decay

CONSTANT = "constant"

# Of a run of one step: what they are called with is the share of the run that is done.
SCHEDULES: Mapping[str, optax.Schedule] = MappingProxyType(
    {
        CONSTANT: optax.constant_schedule(1.0),
        "linear": optax.linear_schedule(1.0, 0.0, 1),
        "cosine": optax.cosine_decay_schedule(1.0, 1),
        "linear-cosine": linear_cosine_decay(1.0, 1),
    }
)


def scheduled(
    rate: jax.typing.ArrayLike, which: jax.typing.ArrayLike, names: Sequence[str], total_steps: int
) -> optax.ScalarOrSchedule:
    """Returns a learning rate under one of several schedules.

    Args:
      rate: at the start.
      which: place of the schedule among `names`; may be traced.
      names: of `SCHEDULES`.
      total_steps: of the run.

    Returns:
      A function from steps taken to the rate; the rate itself where constant is the only choice.
    """
    if tuple(names) == (CONSTANT,):
        return rate  # type: ignore[return-value]

    def schedule(count: jax.typing.ArrayLike) -> Any:
        progress = jnp.minimum(jnp.asarray(count, jnp.float32), total_steps) / total_steps
        shares = [jnp.asarray(SCHEDULES[name](progress), jnp.float32) for name in names]
        return rate * jnp.stack(shares)[which]

    return schedule


def with_weight_decay(
    transform: optax.GradientTransformation,
    learning_rate: optax.ScalarOrSchedule,
    strength: jax.typing.ArrayLike,
) -> optax.GradientTransformation:
    """Returns a transform after whose updates the parameters also move by -learning rate x strength x parameters.

    The same for every optimizer, whatever decay it has of its own.
    """

    def init(params: Any) -> tuple[Any, jax.Array]:
        return transform.init(params), jnp.int32(0)

    def update(
        grads: Any, state: tuple[Any, jax.Array], params: Any = None
    ) -> tuple[Any, tuple[Any, jax.Array]]:
        inner, count = state
        updates, inner = transform.update(grads, inner, params)
        rate = learning_rate(count) if callable(learning_rate) else learning_rate
        decay = rate * strength
        updates = jax.tree.map(lambda u, w: u - (decay * w).astype(u.dtype), updates, params)
        return updates, (inner, count + 1)

    return optax.GradientTransformation(init, update)  # type: ignore[arg-type]
