"""Settings of a training, free of jax.

Letters: B trials of an update; T steps of a trial.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from metarl.errors import require
from metarl.policy_gradient import PPOConfig, ReinforceConfig, TRPOConfig, ValueConfig
from metarl.reading import (
    Bounds,
    Budget,
    BudgetOrNone,
    Count,
    CountOrNone,
    Fraction,
    NotNegative,
    Positive,
    Seed,
    Seeds,
    Tasks,
    check_fields,
    from_dict,
)

from .network_config import NetworkConfig
from .world_config import WorldConfig

AlgorithmName = Literal["ppo", "trpo", "reinforce"]
VarianceReduction = Literal["none", "mean", "regret"]
Distillation = Literal["none", "algorithm", "decision"]
ALGORITHMS = ("ppo", "trpo", "reinforce")
DEFAULT_ENV_STEPS = 5_000_000


@dataclass(frozen=True)
class ImitationConfig:
    """How a warm start, or an agent that is distilled, learns from its teacher."""

    env_steps: BudgetOrNone = 10_000_000
    """Environment steps of a warm start; those of --distil are --env-steps."""

    batch_steps: Count = 6_400
    """Environment steps of an update."""

    learning_rate: Positive = 1e-2
    """Of Adam, after a short rise; it falls to 0 along a cosine."""

    teacher_share: Fraction = 0.3
    """In how many trials the teacher acts; in the others the student does, and is told what the
    teacher would have done. With --distil algorithm the teacher acts in all."""

    skip: Count = 1
    """Of the histories of --distil algorithm every so many-th episode is shown, so that who learns to go on
    from them learns so many times as fast as its teacher."""

    max_gradient_norm: Positive = 1.0
    """Clip the global norm of the gradient to this."""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class TrainConfig:
    """Everything a training depends on."""

    world: WorldConfig = field(default_factory=WorldConfig)
    algorithm: AlgorithmName = "ppo"
    """The outer loop."""

    network: NetworkConfig = field(default_factory=NetworkConfig)
    ppo: PPOConfig = field(
        default_factory=lambda: PPOConfig(learning_rate=3e-3, entropy_weight=0.0)
    )
    trpo: TRPOConfig = field(default_factory=TRPOConfig)
    reinforce: ReinforceConfig = field(
        default_factory=lambda: ReinforceConfig(
            baseline="value", standardise_advantages=True, entropy_weight=0.0
        )
    )

    value: ValueConfig = field(default_factory=ValueConfig)
    optimizer: str = "adam"
    """What takes the steps of PPO and REINFORCE: a usual name (adam, muon, soap ...), a rule that `metarl list
    rules` prints, those found by searches among them, or a rule's text."""

    average_weights: Annotated[float, Bounds(above=0, most=0.9999)] | None = None
    """Try and hand over an average of the policy's weights over the updates of reinforcement, in which older ones
    count by so much less from update to update (0.9: the latest ten or so); learning goes on without it.
    None hands over the weights themselves."""

    discount: Annotated[float, Bounds(above=0, most=1)] = 0.99
    """Of the whole trial: it runs through the ends of inner episodes."""

    variance_reduction: VarianceReduction = "none"
    """What the simulator knows is taken out of the rewards of training, which leaves the expected gradient
    of the return as it is: "mean" replaces a reward by its mean, "regret" by what it falls short of the
    best expected return. Nothing of it is needed to act; tables mark it."""

    auxiliary_weight: NotNegative = 0.0
    """Let PPO, a warm start and --distil also teach the memory to predict what the simulator knows of the state, where
    the world says what (mazes do): so much of the cross-entropy is added to the loss. Nothing of it is needed to
    act; tables mark it."""

    batch_steps: Count = 25_600
    """Environment steps of an update, in whole trials."""

    learning_rate_decay: bool = True
    """Let PPO's learning rate fall to 0 along a cosine over --env-steps, or over --ppo.decay-updates where that is
    given."""

    env_steps: Budget | None = None
    """The budget in environment steps; five million if there is no time limit either."""

    minutes: Positive | None = None
    """The budget as a time limit on learning, compiling not counted; the run stores the number of steps
    that repeats it."""

    seed: Seed = 0
    """Of everything random."""

    seeds: Seeds = 1
    """Agents trained side by side, from seeds of their own; the best on validation tasks is kept."""

    warm_start: str | None = None
    """A classical agent to imitate first, with its settings ("gittins", "ucb1:c=0.2")."""

    distil: Distillation = "none"
    """Learn without reinforcement, through all of --env-steps, from histories of --teacher: "algorithm" to
    do what it does next (Laskin et al. 2022), "decision" what is best in the task (Lee et al. 2023)."""

    teacher: str | None = None
    """Whose histories --distil learns from: a classical agent or a learner from scratch, with its settings
    ("ucb1:c=0.2", "q-learning")."""

    imitation: ImitationConfig = field(default_factory=ImitationConfig)

    init_from: str | None = None
    """A trained agent to start from: a file, a run or a name."""

    value_warm_up: CountOrNone = 20
    """Updates of reinforcement in which the value learns alone, where the policy has learnt before or goes by plans
    (`inner_trust`)."""

    validation_tasks: Tasks = 1_000
    """On how many validation tasks the agent is tried in between; by default fewer in a world on the host."""

    validation_every: Budget = 1_000_000
    """Environment steps from one trial on validation tasks to the next."""

    patience: Budget | None = None
    """Stop after so many trials on validation tasks without a new best, not counting those of a warm start, or of
    a policy that rests while the value learns alone; None never does."""

    def __post_init__(self) -> None:
        check_fields(self)
        self._check_distillation()
        require(
            self.auxiliary_weight == 0 or self.algorithm == "ppo" or self.distil != "none",
            f"auxiliary_weight is {self.auxiliary_weight:g} and algorithm {self.algorithm!r}, whose loss has no such "
            "term; leave --auxiliary-weight out, or give --algorithm ppo.",
        )

    def _check_distillation(self) -> None:
        distils = self.distil != "none"
        require(
            distils == (self.teacher is not None),
            f"distil is {self.distil!r} and teacher {self.teacher!r}; give both --distil algorithm or "
            "decision and --teacher NAME, or neither.",
        )
        require(
            not (distils and self.warm_start),
            f"warm_start is {self.warm_start!r} and distil {self.distil!r}; give --warm-start to reinforce after "
            "imitation, or --distil to learn from histories alone.",
        )
        require(
            not distils or self.budget is not None,
            "--distil needs --env-steps, over which its learning rate falls; --minutes may end it before.",
        )
        require(
            not distils or self.optimizer == "adam",
            f"optimizer is {self.optimizer!r} and distil {self.distil!r}, which learns by Adam; leave --optimizer out.",
        )
        require(
            not distils or self.average_weights is None,
            f"average_weights is {self.average_weights} and distil {self.distil!r}, which has no updates of "
            "reinforcement to average over; leave --average-weights out.",
        )
        require(
            not distils or self.value.loss == "squared",
            f"value.loss is {self.value.loss!r} and distil {self.distil!r}, which has none; leave --value.loss out.",
        )
        require(
            self.imitation.skip == 1 or self.distil == "algorithm",
            f"imitation.skip is {self.imitation.skip}, and only --distil algorithm leaves out episodes; give 1.",
        )

    @property
    def budget(self) -> int | None:
        """Environment steps of reinforcement; None if the clock alone ends the run."""
        if self.env_steps is None and self.minutes is None:
            return DEFAULT_ENV_STEPS
        return self.env_steps

    def to_json(self) -> dict[str, Any]:
        """Returns the settings as JSON can hold them; `train_config` is the inverse."""
        return dataclasses.asdict(self)


def train_config(values: dict[str, Any], source: str = "the configuration") -> TrainConfig:
    """Returns the settings that `TrainConfig.to_json` gave.

    Raises:
      InvalidInput: a name is unknown or a value cannot be used; `source` names the file.
    """
    return from_dict(TrainConfig, values, source)
