"""Frontier-based exploration of mazes: who does not know the map, and forgets nothing of what it has seen.

    the goal not yet seen    to the nearest cell that is open and not yet seen, in steps: the way there,
                             and the first turn
    seen                     the way to it, as the guide goes

A cell is seen from within it and along a straight corridor that lies within the 90° of the view; then
what is in it is known, and on which of its sides walls stand. What may be glimpsed around corners
counts as not seen. The agent is given the task to know what would be seen from where it stands; of the
rest it makes no use. It tells what a memory without faults can earn in a maze, and can be imitated.

Letters: n cells along one side.

Reference: Yamauchi (1997), A frontier-based approach for autonomous exploration.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.environments import (
    FIELD_OF_VIEW,
    Agent,
    Maze,
    MazeState,
    Trial,
    make_agent,
    reach_in_maze,
)

from .maze_steering import (
    SIDES,
    cell_of,
    distances_beyond,
    frames_of_an_action,
    goal_cell,
    reckon,
    shut_sides,
    start_again,
    steer,
)


class Memory(NamedTuple):
    """What an explorer has seen, and where it stands."""

    task: Maze
    seen: jax.Array  # [n, n] bool, at x, y
    start: MazeState
    state: MazeState


def maze_explorer(trial: Trial) -> Agent:
    """Returns the explorer.

    Raises:
      InvalidInput: the environment is no maze of metarl's.
    """
    frames = frames_of_an_action("frontier", trial.environment)
    return make_agent(_begin, _act, _look_around, frames, sees_task=True)


def cells_in_view(shut: jax.Array, state: MazeState) -> jax.Array:
    """Returns which cells are seen from where one stands, [n, n] bool at x, y.

    Args:
      shut: [4, n, n], on which sides of cells walls stand.
      state: where one stands.
    """
    size = shut.shape[-1]
    cell, steps, numbers = cell_of(state), jnp.array(SIDES), jnp.arange(len(SIDES))
    ahead = _turns(state) <= FIELD_OF_VIEW / 2 + 1e-3  # [4]
    alone = jnp.zeros((size, size), bool).at[cell[0], cell[1]].set(True)

    def one_cell_on(_: int, carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        seen, cells, open_ = carry  # [n, n], [4, 2], [4]
        open_ &= ~shut[numbers, cells[:, 0], cells[:, 1]]
        cells = jnp.where(open_[:, None], cells + steps, cells)
        return seen.at[cells[:, 0], cells[:, 1]].max(open_), cells, open_

    start = (alone, jnp.tile(cell, (len(SIDES), 1)), ahead)
    return jax.lax.fori_loop(0, size, one_cell_on, start)[0]


def _turns(state: MazeState) -> jax.Array:
    """Returns the angle [4] from where one looks to each side, from 0 to π."""
    angles = jnp.arange(len(SIDES)) * (jnp.pi / 2) - state.heading
    return jnp.abs(jnp.arctan2(jnp.sin(angles), jnp.cos(angles)))


def _begin(frames: jax.Array, key: jax.Array, trial: Trial, task: Maze) -> Memory:
    del frames
    start = trial.environment.reset(key, task)[1]
    return Memory(task, cells_in_view(shut_sides(task), start), start, start)


def _act(frames: jax.Array, key: jax.Array, memory: Memory, observation: Any):
    del key, observation
    task, seen, _, state = memory
    x, y = cell_of(state)
    goal = goal_cell(task)
    found = (goal & seen).any()
    cells = distances_beyond(shut_sides(task), jnp.where(found, goal, ~seen))[:, x, y]
    walked, turned = reach_in_maze(frames)
    turning = jnp.where(found, 0.0, _turns(state) / turned)  # in steps
    side = jnp.argmin((cells + 1) / walked + turning)
    return steer(task, state, side, found & goal[x, y], frames), memory


def _look_around(
    frames: jax.Array,
    memory: Memory,
    observation: Any,
    action: jax.Array,
    reward: jax.Array,
    terminated: jax.Array,
    truncated: jax.Array,
    next_observation: Any,
) -> Memory:
    del observation, reward, next_observation
    walked = reckon(memory.task, memory.state, action, frames)
    seen = memory.seen | cells_in_view(shut_sides(memory.task), walked)
    state = start_again(terminated | truncated, walked, memory.start)
    return memory._replace(seen=seen, state=state)
