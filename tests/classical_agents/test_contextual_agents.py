"""Contextual bandits and their agents: rewards and posteriors against loops."""

from __future__ import annotations

import functools

import jax
import numpy as np
import pytest

from metarl.classical_agents import make
from metarl.environments import Trial, load, record
from metarl.errors import InvalidInput

ARMS, WIDTH, NOISE, PULLS, TASKS = 3, 2, 0.3, 25, 300


@pytest.fixture(scope="module")
def trial():
    return Trial(load("contextual-bandit", arms=ARMS, dimension=WIDTH, noise=NOISE), episodes=PULLS)


@pytest.fixture(scope="module")
def played(trial):
    """Returns contexts, actions and rewards [N, T] of an agent, and the weights of the arms."""

    @functools.cache
    def play(text):
        @jax.jit
        def run():
            tasks = trial.environment.sample_tasks(jax.random.key(1), TASKS, "test")
            return record(make(text, trial), trial, jax.random.key(2), tasks), tasks.weights

        recording, weights = jax.device_get(run())
        return recording.observations, recording.actions, recording.transitions.reward, weights

    return play


def test_rewards_are_linear_in_the_context_and_as_noisy_as_said(played):
    """Five standard errors: fails once in a million runs."""
    contexts, actions, rewards, weights = played("linear-ucb:alpha=0.5")
    pulled = weights[np.arange(TASKS)[:, None], actions]  # [N, T, d]
    means = (contexts * pulled).sum(axis=-1)
    noise = (rewards - means).ravel()
    assert abs(noise.mean()) < 5 * NOISE / np.sqrt(noise.size)
    assert abs(noise.std() / NOISE - 1) < 5 / np.sqrt(2 * noise.size)
    assert abs(contexts.var() * WIDTH - 1) < 5 * np.sqrt(2 / contexts.size)


def test_who_adds_a_bonus_pulls_what_the_formula_says(played):
    contexts, actions, rewards, _ = played("linear-ucb:alpha=0.5")
    decided = 0
    for n in range(40):
        precision, weighted = np.stack([np.eye(WIDTH)] * ARMS), np.zeros((ARMS, WIDTH))
        for x, action, reward in zip(contexts[n], actions[n], rewards[n], strict=True):
            covariance = np.linalg.inv(precision)
            scores = np.einsum("kij,kj->ki", covariance, weighted) @ x
            scores += 0.5 * np.sqrt(np.einsum("i,kij,j->k", x, covariance, x))
            if np.diff(np.sort(scores))[-1] > 1e-3:
                assert action == scores.argmax()
                decided += 1
            precision[action] += np.outer(x, x) / NOISE**2
            weighted[action] += x * reward / NOISE**2
    assert decided > 500


@pytest.mark.slow
def test_who_learns_earns_more_than_at_random_and_who_knows_more_still(played):
    """Four standard errors each: fails once in 10,000 runs."""
    totals = {t: played(t)[2].sum(1) for t in ("random", "greedy", "linear-thompson", "oracle")}
    for learner in ("greedy", "linear-thompson"):
        for less, more in (("random", learner), (learner, "oracle")):
            gain = totals[more] - totals[less]
            assert gain.mean() > 4 * gain.std() / np.sqrt(TASKS)


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(InvalidInput, match="noise is -1; it must be a finite number of at least 0"):
        load("contextual-bandit", noise=-1)
