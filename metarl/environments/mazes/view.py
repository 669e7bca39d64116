"""What one sees in a maze: one ray a column, from grid line to grid line, until it meets a wall.

A ray from p in direction d crosses the line x = i at the depth t = (i - pₓ) / dₓ and at the height
y = p_y + t d_y of it, which lies beside row ⌊y⌋; there a wall stands or not. So for n + 1 lines of each
kind, and the nearest wall is what is seen. d is one unit forward and a share of the image plane to
the side, so t is the depth perpendicular to that plane, and walls look straight.

Walls are as high as a cell is wide, the eye is half way up. Bricks show how far and how oblique a
wall is, the two directions of walls differ in shade, and everything darkens with distance. The goal
is a red pillar of 0.6 of the height.

Letters: W x H pixels; n cells along one side.

Reference: Amanatides and Woo (1987), A fast voxel traversal algorithm for ray tracing.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

FIELD_OF_VIEW = math.radians(90)  # from the left edge to the right
PILLAR_RADIUS, PILLAR_HEIGHT = 0.2, 0.6  # in cells
DIMMING = 0.35  # of the light, for each cell of depth
ASIDE = 0.75  # of the light, on walls along x
COURSES = 4  # rows of bricks in a wall
MORTAR = 0.12  # of a brick's height and of its length
BRICK, JOINT = (
    np.array([150, 140, 165], np.float32),
    np.array([-110, -105, -110], np.float32),
)  # what a joint adds
PILLAR = np.array([255, 45, 30], np.float32)
FLOOR, CEILING = np.array([120, 100, 75], np.float32), np.array([90, 120, 150], np.float32)
FAR = 1e6  # deeper than any maze


class Rays(NamedTuple):
    """What the rays of the columns meet."""

    wall: jax.Array  # [W] depth of the wall
    along: jax.Array  # [W] where on the wall, in cells
    across_x: jax.Array  # [W] bool, the wall stands on a line x = i
    pillar: jax.Array  # [W] depth of the goal's pillar, FAR where it is not met
    facing: jax.Array  # [W] from 0 at the pillar's edge to 1 where it faces the eye


def look(
    walls: jax.Array,
    position: jax.Array,
    heading: jax.Array,
    goal: jax.Array,
    width: int,
    height: int,
) -> jax.Array:
    """Returns the first-person view [H, W, 3] uint8.

    Args:
      walls: [2, n + 1, n].
      position: [2] of the eye, in cells.
      heading: [] in radians, 0 along x, growing to the left.
      goal: [2] where the pillar stands.
      width: W.
      height: H.
    """
    return shade(cast(walls, position, heading, goal, width), width, height)


def cast(
    walls: jax.Array, position: jax.Array, heading: jax.Array, goal: jax.Array, width: int
) -> Rays:
    """Returns what the rays meet."""
    forward = jnp.stack([jnp.cos(heading), jnp.sin(heading)])
    right = jnp.stack([forward[1], -forward[0]])
    offsets = column_offsets(width)
    rays = forward[:, None] + offsets[None] * right[:, None]  # [2, W]
    x_depth, x_along = _nearest(walls[0], position, rays)
    y_depth, y_along = _nearest(walls[1], position[::-1], rays[::-1])
    across_x = x_depth < y_depth
    pillar, facing = _meet_pillar(goal - position, rays)
    depth = jnp.minimum(x_depth, y_depth)
    return Rays(
        wall=depth,
        along=jnp.where(across_x, x_along, y_along),
        across_x=across_x,
        pillar=jnp.where(pillar < depth, pillar, FAR),
        facing=facing,
    )


def column_offsets(width: int) -> jax.Array:
    """Returns how far to the right the ray of each column leads at depth 1 [W]."""
    return math.tan(FIELD_OF_VIEW / 2) * (2 * (jnp.arange(width) + 0.5) / width - 1)


def focal_length(width: int) -> float:
    """Returns how many pixels a cell is wide at depth 1."""
    return width / 2 / math.tan(FIELD_OF_VIEW / 2)


def _nearest(walls: jax.Array, origin: jax.Array, rays: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns depth and place [W] of the nearest wall on the lines across the first axis.

    Args:
      walls: on these lines [n + 1, n].
      origin: [2].
      rays: [2, W].
    """
    lines, cells = walls.shape
    # One whole number a line, a bit a cell, is read faster than an array inside a fused loop.
    bits = jnp.sum(walls.astype(jnp.uint32) << jnp.arange(cells, dtype=jnp.uint32)[None], axis=1)
    toward = jnp.where(jnp.abs(rays[0]) < 1e-9, 1e-9, rays[0])[None]  # [1, W]
    depths = (jnp.arange(lines)[:, None] - origin[0]) / toward  # [n + 1, W]
    places = origin[1] + depths * rays[1][None]
    cell = jnp.clip(jnp.floor(places), 0, cells - 1).astype(jnp.uint32)
    inside = (places >= 0) & (places < cells) & (depths > 0)
    stands = (bits[:, None] >> cell) & 1
    depths = jnp.where(inside & (stands == 1), depths, FAR)
    depth = jnp.min(depths, axis=0)
    return depth, origin[1] + depth * rays[1]


