"""Any gymnasium environment as a family of tasks, stepped on the host.

    def make_env(gravity):
        env = gymnasium.make("CartPole-v1")
        env.unwrapped.gravity = gravity
        return env

    def sample_kwargs(generator, split):
        return {"gravity": generator.uniform(5, 15)}

    trial = Trial(from_gymnasium(make_env, sample_kwargs), episodes=2)

A task is the arguments of one call of `make_env`. Agents see no difference: the family has the same
spaces, horizon and trials as a compiled one, and `play_on_host` takes the place of `play_split`.

Letters: H steps of an episode at most.
"""

from __future__ import annotations

import copyreg
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

import gymnasium
import numpy as np
from gymnasium import spaces

from metarl.errors import InvalidInput, require
from metarl.user_code import told

from ..contract.encoding import feature_size
from ..contract.environment import SPLITS, Environment, Split
from ..contract.setting_checks import whole_number
from ..registry import reduced

Kwargs = dict[str, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class HostEnvironment(Environment):
    """A family whose worlds are gymnasium environments; make one with `from_gymnasium`.

    Its compiled functions refuse to be called; everything that describes it is as elsewhere.
    """

    on_host: ClassVar[bool] = True

    make_env: Callable[..., gymnasium.Env]
    """**kwargs -> the environment of one task"""

    sample_kwargs: Callable[[np.random.Generator, Split], Mapping[str, Any]]
    """generator, split -> kwargs; which tasks a split holds is its own affair"""

    def draw_kwargs(self, generator: np.random.Generator, split: Split) -> Kwargs:
        """Draws a task.

        Raises:
          InvalidInput: there is no such split, or `sample_kwargs` fails or gives no dict.
        """
        require(split in SPLITS, f"split is {split!r}; it must be one of {', '.join(SPLITS)}.")
        return _draw(self.name, self.sample_kwargs, generator, split)

    def build(self, kwargs: Mapping[str, Any]) -> gymnasium.Env:
        """Makes the gymnasium environment of a task.

        Raises:
          InvalidInput: an argument is NaN, `make_env` fails, or what it gives is no gymnasium
            environment or has other spaces than the family.
        """
        for name, value in kwargs.items():
            number = isinstance(value, float | np.floating | np.ndarray)
            require(
                not number or not np.isnan(np.asarray(value, np.float64)).any(),
                f"{self.name}: the task's {name!r} holds NaN; a task is made of numbers.",
            )
        env = _make(self.name, self.make_env, kwargs)
        for name in ("observation_space", "action_space"):
            own, expected = getattr(env, name), getattr(self, name)
            require(
                own == expected,
                f"{self.name}: with {dict(kwargs)} the {name} is {own}; the family's is {expected}. "
                "All tasks must share their spaces.",
            )
        return env


copyreg.pickle(HostEnvironment, reduced)


def from_gymnasium(
    make_env: Callable[..., gymnasium.Env],
    sample_kwargs: Callable[[np.random.Generator, Split], Mapping[str, Any]],
    *,
    horizon: int | None = None,
    name: str | None = None,
    settings: Mapping[str, Any] | None = None,
    description: str = "",
) -> HostEnvironment:
    """Returns a family of tasks whose worlds are gymnasium environments.

    One environment is made here, and closed again, to learn the spaces.

    Args:
      make_env: **kwargs -> the environment of one task; wrappers welcome.
      sample_kwargs: numpy generator, split -> the kwargs of a task. Draw from the generator alone,
        and keep the tasks of the splits apart if they are few.
      horizon: H, steps after which an episode is truncated; None for the `max_episode_steps` of the
        environment's spec.
      name: of the family; None for the id of the environment's spec.
      settings: by which a factory of yours makes this family again; what JSON can hold.
      description: one line for lists.

    Raises:
      InvalidInput: a function fails, a space is of an unsupported kind, or the horizon is unknown.
    """
    about = name or getattr(make_env, "__name__", "from_gymnasium")
    kwargs = _draw(about, sample_kwargs, np.random.default_rng(0), "train")
    env = _make(about, make_env, kwargs)
    try:
        family = HostEnvironment(
            name=name or (env.spec.id if env.spec else about),
            settings=dict(settings or {}),
            observation_space=env.observation_space,
            action_space=_from_zero(about, env.action_space),
            horizon=_horizon(about, horizon, env),
            draw_task=_refuse,
            reset=_refuse,
            step=_refuse,
            description=description,
            make_env=make_env,
            sample_kwargs=sample_kwargs,
        )
    finally:
        env.close()
    for space in (family.observation_space, family.action_space):
        feature_size(space)  # refuses what no agent can see or act in
    return family


def _draw(about: str, sample_kwargs: Any, generator: np.random.Generator, split: Split) -> Kwargs:
    with told(f"{about}: sample_kwargs raised", sample_kwargs):
        kwargs = sample_kwargs(generator, split)
    require(
        isinstance(kwargs, Mapping),
        f"{about}: sample_kwargs gave {type(kwargs).__name__}; it must give a dict of the arguments "
        "of make_env.",
    )
    return dict(kwargs)


def _make(about: str, make_env: Any, kwargs: Mapping[str, Any]) -> gymnasium.Env:
    with told(f"{about}: make_env with {dict(kwargs)} raised", make_env):
        env = make_env(**kwargs)
    require(
        isinstance(env, gymnasium.Env),
        f"{about}: make_env gave {type(env).__name__}; it must give a gymnasium.Env.",
    )
    return env


def _from_zero(about: str, space: spaces.Space) -> spaces.Space:
    """Refuses actions that are not counted from 0, since policies count so."""
    start = getattr(space, "start", 0)
    require(
        not np.any(start),
        f"{about}: the action space {space} starts at {start}; actions are counted from 0. Wrap the "
        "environment (gymnasium.wrappers.TransformAction).",
    )
    return space


def _horizon(about: str, horizon: int | None, env: gymnasium.Env) -> int:
    if horizon is None and env.spec is not None:
        horizon = env.spec.max_episode_steps
    require(
        horizon is not None,
        f"{about}: nothing says how long an episode may be; give horizon=..., or make the "
        "environment with max_episode_steps.",
    )
    return whole_number("horizon", horizon)


def _refuse(*arguments: Any) -> NoReturn:
    del arguments
    raise InvalidInput(
        "An environment from gymnasium is stepped on the host, which compiled programs cannot do; "
        "play it with play_on_host, or step it with HostTrials."
    )
