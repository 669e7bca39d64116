"""What gymnasium keeps hidden in an environment, as a value: luck, task and state in one record.

A `Session` is what `reset` makes and `step` carries on; both are pure functions for one world, which
the single environment compiles as they are and the vector environment vmaps. A gymnasium episode is
an episode of the family or, if a budget is given, a whole trial.

Luck: an environment's seed gives 64 bits, the key of all resets; reset number i uses
`fold_in(key, i)`. Step number t of an episode uses the same keys as step t of `play`, so that both
take the same course (see `begin`). Keys are kept as their numbers, to be chosen among like any.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..contract.encoding import features, is_image, last_step_features, levels
from ..contract.environment import Observation, Split, Task
from ..contract.trials import Trial, TrialState

Array = jax.Array | np.ndarray


@dataclass(frozen=True)
class Game:
    """What one gymnasium episode is."""

    trial: Trial
    whole_trial: bool
    """Several episodes in one task; otherwise `trial` has one episode, and its end is the end."""

    split: Split
    keep_task: bool
    """A reset without a seed goes on in the same task."""

    most_steps: int | None = None
    """After so many steps a gymnasium episode is truncated, as by gymnasium's `TimeLimit`."""

    rl2_inputs: bool = False
    """The agent sees what RL² sees, see `rl2_inputs.py`."""

    @property
    def longest(self) -> int:
        """How many steps a gymnasium episode has at most."""
        return min(self.trial.length, self.most_steps or self.trial.length)


class Session(NamedTuple):
    """Where an environment stands."""

    luck: Array  # [2] uint32, of all resets since the seed was set
    resets: Array  # [] int32, how many there were
    steps_luck: Array  # the numbers of the key of the world's luck in this episode
    task: Task
    trial: TrialState
    shown: Any  # what the agent sees next


class Outcome(NamedTuple):
    """What gymnasium's `step` returns."""

    observation: Observation
    reward: jax.Array  # [] float32
    terminated: jax.Array  # [] bool
    truncated: jax.Array  # [] bool
    info: dict[str, Any]


def draw(game: Game, luck: Array, resets: Array) -> Task:
    """Draws the task of the next episode, from the keys that `begin` takes."""
    task_key, _ = _reset_keys(luck, resets)
    return game.trial.environment.sample_task(task_key, game.split)


def begin(
    game: Game,
    luck: Array,
    resets: Array,
    task: Task,
    world_key: jax.Array | None = None,
) -> Session:
    """Begins an episode.

    Args:
      game: what an episode is.
      luck: of all resets [2] uint32.
      resets: how many there were before [] int32.
      task: in which to play.
      world_key: of the world's luck. What `play(agent, trial, key, tasks)` uses in trial i is
        `split(fold_in(key, i))[0]`. None: from `luck`.
    """
    _, fresh_key = _reset_keys(luck, resets)
    reset_key, steps_key = jax.random.split(fresh_key if world_key is None else world_key)
    steps_luck = jax.random.key_data(steps_key)
    trial = game.trial.reset(reset_key, task)
    return Session(luck, resets + 1, steps_luck, task, trial, _shown(game, trial.observation, None))


def advance(game: Game, session: Session, action: Any) -> tuple[Session, Outcome]:
    """Takes one step.

    Args:
      game: what an episode is.
      session: from `begin` or `advance`.
      action: a member of the action space.

    Returns:
      The next session, and what happened. In a whole trial the observation is the one to act upon
      next, the first of the next episode where one ended; where the step itself led is in `info`.
    """
    steps_key = jax.random.wrap_key_data(jnp.asarray(session.steps_luck))
    key = jax.random.fold_in(steps_key, session.trial.steps)
    if not game.whole_trial:
        return _advance_episode(game, key, session, action)
    following, happened = game.trial.step(key, session.trial, action, session.task)
    upon_next = select(following.over, happened.next_observation, following.observation)
    shown = _shown(game, upon_next, action, happened.reward, happened.episode_ended)
    session = session._replace(trial=following, shown=shown)
    info = {
        **happened.info,
        "episode_index": happened.episode,
        "episode_terminated": happened.terminated,
        "episode_truncated": happened.truncated,
        "next_observation": happened.next_observation,
    }
    return session, Outcome(
        shown,
        happened.reward,
        happened.trial_terminated,
        happened.trial_truncated | _is_late(game, following.steps),
        info,
    )


def _advance_episode(
    game: Game, key: jax.Array, session: Session, action: Any
) -> tuple[Session, Outcome]:
    """`advance` in an episode alone: none follows it within the step, so none is begun in vain."""
    step_key, _ = jax.random.split(key)  # as a trial does, so that both take the same course
    before = session.trial
    taken = game.trial.environment.step(step_key, before.environment, action, session.task)
    terminated, truncated = jnp.asarray(taken.terminated), jnp.asarray(taken.truncated)
    ended, steps = terminated | truncated, before.steps + 1
    # Numbers of Python's in a user's state become arrays, as where an episode begins anew.
    state = jax.tree.map(lambda a, b: jnp.where(False, a, b), before.environment, taken.state)
    trial = TrialState(state, taken.observation, before.episode + ended, steps, before.over | ended)
    shown = _shown(game, taken.observation, action, taken.reward, ended)
    return session._replace(trial=trial, shown=shown), Outcome(
        shown,
        jnp.asarray(taken.reward),
        terminated,
        truncated | _is_late(game, steps),
        taken.info,
    )


