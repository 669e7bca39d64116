"""RiverSwim: a swimmer at the left end of a river; upstream, far to the right, lies what is worth the way.

S states in a row. Swimming with the current always leads one state to the left; against it

    from the first state    on with q + .25, else one stays                (.6, .4)
    from those between      on with q, stays with .95 - q, back with .05   (.35, .6, .05)
    in the last state       stays with q + .25, else back                  (.6, .4)

The leftmost state brings .005 for swimming with the current, the last one 1 for swimming against it. Who
explores at random hardly ever gets there. In brackets: q = .35, the usual river.

    drawn=true    in each task q ~ U(.25, .45), and in each state it is another of the two actions that
                  swims against the current: that has to be learnt within a trial; disjoint splits
    drawn=false   the usual river, action 1 against the current: one task, the same in all splits

Letters: S states; H horizon.

References: Strehl, Littman (2008), Journal of Computer and System Sciences 74; Osband, Russo, Van Roy (2013),
arXiv:1306.0940, figure 1, whose episodes have H = 20 and begin at the left end. Differs from them: drawn
tasks are ours.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from metarl.errors import require

from ..contract.environment import Environment, Split
from ..contract.setting_checks import refuse_huge, whole_number, yes_or_no
from .mdp import TabularMDP, tabular_family

CURRENTS = (0.25, 0.45)  # of q, where it is drawn
USUAL = 0.35
SLIP = 0.05
NEAR, FAR = 0.005, 1.0  # rewards


def riverswim(states: int = 6, horizon: int = 20, drawn: bool = True) -> Environment:
    """Returns rivers; the module's docstring tells their rules.

    Args:
      states: S, at least 3.
      horizon: H; then an episode terminates.
      drawn: each task has a current and an order of the actions of its own.

    Raises:
      InvalidInput: a setting is not accepted.
    """
    states, horizon = whole_number("states", states, 3), whole_number("horizon", horizon)
    drawn = yes_or_no("drawn", drawn)
    refuse_huge("riverswim", states * 2 * states)

    def draw_task(key: jax.Array, split: Split) -> TabularMDP:
        del split
        if not drawn:
            return river(jnp.float32(USUAL), jnp.ones(states, jnp.int32))
        current_key, order_key = jax.random.split(key)
        current = jax.random.uniform(current_key, minval=CURRENTS[0], maxval=CURRENTS[1])
        return river(current, jax.random.randint(order_key, (states,), 0, 2))

    return tabular_family(
        "riverswim",
        {"states": states, "horizon": horizon, "drawn": drawn},
        (states, 2, horizon),
        draw_task,
        noise=0.0,
        shared_tasks=not drawn,
        task_features=lambda task: jnp.concatenate(
            [task.transitions.ravel(), task.mean_rewards.ravel()]
        ),
        description=f"rivers of {states} states; what is worth the way lies against the current",
    )


def river(current: jax.Array, against: jax.Array) -> TabularMDP:
    """Returns a river.

    Args:
      current: q [], how often a stroke against the current leads on.
      against: [S] int32, the action that swims against the current in each state.
    """
    states, one = len(against), jnp.eye(len(against))
    require(states >= 3, f"A river has at least 3 states, not {states}.")
    left, right = jnp.roll(one, 1, axis=0).at[0].set(one[0]), jnp.roll(one, -1, axis=0)
    between = current * right + (1 - SLIP - current) * one + SLIP * left
    first = (current + 0.25) * one[1] + (0.75 - current) * one[0]
    last = (current + 0.25) * one[-1] + (0.75 - current) * one[-2]
    upstream = between.at[0].set(first).at[-1].set(last)
    chosen = (jnp.arange(2)[None] == against[:, None])[..., None]  # [S, 2, 1]
    transitions = jnp.where(chosen, upstream[:, None], left[:, None])
    rewards = jnp.zeros((states, 2)).at[0].set(jnp.where(chosen[0, :, 0], 0.0, NEAR))
    return TabularMDP(transitions, rewards.at[-1].set(jnp.where(chosen[-1, :, 0], FAR, 0.0)))
