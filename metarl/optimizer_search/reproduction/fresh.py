"""fresh: a rule beside Adam on seeds that neither its search nor its choice has seen.

Both are tuned alike for each judge: to an eighth of a decade about the rate that they come with, over decades first
where none is known, as on problems that the search does not see. All on choice data.

Letters: L tokens, J judges, R learning rates.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from metarl.problems import Problem
from metarl.update_rules import parse

from ..judging.candidates import Trial, in_the_ways_of
from ..judging.judges import judges_of
from ..judging.panel import Panel, Scores
from ..judging.rewards import FLOOR
from ..searching.search_job import SearchJob

_EIGHTHS = 10.0 ** (np.arange(-4, 5) / 8.0)  # of a decade, half a decade either way
_DECADES = 10.0 ** np.arange(-6.0, 3.0)  # as many, so that one program serves both
_FRESH = 1_000_000  # is added to the seed of a search


class FreshJudges:
    """Judges on fresh seeds, and how Adam does there, tuned as rules are.

    Args:
      panel: the judges.
      adams_rate: name of a judge -> Adam's learning rate, about which it is tuned; over decades first if None.
    """

    def __init__(self, panel: Panel, adams_rate: Callable[[str], float] | None = None):
        """Tunes Adam."""
        self.panel = panel
        adam = panel.grammar.to_tokens(parse("adam"))
        rates = None if adams_rate is None else np.array([adams_rate(n) for n in panel.names])
        self._adam = self._tuned(adam, rates)

    def less_adams(self, tokens: np.ndarray, rates: np.ndarray | None = None) -> Scores:
        """Returns the scores of one rule less Adam's.

        Args:
          tokens: [L].
          rates: [J] about which it is tuned, to an eighth of a decade; over decades first if None.
        """
        found, adam = self._tuned(tokens, rates), self._adam
        return found._replace(
            total=found.total - adam.total,
            by_judge={name: found.by_judge[name] - adam.by_judge[name] for name in found.by_judge},
            replicates=found.replicates - adam.replicates,
        )

    def _tuned(self, tokens: np.ndarray, rates: np.ndarray | None) -> Scores:
        if rates is None:
            first = np.tile(np.asarray(_DECADES, np.float32), (1, len(self.panel.names), 1))
            coarse = self.panel.scores(tokens[None], first)
            rates = np.concatenate([coarse.rates[name] for name in self.panel.names])
        tried = np.asarray(rates[None, :, None] * _EIGHTHS, np.float32)  # [1, J, R]
        found = self.panel.scores(tokens[None], tried)
        return found._replace(replicates=np.maximum(found.replicates, FLOOR))


def fresh_panel(
    job: SearchJob,
    problems: Sequence[Problem],
    horizons: Sequence[float],
    tuning_seeds: int,
    report_seeds: int,
) -> Panel:
    """Returns problems as judges on seeds that neither a search nor its choice has seen.

    Args:
      job: the search; runs go as its own do.
      problems: of the judges.
      horizons: of each.
      tuning_seeds: on which rates are tuned.
      report_seeds: on which rules are then run.
    """

    def trial(steps: int) -> Trial:
        return Trial(
            steps,
            steps,
            tuning_seeds,
            report_seeds,
            len(_EIGHTHS),
            **in_the_ways_of(job.config.training),
        )

    judges = judges_of(problems, job.config.training.steps, horizons)
    config = dataclasses.replace(job.config, seed=job.config.seed + _FRESH)
    return Panel(judges, job.grammar, config, "choice", trial)
