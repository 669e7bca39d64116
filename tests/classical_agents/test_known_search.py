"""Search in what is known: with simulations it nears exact planning, and it needs states that can be set."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.classical_agents import make
from metarl.classical_agents.known_search import simulated_task
from metarl.classical_agents.tree_search import Guide, search
from metarl.environments import TabularMDP, Trial, load, plan
from metarl.errors import InvalidInput

HORIZON = 3


@pytest.fixture(scope="module")
def world():
    return load("mdp", states=3, actions=2, horizon=HORIZON, reward_noise=0.5)


@pytest.fixture(scope="module")
def values_at(world):
    """Returns a function: tasks, simulations -> Q at the first state [N, A]."""

    def values(tasks: TabularMDP, simulations: int) -> np.ndarray:
        @jax.jit
        @jax.vmap
        def at_root(key, task):
            state = world.reset(key, task)[1]
            simulator = simulated_task(world, task)
            limit = jnp.int32(HORIZON)
            search_key = jax.random.fold_in(key, 1)
            guide = Guide.none(2)
            found = search(search_key, simulator, state, simulations, 2.0, limit, HORIZON, guide)
            return found.values(guide)

        return np.asarray(at_root(jax.random.split(jax.random.key(1), 60), tasks))

    return values


@pytest.mark.usefixtures("keys_unchecked")
def test_regret_falls_with_simulations_towards_that_of_exact_planning(world, values_at):
    tasks = world.sample_tasks(jax.random.key(0), 60)
    exact = jax.vmap(lambda task: plan(task.transitions, task.mean_rewards, HORIZON).action_values)
    exact = np.asarray(exact(tasks))[:, 0, 0]  # [N, A]
    lost = {}
    for simulations in (2, 300):
        chosen = values_at(tasks, simulations).argmax(axis=1)
        lost[simulations] = (exact.max(axis=1) - exact[np.arange(60), chosen]).mean()
    # 2 simulations are one noisy return for each action.
    assert lost[300] < 0.05 < lost[2]


def test_values_are_those_of_dynamic_programming_where_nothing_is_chance():
    grid = load("gridworld", size=3, horizon=3)
    task = jax.tree.map(lambda leaf: leaf[0], grid.sample_tasks(jax.random.key(0), 1))
    task = task._replace(start=jnp.int32(0), goal=jnp.int32(2))  # two steps to the right
    state = grid.reset(jax.random.key(0), task)[1]

    guide = Guide.none(5)

    @jax.jit
    def tree(key):
        return search(key, simulated_task(grid, task), state, 400, 2.0, jnp.int32(3), 3, guide)

    found = tree(jax.random.key(1))
    values = np.asarray(found.values(guide))
    assert values.argmax() == 1  # right: -0.1 + 1 + 1
    assert values[1] <= 1.9 + 1e-5
    best = np.asarray(found.visits[0]).argmax()
    assert best == 1 and values[1] > 1.5  # the mean of what was tried, nearly all of it the best


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("pendulum", {}, r"'mcts' is for MDPs with finitely many states and actions, not for"),
        ("dark-room", {}, r"'mcts' is for MDPs"),
        ("bandit", {}, r"'mcts' is for MDPs"),
    ],
)
def test_a_world_of_another_kind_is_refused(name, settings, message):
    with pytest.raises(InvalidInput, match=message):
        make("mcts", Trial(load(name, **settings), episodes=1))


def test_a_world_whose_state_is_more_than_a_place_is_refused_with_its_fields(world):
    hidden = dataclasses.replace(
        load("dark-room", size=3), name="rooms", observation_space=world.observation_space
    )
    with pytest.raises(InvalidInput, match=r"those of 'rooms' have place, found, time\. It can"):
        make("mcts", Trial(hidden, episodes=1))


def test_a_world_on_the_host_whose_state_cannot_be_set_is_refused(frozen_lake):
    message = r"from states that it sets; 'FrozenLake-v1' is stepped on the host, where that cannot"
    with pytest.raises(InvalidInput, match=message):
        make("mcts", Trial(frozen_lake, episodes=1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mcts:simulations=0", r"mcts: simulations is '0'; it must be a whole number from 1"),
        ("mcts:depth=0", r"depth is '0'; it must be"),
        ("mcts:exploration=nan", r"exploration is 'nan'; it must be"),
    ],
)
def test_settings_of_no_search_are_refused(text, message, world):
    with pytest.raises(InvalidInput, match=message):
        make(text, Trial(world, episodes=1))
