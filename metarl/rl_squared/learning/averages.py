"""Averages of weights: what is tried and handed over is the mean of the policies of many updates.

  m_n = d m_{n-1} + (1 - d) θ_n,   average = m_n / (1 - d^n)

over the updates n in which the policy learns, m_0 = 0: its latest 1 / (1 - d) or so count. Learning goes on
with θ itself, so the average changes nothing of what is learnt, only what is taken from it.

References: B. T. Polyak, A. B. Juditsky, *Acceleration of Stochastic Approximation by Averaging*, SIAM Journal
on Control and Optimization 30 (1992); the decaying weights and the bias correction: D. P. Kingma, J. Ba,
*Adam: A Method for Stochastic Optimization*, ICLR 2015, section 7.2.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ..agent.network import POLICY
from .reinforcement import Learning, Metrics
from .rollout import Rollout
from .train_state import Params


class Averaging(NamedTuple):
    """A learner, and the average of the policies it has had."""

    learner: Any  # of the outer algorithm
    moment: Params  # m_n, of the acting policy
    updates: jax.Array  # [] n
    average: Params  # what learning starts from before the first update

    @property
    def params(self) -> Params:
        """Those that learn, of policy and value."""
        return self.learner.params


def averaged(learning: Learning, decay: float) -> Learning:
    """Returns the same learning, with an average of the acting policy beside it.

    Args:
      learning: of the outer algorithm.
      decay: d, between 0 and 1.
    """

    def init(params: Params) -> Averaging:
        policy = params[POLICY]
        nothing = jax.tree.map(jnp.zeros_like, policy)
        return Averaging(learning.init(params), nothing, jnp.zeros((), jnp.int32), policy)

    def update(
        key: jax.Array, state: Averaging, rollout: Rollout, frozen: jax.Array
    ) -> tuple[Averaging, Metrics]:
        learner, metrics = learning.update(key, state.learner, rollout, frozen)
        moment = optax.tree.update_moment(learner.params[POLICY], state.moment, decay, order=1)
        updates = state.updates + 1
        average = optax.tree.bias_correction(moment, decay, updates)
        after = (moment, updates, average)
        kept = functools.partial(jnp.where, frozen)  # a policy that rests counts for nothing
        return Averaging(learner, *jax.tree.map(kept, tuple(state[1:]), after)), metrics

    return Learning(init, update)


def handed_over(learner: Any) -> Params:
    """Returns the acting policy of a learner that is tried and kept: the average where there is one."""
    return learner.average if isinstance(learner, Averaging) else learner.params[POLICY]
