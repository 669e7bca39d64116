"""Tree search: compiled arrays against a tree of dictionaries, and what it finds in worlds that are known."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.classical_agents.arm_posteriors import BetaArms
from metarl.classical_agents.bayes_adaptive import Search, simulated_arms
from metarl.classical_agents.tree_search import Guide, search, upper_bounds

GUIDE = Guide(jnp.array([-0.5, 0.0]), jnp.float32(2.5))
SIMULATIONS, LIMIT, LONGEST, EXPLORATION = 30, 4, 6, 0.7


def naive_tree(key, simulator, state, limit):
    """Returns history -> visits and values by action, as algorithm 1 has it, one simulation at a time."""
    visits: dict[tuple, list[int]] = {}
    values: dict[tuple, list[float]] = {}

    def keys(index, d):
        walk_key = jax.random.split(jax.random.fold_in(key, index))[1]
        return jax.random.split(jax.random.fold_in(walk_key, d), 3)

    @jax.jit
    def draw(index):
        return simulator.draw(jax.random.split(jax.random.fold_in(key, index))[0])

    @jax.jit
    def rollout(index, d, state):
        act_key, luck_key, _ = keys(index, d)
        return simulator.rollout(act_key, state), jax.random.uniform(luck_key)

    @jax.jit
    def step(index, d, model, state, action):
        return simulator.step(keys(index, d)[2], model, state, action)

    def run(history, index, d, model, state, inside):
        if d >= limit:
            return 0.0
        (rolled, state), luck = rollout(index, d, state)
        action, known = int(rolled), inside and sum(visits.get(history, [0])) > 0
        if known:
            counts, means = np.array(visits[history], float), np.array(values[history])
            if not history:  # what the guide says of the root
                said = counts @ means / counts.sum() + np.asarray(GUIDE.advantages)
                weight = float(GUIDE.weight)
                means = (counts * means + weight * said) / (counts + weight)
                counts = counts + weight
            with np.errstate(divide="ignore", invalid="ignore"):
                bonus = EXPLORATION * np.sqrt(math.log(counts.sum()) / counts)
                scores = np.where(counts > 0, means + bonus, np.inf)
            best = np.flatnonzero(np.isclose(scores, scores.max(), rtol=1e-6))
            action = int(best[int(float(luck) * len(best))])
        state, gain, outcome = step(index, d, model, state, action)
        later = run((*history, action, int(outcome)), index, d + 1, model, state, known)
        total = float(gain) + later
        if inside:
            visits.setdefault(history, [0] * simulator.actions)[action] += 1
            value = values.setdefault(history, [0.0] * simulator.actions)
            value[action] += (total - value[action]) / visits[history][action]
        return total

    for index in range(SIMULATIONS):
        run((), index, 0, draw(index), state, True)
    return {history: (visits[history], values[history]) for history in visits}


def read_tree(tree):
    """Returns the arrays of a tree as `naive_tree` has it."""
    found: dict[tuple, tuple] = {}
    waiting: list[tuple[tuple, int]] = [((), 0)]
    while waiting:
        history, node = waiting.pop()
        counts = tree.visits[node]
        found[history] = (counts, tree.sums[node] / np.maximum(counts, 1))
        for action, outcome in zip(*np.nonzero(tree.children[node]), strict=True):
            child = (*history, int(action), int(outcome))
            waiting.append((child, tree.children[node, action, outcome]))
    return found


@pytest.fixture(scope="module")
def arms():
    return BetaArms(jnp.array([2.0, 1.0]), jnp.array([1.0, 1.0]))


@pytest.fixture(scope="module")
def grow(arms):
    """Returns the compiled search of two worlds at once, with limits of their own."""
    simulator = simulated_arms(Search(SIMULATIONS, LONGEST, returns="rewards"), arms)

    @jax.jit
    def both(keys, limits):
        return jax.vmap(
            lambda key, limit: search(
                key, simulator, arms, SIMULATIONS, EXPLORATION, limit, LONGEST, GUIDE
            )
        )(keys, limits)

    keys = jax.random.split(jax.random.key(3), 2)
    return keys, simulator, jax.device_get(both(keys, jnp.array([LIMIT, 2])))


@pytest.mark.parametrize(("world", "limit"), [(0, LIMIT), (1, 2)])
def test_a_tree_of_arrays_is_the_tree_of_dictionaries(world, limit, arms, grow):
    keys, simulator, trees = grow
    found = read_tree(jax.tree.map(lambda leaf: leaf[world], trees))
    naive = naive_tree(keys[world], simulator, arms, limit)
    assert found.keys() == naive.keys()
    assert max(map(len, found)) == 2 * (limit - 1)  # no node where a simulation ends
    for history, (visits, values) in naive.items():
        np.testing.assert_array_equal(found[history][0], visits, err_msg=str(history))
        np.testing.assert_allclose(found[history][1], values, atol=1e-5, err_msg=str(history))


def test_every_simulation_passes_the_root_and_adds_a_node_at_most(grow):
    _, _, trees = grow
    np.testing.assert_array_equal(trees.visits[:, 0].sum(axis=-1), SIMULATIONS)
    nodes = (trees.visits.sum(axis=-1) > 0).sum(axis=-1)
    np.testing.assert_array_equal(nodes, trees.size)
    assert trees.size[1] <= 1 + 2 * 2  # two steps: the root, and one node an action and outcome


def test_an_action_that_was_never_tried_comes_first():
    bounds = upper_bounds(jnp.array([4.0, 0.0, 1.0]), jnp.array([8.0, 0.0, 1.0]), 0.5)
    np.testing.assert_allclose(bounds[0], 2 + 0.5 * math.sqrt(math.log(5) / 4), rtol=1e-6)
    assert bounds[1] == jnp.inf and jnp.isfinite(bounds[2])


def test_a_guide_counts_as_visits_at_the_mean_and_who_says_nothing_changes_nothing(grow):
    _, _, trees = grow
    tree = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), trees)
    visits, sums = (np.asarray(x[0], float) for x in (tree.visits, tree.sums))
    np.testing.assert_allclose(tree.values(Guide.none(2)), sums / visits, rtol=1e-5)
    mean = sums.sum() / visits.sum()
    said = (sums + 2.5 * (mean + np.array([-0.5, 0.0]))) / (visits + 2.5)
    np.testing.assert_allclose(tree.values(GUIDE), said, rtol=1e-5)
    much = GUIDE._replace(weight=jnp.float32(1e6))
    assert int(jnp.argmax(tree.values(much))) == 1
