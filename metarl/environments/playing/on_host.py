"""Playing in gymnasium worlds: the agent thinks in compiled programs, the worlds step on the host.

Letters: N tasks; B trials at a time; E episodes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metarl.errors import require

from ..contract.agent import Agent
from ..contract.environment import Split
from ..contract.setting_checks import whole_number
from ..contract.trials import Transition, Trial
from ..gymnasium.trials import HostTrials, observation_type
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
    played = []
    for first in range(0, count, batch):
        size = min(batch, count - first)
        given = None if tasks is None else tasks[first : first + size]
        pieces = HostPieces(agent, trial, seed, first, size, split, given, threads, each_step)
        with pieces:
            played.append(pieces.played(pieces.advance(pieces.begin(), trial.length)))
    return jax.tree.map(lambda *parts: np.concatenate(parts), *played)


class HostWalk(NamedTuple):
    """B trials between two steps."""

    acts_keys: jax.Array  # [B]
    memory: Any  # of the agent [B, ...]
    played: Played  # [B, E]
    actions: np.ndarray  # [step, B, ...] all that were taken
    observations: np.ndarray  # [B, ...] what is acted upon next
    over: np.ndarray  # [B] bool
    step: np.int32  # how many are taken


class NotRepeated(Exception):
    """New worlds that were given the same seeds and actions did not come to where the first ones were."""


class HostPieces:
    """B trials, to be played a number of steps at a time; close it.

    The worlds are not in a walk. They are kept between two calls that follow each other; for a walk that comes from
    elsewhere, new ones take all its actions again.
    """

    def __init__(
        self,
        agent: Agent,
        trial: Trial,
        seed: int,
        first: int,
        count: int,
        split: Split,
        tasks: Sequence[Mapping[str, Any]] | None = None,
        threads: int = 1,
        each_step: Callable[[], None] | None = None,
    ) -> None:
        """Makes no worlds yet; `first` is the number of the first task, for the rest see `play_on_host`."""
        self.length = trial.length
        self._agent, self._trial, self._first, self._count = agent, trial, first, count
        self._worlds = seed, split, first, tasks
        self._threads, self._each_step = threads, each_step
        self._trials: HostTrials | None = None
        self._taken = 0  # steps that the worlds have taken

    def begin(self) -> HostWalk:
        """Returns the walk before the first step, in new worlds."""
        trials = self._new_worlds()
        acts_keys, memory = self._begun()
        shape = self._count, self._trial.max_episodes
        played = Played(*(np.zeros(shape, kind) for kind in _KINDS))  # type: ignore[arg-type]
        actions = np.zeros((0, *self._action.shape), self._action.dtype)
        return HostWalk(
            acts_keys, memory, played, actions, trials.observations, trials.over, np.int32(0)
        )

    def advance(self, walk: HostWalk, until: int) -> HostWalk:
        """Returns the walk after step number `until`, or when all trials are over.

        Raises:
          NotRepeated: the walk comes from elsewhere, and the worlds do other things when they do all again.
          InvalidInput: a world fails.
        """
        trials = self._worlds_of(walk)
        rows, memory, step = np.arange(self._count), walk.memory, int(walk.step)
        played = Played(*(np.array(part) for part in walk.played))  # type: ignore[arg-type]
        taken = []
        while step < min(until, self.length) and not trials.over.all():
            if self._each_step is not None:
                self._each_step()
            observations = trials.observations
            actions, memory = _act(
                self._agent, walk.acts_keys, np.int32(step), memory, observations
            )
            taken.append(np.asarray(jax.device_get(actions)))
            transition = trials.step(taken[-1])
            memory = _observe(self._agent, memory, observations, actions, transition)
            _tally(played, rows, transition)
            step += 1
        self._taken = step
        actions = np.concatenate([walk.actions, *(part[None] for part in taken)])
        return HostWalk(
            walk.acts_keys,
            memory,
            played,
            actions,
            trials.observations,
            trials.over,
            np.int32(step),
        )

    def over(self, walk: HostWalk) -> bool:
        """Tells whether all trials are over."""
        return int(walk.step) >= self.length or bool(walk.over.all())

    def played(self, walk: HostWalk) -> Played:
        """Returns what has come of the trials."""
        return Played(*(jnp.asarray(part) for part in walk.played))

    def template(self, step: int) -> HostWalk:
        """Returns shapes and types of a walk after so many steps."""
        acts_keys, memory = jax.eval_shape(self._begun)
        shape = self._count, self._trial.max_episodes
        space: Any = self._trial.environment.observation_space
        played = Played(*(np.zeros(shape, kind) for kind in _KINDS))  # type: ignore[arg-type]
        seen = np.zeros((self._count, *space.shape), observation_type(space))
        return HostWalk(
            acts_keys,
            memory,
            played,
            np.zeros((step, *self._action.shape), self._action.dtype),
            seen,
            np.zeros(self._count, bool),
            np.int32(step),
        )

    def close(self) -> None:
        """Closes the worlds."""
        self.__exit__(None)

    def __enter__(self) -> HostPieces:
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        trials, self._trials = self._trials, None
        if trials is not None:
            trials.__exit__(kind, *error)

    def _begun(self) -> Any:
        key = jax.random.split(jax.random.key(self._worlds[0]))[1]
        return _begin(self._agent, self._trial, key, self._first + np.arange(self._count))

    @functools.cached_property
    def _action(self) -> Any:
        """Shape and type of B actions."""
        acts_keys, memory = jax.eval_shape(self._begun)
        space: Any = self._trial.environment.observation_space
        seen = jax.ShapeDtypeStruct((self._count, *space.shape), observation_type(space))
        return jax.eval_shape(_act, self._agent, acts_keys, np.int32(0), memory, seen)[0]

    def _new_worlds(self) -> HostTrials:
        self.close()
        self._trials, self._taken = HostTrials(self._trial, self._count, self._threads), 0
        self._trials.reset(*self._worlds)
        return self._trials

    def _worlds_of(self, walk: HostWalk) -> HostTrials:
        """Returns worlds that stand where a walk does."""
        if self._trials is not None and self._taken == int(walk.step):
            return self._trials
        trials = self._new_worlds()
        played = self.template(0).played
        for actions in walk.actions:
            _tally(played, np.arange(self._count), trials.step(actions))
        self._taken = int(walk.step)
        same = np.array_equal(trials.observations, walk.observations)
        if not same or not np.array_equal(played.returns, walk.played.returns):
            raise NotRepeated
        return trials


_KINDS = (np.float32, np.int32, bool)  # of what has come of trials


def _tally(played: Played, rows: np.ndarray, transition: Transition) -> None:
    """Adds a step to what has come of trials."""
    returns, lengths, terminated = (np.asarray(part) for part in played)
    returns[rows, transition.episode] += transition.reward
    lengths[rows, transition.episode] += transition.valid
    terminated[rows, transition.episode] |= transition.terminated & transition.valid


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
