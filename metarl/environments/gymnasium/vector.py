"""N worlds of a family as gymnasium's vector environment, stepped by one compiled program.

    gymnasium.make_vec("metarl/MDP-v0", num_envs=1024, autoreset_mode="SameStep")

Each world draws, resets and ends for itself; seeded alike it takes the same course, bit for bit, as
`GymnasiumEnvironment`s in gymnasium's own `SyncVectorEnv`, whose three modes are the modes here:

  NEXT_STEP  The step after an episode's last ignores that world's action and resets it.
  SAME_STEP  An episode's last step resets; its own observation and info are in `infos["final_obs"]`
             and `infos["final_info"]`, and the masks `_final_obs`, `_final_info` say of which.
  DISABLED   The caller resets, by `reset(options={"reset_mask": mask})`.

While one world resets, the others go on (gymnasium 1.4's `FunctionalJaxVectorEnv` drops their step).

Letters: N worlds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import jax
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from metarl.errors import require, unknown_name

from ..contract.environment import Environment, Split, Task
from ..contract.task_checks import check_task
from .exchange import (
    SpecWithLength,
    batched_info,
    checked_actions,
    checked_keys,
    checked_options,
    checked_view,
    copied_observation,
    game_spaces,
    make_game,
    seed_words,
)
from .session import (
    Array,
    Outcome,
    Session,
    advance_all,
    begin_all,
    begin_anew_next_step,
    begin_anew_same_step,
    draw_all,
    select,
)

Seeds = int | Sequence[int | None] | None


class GymnasiumVectorEnvironment(SpecWithLength, gymnasium.vector.VectorEnv):
    """N worlds; every argument but the first two and the mode is `GymnasiumEnvironment`'s."""

    def __init__(
        self,
        environment: str | Environment,
        num_envs: int = 1,
        *,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        split: Split = "train",
        episodes: int | None = None,
        steps: int | None = None,
        keep_task: bool = False,
        rl2_inputs: bool = False,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
        view: str | None = None,
        **settings: Any,
    ) -> None:
        """Makes the worlds; nothing is drawn before the first reset.

        Args:
          environment: a name that `load` knows, or an `Environment`.
          num_envs: N.
          autoreset_mode: `AutoresetMode`, or its value ("NextStep", "SameStep", "Disabled").
          split: from which tasks are drawn.
          episodes: E, if a gymnasium episode is to be a trial of so many episodes.
          steps: T, if it is to be a trial of so many steps.
          keep_task: whether resets without a seed, automatic ones too, go on in the same task.
          rl2_inputs: whether agents see what RL² does, see `GymnasiumEnvironment`.
          max_episode_steps: after so many steps an episode is truncated too, as by gymnasium's
            `TimeLimit`.
          render_mode: "rgb_array" for a family that has `views`, else None; another is warned of.
          view: which of them `render` draws; None for the first.
          **settings: of the family ("arms").

        Raises:
          UnexpectedKeyword: the family has no such setting; an `InvalidInput` and a `TypeError`.
          InvalidInput: one of them is not accepted.
        """
        require(num_envs >= 1, f"num_envs is {num_envs}; it must be at least 1.")
        game = make_game(
            environment, split, episodes, steps, keep_task, max_episode_steps, rl2_inputs, settings
        )
        self._game, self.autoreset_mode = game, _mode(autoreset_mode)
        self._view = checked_view(game.trial.environment, render_mode, view)
        self.render_mode = render_mode if self._view else None
        self.num_envs = num_envs
        self.metadata = {
            "render_modes": ["rgb_array"] if game.trial.environment.views else [],
            "render_fps": 10,
            "autoreset_mode": self.autoreset_mode,
        }
        self.single_observation_space, self.single_action_space = game_spaces(game)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._sessions: Session | None = None  # [N]
        self._ended = np.zeros(num_envs, bool)  # [N] the last step was an episode's last

    @property
    def task(self) -> Task:
        """The tasks the worlds are in, as numpy arrays with a leading axis [N]."""
        return jax.device_get(self._running().task)

    def reset(
        self, *, seed: Seeds = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begins an episode in every world, or in those of a mask.

        Args:
          seed: world i gets `seed + i`, or the i-th of a list, where None goes on drawing.
          options: "task", tasks with a leading axis [N]; "keep_task"; "key", keys [N]; see
            `GymnasiumEnvironment.reset`. "reset_mask", a bool array [N]: which worlds to reset.

        Returns:
          The observations, those to act upon next in worlds that were not reset; an empty info.

        Raises:
          InvalidInput: an option is unknown or of another shape, or a task holds NaN.
        """
        given = checked_options(options, ("task", "keep_task", "key", "reset_mask"))
        mask = self._checked_mask(given.get("reset_mask"))
        worlds = (self.num_envs,)
        keys = checked_keys(given["key"], worlds) if given.get("key") is not None else None
        if given.get("task") is not None:
            tasks = check_task(self._game.trial.environment, given["task"], worlds)
            luck, resets, _ = self._seed(seed, mask)
        else:
            luck, resets, fresh = self._seed(seed, mask)
            tasks = self._next_tasks(luck, resets, given.get("keep_task"), fresh)
        begun = begin_all(self._game, luck, resets, tasks, keys)
        if self._sessions is not None and not mask.all():
            begun = select(mask, begun, self._sessions)
        self._sessions = begun
        self._ended = self._ended & ~mask
        return self._batch(begun.shown), {}

    def step(self, actions: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Takes one step in every world.

        Args:
          actions: a member of the batched action space [N, ...].

        Returns:
          Observations [N, ...], rewards [N] float64, terminated [N], truncated [N], infos.

        Raises:
          InvalidInput: there is no such action, or it holds NaN.
          ResetNeeded: no episode has begun or, without auto-reset, one is over.
        """
        actions = checked_actions(self.single_action_space, actions, (self.num_envs,))
        over = self._ended
        outcome, last = jax.device_get(self._advance(actions, over))
        self._ended = outcome.terminated | outcome.truncated
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            infos = self._infos_of_same_step(outcome, last)
        else:
            infos = batched_info(outcome.info, ~over)
        rewards = np.array(outcome.reward, np.float64)
        ends = np.array(outcome.terminated), np.array(outcome.truncated)
        return self._batch(outcome.observation), rewards, *ends, infos

    def render(self) -> tuple[np.ndarray, ...] | None:
        """Returns the pictures of the present states, N times [height, width, 3] uint8, or None."""
        if self._view is None:
            return None
        draw = self._game.trial.environment.views[self._view]
        tasks, states = jax.device_get((self._running().task, self._running().trial.environment))

        def draw_one(world: int) -> np.ndarray:
            task = jax.tree.map(lambda x: x[world], tasks)
            return draw(task, jax.tree.map(lambda x: x[world : world + 1], states))

        return tuple(draw_one(world) for world in range(self.num_envs))

    def _advance(self, actions: np.ndarray, over: np.ndarray) -> tuple[Outcome, Any]:
        """Steps the sessions; the second value is SAME_STEP's last observations, else None."""
        sessions, last = self._running(), None
        if self.autoreset_mode is AutoresetMode.NEXT_STEP:
            self._sessions, outcome = begin_anew_next_step(self._game, sessions, actions, over)
        elif self.autoreset_mode is AutoresetMode.SAME_STEP:
            self._sessions, outcome, last = begin_anew_same_step(self._game, sessions, actions)
        else:
            if over.any():
                raise ResetNeeded(
                    f"Episodes of worlds {np.flatnonzero(over).tolist()} are over; reset them by "
                    "options={'reset_mask': mask}."
                )
            self._sessions, outcome = advance_all(self._game, sessions, actions)
        return outcome, last

    def _infos_of_same_step(self, outcome: Outcome, last: Any) -> dict[str, Any]:
        """A world whose episode goes on has its info on top, the others have theirs as final."""
        ended = self._ended
        infos = batched_info(outcome.info, ~ended)
        if ended.any():
            final = np.full(self.num_envs, None, dtype=object)
            batch = self._batch(last)
            for world in np.flatnonzero(ended):
                final[world] = jax.tree.map(lambda rows, world=world: rows[world], batch)
            infos |= {"final_obs": final, "_final_obs": ended.copy()}
            infos |= {"final_info": batched_info(outcome.info, ended), "_final_info": ended.copy()}
        return infos

    def _seed(self, seed: Seeds, mask: np.ndarray) -> tuple[Array, Array, np.ndarray]:
        """Returns the luck of the worlds' resets, how many there were, and which luck is new.

        A world outside the mask keeps its own.
        """
        seeds = [None] * self.num_envs if seed is None else seed
        if isinstance(seeds, int | np.integer):
            super().reset(seed=int(seeds))
            seeds = [int(seeds) + world for world in range(self.num_envs)]
        require(
            len(seeds) == self.num_envs,
            f"seed has {len(seeds)} members; there must be one for each of {self.num_envs} worlds.",
        )
        previous = self._sessions
        fresh = mask & [previous is None or seed is not None for seed in seeds]
        if previous is not None and not fresh.any():
            return previous.luck, previous.resets, fresh
        words = [
            seed_words(seeding.np_random(seed)[0]) if new else np.zeros(2, np.uint32)
            for seed, new in zip(seeds, fresh, strict=True)
        ]
        luck, resets = np.stack(words), np.zeros(self.num_envs, np.int32)
        if previous is None:
            return luck, resets, fresh
        return *select(fresh, (luck, resets), (previous.luck, previous.resets)), fresh

    def _next_tasks(self, luck: Array, resets: Array, keep: bool | None, fresh: np.ndarray) -> Task:
        """Tasks drawn, or the last ones where they are kept; by themselves not where seeded anew."""
        drawn = draw_all(self._game, luck, resets)
        if self._sessions is None:
            return drawn
        kept = self._game.keep_task & ~fresh if keep is None else np.full(self.num_envs, keep)
        return select(kept, self._sessions.task, drawn) if kept.any() else drawn

    def _checked_mask(self, mask: Any) -> np.ndarray:
        if mask is None:
            return np.ones(self.num_envs, bool)
        mask = np.asarray(mask)
        require(
            mask.shape == (self.num_envs,) and mask.dtype == bool and bool(mask.any()),
            f"options['reset_mask'] must hold {self.num_envs} bools, not all False; received "
            f"{mask.dtype} of shape {mask.shape}.",
        )
        self._running()
        return mask

    def _batch(self, observations: Any) -> Any:
        return copied_observation(self.observation_space, observations)

    def _running(self) -> Session:
        if self._sessions is None:
            raise ResetNeeded("No episode has begun; call reset first.")
        return self._sessions


def _mode(given: str | AutoresetMode) -> AutoresetMode:
    if isinstance(given, AutoresetMode):
        return given
    known = {mode.value: mode for mode in AutoresetMode} | AutoresetMode.__members__
    if given not in known:
        raise unknown_name("autoreset_mode", str(given), [mode.value for mode in AutoresetMode])
    return known[given]
