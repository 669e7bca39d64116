"""Minibatches: a partition, by groups where there are several."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.policy_gradient.batch import shuffled_minibatches


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_every_sequence_comes_once_whole_and_in_as_many_of_each_group(groups):
    rows = jnp.arange(24)
    data = {"number": rows, "squares": jnp.stack([rows, rows**2], axis=1)}
    cut = shuffled_minibatches(jax.random.key(0), data, 3, groups)
    assert cut["number"].shape == (3, 8) and cut["squares"].shape == (3, 8, 2)
    assert sorted(np.ravel(cut["number"])) == list(range(24))
    np.testing.assert_array_equal(cut["squares"][..., 1], cut["number"] ** 2)
    for minibatch in np.asarray(cut["number"]):
        of_group = np.bincount(minibatch // (24 // groups), minlength=groups)
        assert groups == 1 or set(of_group) == {8 // groups}


def test_groups_are_shuffled_each_in_its_own_way():
    cut = shuffled_minibatches(jax.random.key(1), jnp.arange(40), 1, 2)[0]
    first, second = np.asarray(cut[:20]), np.asarray(cut[20:]) - 20
    assert not np.array_equal(first, np.arange(20))
    assert not np.array_equal(first, second)
