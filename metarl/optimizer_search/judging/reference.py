"""reference: tuned Adam on the replicates of a search, what every rule's loss is measured against.

optax's own Adam takes the best of fifteen half-decades by its mean loss on the very replicates that it is
then the yardstick on: a little better than any fair tuning would make it, so that a positive reward means
something. Its rates have the schedule of the rules'. Where its rate itself matters, the eighths of a decade
beside the best are tried too.

Letters: R learning rates, S replicates.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from metarl.errors import require
from metarl.problems import Problem

from ..training.inner_training import (
    Fixture,
    at_own_width,
    held_out_score,
    optax_learner,
    start,
    steps_of,
    train,
    versions,
)
from ..training.schedules import scheduled
from .candidates import Judgement, Trial

HALF_DECADES = 10.0 ** (np.arange(-10, 5) / 2.0)
NEAR = 10.0 ** (np.array([0, -2, -1, 1, 2]) / 8.0)  # eighths of a decade; of equal rates the first


class Reference(NamedTuple):
    """Tuned Adam."""

    losses: np.ndarray  # [S], of the full replicates
    learning_rate: float


def adam_losses(
    problem: Problem, judgement: Judgement, trial: Trial, rates: np.ndarray
) -> np.ndarray:
    """Returns Adam's losses at learning rates on the full replicates of a judgement, [R, S]."""
    fixture = judgement.data[0]
    replicates = jnp.arange(trial.sweep_replicates, trial.replicates)

    def loss_at(
        problem: Problem, fixture: Fixture, rate: jax.Array, replicate: jax.Array
    ) -> jax.Array:
        steps = steps_of(fixture, replicate, trial.full_steps)
        rates = scheduled(rate, 0, (trial.schedule,), steps)
        learner = optax_learner(optax.adam(rates))
        place = (problem, judgement.layout, learner, fixture, replicate)
        run = start(learner, fixture, replicate)
        return held_out_score(*place, train(*place, run, jnp.int32(steps)))[0]

    def loss(rate: jax.Array, replicate: jax.Array) -> jax.Array:
        widths = versions(problem, judgement.layout, fixture)
        branches = [partial(loss_at, *version, rate, replicate) for version in widths]
        return at_own_width(fixture, replicate, branches)

    @jax.jit
    def all_losses(rates: jax.Array) -> jax.Array:  # [R] -> [R, S]
        return lax.map(lambda rate: lax.map(lambda r: loss(rate, r), replicates), rates)

    return np.asarray(all_losses(jnp.asarray(rates, jnp.float32)))


def finely_tuned_adam(
    problem: Problem, judgement: Judgement, trial: Trial, tuned_on: int | None = None
) -> Reference:
    """Returns Adam at its best learning rate, to an eighth of a decade, on the full replicates of a judgement.

    Args:
      problem: of the judgement.
      judgement: whose replicates it is run on.
      trial: how.
      tuned_on: replicates that its rate is tuned on, the first; all if not given.

    Raises:
      InvalidInput: as `tuned_adam`, or it diverges or ends below zero on a replicate that it was not tuned on.
    """
    few = replace(
        trial, full_replicates=min(trial.full_replicates, tuned_on or trial.full_replicates)
    )
    rates = NEAR * tuned_adam(problem, judgement, few).learning_rate
    runs = adam_losses(problem, judgement, trial, rates)  # [R, S]
    best = int(runs[:, : few.full_replicates].mean(axis=1).argmin())
    rate, losses = rates[best], runs[best]
    require(
        bool(np.isfinite(losses).all() and (losses >= 0).all()),
        f"Problem {problem.name!r}: Adam at its best learning rate, {rate:g}, diverges or ends below "
        "zero on some seeds, so nothing can be measured against it there.",
    )
    return Reference(losses, float(rate))


def tuned_adam(problem: Problem, judgement: Judgement, trial: Trial) -> Reference:
    """Returns Adam at its best learning rate on the full replicates of a judgement.

    Raises:
      InvalidInput: Adam diverges on this problem at every learning rate, or ends below zero, where there are no ratios.
    """
    losses = adam_losses(problem, judgement, trial, HALF_DECADES)
    best = int(np.argmin(losses.mean(axis=1)))
    require(
        bool(np.isfinite(losses[best]).all()),
        f"Problem {problem.name!r}: tuned Adam diverges at every learning rate from 1e-5 to 100, so nothing can be "
        "measured against it.",
    )
    require(
        bool((losses[best] >= 0).all()),
        f"Problem {problem.name!r}: tuned Adam ends at a loss of {losses[best].min():.3g}, and a search is "
        "rewarded for the logarithm of losses relative to Adam's. Add a constant that keeps the loss above zero, or "
        "use `--reward accuracy`.",
    )
    return Reference(losses[best], float(HALF_DECADES[best]))
