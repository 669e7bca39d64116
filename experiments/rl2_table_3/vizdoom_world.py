"""ViZDoom's maze of rooms as a family of tasks: the paper's engine, stepped on the host.

    pip install 'metarl[peers]'
    metarl train --environment vizdoom_world:family --episodes 2 --batch-steps 2000 --env-steps 20000

run in this folder. The vest stands where it stands; a task is the number from which ViZDoom draws the room
to start in, the same in all episodes of a trial. Actions, frame skip, pixels and rewards are those of
metarl's mazes.

Reference: Duan et al. (2016), arXiv:1611.02779, section 3.3; Kempka et al. (2016), arXiv:1605.02097.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import vizdoom

from metarl.environments import HostEnvironment, from_gymnasium

FRAME_SKIP = 4
THINNING = 4  # every fourth pixel of 160 x 120
PLACES = {"train": (0, 1000), "validation": (1000, 1200), "test": (1200, 2200)}


class Rooms(gymnasium.Env):
    """One start in `my_way_home`."""

    observation_space = gymnasium.spaces.Box(
        0, 255, (120 // THINNING, 160 // THINNING, 3), np.uint8
    )
    action_space = gymnasium.spaces.Discrete(3)

    def __init__(self, place: int):
        self.place = place
        self.game = vizdoom.DoomGame()
        self.game.load_config(str(Path(vizdoom.scenarios_path) / "my_way_home.cfg"))
        button = vizdoom.Button
        self.game.set_available_buttons([button.TURN_LEFT, button.TURN_RIGHT, button.MOVE_FORWARD])
        self.game.set_screen_resolution(vizdoom.ScreenResolution.RES_160X120)
        self.game.set_screen_format(vizdoom.ScreenFormat.RGB24)
        self.game.set_window_visible(False)
        self.game.set_episode_timeout(0)  # metarl counts the steps
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            self.game.init()  # writes where it runs
        self.seen = np.zeros(self.observation_space.shape, np.uint8)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.game.set_seed(self.place)
        self.game.new_episode()
        return self._look(), {}

    def step(self, action: Any) -> Any:
        gained = self.game.make_action([int(i == action) for i in range(3)], FRAME_SKIP)
        reached = gained > 0.5  # the vest
        return self._look(), float(reached) - 0.04, reached, False, {}

    def close(self) -> None:
        self.game.close()

    def _look(self) -> np.ndarray:
        state = self.game.get_state()
        if state is not None:  # there is none once the vest is reached
            half = THINNING // 2
            self.seen = np.array(state.screen_buffer[half::THINNING, half::THINNING])
        return self.seen


def family(horizon: int = 250) -> HostEnvironment:
    """Returns the rooms.

    Args:
      horizon: steps of an episode.
    """

    def sample_kwargs(generator: np.random.Generator, split: str) -> dict[str, int]:
        return {"place": int(generator.integers(*PLACES[split]))}

    return from_gymnasium(
        Rooms,
        sample_kwargs,
        horizon=horizon,
        name="vizdoom-rooms",
        settings={"horizon": horizon},
        task="kwargs",
        description="ViZDoom's maze of rooms; the start is drawn, the vest stays",
    )
