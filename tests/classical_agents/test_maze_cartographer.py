"""Who goes by the map it draws: it finds goals without being given the task, and then knows the way."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
import pytest

from metarl.classical_agents import make
from metarl.classical_agents.maze_cartographer import follow
from metarl.classical_agents.maze_steering import FORWARD, LEFT, RIGHT
from metarl.environments import Trial, load, play_split
from metarl.environments.mazes.inner_learning import TOLD


@pytest.mark.parametrize(
    ("to_goal", "to_new", "action"),
    [
        ((0, 0), (40, 1), LEFT),
        ((0, 0), (-40, 0.5), RIGHT),
        ((5, 0.1), (90, 1), FORWARD),  # the goal is seen, however far
        ((-170, 0.8), (0, 1), RIGHT),
        ((0, 0), (-8, 1), FORWARD),  # a step turns by 15°
    ],
)
def test_it_turns_to_where_the_plan_leads_and_walks(to_goal, to_new, action):
    plans = [
        (math.sin(math.radians(angle)), math.cos(math.radians(angle)), worth)
        if worth
        else (0, 0, 0)
        for angle, worth in (to_goal, to_new)
    ]
    shown = jnp.zeros(TOLD).at[:6].set(jnp.array(plans, jnp.float32).ravel())
    assert follow(shown, jnp.int32(4)) == action


def test_it_finds_the_goal_by_what_it_sees_and_then_knows_the_way():
    trial = Trial(load("maze", size=4, width=20, height=15), episodes=2)
    agent = make("cartographer", trial)
    assert not agent.sees_task
    played = play_split(agent, trial, 0, 24, "test", 24)
    assert np.asarray(played.terminated).all()
    first, second = np.asarray(played.lengths).T
    assert second.mean() < 0.8 * first.mean()
    # Nobody who goes from middle to middle of cells is faster than who knows the map.
    oracle = play_split(make("oracle", trial), trial, 0, 24, "test", 24)
    shortest = np.asarray(oracle.lengths)[:, 1].mean()
    assert shortest - 2 < second.mean() < 1.1 * shortest
