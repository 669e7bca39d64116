"""Agents for grids of rules: one that knows the rules, and one that tries what it does not know.

Both plan by value iteration over what the hand holds and beside which object one stands:

    V(h, x) = min over objects b of  |x - x_b| + 1 + (0 if h and b make what is wanted, else V(h', x_b))

V counts steps, x is a cell, h' what h and b make; pairs of which one knows that they make nothing are left
out. Emptying the hand in the nearest cell that serves is tried beside it. What is wanted is the goal; the
experimenter, as long as it has not made it, wants every pair that it has not tried.

Letters: D cells along one side, C = D²; O objects; K hands: empty, an object or a product.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.environments import Agent, RuleTask, Trial, make_agent

from .dark_room_agents import towards
from .row import Row

ACT, EMPTY, GOAL, UNKNOWN = 4, 0, -1, -2
_FAR = 1e6  # steps; no way
_PLANNED = 4  # acts in a row: the deepest goal takes an object and three rules


class Rulebook(NamedTuple):
    """What is known of the rules."""

    makes: jax.Array  # [K, O] int32; UNKNOWN where it was never tried
    cells: jax.Array  # [C] the cells, whose number tells D


def rule_grid_oracle() -> Agent:
    """Knows the rules and the goal, and makes it in the fewest steps.

    Nobody earns more by expectation: how the next grid is laid out does not depend on what was done in
    this one.
    """
    return make_agent(_know, _act, _keep, sees_task=True)


def experimenter() -> Agent:
    """Tries what is nearest of all that it has not tried, until it has made the goal; then makes it again.

    It forgets nothing within a trial. That objects can be taken, that a pair makes the same whichever of
    both is in the hand, and that no object makes anything with itself, it knows.
    """
    return make_agent(_know_little, _act, _learn)


def _cells(trial: Trial) -> jax.Array:
    return jnp.arange(trial.environment.settings["size"] ** 2)


def _know(key: jax.Array, trial: Trial, task: RuleTask) -> Rulebook:
    del key
    return Rulebook(task.makes, _cells(trial))


def _know_little(key: jax.Array, trial: Trial, task: None) -> Rulebook:
    del key, task
    shape = jax.eval_shape(trial.environment.sample_task, jax.random.key(0)).makes.shape
    objects = jnp.arange(shape[1])
    makes = jnp.full(shape, UNKNOWN, jnp.int32).at[EMPTY].set(1 + objects)
    return Rulebook(makes.at[1 + objects, objects].set(EMPTY), _cells(trial))


class Seen(NamedTuple):
    """An observation, read."""

    hand: jax.Array  # [] int32
    place: jax.Array  # [2] int32, column and row
    objects: jax.Array  # [O, 2] int32


def _read(observation: jax.Array) -> Seen:
    columns_and_rows = observation[1:].reshape(-1, 2)
    return Seen(observation[0], columns_and_rows[0], columns_and_rows[1:])


def _act(key: jax.Array, book: Rulebook, observation: jax.Array):
    del key
    seen, size = _read(observation), round(len(book.cells) ** 0.5)
    makes = book.makes
    known = jnp.any(makes == GOAL)
    wanted = jnp.where(known, makes == GOAL, makes == UNKNOWN)  # [K, O]
    leads_on = makes > EMPTY
    between = _steps(seen.objects[:, None], seen.objects[None])  # [O, O]

    def costs(values: jax.Array, to_objects: jax.Array, hand: Any) -> jax.Array:
        """Steps [O] to make what is wanted, by the object that is acted on first."""
        later = values[makes[hand], jnp.arange(len(between))]
        onward = jnp.where(leads_on[hand], later, _FAR)
        return to_objects + 1 + jnp.where(wanted[hand], 0.0, onward)

    def improve(values: jax.Array, _: Any):
        of_hands = jax.vmap(
            lambda hand: jax.vmap(lambda to: jnp.min(costs(values, to, hand)))(between)
        )
        return of_hands(jnp.arange(len(makes))), None

    values = jax.lax.scan(improve, jnp.full(makes.shape, _FAR), length=_PLANNED)[0]  # [K, O]
    by_object = costs(values, _steps(seen.place[None], seen.objects), seen.hand)
    corners = jnp.stack([book.cells % size, book.cells // size], axis=-1)  # [C, 2]
    from_cells = jax.vmap(lambda to: jnp.min(costs(values, to, EMPTY)))(
        _steps(corners[:, None], seen.objects[None])
    )
    occupied = jnp.any(jnp.all(corners[:, None] == seen.objects[None], axis=-1), axis=1)
    by_cell = _steps(seen.place[None], corners) + 1 + jnp.where(occupied, _FAR, from_cells)
    emptied = jnp.min(by_cell) < jnp.min(by_object)
    target = jnp.where(emptied, corners[jnp.argmin(by_cell)], seen.objects[jnp.argmin(by_object)])
    way = towards(_number(seen.place, size), _number(target, size), size)
    return way, book  # "stay" of other grids is to act


def _steps(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.sum(jnp.abs(a - b), axis=-1) * 1.0


def _number(corner: jax.Array, size: int) -> jax.Array:
    return corner[1] * size + corner[0]


def _keep(book: Rulebook, *transition: Any) -> Rulebook:
    del transition
    return book


def _learn(
    book: Rulebook,
    observation: jax.Array,
    action: jax.Array,
    reward: jax.Array,
    terminated: Any,
    truncated: Any,
    next_observation: jax.Array,
) -> Rulebook:
    del terminated, truncated
    before, after = _read(observation), _read(next_observation)
    here = jnp.all(before.objects == before.place[None], axis=-1)  # [O]
    tried, other = (action == ACT) & jnp.any(here), jnp.argmax(here)
    unchanged = after.hand == before.hand
    made = jnp.where(reward > 0, GOAL, jnp.where(unchanged, EMPTY, after.hand))
    makes = book.makes.at[before.hand, other].set(made)
    objects = makes.shape[1]
    # what a and b make, b and a make: a row of a product is its own twin
    held = (before.hand > EMPTY) & (before.hand <= objects)
    twin = jnp.where(held, 1 + other, before.hand), jnp.where(held, before.hand - 1, other)
    makes = makes.at[twin].set(made)
    return book._replace(makes=jnp.where(tried, makes, book.makes))


RULE_GRID_ROWS: tuple[Row, ...] = (
    Row(
        name="oracle",
        world="rule-grid",
        caption="knows the rules and the goal, and makes it in the fewest steps",
        formula="argmin steps, by value iteration over hands and objects",
        paper="",
        build=lambda values, trial: rule_grid_oracle(),
    ),
    Row(
        name="experimenter",
        world="rule-grid",
        caption="tries what is nearest of all not yet tried, until it has made the goal; then makes it again",
        formula="argmin steps to the goal if it was made before, else to an untried pair",
        paper="Brafman and Tennenholtz (2002), R-MAX, whose optimism it shares",
        build=lambda values, trial: experimenter(),
    ),
)
