"""Within a task: what agents that learnt to learn earn in their first trial, beside learners from scratch.

A trained or classical agent has one trial of E episodes in each task; a learner from scratch has many
more episodes of the same task. Its last episodes are compared with the return of one agent's trial,
its *mark*, which is the mean over several trials in that task, so that it is not luck.

A learner reaches the mark after n episodes if n is the least for which

  the mean return of episodes n - E + 1 ... n  and  that of episodes n + 1 ... N   are at least the mark

The second condition keeps a lucky streak from counting; the first keeps later episodes from paying
for early ones.

Letters: M tasks; E episodes of a trial; N episodes from scratch; R trials in one task.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from metarl.environments import Agent, Trial, play, play_on_host
from metarl.errors import require
from metarl.reading import MOST_SEEDS
from metarl.statistics import Interval, Mean, bootstrap_interval, mean_interval

DEFAULT_TASKS = 100
TRIALS_FOR_A_MARK = 16  # R
_LEAST_EPISODES = 200
_RESAMPLES = 200  # of whole curves, which are long
_GROWTH = 1.15  # of the blocks of episodes that a curve is drawn through


@dataclass(frozen=True)
class FromScratchPlan:
    """How learners from scratch are compared.

    Attributes:
      episodes: N; None for twenty trials' worth, and at least 200.
      tasks: M, of the test split.
      tune: choose the settings of learners that are named without any, on validation tasks.
    """

    episodes: int | None = None
    tasks: int = DEFAULT_TASKS
    tune: bool = False

    def __post_init__(self) -> None:
        require(
            self.episodes is None or self.episodes >= 1,
            f"episodes from scratch are {self.episodes}; there must be at least 1.",
        )
        require(
            2 <= self.tasks <= MOST_SEEDS,
            f"tasks from scratch are {self.tasks}; there must be from 2 to {MOST_SEEDS}.",
        )

    def trial(self, trial: Trial) -> Trial:
        """Returns the trials of learners: N episodes, and no fewer than E.

        Raises:
          InvalidInput: the trial of the others is a number of steps, or longer than N.
        """
        require(
            trial.episodes is not None,
            "Learners from scratch are compared by episodes; give --episodes instead of "
            "--trial-steps.",
        )
        assert trial.episodes is not None
        episodes = self.episodes or max(_LEAST_EPISODES, 20 * trial.episodes)
        require(
            episodes >= trial.episodes,
            f"--episodes-from-scratch is {episodes}; the trial that it is compared with has "
            f"{trial.episodes}. Give at least as many.",
        )
        return Trial(trial.environment, episodes)


class Point(NamedTuple):
    """The mean return of an episode, over a block of successive ones."""

    first: int  # episode, counted from 1
    last: int
    mean: Mean  # over tasks


class Reached(NamedTuple):
    """After how many episodes a mark is reached; infinite where it is not within N."""

    median: Interval  # over tasks
    of_mean: Interval  # of the mean return over tasks, against the mean mark
    share: float  # of the tasks in which it is reached


@dataclass(frozen=True)
class Learning:
    """What one agent earns within a task.

    Attributes:
      curve: by blocks of episodes.
      first: the mean return of its first E episodes.
      last: that of its last E episodes.
      from_scratch: whether it knew nothing before.
      reached: when it reaches the mark; learners from scratch only, and if there is a mark.
    """

    curve: tuple[Point, ...]
    first: Mean
    last: Mean
    from_scratch: bool
    reached: Reached | None = None


@dataclass(frozen=True)
class WithinTask:
    """Agents in the same test tasks, each from its first episode on.

    Attributes:
      window: E.
      episodes: N.
      tasks: M.
      mark_of: whose return is to be reached; None if all are learners from scratch.
      agents: by their texts.
    """

    window: int
    episodes: int
    tasks: int
    mark_of: str | None
    agents: Mapping[str, Learning]

    def to_json(self) -> dict[str, Any]:
        """Returns the part `from_scratch` of an evaluation's document."""
        return {
            "episodes": self.episodes,
            "tasks": self.tasks,
            "window": self.window,
            "mark_of": self.mark_of,
            "agents": {text: _learning_json(found) for text, found in self.agents.items()},
        }


