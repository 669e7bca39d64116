"""A ViZDoom process for comparison: it plays at random for as long as it is told, and counts frames.

    python -m metarl.environments.measuring.vizdoom_player

reads a line "SECONDS" and answers with the number of steps it has taken in that time, again and
again. A step repeats an action in 4 frames and reads the picture: RGB, 160 x 120, the smallest ViZDoom
draws. The scenario is its maze of rooms, `my_way_home`. It needs the extra `peers`.
"""

from __future__ import annotations

import contextlib
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

FRAME_SKIP = 4


def begin() -> Any:
    """Returns a game that shows nothing but its picture, to us alone; it writes where it runs."""
    import vizdoom  # pyright: ignore[reportMissingImports]

    game = vizdoom.DoomGame()
    game.load_config(str(Path(vizdoom.scenarios_path) / "my_way_home.cfg"))
    game.set_screen_resolution(vizdoom.ScreenResolution.RES_160X120)
    game.set_screen_format(vizdoom.ScreenFormat.RGB24)
    game.set_window_visible(False)
    game.init()
    return game


def play(game: Any, seconds: float) -> int:
    """Returns how many steps were taken."""
    buttons = game.get_available_buttons_size()
    actions = [[int(i == button) for i in range(buttons)] for button in range(min(3, buttons))]
    steps, seen, until = 0, 0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        game.make_action(random.choice(actions), FRAME_SKIP)
        if game.is_episode_finished():
            game.new_episode()
        seen += int(game.get_state().screen_buffer[0, 0, 0])  # the picture is there
        steps += 1
    return steps


def main() -> None:
    """Answers until standard input ends."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        game = begin()
        print("ready", flush=True)
        for line in sys.stdin:
            print(play(game, float(line)), flush=True)
        game.close()


if __name__ == "__main__":
    main()
