"""What a step costs: one world or many through gymnasium, and gymnax's worlds in trials beside its own loop.

    python step_cost.py > step-cost.json

gymnasium: microseconds of a step of one environment, and of one world of 256 in `make_vec`; the least of
rounds, since nothing but disturbance makes a step dearer. gymnax, where it is installed (`pip install
'metarl[worlds]'`): environment steps a second of 256 worlds in one compiled scan with random actions,
its own `step` and a trial here in turns, as medians of rounds.

Letters: N worlds; T steps.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np

from metarl.cli import configure

configure("cpu", threads=1)  # before anything is computed

import metarl  # noqa: E402, F401 (registers the environments)
from metarl.environments import Trial, load  # noqa: E402

WORLDS, STEPS, ROUNDS = 256, 200, 9
GYMNAX = ("CartPole-v1", "Catch-bsuite", "Breakout-MinAtar")


def single(name: str, **settings: Any) -> Callable[[], Any]:
    """Returns a step of one environment, which is reset where an episode ends."""
    env = gymnasium.make(name, **settings).unwrapped
    env.reset(seed=0)

    def step() -> None:
        _, _, terminated, truncated, _ = env.step(0)
        if terminated or truncated:
            env.reset()

    return step


def many(name: str) -> Callable[[], Any]:
    """Returns a step of 256 worlds."""
    envs = gymnasium.make_vec(name, WORLDS, autoreset_mode="SameStep")
    envs.reset(seed=0)
    actions = np.zeros(WORLDS, np.int64)
    return lambda: envs.step(actions)


def microseconds(step: Callable[[], Any], calls: int) -> float:
    """Returns the least mean time of a call in any of the rounds."""
    step()
    rounds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(calls):
            step()
        rounds.append((time.perf_counter() - began) / calls)
    return 1e6 * min(rounds)


def gymnax_ratio(name: str) -> dict[str, float]:
    """Returns environment steps a second of gymnax's own loop and of trials, and their ratio."""
    import gymnax

    world, params = gymnax.make(name)
    trial = Trial(load(f"gymnax:{name}"), steps=10 * STEPS)
    task, actions = trial.environment.sample_task(jax.random.key(0)), world.num_actions

    def own_step(key: jax.Array, state: Any, action: jax.Array) -> tuple[Any, Any, jax.Array]:
        observation, state, reward, *_ = world.step(key, state, action, params)
        return state, observation, reward

    def trial_step(key: jax.Array, state: Any, action: jax.Array) -> tuple[Any, Any, jax.Array]:
        state, happened = trial.step(key, state, action, task)
        return state, state.observation, happened.reward

    def program(begin: Callable[[jax.Array], Any], step: Any) -> Any:
        def walk(key: jax.Array) -> jax.Array:
            def advance(carry: Any, key: jax.Array) -> Any:
                action_key, step_key = jax.random.split(key)
                action = jax.random.randint(action_key, (), 0, actions)
                state, observation, reward = step(step_key, carry[0], action)
                return (state, carry[1] + reward + jnp.sum(observation)), None

            start = (begin(key), jnp.zeros(()))
            return jax.lax.scan(advance, start, jax.random.split(key, STEPS))[0][1]

        return jax.jit(jax.vmap(walk))

    programs = {
        "gymnax": program(lambda key: world.reset(key, params)[1], own_step),
        "metarl": program(lambda key: trial.reset(key, task), trial_step),
    }
    keys = jax.random.split(jax.random.key(1), WORLDS)
    rates: dict[str, list[float]] = {who: [] for who in programs}
    for run in programs.values():
        jax.block_until_ready(run(keys))
    for _ in range(ROUNDS):
        for who, run in programs.items():
            began = time.perf_counter()
            jax.block_until_ready(run(keys))
            rates[who].append(WORLDS * STEPS / (time.perf_counter() - began))
    medians = {who: statistics.median(rate) for who, rate in rates.items()}
    return {**medians, "ratio": medians["metarl"] / medians["gymnax"]}


def measure() -> dict[str, Any]:
    """Returns all numbers."""
    names = ("metarl/CartPole-v0", "metarl/MDP-v0")
    one = {name: microseconds(single(name), 500) for name in (*names, "CartPole-v1")}
    each = {name: microseconds(many(name), 50) / WORLDS for name in names}
    installed = find_spec("gymnax") is not None
    return {
        "microseconds_of_a_step": one,
        "microseconds_of_one_of_256": each,
        "gymnax": {name: gymnax_ratio(name) for name in GYMNAX} if installed else None,
        "versions": {name: version(name) for name in ("metarl", "jax", "gymnasium")}
        | ({"gymnax": version("gymnax")} if installed else {}),
    }


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
