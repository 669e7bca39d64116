"""Settings of learners from scratch, free of jax.

A sentence under a field ends with the source of its default, where there is one:

  Mnih        Mnih et al. (2015), Human-level control through deep reinforcement learning
  Ecoffet     Ecoffet et al. (2019), arXiv:1901.10995
  Salimans    Salimans & Chen (2018), arXiv:1812.03381
  Even-Dar    Even-Dar & Mansour (2003), Learning rates for Q-learning
  Schulman 15 Schulman et al. (2015), arXiv:1502.05477
  Schulman 17 Schulman et al. (2017), arXiv:1707.06347
  Chen        Chen et al. (2021), arXiv:2106.01345
  Schritt.    Schrittwieser et al. (2020), arXiv:1911.08265
  Danihelka   Danihelka et al. (2022), Policy improvement by planning with Gumbel
  Micheli     Micheli, Alonso & Fleuret (2023), arXiv:2209.00588
  Janner      Janner, Li & Levine (2021), arXiv:2106.02039
  zoo         the settings of rl-baselines3-zoo for CartPole-v1

Letters: N steps of a rollout.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from metarl.errors import require
from metarl.policy_gradient import PPOConfig, ReinforceConfig, TRPOConfig
from metarl.reading import (
    Bounds,
    Count,
    CountOrNone,
    Fraction,
    NotNegative,
    Positive,
    Real,
    Seed,
    check_fields,
)

Units = Annotated[int, Bounds(least=1, most=4096)]
"""How wide a network is; each task that is learnt at the same time has one of its own."""
Layers = Annotated[int, Bounds(least=1, most=64)]
"""How many layers."""


@dataclass(frozen=True)
class Exploration:
    """How a learner of action values explores: ε falls along a line, and then stays."""

    first_epsilon: Fraction = 1.0
    """Probability of an action at random at the first step (Mnih)."""

    last_epsilon: Fraction = 0.04
    """Probability of an action at random in the end (zoo)."""

    exploration_share: Fraction = 0.16
    """Share of the steps of the whole trial over which ε falls (zoo)."""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class QLearningConfig(Exploration):
    """Settings of tabular Q-learning."""

    discount: Fraction = 0.99
    """γ, within an episode (Mnih)."""

    learning_rate: Fraction = 1.0
    """α of the first visit of a state and action (Even-Dar)."""

    learning_rate_power: Fraction = 0.77
    """ω: at the nth visit the rate is α / n^ω; 0 keeps it constant (Even-Dar)."""

    first_value: Real = 0.0
    """Of all states and actions; a high one makes the learner try everything."""


@dataclass(frozen=True)
class DQNConfig(Exploration):
    """Settings of deep Q-learning."""

    discount: Fraction = 0.99
    """γ, within an episode (Mnih)."""

    double: bool = True
    """Let the network choose the next action and the target network say what it is worth (van Hasselt
    et al. 2016, arXiv:1509.06461)."""

    hidden: Units = 64
    """Units of a hidden layer."""

    layers: Layers = 2
    """Hidden layers (zoo)."""

    learning_rate: Positive = 2.3e-3
    """Step size of Adam (zoo)."""

    batch_size: Count = 64
    """Remembered steps of one gradient step (zoo)."""

    memory: Count = 100_000
    """Steps that are remembered at most; no more than the trial has are ever kept (zoo)."""

    learn_after: Count = 256
    """Steps before the first gradient step (zoo: 1,000)."""

    learn_every: Count = 8
    """Environment steps from one round of gradient steps to the next (zoo: 256)."""

    gradient_steps: Count = 4
    """Of one round (zoo: 128, which is as many for each environment step)."""

    target_every: Count = 256
    """Environment steps from one copy of the network into the target network to the next (zoo)."""

    max_gradient_norm: Positive = 10.0
    """Clip the global norm of the gradient to this (zoo)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_rounds(self)


