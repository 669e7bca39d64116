"""Playing in gymnasium worlds: the agent thinks in compiled programs, the worlds step on the host.

Letters: N tasks; B trials at a time; E episodes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from metarl.errors import require

from ..contract.agent import Agent
from ..contract.environment import Split
from ..contract.setting_checks import whole_number
from ..contract.trials import Transition, Trial
from ..gymnasium.trials import HostTrials
from .playing import Played


def play_on_host(
    agent: Agent,
    trial: Trial,
    seed: int,
    count: int,
    split: Split,
    *,
    tasks: Sequence[Mapping[str, Any]] | None = None,
    batch: int = 64,
    threads: int = 1,
    each_step: Callable[[], None] | None = None,
) -> Played:
    """Plays one trial in each of the first `count` tasks of a split, as `play_split` does.

    Args:
      agent: who acts; any but one that sees the task.
      trial: of a `HostEnvironment`.
      seed: of tasks and luck, the agent's as in `play_split`.
      count: N.
      split: "train", "validation" or "test".
      tasks: N times the arguments of `make_env`, instead of drawn ones.
      batch: B, how many worlds there are at a time; results do not depend on it.
      threads: see `HostTrials`.
      each_step: called before every step of a batch; what it raises ends the play.

    Returns:
      The return of each episode, N rows, as numpy arrays.

    Raises:
      InvalidInput: an argument cannot be used, or a world fails.
    """
    count, batch = whole_number("count", count), whole_number("batch", batch)
    require(0 <= whole_number("seed", seed, 0) < 2**32, f"seed is {seed}; it must be below 2^32.")
    require(
        not agent.sees_task,
        "The agent sees the task, which in a gymnasium world is the arguments of make_env and no "
        "array; only agents that learn it by acting can play there.",
    )
    require(
        tasks is None or len(tasks) == count,
        f"There are {len(tasks or ())} tasks; count is {count}.",
    )
    key = jax.random.split(jax.random.key(seed))[1]
    played = []
    for first in range(0, count, batch):
        size = min(batch, count - first)
        given = None if tasks is None else tasks[first : first + size]
        with HostTrials(trial, size, threads) as trials:
            trials.reset(seed, split, first, given)
            played.append(_play(agent, trials, key, first, each_step))
    return jax.tree.map(lambda *parts: np.concatenate(parts), *played)


def _play(
    agent: Agent,
    trials: HostTrials,
    key: jax.Array,
    first: int,
    each_step: Callable[[], None] | None,
) -> Played:
    """Plays B trials to their ends."""
    trial, rows = trials.trial, np.arange(trials.count)
    returns = np.zeros((trials.count, trial.max_episodes), np.float32)
    lengths = np.zeros((trials.count, trial.max_episodes), np.int32)
    terminated = np.zeros((trials.count, trial.max_episodes), bool)
    acts_keys, memories = _begin(agent, trial, key, first + rows)
    for index in range(trial.length):
        if each_step is not None:
            each_step()
        observations = trials.observations
        actions, memories = _act(agent, acts_keys, np.int32(index), memories, observations)
        transition = trials.step(jax.device_get(actions))
        memories = _observe(agent, memories, observations, actions, transition)
        returns[rows, transition.episode] += transition.reward
        lengths[rows, transition.episode] += transition.valid
        terminated[rows, transition.episode] |= transition.terminated & transition.valid
        if trials.over.all():
            break
    return Played(jnp.asarray(returns), jnp.asarray(lengths), jnp.asarray(terminated))


@functools.partial(jax.jit, static_argnames="trial")
def _begin(agent: Agent, trial: Trial, key: jax.Array, indices: jax.Array) -> Any:
    """Returns the keys of all acts, and the first memories; the same keys as in `play_split`."""

    def begin_one(index: jax.Array) -> Any:
        _, agent_key = jax.random.split(jax.random.fold_in(key, index))
        init_key, acts_key = jax.random.split(agent_key)
        return acts_key, agent.init(init_key, trial, None)

    return jax.vmap(begin_one)(indices)


@jax.jit
def _act(agent: Agent, acts_keys: jax.Array, index: Any, memories: Any, observations: Any) -> Any:
    def act_one(key: jax.Array, memory: Any, observation: jax.Array) -> Any:
        return agent.act(jax.random.fold_in(key, index), memory, observation)

    return jax.vmap(act_one)(acts_keys, memories, jnp.asarray(observations))


@jax.jit
def _observe(
    agent: Agent, memories: Any, observations: Any, actions: Any, transition: Transition
) -> Any:
    return jax.vmap(agent.observe)(
        memories,
        jnp.asarray(observations),
        actions,
        transition.reward,
        transition.terminated,
        transition.truncated,
        transition.next_observation,
    )
