"""The size and the beginning of a token policy, free of jax.

Two presets: `laptop`, for searches of minutes, and `paper`, the controller of Neural Optimizer
Search (Bello et al., 2017, arXiv:1709.07417): one LSTM of 150 units, all weights drawn from
U(-0.08, 0.08).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from metarl.reading import Count, CountOrNone, Positive, check_fields

CoreName = Literal["lstm", "gru", "transformer"]
ValueNetwork = Literal["shared", "separate", "none"]


@dataclass(frozen=True)
class TokenPolicyConfig:
    """What a token policy is made of."""

    core: CoreName = "lstm"
    """The core: what carries the choices so far."""

    hidden_size: Count = 64
    """Units of the core."""

    embedding_size: Count = 32
    """Numbers that stand for the last choice."""

    initial_range: Positive | None = None
    """Draw every weight from U(-a, a), as the paper does; None keeps the ordinary initial weights,
    under which the first choices are nearly uniform."""

    value: ValueNetwork = "shared"
    """Whether the value is read off the policy's core, has a network of its own, or is left out (it
    is then 0)."""

    condition_size: CountOrNone = 0
    """Numbers that a sequence is asked for with, which the policy sees at every choice."""

    def __post_init__(self) -> None:
        check_fields(self)


TOKEN_POLICY_PRESETS: dict[str, TokenPolicyConfig] = {
    "laptop": TokenPolicyConfig(),
    "paper": TokenPolicyConfig(
        core="lstm", hidden_size=150, embedding_size=150, initial_range=0.08
    ),
}
