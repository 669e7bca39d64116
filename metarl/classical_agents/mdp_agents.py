"""Agents for tabular MDPs that plan in one MDP or several: their mean, samples, or the truth.

Letters: S states; A actions; H horizon; T steps of a trial; n rewards seen; w prior weight.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from metarl.environments import Agent, TabularMDP, Trial, make_agent, plan
from metarl.errors import InvalidInput

from .mdp_posterior import mean_model, sample_model
from .planning_agent import Memory, Settings, sizes
from .scoring_agent import argmax_at_random


def plan_in_the_mean(settings: Settings, key: jax.Array, memory: Memory) -> jax.Array:
    """Plans as if the posterior mean were the MDP: greedy, and ε-greedy with random actions.

      r(s, a) = posterior mean + b (1 - t / T) / (w + n(s, a))

    The bonus b is worth what a prior mean higher by b / w would be, and fades over the trial: there
    is little to be gained from knowledge that comes late.

    Returns:
      Action values [H, S, A].

    Reference: Duan et al. (2016), arXiv:1611.02779, appendix; the bonus is not in it.
    """
    del key
    model = mean_model(settings.prior, memory.counts)
    left = 1 - memory.steps / memory.length  # [] share of the trial
    bonus = settings.bonus * left / (settings.prior.weight + memory.counts.visits)  # [S, A]
    return plan(model.transitions, model.mean_rewards + bonus, _horizon(memory)).action_values


def plan_in_samples(settings: Settings, key: jax.Array, memory: Memory) -> jax.Array:
    """Plans in MDPs drawn from the posterior, and believes the best of each pair: (O)PSRL.

      Q[t](s, a) = max over samples i = 1 ... N of Q_i[t](s, a)

    With one sample it is posterior sampling (PSRL), with more its optimistic variant.

    Returns:
      Action values [H, S, A].

    Reference: Osband et al. (2013), arXiv:1306.0940, algorithm 1; for N > 1 Duan et al. (2016),
      arXiv:1611.02779, appendix.
    """

    def add_sample(index: jax.Array, highest: jax.Array) -> jax.Array:
        model = sample_model(jax.random.fold_in(key, index), settings.prior, memory.counts)
        sampled = plan(model.transitions, model.mean_rewards, _horizon(memory)).action_values
        return jnp.maximum(highest, sampled)

    nothing = jnp.full_like(memory.action_values, -jnp.inf)
    return jax.lax.fori_loop(0, settings.samples, add_sample, nothing)


def _horizon(memory: Memory) -> int:
    return memory.action_values.shape[0]


class OracleMemory(NamedTuple):
    """What who knows the task must remember."""

    action_values: jax.Array  # [H, S, A]
    time: jax.Array  # [] int32


def oracle_agent(trial: Trial) -> Agent:
    """Returns the agent that knows the MDP and acts optimally in it: an upper bound.

    Its return is that of finite-horizon dynamic programming, by expectation.

    Raises:
      InvalidInput: the tasks of the environment are no tables.
    """
    environment = trial.environment
    task = jax.eval_shape(environment.sample_task, jax.random.key(0))
    if not isinstance(task, TabularMDP):
        raise InvalidInput(
            f"Agent 'oracle' needs tasks that are tables of an MDP; those of {environment.name!r} "
            f"are {type(task).__name__}. It can act in 'mdp'."
        )
    return make_agent(_know, _act_knowing, _watch_the_clock, sees_task=True)


def _know(key: jax.Array, trial: Trial, task: TabularMDP) -> OracleMemory:
    del key
    known = plan(task.transitions, task.mean_rewards, sizes(trial)[2])
    return OracleMemory(known.action_values, jnp.zeros((), jnp.int32))


def _act_knowing(key: jax.Array, memory: OracleMemory, observation: jax.Array):
    return argmax_at_random(key, memory.action_values[memory.time, observation]), memory


def _watch_the_clock(
    memory: OracleMemory,
    observation: jax.Array,
    action: jax.Array,
    reward: jax.Array,
    terminated: jax.Array,
    truncated: jax.Array,
    next_observation: jax.Array,
) -> OracleMemory:
    del observation, action, reward, next_observation
    return memory._replace(time=jnp.where(terminated | truncated, 0, memory.time + 1))
