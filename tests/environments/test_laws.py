"""Laws of every family, in one table: a new family joins by a line."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.environments import (
    SPLITS,
    Trial,
    cards,
    check_environment,
    draw_member,
    feature_size,
    features,
    host_names,
    load,
    names,
    play,
    record,
)

pytestmark = pytest.mark.usefixtures("keys_checked")

# name, settings, whether each split has tasks of its own
FAMILIES = [
    ("bandit", {}, True),
    ("bandit", {"rewards": "gaussian", "arms": 3}, True),
    ("bandit", {"rewards": "linear", "arms": 4}, True),
    ("bandit", {"rewards": "correlated"}, True),
    ("bandit", {"rewards": "restless", "pulls": 6}, True),
    ("mdp", {"states": 4, "actions": 3, "horizon": 5}, True),
    ("bandit", {"prior_successes": 0.5, "prior_failures": 3}, True),
    ("mdp", {"states": 4, "horizon": 5, "alpha": 0.3, "reward_noise": 0.1}, True),
    ("riverswim", {"states": 4, "horizon": 6}, True),
    ("gridworld", {"size": 3, "horizon": 4}, True),
    ("gridworld", {"size": 2, "horizon": 4, "pixels": 2}, True),
    ("gridworld", {"start": "corner"}, False),
    ("dark-room", {"size": 5, "horizon": 4}, True),
    ("dark-room", {"size": 5, "horizon": 6, "hard": True}, True),
    ("dark-key-to-door", {"size": 3, "horizon": 6}, True),
    ("key-to-door", {"size": 3, "room_steps": 3, "corridor": 2}, True),
    ("rule-grid", {"size": 3, "objects": 4, "depth": 3, "horizon": 9}, True),
    ("memory-planning", {"size": 3, "horizon": 7}, True),
    ("dark-maze", {"size": 4, "horizon": 9, "opened": 0.3, "slip": 0.2}, True),
    ("contextual-bandit", {"arms": 3, "dimension": 2}, True),
    ("point-robot", {"horizon": 12}, True),
    ("point-robot", {"horizon": 12, "goals": "circle", "sparse": True}, True),
    ("two-step", {"rounds": 3, "drawn": True}, True),
    ("harlow", {"bits": 4}, True),
    ("maze", {"size": 3, "horizon": 20, "width": 8, "height": 6}, True),
    ("cartpole", {"physics_range": 0.5, "horizon": 40}, True),
    ("pendulum", {"physics_range": 1, "horizon": 20}, True),
    ("pendulum", {"physics_range": 1, "horizon": 20, "show_physics": True}, True),
]
# Another member of the table walks nearly the same code; mazes have a file of tests of their own.
ALIKE = [
    {"size": 3, "horizon": 7},
    {"size": 3, "objects": 4, "depth": 3, "horizon": 9},
    {"size": 4, "horizon": 9, "opened": 0.3, "slip": 0.2},
    {"arms": 3, "dimension": 2},
    {"size": 2, "horizon": 4, "pixels": 2},
    {"horizon": 12},
    {"horizon": 12, "goals": "circle", "sparse": True},
    {"states": 4, "horizon": 6},
    {"rounds": 3, "drawn": True},
    {"bits": 4},
    {"size": 3, "horizon": 20, "width": 8, "height": 6},
    {"rewards": "linear", "arms": 4},
    {"rewards": "correlated"},
    {"prior_successes": 0.5, "prior_failures": 3},
    {"states": 4, "horizon": 5, "alpha": 0.3, "reward_noise": 0.1},
    {"size": 5, "horizon": 6, "hard": True},
    {"physics_range": 1, "horizon": 20, "show_physics": True},
]
NAMED = [
    pytest.param(
        *row,
        id="-".join(map(str, [row[0], *row[1].values()])),
        marks=[pytest.mark.slow] if row[1] in ALIKE else [],
    )
    for row in FAMILIES
]
# Compiling takes longer than these tests' few steps, so it does no more than it must.
quick_jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
every_family = pytest.mark.parametrize(("name", "settings", "disjoint"), NAMED)


def named(row: Any):
    """The world of a row of NAMED."""
    name, settings, _ = row.values
    return load(name, **settings)


def rows(tasks) -> set[bytes]:
    """Returns each of many tasks as its bytes."""
    leaves = [np.asarray(leaf).reshape(len(leaf), -1) for leaf in jax.tree.leaves(tasks)]
    return {row.tobytes() for row in np.concatenate(leaves, axis=1)}


def test_the_table_holds_every_family():
    assert {row[0] for row in FAMILIES} == set(names())


@every_family
def test_shapes_spaces_lengths_and_bits_are_as_promised(name, settings, disjoint):
    environment = check_environment(load(name, **settings), seed=3)
    assert environment.shared_tasks == (not disjoint)


@every_family
def test_its_settings_load_it_again(name, settings, disjoint):
    environment = load(name, **settings)
    assert load(name, **environment.settings) is environment
    assert settings.items() <= dict(environment.settings).items()


@every_family
def test_splits_share_no_task(name, settings, disjoint):
    environment = load(name, **settings)

    @quick_jit
    def draw():
        return [environment.sample_tasks(jax.random.key(0), 200, split) for split in SPLITS]

    train, validation, test = map(rows, draw())
    assert min(map(len, (train, validation, test))) > 1
    assert bool(train & validation | train & test | validation & test) is not disjoint


@every_family
def test_vmap_over_tasks_is_the_loop_over_tasks(name, settings, disjoint):
    environment = load(name, **settings)

    def episode(key):
        task_key, reset_key, steps_key = jax.random.split(key, 3)
        task = environment.sample_task(task_key)
        first, state = environment.reset(reset_key, task)

        def advance(state, index):
            action_key, step_key = jax.random.split(jax.random.fold_in(steps_key, index))
            action = draw_member(action_key, environment.action_space)
            step = environment.step(step_key, state, action, task)
            return step.state, step._replace(state=())

        return first, jax.lax.scan(advance, state, jnp.arange(environment.horizon))[1]

    together = quick_jit(jax.vmap(episode))(jax.random.split(jax.random.key(1), 3))
    alone = quick_jit(episode)
    for i in range(3):
        one = alone(jax.random.split(jax.random.key(1), 3)[i])
        for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(together), strict=True):
            np.testing.assert_allclose(a, b[i], rtol=1e-3, atol=1e-4)


@every_family
def test_play_is_the_sum_of_what_record_shows(name, settings, disjoint, random_agent):
    environment = load(name, **settings)
    trial = Trial(environment, episodes=2)
    agent = random_agent(environment.action_space)

    @quick_jit
    def both_ways():
        tasks = environment.sample_tasks(jax.random.key(2), 3, "test")
        return [door(agent, trial, jax.random.key(3), tasks) for door in (play, record)]

    played, recording = jax.device_get(both_ways())
    transitions = recording.transitions
    returns, lengths = np.zeros((3, 2)), np.zeros((3, 2), int)
    for n in range(3):
        for t in range(trial.length):
            if transitions.valid[n, t]:
                returns[n, transitions.episode[n, t]] += transitions.reward[n, t]
                lengths[n, transitions.episode[n, t]] += 1
    np.testing.assert_allclose(played.returns, returns, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(played.lengths, lengths)
    assert lengths.max() <= environment.horizon
    assert not environment.fixed_length or (lengths == environment.horizon).all()


@every_family
def test_what_a_value_network_may_see_tells_tasks_apart_and_is_of_size_one(
    name, settings, disjoint
):
    environment = load(name, **settings)
    assert environment.task_features is not None
    task_features = environment.task_features

    @quick_jit
    def draw():
        tasks = environment.sample_tasks(jax.random.key(4), 100)
        return tasks, jax.vmap(task_features)(tasks)

    tasks, seen = jax.device_get(draw())
    assert len(rows([seen])) == len(rows(tasks))
    assert np.abs(seen).max() < 5 and seen.std() < 2


@every_family
def test_observations_and_actions_can_be_made_vectors(name, settings, disjoint):
    environment = load(name, **settings)
    for space in (environment.observation_space, environment.action_space):
        vector = quick_jit(lambda key: features(space, draw_member(key, space)))(  # noqa: B023
            jax.random.key(5)
        )
        assert vector.shape == (feature_size(space),) and vector.dtype == jnp.float32


def test_cards_tell_every_family_and_all_of_its_settings():
    told = {card.name: card for card in cards()}
    assert tuple(told) == (*names(), *host_names())
    prior = {"alpha": 1, "reward_mean": 1, "reward_deviation": 1, "reward_noise": 1}
    assert told["mdp"].settings == {"states": 10, "actions": 5, "horizon": 10, **prior}
    assert told["bandit"].settings["arms"] == 5 and "drift" in told["bandit"].settings
    assert told["pendulum"].observation == "Box(3,)" and told["pendulum"].action == "Box(1,)"
    assert all(card.description and "\n" not in card.description for card in cards())


@pytest.mark.parametrize(
    ("name", "settings", "disjoint"),
    [row for row in NAMED if named(row).mean_reward is not None],
)
def test_mean_rewards_are_those_of_many_steps(name, settings, disjoint):
    """Five standard errors, in each of 8 tasks: a right mean fails once in 100,000 runs."""
    environment = load(name, **settings)
    space, many = environment.action_space, 4_000
    mean_reward: Any = environment.mean_reward

    def try_one(key):
        task_key, reset_key, action_key, step_key = jax.random.split(key, 4)
        task = environment.sample_task(task_key)
        _, state = environment.reset(reset_key, task)
        action = draw_member(action_key, space)
        step = jax.vmap(lambda key: environment.step(key, state, action, task).reward)
        return step(jax.random.split(step_key, many)), mean_reward(state, action, task)

    rewards, mean = quick_jit(jax.vmap(try_one))(jax.random.split(jax.random.key(2), 8))
    error = np.std(rewards, axis=1) / np.sqrt(many)
    assert np.all(np.abs(np.mean(rewards, axis=1) - mean) <= 5 * error + 1e-5)


@pytest.mark.parametrize(
    ("name", "settings", "disjoint"),
    [
        row
        for row in NAMED
        if named(row).oracle is not None and named(row).optimal_return is not None
    ],
)
def test_the_oracle_earns_the_optimal_return_from_the_first_state_on(name, settings, disjoint):
    """Five standard errors of the mean over 200 beginnings, in each of 8 tasks; none where all begin alike."""
    environment = load(name, **settings)
    oracle: Any = environment.oracle
    optimal_return: Any = environment.optimal_return

    def begin(task):
        solved = oracle.solve(task)

        def value(key):
            return oracle.value(solved, environment.reset(key, task)[1])

        return jax.vmap(value)(jax.random.split(jax.random.key(0), 200)), optimal_return(task)

    value, optimum = quick_jit(lambda key: jax.vmap(begin)(environment.sample_tasks(key, 8)))(
        jax.random.key(1)
    )
    error = np.std(value, axis=1) / np.sqrt(200)
    assert np.all(np.abs(np.mean(value, axis=1) - optimum) <= 5 * error + 1e-5 * np.abs(optimum))
