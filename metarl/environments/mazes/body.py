"""A body in a maze: a square that walks, and slides along the walls it meets.

The square has sides of 2 r and stays parallel to the axes. A move is made along x, then along y; each
is cut short where the leading edge would cross a wall, so what is left of an oblique move goes along
it. A move is shorter than r, so the edge crosses one line at most.

An action goes on for some frames; in each the body turns, or walks straight ahead.

Letters: n cells along one side; r half the body's side.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

LEFT, RIGHT, FORWARD = MAZE_ACTIONS = range(3)
TURN = math.radians(3.75)  # of a frame
WALK = 0.08  # of a frame, in cells
REACH = 0.4  # of the goal, from its middle
RADIUS = 0.2  # r, in cells
GAP = 1e-3  # what is left between a body and the wall it leans on


def one_frame(
    walls: jax.Array,
    position: jax.Array,
    heading: jax.Array,
    action: jax.Array,
    turned: bool | jax.Array = False,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns position [2] and heading [] after one frame of an action, and whether a wall was in the way.

    Args:
      walls: [2, n + 1, n].
      position: [2] of the body's centre, in cells.
      heading: [] in radians, 0 along x, growing to the left.
      action: [] `LEFT`, `RIGHT` or `FORWARD`.
      turned: whether the body moves along y first, as where the maze's axes have changed places.
    """
    turn = TURN * ((action == LEFT).astype(jnp.float32) - (action == RIGHT))
    pace = jnp.where(action == FORWARD, WALK, 0.0)
    heading = heading + turn
    move = pace * jnp.stack([jnp.cos(heading), jnp.sin(heading)])
    if turned is False:
        position, hit = walk(walls, position, move)
        return position, heading, hit
    walls, position, move = (jnp.where(turned, x[::-1], x) for x in (walls, position, move))
    position, hit = walk(walls, position, move)
    return jnp.where(turned, position[::-1], position), heading, hit


def walk(walls: jax.Array, position: jax.Array, move: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Moves a body.

    Args:
      walls: [2, n + 1, n].
      position: [2] of the body's centre, in cells.
      move: [2] in cells, each shorter than r.

    Returns:
      The position, and whether a wall was in the way.
    """
    x, x_hit = _along(walls[0], walls[1], position[0], position[1], move[0])
    y, y_hit = _along(walls[1], walls[0], position[1], x, move[1])
    return jnp.stack([x, y]), x_hit | y_hit


def _along(
    facing: jax.Array, beside: jax.Array, place: jax.Array, across: jax.Array, move: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Moves along one axis.

    Args:
      facing: the walls across the axis [n + 1, n].
      beside: the walls along it [n + 1, n].
      place: on the axis.
      across: the place on the other axis.
      move: along the axis.

    Returns:
      The place, and whether a wall was in the way.
    """
    side = jnp.sign(move)
    edge = place + side * RADIUS
    entered = jnp.floor(edge + move)
    line = jnp.maximum(jnp.floor(edge), entered)
    crosses = entered != jnp.floor(edge)
    low, high = jnp.floor(across - RADIUS), jnp.floor(across + RADIUS)
    wall = _at(facing, line, low) | _at(facing, line, high)
    # A body astride a line between two cells meets the end of a wall that stands on that line.
    wall |= (low != high) & _at(beside, high, entered)
    hit = crosses & wall
    return jnp.where(hit, line - side * (RADIUS + GAP), place + move), hit


def _at(walls: jax.Array, line: jax.Array, cell: jax.Array) -> jax.Array:
    """Whether there is a wall; indices beyond the maze read its outermost."""
    return walls.at[line.astype(jnp.int32), cell.astype(jnp.int32)].get(mode="clip")
