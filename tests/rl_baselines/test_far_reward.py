"""What experiments/far_reward measures: when a reward was first earned, and who reaches it in the end."""

from __future__ import annotations

import runpy
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.environments import Trial, load, make_agent

FILE = Path(__file__).parents[2] / "experiments" / "far_reward" / "far_reward.py"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="needs a checkout")
RIGHT, STAY, STEPS = 1, 4, 20


@pytest.mark.parametrize(("goes_from", "goes_until"), [(7, 10**6), (0, STEPS), (STEPS, 10**6)])
def test_the_first_reward_and_what_is_reached_after_all_steps_are_told_apart(goes_from, goes_until):
    """An agent that walks to the goal, two cells to the right, in some of its steps."""
    room = load("dark-room", size=5, horizon=4, hard=True)

    def act(key, step, observation):
        walks = (step >= goes_from) & (step < goes_until)
        return jnp.where(walks, RIGHT, STAY), step

    agent = make_agent(
        lambda key, trial, task: jnp.int32(0), act, lambda step, *what_happened: step + 1
    )
    live_once = runpy.run_path(str(FILE))["live_once"]
    task = jax.tree.map(lambda all_: all_[0], room.sample_tasks(jax.random.key(0), 1))
    task = task._replace(targets=jnp.array([14], jnp.int32))
    found, reached = live_once(agent, Trial(room, steps=STEPS), jax.random.key(1), task)
    naive = [s + 1 for s in range(STEPS) if _is_there(s, goes_from, goes_until)]
    assert found == (naive[0] if naive else np.inf)
    assert reached == (goes_until > STEPS)


def _is_there(step: int, goes_from: int, goes_until: int) -> bool:
    """Whether the second walk of an episode of four steps is this step."""
    walked = [s for s in range(step - step % 4, step + 1) if goes_from <= s < goes_until]
    return len(walked) == 2 and walked[-1] == step
