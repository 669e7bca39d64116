"""Trials, on a family that counts: what belongs to an inner episode and what to the trial."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest

from metarl.environments import Trial, play, record
from metarl.errors import InvalidInput

T, F = True, False


@pytest.fixture
def recorded(counting, lengths, remembering_agent):
    """Returns a function that records one trial in the task of a length."""

    def run(length, **budget):
        trial = Trial(counting(), **budget)
        recording = record(remembering_agent, trial, jax.random.key(0), lengths(length))
        return jax.tree.map(lambda x: np.asarray(x[0]).tolist(), recording)

    return run


def test_episodes_follow_one_another_and_what_comes_after_the_last_is_padding(recorded):
    seen = recorded(3, episodes=2)
    assert seen.observations[:6] == [0, 1, 2, 0, 1, 2]
    assert seen.transitions.next_observation[:6] == [1, 2, 3, 1, 2, 3]
    assert seen.transitions.terminated[:6] == [F, F, T, F, F, T]
    assert seen.transitions.truncated[:6] == [F, F, F, F, F, F]
    assert seen.transitions.trial_terminated[:6] == [F, F, F, F, F, T]
    assert seen.transitions.trial_truncated == [F, F, F, F, F, F, F, F]
    assert seen.transitions.episode[:6] == [0, 0, 0, 1, 1, 1]
    assert seen.transitions.valid == [T, T, T, T, T, T, F, F]
    assert seen.transitions.reward == [0, 1, 2, 3, 4, 5, 0, 0]


def test_the_agents_memory_is_kept_through_all_episodes(recorded):
    assert recorded(1, episodes=4).actions[:4] == [0, 1, 2, 3]


def test_the_clock_truncates_an_episode_and_does_not_terminate_it(recorded):
    seen = recorded(9, episodes=2)
    assert seen.transitions.truncated == [F, F, F, T, F, F, F, T]
    assert seen.transitions.terminated == [F, F, F, F, F, F, F, F]
    assert seen.transitions.trial_terminated == [F, F, F, F, F, F, F, T]
    assert all(seen.transitions.valid)


def test_a_budget_of_steps_truncates_trial_and_episode(recorded):
    seen = recorded(3, steps=5)
    assert seen.transitions.terminated == [F, F, T, F, F]
    assert seen.transitions.truncated == [F, F, F, F, T]
    assert seen.transitions.trial_terminated == [F, F, F, F, F]
    assert seen.transitions.trial_truncated == [F, F, F, F, T]
    assert seen.transitions.episode == [0, 0, 0, 1, 1]


def test_an_episode_that_terminates_with_the_budget_is_not_truncated(recorded):
    seen = recorded(3, steps=6)
    assert seen.transitions.terminated[-1] and not seen.transitions.truncated[-1]
    assert seen.transitions.trial_truncated[-1] and not seen.transitions.trial_terminated[-1]


def test_the_flag_that_rl2_is_given_is_either_end(counting, lengths, remembering_agent):
    trial = Trial(counting(), steps=5)
    recording = record(remembering_agent, trial, jax.random.key(0), lengths(3))
    assert recording.transitions.episode_ended[0].tolist() == [F, F, T, F, T]


def test_episodes_of_several_lengths_are_tallied_side_by_side(counting, lengths, remembering_agent):
    trial = Trial(counting(), episodes=3)
    played = play(remembering_agent, trial, jax.random.key(0), lengths(1, 2, 9))
    assert played.lengths.tolist() == [[1, 1, 1], [2, 2, 2], [4, 4, 4]]
    assert played.returns.tolist() == [[0, 1, 2], [1, 5, 9], [6, 22, 38]]
    assert played.totals.tolist() == [3, 15, 66]


def test_a_user_may_end_episodes_with_pythons_own_true_and_false(
    counting, lengths, remembering_agent
):
    def step(key, state, action, task):
        return count_on(key, state, action, task)._replace(terminated=False, truncated=True)

    count_on = counting().step
    trial = Trial(counting(step=step), steps=3)
    seen = record(remembering_agent, trial, jax.random.key(0), lengths(9)).transitions
    assert seen.truncated.dtype == bool and seen.truncated[0].tolist() == [T, T, T]
    assert seen.episode[0].tolist() == [0, 1, 2]


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_a_reward_is_float32_whatever_a_users_is(counting, kind):
    family = counting()

    def step(*arguments):
        found = family.step(*arguments)
        return found._replace(reward=found.reward.astype(kind))

    trial = Trial(dataclasses.replace(family, step=step), episodes=2)
    key = jax.random.key(0)
    task = family.sample_task(jax.random.clone(key))
    state = jax.eval_shape(trial.reset, key, task)
    _, transition = jax.eval_shape(trial.step, key, state, jax.numpy.int32(0), task)
    assert transition.reward.dtype == np.float32


def test_the_length_of_a_trial_is_its_budget(counting):
    assert Trial(counting(), episodes=3).length == 12
    assert Trial(counting(), steps=7).length == 7
    assert Trial(counting(), steps=7).max_episodes == 7
    assert Trial(counting(fixed_length=True), steps=7).max_episodes == 2


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ({}, "either of episodes or of steps; give one"),
        ({"episodes": 2, "steps": 3}, "either of episodes or of steps; give one"),
        ({"episodes": 0}, "episodes is 0; it must be a whole number of at least 1."),
        ({"steps": 2.5}, "steps is 2.5; it must be a whole number of at least 1."),
    ],
)
def test_a_budget_that_is_none_is_refused(counting, budget, message):
    with pytest.raises(InvalidInput, match=message):
        Trial(counting(), **budget)
