"""Settings of a training, free of jax.

Letters: B trials of an update; T steps of a trial.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args

from metarl.errors import require, unknown_name
from metarl.policy_gradient import PPOConfig, ReinforceConfig, TRPOConfig
from metarl.reading import (
    Bounds,
    Count,
    CountOrNone,
    Fraction,
    Positive,
    Seed,
    check_fields,
    from_dict,
)

AlgorithmName = Literal["ppo", "trpo", "reinforce"]
CoreName = Literal["gru", "lstm", "outer-product", "lru", "delta-rule", "transformer", "none"]
PresetName = Literal["laptop", "paper", "smoke"]
ALGORITHMS = ("ppo", "trpo", "reinforce")
CORES: tuple[CoreName, ...] = get_args(CoreName)
STACKED = ("lru", "delta-rule", "transformer")  # cores of several layers
DEFAULT_ENV_STEPS = 5_000_000
Units = Annotated[int, Bounds(least=1, most=65_536)]


@dataclass(frozen=True)
class WorldConfig:
    """What is to be learnt: an environment, its settings, and the budget of a trial."""

    environment: str = "bandit"
    """A family (`metarl list environments`), or a factory of your own as my_module:factory."""

    arms: Count | None = None
    """Of a bandit."""

    states: Count | None = None
    """Of an MDP."""

    actions: Count | None = None
    """Of an MDP."""

    horizon: Count | None = None
    """Steps of an episode, where the family lets one choose."""

    size: Count | None = None
    """Cells along one side of a grid or a maze."""

    setting: tuple[str, ...] = ()
    """Other settings of the family, as name=value."""

    episodes: Count | None = None
    """Episodes of a trial; 10 if neither this nor --trial-steps is given."""

    trial_steps: Count | None = None
    """Steps of a trial, instead of a number of episodes."""

    def __post_init__(self) -> None:
        check_fields(self)

    def settings(self) -> dict[str, Any]:
        """Returns the settings of the family that were given.

        Raises:
          InvalidInput: one of `setting` is not of the form name=value.
        """
        named = {name: getattr(self, name) for name in _FAMILY_SETTINGS}
        return {k: v for k, v in named.items() if v is not None} | dict(map(_pair, self.setting))


_FAMILY_SETTINGS = ("arms", "states", "actions", "horizon", "size")


@dataclass(frozen=True)
class NetworkConfig:
    """The recurrent network."""

    core: CoreName = "gru"
    """What remembers: "outer-product" is a fast-weight memory that is asked about each action, "lru" a
    linear recurrence, "delta-rule" a fast-weight memory for any world; "none" has no memory."""

    hidden: Units = 64
    """Its units."""

    activation: Literal["tanh", "relu"] = "tanh"
    """Of the GRU's candidate."""

    normalise_weights: bool = False
    """Weight normalisation of the GRU's matrices."""

    input_deviation: Positive | None = 0.5
    """Of the GRU's first weights from the input; None draws them Xavier uniform, as the paper does,
    for which one-hot inputs are small, and so does the front for images."""

    memory_keys: Units = 64
    """Of the outer-product memory: its rows."""

    memory_values: Units = 8
    """Of the outer-product memory: its columns."""

    layers: Annotated[int, Bounds(least=1, most=64)] = 2
    """Of lru, delta-rule and transformer: how many stand one above the other."""

    heads: Units = 4
    """Of each layer of delta-rule and transformer."""

    context: Units | None = None
    """Of the transformer: how many steps a layer looks back, itself included; the whole trial if not
    given."""

    value: Literal["separate", "shared"] = "separate"
    """Whether the value has a network of its own."""

    privileged_value: bool = True
    """Let a separate value network see the task in training; as a baseline it stays unbiased."""

    pairs: bool = False
    """Show the previous observation and action as one pair too, alone and times the reward; only
    where both are discrete."""

    filters: Units = 16
    """Where observations are images: of each of the two convolutions."""

    beside: Units = 64
    """Where observations are images: units of the layer for action, reward and flag."""

    truncate: Count | None = None
    """Cut the gradient every so many steps of a trial, where memory is short; None never does."""

    def __post_init__(self) -> None:
        check_fields(self)
        parts = {"delta-rule": self.heads, "transformer": 2 * self.heads}.get(self.core, 1)
        require(
            self.hidden % parts == 0,
            f"hidden is {self.hidden}; with {self.heads} heads of {self.core} it must be a multiple "
            f"of {parts}.",
        )


