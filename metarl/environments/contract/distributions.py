"""What a family says of its own tasks: the distribution they are drawn from, as a reasoner may know it.

Agents that reason from a prior take it from here, so that their beliefs are true where they are not
told otherwise; an agent that assumes more than is said here (arms that stay as they are, say) is
pointed out in tables. A family that says nothing is believed to be none of these.

Letters: K arms; S states; A actions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from metarl.errors import require


@dataclass(frozen=True)
class BanditDistribution:
    """Bandits whose K arms are drawn alike.

    Attributes:
      rewards: "bernoulli": 1 with an arm's mean as the probability, else 0; "gaussian": an arm's
        mean and normal noise.
      prior: of each arm's mean, at the first pull: a and b of Beta(a, b), or mean and deviation of
        a normal distribution.
      noise: deviation of a reward from its arm's mean, in units of reward; of Gaussian rewards.
      stationary: means stay as they are within a trial.
      independent: one arm tells nothing of another.
      features: of each arm [K][d], if means are features · θ; the prior is then that of each component
        of θ, and arms are not independent.
    """

    rewards: Literal["bernoulli", "gaussian"] = "bernoulli"
    prior: tuple[float, float] = (1.0, 1.0)
    noise: float = 0.0
    stationary: bool = True
    independent: bool = True
    features: tuple[tuple[float, ...], ...] | None = None

    @property
    def of_one_arm(self) -> tuple[float, float]:
        """The prior of one arm's mean, taken by itself; of linear bandits over all arms."""
        if self.features is None:
            return self.prior
        (mean, deviation), count = self.prior, len(self.features)
        centres = [mean * sum(row) for row in self.features]
        centre = sum(centres) / count
        squares = (deviation**2 * sum(x * x for x in row) for row in self.features)
        spread = sum((c - centre) ** 2 for c in centres)
        return centre, math.sqrt((sum(squares) + spread) / count)

    def __post_init__(self) -> None:
        kinds, (first, second) = ("bernoulli", "gaussian"), self.prior
        require(self.rewards in kinds, f"rewards are {self.rewards!r}; they must be {kinds}.")
        require(
            all(map(math.isfinite, (first, second, self.noise))) and self.noise >= 0,
            f"prior is {self.prior} and noise {self.noise}; they must be finite, and noise at least 0.",
        )
        require(
            second >= 0 if self.rewards == "gaussian" else min(first, second) > 0,
            f"prior is {self.prior}; it must be a and b of Beta(a, b), above 0, or mean and "
            "deviation, at least 0.",
        )


@dataclass(frozen=True)
class MDPDistribution:
    """Tabular MDPs whose S A pairs of state and action are drawn alike and independently.

    Attributes:
      alpha: transitions of each pair ~ Dirichlet(alpha, ..., alpha).
      mean: of the mean reward of a pair.
      deviation: of the mean reward of a pair; normal.
      noise: deviation of a reward from its mean; normal.
    """

    alpha: float = 1.0
    mean: float = 1.0
    deviation: float = 1.0
    noise: float = 1.0

    def __post_init__(self) -> None:
        numbers = (self.alpha, self.mean, self.deviation, self.noise)
        require(
            all(map(math.isfinite, numbers)) and self.alpha > 0 and min(numbers[2:]) >= 0,
            f"{self} is none: alpha must be above 0, deviation and noise at least 0, all finite.",
        )


Distribution = BanditDistribution | MDPDistribution
