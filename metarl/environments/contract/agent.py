"""The contract of an agent: three functions, behind which learnt and hand-made ones cannot be told apart.

    init(key, trial, task) -> state                      the task only for an agent that may see it
    act(key, state, observation) -> action, state
    observe(state, observation, action, reward, terminated, truncated, next_observation) -> state

An agent is written for one world and vmapped over tasks. Its state is kept through all episodes of a
trial. Numbers it is built with (a learnt network, the c of UCB1) are held in `jax.tree_util.Partial`,
so an agent is itself a PyTree: one compiled program serves all settings of a kind.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=["init", "act", "observe"],
    meta_fields=["sees_task"],
)
@dataclass(frozen=True)
class Agent:
    """Something that acts in one trial and may learn within it; make one with `make_agent`."""

    init: Callable[..., Any]
    """key, trial, task (None unless `sees_task`) -> state"""

    act: Callable[..., tuple[Any, Any]]
    """key, state, observation -> action, state"""

    observe: Callable[..., Any]
    """state, observation, action, reward, terminated, truncated, next_observation -> state.

    `next_observation` is where the step led; where an episode ended, its last observation, while
    the next `act` sees the first one of the next episode."""

    sees_task: bool = False
    """An oracle: `init` is given the task."""

    def __repr__(self) -> str:
        """Returns whose it is, without the numbers it is built with, which may be a whole network."""
        owner = getattr(self.act, "func", self.act)
        where = f"{getattr(owner, '__module__', '?')}.{getattr(owner, '__qualname__', '?')}"
        return f"<Agent by {where}{', sees the task' if self.sees_task else ''}>"


def make_agent(
    init: Callable[..., Any],
    act: Callable[..., tuple[Any, Any]],
    observe: Callable[..., Any],
    *numbers: Any,
    sees_task: bool = False,
) -> Agent:
    """Returns the agent of three functions, each of which takes `numbers` first.

    Args:
      init: (*numbers, key, trial, task) -> state.
      act: (*numbers, key, state, observation) -> action, state.
      observe: (*numbers, state, observation, action, reward, terminated, truncated,
        next_observation) -> state.
      *numbers: PyTrees of arrays or numbers; traced, so two agents that differ in them alone share
        one compiled program. The functions are told apart by identity: define them at the top of a
        module, or cache what makes them.
      sees_task: whether `init` is given the task.
    """
    functions = (jax.tree_util.Partial(function, *numbers) for function in (init, act, observe))
    return Agent(*functions, sees_task=sees_task)