@dataclass(frozen=True)
class MuZeroConfig:
    """Settings of MuZero."""

    discount: Fraction = 0.99
    """γ, within an episode."""

    simulations: Count = 16
    """n, nodes of the tree that is grown before every action (Danihelka: 2 to 50)."""

    gumbel_scale: NotNegative = 1.0
    """Of the noise with which the search chooses; 0 for playing without exploring (Danihelka)."""

    least_spread: NotNegative = 0.0
    """The search scales the values of a node's actions so that they lie between 0 and 1, but never as if they were less
    far apart than this: where noise alone tells them apart, they then hardly move the policy (mctx: next to 0)."""

    reanalyse: CountOrNone = 4
    """Remembered steps whose policy is searched for anew, with the network of today, beside each action."""

    equivariant: bool = False
    """Let the networks commute with the symmetries that the world says it has (Deac et al. 2023)."""

    hidden: Units = 64
    """Units of each network's hidden layer."""

    latent: Units = 64
    """Numbers of a latent state; shared out among the symmetries, if `equivariant`."""

    bins: Units = 51
    """K, of the categorical values and rewards (Schritt.: 601)."""

    value_limit: Positive = 150.0
    """The largest return that the bins can tell, and minus the least."""

    learning_rate: Positive = 2e-3
    """Step size of Adam."""

    batch_size: Count = 32
    """Remembered sequences of one gradient step."""

    unroll: Count = 5
    """U, steps that the dynamics are unrolled for in learning (Schritt.)."""

    n_steps: Count = 5
    """n of the targets of values (Schritt.: 10; 5 where steps are reanalysed)."""

    memory: Count = 100_000
    """Steps that are remembered at most; no more than the trial has are ever kept."""

    learn_after: Count = 256
    """Steps before the first gradient step."""

    learn_every: Count = 8
    """Environment steps from one round of gradient steps to the next."""

    gradient_steps: Count = 4
    """Of one round."""

    target_every: Count = 256
    """Environment steps from one copy of the network into the target network to the next."""

    value_weight: NotNegative = 0.25
    """Of the loss of values (Schritt.)."""

    max_gradient_norm: Positive = 5.0
    """Clip the global norm of the gradient to this."""

    def __post_init__(self) -> None:
        check_fields(self)
        _require_rounds(self)
        require(
            self.bins % 2 == 1, f"bins is {self.bins}; give an odd number, so that one tells 0."
        )


@dataclass(frozen=True)
class IRISConfig:
    """Settings of IRIS."""

    discount: Fraction = 0.95
    """γ, within an episode (Micheli: 0.995)."""

    gae_lambda: Fraction = 0.95
    """λ of the returns of dreams (Micheli)."""

    horizon: Count = 8
    """L, steps of a dream, and of the real sequences that the world model learns from (Micheli: 20)."""

    patch: Count | None = None
    """P, pixels along a square that one token tells; None: the least that makes 16 tokens of a picture or fewer."""

    codes: Units = 64
    """V, that a token can be (Micheli: 512)."""

    code_size: Units = 16
    """E, numbers of a code (Micheli: 512)."""

    commitment: NotNegative = 1.0
    """β, of what holds the encoder to its codes."""

    renew_after: Count = 100
    """Gradient steps of the autoencoder after which a code that no square took begins anew."""

    picture_hidden: Units = 256
    """Units of the hidden layers of encoder and decoder."""

    picture_steps: Count = 4
    """Gradient steps of the autoencoder for each of the others, every one on its share of their batch's pictures."""

    hidden: Units = 32
    """D, units of the transformer, and of the hidden layers of policy and value (Micheli: 256 and more)."""

    layers: Layers = 2
    """Of the transformer, and hidden ones of policy and value (Micheli: 10)."""

    heads: Units = 4
    """Of each layer of the transformer (Micheli)."""

    bins: Units = 21
    """K, of the categorical rewards."""

    reward_limit: Positive = 10.0
    """The largest reward that the bins can tell, and minus the least."""

    model_learning_rate: Positive = 3e-3
    """Step size of Adam, of the transformer."""

    picture_learning_rate: Positive = 1e-3
    """Step size of Adam, of the autoencoder; with 3e-3 most tokens changed their meaning now and then."""

    max_gradient_norm: Positive = 5.0
    """Clip the global norm of their gradients to this."""

    batch_size: Count = 16
    """Remembered sequences of one gradient step; from the beginning of each a dream begins."""

    novelty: NotNegative = 0.0
    """β, of a bonus β / √(1 + n) for every dreamt step whose action was taken n times where it is taken."""

    memory: Count = 100_000
    """Steps that are remembered at most; no more than the trial has are ever kept."""

    learn_after: Count = 64
    """Steps before autoencoder and transformer learn."""

    dream_after: Count = 128
    """Steps before policy and value learn."""

    learn_every: Count = 8
    """Environment steps from one round of gradient steps to the next."""

    gradient_steps: Count = 8
    """Of one round, of each of the three (Micheli: as many as environment steps)."""

    update: ReinforceConfig = field(
        default_factory=lambda: ReinforceConfig(
            learning_rate=3e-3,
            baseline="value",
            baseline_decay=0.99,
            entropy_weight=0.01,
            max_gradient_norm=5.0,
        )
    )
    """Of policy and value, in dreams (the algorithm: Micheli)."""

    def __post_init__(self) -> None:
        check_fields(self)
        require(
            self.codes >= 2,
            f"codes is {self.codes}; a token that can be one thing tells nothing, so give 2 or more.",
        )
        require(
            self.bins >= 3 and self.bins % 2 == 1,
            f"bins is {self.bins}; give an odd number of at least 3, so that one tells 0.",
        )
        pictures = self.batch_size * (self.horizon + 1)
        require(
            self.picture_steps <= pictures,
            f"picture_steps is {self.picture_steps}; a batch has {pictures} pictures (batch_size · (horizon + 1)), so "
            "give at most that.",
        )
        _require_heads(self)


