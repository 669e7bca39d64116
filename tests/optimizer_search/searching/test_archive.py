"""The archive of the best distinct rules, and the cache of all."""

from __future__ import annotations

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search.screening.probes import BLOCKS, COORDINATES
from metarl.optimizer_search.searching.archive import Archive, _groups, _members_before
from metarl.optimizer_search.searching.cache import Cache
from metarl.update_rules import Grammar, parse

GRAMMAR = Grammar("icml", depth=1)
N = BLOCKS * COORDINATES


def direction(seed):
    return np.random.default_rng(seed).standard_normal(N)


def near(seed, distance=0.02):
    """An update at a small angle from `direction(seed)`, and of another size."""
    away = np.random.default_rng(1000 + seed).standard_normal(N)
    return 3.0 * (direction(seed) + distance * away)


def add(archive, rewards, outputs, first_token=0):
    count = len(rewards)
    tokens = np.zeros((count, 5), np.int32)
    tokens[:, 0] = first_token + np.arange(count)
    losses = -np.asarray(rewards)[:, None] * np.ones((1, 2))
    archive.add(tokens, np.asarray(rewards), np.full((count, 2), 1e-3), losses, np.stack(outputs))


def rewards_of(entries):
    return [round(float(entry.reward), 3) for entry in entries]


def test_the_best_of_each_group_of_near_duplicates_speaks_for_it():
    archive = Archive()
    outputs = [direction(0), near(0), direction(1), near(1), direction(2)]
    add(archive, [0.1, 0.5, 0.4, 0.3, 0.2], outputs)
    best = archive.best(10)
    assert rewards_of(best) == [0.5, 0.4, 0.2]
    assert [entry.tokens[0] for entry in best] == [1, 2, 4]
    assert len(archive) == 5


def test_rules_further_apart_are_not_grouped():
    archive = Archive()
    add(archive, [0.2, 0.1], [direction(0), near(0, distance=0.3)])
    assert rewards_of(archive.best(2)) == [0.2, 0.1]


def test_a_rule_that_decays_is_no_duplicate_of_one_that_does_not():
    steady = direction(0).reshape(BLOCKS, COORDINATES)
    decaying = steady * np.linspace(1.0, 0.1, BLOCKS)[:, None]
    archive = Archive()
    add(archive, [0.2, 0.1], [steady.reshape(-1), decaying.reshape(-1)])
    assert len(archive.best(2)) == 2


def test_adding_in_pieces_gives_what_adding_at_once_gives():
    rewards = np.random.default_rng(0).permutation(40) / 40
    outputs = [direction(index % 10) if index % 3 else near(index % 10) for index in range(40)]
    whole, pieces = Archive(), Archive()
    add(whole, rewards, outputs)
    for first in range(0, 40, 10):
        add(pieces, rewards[first : first + 10], outputs[first : first + 10], first_token=first)
    assert rewards_of(whole.best(99)) == rewards_of(pieces.best(99))
    np.testing.assert_array_equal(whole.to_arrays()["tokens"], pieces.to_arrays()["tokens"])


def test_the_worst_leave_when_the_archive_is_full():
    archive = Archive(capacity=3)
    add(archive, [0.1, 0.2, 0.3, 0.4], [direction(seed) for seed in range(4)])
    add(archive, [0.25], [direction(9)])
    assert rewards_of(archive.best(9)) == [0.4, 0.3, 0.25]


def test_a_crowd_of_duplicates_leaves_room_for_others():
    archive = Archive(capacity=10)
    crowd = [near(0, distance=0.001 * index) for index in range(30)]
    add(archive, [1.0 + index for index in range(30)], crowd)
    add(archive, [0.1, 0.2], [direction(1), direction(2)])
    assert rewards_of(archive.best(9)) == [30.0, 0.2, 0.1]


def test_an_empty_archive_has_no_best():
    assert Archive().best(3) == [] and len(Archive()) == 0


def test_rules_are_named_by_their_canonical_text():
    archive = Archive()
    tokens = np.stack([GRAMMAR.to_tokens(parse(text)) for text in ("m * g", "adam")])
    rates = losses = np.ones((2, 1))
    archive.add(tokens, np.array([0.1, 0.2]), rates, losses, np.stack([direction(0), direction(1)]))
    assert archive.texts(GRAMMAR, 2) == ["adam", str(parse("m * g").canonical())]


@pytest.mark.parametrize("count", [0, 12])
def test_an_archive_comes_back_from_its_arrays(count):
    archive = Archive(capacity=8)
    if count:
        add(archive, np.arange(count) / count, [direction(seed) for seed in range(count)])
    arrays = archive.to_arrays()
    assert not any(array.dtype.hasobject for array in arrays.values())
    again = Archive.from_arrays(arrays)
    for before, after in zip(archive.best(99), again.best(99), strict=True):
        for one, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(one, other)
    add(archive, [9.0], [near(3)])
    add(again, [9.0], [near(3)])
    assert rewards_of(archive.best(99)) == rewards_of(again.best(99))


@pytest.mark.parametrize("share", [0.0, 0.02, 0.2, 0.9])
def test_groups_and_the_places_in_them_are_those_of_a_plain_loop(share):
    generator = np.random.default_rng(0)
    for count in (0, 1, 2, 40):
        near = generator.random((count, count)) < share
        near |= near.T | np.eye(count, dtype=bool)
        leaders, expected = [], []
        for row in range(count):
            found = next((leader for leader in leaders if near[row, leader]), row)
            leaders += [row] * (found == row)
            expected.append(found)
        groups = _groups(near)
        assert groups.tolist() == expected
        before = [expected[:row].count(group) for row, group in enumerate(expected)]
        assert _members_before(groups).tolist() == before


def fingerprint(index):
    return int(index).to_bytes(16, "little")


def test_the_cache_remembers_rewards_and_learning_rates():
    cache = Cache()
    cache.add(fingerprint(0), -0.5, np.array([1e-3, np.nan]))
    assert fingerprint(0) in cache and fingerprint(1) not in cache
    earned = cache.get(fingerprint(0))
    assert earned is not None and earned.reward == -0.5
    np.testing.assert_array_equal(earned.learning_rates, np.array([1e-3, np.nan], np.float32))
    assert cache.get(fingerprint(1)) is None


@pytest.mark.parametrize("count", [0, 3])
def test_a_cache_comes_back_from_its_arrays(count):
    cache = Cache()
    for index in range(count):
        cache.add(fingerprint(index), 0.1 * index, np.array([10.0**index, 1.0]))
    again = Cache.from_arrays(cache.to_arrays())
    assert len(again) == count
    for index in range(count):
        assert again.get(fingerprint(index)) == cache.get(fingerprint(index))


def test_ten_thousand_rules_are_below_a_megabyte():
    cache = Cache()
    for index in range(10_000):
        cache.add(fingerprint(index), 0.0, np.ones(3))
    assert sum(array.nbytes for array in cache.to_arrays().values()) < 1e6


def test_a_damaged_cache_is_refused():
    cache = Cache()
    cache.add(fingerprint(0), 0.0, np.ones(1))
    arrays = cache.to_arrays()
    arrays["rewards"] = np.zeros(2, np.float32)
    with pytest.raises(InvalidInput, match="stored cache is damaged"):
        Cache.from_arrays(arrays)
