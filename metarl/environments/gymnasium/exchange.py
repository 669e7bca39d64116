"""What passes between gymnasium's users and the compiled programs: settings, options, actions, infos.

Whatever comes in is checked here, by the single and the vector environment alike; whatever goes out
is copied, since compiled programs hand out arrays that must not be written to.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import gymnasium
import jax
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec

from metarl.errors import UnexpectedKeyword, require, unknown_name

from ..contract.environment import SPLITS, Environment, Split
from ..contract.setting_checks import whole_number, yes_or_no
from ..contract.task_checks import all_finite
from ..contract.trials import Trial
from ..registry import load
from .rl2_inputs import rl2_space
from .session import Game


def make_game(
    environment: str | Environment,
    split: Split,
    episodes: int | None,
    steps: int | None,
    keep_task: bool,
    most_steps: int | None,
    rl2_inputs: bool,
    settings: Mapping[str, Any],
) -> Game:
    """Returns what one gymnasium episode is, from the arguments of an environment's constructor."""
    yes_or_no("rl2_inputs", rl2_inputs)
    if most_steps is not None:
        most_steps = whole_number("max_episode_steps", most_steps)
    environment = _family(environment, settings)
    require(split in SPLITS, f"split is {split!r}; it must be one of {', '.join(SPLITS)}.")
    whole_trial = episodes is not None or steps is not None
    trial = Trial(environment, episodes if whole_trial else 1, steps)
    return Game(trial, whole_trial, split, keep_task, most_steps, rl2_inputs)


def game_spaces(game: Game) -> tuple[spaces.Space, spaces.Space]:
    """Returns the spaces of what the agent sees and does, for one environment alone.

    Spaces have random generators of their own, so no two environments may share them.
    """
    seen, done = game.trial.environment.observation_space, game.trial.environment.action_space
    if game.rl2_inputs:
        seen = rl2_space(seen, done)
    return copy.deepcopy(seen), copy.deepcopy(done)


def _family(environment: str | Environment, settings: Mapping[str, Any]) -> Environment:
    """Returns the family; for a setting that it has not, the error that Python has for a keyword."""
    unexpected = "__init__() got an unexpected keyword argument"
    if isinstance(environment, str):
        try:
            return load(environment, **settings)
        except UnexpectedKeyword as error:
            message = f"{unexpected} {error.keyword!r}. {error}"
            raise UnexpectedKeyword(message, error.keyword) from None
    for name in settings:
        raise UnexpectedKeyword(
            f"{unexpected} {name!r}. An Environment has its settings already; received "
            f"{', '.join(settings)} beside it.",
            name,
        )
    return environment


def checked_view(
    environment: Environment, render_mode: str | None, view: str | None = None
) -> str | None:
    """Returns the name of the view to draw, or None where nothing is to be drawn.

    A mode in which nothing can be drawn is warned of, as gymnasium does, and draws nothing.
    """
    views = environment.views
    require(view is None or bool(views), f"view is {view!r}; {environment.name!r} draws nothing.")
    if view is not None and view not in views:
        raise unknown_name("view", view, tuple(views))
    if render_mode == "rgb_array" and views:
        return view or next(iter(views))
    if render_mode is not None:
        gymnasium.logger.warn(
            "%s",
            f"render_mode is {render_mode!r}; "
            + ("it must be 'rgb_array' or None." if views else "this family draws nothing: None."),
        )
    return None


class SpecWithLength:
    """The spec that gymnasium gives an environment, completed by how long an episode may be."""

    _game: Game
    _spec: EnvSpec | None = None

    @property
    def spec(self) -> EnvSpec | None:
        """What `gymnasium.make` made it from; None if it was made otherwise."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        if spec is not None and spec.max_episode_steps is None:
            spec = copy.copy(spec)
            spec.max_episode_steps = self._game.longest
        self._spec = spec


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
    """Returns an observation, or a batch of them, as a member of its space."""
    if isinstance(space, spaces.Dict):
        return {name: copied_observation(space[name], observation[name]) for name in space}
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
