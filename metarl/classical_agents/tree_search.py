"""Monte Carlo tree search: one tree grown by simulations, for any world that can be simulated.

A simulation draws a model, walks from the root and adds what it gained to every edge of the tree it
passed. A node is a history of actions and outcomes; it is left

    by  argmax Q(h, a) + c √(ln N(h) / N(h, a))     where it was visited before (UCT; untried actions first)
    by the rollout policy                           at its first visit, and so from there to the end

and a simulation adds one node at most. An edge has a child for each outcome, so what comes of an
action may be chance. The model is drawn once for a whole simulation (root sampling): with draws from a
posterior the tree is one over beliefs, though no belief is ever updated in it; with the true model it
is a tree over states.

What is known of the root's actions beforehand, a `Guide`, counts as some visits of each.

This tree is one of arrays, and written for one root; it is vmapped over tasks. Why it is not built on
mctx: that keeps one child, one reward and one embedding for an edge, those of the first time it was
taken, where both searches here need one for each outcome, drawn anew in every simulation.

Letters: n simulations, which are as many nodes; A actions; O outcomes; D steps of a simulation at most.

References: Kocsis, Szepesvári (2006), Bandit based Monte-Carlo planning; Guez, Silver, Dayan (2012),
arXiv:1205.3109, algorithm 1; guides: Gelly, Silver (2007), Combining online and offline knowledge in UCT.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.environments import in_any_world

from .scoring_agent import highest_by_luck


@dataclass(frozen=True, eq=False)
class Simulator:
    """A world as a search sees it: what can be drawn, and what follows from an action.

    Attributes:
      actions: A.
      outcomes: O, of one step, as far as histories tell them apart.
      draw: key -> model, for one simulation.
      rollout: key, state -> action, state: of the policy that acts outside of the tree; it sees no model,
        and may keep its plans in the state.
      step: key, model, state, action -> state, gain [], outcome [] int32.
    """

    actions: int
    outcomes: int
    draw: Callable[[jax.Array], Any]
    rollout: Callable[[jax.Array, Any], tuple[jax.Array, Any]]
    step: Callable[[jax.Array, Any, Any, jax.Array], tuple[Any, jax.Array, jax.Array]]


class Guide(NamedTuple):
    """What another planner says of the actions at the root."""

    advantages: jax.Array  # [A] by how much each is worse than the best, at most 0
    weight: jax.Array | float  # [] of this, in visits of each action

    @classmethod
    def none(cls, actions: int) -> Guide:
        """Returns the guide that says nothing."""
        return cls(jnp.zeros(actions), jnp.zeros(()))

    def told(self, visits: jax.Array, sums: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Returns visits and sums [A] at the root, its own added: the mean of all returns, and the advantage."""
        mean = jnp.sum(sums) / jnp.maximum(jnp.sum(visits), 1)
        return visits + self.weight, sums + self.weight * (mean + self.advantages)


class Tree(NamedTuple):
    """What simulations found; node 0 is the root."""

    visits: jax.Array  # [n, A] float32, N(h, a)
    sums: jax.Array  # [n, A] of what followed; Q(h, a) = sums / visits
    children: jax.Array  # [n, A, O] int32, nodes; 0 where none is yet
    size: jax.Array  # [] int32, nodes so far

    @classmethod
    def root(cls, simulations: int, actions: int, outcomes: int) -> Tree:
        """Returns a tree that has room for one node a simulation, and has one."""
        edges = jnp.zeros((simulations, actions))
        children = jnp.zeros((simulations, actions, outcomes), jnp.int32)
        return cls(edges, edges, children, jnp.ones((), jnp.int32))

    def values(self, guide: Guide) -> jax.Array:
        """Returns Q at the root [A]; -inf of actions of which nothing is known."""
        visits, sums = guide.told(self.visits[0], self.sums[0])
        return jnp.where(visits > 0, sums / jnp.where(visits > 0, visits, 1), -jnp.inf)


class Walk(NamedTuple):
    """Where a simulation stands."""

    step: jax.Array  # [] int32, d
    state: Any  # of the simulated world
    node: jax.Array  # [] int32
    inside: jax.Array  # [] bool, at a node of the tree, or at the one it adds
    path: Path
    tail: jax.Array  # [] gained since all worlds have left their trees


class Path(NamedTuple):
    """The edges that a simulation passed; n stands for none."""

    nodes: jax.Array  # [D] int32
    actions: jax.Array  # [D] int32
    gains: jax.Array  # [D]
    leaf: jax.Array  # [3] int32, node, action and outcome to which a node is added


