"""First-person mazes: find the goal, remember the way, and walk it at once the next time.

A maze of size n has n x n cells joined by Prim's algorithm; walls are thin. A task is a layout, a cell
to start in, a heading, and another cell where the goal stands; all stay the same in all episodes of
a trial. One sees W x H pixels, numbers from -1 to 1, and has three actions: turn left, turn right,
walk. Each is repeated in 4 frames; walls are slid along. An action costs 0.04, one that meets a wall
0.001 more; reaching the goal brings 1 and ends the episode.

The paper says neither whether "5 x 5" counts cells or blocks of wall too, nor how far an action
leads. Here n counts cells; an action turns by 15° or walks 0.32 of a cell.

Letters: n cells along one side; H horizon; W x H pixels.

Reference: Duan et al. (2016), arXiv:1611.02779, section 3.3.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces

from metarl.errors import require

from ..contract.environment import AuxiliaryTargets, Environment, Oracle, Split, Step
from ..contract.setting_checks import one_of, real_number, whole_number, yes_or_no
from .body import REACH, TURN, WALK, one_frame
from .inner_learning import maze_learning
from .layouts import SPLIT_BY, draw_layout, inner_walls
from .map import draw_map
from .view import look
from .ways import Ways, ways_to

LARGEST_SMALL, SMALL_HORIZON, LARGE_HORIZON = 5, 250, 1000
MOST_CELLS_ALONG = 31  # a line of walls is read as one number of 32 bits
MOST_PIXELS_ALONG = 512
EIGHTHS = 8  # sectors of 45 degrees: straight ahead, ahead to the left ...
VIEW_PIXELS = (320, 240)  # of pictures for people


class Maze(NamedTuple):
    """A task."""

    walls: jax.Array  # [2, n + 1, n] bool, see `maze_layouts`
    start: jax.Array  # [] int32, a cell
    heading: jax.Array  # [] float32, at the start, in radians; 0 along x, growing to the left
    goal: jax.Array  # [] int32, a cell


class Solution(NamedTuple):
    """What an oracle reads."""

    ways: Ways
    goal: jax.Array  # [] int32, a cell


class MazeState(NamedTuple):
    """Where an episode stands."""

    position: jax.Array  # [2] float32, in cells
    heading: jax.Array  # [] float32, in radians
    time: jax.Array  # [] int32


def maze(
    size: int = 5,
    horizon: int | None = None,
    width: int = 40,
    height: int = 30,
    frame_skip: int = 4,
    train_layouts: int | None = None,
    goal_reward: float = 1.0,
    step_reward: float = -0.04,
    wall_reward: float = -0.001,
    uint8: bool = False,
    splits: str = "shape",
) -> Environment:
    """Returns mazes.

    Args:
      size: n, from 3 to 31.
      horizon: H; then an episode is truncated. None: 250 up to size 5, 1000 above.
      width: W.
      height: H.
      frame_skip: frames of an action.
      train_layouts: of how many tasks the train split consists; None: all there are. The paper
        has 1000.
      goal_reward: at the goal.
      step_reward: of every action, the last one too.
      wall_reward: of an action that met a wall.
      uint8: let observations be levels from 0 to 255, as most convolutional agents expect them.
      splits: "shape": no layout of a split is one of another turned or mirrored; "layout": none is one
        of another, but most are one turned or mirrored, as it was before.

    Raises:
      InvalidInput: a setting is not accepted.
    """
    size = _within("size", size, 3, MOST_CELLS_ALONG)
    if horizon is None:
        horizon = SMALL_HORIZON if size <= LARGEST_SMALL else LARGE_HORIZON
    horizon, frame_skip = whole_number("horizon", horizon), whole_number("frame_skip", frame_skip)
    width = _within("width", width, 1, MOST_PIXELS_ALONG)
    height = _within("height", height, 1, MOST_PIXELS_ALONG)
    if train_layouts is not None:
        train_layouts = whole_number("train_layouts", train_layouts)
    uint8 = yes_or_no("uint8", uint8)
    splits = one_of("splits", splits, SPLIT_BY)
    rewards = {"goal": goal_reward, "step": step_reward, "wall": wall_reward}
    rewards = {name: real_number(f"{name}_reward", value) for name, value in rewards.items()}

    def draw_task(key: jax.Array, split: Split) -> Maze:
        if split == "train" and train_layouts is not None:
            number = jax.random.randint(key, (), 0, train_layouts)
            key = jax.random.fold_in(jax.random.key(0), number)
        return draw_maze(key, size, split, splits)

    def reset(key: jax.Array, task: Maze) -> tuple[jax.Array, MazeState]:
        del key
        state = MazeState(middle(task.start, size), task.heading, jnp.zeros((), jnp.int32))
        return observe(state, task), state

    def step(key: jax.Array, state: MazeState, action: jax.Array, task: Maze) -> Step:
        del key
        position, heading, hit, reached = act_in_maze(state, action, task, frame_skip)
        state = MazeState(position, heading, state.time + 1)
        reward = rewards["step"] + rewards["goal"] * reached + rewards["wall"] * hit
        truncated = (state.time >= horizon) & ~reached
        return Step(observe(state, task), state, reward, reached, truncated, {})

    def mean_reward(state: MazeState, action: jax.Array, task: Maze) -> jax.Array:
        *_, hit, reached = act_in_maze(state, action, task, frame_skip)
        return rewards["step"] + rewards["goal"] * reached + rewards["wall"] * hit

    def solve(task: Maze) -> Solution:
        return Solution(ways_to(task.goal, task.walls), task.goal)

    def value(solution: Solution, state: MazeState) -> jax.Array:
        actions, left = actions_to_goal(solution, state, size, frame_skip), horizon - state.time
        there = rewards["goal"] + rewards["step"] * actions
        return jnp.where(actions <= left, there, rewards["step"] * left)

    def tell(known: tuple[Solution, Maze], state: MazeState) -> dict[str, jax.Array]:
        return labels_of(*known, state, size)

    def observe(state: MazeState, task: Maze) -> jax.Array:
        goal = middle(task.goal, size)
        pixels = look(task.walls, state.position, state.heading, goal, width, height)
        return pixels if uint8 else pixels.astype(jnp.float32) / 127.5 - 1

    return Environment(
        name="maze",
        settings={
            "size": size,
            "horizon": horizon,
            "width": width,
            "height": height,
            "frame_skip": frame_skip,
            **({} if train_layouts is None else {"train_layouts": train_layouts}),
            **{f"{name}_reward": value for name, value in rewards.items()},
            **({"uint8": True} if uint8 else {}),
            **({} if splits == "shape" else {"splits": splits}),
        },
        observation_space=spaces.Box(0, 255, (height, width, 3), np.uint8)
        if uint8
        else spaces.Box(-1.0, 1.0, (height, width, 3), np.float32),
        action_space=spaces.Discrete(3),
        horizon=horizon,
        draw_task=draw_task,
        reset=reset,
        step=step,
        mean_reward=mean_reward,
        oracle=Oracle(solve, value),
        observe=observe,
        views={"first-person": see, "top": draw_map},
        task_features=task_features,
        auxiliary_targets=AuxiliaryTargets(
            {"place": (2 * size - 1) ** 2, "heading": EIGHTHS, "goal": EIGHTHS, "way": EIGHTHS},
            lambda task: (solve(task), task),
            tell,
        ),
        inner_learning=maze_learning(size, horizon, frame_skip, rewards),
        description=f"first-person mazes of {size} x {size} cells; the goal stands where it stood",
    )


def draw_maze(key: jax.Array, size: int, split: Split, by: str = "shape") -> Maze:
    """Draws a task of a split; see `layouts` for what the splits are by."""
    layout_key, cells_key, heading_key = jax.random.split(key, 3)
    cells = jax.random.choice(cells_key, size * size, (2,), replace=False)
    quarter = jax.random.randint(heading_key, (), 0, 4)
    walls = draw_layout(layout_key, size, split, by)
    return Maze(walls, cells[0], quarter * (jnp.pi / 2), cells[1])


def act_in_maze(
    state: MazeState, action: jax.Array, task: Maze, frames: int | jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Repeats an action in several frames.

    Returns:
      Position [2] and heading [], and whether a wall was met and the goal was reached.
    """
    goal = middle(task.goal, task.walls.shape[-1])

    def frame(_: int, carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        position, heading, hit, reached = carry
        position, heading, hit_now = one_frame(task.walls, position, heading, action)
        reached |= jnp.sum((position - goal) ** 2) < REACH**2
        return position, heading, hit | hit_now, reached

    nothing = jnp.zeros((), bool)
    start = (state.position, state.heading, nothing, nothing)
    position, heading, hit, reached = jax.lax.fori_loop(0, frames, frame, start)
    return position, heading % (2 * jnp.pi), hit, reached


def reach_in_maze(frames: int | jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns how far an action of so many frames walks, in cells, and how far it turns, in radians."""
    return jnp.asarray(WALK * frames), jnp.asarray(TURN * frames)


def actions_to_goal(
    solution: Solution, state: MazeState, size: int, frames: int | jax.Array
) -> jax.Array:
    """Returns how many actions it is to the goal [] float32, from the middle of a cell to that of the next.

    One turns on the spot and walks straight; who cuts corners is a little faster.

    Args:
      solution: of the task.
      state: where one stands.
      size: n.
      frames: of an action.
    """
    ways, goal = solution
    cell, aim_cell = _next_on_the_way(solution, state, size)
    arrived = cell == goal
    aim = middle(aim_cell, size) - state.position
    away = jnp.arctan2(aim[1], aim[0]) - state.heading
    away = jnp.abs((away + jnp.pi) % (2 * jnp.pi) - jnp.pi)
    beyond = jnp.where(arrived, 0, ways.steps[aim_cell])  # cells
    quarters = jnp.where(arrived, 0, ways.turns[cell])
    walk_far, turn_far = reach_in_maze(frames)
    far = jnp.sqrt(jnp.sum(aim**2) + 1e-12) + beyond - REACH
    return jnp.maximum(1.0, far / walk_far + (away + quarters * jnp.pi / 2) / turn_far)


def labels_of(solution: Solution, task: Maze, state: MazeState, size: int) -> dict[str, jax.Array]:
    """Returns what a memory may learn to predict of a state, each [] int32.

    place    the cell, as steps ahead and to the left of the start, who began there heading ahead: (2 n - 1)² classes
    heading  relative to that at the start: eighths of a turn to the left
    goal     in which direction it lies as the crow flies, relative to the heading: likewise
    way      in which the middle of the next cell on the way lies, or the goal in its own cell: likewise

    Args:
      solution: of the task.
      task: which.
      state: where one stands.
      size: n.
    """
    cell, aim_cell = _next_on_the_way(solution, state, size)
    away = (middle(cell, size) - middle(task.start, size)).astype(jnp.float32)
    ahead_x, ahead_y = jnp.cos(task.heading), jnp.sin(task.heading)
    ahead = away[0] * ahead_x + away[1] * ahead_y
    aside = away[1] * ahead_x - away[0] * ahead_y
    along, across = (jnp.round(x).astype(jnp.int32) + size - 1 for x in (ahead, aside))

    def towards(cell: jax.Array) -> jax.Array:
        aim = middle(cell, size) - state.position
        return _eighth(jnp.arctan2(aim[1], aim[0]) - state.heading)

    return {
        "place": along + (2 * size - 1) * across,
        "heading": _eighth(state.heading - task.heading),
        "goal": towards(task.goal),
        "way": towards(aim_cell),
    }


def _next_on_the_way(
    solution: Solution, state: MazeState, size: int
) -> tuple[jax.Array, jax.Array]:
    """Returns the cell where one stands, and the next on the way; in the goal's cell that one."""
    x, y = jnp.clip(jnp.floor(state.position).astype(jnp.int32), 0, size - 1)
    cell = x + size * y
    arrived = cell == solution.goal
    return cell, jnp.where(arrived, solution.goal, solution.ways.following[cell])


def _eighth(angle: jax.Array) -> jax.Array:
    """Returns the sector of 45 degrees in which an angle lies; that around 0 is 0."""
    return jnp.round(angle / (2 * jnp.pi / EIGHTHS)).astype(jnp.int32) % EIGHTHS


def middle(cell: jax.Array, size: int) -> jax.Array:
    """Returns the middle [2] of a cell."""
    return jnp.stack([cell % size, cell // size]) + 0.5


def see(task: Maze, states: MazeState) -> np.ndarray:
    """Returns the first-person view from the last of the states [T, ...], sharper than an agent's."""
    goal = middle(task.goal, task.walls.shape[-1])
    position, heading = states.position[-1], states.heading[-1]
    return np.asarray(_look(task.walls, position, heading, goal, *VIEW_PIXELS))


_look = jax.jit(look, static_argnames=("width", "height"))


def task_features(task: Maze) -> jax.Array:
    """Returns inner walls, start, heading and goal [2 n (n - 1) + 2 n² + 2], for a value network."""
    cells = task.walls.shape[-1] ** 2
    places = jax.nn.one_hot(jnp.stack([task.start, task.goal]), cells).ravel()
    direction = jnp.stack([jnp.cos(task.heading), jnp.sin(task.heading)])
    return jnp.concatenate([inner_walls(task.walls).astype(jnp.float32), places, direction])


def _within(name: str, value: int, least: int, most: int) -> int:
    value = whole_number(name, value, least)
    require(value <= most, f"{name} is {value}; at most {most} is accepted.")
    return value
