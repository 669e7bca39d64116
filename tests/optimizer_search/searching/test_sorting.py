"""What becomes of the rules of a generation, and what they are told, against loops over made-up updates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from metarl.optimizer_search.screening.filters import Verdict
from metarl.optimizer_search.screening.probes import (
    BLOCKS,
    COORDINATES,
    ProbeOutputs,
    rule_fingerprints,
)
from metarl.optimizer_search.searching.archive import Archive
from metarl.optimizer_search.searching.cache import Cache
from metarl.optimizer_search.searching.earnings import Earned, remember, told_rewards
from metarl.optimizer_search.searching.sorting import Sorting, sort
from metarl.optimizer_search.settings.config import FilterConfig

FLOOR = -5.0
GRADIENTS = np.random.default_rng(0).normal(size=(BLOCKS, COORDINATES)).astype(np.float32)


def updates(number: int) -> np.ndarray:
    """Returns the update of a made-up rule: along the gradient, with a part of its own; rule 0 climbs."""
    own = np.random.default_rng(number).normal(size=BLOCKS * COORDINATES)
    return ((-1.0 if number == 0 else 1.0) * GRADIENTS.ravel() + 0.3 * own).astype(np.float32)


class MadeUpProbes:
    """Gives rule n, whose tokens are [n], the updates of `updates(n)`."""

    gradients = GRADIENTS

    def outputs(self, tokens: np.ndarray) -> ProbeOutputs:
        """Returns odd updates that depend on the state."""
        update = np.stack([updates(int(row[0])) for row in tokens])
        return ProbeOutputs(update, -update, update + 1)

    def exact_updates(self, tokens: np.ndarray) -> np.ndarray:
        """Returns the same updates; nothing is lost here that double precision would keep."""
        return np.reshape([updates(int(row[0])) for row in tokens], (len(tokens), GRADIENTS.size))


def sorted_rules(numbers: list[int], **given: Any) -> Sorting:
    known = {"known": set(), **given}
    return sort(np.array(numbers)[:, None], MadeUpProbes(), FilterConfig(), **known)  # type: ignore[arg-type]


def fingerprint(number: int) -> bytes:
    return rule_fingerprints(updates(number)[None])[0]


@pytest.mark.parametrize("room", [None, 0, 2, 9])
def test_a_rule_is_filtered_or_repeated_or_new_as_a_loop_has_it(room):
    numbers, known = [3, 0, 3, 5, 1, 2, 0, 4, 5, 6], {fingerprint(1)}
    flying = sorted_rules([4, 7])
    sorting = sorted_rules(numbers, known=known, in_flight=[flying], room=room)
    met, new, repeated = {1, 4, 7}, [], []
    for place, number in enumerate(numbers):
        if number != 0:
            (repeated if number in met else new).append(place)
            met.add(number)
    assert sorting.new.tolist() == new[:room]
    assert np.flatnonzero(sorting.repeated).tolist() == repeated
    assert [reason == Verdict.UPHILL for reason in sorting.reasons] == [n == 0 for n in numbers]
    assert sorting.distinct == len(set(numbers) - {0})


def test_what_does_not_fit_into_the_budget_of_a_flight_may_be_met_again():
    flying = sorted_rules([4, 7], room=1)
    assert sorted_rules([4, 7], in_flight=[flying]).new.tolist() == [1]


def test_rules_are_told_what_they_earn_now_what_they_earned_before_or_the_floor():
    archive, cache = Archive(), Cache()
    cache.add(fingerprint(1), 0.5, np.array([0.1]))
    numbers = [2, 0, 1, 3, 2, 4]
    sorting = sorted_rules(numbers, known=cache, room=2)
    earned = Earned(
        np.array([0.25, FLOOR], np.float32), np.ones((2, 1)), np.array([[1.0], [np.inf]]), 7
    )
    remember(np.array(numbers)[:, None], sorting, earned, archive, cache)
    rewards = told_rewards(sorting, earned, cache, FLOOR)
    assert rewards.tolist() == [0.25, FLOOR, 0.5, FLOOR, 0.25, FLOOR]
    assert [int(rule.tokens[0]) for rule in archive.best(9)] == [2]  # rule 3 diverged
    assert all(fingerprint(number) in cache for number in (1, 2, 3)) and len(cache) == 3


def test_a_generation_without_a_new_rule_changes_nothing_that_is_remembered():
    archive, cache = Archive(), Cache()
    sorting = sorted_rules([0, 0])
    remember(np.zeros((2, 1)), sorting, None, archive, cache)
    assert told_rewards(sorting, None, cache, FLOOR).tolist() == [FLOOR, FLOOR]
    assert len(archive) == len(cache) == 0
