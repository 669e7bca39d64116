"""schedules: what surrounds an update rule in training: a learning-rate schedule and decoupled weight decay.

They are axes of a comparison, the same for every optimizer, and data of a compiled program: one program serves all
schedules and strengths. An optimizer gets the schedule as its learning rate, as any optax transform takes one. The
decaying ones rise to the peak over the first 5 % of the steps and fall to zero at the end of the run; the paper's
linear cosine begins at the peak.

Letters: W steps of the warm-up.

References: Loshchilov and Hutter (2017), SGDR, arXiv:1608.03983 (cosine); (2019), Decoupled Weight Decay
Regularization, arXiv:1711.05101; Bello et al. (2017), arXiv:1709.07417 (linear cosine).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import optax

from metarl.optimizers import linear_cosine_decay

CONSTANT, WARM_UP = "constant", "warm-up"
_WARM_UP = 20  # steps for each of the warm-up: 5 %


def _risen(count: jax.Array, total_steps: Any) -> jax.Array:
    """Returns the share of the rate that the warm-up has reached: 1/W, 2/W ... 1 in its W steps."""
    return jnp.minimum(1.0, (count + 1.0) / warm_up_steps(total_steps))


def _left(count: jax.Array, total_steps: Any) -> jax.Array:
    """Returns the share of the decay that is still to come: 1 in the last step of the warm-up, 0 after the run."""
    last = warm_up_steps(total_steps) - 1
    return 1.0 - jnp.clip((count - last) / (total_steps - last), 0.0, 1.0)


def _cosine(count: jax.Array, total_steps: Any) -> jax.Array:
    fallen = 1.0 - _left(count, total_steps)
    return _risen(count, total_steps) * 0.5 * (1.0 + jnp.cos(jnp.pi * fallen))


# (steps taken, steps of the run) -> share of the peak rate; both may be traced
SCHEDULES: Mapping[str, Callable[[jax.Array, Any], Any]] = MappingProxyType(
    {
        CONSTANT: lambda count, total_steps: jnp.ones_like(count),
        WARM_UP: _risen,
        "linear": lambda count, total_steps: _risen(count, total_steps) * _left(count, total_steps),
        "cosine": _cosine,
        "linear-cosine": lambda count, total_steps: linear_cosine_decay(1.0, 1)(
            count / total_steps
        ),
    }
)


def warm_up_steps(total_steps: Any) -> Any:
    """Returns W: 5 % of the steps, rounded up; the peak rate is reached in the last of them. Traced if they are."""
    return -(-total_steps // _WARM_UP)


def without_decay(name: str) -> str:
    """Returns the schedule of an optimizer that averages its weights in place of a falling rate: it never falls."""
    return CONSTANT if name == CONSTANT else WARM_UP


def scheduled(
    rate: jax.typing.ArrayLike, which: jax.typing.ArrayLike, names: Sequence[str], total_steps: Any
) -> optax.ScalarOrSchedule:
    """Returns a learning rate under one of several schedules.

    Args:
      rate: the peak.
      which: place of the schedule among `names`; may be traced.
      names: of `SCHEDULES`.
      total_steps: of the run; may be traced.

    Returns:
      A function from steps taken to the rate; the rate itself where constant is the only choice.
    """
    if set(names) == {CONSTANT}:
        return rate  # type: ignore[return-value]

    def schedule(count: jax.typing.ArrayLike) -> Any:
        taken = jnp.minimum(jnp.asarray(count, jnp.float32), total_steps)
        shares = [jnp.asarray(SCHEDULES[name](taken, total_steps), jnp.float32) for name in names]
        return rate * (shares[0] if len(shares) == 1 else jnp.stack(shares)[which])

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
