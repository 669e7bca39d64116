"""Playing: one agent in many tasks, one compiled program, the same for every agent.

The world's keys come from the trial's key alone, so all agents that are played with the same keys
meet the same tasks and, step by step, the same luck: differences between agents are paired.

Letters: N tasks; T steps; E episodes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.sharding import AxisType, PartitionSpec

from metarl.errors import require

from ..contract.agent import Agent
from ..contract.environment import Split, Task
from ..contract.setting_checks import whole_number
from ..contract.task_checks import check_task
from ..contract.trials import Transition, Trial, TrialState
from .worlds_together import in_any_world


class Played(NamedTuple):
    """What came of N trials."""

    returns: jax.Array  # [N, E] undiscounted, of each episode; 0 where none began
    lengths: jax.Array  # [N, E] int32, steps of each episode
    terminated: jax.Array  # [N, E] bool, whether the task ended it, and not the clock

    @property
    def totals(self) -> jax.Array:
        """The return of each whole trial [N]."""
        return jnp.sum(self.returns, axis=-1)


class Recording(NamedTuple):
    """Trials step by step."""

    observations: Any  # [N, T, ...] what the agent acted upon
    actions: Any  # [N, T, ...]
    transitions: Transition  # [N, T, ...]


class Followed(NamedTuple):
    """One trial, as who stands beside the world sees it."""

    states: Any  # [T, ...] of the environment, before each step
    actions: Any  # [T, ...]
    transitions: Transition  # [T, ...] without observations


def play(agent: Agent, trial: Trial, key: jax.Array, tasks: Task) -> Played:
    """Plays one trial in each task.

    Args:
      agent: who acts.
      trial: the environment and the budget.
      key: of the world's luck and the agent's; trial i uses `fold_in(key, i)`.
      tasks: with a leading axis [N].

    Returns:
      The return of each episode.

    Raises:
      InvalidInput: the tasks are not of this family, or hold NaN.
    """
    tasks = _checked(trial, tasks)
    return _play(trial, agent, key, tasks, jnp.arange(_count(tasks)))


def record(agent: Agent, trial: Trial, key: jax.Array, tasks: Task) -> Recording:
    """Plays as `play` does, with the same luck, and keeps every step."""
    return _record(agent, trial, key, _checked(trial, tasks))


def follow(agent: Agent, trial: Trial, key: jax.Array, task: Task) -> Followed:
    """Plays one trial in one task, and keeps the states of the environment.

    Args:
      agent: who acts.
      trial: the environment and the budget.
      key: of the world's luck and the agent's.
      task: one, without a leading axis.
    """
    return _follow(agent, trial, key, check_task(trial.environment, task))


def play_split(
    agent: Agent, trial: Trial, seed: int, count: int, split: Split, chunk: int = 10_000
) -> Played:
    """Plays one trial in each of the first `count` tasks of a split.

    Args:
      agent: who acts.
      trial: the environment and the budget.
      seed: of tasks and luck; the same for all agents that are to be compared.
      count: N.
      split: "train", "validation" or "test".
      chunk: how many tasks are played in one call; memory, not results, depend on it.

    Returns:
      The return of each episode, N rows, as numpy arrays.

    Raises:
      InvalidInput: a number is not positive, the seed not from 0 to 2^32 - 1, or there is no such
        split.
    """
    played = play_in_chunks(agent, trial, seed, count, split, chunk)
    return jax.tree.map(lambda *parts: np.concatenate(parts), *played)


def play_in_chunks(
    agent: Agent, trial: Trial, seed: int, count: int, split: Split, chunk: int = 10_000
) -> Iterator[Played]:
    """Plays as `play_split` does, and gives the results chunk by chunk, to be summed up on the way.

    Args:
      agent: see `play_split`, as the others.
      trial: see there.
      seed: see there.
      count: see there.
      split: see there.
      chunk: rows of each result, but for the last.

    Raises:
      InvalidInput: see there.
    """
    count, chunk = whole_number("count", count), whole_number("chunk", chunk)
    # jax cuts larger seeds to 32 bits without a word.
    require(0 <= whole_number("seed", seed, 0) < 2**32, f"seed is {seed}; it must be below 2^32.")
    for first in range(0, count, chunk):
        yield play_some(agent, trial, seed, np.arange(first, min(first + chunk, count)), split)


def play_some(agent: Agent, trial: Trial, seed: int, indices: np.ndarray, split: Split) -> Played:
    """Plays one trial in each of some tasks of a split, by their numbers; see `play_split`."""
    key, tasks = drawn(trial, seed, indices, split)
    return jax.device_get(_dealt(_play, (trial,), 2, len(indices))(agent, key, tasks, indices))


def drawn(trial: Trial, seed: int, indices: np.ndarray, split: Split) -> tuple[jax.Array, Task]:
    """Returns the key of all luck, and some tasks of a split by their numbers."""
    task_key, key = jax.random.split(jax.random.key(seed))
    return key, _dealt(_tasks, (trial, split), 1, len(indices))(task_key, indices)


@functools.lru_cache(maxsize=64)
def _dealt(program: Any, fixed: tuple[Any, ...], whole: int, count: int) -> Callable[..., Any]:
    """Returns the program on all devices of this process, each with its share of `count` rows.

    Args:
      program: takes what is fixed, then what every device is given whole, then rows.
      fixed: its first arguments.
      whole: how many arguments after these every device is given whole.
      count: of the rows.
    """
    rows = PartitionSpec("tasks")

    def spread(*arguments: Any) -> Any:
        specs = (PartitionSpec(),) * whole + (rows,) * (len(arguments) - whole)
        return on_devices(own, count, specs, rows)(*arguments)

    own = functools.partial(program, *fixed)
    return jax.jit(spread) if _is_dealt(count) else own


def on_devices(
    own: Callable[..., Any],
    count: int,
    given: Any,
    returned: Any,
    donated: tuple[int, ...] = (),
) -> Callable[..., Any]:
    """Returns a compiled program on all devices of this process, each with its share of `count` rows.

    Each does its share alone: devices that shared a loop would wait for each other at each of its
    steps. What cannot be dealt out evenly stays on one.

    Args:
      own: what one device does.
      count: of the rows.
      given: of each argument, or of each leaf of one, whether it is rows, `PartitionSpec("tasks")`.
      returned: likewise of what comes of it.
      donated: arguments whose memory may be used for what comes of it.
    """
    if not _is_dealt(count):
        return own
    devices = jax.local_devices()
    mesh = jax.make_mesh((len(devices),), ("tasks",), axis_types=(AxisType.Auto,), devices=devices)
    run = jax.shard_map(own, mesh=mesh, in_specs=given, out_specs=returned, check_vma=False)
    return jax.jit(run, donate_argnums=donated)


def _is_dealt(count: int) -> bool:
    devices = len(jax.local_devices())
    return devices > 1 and count % devices == 0


@functools.partial(jax.jit, static_argnums=(0, 1))
def _tasks(trial: Trial, split: Split, key: jax.Array, indices: jax.Array) -> Task:
    def draw(index: jax.Array) -> Task:
        return trial.environment.sample_task(jax.random.fold_in(key, index), split)

    return jax.vmap(draw)(indices)


@functools.partial(jax.jit, static_argnums=0)
def _play(trial: Trial, agent: Agent, key: jax.Array, tasks: Task, indices: jax.Array) -> Played:
    def play_one(index: jax.Array, task: Task) -> Played:
        run = _scan if has_known_length(trial) else _until_all_are_over
        key_of_one = jax.random.fold_in(key, index)
        return _one_trial(agent, trial, key_of_one, task, tally, nothing_played(trial), run)[0]

    return jax.vmap(play_one)(indices, tasks)


def nothing_played(trial: Trial) -> Played:
    """Returns what has come of a trial before its first step."""
    episodes = (trial.max_episodes,)
    return Played(jnp.zeros(episodes), jnp.zeros(episodes, jnp.int32), jnp.zeros(episodes, bool))


def tally(
    played: Played, state: TrialState, action: Any, transition: Transition
) -> tuple[Played, None]:
    """Returns what has come of a trial after one more step."""
    del state, action
    episode = transition.episode
    returns = played.returns.at[episode].add(transition.reward)
    lengths = played.lengths.at[episode].add(transition.valid.astype(jnp.int32))
    ended = played.terminated[episode] | (transition.terminated & transition.valid)
    return Played(returns, lengths, played.terminated.at[episode].set(ended)), None


@functools.partial(jax.jit, static_argnames="trial")
def _record(agent: Agent, trial: Trial, key: jax.Array, tasks: Task) -> Recording:
    def record_one(index: jax.Array, task: Task) -> Recording:
        def keep(nothing: tuple[()], state: TrialState, action: Any, transition: Transition):
            return nothing, Recording(state.observation, action, transition)

        return _one_trial(agent, trial, jax.random.fold_in(key, index), task, keep, (), _scan)[1]

    return jax.vmap(record_one)(jnp.arange(_count(tasks)), tasks)


@functools.partial(jax.jit, static_argnames="trial")
def _follow(agent: Agent, trial: Trial, key: jax.Array, task: Task) -> Followed:
    def keep(nothing: tuple[()], state: TrialState, action: Any, transition: Transition):
        seen_from_beside = transition._replace(next_observation=())
        return nothing, Followed(state.environment, action, seen_from_beside)

    return _one_trial(agent, trial, key, task, keep, (), _scan)[1]


def _one_trial(
    agent: Agent, trial: Trial, key: jax.Array, task: Task, visit: Any, account: Any, run: Any
) -> tuple[Any, Any]:
    """Runs one trial; `visit(account, state, action, transition)` sees each step that `run` takes."""
    begin, advance = one_trial(agent, trial, key, task, visit)
    (_, _, account), kept = run(advance, begin(account), trial.length)
    return account, kept


def one_trial(
    agent: Agent, trial: Trial, key: jax.Array, task: Task, visit: Any
) -> tuple[Callable[[Any], Any], Callable[[Any, jax.Array], Any]]:
    """Returns how one trial begins and how it goes on: account -> carry; carry, number of the step -> carry, kept.

    A carry is the state of the trial, what the agent knows, and the account, to which
    `visit(account, state, action, transition)` adds each step.
    """
    world_key, agent_key = jax.random.split(key)
    reset_key, steps_key = jax.random.split(world_key)
    init_key, acts_key = jax.random.split(agent_key)
    shown = task if agent.sees_task else None

    def begin(account: Any) -> Any:
        return trial.reset(reset_key, task), agent.init(init_key, trial, shown), account

    def advance(carry: Any, index: jax.Array):
        state, memory, account = carry
        action, memory = agent.act(jax.random.fold_in(acts_key, index), memory, state.observation)
        following, transition = trial.step(
            jax.random.fold_in(steps_key, index), state, action, task
        )
        memory = agent.observe(
            memory,
            state.observation,
            action,
            transition.reward,
            transition.terminated,
            transition.truncated,
            transition.next_observation,
        )
        account, kept = visit(account, state, action, transition)
        return (following, memory, account), kept

    return begin, advance


def _scan(advance: Any, start: Any, length: int) -> tuple[Any, Any]:
    """Takes all steps, the padding after a trial's end too."""
    return jax.lax.scan(advance, start, jnp.arange(length))


