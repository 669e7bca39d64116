"""A trained agent: the weights that act, and everything needed to act with them again.

Letters: N tasks.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.controller import Policy
from metarl.environments import Agent, Environment, Trial, check_environment, load, make_agent
from metarl.errors import InvalidInput, require

from ..settings.config import TrainConfig, VarianceReduction
from ..settings.network_config import NetworkConfig
from ..settings.world_config import WorldConfig
from .inner_learner import inner_learning
from .inputs import Inputs, Previous, make_encoder, repeat
from .network import POLICY, fit_to, make_policy

DEFAULT_EPISODES = 10
DISTILLATIONS = {"algorithm": "algorithm distillation", "decision": "decision-pretrained"}


@dataclass(frozen=True)
class TrainedAgent:
    """What a training gives.

    Attributes:
      params: of the acting policy, without the value.
      config: of the training.
      scores: what it reached, and after how many environment steps, on validation tasks.
      provenance: versions, command and seed of the training.
    """

    params: Any
    config: TrainConfig
    scores: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def trial(self) -> Trial:
        """The trials it was trained in."""
        return make_trial(self.config.world)

    @property
    def warm_started(self) -> bool:
        """Whether it, or what it came from, has imitated a classical agent."""
        return bool(self.config.warm_start or self.scores.get("ancestor_warm_started"))

    @property
    def distilled(self) -> str | None:
        """From what histories it, or what it came from, was distilled, and how: "decision-pretrained: ucb1"."""
        if self.config.distil == "none":
            return self.scores.get("ancestor_distilled")
        return f"{DISTILLATIONS[self.config.distil]}: {self.config.teacher}"

    @property
    def variance_reduction(self) -> VarianceReduction:
        """What was taken out of the rewards that it, or what it came from, has learnt from."""
        own = self.config.variance_reduction if self.config.distil == "none" else "none"
        return own if own != "none" else self.scores.get("ancestor_variance_reduction", "none")

    @property
    def inner_trust(self) -> float:
        """How much the plans it is told counted before it, or what it came from, had learnt anything."""
        return self.config.network.inner_trust or self.scores.get("ancestor_inner_trust", 0.0)

    @property
    def auxiliary_weight(self) -> float:
        """How much its memory, or that of what it came from, has learnt to predict what the simulator knows."""
        return self.config.auxiliary_weight or self.scores.get("ancestor_auxiliary_weight", 0.0)

    @property
    def standing(self) -> float:
        """What it earned on validation tasks; less than anything if it was never tried there."""
        score = self.scores.get("validation_return")
        return -math.inf if score is None else score

    def as_agent(self, environment: Environment | None = None, greedy: bool = False) -> Agent:
        """Returns it as an agent that can be played beside any other.

        Args:
          environment: to act in; that of the training if None.
          greedy: take the likeliest action instead of sampling.

        Raises:
          InvalidInput: it does not fit the environment.
        """
        environment = environment or self.trial.environment
        self.require_fits(environment)
        network = fit_to(self.trial, self.config.network)
        return acting_agent(environment, network, self.params, greedy)

    def require_fits(self, environment: Environment, who: str = "The agent") -> None:
        """Raises unless observations and actions are those it was trained with, and so is what it is told of them.

        Args:
          environment: to act in.
          who: the agent, as the beginning of a sentence.

        Raises:
          InvalidInput: they are others.
        """
        own, network = self.trial.environment, self.config.network
        whats = ("observation_space", "action_space")
        pairs = {what: (getattr(own, what), getattr(environment, what)) for what in whats}
        if network.inner_values:
            pairs["inner learner"] = (_told(own, who), _told(environment, who))
        for what, (trained, received) in pairs.items():
            require(
                trained == received,
                f"{who} was trained in {_described(own)}, whose {what} is {_in_one_line(trained)}; "
                f"{_described(environment)} has {_in_one_line(received)}. It acts where these are the same: choose "
                "other settings, or train an agent for this.",
            )


@functools.cache
def make_trial(world: WorldConfig) -> Trial:
    """Returns the trials that a configuration describes; the same object for the same one.

    Raises:
      InvalidInput: the environment is unknown, or a setting cannot be used; or jax computes in double precision, where
        what agents remember would not keep its type.
    """
    environment = load(world.environment, **world.settings())
    return trial_in(environment, world.episodes, world.trial_steps)


def trial_in(environment: Environment, episodes: int | None, steps: int | None) -> Trial:
    """Returns the trials of agents in an environment: of so many episodes or steps; 10 episodes if both are None.

    Raises:
      InvalidInput: both are given; or jax computes in double precision, see `make_trial`.
    """
    require(  # after the module of a user's own environment, which may have switched it on
        not jax.config.jax_enable_x64,  # type: ignore[attr-defined]
        "jax_enable_x64 is on; agents learn and act in float32 alone. Unset JAX_ENABLE_X64, or do not switch it on in "
        "the module of an environment.",
    )
    if episodes is None and steps is None:
        episodes = DEFAULT_EPISODES
    return Trial(environment, episodes, steps)


def check_own_world(name: str, environment: Environment) -> None:
    """Plays a little in a family from outside metarl, before anybody trains or is measured in it.

    Args:
      name: as it was given; what stands in a module of a user's or in another library has a colon in it.
      environment: the family; one that is stepped on the host is checked where it is stepped.

    Raises:
      InvalidInput: see `check_environment`.
    """
    if ":" in name and not environment.on_host:
        check_environment(environment)


def acting_agent(
    environment: Environment, network: NetworkConfig, params: Any, greedy: bool = False
) -> Agent:
    """Returns the agent that acts with `params`; agents of one network share one program."""
    return make_agent(*_functions(environment, network, greedy), params)


class Memory(NamedTuple):
    """What an acting network remembers of a trial."""

    recurrent: Any
    previous: Previous


@functools.cache
def _functions(environment: Environment, network: NetworkConfig, greedy: bool) -> tuple[Any, ...]:
    """Returns `init`, `act` and `observe` for one world, with the weights as first argument."""
    policy = make_policy(environment, network, acting=True)
    encoder = make_encoder(environment, network)

    def init(params: Any, key: jax.Array, trial: Trial, task: Any) -> Memory:
        del params, key, task
        return Memory(policy.initial_state(1), encoder.first(trial.length))

    def act(params: Any, key: jax.Array, memory: Memory, observation: Any):
        inputs = repeat(Inputs(encoder(observation, memory.previous), jnp.zeros(0)), 1)
        recurrent, parameters, _ = policy.step({POLICY: params}, memory.recurrent, inputs)
        parameters = jax.tree.map(lambda x: x[0], parameters)
        choose = policy.distribution.mode if greedy else functools.partial(_sample, policy, key)
        action = choose(parameters)
        return action, memory._replace(recurrent=recurrent)

    def observe(
        params: Any,
        memory: Memory,
        observation: Any,
        action: jax.Array,
        reward: jax.Array,
        terminated: jax.Array,
        truncated: jax.Array,
        next_observation: Any,
    ) -> Memory:
        del params
        previous = encoder.remember(
            memory.previous, observation, action, reward, terminated, truncated, next_observation
        )
        return memory._replace(previous=previous)

    return init, act, observe


def _sample(policy: Policy, key: jax.Array, parameters: Any) -> jax.Array:
    return policy.distribution.sample(key, parameters)


def _told(environment: Environment, who: str) -> str:
    """Returns what an inner learner shows."""
    try:
        learning = inner_learning(environment)
    except InvalidInput as error:
        raise InvalidInput(f"{who} cannot act in {_described(environment)}: {error}") from error
    return f"revision {learning.revision} of {learning.size} numbers"


def _in_one_line(value: Any) -> str:
    return " ".join(str(value).split())


def _described(environment: Environment) -> str:
    settings = ", ".join(f"{name}={value}" for name, value in environment.settings.items())
    return f"{environment.name}({settings})"
