"""gymnax's worlds as families of tasks: compiled into our programs, and as fast as they are.

    load("gymnax:CartPole-v1", vary="gravity,length", factor=2)
    from_gymnax(*gymnax.make("CartPole-v1"))

A task is the parameters of the world. gymnax's `step` resets by itself, so its `step_env` is taken,
which does not; trials decide what follows an episode's end. Its time limit is ours: an episode that
is over because the clock says so is truncated, and the rest terminated.

Letters: H steps of an episode at most.

Reference: Lange (2022), gymnax: a JAX-based reinforcement learning environment library.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces

from metarl.errors import require, unknown_name

from ..contract.encoding import unsupported
from ..contract.environment import Environment, Split, Step
from ..contract.setting_checks import real_number, whole_number
from .pieces import as_before, imported, strong

TIME_LIMIT = "max_steps_in_episode"


class GymnaxState(NamedTuple):
    """Where an episode stands."""

    world: Any  # gymnax's own
    time: jax.Array  # [] int32, steps taken


def gymnax_world(
    id: str, *, horizon: int | None = None, vary: str = "", factor: float = 2.0
) -> Environment:
    """Returns a world of gymnax by its id; see `from_gymnax`.

    Raises:
      InvalidInput: gymnax cannot be imported, has no such world, or a setting is not accepted.
    """
    gymnax = imported("gymnax", f"gymnax:{id}", "metarl[worlds]")
    known = getattr(gymnax, "registered_envs", None) or [id]
    if id not in known:
        raise unknown_name("world of gymnax", id, known)
    world, params = gymnax.make(id)
    return from_gymnax(world, params, horizon=horizon, vary=vary, factor=factor)


def from_gymnax(
    world: Any, params: Any, *, horizon: int | None = None, vary: str = "", factor: float = 2.0
) -> Environment:
    """Returns a family of tasks whose world is one of gymnax's, of version 0.0.9 or 1.

    Args:
      world: the environment.
      params: its parameters, a PyTree of numbers.
      horizon: H; None for the `max_steps_in_episode` of the parameters.
      vary: names of parameters, with commas between; each is drawn for a task, log-uniformly within a
        factor of its usual value. None: there is one task, which all splits share.
      factor: how much larger or smaller they may be, at least 1.

    Raises:
      InvalidInput: the world cannot be used, or there is no such parameter.
    """
    name = str(getattr(world, "name", type(world).__name__))
    require(
        hasattr(world, "step_env") and hasattr(world, "reset_env"),
        f"{name} has no reset_env and step_env; from_gymnax takes an environment of gymnax.",
    )
    limit: Any = horizon if horizon is not None else getattr(params, TIME_LIMIT, None)
    require(
        limit is not None,
        f"{name}: nothing says how long an episode may be; give horizon=...",
    )
    horizon = whole_number("horizon", limit.item() if hasattr(limit, "item") else limit)
    factor = real_number("factor", factor, least=1.0)
    names = tuple(part.strip() for part in vary.split(",") if part.strip())
    usual = _usual(name, params, names, horizon)
    observation_space = _space(world.observation_space(params))

    def draw_task(key: jax.Array, split: Split) -> Any:
        del split
        exponents = jax.random.uniform(key, (max(len(names), 1),), minval=-1.0, maxval=1.0)
        drawn = jnp.exp(exponents * math.log(factor))

        def vary_one(path: Any, value: jax.Array) -> jax.Array:
            own = _name(path)
            return value * drawn[names.index(own)] if own in names else value

        return jax.tree_util.tree_map_with_path(vary_one, usual)

    def reset(key: jax.Array, task: Any) -> tuple[Any, GymnaxState]:
        observation, state = world.reset_env(key, task)
        return _as_member(observation_space, observation), GymnaxState(strong(state), jnp.int32(0))

    def step(key: jax.Array, state: GymnaxState, action: jax.Array, task: Any) -> Step:
        observation, following, reward, over, *_ = world.step_env(key, state.world, action, task)
        following = as_before(state.world, following)
        time = state.time + 1
        late = time >= horizon
        if hasattr(world, "is_truncated"):  # from version 1 on `over` is the world's own word
            late |= jnp.asarray(world.is_truncated(following, task))
            over = jnp.asarray(over, bool)
        else:
            over = jnp.asarray(over, bool) & ~late
        return Step(
            _as_member(observation_space, observation),
            GymnaxState(following, time),
            jnp.asarray(reward, jnp.float32).reshape(()),
            over,
            late & ~over,
            {},
        )

    return Environment(
        name=f"gymnax:{name}",
        settings={"horizon": horizon, "vary": ",".join(names), "factor": factor},
        observation_space=observation_space,
        action_space=_space(world.action_space(params)),
        horizon=horizon,
        draw_task=draw_task,
        reset=reset,
        step=step,
        shared_tasks=not names or factor == 1,
        description=f"{name} of gymnax" + (f", {vary} drawn for each task" if names else ""),
    )


def _usual(name: str, params: Any, names: tuple[str, ...], horizon: int) -> Any:
    """Returns the parameters as arrays, with our horizon for their time limit."""
    known = {_name(path): x for path, x in jax.tree_util.tree_leaves_with_path(params)}
    for own in names:
        if own not in known:
            raise unknown_name(f"parameter of {name}", own, known)
        require(
            np.ndim(known[own]) == 0 and np.asarray(known[own]).dtype.kind == "f",
            f"{name}: parameter {own!r} is {known[own]!r}; only real numbers can be varied.",
        )

    def as_array(path: Any, value: Any) -> jax.Array:
        return strong(horizon if _name(path) == TIME_LIMIT else value)

    return jax.tree_util.tree_map_with_path(as_array, params)


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path).strip(".[]'\"")


def _space(space: Any) -> spaces.Space:
    """Returns gymnasium's twin of a space of gymnax."""
    if hasattr(space, "n"):
        return spaces.Discrete(int(space.n))
    if not all(hasattr(space, part) for part in ("low", "high", "shape")):
        raise unsupported(space)
    whole = jnp.issubdtype(space.dtype, jnp.integer)
    dtype = np.dtype(space.dtype) if whole else np.dtype(np.float32)
    low, high = (
        np.broadcast_to(np.asarray(x, dtype), space.shape) for x in (space.low, space.high)
    )
    return spaces.Box(low, high, tuple(space.shape), dtype.type)


def _as_member(space: spaces.Space, observation: Any) -> jax.Array:
    dtype = jnp.int32 if isinstance(space, spaces.Discrete) else space.dtype
    return jnp.asarray(observation, dtype).reshape(space.shape or ())
