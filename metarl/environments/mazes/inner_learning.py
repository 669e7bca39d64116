"""The inner learner of mazes: what a network is shown of a map that is drawn on the way, and of plans in it.

Two plans are made at every step, from cell to cell over what is open in the map (`mapping`): to the goal, once it was
seen, and to the nearest cell that was not. A plan is worth 0.9 to the power of the cells in between, and 0 where there
is no way of at most 4 n. A network is shown, side by side,

  of each plan    sine and cosine of the angle to the middle of the next cell, on the side that takes the fewest steps,
                  and what the plan is worth there
  of each side,   whether a wall stands there, whether it is open, 1 / sqrt(1 + n) of n visits beyond, and what both
  ahead, left,    plans are worth there
  behind, right
  of neither      the heading beside the nearest axis (sine, cosine), the place beside the cell's middle (ahead, left),
                  whether the goal was seen, which shares of the trial and of the episode are left

All of it can be computed from what the agent saw and did, and from what is public.

Letters: n cells along one side; M = 2 n - 1.

References: Bhatia, Nashed and Zilberstein (2023), RL³, arXiv:2306.15909, whose networks are shown the values of a
planner in what was learnt of the task; Yamauchi (1997), A frontier-based approach for autonomous exploration.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp

from ..contract.environment import InnerLearning
from .body import TURN, WALK
from .mapping import MazeMap, empty_map, look, step
from .sides import MAZE_SIDES as SIDES
from .sides import cells_beyond, edges_by_side

REVISION = 1
WORTH = 0.9  # of a plan, for each cell on its way
PLANS, OF_PLANS, OF_SIDES, SHARED = 2, 3, 5, 7
TOLD = PLANS * OF_PLANS + OF_SIDES * len(SIDES) + SHARED


def maze_learning(
    size: int, horizon: int, frames: int, rewards: Mapping[str, float]
) -> InnerLearning:
    """Returns the inner learner of mazes.

    Args:
      size: n.
      horizon: of an episode.
      frames: of an action.
      rewards: "goal", "step" and "wall".
    """

    def after(
        known: MazeMap,
        observation: jax.Array,
        action: jax.Array,
        reward: jax.Array,
        next_observation: jax.Array,
        terminated: jax.Array,
        truncated: jax.Array,
    ) -> MazeMap:
        del next_observation  # it is looked at when it is shown
        known = look(known, observation)
        return step(known, action, reward, terminated, truncated, frames, rewards)

    def tell(known: MazeMap, observation: jax.Array) -> jax.Array:
        return told(look(known, observation), size, horizon, frames)

    return InnerLearning(TOLD, REVISION, lambda length: empty_map(size, length), after, tell)


def told(known: MazeMap, size: int, horizon: int, frames: int) -> jax.Array:
    """Returns what a network is shown [33]; see above.

    Args:
      known: the map.
      size: n.
      horizon: of an episode.
      frames: of an action.
    """
    cell, unseen = known.cell, ~known.seen
    walls, open_ = edges_by_side(known.walls), edges_by_side(known.open)  # [4, M, M]
    to_goal = plan(known.goal, open_, size)
    to_new = plan(unseen, open_ | (cells_beyond(unseen) & ~walls), size)
    rarity = jax.lax.rsqrt(1.0 + cells_beyond(known.visits))
    x, y = cell
    sides = jnp.stack(
        [which[:, x, y] for which in (walls, open_, rarity, to_goal, to_new)], axis=-1
    )
    quarter = _quarter(known)
    from_ahead = (jnp.arange(len(SIDES)) + quarter) % len(SIDES)
    turned = known.heading - quarter * (jnp.pi / 2)
    away = jnp.array(SIDES)[from_ahead[:2]] @ (known.position - cell - 0.5)
    here = known.goal[x, y]
    shares = (1.0 - known.steps / known.length, 1.0 - known.time / horizon)
    return jnp.concatenate(
        [
            _bearing(known, to_goal[:, x, y], here, frames),
            _bearing(known, to_new[:, x, y], jnp.zeros_like(here), frames),
            sides[from_ahead].ravel(),
            jnp.stack([jnp.sin(turned), jnp.cos(turned), *away, jnp.any(known.goal), *shares]),
        ]
    )


def plans_told(shown: jax.Array) -> jax.Array:
    """Returns what a network is shown of the plans to the goal and to what was not seen: sine, cosine, worth [2, 3].

    Args:
      shown: [33], see above.
    """
    return shown[: PLANS * OF_PLANS].reshape(PLANS, OF_PLANS)


def plan(targets: jax.Array, ways: jax.Array, size: int) -> jax.Array:
    """Returns what the way to the nearest target is worth by each side of each cell [4, M, M]; 1 where one is next.

    Args:
      targets: [M, M] bool.
      ways: whether one can pass each side [4, M, M] bool.
      size: n.
    """

    def sweep(_: int, worth: jax.Array) -> jax.Array:
        return jnp.maximum(worth, WORTH * jnp.max(cells_beyond(worth) * ways, axis=0))

    worth = jax.lax.fori_loop(0, 4 * size, sweep, targets.astype(jnp.float32))
    return cells_beyond(worth) * ways


def _bearing(known: MazeMap, worth: jax.Array, here: jax.Array, frames: int) -> jax.Array:
    """Returns the sine and cosine of the angle to where a plan leads next, and what it is worth [3]; 0 without a way.

    Args:
      known: where one stands.
      worth: of the plan, by side [4].
      here: [] bool, whether what it heads for is in this cell; then it leads to its middle.
      frames: of an action.
    """
    turns = jnp.array((0, 1, 2, 1))[(jnp.arange(len(SIDES)) - _quarter(known)) % len(SIDES)]
    cells = jnp.log(jnp.maximum(worth, 1e-9)) / math.log(WORTH)
    side = jnp.argmin(cells / (WALK * frames) + turns * (math.pi / 2) / (TURN * frames))
    aim = known.cell + 0.5 - known.position + jnp.where(here, 0, jnp.array(SIDES)[side])
    angle = jnp.arctan2(aim[1], aim[0]) - known.heading
    value = jnp.where(here, 1.0 / WORTH, worth[side])
    return jnp.where(value > 0, jnp.stack([jnp.sin(angle), jnp.cos(angle), value]), 0.0)


def _quarter(known: MazeMap) -> jax.Array:
    """Returns which of the sides lies ahead, or nearest to that, counted on over whole turns [] int32."""
    return jnp.round(known.heading / (jnp.pi / 2)).astype(jnp.int32)
