"""Settings of the outer algorithms, free of jax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from metarl.errors import require

Baseline = Literal["value", "moving_average", "batch_mean", "none"]
ValueTarget = Literal["lambda", "monte_carlo"]


@dataclass(frozen=True)
class ReinforceConfig:
    """Settings of REINFORCE."""

    learning_rate: float = 3e-3
    """Step size of Adam."""

    baseline: Baseline = "moving_average"
    """What is subtracted from the return: the policy's value, the moving average of past mean
    returns, the batch's mean return at the same step, or nothing."""

    baseline_decay: float = 0.95
    """How much of the moving average stays at each update; with baseline "value", of the moments of
    returns."""

    standardise_advantages: bool = False
    """Bring the advantages of a batch to mean 0 and deviation 1."""

    entropy_weight: float = 0.01
    """Weight of the mean entropy, which is rewarded."""

    value_weight: float = 0.5
    """Weight of the value's squared error; only with baseline "value"."""

    max_gradient_norm: float | None = None
    """Clip the global norm of the gradient to this; None leaves it as it is."""

    def __post_init__(self) -> None:
        _require_positive(self, "learning_rate")
        _require_member(self, "baseline", ("value", "moving_average", "batch_mean", "none"))
        _require_fraction(self, "baseline_decay")
        _require_not_negative(self, "entropy_weight", "value_weight")
        _require_positive_or_none(self, "max_gradient_norm")


@dataclass(frozen=True)
class PPOConfig:
    """Settings of proximal policy optimisation."""

    learning_rate: float = 1e-3
    """Step size of Adam."""

    value_learning_rate: float | None = None
    """Step size of the parameters that move the value alone; None for the same."""

    decay_updates: int | None = None
    """Let the learning rate fall to 0 along a cosine over so many updates; None keeps it."""

    epochs: int = 4
    """Passes over the batch in one update."""

    minibatches: int = 4
    """Gradient steps in one epoch; each sees whole sequences, and their number must divide that of
    the sequences."""

    shuffle_groups: int = 1
    """Shuffle sequences within so many groups, each a share of the batch; as many as devices, or a
    multiple, and none travels between devices. Results depend on it, and not on the devices."""

    clip: float = 0.2
    """The ratio of new to old probability earns nothing beyond 1 - clip and 1 + clip."""

    max_kl: float | None = None
    """Keep the best epoch among those whose mean KL from the old policy is at most this; None keeps
    the last."""

    gae_lambda: float = 0.95
    """Lambda of the advantages: 0 trusts the values, 1 trusts the returns."""

    value_target: ValueTarget = "lambda"
    """What the value learns: the lambda-return, or the discounted return itself."""

    normalise_values: bool = True
    """Let the value speak in units of the running mean and deviation of its targets."""

    normalisation_decay: float = 0.99
    """How much of that running mean and deviation stays at each update."""

    standardise_advantages: bool = True
    """Bring the advantages of a batch to mean 0 and deviation 1."""

    entropy_weight: float = 0.01
    """Weight of the mean entropy, which is rewarded."""

    value_weight: float = 0.5
    """Weight of the value's squared error."""

    max_gradient_norm: float | None = 0.5
    """Clip the global norm of the gradient to this; None leaves it as it is."""

    def __post_init__(self) -> None:
        _require_positive(self, "learning_rate", "clip")
        _require_count(self, "epochs", "minibatches", "shuffle_groups")
        _require_positive_or_none(self, "decay_updates", "max_kl", "max_gradient_norm")
        _require_positive_or_none(self, "value_learning_rate")
        _require_fraction(self, "gae_lambda", "normalisation_decay")
        _require_member(self, "value_target", ("lambda", "monte_carlo"))
        _require_not_negative(self, "entropy_weight", "value_weight")


@dataclass(frozen=True)
class TRPOConfig:
    """Settings of trust region policy optimisation."""

    max_kl: float = 0.01
    """Bound of the mean KL from the old to the new policy; no update leaves it."""

    conjugate_gradient_steps: int = 10
    """Steps towards the natural gradient, each one Fisher-vector product."""

    damping: float = 0.01
    """Multiple of the identity added to the Fisher matrix."""

    backtracks: int = 10
    """How many times the step may be shrunk before the update is given up."""

    backtrack_factor: float = 0.5
    """What the step is multiplied by each time."""

    gae_lambda: float = 0.95
    """Lambda of the advantages: 0 trusts the values, 1 trusts the returns."""

    value_target: ValueTarget = "lambda"
    """What the value learns: the lambda-return, or the discounted return itself."""

    normalise_values: bool = True
    """Let the value speak in units of the running mean and deviation of its targets."""

    normalisation_decay: float = 0.99
    """How much of that running mean and deviation stays at each update."""

    standardise_advantages: bool = True
    """Bring the advantages of a batch to mean 0 and deviation 1."""

    entropy_weight: float = 0.0
    """Weight of the mean entropy, which is rewarded."""

    value_learning_rate: float = 1e-3
    """Step size of Adam for the parameters that the value has to itself."""

    value_epochs: int = 4
    """Passes over the batch that fit the value; 0 leaves it as it is."""

    value_minibatches: int = 4
    """Gradient steps in one such epoch; their number must divide that of the sequences."""

    shuffle_groups: int = 1
    """Shuffle sequences within so many groups, each a share of the batch; as many as devices, or a
    multiple, and none travels between devices. Results depend on it, and not on the devices."""

    def __post_init__(self) -> None:
        _require_positive(self, "max_kl", "value_learning_rate")
        _require_count(self, "conjugate_gradient_steps", "backtracks")
        _require_count(self, "value_minibatches", "shuffle_groups")
        _require_not_negative(self, "damping", "entropy_weight", "value_epochs")
        _require_fraction(self, "gae_lambda", "normalisation_decay", "backtrack_factor")
        _require_member(self, "value_target", ("lambda", "monte_carlo"))


Config = ReinforceConfig | PPOConfig | TRPOConfig


def _require_positive(config: Config, *names: str) -> None:
    for name in names:
        number = getattr(config, name)
        require(number > 0, f"{name} is {number}; it must be positive.")


def _require_positive_or_none(config: Config, *names: str) -> None:
    for name in names:
        number = getattr(config, name)
        require(number is None or number > 0, f"{name} is {number}; it must be positive, or None.")


def _require_not_negative(config: Config, *names: str) -> None:
    for name in names:
        number = getattr(config, name)
        require(number >= 0, f"{name} is {number}; it must not be negative.")


def _require_count(config: Config, *names: str) -> None:
    for name in names:
        number = getattr(config, name)
        require(number >= 1, f"{name} is {number}; it must be at least 1.")


def _require_fraction(config: Config, *names: str) -> None:
    for name in names:
        number = getattr(config, name)
        require(0 <= number <= 1, f"{name} is {number}; it must lie between 0 and 1.")


def _require_member(config: Config, name: str, accepted: tuple[str, ...]) -> None:
    received = getattr(config, name)
    require(
        received in accepted, f"{name} is {received!r}; it must be one of {', '.join(accepted)}."
    )
