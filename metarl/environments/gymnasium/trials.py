"""Trials in gymnasium worlds, stepped on the host: what `trials.py` says, for a batch, in numpy.

    with HostTrials(trial, count=16) as trials:
        observations = trials.reset(seed=0)
        while not trials.over.all():
            transition = trials.step(act(trials.observations))

Every field of a `Transition` has a leading axis [B] and means what it does there: an inner episode's
end resets its world at once, a trial's end leaves padding. Trial number i of a split has a task and a
luck of its own, whatever the batch, from (seed, split, i).

Letters: B trials.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import gymnasium
import jax
import numpy as np
from gymnasium import spaces

from metarl.errors import InvalidInput, require
from metarl.user_code import told

from ..adapters.gymnasium_worlds import HostEnvironment, reset_world, step_world
from ..contract.environment import SPLITS, Split
from ..contract.setting_checks import whole_number
from ..contract.trials import Transition, Trial
from .exchange import checked_actions, refuse_nan


class HostTrials:
    """B trials side by side; close it, or use it in a `with` statement."""

    def __init__(self, trial: Trial, count: int, threads: int = 1) -> None:
        """Prepares B trials; worlds are made by `reset`.

        Args:
          trial: of a `HostEnvironment`.
          count: B.
          threads: how many step the worlds; more than one helps where a step leaves Python for
            long (MuJoCo), and hurts where it does not.

        Raises:
          InvalidInput: the environment is a compiled one, or a number is not positive.
        """
        self.trial, self.count = trial, whole_number("count", count)
        self._trials = [_HostTrial(trial) for _ in range(count)]
        threads = whole_number("threads", threads)
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def reset(
        self,
        seed: int,
        split: Split = "train",
        first: int = 0,
        tasks: Sequence[Mapping[str, Any]] | None = None,
    ) -> np.ndarray:
        """Begins B trials, each in a world of its own.

        Args:
          seed: of tasks and luck.
          split: from which tasks are drawn.
          first: the number of the first trial; B later, B others begin.
          tasks: the arguments of `make_env` of each, instead of drawn ones.

        Returns:
          The observations to act upon [B, ...].

        Raises:
          InvalidInput: an argument cannot be used, or a world cannot be made.
        """
        require(split in SPLITS, f"split is {split!r}; it must be one of {', '.join(SPLITS)}.")
        seed, first = whole_number("seed", seed, 0), whole_number("first", first, 0)
        require(
            tasks is None or len(tasks) == self.count,
            f"There are {len(tasks or ())} tasks; there must be one for each of {self.count} trials.",
        )
        environment = _host(self.trial)

        def begin(index: int, trial: _HostTrial) -> None:
            source = np.random.SeedSequence((seed, SPLITS.index(split), first + index))
            task_source, luck_source = source.spawn(2)
            if tasks is None:
                task = environment.draw_kwargs(np.random.default_rng(task_source), split)
            else:
                task = dict(tasks[index])
            luck = int(luck_source.generate_state(1)[0])
            if environment.seed_is_task:  # no split may have a seed of another
                luck = (luck >> 2) * len(SPLITS) + SPLITS.index(split)
            trial.begin(task, luck)

        self._map(begin, range(self.count), self._trials)
        return self.observations

    @property
    def observations(self) -> np.ndarray:
        """What agents act upon next [B, ...]; where an episode has ended, the next one's first."""
        return np.stack([trial.observation for trial in self._trials])

    @property
    def over(self) -> np.ndarray:
        """Which trials are over [B]."""
        return np.array([trial.over for trial in self._trials])

    def step(self, actions: Any) -> Transition:
        """Takes one step in every trial that is not over.

        Args:
          actions: members of the action space [B, ...]; where it is a `Box`, they are clipped to
            its bounds for the world, as policies without bounds need it.

        Returns:
          What happened, as numpy arrays [B, ...]; `info` is empty.

        Raises:
          InvalidInput: there is no such action, a world fails, or it gave NaN, an observation of
            another shape, or a reward that is no number.
        """
        actions = checked_actions(self.trial.environment.action_space, actions, (self.count,))
        transitions = self._map(_HostTrial.step, self._trials, actions)
        return jax.tree.map(lambda *parts: np.stack(parts), *transitions)

    def close(self) -> None:
        """Closes all worlds; a second call does nothing.

        Raises:
          InvalidInput: a world fails to close; the others are closed all the same.
        """
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        failed = None
        for trial in self._trials:
            try:
                trial.close()
            except InvalidInput as error:
                failed = failed or error
        if failed is not None:
            raise failed

    def __enter__(self) -> HostTrials:
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        with contextlib.ExitStack() as stack:
            if kind is not None:  # what went wrong first is what is told
                stack.enter_context(contextlib.suppress(InvalidInput))
            self.close()

    def _map(self, function: Any, *arguments: Any) -> list[Any]:
        run = map if self._pool is None else self._pool.map
        return list(run(function, *arguments))


