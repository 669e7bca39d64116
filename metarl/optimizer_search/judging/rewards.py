"""rewards: from the losses of a rule's runs to one finite number; more is better.

"loss": minus the mean log of the rule's loss relative to tuned Adam's on the same replicate, over replicates
and judges: 0 is as good as Adam, 0.1 is 10 % less loss. "accuracy": the mean metric, as in the paper, where
a diverged run counts as chance.

Letters: K rules, S replicates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from metarl.errors import require
from metarl.problems import Problem

from .candidates import Verdicts

# The reward of a rule that was filtered, diverged or was not worth a full run, under "loss".
FLOOR = -5.0
# Losses below this are zero for all that single precision can tell.
_TINY = 1e-12


def loss_rewards(
    verdicts: Mapping[str, Verdicts],
    reference: Mapping[str, np.ndarray],
    cap: float | None = None,
) -> np.ndarray:
    """Returns -mean log(loss / Adam's loss), clipped to [-5, 5]; the floor for a rule with any diverged run.

    Args:
      verdicts: by judge, losses [K, S].
      reference: by judge, tuned Adam's losses on the same replicates, [S].
      cap: the most that a judge's mean over replicates counts; None for no cap.

    Returns:
      Rewards, [K].
    """
    ratios = [
        run_rewards(verdict, reference[name]).mean(axis=1) for name, verdict in verdicts.items()
    ]
    if cap is not None:
        ratios = np.minimum(ratios, cap)
    return np.nan_to_num(np.mean(ratios, axis=0), neginf=FLOOR).astype(np.float32)


def run_rewards(verdict: Verdicts, reference: np.ndarray) -> np.ndarray:
    """Returns -log(loss / Adam's loss) of every run, clipped to [-5, 5], [K, S]; -inf where it diverged."""
    return relative_scores(verdict.losses, reference)


def relative_scores(losses: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Returns -log(loss / Adam's loss), clipped to [-5, 5], [..., S]; -inf for a loss that is not finite.

    Args:
      losses: [..., S].
      reference: tuned Adam's losses on the same replicates, [S].
    """
    finite = np.isfinite(losses)
    logarithms = np.log(np.maximum(np.where(finite, losses, 1.0), _TINY))
    relative = np.log(np.maximum(reference, _TINY)) - logarithms
    return np.where(finite, np.clip(relative, FLOOR, -FLOOR), -np.inf)


def metric_rewards(verdicts: Mapping[str, Verdicts], problems: Mapping[str, Problem]) -> np.ndarray:
    """Returns the mean metric, [K]; diverged runs count as chance, metrics that fall with quality are negated."""
    scores = [
        metric_scores(verdict, problems[name]).mean(axis=1) for name, verdict in verdicts.items()
    ]
    return np.mean(scores, axis=0).astype(np.float32)


def metric_scores(verdict: Verdicts, problem: Problem) -> np.ndarray:
    """Returns the metric of every run, [K, S], negated if it falls with quality; chance where it diverged."""
    sign = 1.0 if problem.higher_is_better else -1.0
    good = np.isfinite(verdict.losses) & np.isfinite(verdict.metrics)
    return sign * np.where(good, verdict.metrics, _chance(problem))


def metric_floor(problems: Sequence[Problem]) -> float:
    """Returns the reward of a rule that does no better than chance.

    Raises:
      InvalidInput: a problem has no metric.
    """
    signs = [1.0 if problem.higher_is_better else -1.0 for problem in problems]
    return float(np.mean([s * _chance(p) for s, p in zip(signs, problems, strict=True)]))


def _chance(problem: Problem) -> float:
    require(
        problem.metric is not None and problem.chance is not None,
        f"Problem {problem.name!r} has no metric, so `--reward accuracy` cannot judge on it. Use `--reward loss`.",
    )
    return float(problem.chance)  # type: ignore[arg-type]
