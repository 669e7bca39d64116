"""Mazes of 5 x 5 cells, and explorers that are led through them step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import pytest

from metarl.classical_agents import make
from metarl.environments import Maze, Trial, load


class Explorer(NamedTuple):
    """The compiled functions of an agent that reckons where it stands, so that no observation is needed."""

    begin: Callable[[Maze], Any]
    """task -> memory"""

    act: Callable[[Any], jax.Array]
    """memory -> action"""

    observe: Callable[[Any, Any, bool], Any]
    """memory, action, whether the episode is over -> memory"""


@pytest.fixture(scope="session")
def maze_trial() -> Trial:
    """Two long episodes in small pictures."""
    return Trial(load("maze", size=5, horizon=1000, width=13, height=13), episodes=2)


@pytest.fixture(scope="session")
def mazes(maze_trial) -> list[Maze]:
    """Twenty test mazes."""
    draw = jax.jit(lambda key: maze_trial.environment.sample_tasks(key, 20, "test"))
    tasks = draw(jax.random.key(1))
    return [jax.tree.map(lambda x, index=index: x[index], tasks) for index in range(20)]


@pytest.fixture(scope="session")
def explorer_of(maze_trial) -> Callable[[str], Explorer]:
    """name -> the explorer of that name"""

    def explorer(name: str) -> Explorer:
        agent, key = make(name, maze_trial), jax.random.key(0)

        def observe(memory: Any, action: Any, over: bool) -> Any:
            return agent.observe(memory, None, action, 0.0, False, over, None)

        return Explorer(
            jax.jit(lambda task: agent.init(key, maze_trial, task)),
            jax.jit(lambda memory: agent.act(key, memory, None)[0]),
            jax.jit(observe),
        )

    return explorer
