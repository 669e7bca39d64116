"""The table of learners from scratch: one row for each, and what it asks of an environment.

Every grid has as many members as any other, so that all learners are tuned equally hard.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from metarl.environments import Agent, Environment, feature_size, is_image, require_numbered
from metarl.errors import require, unknown_name

from .config import (
    BehaviourCloningConfig,
    DecisionTransformerConfig,
    DQNConfig,
    GoExploreConfig,
    IRISConfig,
    LearnerConfig,
    MuZeroConfig,
    PPOAgentConfig,
    QLearningConfig,
    ReinforceAgentConfig,
    RobustGoExploreConfig,
    TrajectoryTransformerConfig,
    TRPOAgentConfig,
)
from .deep_q_learning import deep_q_learning
from .go_explore import go_explore
from .go_explore_robust import go_explore_robust
from .iris import iris
from .muzero import muzero
from .offline_learning import Lesson
from .policy_learner import policy_learner
from .q_learning import q_learning
from .sequence_policies import (
    behaviour_cloning,
    decision_transformer,
    lesson_of_cloning,
    lesson_of_transformer,
)
from .trajectory_transformer import lesson_of_trajectories, trajectory_transformer

Value = float | int | bool | str


@dataclass(frozen=True)
class Row:
    """One learner.

    Attributes:
      name: how it is called on the command line.
      caption: what it does, in one line.
      paper: where it comes from.
      config: its settings at their defaults.
      build: environment, settings -> agent.
      actions: kinds of action spaces that it can act in.
      observations: kinds of observation spaces that it can learn from; any if empty.
      pictures: whether it learns from pictures alone.
      sets_states: whether it sets the state of a simulator, which cannot be done in worlds on the host.
      grid: setting -> values to choose from.
      lesson: of those that learn from offline data: environment, settings -> how.
    """

    name: str
    caption: str
    paper: str
    config: LearnerConfig
    build: Callable[[Environment, Any], Agent] = field(repr=False, compare=False)
    actions: tuple[str, ...]
    observations: tuple[str, ...] = ()
    pictures: bool = False
    sets_states: bool = False
    grid: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    lesson: Callable[[Environment, Any], Lesson] | None = field(
        default=None, repr=False, compare=False
    )

    def require_fits(self, environment: Environment) -> None:
        """Raises unless the learner can learn in an environment.

        Raises:
          InvalidInput: a space is of a kind it cannot use; says who can.
        """
        for what, accepted in (("action", self.actions), ("observation", self.observations)):
            space = getattr(environment, f"{what}_space")
            kind = type(space).__name__
            require(
                not accepted or kind in accepted,
                f"{self.name} needs {' or '.join(accepted)} {what}s; those of {environment.name!r} "
                f"are {kind}. {_advice(environment)}",
            )
            require(  # `feature_size` refuses what nobody can see or act in
                feature_size(space) > 0,
                f"{self.name}: {what}s of {environment.name!r} hold no numbers ({space}). Take a Discrete of one.",
            )
        seen = environment.observation_space
        require(
            not self.pictures or is_image(seen),
            f"{self.name} needs pictures: a Box of height, width and at most four channels; observations of "
            f"{environment.name!r} are {seen}. {_advice(environment)}",
        )
        require_numbered(f"{self.name}: actions of {environment.name!r}", environment.action_space)


ROWS: tuple[Row, ...] = (
    Row(
        name="q-learning",
        caption="a table of action values; ε falls, and the rate with the visits",
        paper="Watkins (1989); Even-Dar & Mansour (2003)",
        config=QLearningConfig(),
        build=q_learning,
        actions=("Discrete",),
        observations=("Discrete",),
        grid={
            "exploration_share": (0.05, 0.16, 0.5),
            "learning_rate_power": (0.2, 0.5, 0.77),
        },
    ),
    Row(
        name="dqn",
        caption="a network of action values, a memory of steps, a target network; double by default",
        paper="Mnih et al. (2015); van Hasselt et al. (2016)",
        config=DQNConfig(),
        build=deep_q_learning,
        actions=("Discrete",),
        grid={
            "exploration_share": (0.05, 0.16, 0.5),
            "learning_rate": (5e-4, 2.3e-3, 1e-2),
        },
    ),
    Row(
        name="reinforce",
        caption="one step along the score function after each rollout; the value is the baseline",
        paper="Williams (1992)",
        config=ReinforceAgentConfig(),
        build=policy_learner,
        actions=("Discrete", "Box"),
        grid={"steps": (32, 128, 512), "learning_rate": (3e-3, 1e-2, 3e-2)},
    ),
    Row(
        name="ppo",
        caption="epochs of minibatches on a clipped surrogate after each rollout",
        paper="Schulman et al. (2017)",
        config=PPOAgentConfig(),
        build=policy_learner,
        actions=("Discrete", "Box"),
        grid={"steps": (64, 256, 1024), "learning_rate": (3e-4, 1e-3, 3e-3)},
    ),
    Row(
        name="trpo",
        caption="the natural gradient after each rollout, within a bound on the mean KL",
        paper="Schulman et al. (2015)",
        config=TRPOAgentConfig(),
        build=policy_learner,
        actions=("Discrete", "Box"),
        grid={"steps": (64, 256, 1024), "max_kl": (0.003, 0.01, 0.03)},
    ),
    Row(
        name="muzero",
        caption="plans in a model that it learns: representation, dynamics, prediction; Gumbel search, reanalyse",
        paper="Schrittwieser et al. (2020); Danihelka et al. (2022); Deac et al. (2023)",
        config=MuZeroConfig(),
        build=muzero,
        actions=("Discrete",),
        grid={"n_steps": (3, 5, 10), "learning_rate": (5e-4, 2e-3, 5e-3)},
    ),
    Row(
        name="iris",
        caption="learns from pictures in a learnt world: discrete autoencoder, transformer, dreams",
        paper="Micheli, Alonso & Fleuret (2023)",
        config=IRISConfig(),
        build=iris,
        actions=("Discrete",),
        pictures=True,
        grid={"horizon": (4, 8, 16), "model_learning_rate": (1e-3, 3e-3, 1e-2)},
    ),
    Row(
        name="go-explore",
        caption="remembers a way to every cell; walks one and explores from its end; deterministic worlds",
        paper="Ecoffet et al. (2019)",
        config=GoExploreConfig(),
        build=go_explore,
        actions=("Discrete",),
        observations=("Discrete", "MultiDiscrete"),
        grid={"repeat": (0.0, 0.5, 0.9), "exploit": (0.1, 0.5, 0.9)},
    ),
    Row(
        name="go-explore-robust",
        caption="explores a simulator of the task by setting its state; then a policy learns its best way, backward",
        paper="Ecoffet et al. (2019); Salimans & Chen (2018)",
        config=RobustGoExploreConfig(),
        build=go_explore_robust,
        actions=("Discrete",),
        observations=("Discrete", "MultiDiscrete"),
        sets_states=True,
        grid={"repeat": (0.0, 0.5, 0.9), "explore_share": (0.25, 0.5, 0.75)},
    ),
)

OFFLINE_ROWS: tuple[Row, ...] = (
    Row(
        name="decision-transformer",
        caption="a causal transformer, trained on random walks, that is asked for a return",
        paper="Chen et al. (2021)",
        config=DecisionTransformerConfig(),
        build=decision_transformer,
        lesson=lesson_of_transformer,
        actions=("Discrete",),
    ),
    Row(
        name="trajectory-transformer",
        caption="a causal transformer that models random walks token by token, and a beam search in it",
        paper="Janner et al. (2021)",
        config=TrajectoryTransformerConfig(),
        build=trajectory_transformer,
        lesson=lesson_of_trajectories,
        actions=("Discrete",),
        observations=("Discrete", "MultiDiscrete"),
    ),
    Row(
        name="behaviour-cloning",
        caption="the same transformer, which imitates the best tenth of the random walks",
        paper="Chen et al. (2021)",
        config=BehaviourCloningConfig(),
        build=behaviour_cloning,
        lesson=lesson_of_cloning,
        actions=("Discrete",),
    ),
)
"""Who learns once, from data of training tasks, and not in the task it is played in."""


def rows() -> tuple[Row, ...]:
    """Returns the rows of all learners from scratch."""
    return ROWS


def offline_rows() -> tuple[Row, ...]:
    """Returns the rows of those that learn from offline data."""
    return OFFLINE_ROWS


def offline_names() -> tuple[str, ...]:
    """Returns the names of those that learn from offline data."""
    return tuple(row.name for row in OFFLINE_ROWS)


def names() -> tuple[str, ...]:
    """Returns the names of all learners."""
    return tuple(row.name for row in ROWS)


def find_row(name: str) -> Row:
    """Returns the row of a learner.

    Raises:
      InvalidInput: there is no learner of that name.
    """
    by_name = {row.name: row for row in (*ROWS, *OFFLINE_ROWS)}
    if name not in by_name:
        raise unknown_name("agent", name, by_name)
    return by_name[name]


def fitting(environment: Environment) -> tuple[str, ...]:
    """Returns the names of the learners that can learn in an environment."""
    return tuple(row.name for row in ROWS if _fits(row, environment))


def _advice(environment: Environment) -> str:
    found = fitting(environment)
    return f"What can learn there: {', '.join(found)}." if found else "No learner here can."


def _fits(row: Row, environment: Environment) -> bool:
    spaces = (environment.action_space, environment.observation_space)
    if row.pictures and not is_image(environment.observation_space):
        return False
    if row.sets_states and environment.on_host:
        return False
    return all(
        not accepted or type(space).__name__ in accepted
        for space, accepted in zip(spaces, (row.actions, row.observations), strict=True)
    )
