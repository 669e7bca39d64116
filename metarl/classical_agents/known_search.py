"""Monte Carlo tree search in an MDP that is known: UCT, where dynamic programming would be exact.

It is given the task, and simulates what is left of the episode with the environment's own `step`, from
where it stands; outside of the tree it acts at random. What it needs of the world is a simulator and no
tables, so what it loses to exact planning is what simulations cannot tell.

Letters: n simulations; H horizon.

Reference: Kocsis, Szepesvári (2006), Bandit based Monte-Carlo planning, ECML.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.environments import Agent, Environment, Trial, make_agent
from metarl.errors import require

from .planning_agent import sizes
from .scoring_agent import argmax_at_random
from .tree_search import Guide, Simulator, search


class KnownMemory(NamedTuple):
    """What who knows the task must remember."""

    task: Any
    time: jax.Array  # [] int32, steps of the episode so far


def known_search_agent(simulations: int, exploration: float, depth: int, trial: Trial) -> Agent:
    """Returns the agent that searches in the task itself, at every step.

    Args:
      simulations: n, for each action that is taken.
      exploration: c, in rewards.
      depth: steps of a simulation at most; the episode's end ends it in any case.
      trial: the environment and the budget.

    Raises:
      InvalidInput: the environment is stepped on the host, where its state cannot be set, or a state of it is more
        than place and time, so it cannot be told from an observation.
    """
    environment = trial.environment
    require(
        not environment.on_host,
        f"Agent 'mcts' simulates the task from states that it sets; {environment.name!r} is stepped on the host, "
        "where that cannot be done. It can act in 'mdp' and 'gridworld'.",
    )
    key = jax.random.key(0)
    state = jax.eval_shape(lambda: environment.reset(key, environment.sample_task(key))[1])
    fields = getattr(state, "_fields", ())
    require(
        set(fields) == {"place", "time"},
        f"Agent 'mcts' sets the state of a world to where it stands, and needs states of place and time; "
        f"those of {environment.name!r} have {', '.join(fields) or 'other fields'}. It can act in 'mdp' and "
        "'gridworld'.",
    )
    functions = _functions(environment, simulations, min(depth, environment.horizon))
    return make_agent(*functions, jnp.float32(exploration), sees_task=True)


@functools.lru_cache(maxsize=256)
def _functions(
    environment: Environment, simulations: int, longest: int
) -> tuple[Callable, Callable, Callable]:
    def init(exploration: Any, key: jax.Array, trial: Trial, task: Any) -> KnownMemory:
        del exploration, key, trial
        return KnownMemory(task, jnp.zeros((), jnp.int32))

    def act(exploration: Any, key: jax.Array, memory: KnownMemory, observation: jax.Array):
        search_key, tie_key, reset_key = jax.random.split(key, 3)
        fresh = environment.reset(reset_key, memory.task)[1]
        state = fresh._replace(place=jnp.asarray(observation, jnp.int32), time=memory.time)
        simulator = simulated_task(environment, memory.task)
        limit = jnp.minimum(environment.horizon - memory.time, longest)
        guide = Guide.none(simulator.actions)
        tree = search(search_key, simulator, state, simulations, exploration, limit, longest, guide)
        return argmax_at_random(tie_key, tree.values(guide)), memory

    def observe(exploration: Any, memory: KnownMemory, *what_happened: Any) -> KnownMemory:
        del exploration
        _, _, _, terminated, truncated, _ = what_happened
        return memory._replace(time=jnp.where(terminated | truncated, 0, memory.time + 1))

    return init, act, observe


def simulated_task(environment: Environment, task: Any) -> Simulator:
    """Returns a world of finitely many places and actions, as a search sees it that knows the task."""
    places, actions, _ = sizes(Trial(environment, episodes=1))

    def draw(key: jax.Array) -> tuple[()]:
        del key
        return ()

    def rollout(key: jax.Array, state: Any) -> tuple[jax.Array, Any]:
        return jax.random.randint(key, (), 0, actions), state

    def step(key: jax.Array, model: tuple[()], state: Any, action: jax.Array):
        del model
        stepped = environment.step(key, state, action, task)
        return stepped.state, stepped.reward, stepped.state.place

    return Simulator(actions, places, draw, rollout, step)
