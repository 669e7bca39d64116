"""An environment: a family of tasks, and pure functions that act in any one of them.

A *task* is one member of the family: the means of a bandit's arms, the tables of an MDP, the goal of
a grid. It is a PyTree that every function takes as an argument, so a batch of tasks is a batch of
arrays, and `vmap` over tasks is the loop over tasks. Nothing resets by itself: an episode ends with
`terminated` (the task says so; nothing is to be had afterwards) or `truncated` (the clock says so),
and a trial (`trials.py`) decides what follows.

Letters: N tasks; H steps of an episode at most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple

import jax
import numpy as np
from gymnasium import spaces

from metarl.errors import require

from .distributions import Distribution
from .setting_checks import whole_number
from .symmetries import Symmetries

Task = Any
State = Any
Observation = Any
Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


class Step(NamedTuple):
    """What one action leads to."""

    observation: Observation
    state: State
    reward: jax.Array  # [] float32
    terminated: jax.Array  # [] bool
    truncated: jax.Array  # [] bool
    info: dict[str, Any]


class Oracle(NamedTuple):
    """What is still to be had by who knows the task and plays it best: dynamic programming in two parts."""

    solve: Callable[[Task], Any]
    """task -> what `value` reads, computed once a task"""

    value: Callable[[Any, State], jax.Array]
    """what `solve` gave, state -> [] float32 expected return of the rest of the episode"""


class AuxiliaryTargets(NamedTuple):
    """What a memory may learn to predict in training, of which the simulator knows the truth: labels in two parts."""

    classes: Mapping[str, int]
    """how many classes each label has, by its name"""

    solve: Callable[[Task], Any]
    """task -> what `tell` reads, computed once a task"""

    tell: Callable[[Any, State], Mapping[str, jax.Array]]
    """what `solve` gave, state -> the labels by name, [] int32 each, from 0 to its classes less 1"""


class InnerLearning(NamedTuple):
    """A learner within the trial whose beliefs a network may be shown: of what the agent saw and did, nothing else."""

    size: int
    """how many numbers are shown"""

    revision: int
    """of what they mean: an agent that was trained with another has learnt other numbers"""

    begin: Callable[[int], Any]
    """steps of a trial -> what is believed before the first"""

    after: Callable[..., Any]
    """what is believed, observation, action, reward, the observation it led to, terminated, truncated -> what is
    believed after the step"""

    tell: Callable[[Any, Observation], jax.Array]
    """what is believed, the present observation -> [size] float32, what is shown"""


@dataclass(frozen=True, eq=False)
class Environment:
    """A family of tasks and its dynamics; every function is for one world, to be vmapped.

    Laws: `vmap` over tasks is the loop over tasks; the same key gives the same bits; no split holds
    a task of another, but where it says `shared_tasks`.
    """

    on_host: ClassVar[bool] = False
    """Its worlds are stepped on the host, and not compiled (`from_gymnasium`)."""

    name: str
    """Under which `load` finds it: "bandit", "mdp" ..., or "my_module:factory"."""

    settings: Mapping[str, Any]
    """With which `load(name, **settings)` gives it again; what JSON can hold."""

    observation_space: spaces.Space
    action_space: spaces.Space

    horizon: int
    """H: every episode ends, terminated or truncated, after at most so many steps."""

    draw_task: Callable[[jax.Array, Split], Task]
    """key, split -> task; use `sample_task`"""

    reset: Callable[[jax.Array, Task], tuple[Observation, State]]
    """key, task -> observation, state"""

    step: Callable[[jax.Array, State, jax.Array, Task], Step]
    """key, state, action, task -> Step"""

    fixed_length: bool = False
    """Every episode has exactly H steps."""

    shared_tasks: bool = False
    """All splits hold the same tasks, since there are too few to be dealt out: who does well on those
    of the test split may remember them from training."""

    optimal_return: Callable[[Task], jax.Array] | None = None
    """task -> expected return of an episode of who knows the task and plays it best"""

    mean_reward: Callable[[State, jax.Array, Task], jax.Array] | None = None
    """state, action, task -> [] float32 expected reward of the action there; for training with less
    noise (`--variance-reduction`), as is the next"""

    oracle: Oracle | None = None
    """The best expected return from any state on; about that, where there is no `optimal_return`."""

    task_features: Callable[[Task], jax.Array] | None = None
    """task -> [F] numbers of size one, for a value network that may see the task in training"""

    auxiliary_targets: AuxiliaryTargets | None = None
    """What there is to be remembered, as labels of a state, for a memory that learns to predict them in training
    (`--auxiliary-weight`)"""

    inner_learning: InnerLearning | None = None
    """What an inner learner makes of a trial, where observations are not discrete and a model is not simply counted
    (`--network.inner-values`)"""

    description: str = ""
    """One line for lists: what is to be learnt in it, and where it comes from."""

    distribution: Distribution | None = None
    """Of its tasks, as far as a reasoner may know it: from here hand-made agents take their priors"""

    observe: Callable[[State, Task], Observation] | None = None
    """state, task -> observation, where no more is needed to tell it and it costs something: a
    trial then makes one observation a step, also where an episode begins anew"""

    symmetries: Symmetries | None = None
    """Of what is seen and done, where a world turned round looks like one of the same family"""

    views: Mapping[str, Callable[[Task, State], np.ndarray]] = field(default_factory=dict)
    """Pictures for people, the usual one first: task, the states [T, ...] of an episode so far ->
    pixels [height, width, 3] uint8; on the host, not to be compiled"""

    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Anything else a reader of this family may want (for gymnasium: `render_modes`)."""

    def __copy__(self) -> Environment:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Environment:
        """Returns itself, which nothing changes: programs compiled for it serve all copies."""
        return self

    def sample_task(self, key: jax.Array, split: Split = "train") -> Task:
        """Draws a task.

        The same key gives another task in another split. Families with countably many tasks deal
        them out to the splits; where tasks are real numbers, streams that never meet do it.

        Args:
          key: consumed.
          split: "train", "validation" or "test".

        Raises:
          InvalidInput: there is no such split.
        """
        require(split in SPLITS, f"split is {split!r}; it must be one of {', '.join(SPLITS)}.")
        return self.draw_task(jax.random.fold_in(key, SPLITS.index(split)), split)

    def sample_tasks(self, key: jax.Array, count: int, split: Split = "train") -> Task:
        """Draws `count` tasks, independently: a task with leading axis [N].

        Raises:
          InvalidInput: `count` is not positive, or there is no such split.
        """
        whole_number("count", count)
        return jax.vmap(lambda key: self.sample_task(key, split))(jax.random.split(key, count))
