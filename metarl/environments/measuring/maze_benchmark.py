"""How fast mazes are walked and seen, beside ViZDoom on the same cores in the same run.

Rounds measure in turn: steps of mazes (an action in 4 frames, one picture), pictures alone, and
ViZDoom with one process a core, told to play for the same time. Medians over rounds.

Letters: N mazes together.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from metarl.errors import require

from ..contract.encoding import draw_member
from ..contract.environment import Environment
from ..contract.setting_checks import whole_number
from ..contract.trials import Trial
from ..mazes.maze import middle
from ..mazes.view import look
from ..registry import load
from .rates import SECONDS, per_second

STEPS = 20  # of a compiled program
PLAYER = "metarl.environments.measuring.vizdoom_player"


def measure_mazes(
    size: int = 5,
    width: int = 40,
    height: int = 30,
    worlds: int = 256,
    repeats: int = 5,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Measures steps and pictures a second.

    Args:
      size: cells along a side of the mazes.
      width: of the pictures, in pixels.
      height: of the pictures.
      worlds: N, on all devices together.
      repeats: rounds.
      say: is told what is being measured.

    Returns:
      The settings; "steps_per_second" and "pictures_per_second" of mazes; "vizdoom", None where it is
      not installed, else its version, "processes" and "steps_per_second", and "ratio_to_vizdoom".

    Raises:
      InvalidInput: a number is not accepted.
    """
    environment = load("maze", size=size, width=width, height=height)
    worlds, repeats = whole_number("worlds", worlds), whole_number("repeats", repeats)
    devices = jax.devices()
    require(
        worlds % len(devices) == 0,
        f"worlds is {worlds}; it must be a multiple of the {len(devices)} devices.",
    )
    say(f"compiling mazes of {size} x {size}, {width} x {height} pixels")
    walk, see = _programs(environment, worlds, width, height)
    rounds: dict[str, list[float]] = {"steps": [], "pictures": [], "vizdoom": []}
    with _vizdoom_players(len(devices), say) as play:
        for number in range(repeats):
            say(f"round {number + 1} of {repeats}")
            rounds["steps"].append(per_second(walk, worlds * STEPS))
            rounds["pictures"].append(per_second(see, worlds * STEPS))
            if play is not None:
                rounds["vizdoom"].append(play(SECONDS))
    medians = {name: statistics.median(found) for name, found in rounds.items() if found}
    return {
        "size": size,
        "width": width,
        "height": height,
        "worlds": worlds,
        "devices": len(devices),
        "platform": devices[0].platform,
        "steps_per_second": medians["steps"],
        "pictures_per_second": medians["pictures"],
        "vizdoom": _about_vizdoom(len(devices), medians.get("vizdoom")),
        "ratio_to_vizdoom": (
            medians["steps"] / medians["vizdoom"] if "vizdoom" in medians else None
        ),
    }


def _programs(
    environment: Environment, worlds: int, width: int, height: int
) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Returns the programs of steps and of pictures alone, compiled; the mazes lie on all devices."""
    mesh = jax.make_mesh((len(jax.devices()),), ("worlds",), axis_types=(AxisType.Auto,))
    place = NamedSharding(mesh, PartitionSpec("worlds"))
    trial = Trial(environment, steps=STEPS)
    tasks = jax.jit(lambda: environment.sample_tasks(jax.random.key(0), worlds))()
    numbers = jnp.arange(worlds)
    tasks, numbers = jax.device_put((tasks, numbers), place)

    @jax.jit
    def walk(tasks: Any, numbers: jax.Array) -> jax.Array:
        def one(task: Any, number: jax.Array) -> jax.Array:
            key = jax.random.fold_in(jax.random.key(1), number)

            def advance(state: Any, index: jax.Array) -> tuple[Any, jax.Array]:
                action = draw_member(jax.random.fold_in(key, index), environment.action_space)
                state, _ = trial.step(jax.random.fold_in(key, STEPS + index), state, action, task)
                return state, jnp.sum(state.observation)  # every pixel is read

            return jnp.sum(jax.lax.scan(advance, trial.reset(key, task), jnp.arange(STEPS))[1])

        return jax.vmap(one)(tasks, numbers)

    @jax.jit
    def see(tasks: Any, numbers: jax.Array) -> jax.Array:
        def one(task: Any, number: jax.Array) -> jax.Array:
            size = task.walls.shape[-1]

            def turn(total: jax.Array, index: jax.Array) -> tuple[jax.Array, None]:
                heading = task.heading + 0.1 * index + number
                eye, goal = middle(task.start, size), middle(task.goal, size)
                picture = look(task.walls, eye, heading, goal, width, height)
                return total + jnp.sum(picture.astype(jnp.float32)), None

            return jax.lax.scan(turn, jnp.zeros(()), jnp.arange(STEPS))[0]

        return jax.vmap(one)(tasks, numbers)

    programs = [lambda program=program: program(tasks, numbers) for program in (walk, see)]
    for program in programs:
        jax.block_until_ready(program())
    return programs[0], programs[1]


@contextlib.contextmanager
def _vizdoom_players(
    processes: int, say: Callable[[str], None]
) -> Iterator[Callable[[float], float] | None]:
    """Gives a function (seconds -> steps a second of all processes), or None without ViZDoom."""
    if importlib.util.find_spec("vizdoom") is None:
        say("ViZDoom is not installed: pip install 'metarl[peers]'")
        yield None
        return
    command = [sys.executable, "-m", PLAYER]
    players = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]

    def answers() -> list[str]:
        return [player.stdout.readline() for player in players]  # type: ignore[union-attr]

    def play(seconds: float) -> float:
        for player in players:
            print(seconds, file=player.stdin, flush=True)
        return sum(map(int, answers())) / seconds

    try:
        require(
            all(answer.strip() == "ready" for answer in answers()), "ViZDoom does not start here."
        )
        yield play
    finally:
        for player in players:
            player.communicate()  # its standard input ends, and so does it


def _about_vizdoom(processes: int, steps_per_second: float | None) -> dict[str, Any] | None:
    if steps_per_second is None:
        return None
    return {
        "version": importlib.metadata.version("vizdoom"),
        "processes": processes,
        "pixels": "160 x 120",
        "steps_per_second": steps_per_second,
    }