def _until_all_are_over(advance: Any, start: Any, length: int) -> tuple[Any, None]:
    """Takes steps until the trial is over in all worlds that are played together; keeps none."""

    def goes_on(walk: Any) -> jax.Array:
        (state, _, _), index = walk
        return (index < length) & in_any_world(~state.over)

    def step(walk: Any) -> Any:
        carry, index = walk
        return advance(carry, index)[0], index + 1

    return jax.lax.while_loop(goes_on, step, (start, jnp.zeros((), jnp.int32)))[0], None


def has_known_length(trial: Trial) -> bool:
    """Tells whether all trials have as many steps as they can have."""
    return trial.steps is not None or trial.environment.fixed_length


def _checked(trial: Trial, tasks: Task) -> Task:
    """Refuses tasks that are not of the family; in a caller's compiled program it cannot."""
    leaves = jax.tree.leaves(tasks)
    if any(isinstance(leaf, Tracer) for leaf in leaves):
        return tasks
    count = np.shape(leaves[0])[:1] if leaves else ()
    require(len(count) == 1 and count[0] >= 1, "Tasks must have a leading axis of at least one.")
    return check_task(trial.environment, tasks, count)


def _count(tasks: Task) -> int:
    return jax.tree.leaves(tasks)[0].shape[0]
