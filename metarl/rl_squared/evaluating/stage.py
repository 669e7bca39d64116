"""The stage: where all agents are played, in the same tasks with the same luck.

Letters: N tasks; E episodes of a trial.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from metarl.environments import Agent, Played, Trial, play_in_chunks, play_on_host
from metarl.errors import require

TOGETHER = 10_000  # tasks that are played at a time, by agents that remember little


class Play(NamedTuple):
    """What came of N trials, no larger than it must be."""

    totals: np.ndarray  # [N]
    per_episode: tuple[float, ...]  # [E]


class Stage(NamedTuple):
    """Where all agents are played."""

    trial: Trial
    tasks: int
    seed: int
    say: Callable[[str], None]

    def play(self, text: str, agent: Agent, together: int = TOGETHER) -> Play:
        """Plays one agent, chunk by chunk; of each chunk the totals and sums are kept."""
        self.say(f"{text}: {self.tasks:,} tasks")
        totals, sums, begun = [], 0.0, 0
        for played in self._chunks(agent, together):
            returns = np.asarray(played.returns, np.float64)  # [n, E]
            totals.append(returns.sum(axis=1))
            sums, begun = sums + returns.sum(axis=0), begun + (played.lengths > 0).sum(axis=0)
        every_total, reached = np.concatenate(totals), np.asarray(begun) > 0
        require(
            bool(np.isfinite(every_total).all()),
            f"{text}: its return in test task {int(np.argmin(np.isfinite(every_total)))} is not "
            "finite; the environment gives rewards or observations that are NaN or infinite.",
        )
        means = np.asarray(sums)[reached] / np.asarray(begun)[reached]
        return Play(every_total, tuple(means.tolist()))

    def _chunks(self, agent: Agent, together: int) -> Iterable[Played]:
        if self.trial.environment.on_host:
            return [play_on_host(agent, self.trial, self.seed, self.tasks, "test")]
        return play_in_chunks(agent, self.trial, self.seed, self.tasks, "test", together)
