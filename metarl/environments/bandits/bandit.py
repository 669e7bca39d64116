"""Multi-armed bandits: nothing is to be seen but rewards.

Five kinds of `rewards`:

  bernoulli    means Beta(a, b), which is U(0, 1) for a = b = 1; a reward is 1 with
               that probability, else 0
  gaussian     means N(mean, deviation²), rewards N(its mean, noise²)
  linear       means φ · θ, rewards N(its mean, noise²): every arm has features φ of d numbers, N(0, 1 / d)
               each, the same in all tasks; θ ~ N(0, 1 / d) is the task
  correlated   two Bernoulli arms of means p and 1 - p, p ~ U(0, 1): one arm tells of the other
  restless     Bernoulli arms whose means, Beta(a, b) at first, walk at random, mean += drift N(0, 1),
               reflected at 0 and 1

A pull is an episode of one step. A restless bandit would forget its walk with each episode, so there
the whole sequence of pulls is one episode; its task is where the walk begins.

Letters: K arms.

References: Duan et al. (2016), arXiv:1611.02779, section 3.1 (bernoulli); Wang et al. (2016),
arXiv:1611.05763, section 3.1 (correlated, restless); Lee et al. (2023), arXiv:2306.14892 (linear).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces

from metarl.errors import require

from ..contract.distributions import BanditDistribution
from ..contract.environment import Environment, Oracle, Split, Step
from ..contract.setting_checks import one_of, real_number, refuse_huge, whole_number
from .picture import draw_arms

# kind -> its settings and their defaults
_BETA = {"prior_successes": 1.0, "prior_failures": 1.0}  # a and b
KINDS: dict[str, dict[str, Any]] = {
    "bernoulli": {"arms": 5, **_BETA},
    "gaussian": {"arms": 5, "mean": 0.0, "deviation": 1.0, "noise": 1.0},
    "linear": {"arms": 10, "dimension": 2, "noise": 0.3},
    "correlated": {"arms": 2},
    "restless": {"arms": 5, "pulls": 100, "drift": 0.1, **_BETA},
}


class Bandit(NamedTuple):
    """A task."""

    means: jax.Array  # [K] mean reward of each arm; of a restless bandit at the first pull


class RestlessState(NamedTuple):
    """Where the walk of a restless bandit stands."""

    means: jax.Array  # [K]
    pulls: jax.Array  # [] int32, so far


def bandit(
    arms: int | None = None,
    rewards: str = "bernoulli",
    mean: float | None = None,
    deviation: float | None = None,
    noise: float | None = None,
    pulls: int | None = None,
    drift: float | None = None,
    prior_successes: float | None = None,
    prior_failures: float | None = None,
    dimension: int | None = None,
) -> Environment:
    """Returns a family of bandits; the module's docstring tells its kinds.

    Args:
      arms: K; 5, or 2 if correlated, 10 if linear.
      rewards: "bernoulli", "gaussian", "linear", "correlated" or "restless".
      mean: of the arms' means; gaussian only, 0.
      deviation: of the arms' means, in units of reward; gaussian only, 1.
      noise: deviation of a reward from its arm's mean; 1; linear too, 0.3.
      pulls: steps of an episode; restless only, 100.
      drift: deviation of a mean's step from one pull to the next; restless only, 0.1.
      prior_successes: a of the Beta(a, b) of an arm's mean; bernoulli and restless only, 1.
      prior_failures: b of the Beta(a, b) of an arm's mean; bernoulli and restless only, 1.
      dimension: d, features of an arm; linear only, 2.

    Raises:
      InvalidInput: a setting is not accepted, or is not one of this kind.
    """
    rewards = one_of("rewards", rewards, KINDS)
    given = {"arms": arms, "mean": mean, "deviation": deviation}
    given |= {"noise": noise, "pulls": pulls, "drift": drift}
    given |= {"prior_successes": prior_successes, "prior_failures": prior_failures}
    given |= {"dimension": dimension}
    settings = _checked(rewards, {k: v for k, v in given.items() if v is not None})
    if rewards == "gaussian":
        return _gaussian(settings)
    if rewards == "linear":
        return _linear(settings)
    if rewards == "restless":
        return _restless(settings)
    return _bernoulli(settings, rewards)


def _checked(rewards: str, given: dict[str, Any]) -> dict[str, Any]:
    """Returns every setting of a kind, checked, in the kind's order."""
    for name in given:
        require(
            name in KINDS[rewards],
            f"A bandit of {rewards} rewards has no setting {name!r}; it takes "
            f"{', '.join(KINDS[rewards])}.",
        )
    settings = KINDS[rewards] | given
    for name, value in settings.items():
        if name in ("arms", "pulls", "dimension"):
            settings[name] = whole_number(name, value)
        elif name in _BETA:
            settings[name] = real_number(name, value, above=0.0)
        else:
            settings[name] = real_number(name, value, -jnp.inf if name == "mean" else 0.0)
    refuse_huge("bandit", settings["arms"] * settings.get("dimension", 1))
    require(
        rewards != "correlated" or settings["arms"] == 2,
        f"arms is {settings['arms']}; a correlated bandit has 2, of means p and 1 - p.",
    )
    return settings


