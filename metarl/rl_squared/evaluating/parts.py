"""The parts of an evaluation: who is played where, and what is kept of it.

  lesson   who learns from offline data does so, before anybody is played
  tuning   a member of a learner's grid, on validation tasks
  play     one trial in each test task: what everybody is compared by
  greedy   the same, with the likeliest actions
  mark     several trials in each of the first test tasks, of who stands beside learners from scratch
  scratch  many episodes in each of these tasks, of a learner from scratch
  alone    the trials of one agent that is compared with nobody here; all of them is kept

Tasks are played a chunk at a time, and of a chunk is kept what is needed. A chunk is *walked*, some steps at a
time, where an agent learns while it plays or worlds are stepped on the host, which takes minutes and hours;
others are played whole.

Letters: N tasks; n of a chunk; E episodes of a trial.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from metarl import rl_baselines
from metarl.environments import Agent, Pieces, Played, Split, Trial, in_pieces, play_some
from metarl.errors import require

from .within_task import TRIALS_FOR_A_MARK, first_trials

_TOGETHER = 10_000  # tasks that are played at a time, by agents that remember little
_ON_HOST = 64  # worlds that are stepped at a time
_PIECES = 100  # of a walk at most

Kind = Literal["lesson", "tuning", "play", "greedy", "mark", "scratch", "alone"]
Kept = Mapping[str, np.ndarray]


class Play(NamedTuple):
    """What came of N trials, no larger than it must be."""

    totals: np.ndarray  # [N]
    per_episode: tuple[float, ...]  # [E]


@dataclass(frozen=True)
class Part:
    """A part of an evaluation.

    Attributes:
      kind: see the module.
      who: the text that names the agent; of a learner that is tuned, its name.
      trial: environment and budget.
      tasks: N; of a lesson its gradient steps.
      seed: of tasks and luck.
      learns: whether it learns while it plays, so that memory holds few of it at a time.
    """

    kind: Kind
    who: str
    trial: Trial
    tasks: int
    seed: int = 0
    learns: bool = False

    @property
    def name(self) -> str:
        """What tells it from the other parts."""
        return f"{self.kind} {self.who}"

    @property
    def steps(self) -> int:
        """Steps in each of its tasks at most; 1 of a lesson."""
        if self.kind == "lesson":
            return 1
        return self.trial.length * (TRIALS_FOR_A_MARK if self._is_mean else 1)

    @property
    def walked(self) -> bool:
        """Whether it is played some steps at a time."""
        return self.learns or self.trial.environment.on_host

    @property
    def steps_at_a_time(self) -> int:
        """Steps of a piece of a walk."""
        return -(-self.trial.length // _PIECES)

    def count(self, first: int) -> int:
        """Returns n, the tasks of the chunk that begins with this one."""
        if self.trial.environment.on_host:
            together = _ON_HOST
        elif self._is_mean:
            together = self.tasks
        else:
            together = rl_baselines.TOGETHER if self.learns else _TOGETHER
        return min(together, self.tasks - first)

    def pieces(self, agent: Agent, first: int) -> Pieces:
        """Returns the trials of a chunk, to be walked."""
        indices = np.arange(first, first + self.count(first))
        return in_pieces(agent, self.trial, self.seed, indices, self._split)

    def play(self, agent: Agent, first: int) -> Kept:
        """Returns what is kept of a chunk that is played whole."""
        count = self.count(first)
        if self._is_mean:
            return {"returns": first_trials(agent, self.trial, self.seed, count)}
        indices = np.arange(first, first + count)
        return self.kept(play_some(agent, self.trial, self.seed, indices, self._split))

    def kept(self, played: Played) -> Kept:
        """Returns what is kept of a chunk."""
        if self.kind == "tuning":
            return {"totals": np.asarray(played.totals)}
        if self.kind == "alone":
            return {name: np.asarray(part) for name, part in played._asdict().items()}
        returns = np.asarray(played.returns, np.float64)  # [n, E]
        if self.kind in ("mark", "scratch"):
            return {"returns": returns}
        begun = (np.asarray(played.lengths) > 0).sum(axis=0)
        return {"totals": returns.sum(axis=1), "sums": returns.sum(axis=0), "begun": begun}

    def joined(self, before: Kept, chunk: Kept) -> Kept:
        """Returns what is kept of the chunks before, if there are any, and of one more.

        Raises:
          InvalidInput: a return of a play is not finite.
        """
        if self.kind in ("play", "greedy"):
            self._require_finite(chunk["totals"], len(before.get("totals", ())))
        if not before:
            return chunk
        rows = ("totals", "returns", "lengths", "terminated")
        return {
            name: np.concatenate([before[name], part]) if name in rows else before[name] + part
            for name, part in chunk.items()
        }

    @property
    def _split(self) -> Split:
        return "validation" if self.kind == "tuning" else "test"

    @property
    def _is_mean(self) -> bool:
        return self.kind == "mark" and not self.trial.environment.on_host

    def _require_finite(self, totals: np.ndarray, first: int) -> None:
        finite = np.isfinite(totals)
        require(
            bool(finite.all()),
            f"{self.who}: its return in test task {first + int(np.argmin(finite))} is not "
            "finite; the environment gives rewards or observations that are NaN or infinite.",
        )


def play_of(kept: Kept) -> Play:
    """Returns what came of a part of the kind `play` or `greedy`."""
    reached = kept["begun"] > 0
    means = kept["sums"][reached] / kept["begun"][reached]
    return Play(kept["totals"], tuple(means.tolist()))
