"""Playing: tasks and luck depend on the seed alone; tasks that are none are refused."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.environments import (
    Bandit,
    Split,
    TabularMDP,
    Trial,
    follow,
    load,
    make_agent,
    play,
    play_split,
    record,
)
from metarl.errors import InvalidInput


@pytest.fixture(scope="module")
def trial():
    return Trial(load("bandit", arms=2), episodes=5)


def test_results_do_not_depend_on_the_chunk(trial, random_agent):
    agent = random_agent(trial.environment.action_space)
    whole = play_split(agent, trial, seed=1, count=5, split="test")
    parts = play_split(agent, trial, seed=1, count=5, split="test", chunk=4)
    np.testing.assert_array_equal(whole.returns, parts.returns)
    np.testing.assert_array_equal(whole.lengths, parts.lengths)


CASES: list[tuple[int, Split]] = [(1, "test"), (2, "test"), (1, "train")]


def test_seeds_and_splits_give_other_tasks(trial, constant_agent):
    returns = [
        play_split(constant_agent(0), trial, seed, 20, split).returns for seed, split in CASES
    ]
    assert all((a != b).any() for a, b in [returns[:2], returns[1:], returns[::2]])


def test_agents_that_act_alike_meet_the_same_luck(trial, constant_agent):
    wasteful = make_agent(
        lambda key, trial, task: jax.random.normal(key, (3,)),
        lambda key, state, observation: (jnp.zeros((), jnp.int32), state + jax.random.normal(key)),
        lambda state, *what_happened: state * 2,
    )
    tasks = Bandit(jnp.full((20, 2), 0.5))
    played = [
        play(agent, trial, jax.random.key(1), tasks) for agent in (wasteful, constant_agent(0))
    ]
    np.testing.assert_array_equal(played[0].returns, played[1].returns)


def test_only_an_oracle_is_shown_the_task(trial):
    def make(sees_task):
        return make_agent(
            lambda key, trial, task: jnp.zeros(()) if task is None else jnp.max(task.means),
            lambda key, state, observation: ((state > 0).astype(jnp.int32), state),
            lambda state, *what_happened: state,
            sees_task=sees_task,
        )

    tasks = Bandit(jnp.array([[0.0, 1.0]]))
    assert play(make(True), trial, jax.random.key(0), tasks).totals.tolist() == [5]
    assert play(make(False), trial, jax.random.key(0), tasks).totals.tolist() == [0]


def test_agents_that_differ_in_numbers_alone_share_a_program(trial):
    traced = []

    def act(action, key, state, observation):
        traced.append(action)
        return action, state

    def nothing(*what_happened):
        return ()

    tasks = Bandit(jnp.array([[0.0, 1.0]]))
    returns = [
        play(make_agent(nothing, act, nothing, number), trial, jax.random.key(1), tasks).totals
        for number in (0, 1)
    ]
    assert [total.tolist() for total in returns] == [[0], [5]]
    assert len(traced) == 1


@pytest.mark.parametrize("door", [play, record])
@pytest.mark.parametrize(
    ("means", "message"),
    [
        (np.array([[0.5, np.nan]]), "task.means holds NaN or infinity; only finite numbers"),
        (np.array([[0.5, np.inf]]), "task.means holds NaN or infinity; only finite numbers"),
        (np.array([[0.5, 0.5, 0.5]]), r"task.means has shape \(1, 3\); it must be \(1, 2\)"),
        (np.array([["a", "b"]]), "task.means is of type <U1; it must be float32"),
        (np.array(0.5), "Tasks must have a leading axis"),
        (np.zeros((0, 2)), "Tasks must have a leading axis of at least one"),
    ],
)
def test_tasks_that_are_none_are_refused(trial, constant_agent, door, means, message):
    with pytest.raises(InvalidInput, match=message):
        door(constant_agent(0), trial, jax.random.key(0), Bandit(means))


def test_a_task_of_another_family_is_refused(trial, constant_agent):
    tasks = TabularMDP(jnp.full((1, 2, 2, 2), 0.5), jnp.ones((1, 2, 2)))
    with pytest.raises(InvalidInput, match="TabularMDP of another structure; a task of 'bandit'"):
        play(constant_agent(0), trial, jax.random.key(0), tasks)


def test_tasks_may_be_traced(trial, constant_agent):
    tasks = Bandit(jnp.full((4, 2), 0.5))
    inside = jax.jit(lambda tasks: play(constant_agent(0), trial, jax.random.key(1), tasks))(tasks)
    outside = play(constant_agent(0), trial, jax.random.key(1), tasks)
    np.testing.assert_array_equal(inside.returns, outside.returns)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "count is 0; it must be a whole number of at least 1."),
        ({"chunk": 0}, "chunk is 0; it must be a whole number of at least 1."),
        ({"seed": -1}, "seed is -1; it must be a whole number of at least 0."),
        ({"seed": 2**32}, r"seed is 4294967296; it must be below 2\^32."),
        ({"split": "exam"}, "split is 'exam'; it must be one of train, validation, test."),
    ],
)
def test_numbers_that_cannot_be_played_are_refused(trial, constant_agent, arguments, message):
    arguments = {"seed": 0, "count": 2, "split": "test"} | arguments
    with pytest.raises(InvalidInput, match=message):
        play_split(constant_agent(0), trial, **arguments)


def test_who_follows_a_trial_sees_the_course_of_record_and_the_states(
    counting, lengths, remembering_agent
):
    trial, task = Trial(counting(), episodes=2), jax.tree.map(lambda x: x[0], lengths(3))
    followed = follow(remembering_agent, trial, jax.random.fold_in(jax.random.key(1), 0), task)
    recorded = record(remembering_agent, trial, jax.random.key(1), lengths(3))
    valid = recorded.transitions.valid[0]
    np.testing.assert_array_equal(followed.actions, recorded.actions[0])
    np.testing.assert_array_equal(followed.transitions.reward, recorded.transitions.reward[0])
    assert followed.states[valid].tolist() == [0, 1, 2, 0, 1, 2]


def test_an_episode_that_the_clock_ends_is_not_terminated(counting, lengths, remembering_agent):
    trial = Trial(counting(), episodes=2)  # horizon 4
    played = play(remembering_agent, trial, jax.random.key(1), lengths(3, 9))
    assert played.lengths.tolist() == [[3, 3], [4, 4]]
    assert played.terminated.tolist() == [[True, True], [False, False]]