def _bernoulli(settings: dict[str, Any], rewards: str) -> Environment:
    """One mean for each arm, or one for both."""
    correlated, prior = rewards == "correlated", _beta(settings)

    def draw_task(key: jax.Array, split: Split) -> Bandit:
        del split
        if correlated:
            first = jax.random.uniform(key)
            return Bandit(jnp.stack([first, 1 - first]))
        return Bandit(_draw_means(key, prior, settings["arms"]))

    return _stationary(
        settings,
        rewards,
        draw_task,
        draw_reward=_draw_bernoulli,
        task_features=lambda task: 2 * task.means - 1,
        distribution=BanditDistribution("bernoulli", prior, independent=not correlated),
        description="two Bernoulli arms, means p and 1 - p, p ~ U(0, 1)"
        if correlated
        else f"Bernoulli arms, means {_beta_text(prior)}",
    )


def _beta(settings: Mapping[str, float]) -> tuple[float, float]:
    """Returns a and b of one arm's mean; of correlated arms each is U(0, 1) by itself."""
    return settings.get("prior_successes", 1.0), settings.get("prior_failures", 1.0)


def _beta_text(prior: tuple[float, float]) -> str:
    return "U(0, 1)" if prior == (1.0, 1.0) else f"Beta({prior[0]:g}, {prior[1]:g})"


def _draw_means(key: jax.Array, prior: tuple[float, float], arms: int) -> jax.Array:
    if prior == (1.0, 1.0):
        return jax.random.uniform(key, (arms,))
    return jax.random.beta(key, *prior, (arms,), jnp.float32)


def _gaussian(settings: dict[str, Any]) -> Environment:
    mean, deviation, noise = (settings[name] for name in ("mean", "deviation", "noise"))

    def draw_task(key: jax.Array, split: Split) -> Bandit:
        del split
        return Bandit(mean + deviation * jax.random.normal(key, (settings["arms"],)))

    return _stationary(
        settings,
        "gaussian",
        draw_task,
        draw_reward=lambda key, mean: mean + noise * jax.random.normal(key),
        task_features=lambda task: (task.means - mean) / (deviation or 1.0),
        distribution=BanditDistribution("gaussian", (mean, deviation), noise),
        description=f"Gaussian arms, means N({mean:g}, {deviation:g}²), noise N(0, {noise:g}²)",
    )


def _linear(settings: dict[str, Any]) -> Environment:
    arms, dimension, noise = (settings[name] for name in ("arms", "dimension", "noise"))
    # numpy promises RandomState's numbers for all versions: the arms never change.
    features = np.random.RandomState(0).normal(size=(arms, dimension)) / math.sqrt(dimension)
    phi = jnp.asarray(features, jnp.float32)

    def draw_task(key: jax.Array, split: Split) -> Bandit:
        del split
        return Bandit(phi @ (jax.random.normal(key, (dimension,)) / math.sqrt(dimension)))

    return _stationary(
        settings,
        "linear",
        draw_task,
        draw_reward=lambda key, mean: mean + noise * jax.random.normal(key),
        task_features=lambda task: task.means,
        distribution=BanditDistribution(
            "gaussian",
            (0.0, 1 / math.sqrt(dimension)),
            noise,
            independent=False,
            features=tuple(map(tuple, features.tolist())),
        ),
        description=f"{arms} arms of {dimension} features, means linear in them, noise N(0, {noise:g}²)",
    )


