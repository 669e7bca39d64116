"""Key to door: a key in the first room, nothing in the second, and in the third a door that only the key opens.

One is led from room to room by the clock, whatever one does: after `room_steps` into the second, after
`corridor` more into the third, and each time one begins in the middle of the room. The one reward, 1, is for
reaching the door with the key taken in the first room, and ends the episode; without the key nothing
happens. So what earns it lies long before it, and what is done in between is no part of it.

Five actions: up, right, down, left, stay; walls hold one back. The observation is five numbers: the room, the
column and row where one stands, and column and row of the key (until it is taken) or of the door, each D
where there is nothing to be seen. Whoever stands in the third room is not told whether the key was taken.
At the usual sizes one walk at random in forty opens the door, 0.16², and none of its steps in the first
and third room could have been another, but where the target is beside the middle.

Tasks are pairs of a cell for the key and one for the door, neither of them in the middle, dealt 70 : 15 : 15
to train, validation and test.

Letters: D cells along one side of a room; H horizon.

References: Mesnard et al. (2021), arXiv:2011.09464, and Chen et al. (2021), arXiv:2106.01345, section 5.4,
who say no sizes. Differs from the first: no apples in the second room. Not `dark-key-to-door`, where key
and door share a room and are not seen.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces

from metarl.errors import require

from ..contract.dealing import deal_out
from ..contract.environment import Environment, Split, Step
from ..contract.setting_checks import whole_number
from ..contract.symmetries import square_symmetries
from .dark_room import MOST_CELLS_ALONG, middle_of, move
from .gridworld import MOVES
from .pictures import draw_rooms

ROOMS = 3


class KeyToDoorTask(NamedTuple):
    """A task."""

    key: jax.Array  # [] int32, a cell of the first room
    door: jax.Array  # [] int32, a cell of the third


class KeyToDoorState(NamedTuple):
    """Where an episode stands."""

    room: jax.Array  # [] int32, 0, 1 or 2
    place: jax.Array  # [] int32, a cell of the room
    has_key: jax.Array  # [] bool
    time: jax.Array  # [] int32


def key_to_door(size: int = 3, room_steps: int = 2, corridor: int = 6) -> Environment:
    """Returns three rooms, with a key in the first and a door in the last.

    Args:
      size: D.
      room_steps: how long one is in the first room, and at most in the third.
      corridor: how long one is in the second.

    Raises:
      InvalidInput: a setting is not accepted, or nobody could walk from the middle to a corner.
    """
    size = whole_number("size", size, 2)
    require(
        size <= MOST_CELLS_ALONG,
        f"size is {size}; at most {MOST_CELLS_ALONG} are accepted, since the tasks are dealt out.",
    )
    room_steps, corridor = (
        whole_number("room_steps", room_steps),
        whole_number("corridor", corridor),
    )
    farthest = 2 * (size // 2)
    require(
        room_steps >= farthest,
        f"room_steps is {room_steps}; in a room of {size} x {size} cells a key may be {farthest} steps away, "
        "so give no less.",
    )
    middle, nothing = jnp.int32(middle_of(size)), jnp.int32(size * size)
    horizon = 2 * room_steps + corridor
    dealt = _deal(size)

    def draw_task(key: jax.Array, split: Split) -> KeyToDoorTask:
        pairs = jnp.asarray(dealt[split])  # [N, 2]
        pair = pairs[jax.random.randint(key, (), 0, len(pairs))]
        return KeyToDoorTask(pair[0], pair[1])

    def look(state: KeyToDoorState, task: KeyToDoorTask) -> jax.Array:
        target = jnp.stack([task.key, nothing, task.door])[state.room]
        hidden = (target == nothing) | ((state.room == 0) & state.has_key)
        seen = jnp.where(hidden, size, jnp.stack([target % size, target // size]))
        place = jnp.stack([state.place % size, state.place // size])
        return jnp.concatenate([state.room[None], place, seen])

    def reset(key: jax.Array, task: KeyToDoorTask) -> tuple[jax.Array, KeyToDoorState]:
        del key
        zero = jnp.zeros((), jnp.int32)
        state = KeyToDoorState(zero, middle, jnp.zeros((), bool), zero)
        return look(state, task), state

    def step(key: jax.Array, state: KeyToDoorState, action: jax.Array, task: KeyToDoorTask) -> Step:
        del key
        place, time = move(state.place, action, size), state.time + 1
        has_key = state.has_key | ((state.room == 0) & (place == task.key))
        opened = (state.room == 2) & (place == task.door) & has_key
        later = (time >= room_steps).astype(jnp.int32) + (time >= room_steps + corridor)
        room = jnp.minimum(later, ROOMS - 1)
        place = jnp.where(room > state.room, middle, place)
        following = KeyToDoorState(room, place, has_key, time)
        truncated = (time >= horizon) & ~opened
        reward = opened.astype(jnp.float32)
        return Step(look(following, task), following, reward, opened, truncated, {})

    def task_features(task: KeyToDoorTask) -> jax.Array:
        return jax.nn.one_hot(jnp.stack([task.key, task.door]), size * size).ravel()

    sizes = [ROOMS, size, size, size + 1, size + 1]
    return Environment(
        name="key-to-door",
        settings={"size": size, "room_steps": room_steps, "corridor": corridor},
        observation_space=spaces.MultiDiscrete(sizes, dtype=np.int32),
        action_space=spaces.Discrete(len(MOVES)),
        horizon=horizon,
        draw_task=draw_task,
        reset=reset,
        step=step,
        optimal_return=lambda task: jnp.ones(()),
        task_features=task_features,
        # A room of an even size has no cell in its middle, so the picture turned round begins elsewhere.
        symmetries=square_symmetries(sizes, ((1, 2), (3, 4)), size, MOVES) if size % 2 else None,
        views={"rooms": lambda task, states: draw_rooms(size, task, states)},
        description=f"three rooms of {size} x {size} cells: the key of the first opens the door of the last",
    )


def _deal(size: int) -> dict[Split, np.ndarray]:
    cells = np.delete(np.arange(size * size, dtype=np.int32), middle_of(size))
    return deal_out(np.stack(np.meshgrid(cells, cells), axis=-1).reshape(-1, 2))