@dataclass(frozen=True)
class GoExploreConfig:
    """Settings of Go-Explore."""

    repeat: Fraction = 0.5
    """Probability that exploring repeats the action before; of the worlds of the paper 0.95 (Ecoffet)."""

    exploit: Fraction = 0.5
    """Probability that an episode walks the best way known, and explores from its end."""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class PolicyNetwork:
    """The feed-forward networks of a policy-gradient learner, one for the policy and one for the value."""

    discount: Fraction = 0.99
    """γ, within an episode (Schulman 17)."""

    hidden: Units = 64
    """Units of a hidden layer (Schulman 17)."""

    layers: Layers = 2
    """Hidden layers, with tanh (Schulman 17)."""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class ReinforceAgentConfig(PolicyNetwork):
    """Settings of REINFORCE."""

    steps: Count = 128
    """N, from one update to the next; where all episodes have one length, rounded up to whole ones."""

    update: ReinforceConfig = field(
        default_factory=lambda: ReinforceConfig(
            learning_rate=1e-2,
            baseline="value",
            baseline_decay=0.9,
            standardise_advantages=True,
            entropy_weight=0.0,
        )
    )
    """Of the outer algorithm; the value is the baseline."""


@dataclass(frozen=True)
class PPOAgentConfig(PolicyNetwork):
    """Settings of PPO."""

    steps: Count = 256
    """N, from one update to the next (zoo: 32 steps of 8 environments)."""

    update: PPOConfig = field(
        default_factory=lambda: PPOConfig(
            learning_rate=1e-3,
            epochs=10,
            minibatches=4,
            clip=0.2,
            entropy_weight=0.0,
            normalisation_decay=1.0,
            preserve_values=True,
        )
    )
    """Of the algorithm (epochs and clip: Schulman 17; learning rate: zoo). In one task no returns are
    forgotten: the unit of the values would shrink once it is solved. Values are preserved, or it falls back."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_divisor(self, "minibatches", self.update.minibatches)


@dataclass(frozen=True)
class RobustGoExploreConfig(PPOAgentConfig):
    """Settings of Go-Explore with both its phases; those of PPO are of the second."""

    simulated_steps: CountOrNone = 0
    """In the simulator, of both phases together; 0: as many as the trial has."""

    explore_share: Fraction = 0.5
    """Of these, the first phase."""

    state_cells: bool = False
    """Tell cells apart by the whole state of the simulator, which holds what is not seen, such as a key that was
    taken; else by what is observed."""

    repeat: Fraction = 0.5
    """Probability that exploring repeats the action before (Ecoffet: 0.95)."""

    burst: Count = 10
    """Steps of exploring from a cell (Ecoffet: 100)."""

    imitation_steps: CountOrNone = 200
    """Gradient steps on the demonstration; 0: PPO begins with nothing (Ecoffet)."""

    imitation_rate: Positive = 1e-2
    """Step size of Adam on it."""

    smoothing: Fraction = 0.1
    """Probability that imitation shares out among all actions, so that there is something left to try."""

    stages: Count = 20
    """Into which the demonstration is cut."""

    success_share: Fraction = 0.5
    """Of the attempts, from which on episodes begin a stage earlier (Salimans: 0.2)."""

    hidden: Units = 32
    """Units of a hidden layer."""

    steps: Count = 128
    """N, from one update to the next."""

    update: PPOConfig = field(
        default_factory=lambda: PPOConfig(
            learning_rate=1e-3,
            epochs=10,
            minibatches=4,
            clip=0.2,
            entropy_weight=0.01,
            normalisation_decay=1.0,
            preserve_values=True,
        )
    )
    """Of PPO, with an entropy bonus."""


@dataclass(frozen=True)
class TRPOAgentConfig(PolicyNetwork):
    """Settings of TRPO."""

    steps: Count = 256
    """N, from one update to the next."""

    update: TRPOConfig = field(
        default_factory=lambda: TRPOConfig(
            max_kl=0.01,
            damping=0.1,
            value_epochs=10,
            normalisation_decay=1.0,
            advantage_floor=0.1,
        )
    )
    """Of the algorithm (bound and damping: Schulman 15); no returns are forgotten, as of PPO. Steps are shorter where
    all actions are nearly as good, or it falls back; with values preserved it fell back more often."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_divisor(self, "value_minibatches", self.update.value_minibatches)


