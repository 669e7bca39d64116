"""How fast worlds of other libraries are stepped in our trials, beside a bare scan of the library's own step.

Theirs resets by itself, as the library has it; ours is the world without that inside a `Trial`, which begins
the next episode. Both are one compiled program that draws the same random actions for the same number of
worlds, reads every reward and observation, and keeps nothing. Rounds measure both in turn; medians over rounds.

    ratio = steps a second of ours / steps a second of theirs

brax's own loop goes back to the first state of all and begins no new episode; ours draws one.

Letters: N worlds together; T steps of a compiled program.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from metarl.errors import InvalidInput, require

from ..adapters.brax import BACKENDS
from ..adapters.minigrids import VIEWS
from ..contract.encoding import draw_member
from ..contract.environment import Environment
from ..contract.setting_checks import whole_number
from ..contract.trials import Trial
from ..registry import load
from .rates import rates_of

STEPS = 100  # T
USUAL = (
    "gymnax:CartPole-v1",
    "gymnax:Breakout-MinAtar",
    "navix:Navix-Empty-8x8-v0",
    "xminigrid:MiniGrid-FourRooms",
    "brax:inverted_pendulum",
)

Loop = tuple[
    Callable[[jax.Array], Any], Callable[[jax.Array, Any, jax.Array], tuple[Any, Any, Any]]
]
"""key -> state, and key, state, action -> state, observation, reward, of one world"""


def measure_adapters(
    names: Sequence[str] = USUAL,
    settings: Mapping[str, Any] | None = None,
    worlds: int = 256,
    repeats: int = 5,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Measures steps a second.

    Args:
      names: worlds, such as "gymnax:CartPole-v1". If there are several, those whose library cannot be
        imported are left out, and named.
      settings: of all of these families.
      worlds: N.
      repeats: rounds.
      say: is told what is being measured.

    Returns:
      "adapters", by world: "version" of the library, "steps_per_second", "own_steps_per_second", "ratio" (median
      of rounds), "lowest_ratio" and "highest_ratio", "processor_ratio" (by steps a second of processor time);
      "missing", by world why it was not measured; the settings.

    Raises:
      InvalidInput: a number is not accepted, a world is of no library that has an own loop here, or no library of
        those named can be imported.
    """
    worlds, repeats = whole_number("worlds", worlds), whole_number("repeats", repeats)
    for name in names:
        require(
            name.partition(":")[0] in _OWN and ":" in name,
            f"Environment {name!r} has no loop of its own to be measured beside; worlds of {', '.join(_OWN)} "
            f"have, such as {USUAL[0]}.",
        )
    found: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for name in names:
        try:
            environment = load(name, **(settings or {}))
        except InvalidInput as error:
            if len(names) == 1:
                raise
            missing[name] = str(error)
            say(f"{name} is left out: {error}")
            continue
        found[name] = _measure(name, environment, worlds, repeats, say)
    require(bool(found), "None of the libraries can be imported: " + " ".join(missing.values()))
    return {
        "adapters": found,
        "missing": missing,
        "settings": dict(settings or {}),
        "worlds": worlds,
        "steps": STEPS,
        "rounds": repeats,
        "devices": len(jax.devices()),
        "platform": jax.devices()[0].platform,
    }


def _measure(
    name: str, environment: Environment, worlds: int, repeats: int, say: Callable[[str], None]
) -> dict[str, Any]:
    say(f"{name}: compiling both loops")
    library = name.partition(":")[0]
    own = _OWN[library](name.partition(":")[2], environment)
    programs = [_compiled(loop, environment, worlds) for loop in (_ours(environment), own)]
    ours, theirs = [], []
    for number in range(repeats):
        say(f"{name}: round {number + 1} of {repeats}")
        rates = [rates_of(program, worlds * STEPS) for program in programs]
        ours.append(rates[0])
        theirs.append(rates[1])
    ratios = [a[0] / b[0] for a, b in zip(ours, theirs, strict=True)]
    of_processor = [a[1] / b[1] for a, b in zip(ours, theirs, strict=True)]
    return {
        "version": importlib.metadata.version(library),
        "steps_per_second": statistics.median(rate for rate, _ in ours),
        "own_steps_per_second": statistics.median(rate for rate, _ in theirs),
        "ratio": statistics.median(ratios),
        "lowest_ratio": min(ratios),
        "highest_ratio": max(ratios),
        "processor_ratio": statistics.median(of_processor),
    }


