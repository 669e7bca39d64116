"""Worlds played together: one answer for all of them, so that a branch stays a branch."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.environments import Trial, computed_where, in_any_world, load, play, record


def test_in_any_world_is_one_answer_for_all_of_them():
    conditions = jnp.array([[False, False], [True, False]])
    assert not in_any_world(jnp.array(False))
    np.testing.assert_array_equal(jax.vmap(in_any_world)(conditions[0]), jnp.array([False, False]))
    np.testing.assert_array_equal(jax.vmap(jax.vmap(in_any_world))(conditions), True)


@pytest.mark.parametrize("asked", [[], [2], [0, 3]])
def test_what_no_world_asks_for_is_not_computed(asked):
    computed = []

    def one(wanted):
        def work():
            jax.debug.callback(lambda: computed.append(1))
            return jnp.ones(())

        found = jax.lax.cond(in_any_world(wanted), work, lambda: jnp.zeros(()))
        return jnp.where(wanted, found, 0.0)

    wanted = jnp.isin(jnp.arange(4), jnp.array(asked, int))
    found = jax.block_until_ready(jax.jit(jax.vmap(one))(wanted))
    jax.effects_barrier()
    np.testing.assert_array_equal(found, wanted.astype(float))
    assert bool(computed) == bool(asked)


@pytest.mark.parametrize("asked", [[], [2], [0, 3]])
def test_what_is_computed_is_had_by_the_worlds_that_want_it_and_by_no_other(asked):
    computed = []

    def one(wanted, world):
        def work():
            jax.debug.callback(lambda: computed.append(1))
            return {"new": world + 10, "pair": (world, 1.0)}

        return computed_where(wanted, work, {"new": world, "pair": (world, 0.0)})

    wanted = jnp.isin(jnp.arange(4), jnp.array(asked, int))
    found = jax.block_until_ready(jax.jit(jax.vmap(one))(wanted, jnp.arange(4)))
    jax.effects_barrier()
    np.testing.assert_array_equal(found["new"], np.arange(4) + 10 * np.asarray(wanted))
    np.testing.assert_array_equal(found["pair"][1], np.asarray(wanted, float))
    assert bool(computed) == bool(asked)


def test_playing_ends_when_all_trials_are_over_and_says_the_same(counting, constant_agent):
    trial = Trial(counting(), episodes=3)
    steps = []

    def act_and_tell(key, state, observation):
        jax.debug.callback(lambda index: steps.append(1), observation)
        return constant_agent(2).act(key, state, observation)

    agent = constant_agent(2)
    agent = type(agent)(agent.init, jax.tree_util.Partial(act_and_tell), agent.observe)
    tasks = trial.environment.sample_tasks(jax.random.key(0), 4)
    played = jax.block_until_ready(play(agent, trial, jax.random.key(1), tasks))
    jax.effects_barrier()
    np.testing.assert_array_equal(played.lengths, np.full((4, 3), 3))
    np.testing.assert_array_equal(played.returns, np.full((4, 3), 6.0))
    assert trial.length == 12
    assert len(steps) == 4 * 9  # three episodes of three steps in each of four worlds


def test_a_loop_that_ends_early_counts_what_the_whole_trial_holds(random_agent):
    trial = Trial(load("cartpole", horizon=40), episodes=3)
    tasks = trial.environment.sample_tasks(jax.random.key(0), 5)
    agent = random_agent(trial.environment.action_space)
    played = play(agent, trial, jax.random.key(1), tasks)
    recorded = record(agent, trial, jax.random.key(1), tasks).transitions
    for episode in range(3):
        here = np.asarray(recorded.valid & (recorded.episode == episode))
        np.testing.assert_array_equal(played.lengths[:, episode], here.sum(axis=1))
