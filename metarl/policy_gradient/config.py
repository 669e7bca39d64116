"""Settings of the outer algorithms, free of jax."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Literal

from metarl.errors import require
from metarl.reading import Bounds, Count, CountOrNone, Fraction, NotNegative, Positive, check_fields

Baseline = Literal["value", "moving_average", "batch_mean", "none"]
ValueTarget = Literal["lambda", "monte_carlo"]
ValueLoss = Literal["squared", "two-hot", "hl-gauss"]


@dataclass(frozen=True)
class ValueConfig:
    """How the value is told, and what it loses by telling it wrong."""

    loss: ValueLoss = "squared"
    """The squared error of a number, or the value as probabilities of bins, which learn by cross-entropy: "two-hot"
    by the two bins beside a number (as MuZero), "hl-gauss" by a normal distribution around it (Imani & White
    2018; Farebrother et al. 2024, arXiv:2403.03950)."""

    bins: Annotated[int, Bounds(least=2, most=1023)] = 51
    """How many bins there are."""

    limit: Annotated[float, Bounds(above=0, most=1e6)] = 5.0
    """The largest value that they tell, and minus the least; what is beyond is cut. In the unit of the value: running
    deviations of its targets from their running mean, where it is normalised, else that of rewards."""

    smoothing: Annotated[float, Bounds(least=0.1, most=100)] = 0.75
    """Deviation of hl-gauss, in distances from bin to bin."""

    squashed: bool = False
    """Let the bins be narrow near 0 and wide far from it, by MuZero's √(|x| + 1) - 1 + x / 1000; for values of
    which one limit does not fit all."""

    def __post_init__(self) -> None:
        check_fields(self)
        of_bins = [each for each in fields(self) if each.name != "loss"]
        given = [each.name for each in of_bins if getattr(self, each.name) != each.default]
        require(
            self.loss != "squared" or not given,
            f"{', '.join(f'value.{name}' for name in given)} given with value.loss 'squared', which has no bins; give "
            "--value.loss two-hot or hl-gauss, or leave it out.",
        )
        require(
            self.loss != "two-hot" or "smoothing" not in given,
            f"value.smoothing is {self.smoothing:g} and value.loss 'two-hot', which does not smooth; give --value.loss "
            "hl-gauss.",
        )


@dataclass(frozen=True)
class ReinforceConfig:
    """Settings of REINFORCE."""

    learning_rate: Positive = 3e-3
    """Step size of Adam."""

    baseline: Baseline = "moving_average"
    """What is subtracted from the return: the policy's value, the moving average of past mean
    returns, the batch's mean return at the same step, or nothing."""

    baseline_decay: Fraction = 0.95
    """How much of the moving average stays at each update; with baseline "value", of the moments of
    returns."""

    preserve_values: bool = False
    """With baseline "value": rewrite its last layer whenever its unit, the moments of returns, changes, so that of
    every state it says what it said before (PopArt; van Hasselt et al. 2016, arXiv:1602.07714)."""

    standardise_advantages: bool = False
    """Bring the advantages of a batch to mean 0 and deviation 1."""

    entropy_weight: NotNegative = 0.01
    """Weight of the mean entropy, which is rewarded."""

    value_weight: NotNegative = 0.5
    """Weight of the value's loss; only with baseline "value"."""

    max_gradient_norm: Positive | None = None
    """Clip the global norm of the gradient to this; None leaves it as it is."""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class PPOConfig:
    """Settings of proximal policy optimisation."""

    learning_rate: Positive = 1e-3
    """Step size of Adam."""

    value_learning_rate: Positive | None = None
    """Step size of the parameters that move the value alone; None for the same."""

    decay_updates: Count | None = None
    """Let the learning rate fall to 0 along a cosine over so many updates; None keeps it."""

    epochs: Count = 4
    """Passes over the batch in one update."""

    minibatches: Count = 4
    """Gradient steps in one epoch; each sees whole sequences, and their number must divide that of
    the sequences."""

    accumulation: Count = 1
    """Parts of a minibatch whose gradients are computed one after the other and summed: the same step but
    for rounding, in less memory, which on a CPU may fit the caches."""

    shuffle_groups: Count = 1
    """Shuffle sequences within so many groups, each a share of the batch; as many as devices, or a
    multiple, and none travels between devices. Results depend on it, and not on the devices."""

    clip: Positive = 0.2
    """The ratio of new to old probability earns nothing beyond 1 - clip and 1 + clip."""

    max_kl: Positive | None = None
    """Keep the best epoch among those whose mean KL from the old policy is at most this; None keeps
    the last."""

    gae_lambda: Fraction = 0.95
    """Lambda of the advantages: 0 trusts the values, 1 trusts the returns."""

    value_target: ValueTarget = "lambda"
    """What the value learns: the lambda-return, or the discounted return itself."""

    normalise_values: bool = True
    """Let the value speak in units of the running mean and deviation of its targets."""

    normalisation_decay: Fraction = 0.99
    """How much of that running mean and deviation stays at each update."""

    preserve_values: bool = False
    """Rewrite the last layer of the value whenever that unit changes, so that of every state it says what it said
    before (PopArt; van Hasselt et al. 2016, arXiv:1602.07714). Without, a change of the unit changes what
    all states are held to be worth."""

    standardise_advantages: bool = True
    """Bring the advantages of a batch to mean 0 and deviation 1."""

    entropy_weight: NotNegative = 0.01
    """Weight of the mean entropy, which is rewarded."""

    entropy_decay: bool = False
    """Let that weight fall to 0 as the learning rate does, where it does (decay_updates)."""

    value_weight: NotNegative = 0.5
    """Weight of the value's loss."""

    max_gradient_norm: Positive | None = 0.5
    """Clip the global norm of the gradient to this; None leaves it as it is."""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class TRPOConfig:
    """Settings of trust region policy optimisation."""

    max_kl: Positive = 0.01
    """Bound of the mean KL from the old to the new policy; no update leaves it."""

    conjugate_gradient_steps: Count = 10
    """Steps towards the natural gradient, each one Fisher-vector product."""

    damping: NotNegative = 0.01
    """Multiple of the identity added to the Fisher matrix."""

    backtracks: Count = 10
    """How many times the step may be shrunk before the update is given up."""

    backtrack_factor: Fraction = 0.5
    """What the step is multiplied by each time."""

    gae_lambda: Fraction = 0.95
    """Lambda of the advantages: 0 trusts the values, 1 trusts the returns."""

    value_target: ValueTarget = "lambda"
    """What the value learns: the lambda-return, or the discounted return itself."""

    normalise_values: bool = True
    """Let the value speak in units of the running mean and deviation of its targets."""

    normalisation_decay: Fraction = 0.99
    """How much of that running mean and deviation stays at each update."""

    preserve_values: bool = False
    """Rewrite the last layer of the value whenever that unit changes, so that of every state it says what it said
    before (PopArt; van Hasselt et al. 2016, arXiv:1602.07714). Without, a change of the unit changes what
    all states are held to be worth."""

    standardise_advantages: bool = True
    """Bring the advantages of a batch to mean 0 and deviation 1."""

    entropy_weight: NotNegative = 0.0
    """Weight of the mean entropy, which is rewarded."""

    advantage_floor: NotNegative = 0.0
    """Deviation of the advantages, in units of that of the value's targets, below which steps are shorter in
    proportion; 0: none are. The bound is reached however small the advantages, so that where all actions are
    as good the policy would follow the errors of the value."""

    value_learning_rate: Positive = 1e-3
    """Step size of Adam for the parameters that the value has to itself."""

    value_epochs: CountOrNone = 4
    """Passes over the batch that fit the value; 0 leaves it as it is."""

    value_minibatches: Count = 4
    """Gradient steps in one such epoch; their number must divide that of the sequences."""

    shuffle_groups: Count = 1
    """Shuffle sequences within so many groups, each a share of the batch; as many as devices, or a
    multiple, and none travels between devices. Results depend on it, and not on the devices."""

    def __post_init__(self) -> None:
        check_fields(self)


Config = ReinforceConfig | PPOConfig | TRPOConfig
