"""What RL² sees, as the observation of a gymnasium environment, for recurrent agents from elsewhere.

An agent that is to learn within a trial must know what it did and what came of it. Our own are shown,
and so are others with `rl2_inputs=True`,

  x[t] = [φ(o[t]), φ(a[t-1]), r[t-1], d[t-1]]        [F + A + 2] float32

φ is the one-hot vector of a discrete space and the numbers of any other; the reward is raw; the
flag d is 1 where an inner episode has just ended, and at the first step, where action and reward
are 0. An image stays one, beside the rest:

  {"image": levels [height, width, channels] uint8, "told": [A + 2] float32}

Letters: F numbers of an observation; A of an action.

Reference: Duan et al. (2016), arXiv:1611.02779, section 2.2.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from ..contract.encoding import feature_size, is_image, levels


class RL2Inputs(gymnasium.Wrapper, gymnasium.utils.RecordConstructorArgs):
    """Any gymnasium environment with observations as RL² sees them; the module's docstring has the layout.

    `metarl/...` environments do the same faster by `rl2_inputs=True`, many worlds at once too. Where a
    gymnasium episode is a whole trial, `info` says where inner episodes end ("episode_terminated",
    "episode_truncated", as theirs does); else none does before the last step.
    """

    def __init__(self, env: gymnasium.Env) -> None:
        """Wraps an environment.

        Raises:
          InvalidInput: a space is of a kind that is not supported.
        """
        gymnasium.utils.RecordConstructorArgs.__init__(self)
        gymnasium.Wrapper.__init__(self, env)
        self.observation_space = rl2_space(env.observation_space, env.action_space)

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """Resets the environment; there is no last action yet."""
        observation, info = self.env.reset(**options)
        return self._shown(observation, np.zeros(feature_size(self.env.action_space)), 0, 1), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Takes one step."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        ended = info.get("episode_terminated", terminated) or info.get(
            "episode_truncated", truncated
        )
        before = _flat(self.env.action_space, action)
        shown = self._shown(observation, before, float(reward), float(ended))
        return shown, reward, terminated, truncated, info

    def _shown(self, observation: Any, before: np.ndarray, reward: float, ended: float) -> Any:
        space = self.env.observation_space
        told = np.concatenate([before, [reward, ended]]).astype(np.float32)
        if is_image(space):
            return {"image": levels(space, observation), "told": told}
        return np.concatenate([_flat(space, observation), told])


def rl2_space(observation_space: spaces.Space, action_space: spaces.Space) -> spaces.Space:
    """Returns the space of what RL² sees.

    Raises:
      InvalidInput: a space is of a kind that is not supported.
    """
    told = feature_size(action_space) + 2
    if not is_image(observation_space):
        return _numbers(feature_size(observation_space) + told)
    shape = tuple(observation_space.shape or ())
    example = levels(observation_space, np.zeros(shape, observation_space.dtype))
    image = spaces.Box(0, 255, shape, np.uint8) if example.dtype == np.uint8 else observation_space
    return spaces.Dict({"image": image, "told": _numbers(told)})


def _flat(space: spaces.Space, member: Any) -> np.ndarray:
    """Returns φ of a member, as `features` does in compiled programs."""
    flat: Any = spaces.flatten(space, member)
    return np.ravel(flat).astype(np.float32)


def _numbers(count: int) -> spaces.Box:
    return spaces.Box(-np.inf, np.inf, (count,), np.float32)
