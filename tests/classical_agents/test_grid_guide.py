"""Who knows the goal of a grid earns the optimum, in every episode."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from metarl.classical_agents import make
from metarl.environments import Trial, load, play


@pytest.mark.parametrize(
    ("start", "pixels"), [("random", 0), ("corner", 0), ("random", 1), ("corner", 3)]
)
def test_the_oracle_earns_the_optimum_in_every_grid_also_where_it_is_seen_as_a_picture(
    start, pixels
):
    grid = load("gridworld", size=4, horizon=9, start=start, pixels=pixels)
    trial = Trial(grid, episodes=2)
    tasks = grid.sample_tasks(jax.random.key(0), 40, "test")
    earned = play(make("oracle", trial), trial, jax.random.key(1), tasks).returns
    assert grid.optimal_return is not None
    best = np.asarray(jax.vmap(grid.optimal_return)(tasks))
    np.testing.assert_allclose(earned, np.stack([best, best], axis=1), rtol=1e-5)
