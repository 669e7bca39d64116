"""What passes between gymnasium's users and the compiled programs: settings, options, actions, infos.

Whatever comes in is checked here, by the single and the vector environment alike; whatever goes out
is copied, since compiled programs hand out arrays that must not be written to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from gymnasium import spaces

from metarl.errors import InvalidInput, require, unknown_name

from ..contract.environment import SPLITS, Environment, Split
from ..contract.task_checks import all_finite
from ..contract.trials import Trial
from ..registry import load
from .session import Game


def make_game(
    environment: str | Environment,
    split: Split,
    episodes: int | None,
    steps: int | None,
    keep_task: bool,
    settings: Mapping[str, Any],
) -> Game:
    """Returns what one gymnasium episode is, from the arguments of an environment's constructor."""
    if isinstance(environment, str):
        environment = load(environment, **settings)
    elif settings:
        names = ", ".join(settings)
        raise InvalidInput(f"An Environment has its settings already; received {names} beside it.")
    require(split in SPLITS, f"split is {split!r}; it must be one of {', '.join(SPLITS)}.")
    whole_trial = episodes is not None or steps is not None
    trial = Trial(environment, episodes if whole_trial else 1, steps)
    return Game(trial, whole_trial, split, keep_task)


def checked_view(
    environment: Environment, render_mode: str | None, view: str | None = None
) -> Callable[..., np.ndarray] | None:
    """Returns the function that draws a family, or None where nothing is to be drawn."""
    views = environment.views
    require(
        render_mode is None or (render_mode == "rgb_array" and bool(views)),
        f"render_mode is {render_mode!r}; "
        + ("it must be 'rgb_array' or None." if views else "this family draws nothing: None."),
    )
    require(view is None or bool(views), f"view is {view!r}; {environment.name!r} draws nothing.")
    if view is not None and view not in views:
        raise unknown_name("view", view, tuple(views))
    return views[view or next(iter(views))] if render_mode else None


def checked_options(options: Mapping[str, Any] | None, known: tuple[str, ...]) -> dict[str, Any]:
    """Returns the options of `reset`; refuses those that nobody would read."""
    given = dict(options or {})
    for name in given:
        if name not in known:
            raise unknown_name("reset option", str(name), known)
    return given


def checked_keys(keys: Any, leading: tuple[int, ...] = ()) -> jax.Array:
    """Returns a random key, or N of them, that a user handed in."""
    is_key = isinstance(keys, jax.Array) and keys.dtype == jax.random.key(0).dtype
    require(
        is_key and keys.shape == leading,
        f"options['key'] must be made by jax.random.key, of shape {leading}; received "
        f"{type(keys).__name__} of shape {np.shape(keys)}.",
    )
    return keys


def checked_actions(space: spaces.Space, actions: Any, leading: tuple[int, ...] = ()) -> np.ndarray:
    """Returns actions as an array [*leading, ...] that a compiled program can take.

    Numbers outside the bounds of a `Box` are let pass, as they are by gymnasium's own environments.

    Raises:
      InvalidInput: the shape is wrong, there is no such action, or a number is NaN or infinite.
    """
    array, shape = np.asarray(actions), leading + tuple(space.shape or ())
    require(array.shape == shape, f"action has shape {array.shape}; it must be {shape}.")
    match space:
        case spaces.Discrete():
            low, high = int(space.start), int(space.start + space.n)
        case spaces.MultiDiscrete():
            low, high = space.start, space.start + space.nvec
        case spaces.MultiBinary():
            low, high = 0, 2
        case _:
            refuse_nan("action", array)
            return array.astype(np.float32)
    whole = np.issubdtype(array.dtype, np.integer)
    require(
        bool(whole and np.all((low <= array) & (array < high))),
        f"action is {array.tolist()!r}; it must be in {space}.",
    )
    return array.astype(np.int32)


def refuse_nan(name: str, array: np.ndarray) -> None:
    """Raises `InvalidInput` if an array holds NaN or infinity."""
    require(all_finite(array), f"{name} holds NaN or infinity; only finite numbers are accepted.")


def copied_observation(space: spaces.Space, observation: Any) -> Any:
    """Returns one observation as a member of its space."""
    if isinstance(space, spaces.Discrete):
        return np.dtype(space.dtype).type(observation)
    return np.array(observation, dtype=space.dtype)


def copied_info(info: Mapping[str, Any]) -> dict[str, Any]:
    """Returns one environment's info: dicts of arrays, and of Python or numpy numbers."""

    def copy(value: Any) -> Any:
        if isinstance(value, Mapping):
            return copied_info(value)
        array = np.array(value)
        if array.ndim:
            return array
        # A numpy bool would become an object in the infos of gymnasium's vector environments.
        return bool(array) if array.dtype == bool else array[()]

    return {name: copy(value) for name, value in info.items()}


def batched_info(info: Mapping[str, Any], present: np.ndarray) -> dict[str, Any]:
    """Returns infos as gymnasium's vector environments do: zeros where absent, and a mask for each.

    Args:
      info: arrays with a leading axis [N].
      present: which environments gave it [N].
    """
    infos: dict[str, Any] = {}
    if not present.any():
        return infos
    for name, value in info.items():
        if isinstance(value, Mapping):
            infos[name] = batched_info(value, present)
        else:
            array = np.array(value)
            array[~present] = 0
            infos[name] = array
        infos[f"_{name}"] = present.copy()
    return infos


def seed_words(generator: np.random.Generator) -> np.ndarray:
    """Draws 64 bits [2] uint32."""
    return generator.integers(2**32, size=2, dtype=np.uint32)
