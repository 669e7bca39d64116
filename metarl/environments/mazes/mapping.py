"""A map that an agent could draw of a maze from what it sees and does.

    where    by dead reckoning: one begins in the middle of a cell, heading along an axis, and an action leads where
             it leads among the walls of the map. Where the reward denies that a wall was in the way, or says so though
             none was known, the step is reckoned again: without walls, or with one wherever none is known to lack
    walls    by sight: the floor in a column of pixels tells between which depths its ray ends (`sight`). What the ray
             crosses before is open. Where one line of the grid alone lies between these depths, a wall stands. Each
             look is one piece of evidence, and the majority decides
    seen     cells past whose middle a ray has gone, or in which one stood
    goal     where its pillar was seen or it was reached

The map lies as one began: heading along its first axis, in the middle of (2 n - 1) x (2 n - 1) cells. A body moves
along the maze's first axis first (`body`); which axis of the map that is, the shades of walls tell. Nothing is read
from the task: all comes from observations, actions and rewards, and from what is public, that is how walls look, how
far an action leads, and what rewards there are.

Letters: n cells along one side; M = 2 n - 1; W x H pixels.

Reference: Moravec and Elfes (1985), High resolution maps from wide angle sonar, for maps made of evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from .body import REACH, one_frame
from .sight import Sighted, depths_seen
from .view import ASIDE, BRICK, DIMMING, column_offsets

BESIDE_MIDDLE = 0.2  # cells: a ray that passes a cell's middle so near would meet what stands there
BESIDE_CORNER = (
    0.04  # cells: of a ray so near the end of a wall nobody can tell on which side it passes
)
BESIDE_SHADE = 0.06  # of a brick's brightness
MOST_EVIDENCE = 8.0  # looks
BLUE = float(BRICK[2])


class MazeMap(NamedTuple):
    """What is believed in one trial."""

    position: jax.Array  # [2] float32, in cells of the map
    heading: jax.Array  # [] float32, in radians, 0 as one began, growing to the left
    evidence: (
        jax.Array
    )  # [2, M + 1, M] float32, laid as `Maze.walls`: looks that found it open less others
    seen: jax.Array  # [M, M] bool, at x, y
    visits: jax.Array  # [M, M] float32, how often a cell was entered
    goal: jax.Array  # [M, M] bool
    turned: jax.Array  # [] float32, above 0 where the map's first axis is the maze's second
    time: jax.Array  # [] int32, steps since the episode began
    steps: jax.Array  # [] int32, steps since the trial began
    length: jax.Array  # [] int32, steps of a trial

    @property
    def open(self) -> jax.Array:
        """Where one can pass, as far as is known [2, M + 1, M]."""
        return self.evidence > 0

    @property
    def walls(self) -> jax.Array:
        """Where walls are known to stand [2, M + 1, M]."""
        return self.evidence < 0

    @property
    def cell(self) -> jax.Array:
        """Where one stands [2] int32."""
        return _cell(self.position)


def empty_map(size: int, length: int) -> MazeMap:
    """Returns the map of a maze of which nothing is known.

    Args:
      size: n.
      length: steps of a trial.
    """
    extent, zero = 2 * size - 1, jnp.zeros((), jnp.int32)
    nowhere = jnp.zeros((extent, extent), bool)
    return MazeMap(
        position=_start(extent),
        heading=jnp.zeros(()),
        evidence=jnp.zeros((2, extent + 1, extent)),
        seen=nowhere,
        visits=nowhere.astype(jnp.float32).at[size - 1, size - 1].set(1.0),
        goal=nowhere,
        turned=jnp.zeros(()),
        time=zero,
        steps=zero,
        length=jnp.full((), length, jnp.int32),
    )


def look(known: MazeMap, pixels: jax.Array) -> MazeMap:
    """Returns the map with what is seen from where one is believed to stand.

    Args:
      known: the map.
      pixels: [H, W, 3], levels from 0 to 255 or numbers from -1 to 1.
    """
    sighted = depths_seen(pixels)
    rays = _rays(known.heading, pixels.shape[1])
    (depth_x, place_x), (depth_y, place_y) = (
        _crossings(known, rays, axis) for axis in (0, 1)
    )  # [M + 1, W] each
    wall = ~sighted.pillar[None]
    may_x, may_y = _ends(depth_x, sighted) & wall, _ends(depth_y, sighted) & wall
    alone = (jnp.sum(may_x, axis=0) + jnp.sum(may_y, axis=0) == 1)[None]
    wall_x, wall_y = may_x & alone, may_y & alone
    evidence = known.evidence + jnp.stack(
        [
            _evidence(depth_x, place_x, sighted.clear, wall_x),
            _evidence(depth_y, place_y, sighted.clear, wall_y),
        ]
    )
    away, past = _beside_middles(known, rays)  # [M M, W] each
    passed = jnp.any(past & (away < sighted.clear[None]), axis=1)
    at_pillar = past & _ends(away, sighted, BESIDE_MIDDLE) & sighted.pillar[None]
    found = jnp.any(at_pillar & (jnp.sum(at_pillar, axis=0) == 1)[None], axis=1)
    passed, found = (which.reshape(known.seen.shape) for which in (passed, found))
    depth = jnp.sum(jnp.where(wall_x, depth_x, 0.0) + jnp.where(wall_y, depth_y, 0.0), axis=0)
    x, y = known.cell
    return known._replace(
        evidence=jnp.clip(evidence, -MOST_EVIDENCE, MOST_EVIDENCE),
        seen=(known.seen | passed | found).at[x, y].set(True),
        goal=jnp.where(jnp.any(found), found, known.goal),
        turned=known.turned + _turned(sighted, depth, wall_x.any(axis=0), wall_y.any(axis=0)),
    )


def step(
    known: MazeMap,
    action: jax.Array,
    reward: jax.Array,
    terminated: jax.Array,
    truncated: jax.Array,
    frames: int,
    rewards: Mapping[str, float],
) -> MazeMap:
    """Returns the map after a step.

    Args:
      known: the map before.
      action: [].
      reward: [] of the step.
      terminated: [] bool, whether the goal was reached.
      truncated: [] bool.
      frames: of an action.
      rewards: "goal", "step" and "wall"; if the last is 0 nobody notices that a wall was in the way.
    """
    position, heading, inside, expected = _reckon(known, known.walls, action, frames)
    if rewards["wall"]:
        beyond = reward - rewards["step"] - rewards["goal"] * terminated
        hit = jnp.abs(beyond - rewards["wall"]) < jnp.abs(beyond)
        otherwise = _reckon(known, hit & ~known.open, action, frames)
        position, heading, inside, _ = (
            jnp.where(hit == expected, as_known, other)
            for as_known, other in zip(
                (position, heading, inside, expected), otherwise, strict=True
            )
        )
    extent = len(known.seen)
    position = jnp.clip(position, 0.0, extent - 1e-3)
    cell, reached, over = _cell(position), _cell(inside), terminated | truncated
    entered = jnp.any(cell != known.cell).astype(jnp.float32)
    goal = jnp.zeros_like(known.goal).at[reached[0], reached[1]].set(True)
    return known._replace(
        position=jnp.where(over, _start(extent), position),
        heading=jnp.where(over, 0.0, heading),
        visits=known.visits.at[cell[0], cell[1]].add(entered),
        goal=jnp.where(terminated, goal, known.goal),
        time=jnp.where(over, 0, known.time + 1),
        steps=known.steps + 1,
    )


def _reckon(
    known: MazeMap, walls: jax.Array, action: jax.Array, frames: int
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Returns where an action leads: position [2], heading [], the last place near a cell's middle, whether walls hit.

    Args:
      known: where one stands.
      walls: [2, M + 1, M] that stand.
      action: [].
      frames: of the action.
    """
    turned = known.turned > 0

    def frame(_: int, carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        position, heading, inside, hit = carry
        position, heading, hit_now = one_frame(walls, position, heading, action, turned)
        near = jnp.sum((position - _cell(position) - 0.5) ** 2) < REACH**2
        return position, heading, jnp.where(near, position, inside), hit | hit_now

    carry = (known.position, known.heading, known.position, jnp.zeros((), bool))
    return jax.lax.fori_loop(0, frames, frame, carry)


def _start(extent: int) -> jax.Array:
    """Returns where an episode begins [2]."""
    return jnp.full(2, extent / 2)


def _cell(position: jax.Array) -> jax.Array:
    """Returns the cell [2] int32 of a position [2]."""
    return jnp.floor(position).astype(jnp.int32)


def _rays(heading: jax.Array, width: int) -> jax.Array:
    """Returns where the ray of each column leads at depth 1 [2, W]."""
    left = -column_offsets(width)
    cosine, sine = jnp.cos(heading), jnp.sin(heading)
    return jnp.stack([cosine - sine * left, sine + cosine * left])


def _crossings(known: MazeMap, rays: jax.Array, axis: int) -> tuple[jax.Array, jax.Array]:
    """Returns at which depth rays cross the lines of an axis, -1 behind, and where on them: [M + 1, W] each."""
    along = jnp.where(jnp.abs(rays[axis]) < 1e-9, 1e-9, rays[axis])[None]
    lines = jnp.arange(len(known.seen) + 1)[:, None]
    depth = (lines - known.position[axis]) / along
    return jnp.where(depth > 0, depth, -1.0), known.position[1 - axis] + depth * rays[1 - axis][
        None
    ]


def _ends(depth: jax.Array, sighted: Sighted, behind: float = 0.0) -> jax.Array:
    """Tells at which depths [K, W] what ends the view may stand, or so far behind its front."""
    return (depth > 0) & (depth >= sighted.clear[None]) & (depth < sighted.end[None] + behind)


def _evidence(depth: jax.Array, place: jax.Array, clear: jax.Array, wall: jax.Array) -> jax.Array:
    """Returns what one look tells of the edges on the lines of an axis [M + 1, M]: 1 open, -1 a wall, 0 neither.

    Args:
      depth: at which rays cross the lines [M + 1, W].
      place: where on them [M + 1, W].
      clear: how far rays go [W].
      wall: whether a ray ends at a line [M + 1, W].
    """
    sure = jnp.abs(place - jnp.round(place)) > BESIDE_CORNER
    crossed = (depth > 0) & (depth < clear[None]) & sure
    told = crossed.astype(jnp.float32) - (wall & sure)  # [M + 1, W]
    edges = jnp.arange(len(depth) - 1)[None, None]
    beside = jnp.floor(place)[..., None] == edges  # [M + 1, W, M]
    return jnp.sign(jnp.sum(beside * told[..., None], axis=1))


def _turned(sighted: Sighted, depth: jax.Array, of_x: jax.Array, of_y: jax.Array) -> jax.Array:
    """Returns how many columns tell that the map's first axis is the maze's second, less those that deny it, [].

    Walls across the maze's second axis are darker; bricks of a wall whose depth is known tell which it is.

    Args:
      sighted: the columns.
      depth: of the walls in them [W].
      of_x: [W] bool, whether it stands across the map's first axis.
      of_y: [W] bool, across its second.
    """
    brightness = sighted.brick / BLUE * (1 + DIMMING * depth)  # [W]
    bright, dim = (jnp.abs(brightness - shade) < BESIDE_SHADE for shade in (1.0, ASIDE))
    turned, straight = (of_x & dim) | (of_y & bright), (of_x & bright) | (of_y & dim)
    return jnp.sum(turned.astype(jnp.float32) - straight)


def _beside_middles(known: MazeMap, rays: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the depth at which rays come by the middles of cells, and whether ahead and near: [M M, W] each."""
    extent = len(known.seen)
    middles = jnp.stack(jnp.meshgrid(*2 * [jnp.arange(extent) + 0.5], indexing="ij"), axis=-1)
    x, y = (middles.reshape(-1, 2) - known.position[None]).T[..., None]  # [M M, 1] each
    length = jnp.sum(rays**2, axis=0)[None]
    depth = (x * rays[:1] + y * rays[1:]) / length
    aside = (x * rays[1:] - y * rays[:1]) / jnp.sqrt(length)
    return depth, (depth > 0) & (jnp.abs(aside) < BESIDE_MIDDLE)
