"""The skeleton of every bandit agent: score the arms, pull one with the highest score, learn.

    scores = score(numbers, key, memory)     [K], what alone differs between the agents
    action = one of the highest scores, at random or the first
    memory.arms = memory.arms.after(action, reward)

Letters: K arms.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.environments import Agent, Trial, make_agent

from .arm_posteriors import BetaArms, NormalArms
from .forgetting_arms import ExponentialWeights, FadingArms, Tally, Window
from .linear_arms import LinearArms

Posterior = BetaArms | NormalArms | FadingArms
Learnt = Posterior | Tally | Window | ExponentialWeights | LinearArms
"""What an agent has learnt of the arms."""


class Memory(NamedTuple):
    """What an agent knows while it acts in one bandit."""

    arms: Learnt
    taken: jax.Array  # [] int32, pulls so far
    left: jax.Array  # [] int32, pulls that the trial still has


def posterior_of(memory: Memory) -> Posterior:
    """Returns what is believed of the arms, for an agent that has a posterior of each."""
    assert isinstance(memory.arms, Posterior)
    return memory.arms


Score = Callable[[Any, jax.Array, Memory], jax.Array]
"""numbers, key, memory -> [K]"""


class Scoring(NamedTuple):
    """All that is special to one agent."""

    score: Score  # a function at the top of a module, for agents are compiled by its identity
    numbers: Any = ()  # what it is given first: a PyTree of traced numbers


class Start(NamedTuple):
    """What scoring agents have in common, traced."""

    prior: Learnt  # of one arm, each leaf []; of a window its width, of linear arms all
    random_ties: jax.Array  # [] 1.0, or 0.0: of equal scores the first arm's is taken


def scoring_agent(scoring: Scoring, prior: Learnt, random_ties: bool = True) -> Agent:
    """Returns the agent that pulls an arm of the highest score.

    Args:
      scoring: how it scores the arms.
      prior: of one arm, or what else is known of it before the first pull.
      random_ties: whether one of several highest scores is taken at random, rather than the first.
    """
    prior = jax.tree.map(jnp.float32, prior)
    start = Start(prior, jnp.float32(random_ties))
    return make_agent(*_functions(scoring.score), start, scoring.numbers)


@functools.cache
def _functions(score: Score) -> tuple[Callable, Callable, Callable]:
    def act(start: Start, numbers: Any, key: jax.Array, memory: Memory, observation: Any):
        del observation
        score_key, tie_key = jax.random.split(key)
        scores = score(numbers, score_key, memory)
        luck = jax.random.uniform(tie_key) * start.random_ties
        return highest_by_luck(luck, scores), memory

    return _init, act, _observe


def _init(start: Start, numbers: Any, key: jax.Array, trial: Trial, task: None) -> Memory:
    del numbers, key, task
    arms = number_of_arms(trial)
    if isinstance(start.prior, Window):
        begun = Window.begin(start.prior.width.astype(jnp.int32), arms, trial.length)
    elif isinstance(start.prior, LinearArms):  # which knows all arms together
        begun = start.prior
    else:
        begun = jax.tree.map(lambda leaf: jnp.full(arms, leaf, jnp.float32), start.prior)
    return Memory(begun, jnp.zeros((), jnp.int32), jnp.full((), trial.length, jnp.int32))


def _observe(
    start: Start,
    numbers: Any,
    memory: Memory,
    observation: Any,
    action: jax.Array,
    reward: jax.Array,
    *ends_and_next: Any,
) -> Memory:
    del start, numbers, observation, ends_and_next
    return Memory(memory.arms.after(action, reward), memory.taken + 1, memory.left - 1)


def number_of_arms(trial: Trial) -> int:
    """Returns K of a trial in a bandit."""
    return int(trial.environment.action_space.n)  # pyright: ignore[reportAttributeAccessIssue]


def argmax_at_random(key: jax.Array, scores: jax.Array) -> jax.Array:
    """Returns the index of a highest score, each of them equally likely.

    Args:
      key: consumed.
      scores: [K]; exactly equal ones are ties.

    Returns:
      [] int32.
    """
    return highest_by_luck(jax.random.uniform(key), scores)


def highest_by_luck(luck: jax.Array, scores: jax.Array) -> jax.Array:
    """Returns the index of a highest score: of m equal ones that of number ⌊luck m⌋.

    Args:
      luck: [] in [0, 1).
      scores: [K].

    Returns:
      [] int32.
    """
    passed = jnp.cumsum(scores == jnp.max(scores))  # [K] highest scores up to each index
    chosen = jnp.minimum(jnp.floor(luck * passed[-1]), passed[-1] - 1)  # the product may round up
    return jnp.sum(passed <= chosen, dtype=jnp.int32)
