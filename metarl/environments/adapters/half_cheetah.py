"""MuJoCo's half cheetah, told by its reward alone where to run, or how fast; stepped on the host.

    load("half-cheetah-direction")    r = g v_x - c |a|²,      g = 1 or -1: two tasks, which all splits share
    load("half-cheetah-velocity")     r = -|v_x - g| - c |a|²,  g ~ U(0, fastest), other draws in each split

v_x is how far the body moved along x in a step, over the step's 0.05 s; a is the action within its bounds, from
-1 to 1; c = 0.05. Nothing shows g, so it has to be found out within a trial. Episodes are truncated after
H = 200 steps and nothing else ends them; each begins with a little noise of its own.

    pip install 'metarl[mujoco]'
    metarl train --environment half-cheetah-velocity --episodes 2

`brax:halfcheetah` with goal=direction or goal=velocity has the same rewards inside compiled programs, by brax's
physics.

References: Finn, Abbeel, Levine (2017), arXiv:1703.03400, section 5.3, and the code they published (c, velocities
from 0 to 2; others took them from 0 to 3); Todorov, Erez, Tassa (2012), MuJoCo. Differs from the first: the world
is gymnasium's HalfCheetah-v5, whose observation of 17 numbers leaves out where the body is, and v_x is that of
its root, not of the torso's centre of mass.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from ..contract.environment import Split
from ..contract.setting_checks import real_number, whole_number
from .gymnasium_worlds import HostEnvironment, from_gymnasium
from .pieces import CONTROL_COST, goal_reward, imported

WORLD = "HalfCheetah-v5"
OBSERVATION, ACTION, HORIZON = (
    "Box(17,)",
    "Box(6,)",
    200,
)  # for lists, where MuJoCo is not installed
FASTEST = 2.0


class GoalRewarded(gymnasium.Wrapper):
    """Rewards running where to, or how fast, a goal says; the world has to tell `x_velocity` in `info`."""

    def __init__(self, env: gymnasium.Env, kind: str, goal: float) -> None:
        """Wraps a world.

        Args:
          env: the world; its actions lie from -1 to 1.
          kind: "direction" or "velocity".
          goal: 1 or -1, or metres a second.
        """
        super().__init__(env)
        self.kind, self.goal = kind, goal

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Takes a step of the world, and gives the goal's reward for it."""
        action = np.clip(action, -1.0, 1.0)
        observation, _, terminated, truncated, info = self.env.step(action)
        reward = goal_reward(
            self.kind, self.goal, info["x_velocity"], np.sum(np.square(action)), CONTROL_COST
        )
        return observation, float(reward), terminated, truncated, info


def half_cheetah_direction(horizon: int = HORIZON) -> HostEnvironment:
    """Half cheetahs that are to run forwards or backwards, told by reward alone (MuJoCo, on the host).

    Args:
      horizon: H; then an episode is truncated.

    Raises:
      InvalidInput: a setting is not accepted, or MuJoCo is not installed.
    """

    def sample_kwargs(generator: np.random.Generator, split: Split) -> dict[str, float]:
        del split
        return {"goal": float(generator.choice([-1.0, 1.0]))}

    settings = {"horizon": whole_number("horizon", horizon)}
    family = _family("direction", settings, sample_kwargs, half_cheetah_direction)
    return dataclasses.replace(family, shared_tasks=True)


def half_cheetah_velocity(horizon: int = HORIZON, fastest: float = FASTEST) -> HostEnvironment:
    """Half cheetahs that are to run at a velocity, told by reward alone (MuJoCo, on the host).

    Args:
      horizon: H; then an episode is truncated.
      fastest: the greatest goal velocity, in metres a second.

    Raises:
      InvalidInput: a setting is not accepted, or MuJoCo is not installed.
    """
    horizon = whole_number("horizon", horizon)
    fastest = real_number("fastest", fastest, above=0.0)

    def sample_kwargs(generator: np.random.Generator, split: Split) -> dict[str, float]:
        del split  # real numbers, of streams that never meet
        return {"goal": float(generator.uniform(0.0, fastest))}

    settings = {"horizon": horizon, "fastest": fastest}
    return _family("velocity", settings, sample_kwargs, half_cheetah_velocity)


def _family(
    kind: str, settings: dict[str, Any], sample_kwargs: Any, factory: Callable[..., Any]
) -> HostEnvironment:
    name = f"half-cheetah-{kind}"
    imported("mujoco", name, "metarl[mujoco]")

    def make_env(goal: float) -> gymnasium.Env:
        return GoalRewarded(gymnasium.make(WORLD), kind, goal)

    return from_gymnasium(
        make_env,
        sample_kwargs,
        horizon=settings["horizon"],
        name=name,
        settings=settings,
        task="kwargs",  # the seed is a little noise in how it begins
        description=describe(factory),
    )


def describe(factory: Callable[..., Any]) -> str:
    """Returns what a family is, in one line, without making it."""
    return (factory.__doc__ or "").partition("\n")[0].rstrip(".")
