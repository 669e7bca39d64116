"""A family of tasks as a gymnasium environment: `gymnasium.make("metarl/Bandit-v0", arms=5)`.

By default an episode is an episode of the family, and every reset draws a new task, as in domain
randomisation. `keep_task=True` makes an ordinary environment of it: the task drawn at the first
reset, or when a seed is given, stays. With `episodes=E` or `steps=T` a gymnasium episode is a whole
trial, several episodes in one task; `terminated` then says that the last of them is over,
`truncated` that the steps are used up, and the ends of the inner ones are in `info`.

The task is not in `info`, where an agent could read it by accident: it is the attribute `task`.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import jax
import numpy as np
from gymnasium.error import ResetNeeded

from ..contract.environment import Environment, Split, Task
from ..contract.task_checks import check_task
from .exchange import (
    SpecWithLength,
    checked_actions,
    checked_keys,
    checked_options,
    checked_view,
    copied_info,
    copied_observation,
    game_spaces,
    make_game,
    seed_words,
)
from .session import Session, advance_one, begin_one, draw_one


class GymnasiumEnvironment(SpecWithLength, gymnasium.Env):
    """One world that hides its luck, its task and its state, stepped by a compiled program.

    `info` of a step holds what the family reports and, in a trial, `episode_index` (to which of them the
    step belongs), `episode_terminated`, `episode_truncated` and `next_observation` (where the step
    led, while the observation returned after an inner end is the next episode's first).
    """

    # gymnasium reads the modes off the class; a family without `views` has none.
    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012 (its own form)

    def __init__(
        self,
        environment: str | Environment,
        *,
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
        """Makes the environment; nothing is drawn before the first reset.

        Args:
          environment: a name that `load` knows, or an `Environment`.
          split: from which tasks are drawn: "train", "validation" or "test".
          episodes: E, if a gymnasium episode is to be a trial of so many episodes.
          steps: T, if it is to be a trial of so many steps.
          keep_task: whether resets without a seed go on in the same task.
          rl2_inputs: whether the agent sees its last action, its last reward and the ends of inner
            episodes too, as RL² does; `RL2Inputs` has the layout.
          max_episode_steps: after so many steps an episode is truncated too, as by gymnasium's
            `TimeLimit`.
          render_mode: "rgb_array" for a family that has `views`, else None; another is warned of.
          view: which of them `render` draws; None for the first.
          **settings: of the family ("arms").

        Raises:
          UnexpectedKeyword: the family has no such setting; an `InvalidInput` and a `TypeError`.
          InvalidInput: one of them is not accepted.
        """
        game = make_game(
            environment, split, episodes, steps, keep_task, max_episode_steps, rl2_inputs, settings
        )
        self._game = game
        self._view = checked_view(game.trial.environment, render_mode, view)
        self.render_mode = render_mode if self._view else None
        if not game.trial.environment.views:
            self.metadata = {"render_modes": []}
        self.observation_space, self.action_space = game_spaces(game)
        self._luck: Any = None  # [2] uint32, once seeded
        self._resets: Any = np.int32(0)
        self._session: Session | None = None
        self._over = True

    @property
    def task(self) -> Task:
        """The task of this episode, as numpy arrays; a `reset` takes it in its options."""
        return jax.device_get(self._running().task)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begins an episode.

        Args:
          seed: of everything drawn from here on; None to go on drawing.
          options: "task", the task to play in; "keep_task", whether to go on in the last one,
            instead of the constructor's word; "key", the jax key of the world's luck in this
            episode, by which it takes the same course as one of `play`.

        Returns:
          The first observation, and an empty info.

        Raises:
          InvalidInput: an option is unknown, or a task has other shapes or holds NaN.
        """
        super().reset(seed=seed)
        given = checked_options(options, ("task", "keep_task", "key"))
        if seed is not None or self._luck is None:
            self._luck, self._resets = seed_words(self.np_random), np.int32(0)
        task = self._next_task(given, seed)
        key = checked_keys(given["key"]) if given.get("key") is not None else None
        session = begin_one(self._game, self._luck, self._resets, task, key)
        self._session, self._resets, self._over = session, session.resets, False
        return copied_observation(self.observation_space, session.shown), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Takes one step.

        Args:
          action: a member of the action space.

        Returns:
          Observation, reward, terminated, truncated, info.

        Raises:
          InvalidInput: there is no such action, or it holds NaN.
          ResetNeeded: the episode has not begun, or is over.
        """
        action = checked_actions(self.action_space, action)
        session = self._running()
        if self._over:
            raise ResetNeeded("The episode is over; call reset before the next step.")
        trial, outcome = advance_one(self._game, session, action)
        self._session = session._replace(trial=trial, shown=outcome.observation)
        outcome = jax.tree.map(np.asarray, outcome)  # on a CPU faster than `device_get`
        terminated, truncated = bool(outcome.terminated), bool(outcome.truncated)
        self._over = terminated or truncated
        observation = copied_observation(self.observation_space, outcome.observation)
        return observation, float(outcome.reward), terminated, truncated, copied_info(outcome.info)

    def render(self) -> Any:
        """Returns the picture of the present state [height, width, 3] uint8, or None."""
        if self._view is None:
            return None
        session = jax.device_get(self._running())
        states = jax.tree.map(lambda x: x[None], session.trial.environment)
        return self._game.trial.environment.views[self._view](session.task, states)

    def _next_task(self, given: dict[str, Any], seed: int | None) -> Task:
        """The one handed in, or the last one, or one drawn."""
        if given.get("task") is not None:
            return check_task(self._game.trial.environment, given["task"])
        keep = given.get("keep_task", self._game.keep_task and seed is None)
        if keep and self._session is not None:
            return self._session.task
        return draw_one(self._game, self._luck, self._resets)

    def _running(self) -> Session:
        if self._session is None:
            raise ResetNeeded("No episode has begun; call reset first.")
        return self._session