def _stationary(
    settings: dict[str, Any], rewards: str, draw_task: Any, draw_reward: Any, **about: Any
) -> Environment:
    """A bandit whose arms stay as they are: each pull is an episode."""

    def reset(key: jax.Array, task: Bandit) -> tuple[jax.Array, tuple[()]]:
        del key, task
        return jnp.zeros((), jnp.int32), ()

    def step(key: jax.Array, state: tuple[()], action: jax.Array, task: Bandit) -> Step:
        reward = draw_reward(key, task.means[action])
        ends = jnp.ones((), bool)
        return Step(jnp.zeros((), jnp.int32), state, reward, ends, ~ends, {})

    return Environment(
        name="bandit",
        settings={"rewards": rewards, **_unusual(settings)},
        observation_space=spaces.Discrete(1),
        action_space=spaces.Discrete(settings["arms"]),
        horizon=1,
        draw_task=draw_task,
        reset=reset,
        step=step,
        fixed_length=True,
        optimal_return=lambda task: best_arm(task.means)[1],
        mean_reward=lambda state, action, task: task.means[action],
        oracle=Oracle(solve=lambda task: best_arm(task.means)[1], value=lambda best, state: best),
        metadata={"rewards": rewards},
        views={"arms": draw_arms},
        **about,
    )


def _unusual(settings: dict[str, Any]) -> dict[str, Any]:
    """Returns settings without a prior that is U(0, 1), which goes without saying."""
    if _beta(settings) != (1.0, 1.0):
        return settings
    return {name: value for name, value in settings.items() if name not in _BETA}


def _restless(settings: dict[str, Any]) -> Environment:
    arms, pulls, drift = (settings[name] for name in ("arms", "pulls", "drift"))
    prior = _beta(settings)

    def draw_task(key: jax.Array, split: Split) -> Bandit:
        del split
        return Bandit(_draw_means(key, prior, arms))

    def reset(key: jax.Array, task: Bandit) -> tuple[jax.Array, RestlessState]:
        del key
        start = jnp.zeros((), jnp.int32)
        return start, RestlessState(task.means, start)

    def step(key: jax.Array, state: RestlessState, action: jax.Array, task: Bandit) -> Step:
        del task
        reward_key, walk_key = jax.random.split(key)
        reward = _draw_bernoulli(reward_key, state.means[action])
        means = reflect(state.means + drift * jax.random.normal(walk_key, (arms,)))
        state = RestlessState(means, state.pulls + 1)
        return Step(
            jnp.zeros((), jnp.int32), state, reward, state.pulls >= pulls, jnp.zeros((), bool), {}
        )

    return Environment(
        name="bandit",
        settings={"rewards": "restless", **_unusual(settings)},
        observation_space=spaces.Discrete(1),
        action_space=spaces.Discrete(arms),
        horizon=pulls,
        draw_task=draw_task,
        reset=reset,
        step=step,
        fixed_length=True,
        mean_reward=lambda state, action, task: state.means[action],
        task_features=lambda task: 2 * task.means - 1,
        distribution=BanditDistribution("bernoulli", prior, stationary=drift == 0),
        description=f"Bernoulli arms, means drift by {drift:g} a pull, {pulls} pulls an episode",
        metadata={"rewards": "restless"},
        views={"arms": draw_arms},
    )


def reflect(numbers: jax.Array) -> jax.Array:
    """Folds numbers into [0, 1], as a mirror at 0 and one at 1 do."""
    return 1 - jnp.abs(1 - jnp.mod(numbers, 2))


def _draw_bernoulli(key: jax.Array, mean: jax.Array) -> jax.Array:
    return (jax.random.uniform(key) < mean).astype(jnp.float32)


def best_arm(means: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns which of the arms [K] has the greatest mean, the first of several, and that mean."""
    return jnp.argmax(means).astype(jnp.int32), jnp.max(means)