@dataclass(frozen=True)
class OfflineConfig:
    """Settings of a transformer that learns from random walks in tasks of the training split."""

    trajectories: Count = 1000
    """N, random walks to learn from (Chen: 1,000 and 10,000)."""

    hidden: Units = 32
    """Units of the transformer."""

    layers: Layers = 2
    """Of the transformer."""

    heads: Units = 4
    """Of each layer."""

    steps: Count = 3000
    """Gradient steps."""

    batch: Count = 64
    """Trajectories of one gradient step (Chen)."""

    learning_rate: Positive = 3e-3
    """Of AdamW, after a warm-up and before it falls along a cosine."""

    weight_decay: NotNegative = 1e-4
    """Of AdamW (Chen)."""

    max_gradient_norm: Positive = 0.25
    """Clip the global norm of the gradient to this (Chen)."""

    seed: Seed = 0
    """Of the data and the training."""

    def __post_init__(self) -> None:
        check_fields(self)
        _require_heads(self)


@dataclass(frozen=True)
class DecisionTransformerConfig(OfflineConfig):
    """Settings of a decision transformer."""

    asked: Real | None = None
    """The return it is asked for; the best of the data if not given."""

    balance: Fraction = 0.0
    """Share of a minibatch that is taken from walks that earned more than the worst, where these are few."""


@dataclass(frozen=True)
class BehaviourCloningConfig(OfflineConfig):
    """Settings of behaviour cloning."""

    share: Fraction = 0.1
    """Of the data, those that earned most, which it imitates; never those that earned no more than the worst (Chen)."""


@dataclass(frozen=True)
class TrajectoryTransformerConfig(OfflineConfig):
    """Settings of a trajectory transformer."""

    bins: Units = 8
    """K, of rewards and of returns; where they take no more values, each is one."""

    beams: Count = 32
    """W, lines of tokens that the search keeps."""

    expand: Count = 2
    """How often each is continued at every step (Janner)."""

    depth: Count = 3
    """Steps that the search looks ahead."""


PolicyAgentConfig = ReinforceAgentConfig | PPOAgentConfig | TRPOAgentConfig
LearnerConfig = (
    QLearningConfig
    | DQNConfig
    | MuZeroConfig
    | IRISConfig
    | GoExploreConfig
    | RobustGoExploreConfig
    | PolicyAgentConfig
    | OfflineConfig
)


def _require_heads(config: IRISConfig | OfflineConfig) -> None:
    require(
        config.hidden % (2 * config.heads) == 0,
        f"hidden is {config.hidden} and heads {config.heads}; give a multiple of twice the heads.",
    )


def _require_rounds(config: DQNConfig | MuZeroConfig) -> None:
    require(
        config.target_every % config.learn_every == 0,
        f"target_every is {config.target_every} and learn_every {config.learn_every}; the target "
        "network is copied after a round of gradient steps, so give a multiple.",
    )


def _require_divisor(
    config: ReinforceAgentConfig | PPOAgentConfig | TRPOAgentConfig, name: str, count: int
) -> None:
    require(
        config.steps % count == 0,
        f"{name} is {count} and steps {config.steps}; a rollout is cut into equal minibatches, so "
        "give a multiple of them.",
    )
