"""MuJoCo's HalfCheetah, told by its reward alone how fast to run: a family of tasks from gymnasium.

    pip install 'metarl[mujoco]'
    metarl train --environment half_cheetah_velocity:family --episodes 2 --env-steps 20000

run in this folder. A task is a velocity, drawn uniformly; the reward of a step is minus the distance from
it, less the cost of control. Nothing shows the velocity, so an agent has to find it out within a trial.

Reference: Finn et al. (2017), arXiv:1703.03400, section 5.3 (goal velocities of the half cheetah).
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from metarl.environments import HostEnvironment, from_gymnasium

CONTROL_COST = 0.05


class GoalVelocity(gymnasium.Wrapper):
    """Rewards running at a velocity."""

    def __init__(self, env: gymnasium.Env, velocity: float):
        super().__init__(env)
        self.velocity = velocity

    def step(self, action: Any) -> Any:
        action = np.clip(action, -1.0, 1.0)  # a Gaussian policy knows no bounds
        observation, _, terminated, truncated, info = self.env.step(action)
        reward = -abs(info["x_velocity"] - self.velocity) - CONTROL_COST * float(action @ action)
        return observation, reward, terminated, truncated, info


def family(horizon: int = 200, fastest: float = 2.0) -> HostEnvironment:
    """Returns half cheetahs with goal velocities from 0 to `fastest` metres a second.

    Args:
      horizon: steps of an episode.
      fastest: the greatest velocity.
    """

    def make_env(velocity: float) -> gymnasium.Env:
        return GoalVelocity(gymnasium.make("HalfCheetah-v5"), velocity)

    def sample_kwargs(generator: np.random.Generator, split: str) -> dict[str, float]:
        del split  # velocities are real numbers: no two tasks are the same
        return {"velocity": float(generator.uniform(0.0, fastest))}

    return from_gymnasium(
        make_env,
        sample_kwargs,
        horizon=horizon,
        name="half-cheetah-velocity",
        settings={"horizon": horizon, "fastest": fastest},
        task="kwargs",  # the seed is a little noise in how it begins
        description="MuJoCo's half cheetah, to run at a velocity that is not shown",
    )
