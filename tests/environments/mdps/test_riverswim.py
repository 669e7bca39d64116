"""RiverSwim: the usual river by its numbers, and others drawn."""

from __future__ import annotations

import itertools

import jax
import numpy as np
import pytest

from metarl.classical_agents import make, world_of
from metarl.environments import Trial, load, play_split
from metarl.environments.mdps.riverswim import river
from metarl.errors import InvalidInput


def naive_river(current, against):
    """Returns the tables by the words of the module, stroke by stroke."""
    states = len(against)
    transitions, rewards = np.zeros((states, 2, states)), np.zeros((states, 2))
    for state, action in itertools.product(range(states), range(2)):
        if action != against[state]:
            transitions[state, action, max(state - 1, 0)] = 1
            rewards[state, action] = 0.005 if state == 0 else 0
            continue
        if state == 0:
            chances = {1: current + 0.25, 0: 0.75 - current}
        elif state == states - 1:
            chances, rewards[state, action] = {state: current + 0.25, state - 1: 0.75 - current}, 1
        else:
            chances = {state + 1: current, state: 0.95 - current, state - 1: 0.05}
        for following, chance in chances.items():
            transitions[state, action, following] = chance
    return transitions, rewards


@pytest.fixture(scope="module")
def compiled():
    return jax.jit(river)


@pytest.mark.parametrize(
    ("current", "against"),
    [(0.35, [1] * 6), (0.41, [0, 1, 1, 0, 0, 1]), (0.27, [0, 0, 1, 0, 1, 0])],
)
def test_a_river_is_what_the_words_say(current, against, compiled):
    found = compiled(np.float32(current), np.array(against, np.int32))
    for table, expected in zip(found, naive_river(current, against), strict=True):
        np.testing.assert_allclose(table, expected, atol=1e-6)


def test_the_usual_river_is_the_one_of_the_papers(compiled):
    transitions, rewards = map(np.asarray, compiled(np.float32(0.35), np.ones(6, np.int32)))
    np.testing.assert_allclose(transitions[0, 1, :2], [0.4, 0.6], atol=1e-6)
    np.testing.assert_allclose(transitions[2, 1, 1:4], [0.05, 0.6, 0.35], atol=1e-6)
    np.testing.assert_allclose(transitions[5, 1, 4:], [0.4, 0.6], atol=1e-6)
    assert rewards[0, 0] == np.float32(0.005) and rewards[5, 1] == 1 and rewards.sum() < 1.01


@pytest.mark.slow
def test_who_knows_the_river_earns_its_value_and_who_samples_models_more_than_at_random():
    """Four standard errors each: fails once in 10,000 runs."""
    trial = Trial(load("riverswim"), episodes=20)
    assert world_of(trial.environment) == "mdp"
    known, sampled, random = (
        np.asarray(play_split(make(text, trial), trial, 0, 300, "test").totals)
        for text in ("oracle", "psrl:prior_mean=0,noise=0.1", "random")
    )
    tasks = trial.environment.sample_tasks(jax.random.key(3), 300, "test")
    optimal_return = trial.environment.optimal_return
    assert optimal_return is not None
    value = 20 * np.asarray(jax.vmap(optimal_return)(tasks))
    error = np.sqrt((known.var() + value.var()) / 300)
    assert abs(known.mean() - value.mean()) < 4 * error
    gain = sampled - random
    assert gain.mean() > 4 * gain.std() / np.sqrt(300)


def test_the_usual_river_is_one_task():
    assert load("riverswim", drawn=False).shared_tasks and not load("riverswim").shared_tasks


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"states": 2}, "states is 2; it must be a whole number of at least 3"),
        ({"drawn": "no"}, "drawn is 'no'; it must be true or false"),
    ],
)
def test_rivers_that_cannot_be_are_refused(settings, message):
    with pytest.raises(InvalidInput, match=message):
        load("riverswim", **settings)
