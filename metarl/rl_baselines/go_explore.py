"""Go-Explore: remember where one has been and how one came there, return, and explore from there.

  archive   for every cell ever stood on: the shortest way to it that was walked, best return first, and
            how often it was chosen
  episode   choose a cell, with weight 1 / √(1 + times chosen); walk the remembered way to it; from there act
            at random, repeating the action before with some probability, to the episode's end
  or        with probability `exploit`, once one episode earned more than another: walk the best way

A cell is an observation. The way back is walked action by action, so it leads there where the world is
deterministic and episodes begin alike; so are the worlds with one far reward that metarl has (gridworld,
key-to-door, a hard dark room). Differs from the paper: the way is walked and not jumped by setting the state,
and every step of it counts; there is no second phase that makes the best way robust against chance, for
there is none. With both, and a simulator: `go_explore_robust`.

Letters: C cells; H steps of an episode at most; A actions.

Reference: Ecoffet, Huizinga, Lehman, Stanley, Clune (2019), arXiv:1901.10995, section 2.1.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.environments import Agent, Environment, Trial, make_agent
from metarl.errors import require

from .cells import cell_of, count_cells
from .config import GoExploreConfig

MOST_NUMBERS = 4_000_000  # of the archive of one task


class Archive(NamedTuple):
    """What is remembered of each cell."""

    known: jax.Array  # [C] bool
    chosen: jax.Array  # [C] float32, how often
    lengths: jax.Array  # [C] int32, of the way
    returns: jax.Array  # [C] earned on the way
    ways: jax.Array  # [C, H] int8, actions


class Best(NamedTuple):
    """The way that earned most so far; of equals the first that was found."""

    actions: jax.Array  # [H] int8
    length: jax.Array  # [] int32
    total: jax.Array  # []; -inf before an episode is over
    least: jax.Array  # [] that an episode earned; inf before


class Memory(NamedTuple):
    """What a learner knows of one task, and of its present episode."""

    archive: Archive
    best: Best
    plan: jax.Array  # [H] int8, the way that is walked
    planned: jax.Array  # [] int32, its length
    walked: jax.Array  # [H] int8, of this episode
    time: jax.Array  # [] int32
    total: jax.Array  # [] earned in this episode


@functools.cache
def go_explore(environment: Environment, config: GoExploreConfig) -> Agent:
    """Returns Go-Explore for an environment; one object for one call.

    Raises:
      InvalidInput: the archive of one task would not fit into memory.
    """
    cells, horizon = count_cells(environment), environment.horizon
    actions = int(environment.action_space.n)  # pyright: ignore[reportAttributeAccessIssue]
    require(
        cells * horizon <= MOST_NUMBERS and actions <= 127,
        f"go-explore remembers a way of {horizon} steps to each of {cells:,} observations of "
        f"{environment.name!r}; that is too much. Make the world or its horizon smaller.",
    )

    def init(key: jax.Array, trial: Trial, task: None) -> Memory:
        del key, trial, task
        zero, none = jnp.zeros((), jnp.int32), jnp.zeros(horizon, jnp.int8)
        archive = Archive(
            jnp.zeros(cells, bool),
            jnp.zeros(cells),
            jnp.zeros(cells, jnp.int32),
            jnp.zeros(cells),
            jnp.zeros((cells, horizon), jnp.int8),
        )
        best = Best(none, zero, jnp.float32(-jnp.inf), jnp.float32(jnp.inf))
        return Memory(archive, best, none, zero, none, zero, jnp.zeros(()))

    def act(key: jax.Array, memory: Memory, observation: Any):
        plan_key, repeat_key, any_key = jax.random.split(key, 3)
        begins = memory.time == 0
        memory = _if(begins, _begun(config, plan_key, memory), memory)
        before = memory.walked[jnp.maximum(memory.time - 1, 0)]
        repeats = (memory.time > 0) & (jax.random.uniform(repeat_key) < config.repeat)
        some = jax.random.randint(any_key, (), 0, actions)
        explored = jnp.where(repeats, before, some)
        follows = memory.time < memory.planned
        action = jnp.where(follows, memory.plan[memory.time], explored).astype(jnp.int32)
        return action, memory._replace(archive=_met(environment, memory, observation))

    def observe(
        memory: Memory,
        observation: Any,
        action: jax.Array,
        reward: jax.Array,
        terminated: jax.Array,
        truncated: jax.Array,
        next_observation: Any,
    ) -> Memory:
        del observation
        walked = memory.walked.at[memory.time].set(action.astype(jnp.int8))
        time, total = memory.time + 1, memory.total + reward
        memory = memory._replace(walked=walked, time=time, total=total)
        memory = memory._replace(archive=_met(environment, memory, next_observation))
        ended = terminated | truncated
        better = ended & (total > memory.best.total)
        least = jnp.where(ended, jnp.minimum(memory.best.least, total), memory.best.least)
        best = _if(better, Best(walked, time, total, least), memory.best._replace(least=least))
        over = memory._replace(time=jnp.zeros_like(time), total=jnp.zeros(()))
        return _if(ended, over, memory)._replace(best=best)

    return make_agent(init, act, observe)


def _begun(config: GoExploreConfig, key: jax.Array, memory: Memory) -> Memory:
    """Returns the memory with a way to walk: the best, or the one to a cell that was seldom chosen."""
    cell_key, exploit_key = jax.random.split(key)
    archive, best = memory.archive, memory.best
    weights = jnp.where(archive.known, 1 / jnp.sqrt(1 + archive.chosen), 0.0)
    cell = jax.random.categorical(cell_key, jnp.log(weights))
    some = jnp.any(archive.known)
    exploits = jax.random.uniform(exploit_key) < config.exploit
    exploits &= best.total > best.least
    chosen = archive.chosen.at[cell].add(jnp.where(some & ~exploits, 1.0, 0.0))
    length = jnp.where(some, archive.lengths[cell], 0)
    return memory._replace(
        archive=archive._replace(chosen=chosen),
        plan=jnp.where(exploits, best.actions, archive.ways[cell]),
        planned=jnp.where(exploits, best.length, length),
    )


def _met(environment: Environment, memory: Memory, observation: Any) -> Archive:
    """Returns the archive after a cell was stood on: a new cell, a richer way or a shorter one is kept."""
    archive, cell = memory.archive, cell_of(environment, observation)
    richer = memory.total > archive.returns[cell]
    shorter = (memory.total == archive.returns[cell]) & (memory.time < archive.lengths[cell])
    better = ~archive.known[cell] | richer | shorter
    return Archive(
        archive.known.at[cell].set(True),
        archive.chosen.at[cell].set(jnp.where(better, 0.0, archive.chosen[cell])),
        archive.lengths.at[cell].set(jnp.where(better, memory.time, archive.lengths[cell])),
        archive.returns.at[cell].set(jnp.where(better, memory.total, archive.returns[cell])),
        archive.ways.at[cell].set(jnp.where(better, memory.walked, archive.ways[cell])),
    )


def _if(condition: jax.Array, this: Any, that: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), this, that)
