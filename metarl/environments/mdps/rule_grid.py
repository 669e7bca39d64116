"""Grids of objects and hidden rules: two things make a third, and nobody says which, nor what is wanted.

Objects lie in a grid; one walks among them and holds one thing, or nothing, in the hand. Five actions: up,
right, down, left; the walls hold one back. The fifth acts on what lies in the cell:

    hand empty, object a       takes an a; there are always more where it lies
    a in hand, object b        where a rule says so, the hand holds what a and b make, else nothing happens;
                               b in hand and object a make the same
    product p, object c        alike
    anything, empty cell       empties the hand

One thing is the goal. Making it brings 1, and at once the hand is empty and objects and body lie anew, so
an episode's return is how often it was made in H steps. Rules and goal are those of the task: they stay
through all episodes of a trial, are not shown, and have to be found out by trying. One sees the grid
and the hand; products have names, which mean nothing.

    a task        M pairs of objects make M products. At depth 1 one of the pairs makes the goal instead; at
                  depth 2 one product and one object do; at depth 3 these make a further product, which
                  with one more object makes it
    the splits    the rule sets are dealt 70 : 15 : 15, whichever way pairs, rules and products are named or
                  ordered: no rule set of a test is one of training with its products renamed. To rename
                  the objects is to have other rules

Letters: D cells along one side; O objects; M pairs that make a product; K = 1 + O + P hands: empty, an
object, or one of P products; H horizon.

References: in the spirit of Nikulin et al. (2024), "XLand-MiniGrid", arXiv:2312.12044 (production rules, and
a goal, that are the task), and of Wang et al. (2021), "Alchemy", arXiv:2102.02926 (what mixes to what stays
through a trial). The rules here are ours.
"""

from __future__ import annotations

import functools
import math
from itertools import combinations
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces

from metarl.errors import require

from ..contract.dealing import deal_out
from ..contract.environment import Environment, Split, Step
from ..contract.setting_checks import whole_number
from .dark_room import MOST_CELLS_ALONG, move
from .gridworld import MOVES
from .rule_picture import draw_rules

ACT = 4  # in the place of "stay" of other grids
EMPTY = 0  # the hand; and, of a pair, that it makes nothing
GOAL = -1  # of a pair, that it makes the goal
DEEPEST = 3
FEWEST_RULE_SETS, MOST_RULE_SETS = 20, 1_000_000


class RuleTask(NamedTuple):
    """A task."""

    makes: jax.Array  # [K, O] int32, what the hand holds after acting on an object; EMPTY or GOAL


class RuleState(NamedTuple):
    """Where an episode stands."""

    place: jax.Array  # [] int32, a cell
    hand: jax.Array  # [] int32: EMPTY, 1 + an object, or 1 + O + a product
    objects: jax.Array  # [O] int32, the cell of each
    time: jax.Array  # [] int32