def compare_within_task(
    agents: Mapping[str, np.ndarray],
    learners: Mapping[str, np.ndarray],
    window: int,
    episodes: int,
) -> WithinTask:
    """Compares agents and learners in the same test tasks.

    Args:
      agents: returns [M, E] of those that have one trial, see `first_trials`; the first one's is the mark.
      learners: returns [M, N] of learners from scratch.
      window: E.
      episodes: N.
    """
    found, marks, mark_of = {}, None, None
    for text, returns in agents.items():
        if mark_of is None:
            mark_of, marks = text, returns.mean(axis=1)
        found[text] = _learning(returns, window, from_scratch=False)
    for text, returns in learners.items():
        reached = None if marks is None else when_reached(returns, marks, window)
        found[text] = _learning(returns, window, from_scratch=True, reached=reached)
    tasks = len(next(iter(learners.values())))
    return WithinTask(window, episodes, tasks, mark_of, found)


def first_trials(agent: Agent, trial: Trial, seed: int, count: int) -> np.ndarray:
    """Returns what an agent earns in each episode of a trial [M, E], in the first test tasks.

    It is the mean over R trials in each task, or one trial where worlds are stepped on the host.
    """
    if trial.environment.on_host:
        return np.asarray(play_on_host(agent, trial, seed, count, "test").returns, np.float64)
    task_key, key = jax.random.split(jax.random.key(seed))  # those of `play_split`
    indices = np.arange(count)
    tasks = jax.vmap(
        lambda i: trial.environment.sample_task(jax.random.fold_in(task_key, i), "test")
    )(indices)
    keys = jax.random.split(key, TRIALS_FOR_A_MARK)
    trials = [np.asarray(play(agent, trial, key, tasks).returns, np.float64) for key in keys]
    return np.mean(trials, axis=0)


def when_reached(returns: np.ndarray, marks: np.ndarray, window: int) -> Reached:
    """Returns after how many episodes learners reach their marks.

    Args:
      returns: [M, N] of each task.
      marks: [M].
      window: E, at most N.
    """
    episodes = np.array([reached_after(*one, window) for one in zip(returns, marks, strict=True)])

    def of_means(rows: np.ndarray, axis: Any) -> np.ndarray:
        del axis
        means = rows.mean(axis=-2)  # [..., N + 1], the mark behind the returns
        found = [
            reached_after(row[:-1], row[-1], window) for row in means.reshape(-1, means.shape[-1])
        ]
        return np.reshape(found, means.shape[:-1])

    rows = np.concatenate([returns, marks[:, None]], axis=1)
    return Reached(
        median=bootstrap_interval(episodes, np.median),
        of_mean=bootstrap_interval(rows, of_means, resamples=_RESAMPLES),
        share=float(np.mean(np.isfinite(episodes))),
    )


def reached_after(returns: np.ndarray, mark: float, window: int) -> float:
    """Returns after how many episodes [N] a learner reaches a mark for good; infinity if it does not.

    >>> reached_after(np.array([0.0, 1.0, 0.0, 1.0, 1.0]), mark=1.0, window=1)
    4.0
    """
    sums = np.concatenate([[0.0], np.cumsum(returns)])
    ends = np.arange(window, len(returns) + 1)  # n
    recent = (sums[ends] - sums[ends - window]) / window
    left = len(returns) - ends
    rest = np.where(left > 0, (sums[-1] - sums[ends]) / np.maximum(left, 1), np.inf)
    slack = 1e-6 * max(1.0, abs(mark))  # sums of float32 returns are not exact
    reaches = np.minimum(recent, rest) >= mark - slack
    return float(ends[np.argmax(reaches)]) if reaches.any() else float("inf")


def blocks(episodes: int) -> list[tuple[int, int]]:
    """Returns first and last episode of blocks that grow with their number: 1, 2, 3 ... 8-9 ..."""
    found, first = [], 1
    while first <= episodes:
        last = min(max(first, int(first * _GROWTH)), episodes)
        found.append((first, last))
        first = last + 1
    return found


def _learning(
    returns: np.ndarray, window: int, from_scratch: bool, reached: Reached | None = None
) -> Learning:
    curve = tuple(
        Point(first, last, mean_interval(returns[:, first - 1 : last].mean(axis=1)))
        for first, last in blocks(returns.shape[1])
    )
    first, last = returns[:, :window].mean(axis=1), returns[:, -window:].mean(axis=1)
    return Learning(curve, mean_interval(first), mean_interval(last), from_scratch, reached)


def _learning_json(found: Learning) -> dict[str, Any]:
    document: dict[str, Any] = {
        "from_scratch": found.from_scratch,
        "first": found.first._asdict(),
        "last": found.last._asdict(),
        "curve": [
            {"first": point.first, "last": point.last, **point.mean._asdict()}
            for point in found.curve
        ],
    }
    if found.reached is not None:
        document["reached_after"] = {
            "median": found.reached.median._asdict(),
            "of_mean": found.reached.of_mean._asdict(),
            "share": found.reached.share,
        }
    return document
