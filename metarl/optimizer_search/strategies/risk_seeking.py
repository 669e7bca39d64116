"""Risk-seeking policy gradient: learn from the best quantile of every generation alone.

A search is as good as its best rule, and not as its mean rule. So of a generation only the rules count whose reward
is at or above its (1 - ε) quantile q, and their advantage is what they have above it:

  ∇ J = mean over the rules with R ≥ q of (R - q) ∇ log π,     q = the (1 - ε) quantile of R

This is REINFORCE on the elite, with the quantile for a baseline; the entropy bonus too is of the elite.

Letters: K rules of a generation; L tokens; ε the share that is learnt from.

Reference: Petersen et al., "Deep symbolic regression: recovering mathematical expressions from data via risk-seeking
policy gradients", ICLR 2021, arXiv:1912.04871, algorithm 1. Their batch is of 1,000 expressions and ε is 0.05. Differs
from it: generations are small, so ε is larger (0.2) and a generation is gone over several times; advantages are divided
by the largest, for rewards here have no bound that says what is much; rules met before are left out. The controller is
that of all strategies here: it is shown its last choice and the position, not parent and sibling of the next token; its
LSTM has 64 units for their 32, Adam's rate is 2e-3 for 1e-3, the weight of the entropy 0.03 for 0.005 (their numbers as
in the configuration of their code, deep-symbolic-optimization).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from metarl.update_rules import Grammar

from ..settings.config import SearchConfig
from ..writing.writer import as_numbers, sequences, weighted_likelihood, writer
from .contract import Feedback, Proposals, Strategy, as_arrays


def risk_seeking_search(grammar: Grammar, config: SearchConfig) -> Strategy:
    """Returns the controller with the risk-seeking policy gradient.

    Args:
      grammar: of the rules.
      config: its `controller` says what writes and how fast it learns, its `risk_seeking` gives ε.
    """
    rules = writer(grammar, config.controller, "none")
    learner = weighted_likelihood(rules, config.controller)

    @jax.jit
    def init(key: jax.Array) -> Any:
        return learner.init(rules.policy.init(key))

    def ask(key: jax.Array, state: Any, count: int) -> tuple[Any, Proposals]:
        return state, Proposals(*rules.write_recorded(key, state.params, count))

    @jax.jit
    def learn(key: jax.Array, state: Any, proposals: Proposals, feedback: Feedback):
        elite, advantages, quantile = elite_of(
            feedback.rewards, ~feedback.repeated, config.risk_seeking.fraction
        )
        batch = sequences(*proposals, advantages, elite)
        state, metrics = learner.update(key, state, batch)
        quantile = jnp.where(jnp.any(elite), quantile, feedback.floor)
        return state, metrics | {"quantile": quantile}

    def tell(
        key: jax.Array, state: Any, proposals: Proposals, feedback: Feedback
    ) -> tuple[Any, dict[str, float]]:
        proposals = Proposals(jnp.asarray(proposals.tokens, jnp.int32), proposals.record)
        state, metrics = learn(key, state, proposals, as_arrays(feedback))
        return state, as_numbers(metrics)

    return Strategy(init, ask, tell)


def elite_of(
    rewards: jax.Array, fresh: jax.Array, fraction: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns the best share of rules, and what each has above the quantile.

    Args:
      rewards: [K], finite.
      fresh: [K] bool, the rules that count.
      fraction: ε.

    Returns:
      Which rules are at or above the quantile, [K] bool; their advantages, [K], from 0 to 1, 0 for all others; the
      quantile, [], which is one of the rewards, and NaN where no rule counts.
    """
    quantile = jnp.nanquantile(jnp.where(fresh, rewards, jnp.nan), 1.0 - fraction, method="higher")
    elite = fresh & (rewards >= quantile)
    above = jnp.where(elite, rewards - quantile, 0.0)
    most = jnp.max(above)
    return elite, above / jnp.where(most > 0, most, 1.0), quantile