def rule_grid(
    size: int = 4, objects: int = 5, pairs: int = 3, depth: int = 2, horizon: int = 50
) -> Environment:
    """Returns grids of objects and hidden rules.

    Args:
      size: D.
      objects: O, different ones.
      pairs: M, of objects that make something.
      depth: how many rules lead to the goal, 1 to 3.
      horizon: H; then an episode is truncated.

    Raises:
      InvalidInput: a setting is not accepted, or there would be too few or too many rule sets.
    """
    size, objects = whole_number("size", size, 2), whole_number("objects", objects, 2)
    pairs, depth = whole_number("pairs", pairs), whole_number("depth", depth)
    horizon = whole_number("horizon", horizon)
    _check(size, objects, pairs, depth)
    products = pairs + max(depth - 2, 0)
    hands = 1 + objects + products
    rule_sets = _deal(objects, pairs, depth)

    def draw_task(key: jax.Array, split: Split) -> RuleTask:
        own = jnp.asarray(rule_sets[split])  # [N, M + depth]
        set_key, name_key = jax.random.split(key)
        rules = own[jax.random.randint(set_key, (), 0, len(own))]
        names = 1 + objects + jax.random.permutation(name_key, products)
        return RuleTask(_table(rules, names.astype(jnp.int32), objects, pairs, depth))

    def lay_out(key: jax.Array, time: jax.Array) -> RuleState:
        place_key, object_key = jax.random.split(key)
        place = jax.random.randint(place_key, (), 0, size * size)
        cells = jax.random.permutation(object_key, size * size)[:objects]
        return RuleState(place, jnp.int32(EMPTY), cells.astype(jnp.int32), time)

    def look(state: RuleState) -> jax.Array:
        cells = jnp.concatenate([state.place[None], state.objects])
        return jnp.concatenate(
            [state.hand[None], jnp.stack([cells % size, cells // size], axis=1).ravel()]
        )

    def reset(key: jax.Array, task: RuleTask) -> tuple[jax.Array, RuleState]:
        del task
        state = lay_out(key, jnp.zeros((), jnp.int32))
        return look(state), state

    def step(key: jax.Array, state: RuleState, action: jax.Array, task: RuleTask) -> Step:
        held, time = _held(state, action, task), state.time + 1
        place = move(state.place, action, size)
        won = held == GOAL
        onward = RuleState(place, held, state.objects, time)
        following = jax.tree.map(
            lambda new, old: jnp.where(won, new, old), lay_out(key, time), onward
        )
        reward, over = won.astype(jnp.float32), time >= horizon
        return Step(look(following), following, reward, jnp.zeros((), bool), over, {})

    return Environment(
        name="rule-grid",
        settings={
            "size": size,
            "objects": objects,
            "pairs": pairs,
            "depth": depth,
            "horizon": horizon,
        },
        observation_space=spaces.MultiDiscrete(
            [hands] + [size, size] * (1 + objects), dtype=np.int32
        ),
        action_space=spaces.Discrete(len(MOVES)),
        horizon=horizon,
        draw_task=draw_task,
        reset=reset,
        step=step,
        fixed_length=True,
        mean_reward=lambda state, action, task: (_held(state, action, task) == GOAL) * 1.0,
        task_features=lambda task: jax.nn.one_hot(task.makes[1:] + 1, 1 + hands).ravel(),
        views={"top": functools.partial(draw_rules, size)},
        description=f"{size} x {size} grids of {objects} objects; which two make what is not shown, nor what is wanted",
    )


def _check(size: int, objects: int, pairs: int, depth: int) -> None:
    require(
        size <= MOST_CELLS_ALONG, f"size is {size}; at most {MOST_CELLS_ALONG} cells are accepted."
    )
    require(
        objects < size * size,
        f"objects is {objects}; in a grid of {size} x {size} cells fewer than {size * size} are accepted: one "
        "cell stays empty.",
    )
    require(depth <= DEEPEST, f"depth is {depth}; it must be from 1 to {DEEPEST}.")
    possible = math.comb(objects, 2)
    require(
        pairs <= possible,
        f"pairs is {pairs}; {objects} objects have {possible} pairs. Give no more, or more objects.",
    )
    count = math.comb(possible, pairs) * pairs * objects ** (depth - 1)
    wanted = "more" if count < FEWEST_RULE_SETS else "fewer"
    require(
        FEWEST_RULE_SETS <= count <= MOST_RULE_SETS,
        f"With objects={objects}, pairs={pairs} and depth={depth} there are {count:,} rule sets to be dealt out; from "
        f"{FEWEST_RULE_SETS} to {MOST_RULE_SETS:,} are accepted. Give {wanted} objects or another depth.",
    )


def _deal(objects: int, pairs: int, depth: int) -> dict[Split, np.ndarray]:
    """Returns the rule sets of each split, each once [N, M + depth] int32.

    A row is the pairs that make something, by their number and rising; which of them, by its place in
    the row, leads on to the goal; and the objects that follow.
    """
    chosen = np.array(list(combinations(range(math.comb(objects, 2)), pairs)))  # [C, M]
    axes = [np.arange(len(chosen)), np.arange(pairs), *[np.arange(objects)] * (depth - 1)]
    which, *rest = (axis.ravel() for axis in np.meshgrid(*axes, indexing="ij"))
    return deal_out(np.column_stack([chosen[which], *rest]).astype(np.int32))


def _table(rules: jax.Array, names: jax.Array, objects: int, pairs: int, depth: int) -> jax.Array:
    """Returns what acting makes of every hand and object [K, O]."""
    left, right = jnp.asarray(list(combinations(range(objects), 2)), jnp.int32).T[:, rules[:pairs]]
    made = names[:pairs]
    leads_on, *added = rules[pairs:]
    hand = names[leads_on]
    if depth == 1:
        made = made.at[leads_on].set(GOAL)
    table = jnp.zeros((1 + objects + len(names), objects), jnp.int32)
    table = table.at[EMPTY].set(1 + jnp.arange(objects))
    table = table.at[1 + left, right].set(made).at[1 + right, left].set(made)
    for number, other in enumerate(added):
        made = jnp.int32(GOAL) if number == depth - 2 else names[pairs + number]
        table, hand = table.at[hand, other].set(made), made
    return table


def _held(state: RuleState, action: jax.Array, task: RuleTask) -> jax.Array:
    """Returns what the hand holds after an action [], or GOAL."""
    here = state.objects == state.place  # [O], one of them at most
    made = task.makes[state.hand, jnp.argmax(here)]
    acted = jnp.where(jnp.any(here), jnp.where(made == EMPTY, state.hand, made), EMPTY)
    return jnp.where(action == ACT, acted, state.hand).astype(jnp.int32)
