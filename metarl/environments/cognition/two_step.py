"""The two-step task: a choice leads to one of two states, mostly its own, and the better state changes unseen.

Each round has two steps. In the first, action a leads to the second-stage state a + 1 with the
probability `common`, else to the other one; in the second, any action brings 1 with the
probability `reward` in the better state, with 1 - `reward` in the other, and one is back at the
first stage. After a round the two states change places with the probability `reversal`. So a reward
after a rare transition speaks for the action that was *not* taken: who knows what leads where takes
the other one next, and who only repeats what paid takes the same.

    observation   0 at the first stage, 1 or 2 at the second
    info          "better": the better state of the round, which nobody is told
    drawn=false   the paper's: `common` .8 and `reward` .9 in every task, so all splits are the same
    drawn=true    `common` ~ U(.65, .95), `reward` ~ U(.75, .95), and whether the two actions have
                  changed places: to be learnt within a trial, disjoint splits

Letters: N rounds of an episode; H = 2 N.

References: Daw et al. (2011), Neuron 69; Akam et al. (2015), PLoS Computational Biology 11 (both second-stage
states have no choice, reversals); Wang et al. (2018), Nature Neuroscience 21, "Prefrontal cortex as a
meta-reinforcement learning system", simulation 4, also arXiv:1611.05763, section 3.3.1. Differs from them:
no fixation step before the choice.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from gymnasium import spaces

from metarl.errors import require

from ..contract.environment import Environment, Split, Step
from ..contract.setting_checks import real_number, whole_number, yes_or_no
from .pictures import draw_two_step

COMMON, REWARD = (0.65, 0.95), (0.75, 0.95)  # ranges of what is drawn


class TwoStepTask(NamedTuple):
    """A task."""

    common: jax.Array  # [] probability of an action's common transition
    reward: jax.Array  # [] probability of a reward in the better state
    swapped: jax.Array  # [] int32, 1 where action 0 commonly leads to state 2
    reversal: jax.Array  # [] probability that the states change places after a round


class TwoStepState(NamedTuple):
    """Where an episode stands."""

    place: jax.Array  # [] int32: 0 at the first stage, else the state of the second
    better: jax.Array  # [] int32, 1 or 2
    time: jax.Array  # [] int32, steps taken


def two_step(
    rounds: int = 100,
    common: float | None = None,
    reward: float | None = None,
    reversal: float = 0.025,
    drawn: bool = False,
) -> Environment:
    """Returns two-step tasks; the module's docstring tells their rules.

    Args:
      rounds: N.
      common: probability of an action's common transition, from 1/2 to 1; .8. Not if `drawn`.
      reward: probability of a reward in the better state, from 1/2 to 1; .9. Not if `drawn`.
      reversal: probability that the better state is the other one after a round, from 0 to 1/2.
      drawn: each task has probabilities of its own, and its own order of the actions.

    Raises:
      InvalidInput: a setting is not accepted.
    """
    rounds, drawn = whole_number("rounds", rounds), yes_or_no("drawn", drawn)
    settings: dict[str, Any] = {"rounds": rounds}
    require(
        not drawn or (common is None and reward is None),
        f"common is {common!r} and reward {reward!r}; with drawn=true each task has its own. Leave "
        "them out.",
    )
    if not drawn:
        settings["common"] = _probability("common", 0.8 if common is None else common, 0.5, 1)
        settings["reward"] = _probability("reward", 0.9 if reward is None else reward, 0.5, 1)
    settings["reversal"] = _probability("reversal", reversal, 0, 0.5)
    settings["drawn"] = drawn
    horizon, known = 2 * rounds, jnp.float32(settings["reversal"])

    def draw_task(key: jax.Array, split: Split) -> TwoStepTask:
        del split
        if not drawn:
            fixed = jnp.float32(settings["common"]), jnp.float32(settings["reward"])
            return TwoStepTask(*fixed, jnp.zeros((), jnp.int32), known)
        common_key, reward_key, swap_key = jax.random.split(key, 3)
        return TwoStepTask(
            jax.random.uniform(common_key, minval=COMMON[0], maxval=COMMON[1]),
            jax.random.uniform(reward_key, minval=REWARD[0], maxval=REWARD[1]),
            jax.random.randint(swap_key, (), 0, 2),
            known,
        )

    def reset(key: jax.Array, task: TwoStepTask) -> tuple[jax.Array, TwoStepState]:
        del task
        zero = jnp.zeros((), jnp.int32)
        return zero, TwoStepState(zero, jax.random.randint(key, (), 1, 3), zero)

    def step(key: jax.Array, state: TwoStepState, action: jax.Array, task: TwoStepTask) -> Step:
        luck_key, reversal_key = jax.random.split(key)
        first, luck = state.place == 0, jax.random.uniform(luck_key)
        rare = (luck >= task.common).astype(jnp.int32)
        led_to = 1 + (action.astype(jnp.int32) ^ task.swapped ^ rare)
        rewarded = ~first & (luck < _chance(state, task))
        reverses = ~first & (jax.random.uniform(reversal_key) < task.reversal)
        better = jnp.where(reverses, 3 - state.better, state.better)
        following = TwoStepState(jnp.where(first, led_to, 0), better, state.time + 1)
        over = following.time >= horizon
        info = {"better": state.better}
        return Step(following.place, following, rewarded * 1.0, over, jnp.zeros((), bool), info)

    def mean_reward(state: TwoStepState, action: jax.Array, task: TwoStepTask) -> jax.Array:
        del action
        return jnp.where(state.place == 0, 0.0, _chance(state, task))

    return Environment(
        name="two-step",
        settings=settings,
        observation_space=spaces.Discrete(3),
        action_space=spaces.Discrete(2),
        horizon=horizon,
        draw_task=draw_task,
        reset=reset,
        step=step,
        fixed_length=True,
        shared_tasks=not drawn,
        mean_reward=mean_reward,
        task_features=lambda task: jnp.stack(
            [6 * (task.common - 0.8), 6 * (task.reward - 0.85), 2.0 * task.swapped - 1]
        ),
        views={"graph": draw_two_step},
        description=f"two-step tasks of {rounds} rounds: mostly common transitions, to the better of two "
        "states, which change places",
    )


def _chance(state: TwoStepState, task: TwoStepTask) -> jax.Array:
    """Returns the probability of a reward in a second-stage state."""
    return jnp.where(state.place == state.better, task.reward, 1 - task.reward)


def _probability(name: str, value: Any, low: float, high: float) -> float:
    number = real_number(name, value, low)
    require(number <= high, f"{name} is {value!r}; it must be from {low:g} to {high:g}.")
    return number
