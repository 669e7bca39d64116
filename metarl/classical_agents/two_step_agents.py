"""Agents for the two-step task: one that reasons by Bayes' rule, and a model-based and a model-free learner.

They see the state of the second stage and the reward there, and choose at the first stage alone.

    oracle        b = P(state 1 is the better one);  b' ∝ b P(r | better),  then b ← b (1 - h) + (1 - b) h
    model-based   V(s) ← V(s) + α (r - V(s));  Q(a) = Σ P̂(s | a) V(s),  P̂ by counting
    model-free    Q(a) ← Q(a) + α (r - Q(a))  for the action that was taken, wherever it led

The last two choose with probabilities ∝ exp(β Q(a)).

Letters: α learning rate; β inverse temperature; h probability of a reversal; a an action, s = 1 or 2.

References: Daw et al. (2011), Neuron 69; Akam et al. (2015), PLoS Computational Biology 11.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.environments import Agent, Trial, TwoStepTask, make_agent

from .scoring_agent import argmax_at_random


class Belief(NamedTuple):
    """What the reasoner knows."""

    task: TwoStepTask
    first: jax.Array  # [] probability that state 1 is the better one


class Learner(NamedTuple):
    """What a learner has learnt."""

    values: jax.Array  # [2], of states 1 and 2 if model-based, of actions if model-free
    led_to: jax.Array  # [2, 2] float32, how often action a led to state s, and 1
    action: jax.Array  # [] int32, the last one at the first stage


class Rates(NamedTuple):
    """A learner's numbers."""

    learning_rate: jax.Array  # [] α
    inverse_temperature: jax.Array  # [] β


def two_step_reasoner() -> Agent:
    """Knows the probabilities of the task, and believes by Bayes' rule which state is the better one.

    Nobody earns more by expectation: what a reward tells does not depend on where it was found, so
    no choice is worth exploring, and the best choice for this round is the best.
    """
    return make_agent(_know, _choose_by_belief, _believe, sees_task=True)


def model_based(learning_rate: float, inverse_temperature: float) -> Agent:
    """Learns what each state brings and where each action leads, and plans.

    Args:
      learning_rate: α, from 0 to 1.
      inverse_temperature: β, 0 or more.
    """
    rates = Rates(jnp.float32(learning_rate), jnp.float32(inverse_temperature))
    return make_agent(_know_nothing, _plan, _learn_states, rates)


def model_free(learning_rate: float, inverse_temperature: float) -> Agent:
    """Learns what each action brings, and nothing of where it leads.

    Args:
      learning_rate: α, from 0 to 1.
      inverse_temperature: β, 0 or more.
    """
    rates = Rates(jnp.float32(learning_rate), jnp.float32(inverse_temperature))
    return make_agent(_know_nothing, _choose_by_value, _learn_actions, rates)


def _know(key: jax.Array, trial: Trial, task: TwoStepTask) -> Belief:
    del key, trial
    return Belief(task, jnp.float32(0.5))


def _choose_by_belief(key: jax.Array, belief: Belief, observation: jax.Array):
    del observation
    common, first = belief.task.common, belief.first
    to_first = jnp.stack([common, 1 - common])  # of actions 0 and 1
    to_first = jnp.where(belief.task.swapped == 1, 1 - to_first, to_first)
    return argmax_at_random(key, to_first * first + (1 - to_first) * (1 - first)), belief


def _believe(
    belief: Belief,
    observation: jax.Array,
    action: Any,
    reward: jax.Array,
    terminated: jax.Array,
    truncated: jax.Array,
    *next_observation: Any,
) -> Belief:
    del action, next_observation
    task, first = belief.task, belief.first
    paid = jnp.where(reward > 0, task.reward, 1 - task.reward)  # P(r | this state is the better)
    if_first = jnp.where(observation == 1, paid, 1 - paid)
    after = first * if_first / (first * if_first + (1 - first) * (1 - if_first))
    after = after * (1 - task.reversal) + (1 - after) * task.reversal
    after = jnp.where(observation == 0, first, after)
    return belief._replace(first=jnp.where(terminated | truncated, 0.5, after))


def _know_nothing(rates: Rates, key: jax.Array, trial: Trial, task: None) -> Learner:
    del rates, key, trial, task
    return Learner(jnp.full(2, 0.5), jnp.ones((2, 2)), jnp.zeros((), jnp.int32))


def _plan(rates: Rates, key: jax.Array, learner: Learner, observation: jax.Array):
    del observation
    chances = learner.led_to / jnp.sum(learner.led_to, axis=1, keepdims=True)
    return _draw(rates, key, chances @ learner.values), learner


def _choose_by_value(rates: Rates, key: jax.Array, learner: Learner, observation: jax.Array):
    del observation
    return _draw(rates, key, learner.values), learner


def _draw(rates: Rates, key: jax.Array, values: jax.Array) -> jax.Array:
    chance = jax.nn.sigmoid(rates.inverse_temperature * (values[1] - values[0]))
    return jax.random.bernoulli(key, chance).astype(jnp.int32)


def _learn_states(
    rates: Rates,
    learner: Learner,
    observation: jax.Array,
    action: jax.Array,
    reward: jax.Array,
    terminated: jax.Array,
    truncated: jax.Array,
    next_observation: jax.Array,
) -> Learner:
    del terminated, truncated
    counted = learner.led_to.at[action, next_observation - 1].add(1.0)
    values = _towards(rates, learner.values, observation - 1, reward)
    first = observation == 0
    return Learner(
        jnp.where(first, learner.values, values), jnp.where(first, counted, learner.led_to), action
    )


def _learn_actions(
    rates: Rates,
    learner: Learner,
    observation: jax.Array,
    action: jax.Array,
    reward: jax.Array,
    *ends_and_next: Any,
) -> Learner:
    del ends_and_next
    first = observation == 0
    values = _towards(rates, learner.values, learner.action, reward)
    return learner._replace(
        values=jnp.where(first, learner.values, values),
        action=jnp.where(first, action, learner.action),
    )


def _towards(rates: Rates, values: jax.Array, index: jax.Array, reward: jax.Array) -> jax.Array:
    """Returns the values, that of `index` moved towards a reward."""
    return values.at[index].add(rates.learning_rate * (reward - values[index]))
