"""Trajectory transformer: how episodes are spelt, what is learnt of them, and what the search finds."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.controller import Policy
from metarl.environments import Trial, load, play
from metarl.errors import InvalidInput
from metarl.rl_baselines import make, parse
from metarl.rl_baselines.config import TrajectoryTransformerConfig
from metarl.rl_baselines.offline_data import random_walks
from metarl.rl_baselines.offline_learning import shape_of
from metarl.rl_baselines.trajectory_transformer import (
    Bins,
    Words,
    _levels,
    _loss_of,
    _policy,
    bins_of,
    search,
    tokens_of,
    words_of,
)

SMALL = "trajectory-transformer:trajectories=60,steps=10,hidden=8,heads=2,layers=1,batch=16,beams=2,depth=1"
TINY = TrajectoryTransformerConfig(hidden=8, heads=2, layers=1)


@pytest.fixture(scope="module")
def rooms():
    return load("key-to-door", size=3, room_steps=2, corridor=1)


@pytest.fixture(scope="module")
def walks(rooms):
    return random_walks(jax.random.key(0), rooms, 200)


def test_episodes_are_spelt_place_by_place(rooms, walks):
    words = words_of(rooms, 2)
    assert words.sizes == (3, 3, 3, 4, 4, 5, 4) and words.offsets.tolist() == [
        0,
        3,
        6,
        9,
        13,
        17,
        22,
    ]
    bins = bins_of(walks, 2)
    spell = jax.jit(lambda walks: tokens_of(walks, words, bins))
    tokens, returns = (np.asarray(x) for x in spell(walks))
    rich = int(np.argmax(walks.returns))
    blocks = np.cumsum((3, 3, 3, 4, 4))[:-1]
    for row in (0, rich):
        steps = int(np.asarray(walks.valid)[row].sum())
        for t in range(steps):
            parts = np.split(np.asarray(walks.observations[row, t]), blocks)
            reward, last = float(walks.rewards[row, t]), t == steps - 1
            spelt = [part.argmax() for part in parts]
            spelt += [int(walks.actions[row, t]), 2 * int(reward > 0.5) + int(last)]
            assert (tokens[row, t] == np.array(spelt) + words.offsets).all()
            assert returns[row, t] == np.asarray(walks.rewards)[row, t + 1 :].sum()
    assert float(walks.returns[rich]) == 1


def test_levels_are_the_values_or_else_quantiles():
    np.testing.assert_array_equal(_levels(np.array([1.0, 0, 1, 0]), 3), [0, 1, 1])
    np.testing.assert_allclose(_levels(np.arange(101.0), 4), [12.5, 37.5, 62.5, 87.5])


def test_the_loss_is_that_of_a_loop_over_tokens_and_padding_does_not_count(rooms, walks):
    words = words_of(rooms, 2)
    policy = _policy(words, rooms.horizon, shape_of(TINY))
    rich = int(np.argmax(walks.returns))  # ended early or not
    few = jax.tree.map(lambda leaf: leaf[jnp.array([0, rich])], walks)
    few = few._replace(valid=few.valid.at[0, 2:].set(False))
    bins = bins_of(walks, 2)
    tokens, returns = jax.jit(lambda few: tokens_of(few, words, bins))(few)
    params = policy.init(jax.random.key(1))
    found = jax.jit(_loss_of(policy, words))(params, (tokens, returns, few.valid))
    step, length = jax.jit(policy.step), len(words.sizes)
    of_tokens, of_returns = [], []
    one_hot, valid = np.eye(words.vocabulary, dtype=np.float32), np.asarray(few.valid)
    fresh = jax.jit(policy.initial_state, static_argnums=0)(1)
    for row in range(2):
        state, line = fresh, np.asarray(tokens[row]).ravel()
        for i in range(len(line) - 1):
            t, place = divmod(i + 1, length)
            state, logits, _ = step(params, state, one_hot[line[i : i + 1]])
            logits = np.asarray(logits[0], np.float64)
            own = logits[: words.vocabulary][words.allowed(place)]
            if valid[row, t]:
                chosen = logits[line[i + 1]]
                of_tokens.append(np.log(np.exp(own).sum()) - chosen)
            if place == 0 and valid[row, t - 1]:
                after = logits[words.vocabulary :]
                of_returns.append(np.log(np.exp(after).sum()) - after[int(returns[row, t - 1])])
    expected = np.mean(of_tokens) + np.mean(of_returns)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


WORDS = Words(
    (3,), 3, 2
)  # tokens: observation 0-2, action 3-5, outcome 6-9; then 2 bins of returns
BINS = Bins(jnp.array([0.0, 1.0]), jnp.array([0.0, 1.0]))


def made_up(promise: float) -> Policy:
    """A model of a world where action 1 from observation 0 leads to 1, and action 2 from there to a reward of 1.

    `promise` is the chance of a return that it sees after action 0, wherever that leads."""

    def initial_state(count):
        return jnp.zeros((count, 2), jnp.int32)  # observation, action

    def one(state, token):
        where, action = state
        seen, acted = token < 3, (token >= 3) & (token < 6)
        where = jnp.where(seen, token, where)
        action = jnp.where(acted, token - 3, action)
        wins = (where == 1) & (action == 2)
        lands = jnp.where((where == 0) & (action == 1), 1, 0)
        following = jnp.where(seen, -1, jnp.where(acted, 6 + 3 * wins, lands))
        sharp = jnp.where(jnp.arange(10) == following, 0.0, -1e9)
        open_choice = jnp.zeros(10)
        after = jnp.where(action == 0, promise, 0.01)
        logits = jnp.where(seen, open_choice, sharp)
        return jnp.stack([where, action]), jnp.concatenate(
            [logits, jnp.log(jnp.stack([1 - after, after]))]
        )

    def step(params, state, shown):
        state, logits = jax.vmap(one)(state, jnp.argmax(shown, axis=-1))
        return state, logits, jnp.zeros(len(shown))

    policy = _policy(WORDS, 2, shape_of(TINY))
    return dataclasses.replace(policy, initial_state=initial_state, step=step)


@pytest.mark.parametrize(("promise", "depth", "action"), [(0.5, 1, 0), (0.5, 2, 1)])
def test_the_search_takes_what_earns_most_with_what_is_still_to_come(promise, depth, action):
    """One step ahead a promise is all there is; two steps ahead lies a reward that is worth more."""
    policy = made_up(promise)
    state, logits, _ = policy.step(
        None, policy.initial_state(1), jax.nn.one_hot(jnp.array([0]), 10)
    )
    find = jax.jit(lambda key: search(policy, WORDS, None, BINS, key, state, logits, 64, 2, depth))
    assert int(find(jax.random.key(0))) == action  # missed by chance at (2/3)^64 and less


@pytest.mark.slow
def test_it_acts_in_its_world_and_begins_anew_with_an_episode(rooms):
    trial = Trial(rooms, episodes=2)
    agent = make(SMALL, trial)
    tasks = rooms.sample_tasks(jax.random.key(0), 3)
    assert play(agent, trial, jax.random.key(1), tasks).returns.shape == (3, 2)


@pytest.mark.slow
def test_from_random_walks_it_learns_where_steps_lead(rooms):
    """In walks of tasks that it has not seen, the likeliest next tokens of the place are the right ones."""
    agent = make("trajectory-transformer:trajectories=2000,steps=400", Trial(rooms, episodes=1))
    params, bins = agent.act.args
    words = words_of(rooms, 8)
    policy = _policy(words, rooms.horizon, shape_of(TrajectoryTransformerConfig(steps=400)))
    walks = random_walks(jax.random.key(7), rooms, 200)
    tokens, _ = tokens_of(walks, words, bins)
    line = np.asarray(tokens).reshape(200, -1)
    logits, _ = policy.apply(params, jax.nn.one_hot(line[:, :-1], words.vocabulary))
    right = []
    for t in range(1, rooms.horizon):
        valid = np.asarray(walks.valid)[:, t]
        for place in (1, 2):  # column and row
            i = t * len(words.sizes) + place
            own = np.where(
                words.allowed(place), np.asarray(logits)[:, i - 1, : words.vocabulary], -np.inf
            )
            right.append((own.argmax(axis=-1) == line[:, i])[valid])
    assert np.concatenate(right).mean() > 0.9  # by chance a third


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trajectory-transformer:beams=0", r"trajectory-transformer: beams is 0"),
        ("trajectory-transformer:asked=1", r"Unknown setting of agent 'trajectory-transformer'"),
    ],
)
def test_settings_that_cannot_be_are_refused(text, message):
    with pytest.raises(InvalidInput, match=message):
        parse(text)


def test_observations_that_are_no_tokens_are_refused():
    trial = Trial(load("cartpole"), steps=3)
    with pytest.raises(
        InvalidInput, match=r"trajectory-transformer needs Discrete or MultiDiscrete"
    ):
        make("trajectory-transformer", trial)