def search(
    key: jax.Array,
    simulator: Simulator,
    state: Any,
    simulations: int,
    exploration: jax.Array | float,
    limit: jax.Array,
    longest: int,
    guide: Guide,
) -> Tree:
    """Grows a tree.

    Args:
      key: consumed.
      simulator: of the world.
      state: of the simulated world at the root.
      simulations: n, 1 or more.
      exploration: c, [] in units of gain.
      limit: [] int32, after so many steps a simulation ends.
      longest: D, no less than any `limit`.
      guide: of the root.

    Returns:
      The tree.
    """
    tree = Tree.root(simulations, simulator.actions, simulator.outcomes)

    def grow(index: jax.Array, tree: Tree) -> Tree:
        return simulate(
            jax.random.fold_in(key, index),
            tree,
            simulator,
            state,
            exploration,
            limit,
            longest,
            guide,
        )

    return jax.lax.fori_loop(0, simulations, grow, tree)


def simulate(
    key: jax.Array,
    tree: Tree,
    simulator: Simulator,
    state: Any,
    exploration: jax.Array | float,
    limit: jax.Array,
    longest: int,
    guide: Guide,
) -> Tree:
    """Returns the tree after one simulation more; see `search`."""
    draw_key, walk_key = jax.random.split(key)
    model, none = simulator.draw(draw_key), len(tree.visits)

    def in_the_tree(walk: Walk) -> Walk:
        act_key, luck_key, step_key = _keys(walk_key, walk.step)
        visits, sums = tree.visits[walk.node], tree.sums[walk.node]  # [A]
        known = walk.inside & (jnp.sum(visits) > 0)
        weight = jnp.where(walk.node == 0, guide.weight, 0.0)
        told = guide._replace(weight=weight).told(visits, sums)
        scores = upper_bounds(*told, exploration)
        chosen = highest_by_luck(jax.random.uniform(luck_key), scores)
        rolled, following = simulator.rollout(act_key, walk.state)
        action = jnp.where(known, chosen, rolled)
        following, gain, outcome = simulator.step(step_key, model, following, action)
        going = walk.step < limit
        inside, path = walk.inside & going, walk.path
        child = tree.children[walk.node, action, outcome]
        adds = known & (child == 0) & (walk.step + 1 < limit)
        leaf = jnp.stack([walk.node, action, outcome])
        path = Path(
            path.nodes.at[walk.step].set(jnp.where(inside, walk.node, none)),
            path.actions.at[walk.step].set(action),
            path.gains.at[walk.step].set(jnp.where(going, gain, 0.0)),
            jnp.where(adds, leaf, path.leaf),
        )
        node = jnp.where(child == 0, tree.size, child)
        return Walk(walk.step + 1, following, node, known & going, path, walk.tail)

    def outside(walk: Walk) -> Walk:
        act_key, _, step_key = _keys(walk_key, walk.step)
        action, following = simulator.rollout(act_key, walk.state)
        following, gain, _ = simulator.step(step_key, model, following, action)
        tail = walk.tail + jnp.where(walk.step < limit, gain, 0.0)
        return walk._replace(step=walk.step + 1, state=following, tail=tail)

    def goes_on_inside(walk: Walk) -> jax.Array:
        return in_any_world(walk.inside & (walk.step < limit))

    def goes_on(walk: Walk) -> jax.Array:
        return in_any_world(walk.step < limit)

    zero, nowhere = jnp.zeros((), jnp.int32), jnp.full((longest,), none, jnp.int32)
    path = Path(nowhere, nowhere, jnp.zeros((longest,)), jnp.full((3,), none, jnp.int32))
    walk = Walk(zero, state, zero, jnp.ones((), bool), path, jnp.zeros(()))
    walk = jax.lax.while_loop(goes_on_inside, in_the_tree, walk)
    walk = jax.lax.while_loop(goes_on, outside, walk)
    return backed_up(tree, walk.path, walk.tail)


def upper_bounds(visits: jax.Array, sums: jax.Array, exploration: jax.Array | float) -> jax.Array:
    """Returns Q + c √(ln N / N(a)) [A]; infinite for actions that were never tried."""
    tried = jnp.where(visits > 0, visits, 1.0)
    bonus = jnp.sqrt(jnp.log(jnp.maximum(jnp.sum(visits), 1)) / tried)
    return jnp.where(visits > 0, sums / tried + exploration * bonus, jnp.inf)


def backed_up(tree: Tree, path: Path, tail: jax.Array) -> Tree:
    """Adds what followed each edge of a path to it, and the node that the path found."""
    gained = jnp.cumsum(path.gains[::-1])[::-1] + tail  # [D]
    edges = path.nodes, path.actions
    added = path.leaf[0] < len(tree.visits)
    return Tree(
        tree.visits.at[edges].add(1.0, mode="drop"),
        tree.sums.at[edges].add(gained, mode="drop"),
        tree.children.at[tuple(path.leaf)].set(tree.size, mode="drop"),
        tree.size + added,
    )


def _keys(key: jax.Array, step: jax.Array) -> jax.Array:
    """Returns the keys of the rollout policy, of ties and of the world at one step."""
    return jax.random.split(jax.random.fold_in(key, step), 3)
