"""Playing in pieces: trials that stand still between two steps, as arrays that can be kept on disk.

    pieces = in_pieces(agent, trial, seed, indices, "test")
    walk = pieces.begin()
    while not pieces.over(walk):
        walk = pieces.advance(walk, walk.step + 100)
    played = pieces.played(walk)

The numbers are those of `play_split`, bit for bit, wherever the cuts are: one compiled program takes any
number of steps. What an agent knows alike in all worlds that are played together, such as the number of the
step, is one number for all of them here too; so what it does at that step is no scatter and no select.

Worlds that are stepped on the host cannot be kept as arrays. A walk there holds all actions; who goes on with it
in another process has new worlds take them again, and the agent does not learn again.

Letters: N tasks; E episodes.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

from ..contract.agent import Agent
from ..contract.environment import Split, Task
from ..contract.trials import Trial
from .on_host import HostPieces
from .playing import Played, drawn, has_known_length, nothing_played, on_devices, one_trial, tally
from .worlds_together import in_any_world


class Walk(NamedTuple):
    """N trials between two steps."""

    state: Any  # of the trials [N, ...]
    memory: Any  # of the agent [N, ...], or [...] where it is the same in all worlds
    played: Played  # [N, E], or [E]
    step: np.int32  # how many are taken


class Pieces(Protocol):
    """Some trials, to be played a number of steps at a time. A walk is used up by going on with it."""

    length: int
    """Steps of a trial at most."""

    def begin(self) -> Any:
        """Returns the walk before the first step."""
        ...

    def advance(self, walk: Any, until: int) -> Any:
        """Returns the walk after step number `until`, or when all trials are over."""
        ...

    def over(self, walk: Any) -> bool:
        """Tells whether all trials are over."""
        ...

    def played(self, walk: Any) -> Played:
        """Returns what has come of the trials, as numpy arrays."""
        ...

    def template(self, step: int) -> Any:
        """Returns shapes and types of a walk after so many steps."""
        ...

    def close(self) -> None:
        """Frees what is not in the walk."""
        ...


def in_pieces(agent: Agent, trial: Trial, seed: int, indices: np.ndarray, split: Split) -> Pieces:
    """Returns trials of one agent, none begun.

    Args:
      agent: who acts.
      trial: the environment and the budget.
      seed: of tasks and luck, as for `play_split`.
      indices: the numbers of the tasks in the split, successive ones.
      split: "train", "validation" or "test".
    """
    if trial.environment.on_host:
        return HostPieces(agent, trial, seed, int(indices[0]), len(indices), split)
    return CompiledPieces(agent, trial, seed, indices, split)


class _Layout(NamedTuple):
    """How a walk without its step is laid out in a row."""

    structure: Any
    shared: tuple[bool, ...]  # of each leaf, whether it is the same in all worlds

    @property
    def axes(self) -> list[int | None]:
        return [None if shared else 0 for shared in self.shared]

    @property
    def specs(self) -> list[PartitionSpec]:
        return [PartitionSpec() if shared else PartitionSpec("tasks") for shared in self.shared]


class CompiledPieces:
    """Trials in compiled worlds; see `Pieces`."""

    def __init__(
        self, agent: Agent, trial: Trial, seed: int, indices: np.ndarray, split: Split
    ) -> None:
        """See `in_pieces`."""
        self.length = trial.length
        self._trial, self._agent, self._indices = trial, agent, np.asarray(indices)
        self._key, self._tasks = drawn(trial, seed, self._indices, split)
        self._layout = _layout_of(trial, agent, self._tasks)

    def begin(self) -> Walk:
        """See `Pieces`."""
        leaves = _beginning(self._trial, self._layout, len(self._indices))(
            self._agent, self._key, self._tasks, self._indices
        )
        return self._walk(leaves, 0)

    def advance(self, walk: Walk, until: int) -> Walk:
        """See `Pieces`."""
        until = min(until, self.length)
        leaves = _going_on(self._trial, self._layout, len(self._indices))(
            jax.tree.leaves(tuple(walk[:3])),
            self._agent,
            self._key,
            np.int32(walk.step),
            np.int32(until),
            self._tasks,
            self._indices,
        )
        return self._walk(leaves, until)

    def over(self, walk: Walk) -> bool:
        """See `Pieces`."""
        return int(walk.step) >= self.length or bool(np.all(walk.state.over))

    def played(self, walk: Walk) -> Played:
        """See `Pieces`."""
        rows = len(self._indices), self._trial.max_episodes
        return Played(*(np.array(np.broadcast_to(part, rows)) for part in walk.played))  # type: ignore[arg-type]

    def template(self, step: int) -> Walk:
        """See `Pieces`."""
        begin = functools.partial(_begin, self._trial, self._layout)
        leaves = jax.eval_shape(begin, self._agent, self._key, self._tasks, self._indices)
        return self._walk(leaves, step)

    def close(self) -> None:
        """Does nothing."""

    def _walk(self, leaves: Any, step: int) -> Walk:
        state, memory, played = jax.tree.unflatten(self._layout.structure, leaves)
        return Walk(state, memory, played, np.int32(step))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _begin(
    trial: Trial, layout: _Layout, agent: Agent, key: jax.Array, tasks: Task, indices: jax.Array
) -> list[jax.Array]:
    def begin_one(index: jax.Array, task: Task) -> list[jax.Array]:
        begin, _ = one_trial(agent, trial, jax.random.fold_in(key, index), task, tally)
        return jax.tree.leaves(begin(nothing_played(trial)))

    return jax.vmap(begin_one, out_axes=layout.axes)(indices, tasks)


@functools.partial(jax.jit, static_argnums=(0, 1), donate_argnums=2)
def _go_on(
    trial: Trial,
    layout: _Layout,
    leaves: list[jax.Array],
    agent: Agent,
    key: jax.Array,
    first: jax.Array,
    until: jax.Array,
    tasks: Task,
    indices: jax.Array,
) -> list[jax.Array]:
    def go_on_with_one(leaves: list[jax.Array], index: jax.Array, task: Task) -> list[jax.Array]:
        _, advance = one_trial(agent, trial, jax.random.fold_in(key, index), task, tally)
        carry = jax.tree.unflatten(layout.structure, leaves)
        return jax.tree.leaves(_steps(trial, advance, carry, first, until))

    mapped = jax.vmap(go_on_with_one, in_axes=(layout.axes, 0, 0), out_axes=layout.axes)
    return mapped(leaves, indices, tasks)


def _steps(trial: Trial, advance: Any, carry: Any, first: Any, until: Any) -> Any:
    """Takes the steps from `first` to `until`; none once the trials are over in all worlds."""
    known = has_known_length(trial)

    def goes_on(walk: Any) -> jax.Array:
        (state, _, _), index = walk
        return index < until if known else (index < until) & in_any_world(~state.over)

    def step(walk: Any) -> Any:
        carry, index = walk
        return advance(carry, index)[0], index + 1

    return jax.lax.while_loop(goes_on, step, (carry, jnp.asarray(first)))[0]


@functools.lru_cache(maxsize=64)
def _beginning(trial: Trial, layout: _Layout, count: int) -> Any:
    rows, whole = PartitionSpec("tasks"), PartitionSpec()
    own = functools.partial(_begin, trial, layout)
    return on_devices(own, count, (whole, whole, rows, rows), layout.specs)


@functools.lru_cache(maxsize=64)
def _going_on(trial: Trial, layout: _Layout, count: int) -> Any:
    rows, whole = PartitionSpec("tasks"), PartitionSpec()
    own = functools.partial(_go_on, trial, layout)
    given = (layout.specs, whole, whole, whole, whole, rows, rows)
    return on_devices(own, count, given, layout.specs, donated=(0,))


def _layout_of(trial: Trial, agent: Agent, tasks: Task) -> _Layout:
    """Returns how walks of an agent are laid out; what is alike in all worlds is seen from one program for all."""
    shapes, structure = jax.tree.flatten(jax.eval_shape(lambda given: given, (agent, tasks)))
    return _seen_layout(trial, structure, tuple(shapes))


@functools.lru_cache(maxsize=64)
def _seen_layout(trial: Trial, structure: Any, shapes: tuple[Any, ...]) -> _Layout:
    found: list[Any] = []

    @jax.custom_batching.custom_vmap
    def noted(leaves: list[jax.Array]) -> list[jax.Array]:
        return leaves

    @noted.def_vmap
    def note(axis_size: int, in_batched: list[Any], leaves: list[jax.Array]) -> Any:
        del axis_size
        found.append(tuple(not batched for batched in in_batched[0]))
        return leaves, in_batched[0]

    def all_(agent_and_tasks: Any, key: jax.Array, indices: jax.Array) -> Any:
        agent, tasks = agent_and_tasks

        def one(index: jax.Array, task: Task) -> list[jax.Array]:
            begin, advance = one_trial(agent, trial, jax.random.fold_in(key, index), task, tally)
            carry = _steps(trial, advance, begin(nothing_played(trial)), jnp.int32(0), jnp.int32(1))
            leaves, found_structure = jax.tree.flatten(carry)
            structures.append(found_structure)
            return noted(leaves)

        return jax.vmap(one)(indices, tasks)

    structures: list[Any] = []
    given = jax.tree.unflatten(structure, shapes)
    count = jax.tree.leaves(given[1])[0].shape[0]
    key = jax.eval_shape(lambda: jax.random.key(0))
    jax.eval_shape(all_, given, key, jax.ShapeDtypeStruct((count,), jnp.int32))
    return _Layout(structures[-1], found[-1])
