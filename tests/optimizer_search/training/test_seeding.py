"""Seeds of the stages of an experiment."""

from __future__ import annotations

import itertools

import pytest

from metarl.optimizer_search.training.seeding import _STAGES, Stage, replicate_seeds

STAGES: tuple[Stage, ...] = tuple(_STAGES)


def test_stages_share_no_seed():
    for root in (0, 1, 12345):
        drawn = {stage: set(replicate_seeds(root, stage, 200)) for stage in STAGES}
        for one, other in itertools.combinations(STAGES, 2):
            assert not drawn[one] & drawn[other], (root, one, other)


@pytest.mark.parametrize("stage", STAGES)
def test_longer_lists_begin_like_shorter_ones(stage):
    longest = replicate_seeds(3, stage, 100)
    for count in (0, 1, 7, 60):
        assert replicate_seeds(3, stage, count) == longest[:count]


def test_seeds_are_distinct_small_and_not_those_of_another_root():
    seeds = replicate_seeds(0, "report", 1000)
    assert len(set(seeds)) == 1000
    assert all(isinstance(seed, int) and 0 <= seed < 2**28 for seed in seeds)
    assert max(replicate_seeds(0, "meta-overfitting", 1000)) < 2**29
    assert len(set(seeds) & set(replicate_seeds(1, "report", 1000))) < 5
    assert replicate_seeds(2**40, "choice", 3) != replicate_seeds(0, "choice", 3)