def _compiled(loop: Loop, environment: Environment, worlds: int) -> Callable[[], Any]:
    begin, step = loop

    def walk(key: jax.Array) -> jax.Array:
        begin_key, steps_key = jax.random.split(key)

        def advance(carried: tuple[Any, jax.Array], number: jax.Array) -> Any:
            state, total = carried
            action_key, step_key = jax.random.split(jax.random.fold_in(steps_key, number))
            action = draw_member(action_key, environment.action_space)
            state, observation, reward = step(step_key, state, action)
            seen = jnp.sum(observation.astype(jnp.float32)) + reward.astype(jnp.float32)
            return (state, total + seen), None

        first = begin(begin_key), jnp.zeros(())
        return jax.lax.scan(advance, first, jnp.arange(STEPS))[0][1]

    program = jax.jit(lambda seed: jax.vmap(walk)(jax.random.split(jax.random.key(seed), worlds)))
    jax.block_until_ready(program(0))
    return lambda: program(0)


def _ours(environment: Environment) -> Loop:
    trial = Trial(environment, steps=STEPS)

    def begin(key: jax.Array) -> Any:
        task_key, reset_key = jax.random.split(key)
        task = environment.sample_task(task_key)
        return trial.reset(reset_key, task), task

    def step(key: jax.Array, state: Any, action: jax.Array) -> Any:
        following, transition = trial.step(key, state[0], action, state[1])
        return (following, state[1]), following.observation, transition.reward

    return begin, step


def _of_gymnax(id: str, environment: Environment) -> Loop:
    del environment
    world, params = importlib.import_module("gymnax").make(id)

    def step(key: jax.Array, state: Any, action: jax.Array) -> Any:
        observation, following, reward, *_ = world.step(key, state, action, params)
        return following, observation, reward

    return lambda key: world.reset(key, params)[1], step


def _of_navix(id: str, environment: Environment) -> Loop:
    navix = importlib.import_module("navix")
    whole = environment.settings.get("view", VIEWS[0]) != VIEWS[0]
    look = navix.observations.symbolic if whole else navix.observations.symbolic_first_person
    world = navix.make(id, max_steps=environment.horizon, observation_fn=look)

    def step(key: jax.Array, state: Any, action: jax.Array) -> Any:
        del key  # the state has one
        following = world.step(state, action)
        return following, following.observation, following.reward

    return lambda key: world.reset(jax.random.key_data(key)), step


def _of_xminigrid(id: str, environment: Environment) -> Loop:
    xminigrid = importlib.import_module("xminigrid")
    wrappers = importlib.import_module("xminigrid.wrappers")
    world, params = xminigrid.make(id)
    world, params = (
        wrappers.GymAutoResetWrapper(world),
        params.replace(max_steps=environment.horizon),
    )

    def step(key: jax.Array, state: Any, action: jax.Array) -> Any:
        del key  # the state has one
        following = world.step(params, state, action)
        return following, following.observation, following.reward

    return lambda key: world.reset(params, jax.random.key_data(key)), step


def _of_brax(id: str, environment: Environment) -> Loop:
    envs = importlib.import_module("brax.envs")
    backend = environment.settings.get("backend", BACKENDS[0])
    world = envs.create(id, episode_length=environment.horizon, backend=backend)

    def step(key: jax.Array, state: Any, action: jax.Array) -> Any:
        del key  # it has no luck
        following = world.step(state, jnp.clip(action, -1.0, 1.0))
        return following, following.obs, following.reward

    return lambda key: world.reset(jax.random.key_data(key)), step


_OWN: dict[str, Callable[[str, Environment], Loop]] = {
    "gymnax": _of_gymnax,
    "navix": _of_navix,
    "xminigrid": _of_xminigrid,
    "brax": _of_brax,
}
