"""The size and the beginning of a token policy, free of jax.

Two presets: `laptop`, for searches of minutes, and `paper`, the controller of Neural Optimizer
Search (Bello et al., 2017, arXiv:1709.07417): one LSTM of 150 units, all weights drawn from
U(-0.08, 0.08).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from metarl.errors import require

CoreName = Literal["lstm", "gru"]
ValueNetwork = Literal["shared", "separate", "none"]


@dataclass(frozen=True)
class TokenPolicyConfig:
    """What a token policy is made of."""

    core: CoreName = "lstm"
    """The recurrent core."""

    hidden_size: int = 64
    """Units of the core."""

    embedding_size: int = 32
    """Numbers that stand for the last choice."""

    initial_range: float | None = None
    """Draw every weight from U(-a, a), as the paper does; None keeps the ordinary initial weights,
    under which the first choices are nearly uniform."""

    value: ValueNetwork = "shared"
    """Whether the value is read off the policy's core, has a network of its own, or is left out (it
    is then 0)."""

    def __post_init__(self) -> None:
        _require_member("core", self.core, ("lstm", "gru"))
        _require_member("value", self.value, ("shared", "separate", "none"))
        for name in ("hidden_size", "embedding_size"):
            size = getattr(self, name)
            require(size >= 1, f"{name} is {size}; it must be at least 1.")
        require(
            self.initial_range is None or self.initial_range > 0,
            f"initial_range is {self.initial_range}; it must be positive, or None for the "
            "ordinary initial weights.",
        )


def _require_member(field: str, received: str, accepted: tuple[str, ...]) -> None:
    require(
        received in accepted, f"{field} is {received!r}; it must be one of {', '.join(accepted)}."
    )


TOKEN_POLICY_PRESETS: dict[str, TokenPolicyConfig] = {
    "laptop": TokenPolicyConfig(),
    "paper": TokenPolicyConfig(
        core="lstm", hidden_size=150, embedding_size=150, initial_range=0.08
    ),
}