def _is_late(game: Game, steps: jax.Array) -> jax.Array | bool:
    return game.most_steps is not None and steps >= game.most_steps


def _shown(
    game: Game,
    observation: Observation,
    action: Any,
    reward: Any = 0.0,
    ended: Any = True,
) -> Any:
    """Returns what the agent sees: the observation, or what RL² sees; without action the first."""
    if not game.rl2_inputs:
        return observation
    space, acting = game.trial.environment.observation_space, game.trial.environment.action_space
    kind = jax.dtypes.canonicalize_dtype(acting.dtype)
    before = jnp.zeros(acting.shape, kind) if action is None else jnp.asarray(action)
    begun = jnp.asarray(action is not None)
    told = last_step_features(acting, before, jnp.float32(reward), jnp.asarray(ended), begun)
    if is_image(space):
        return {"image": levels(space, observation), "told": told}
    return jnp.concatenate([features(space, observation), told])


def select(chosen: Array, first: Any, second: Any) -> Any:
    """Returns the PyTree `first` where `chosen`, else `second`; `chosen` has their leading axes."""

    def pick(a: Array, b: Array) -> jax.Array:
        return jnp.where(chosen.reshape(chosen.shape + (1,) * (a.ndim - chosen.ndim)), a, b)

    return jax.tree.map(pick, first, second)


draw_one = jax.jit(draw, static_argnames="game")
begin_one = jax.jit(begin, static_argnames="game")


@functools.partial(jax.jit, static_argnames="game")
def advance_one(game: Game, session: Session, action: Any) -> tuple[TrialState, Outcome]:
    """`advance` for one world; gives back what changes in a session, since handing out arrays costs."""
    following, outcome = advance(game, session, action)
    return following.trial, outcome


@functools.partial(jax.jit, static_argnames="game")
def draw_all(game: Game, luck: Array, resets: Array) -> Task:
    """`draw` for N worlds: luck [N, 2], resets [N]."""
    return jax.vmap(functools.partial(draw, game))(luck, resets)


@functools.partial(jax.jit, static_argnames="game")
def begin_all(
    game: Game, luck: Array, resets: Array, tasks: Task, world_keys: jax.Array | None = None
) -> Session:
    """`begin` for N worlds; every argument has a leading axis [N]."""
    return jax.vmap(functools.partial(begin, game))(luck, resets, tasks, world_keys)


@functools.partial(jax.jit, static_argnames="game")
def advance_all(game: Game, sessions: Session, actions: Array) -> tuple[Session, Outcome]:
    """`advance` for N worlds: sessions [N], actions [N, ...]."""
    return jax.vmap(functools.partial(advance, game))(sessions, actions)


@functools.partial(jax.jit, static_argnames="game")
def begin_anew_next_step(
    game: Game, sessions: Session, actions: Array, ended: Array
) -> tuple[Session, Outcome]:
    """Takes one step in each world, but resets those that ended one step ago.

    Args:
      game: what an episode is.
      sessions: [N].
      actions: [N, ...]; ignored where an episode has ended.
      ended: whether the step before was an episode's last [N].
    """
    stepped, outcome = advance_all(game, sessions, actions)
    following = _begin_where(game, ended, stepped)
    return following, outcome._replace(
        observation=select(ended, following.shown, outcome.observation),
        reward=jnp.where(ended, 0.0, outcome.reward),
        terminated=outcome.terminated & ~ended,
        truncated=outcome.truncated & ~ended,
    )


@functools.partial(jax.jit, static_argnames="game")
def begin_anew_same_step(
    game: Game, sessions: Session, actions: Array
) -> tuple[Session, Outcome, Observation]:
    """Takes one step in each world, and resets at once where it was an episode's last.

    Args:
      game: what an episode is.
      sessions: [N].
      actions: [N, ...].

    Returns:
      The sessions; what happened, observations being those to act upon next; and the observations
      to which the step itself led.
    """
    stepped, outcome = advance_all(game, sessions, actions)
    ended = outcome.terminated | outcome.truncated
    following = _begin_where(game, ended, stepped)
    observation = select(ended, following.shown, outcome.observation)
    return following, outcome._replace(observation=observation), outcome.observation


def _begin_where(game: Game, chosen: Array, sessions: Session) -> Session:
    """Begins an episode in the chosen worlds; the branch is real, so drawing costs only then."""

    def begin_some() -> Session:
        luck, resets = sessions.luck, sessions.resets
        tasks = sessions.task if game.keep_task else draw_all(game, luck, resets)
        return select(chosen, begin_all(game, luck, resets, tasks), sessions)

    return jax.lax.cond(jnp.any(chosen), begin_some, lambda: sessions)


def _reset_keys(luck: Array, resets: Array) -> jax.Array:
    """Returns the keys [2] of a reset: of the task, and of the world."""
    key = jax.random.fold_in(jax.random.key(luck[0]), luck[1])
    return jax.random.split(jax.random.fold_in(key, resets))
