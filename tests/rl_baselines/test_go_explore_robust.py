"""Go-Explore with both phases: its nodes are a tree of what happened, and a policy comes of its best way."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.environments import Trial, load, play
from metarl.errors import InvalidInput
from metarl.rl_baselines import make
from metarl.rl_baselines.config import RobustGoExploreConfig
from metarl.rl_baselines.go_explore_robust import (
    Demonstration,
    demonstration,
    explore,
    imitated,
)
from metarl.rl_baselines.policy_learner import make_policy

SIZE, STEPS, WORLDS = 4, 400, 3


@pytest.fixture(scope="module")
def maze():
    return load("dark-maze", size=SIZE, horizon=20)


@pytest.fixture(scope="module")
def tasks(maze):
    return maze.sample_tasks(jax.random.key(3), WORLDS)


@pytest.fixture(scope="module")
def explored(maze, tasks):
    """Returns what the first phase found in each world, and the best way of each."""
    config = RobustGoExploreConfig(burst=5)

    @jax.jit
    def of(key, task):
        found = explore(key, maze, config, task, STEPS)
        return found, demonstration(found.nodes, maze.horizon)

    keys = jax.random.split(jax.random.key(0), WORLDS)
    return jax.device_get(jax.vmap(of)(keys, tasks))


def test_every_node_is_what_its_action_leads_to_from_its_parent(maze, tasks, explored):
    nodes = explored[0].nodes

    @jax.jit
    @jax.vmap
    def again(task, nodes):
        parents = jax.tree.map(lambda all_: all_[nodes.parents], nodes.states)
        steps = jax.vmap(lambda state, a: maze.step(jax.random.key(0), state, a, task))
        return steps(parents, nodes.actions)

    step = jax.device_get(again(tasks, nodes))
    assert (nodes.parents[:, 1:] >= 0).all() and (
        nodes.parents[:, 1:] < np.arange(1, STEPS + 1)
    ).all()
    for ours, theirs in zip(nodes.states, step.state, strict=True):
        np.testing.assert_array_equal(ours[:, 1:], theirs[:, 1:])
    np.testing.assert_array_equal(nodes.over[:, 1:], (step.terminated | step.truncated)[:, 1:])
    before = np.take_along_axis(nodes.totals, nodes.parents, axis=1)
    np.testing.assert_array_equal(nodes.totals[:, 1:], (before + step.reward)[:, 1:])
    lengths = np.take_along_axis(nodes.lengths, nodes.parents, axis=1) + 1
    np.testing.assert_array_equal(nodes.lengths[:, 1:], lengths[:, 1:])
    assert not np.take_along_axis(nodes.over, nodes.parents, axis=1).any()


def test_the_archive_keeps_the_richest_and_shortest_way_to_each_cell(explored):
    found = explored[0]
    for world in range(WORLDS):
        nodes = jax.tree.map(lambda all_, own=world: all_[own], found.nodes)
        best = {}
        for node in range(STEPS + 1):
            cell, worth = int(nodes.observations[node]), (nodes.totals[node], -nodes.lengths[node])
            if not nodes.over[node] and worth > best.get(cell, ((-np.inf, 0), 0))[0]:
                best[cell] = worth, node
        known = np.flatnonzero(found.cells.known[world])
        assert sorted(best) == known.tolist()
        assert {cell: found.cells.nodes[world, cell] for cell in known} == {
            cell: node for cell, (_, node) in best.items()
        }
        seen = np.bincount(nodes.observations, minlength=SIZE * SIZE)
        np.testing.assert_array_equal(found.cells.seen[world], seen)
        rewarded = np.flatnonzero(nodes.totals > 0)
        assert found.found_after[world] == (rewarded[0] if len(rewarded) else np.inf)


def test_cells_of_states_keep_apart_what_is_seen_alike_and_each_has_its_best_node():
    rooms = load("key-to-door", size=3, room_steps=2, corridor=2)
    task = rooms.sample_task(jax.random.key(3))
    config = RobustGoExploreConfig(burst=5, state_cells=True)
    found = jax.device_get(
        jax.jit(lambda key: explore(key, rooms, config, task, STEPS))(jax.random.key(1))
    )
    nodes, best, stood, first = found.nodes, {}, {}, {}
    for node in range(STEPS + 1):
        state = tuple(int(field[node]) for field in nodes.states)
        worth = nodes.totals[node], -nodes.lengths[node]
        first.setdefault(state, node)
        stood[state] = stood.get(state, 0) + 1
        if not nodes.over[node] and worth > best.get(state, ((-np.inf, 0), 0))[0]:
            best[state] = worth, node
    cells = {first[state]: (node, stood[state]) for state, (_, node) in best.items()}
    known = np.flatnonzero(found.cells.known)
    assert sorted(cells) == known.tolist()
    kept = {cell: (found.cells.nodes[cell], found.cells.seen[cell]) for cell in known}
    assert kept == cells
    seen = {tuple(nodes.observations[first[state]]) for state in best}
    assert len(seen) < len(best)
    assert {state.has_key for state in map(type(nodes.states)._make, best)} == {0, 1}


def test_the_demonstration_is_one_way_from_the_beginning_to_what_earned_most(explored):
    found, shown = explored
    np.testing.assert_array_equal(shown.good, np.isfinite(found.found_after))
    assert shown.good.any()
    for world in range(WORLDS):
        nodes = jax.tree.map(lambda all_, own=world: all_[own], found.nodes)
        length = int(shown.length[world])
        way = [int(np.lexsort((nodes.lengths, -nodes.totals))[0])]
        if not shown.good[world]:
            continue
        while way[-1]:
            way.append(int(nodes.parents[way[-1]]))
        way = way[::-1]
        assert len(way) == length + 1
        np.testing.assert_array_equal(
            shown.observations[world][: length + 1], nodes.observations[way]
        )
        np.testing.assert_array_equal(shown.actions[world][:length], nodes.actions[way[1:]])
        np.testing.assert_array_equal(shown.earned[world][: length + 1], nodes.totals[way])


def test_the_policy_learns_the_actions_of_the_demonstration_and_the_value_its_returns(maze):
    length, actions = 5, np.array([0, 3, 1, 1, 2])
    padding = maze.horizon - length
    shown = Demonstration(
        states=(),
        observations=jnp.pad(jnp.arange(length + 1) * 3, (0, padding)),
        actions=jnp.pad(jnp.asarray(actions, jnp.int32), (0, padding)),
        earned=jnp.where(jnp.arange(maze.horizon + 1) >= length, 1.0, 0.0),
        length=jnp.int32(length),
        good=jnp.asarray(True),
    )
    config = RobustGoExploreConfig(imitation_steps=150, hidden=8, layers=1)
    learner = jax.jit(lambda key: imitated(key, maze, config, shown))(jax.random.key(0))
    inputs = jax.nn.one_hot(shown.observations[:length], SIZE * SIZE)[:, None]
    logits, values = make_policy(maze, config).apply(learner.params, inputs)
    chosen = jax.nn.softmax(logits)[np.arange(length), 0, actions]
    np.testing.assert_allclose(chosen, 0.925, atol=0.05)  # a tenth is shared out among four
    np.testing.assert_allclose(values[:, 0], 0.99 ** np.arange(4, -1, -1), atol=0.05)


@pytest.mark.slow
def test_what_is_handed_over_reaches_the_goal_where_actions_slip_and_imitation_alone_seldom_does():
    maze = load("dark-maze", size=6, slip=0.2)
    trial = Trial(maze, episodes=20)
    tasks = maze.sample_tasks(jax.random.key(8), 12, "validation")
    reached = {}
    for share in ("0.5", "1,smoothing=0"):
        agent = make(f"go-explore-robust:simulated_steps=6000,explore_share={share}", trial)
        reached[share] = np.asarray(play(agent, trial, jax.random.key(1), tasks).returns)
    both, alone = reached.values()
    assert both.mean() > alone.mean() + 0.15


def test_worlds_whose_state_cannot_be_set_are_refused(maze, frozen_lake):
    message = "setting the state of a simulator .* stepped on the host, where that cannot be done"
    with pytest.raises(InvalidInput, match=message):
        make("go-explore-robust", Trial(frozen_lake, episodes=3))
    with pytest.raises(InvalidInput, match="go-explore-robust needs Discrete actions"):
        make("go-explore-robust", Trial(load("pendulum"), steps=3))
    agent = make("go-explore-robust:simulated_steps=90000000", Trial(maze, episodes=1))
    with pytest.raises(
        InvalidInput, match=r"a state of 3 numbers .* 90,000,000 steps; that is too much"
    ):
        play(
            agent,
            Trial(maze, episodes=1),
            jax.random.key(0),
            maze.sample_tasks(jax.random.key(0), 1),
        )
