"""sums: whether this jaxlib adds up on a CPU.

Two sums whose values are known and exact in float32, so that rounding is no excuse. The first is of ones that are
broadcast from one column, many calls in flight at once: in jaxlib 0.10.2 to 0.11.2 threads write over each other's
partial sums (jax issue 39741; in 6 to 190 of 200 calls on two threads). The second is of squares by rows, of which
jaxlib 0.10.2 takes the last ones of other rows, at every call (jax issue 39103).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

CALLS = 200

_SHAPE = (2, 1024, 1024)
_ROWS = 40_000


def wrong_sums(calls: int = CALLS) -> int:
    """Returns how many of `calls` equal sums are wrong on this machine's CPU; all of them if sums by rows are."""
    with jax.default_device(jax.local_devices(backend="cpu")[0]):
        return calls if rows_are_mixed_up() else lost_partial_sums(calls)


def lost_partial_sums(calls: int) -> int:
    total = jax.jit(lambda column: jnp.broadcast_to(column, _SHAPE).sum())
    ones = jnp.asarray(np.ones((_SHAPE[1], 1), np.float32))
    answers = [total(ones) for _ in range(calls)]
    return sum(float(answer) != np.prod(_SHAPE) for answer in answers)


def rows_are_mixed_up() -> bool:
    unit = np.eye(3, dtype=np.float32)
    squares = jax.jit(jax.vmap(lambda row: ((unit @ row) ** 2).sum()))
    rows = np.repeat(np.arange(_ROWS, dtype=np.float32)[:, None] % 1000, 3, axis=1)
    return not np.array_equal(squares(rows), (rows**2).sum(axis=1))
