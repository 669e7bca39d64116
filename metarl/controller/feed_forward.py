"""A core without memory: what it gives depends on the inputs of the step alone.

With it a policy is an ordinary feed-forward network; all its layers stand in the encoder.
"""

from __future__ import annotations

import haiku as hk
import jax

from .cores import Core


class Memoryless(hk.RNNCore):
    """Hands its inputs on; its state is empty."""

    takes_sequences = True

    def __call__(self, inputs: jax.Array, prev_state: tuple[()]) -> tuple[jax.Array, tuple[()]]:
        """Returns the inputs as they are, of one step [B, F] or of a sequence [T, B, F]."""
        return inputs, prev_state

    def initial_state(self, batch_size: int | None) -> tuple[()]:
        """Returns nothing."""
        del batch_size
        return ()


def memoryless() -> Core:
    """Returns the maker of a `Memoryless`."""
    return Memoryless
