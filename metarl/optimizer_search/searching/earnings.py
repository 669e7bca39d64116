"""earnings: what the new rules of a generation earn by training, and what all its rules are told.

Rules are trained horizon by horizon; one at or below the hurdle stops there, with the reward it has. Rewards are
finite: whatever failed earns the floor. With `racing` most rules stop after short runs. With one multiple of Adam's
rate for all judges these are asked together, all horizons too, and the rates of what was earned are multiples.

Letters: K rules, L tokens, J judges.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..judging.candidates import Verdicts
from ..judging.judges import rounds
from ..judging.rewards import loss_rewards, metric_rewards
from ..screening import filters
from ..screening.probes import ProbeOutputs
from .archive import Archive
from .at_one_multiple import race_at_one_multiple
from .cache import Cache
from .programs import SearchPrograms, comes_with_its_rate
from .racing import SHARE, lowered, of_rules, race
from .sorting import Sorting


class Earned(NamedTuple):
    """What K rules earned by training."""

    rewards: np.ndarray  # [K] finite
    rates: (
        np.ndarray
    )  # [K, J]; NaN where a rule did not reach a judge; multiples of Adam's with one for all judges
    losses: np.ndarray  # [K, J]; +inf where a run diverged, or a rule did not reach a judge
    steps: int  # optimizer steps executed


def train(tokens: np.ndarray, sorting: Sorting, programs: SearchPrograms) -> Earned | None:
    """Returns what the new rules of a generation earn by training; None if there are none.

    Args:
      tokens: of all its rules, [K, L].
      sorting: which of them are new.
      programs: that judge them.
    """
    tokens, count = tokens[sorting.new], len(sorting.new)
    if count == 0:
        return None
    config = programs.config
    sweep = np.asarray(config.training.learning_rates, np.float32)
    grid, names = np.tile(sweep, (count, 1)), [judge.name for judge in programs.judges]
    rewards = np.full(count, programs.floor, np.float32)
    rates = np.full((count, len(names)), np.nan, np.float32)
    losses, steps = np.full((count, len(names)), np.inf, np.float32), 0
    going, verdicts = np.arange(count), {}
    in_turn = [programs.judges] if config.training.one_rate else rounds(programs.judges)
    for number, judges in enumerate(in_turn):
        raced = None
        if comes_with_its_rate(config):
            updates = sorting.outputs.update[sorting.new][going]
            share = SHARE if config.racing and number == 0 else 1.0
            if config.training.one_rate:
                raced = race_at_one_multiple(tokens[going], updates, programs, share)
            else:
                raced = race(tokens[going], updates, judges, programs, share)
            found, spent = raced.verdicts, raced.steps
        else:
            asked = [judge.name for judge in judges]
            found = programs.evaluator.evaluate(tokens[going], grid[going], asked)
            spent = sum(int(verdict.steps.sum()) for verdict in found.values())
        for name, verdict in found.items():
            rates[going, names.index(name)] = verdict.rate
            losses[going, names.index(name)] = verdict.losses.mean(axis=1)
        steps += spent
        verdicts |= found
        rewards[going] = so_far = _rewards(verdicts, programs)
        passes = so_far > _hurdle(programs)
        if raced is not None and number == 0:
            stopped = ~raced.went_on & (raced.short > programs.floor)
            rewards[going[stopped]] = lowered(raced.short[stopped], so_far[raced.went_on])
            passes &= raced.went_on
        going = going[passes]
        verdicts = of_rules(verdicts, passes)
        if len(going) == 0:
            break
    return Earned(_less_penalty(rewards, sorting, programs), rates, losses, steps)


def remember(
    tokens: np.ndarray, sorting: Sorting, earned: Earned | None, archive: Archive, cache: Cache
) -> None:
    """Adds a generation to the memory of a search: every trained rule to the cache, the good ones to the archive.

    Args:
      tokens: of all its rules, [K, L].
      sorting: which of them are new.
      earned: by the new ones.
      archive: changed.
      cache: changed.
    """
    if earned is None:
        return
    new = sorting.new
    for place, reward, rate in zip(new, earned.rewards, earned.rates, strict=True):
        cache.add(sorting.fingerprints[place], reward, rate)
    good = np.isfinite(earned.losses).all(axis=1)
    archive.add(
        tokens[new][good], earned.rewards[good], earned.rates[good], earned.losses[good],
        sorting.outputs.update[new][good],
    )  # fmt: skip


def told_rewards(sorting: Sorting, earned: Earned | None, cache: Cache, floor: float) -> np.ndarray:
    """Returns the rewards of all rules of a generation, [K]: earned now, earned before, or the floor."""
    rewards = np.full(len(sorting.passes), floor, np.float32)
    if earned is not None:
        rewards[sorting.new] = earned.rewards
    for place in np.flatnonzero(sorting.repeated):
        known = cache.get(sorting.fingerprints[place])
        rewards[place] = floor if known is None else known.reward
    return rewards


def _rewards(verdicts: Mapping[str, Verdicts], programs: SearchPrograms) -> np.ndarray:
    if programs.config.reward == "accuracy":
        return metric_rewards(verdicts, {judge.name: judge.problem for judge in programs.judges})
    references = {name: reference.losses for name, reference in programs.references.items()}
    return loss_rewards(verdicts, references, programs.config.training.judge_cap)


def _hurdle(programs: SearchPrograms) -> float:
    """The reward above which a rule goes on; a loss that is not finite cannot be made good by a longer run."""
    if programs.config.training.hurdle is not None:
        return programs.config.training.hurdle
    return programs.floor if programs.config.reward == "loss" else -np.inf


def _less_penalty(rewards: np.ndarray, sorting: Sorting, programs: SearchPrograms) -> np.ndarray:
    """Returns the rewards of the new rules less what they pay for not being odd; never below the floor."""
    penalty = programs.config.filters.oddness_penalty
    if penalty == 0:
        return rewards
    lacking = 1.0 - filters.oddness(ProbeOutputs(*(x[sorting.new] for x in sorting.outputs)))
    return np.maximum(rewards - penalty * lacking, programs.floor).astype(np.float32)
