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

In many worlds the seed of `reset` is the task, or part of it: it lays out the rooms of MiniGrid. There
every inner episode of a trial must begin with the same seed, or each would be another task and nothing
could be learnt in the trial: `task="seed"`. Elsewhere the seed is luck alone, a little noise in where
a cart begins, and every inner episode has its own: `task="kwargs"`.

Letters: H steps of an episode at most.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NoReturn

import gymnasium
import numpy as np
from gymnasium import spaces

from metarl.errors import InvalidInput, require
from metarl.user_code import told

from ..contract.encoding import feature_size
from ..contract.environment import SPLITS, Environment, Split
from ..contract.setting_checks import whole_number

Kwargs = dict[str, Any]
SEED_TRIED, RESETS_TRIED = 1, 4  # of the world made to learn about a family


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

    seed_is_task: bool = False
    """Every inner episode of a trial is reset with the trial's seed."""

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


def from_gymnasium(
    make_env: Callable[..., gymnasium.Env],
    sample_kwargs: Callable[[np.random.Generator, Split], Mapping[str, Any]],
    *,
    horizon: int | None = None,
    name: str | None = None,
    settings: Mapping[str, Any] | None = None,
    description: str = "",
    task: Literal["kwargs", "seed"] | None = None,
) -> HostEnvironment:
    """Returns a family of tasks whose worlds are gymnasium environments.

    One environment is made here, and closed again, to learn the spaces and what a seed does.

    Args:
      make_env: **kwargs -> the environment of one task; wrappers welcome.
      sample_kwargs: numpy generator, split -> the kwargs of a task. Draw from the generator alone,
        and keep the tasks of the splits apart if they are few.
      horizon: H, steps after which an episode is truncated; None for the `max_episode_steps` of the
        environment's spec.
      name: of the family; None for the id of the environment's spec.
      settings: by which a factory of yours makes this family again; what JSON can hold.
      description: one line for lists.
      task: "seed", if all inner episodes of a trial are to be reset with the seed of the trial, and
        with it their luck; "kwargs", if each is to have luck of its own. None: the seed, where two
        resets with one seed give the same observation and resets without give others; a warning
        then says so.

    Raises:
      InvalidInput: a function fails, a space is of an unsupported kind, the horizon is unknown, or
        the seed is to be the task but two resets with one seed differ.
    """
    require(task in ("kwargs", "seed", None), f"task is {task!r}; it must be 'kwargs' or 'seed'.")
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
            seed_is_task=task != "kwargs" and _seed_is_task(about, env, task),
        )
    finally:
        with told(f"{about}: close raised", type(env.unwrapped)):
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


def reset_world(about: str, env: gymnasium.Env, seed: int | None = None) -> Any:
    """Returns the first observation of an episode.

    Raises:
      InvalidInput: the world fails, takes no seed, or gives no pair of observation and info.
    """
    with told(f"{about}: reset{'' if seed is None else '(seed=...)'} raised", type(env.unwrapped)):
        given = env.reset() if seed is None else env.reset(seed=seed)
    require(
        isinstance(given, tuple) and len(given) == 2,
        f"{about}: reset gave {_counted(given)}; gymnasium's gives a pair, observation and info. An "
        "environment of the old gym must be converted (shimmy).",
    )
    return given[0]


def step_world(about: str, env: gymnasium.Env, action: Any) -> tuple[Any, float, bool, bool]:
    """Returns observation, reward, terminated and truncated of a step.

    Raises:
      InvalidInput: the world fails, gives no five values, or a reward or end that is no number.
    """
    with told(f"{about}: step raised", type(env.unwrapped)):
        given = env.step(action)
    require(
        isinstance(given, tuple) and len(given) == 5,
        f"{about}: step gave {_counted(given)}; gymnasium's gives five: observation, reward, "
        "terminated, truncated, info. An environment of the old gym must be converted (shimmy).",
    )
    observation, reward, *ends, _ = given
    for name, value in (("reward", reward), ("terminated", ends[0]), ("truncated", ends[1])):
        array = np.asarray(value)
        require(
            array.ndim == 0 and array.dtype.kind in "biuf",
            f"{about}: {name} is {value!r}, of type {type(value).__name__}; it must be one number.",
        )
    return observation, float(reward), bool(ends[0]), bool(ends[1])


def _counted(given: Any) -> str:
    return f"{len(given)} values" if isinstance(given, tuple) else type(given).__name__


def _seed_is_task(about: str, env: gymnasium.Env, task: str | None) -> bool:
    """Tells whether the seed of a reset decides on what the world is, so far as can be seen at once."""
    first, again = (np.asarray(reset_world(about, env, SEED_TRIED)) for _ in range(2))
    same = np.array_equal(first, again)
    if task == "seed":
        require(
            same,
            f"{about}: task='seed', but two resets with seed {SEED_TRIED} give different first "
            "observations; a world must draw from its np_random alone.",
        )
        return True
    others = (np.asarray(reset_world(about, env)) for _ in range(RESETS_TRIED))
    if not same or all(np.array_equal(first, other) for other in others):
        return False
    warnings.warn(
        f"{about}: resets with one seed agree and resets without differ, so the seed is taken for "
        "the task: every inner episode of a trial is reset with the trial's seed. Say task='seed' "
        "if that is meant, task='kwargs' if what differs is luck.",
        stacklevel=3,
    )
    return True


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