@dataclass(frozen=True)
class ImitationConfig:
    """How a warm start learns from its teacher."""

    env_steps: CountOrNone = 10_000_000
    """Environment steps of imitation."""

    batch_steps: Count = 6_400
    """Environment steps of an update."""

    learning_rate: Positive = 1e-2
    """Of Adam, after a short rise; it falls to 0 along a cosine."""

    teacher_share: Fraction = 0.3
    """In how many trials the teacher acts; in the others the student does, and is told what the
    teacher would have done."""

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

    discount: Annotated[float, Bounds(above=0, most=1)] = 0.99
    """Of the whole trial: it runs through the ends of inner episodes."""

    batch_steps: Count = 25_600
    """Environment steps of an update, in whole trials."""

    learning_rate_decay: bool = True
    """Let PPO's learning rate fall to 0 along a cosine over --env-steps."""

    env_steps: Count | None = None
    """The budget in environment steps; five million if there is no time limit either."""

    minutes: Positive | None = None
    """The budget as a time limit; the run stores the number of steps that repeats it."""

    seed: Seed = 0
    """Of everything random."""

    seeds: Count = 1
    """Agents trained side by side, from seeds of their own; the best on validation tasks is kept."""

    warm_start: str | None = None
    """A classical agent to imitate first, with its settings ("gittins", "ucb1:c=0.2")."""

    imitation: ImitationConfig = field(default_factory=ImitationConfig)

    init_from: str | None = None
    """A trained agent to start from: a file, a run or a name."""

    value_warm_up: CountOrNone = 20
    """Updates of reinforcement in which the value learns alone, where the policy has learnt before."""

    validation_tasks: Count = 1_000
    """On how many validation tasks the agent is tried in between."""

    validation_every: Count = 1_000_000
    """Environment steps from one trial on validation tasks to the next."""

    patience: Count | None = None
    """Stop after so many trials on validation tasks without a new best; None never does."""

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def budget(self) -> int | None:
        """Environment steps of reinforcement; None if the clock alone ends the run."""
        if self.env_steps is None and self.minutes is None:
            return DEFAULT_ENV_STEPS
        return self.env_steps

    def to_json(self) -> dict[str, Any]:
        """Returns the settings as JSON can hold them; `train_config` is the inverse."""
        return dataclasses.asdict(self)


def preset(name: PresetName, world: WorldConfig | None = None) -> TrainConfig:
    """Returns a named set of settings.

    Args:
      name: "laptop" (GRU of 64, minutes on two cores), "paper" (the settings of Duan et al.) or
        "smoke" (seconds; to see whether everything works).
      world: what is to be learnt; the five-armed bandit if None.

    Raises:
      InvalidInput: there is no such preset.
    """
    if name not in PRESETS:
        raise unknown_name("preset", name, PRESETS)
    return dataclasses.replace(PRESETS[name], world=world or WorldConfig())


PRESETS: dict[str, TrainConfig] = {
    "laptop": TrainConfig(),
    "paper": TrainConfig(
        network=NetworkConfig(
            hidden=256,
            activation="relu",
            normalise_weights=True,
            input_deviation=None,
            privileged_value=False,
            beside=256,
        ),
        ppo=PPOConfig(
            learning_rate=1e-3,
            epochs=5,
            minibatches=16,
            clip=0.1,
            max_kl=0.01,
            gae_lambda=0.3,
            value_target="monte_carlo",
            entropy_weight=0.0,
            max_gradient_norm=None,
        ),
        trpo=TRPOConfig(max_kl=0.01, gae_lambda=0.3, value_target="monte_carlo"),
        batch_steps=250_000,
        learning_rate_decay=False,
        env_steps=75_000_000,
    ),
    "smoke": TrainConfig(
        network=NetworkConfig(hidden=16),
        batch_steps=2_000,
        env_steps=20_000,
        imitation=ImitationConfig(env_steps=20_000, batch_steps=2_000),
        value_warm_up=1,
        validation_tasks=100,
        validation_every=10_000,
    ),
}


def train_config(values: dict[str, Any], source: str = "the configuration") -> TrainConfig:
    """Returns the settings that `TrainConfig.to_json` gave.

    Raises:
      InvalidInput: a name is unknown or a value cannot be used; `source` names the file.
    """
    return from_dict(TrainConfig, values, source)


def _pair(text: str) -> tuple[str, Any]:
    """Returns the name and the value of "name=value"; what looks like a number is one."""
    name, equals, value = text.partition("=")
    require(bool(name and equals and value), f"--setting {text!r} is not of the form name=value.")
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, {"true": True, "false": False}.get(value.casefold(), value)