class _HostTrial:
    """One trial in one world at a time."""

    def __init__(self, trial: Trial) -> None:
        self._trial, self._environment = trial, _host(trial)
        self._env: gymnasium.Env | None = None
        self._seed: int | None = None  # of every inner episode
        self.observation: Any = None
        self.over = True
        self._forget()

    def _forget(self) -> None:
        self._completed = self._steps = self._time = 0  # episodes; steps of trial, of episode
        self._terminated = self._truncated = False  # the trial

    def begin(self, task: Mapping[str, Any], seed: int) -> None:
        """Makes the world of a task and begins its first episode."""
        self.close()
        self._env = self._environment.build(task)
        self._forget()
        self._seed = seed if self._environment.seed_is_task else None
        self.observation = self._checked(reset_world(self._environment.name, self._env, seed))
        self.over = False

    def step(self, action: np.ndarray) -> Transition:
        """Takes one step, and begins the next episode where one has ended."""
        if self.over or self._env is None:
            return self._transition(0.0, False, False, self._completed, valid=False)
        world_action = _for_world(self._environment.action_space, action)
        name = self._environment.name
        observation, reward, terminated, truncated = step_world(name, self._env, world_action)
        self.observation = self._checked(observation)
        refuse_nan(f"{name}: reward", np.asarray(reward, np.float32))
        self._steps, self._time = self._steps + 1, self._time + 1
        truncated = truncated or (self._time >= self._environment.horizon and not terminated)
        episode, ended = self._completed, bool(terminated or truncated)
        self._completed += ended
        self._terminated = _reached(self._completed, self._trial.episodes)
        self._truncated = _reached(self._steps, self._trial.steps)
        truncated = truncated or (self._truncated and not terminated)
        transition = self._transition(reward, terminated, truncated, episode, valid=True)
        self.over = self._terminated or self._truncated
        if ended and not self.over:
            self.observation = self._checked(reset_world(name, self._env, self._seed))
            self._time = 0
        return transition

    def close(self) -> None:
        """Closes the world, if there is one."""
        env, self._env, self.over = self._env, None, True
        if env is not None:
            with told(f"{self._environment.name}: close raised", type(env.unwrapped)):
                env.close()

    def _transition(
        self, reward: float, terminated: bool, truncated: bool, episode: int, valid: bool
    ) -> Transition:
        """Returns what happened, in numpy."""
        happened: dict[str, Any] = {
            "reward": np.float32(reward),
            "terminated": np.bool_(terminated),
            "truncated": np.bool_(truncated),
            "trial_terminated": np.bool_(self._terminated),
            "trial_truncated": np.bool_(self._truncated),
            "episode": np.int32(min(episode, self._trial.max_episodes - 1)),
            "valid": np.bool_(valid),
            "next_observation": self.observation,
            "info": {},
        }
        return Transition(**happened)

    def _checked(self, observation: Any) -> np.ndarray:
        """Returns an observation as agents in compiled worlds see it: int32 or float32."""
        space, name = self._environment.observation_space, self._environment.name
        array = np.array(observation)
        require(
            array.dtype.kind in "biuf",
            f"{name}: an observation is of type {array.dtype}; it must hold numbers.",
        )
        require(
            array.shape == space.shape,
            f"{name}: an observation has shape {array.shape}; its space says {space.shape}.",
        )
        refuse_nan(f"{name}: observation", array)
        return array.astype(observation_type(space))


def observation_type(space: spaces.Space) -> Any:
    """Returns the type of observations as agents in compiled worlds see them."""
    if isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
        return np.dtype(np.int32)
    floating = np.issubdtype(np.dtype(space.dtype), np.floating)
    return np.dtype(np.float32 if floating else space.dtype)


def _for_world(space: spaces.Space, action: np.ndarray) -> Any:
    """Returns an action as the gymnasium environment takes it."""
    match space:
        case spaces.Discrete():
            return int(action)
        case spaces.Box():
            return np.clip(action, space.low, space.high).astype(space.dtype)
        case _:
            return np.asarray(action, dtype=space.dtype)


def _reached(count: int, budget: int | None) -> bool:
    return budget is not None and count >= budget


def _host(trial: Trial) -> HostEnvironment:
    environment = trial.environment
    require(
        isinstance(environment, HostEnvironment),
        f"Environment {environment.name!r} is compiled; it is played by play and play_split. "
        "from_gymnasium makes environments that are stepped on the host.",
    )
    assert isinstance(environment, HostEnvironment)
    return environment