def _meet_pillar(offset: jax.Array, rays: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the depth [W] at which rays meet a pillar, and how much it faces them there.

    Args:
      offset: [2] from the eye to the pillar's middle.
      rays: [2, W].
    """
    length = jnp.sum(rays**2, axis=0)
    nearest = jnp.sum(offset[:, None] * rays, axis=0)
    under_root = nearest**2 - length * (jnp.sum(offset**2) - PILLAR_RADIUS**2)
    half_chord = jnp.sqrt(jnp.maximum(under_root, 0))
    depth = (nearest - half_chord) / length
    met = (under_root > 0) & (depth > 0)
    facing = half_chord / (PILLAR_RADIUS * jnp.sqrt(length))
    return jnp.where(met, depth, FAR), facing


def shade(rays: Rays, width: int, height: int) -> jax.Array:
    """Returns the view [H, W, 3] uint8 of what rays have met."""
    focal = focal_length(width)
    down = (jnp.arange(height) + 0.5 - height / 2)[:, None]  # [H, 1] pixels below the horizon
    level = down * rays.wall[None] / focal  # [H, W] below the eye, where the wall is, in cells
    wall = _light(rays.wall) * jnp.where(rays.across_x, 1.0, ASIDE)
    joint = (1 - _is_brick(rays.along, level)) / (1 + rays.wall**2)[None]  # too fine to see far off
    colour = (BRICK[None, None] + joint[..., None] * JOINT[None, None]) * wall[None, :, None]
    ground = jnp.where(down > 0, FLOOR[None], CEILING[None])  # [H, 3]
    ground = ground * _light(0.5 * focal / jnp.abs(down))
    colour = jnp.where((jnp.abs(level) < 0.5)[..., None], colour, ground[:, None])
    level = down * rays.pillar[None] / focal
    is_pillar = (rays.pillar < FAR)[None] & (level < 0.5) & (level > 0.5 - PILLAR_HEIGHT)
    pillar = (0.45 + 0.55 * rays.facing) * (0.3 + 0.7 * _light(rays.pillar))  # it glows
    colour = jnp.where(is_pillar[..., None], PILLAR[None, None] * pillar[None, :, None], colour)
    return jnp.round(colour).astype(jnp.uint8)


def _light(depth: jax.Array) -> jax.Array:
    return 1 / (1 + DIMMING * depth)


def _is_brick(along: jax.Array, level: jax.Array) -> jax.Array:
    """Tells brick from joint [H, W], at places along walls [W] and levels below the eye [H, W]."""
    course = (0.5 - level) * COURSES
    shift = 0.5 * (jnp.floor(course) % 2)  # every other course is laid half a brick on
    brick = along[None] * (COURSES / 2) + shift
    return (course % 1 > MORTAR) & (brick % 1 > MORTAR / 2)
