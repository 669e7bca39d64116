"""Grids of navix and of XLand-MiniGrid as families of tasks, compiled into our programs.

    load("navix:Navix-Empty-Random-6x6-v0", view="first-person")
    load("xminigrid:MiniGrid-FourRooms")
    from_xminigrid(*xminigrid.make("XLand-MiniGrid-R1-9x9"), rulesets=benchmark)

A task is the seed of the reset, by which the grid is laid out, so all episodes of a trial have the
same grid; with rule sets a task is one of these, and where its objects stand is luck. Seeds and rule
sets are dealt to train, validation and test. A world of few layouts has the same in all three.

navix's `step` resets by itself, one step after the end; its `_step`, which does not, is taken. A goal
terminates, the clock truncates. Observations are the symbols of each cell, in one vector.

References: Pignatelli et al. (2024), arXiv:2407.19396; Nikulin et al. (2023), arXiv:2312.12044.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces

from metarl.errors import require, unknown_name

from ..contract.environment import Environment, Split, Step
from ..contract.setting_checks import one_of, whole_number
from .pieces import SeedTask, as_before, draw_seed, imported, strong

VIEWS = ("first-person", "whole")
MOST_SYMBOLS = 255


def navix_world(id: str, *, horizon: int = 100, view: str = VIEWS[0]) -> Environment:
    """Returns a world of navix by its id.

    Args:
      id: such as "Navix-DoorKey-5x5-v0".
      horizon: H; then an episode is truncated.
      view: "first-person": 7 x 7 cells before the agent; "whole": the grid from above.

    Raises:
      InvalidInput: navix cannot be imported, has no such world, or a setting is not accepted.
    """
    navix = imported("navix", f"navix:{id}", "navix")
    horizon, view = whole_number("horizon", horizon), one_of("view", view, VIEWS)
    known = navix.registry()
    if id not in known:
        raise unknown_name("world of navix", id, known)
    look = (
        navix.observations.symbolic_first_person
        if view == VIEWS[0]
        else navix.observations.symbolic
    )
    world = navix.make(id, max_steps=horizon, observation_fn=look)

    def begin(key: jax.Array, task: SeedTask) -> Any:
        return world.reset(jax.random.key_data(jax.random.key(task.seed)))

    def step(state: Any, action: jax.Array, task: SeedTask) -> Any:
        del task
        return world._step(state, action)

    def ends(state: Any) -> tuple[jax.Array, jax.Array]:
        return state.step_type == 2, state.step_type == 1

    return _family(
        f"navix:{id}",
        {"horizon": horizon, "view": view},
        actions=int(world.action_space.n),
        draw_task=draw_seed,
        parts=(begin, step, ends),
    )


def xminigrid_world(id: str, *, horizon: int | None = None) -> Environment:
    """Returns a world of XLand-MiniGrid by its id; one without rule sets.

    Args:
      id: such as "MiniGrid-FourRooms".
      horizon: H; None for the world's own.

    Raises:
      InvalidInput: xminigrid cannot be imported, has no such world, or it needs rule sets.
    """
    xminigrid = imported("xminigrid", f"xminigrid:{id}", "xminigrid")
    known = xminigrid.registered_environments()
    if id not in known:
        raise unknown_name("world of xminigrid", id, known)
    world, params = xminigrid.make(id)
    require(
        not hasattr(params, "ruleset"),
        f"Environment 'xminigrid:{id}' needs rule sets, which xminigrid reads with pickle; load them yourself "
        "and give them to metarl.environments.from_xminigrid(world, params, rulesets=benchmark).",
    )
    return from_xminigrid(world, params, horizon=horizon, name=f"xminigrid:{id}")


def from_xminigrid(
    world: Any,
    params: Any,
    *,
    rulesets: Any = None,
    horizon: int | None = None,
    name: str | None = None,
) -> Environment:
    """Returns a family whose world is one of XLand-MiniGrid's.

    Args:
      world: the environment.
      params: its parameters.
      rulesets: a benchmark, or anything with `num_rulesets()` and `get_ruleset(number)`; a task is
        then one of at least 20 rule sets. None: a task is a seed.
      horizon: H; None for the `max_steps` of the parameters.
      name: of the family.

    Raises:
      InvalidInput: there are too few rule sets, or nothing says how long an episode may be.
    """
    own = name or f"xminigrid:{type(world).__name__}"
    horizon = params.max_steps if horizon is None else horizon
    require(
        horizon is not None, f"{own}: nothing says how long an episode may be; give horizon=..."
    )
    horizon = whole_number("horizon", horizon)
    params = params.replace(max_steps=horizon)
    count = 0 if rulesets is None else int(rulesets.num_rulesets())
    require(
        rulesets is None or count >= 20,
        f"{own}: {count} rule sets are too few to be dealt to three splits; at least 20 are needed.",
    )

    def draw_ruleset(key: jax.Array, split: Split) -> Any:
        # numbers of the split alone, all equally likely but for the last few
        assert rulesets is not None
        number = draw_seed(key, split).seed
        return strong(rulesets.get_ruleset(number % (count - count % 20)))

    def of(task: Any) -> Any:
        return params if rulesets is None else params.replace(ruleset=task)

    def begin(key: jax.Array, task: Any) -> Any:
        key = jax.random.key(task.seed) if rulesets is None else key
        return world.reset(of(task), jax.random.key_data(key))

    def step(state: Any, action: jax.Array, task: Any) -> Any:
        return world.step(of(task), state, action)

    def ends(state: Any) -> tuple[jax.Array, jax.Array]:
        over, terminated = state.step_type == 2, state.discount == 0
        return over & terminated, over & ~terminated

    return _family(
        own,
        {"horizon": horizon},
        actions=int(world.num_actions(params)),
        draw_task=draw_seed if rulesets is None else draw_ruleset,
        parts=(begin, step, ends),
    )


def _family(
    name: str, settings: dict[str, Any], actions: int, draw_task: Any, parts: Any
) -> Environment:
    """Returns the family of a world whose state holds observation, reward and how the step ended."""
    begin, advance, ends = parts
    task = jax.eval_shape(lambda: draw_task(jax.random.key(0), "train"))
    first = jax.eval_shape(lambda task: begin(jax.random.key(0), task), task)
    size = int(np.prod(first.observation.shape))

    def look(state: Any) -> jax.Array:
        return jnp.ravel(state.observation).astype(jnp.float32)

    def reset(key: jax.Array, task: Any) -> tuple[jax.Array, Any]:
        state = strong(begin(key, task))
        return look(state), state

    def step(key: jax.Array, state: Any, action: jax.Array, task: Any) -> Step:
        del key
        following = as_before(state, advance(state, action, task))
        terminated, truncated = ends(following)
        reward = jnp.asarray(following.reward, jnp.float32)
        return Step(look(following), following, reward, terminated, truncated, {})

    return Environment(
        name=name,
        settings=settings,
        observation_space=spaces.Box(0.0, float(MOST_SYMBOLS), (size,), np.float32),
        action_space=spaces.Discrete(actions),
        horizon=settings["horizon"],
        draw_task=draw_task,
        reset=reset,
        step=step,
        description=f"{name.partition(':')[2]} of {name.partition(':')[0]}",
    )
