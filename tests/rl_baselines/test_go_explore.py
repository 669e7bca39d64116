"""Go-Explore: its archive is that of a loop, its ways lead where they say, and it finds a far reward."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces

from metarl.environments import DarkRoomTask, Trial, load, play
from metarl.errors import InvalidInput
from metarl.rl_baselines import make

SIZE, HORIZON, EPISODES = 5, 10, 150


@pytest.fixture(scope="module")
def trial():
    return Trial(load("dark-room", size=SIZE, horizon=HORIZON, hard=True), episodes=EPISODES)


@pytest.fixture(scope="module")
def lived(trial):
    """Returns a learner's memory after a trial whose goal is in a corner, and all that happened."""
    agent = make("go-explore", trial)
    task = DarkRoomTask(jnp.array([SIZE * SIZE - 1], jnp.int32))

    @jax.jit
    def live(key):
        def step(carry, key):
            memory, state = carry
            act_key, world_key = jax.random.split(key)
            action, memory = agent.act(act_key, memory, state.observation)
            following, transition = trial.step(world_key, state, action, task)
            memory = agent.observe(
                memory,
                state.observation,
                action,
                transition.reward,
                transition.terminated,
                transition.truncated,
                transition.next_observation,
            )
            happened = (state.observation, action, transition.reward, transition.next_observation)
            return (memory, following), happened

        start_key, steps_key = jax.random.split(key)
        memory = agent.init(start_key, trial, None)
        keys = jax.random.split(steps_key, trial.length)
        (memory, _), happened = jax.lax.scan(step, (memory, trial.reset(start_key, task)), keys)
        return memory, happened

    with jax.debug_key_reuse(False):
        return jax.device_get(live(jax.random.key(0)))


def test_the_archive_is_that_of_a_loop_over_what_happened(lived):
    memory, (before, _, rewards, after) = lived
    best: dict[int, tuple[float, int]] = {}  # cell -> return, minus length; the greatest is kept
    for episode in range(EPISODES):
        total = 0.0
        for time in range(HORIZON):
            at = episode * HORIZON + time
            if time == 0:
                best[int(before[at])] = max(best.get(int(before[at]), (-1.0, 0)), (0.0, 0))
            total += float(rewards[at])
            cell = int(after[at])
            best[cell] = max(best.get(cell, (-1.0, 0)), (total, -(time + 1)))
    np.testing.assert_array_equal(np.flatnonzero(memory.archive.known), sorted(best))
    for cell, (total, minus_length) in best.items():
        assert (
            memory.archive.returns[cell] == total and memory.archive.lengths[cell] == -minus_length
        )


def test_every_way_leads_to_its_cell_and_earns_what_it_says(lived, trial):
    memory, _ = lived
    room, task = trial.environment, DarkRoomTask(jnp.array([SIZE * SIZE - 1], jnp.int32))

    @jax.jit
    def walked(ways):
        def walk(way):
            _, state = room.reset(jax.random.key(0), task)

            def step(state, action):
                step = room.step(jax.random.key(0), state, action, task)
                return step.state, (step.observation, step.reward)

            return jax.lax.scan(step, state, way)[1]

        return jax.vmap(walk)(ways.astype(jnp.int32))

    cells, rewards = jax.device_get(walked(memory.archive.ways))
    for cell in np.flatnonzero(memory.archive.known):
        length = memory.archive.lengths[cell]
        if length:
            assert cells[cell, length - 1] == cell
            assert rewards[cell, :length].sum() == memory.archive.returns[cell]


def test_who_has_found_the_reward_walks_to_it_again(lived):
    _, (_, _, rewards, _) = lived
    earned = rewards.reshape(EPISODES, HORIZON).sum(axis=1)
    first = np.flatnonzero(earned)[0]
    assert first < EPISODES - 15
    assert earned[first + 1 :].mean() > 0.1  # half of the episodes walk the best way


def test_it_finds_a_far_reward_more_often_than_a_random_walk():
    trial = Trial(load("dark-room", size=11, horizon=12, hard=True), episodes=300)
    corner = DarkRoomTask(jnp.full((30, 1), 120, jnp.int32))  # ten steps away
    found, by_chance = (
        np.asarray(play(make(text, trial), trial, jax.random.key(1), corner).totals > 0).mean()
        for text in ("go-explore", "q-learning:exploration_share=1,last_epsilon=1")
    )
    # C(12, 10) C(10, 5) / 5^10 = 0.0017 bounds the chance of an episode at random; of 300, 0.4.
    assert found > 0.6 and by_chance < found - 0.2


def test_worlds_it_cannot_remember_are_refused(trial):
    with pytest.raises(InvalidInput, match="go-explore needs Discrete actions"):
        make("go-explore", Trial(load("pendulum"), steps=3))
    with pytest.raises(
        InvalidInput, match=r"go-explore needs Discrete or MultiDiscrete observations"
    ):
        make("go-explore", Trial(load("cartpole"), episodes=1))
    vast = dataclasses.replace(trial.environment, observation_space=spaces.Discrete(10**7))
    with pytest.raises(InvalidInput, match=r"each of 10,000,000 observations .* too much"):
        make("go-explore", Trial(vast, episodes=1))
