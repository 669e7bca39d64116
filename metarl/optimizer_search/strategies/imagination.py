"""Imagination: a world model of the judge, in which rules are written and improved before any is trained.

  tell    an ensemble is fitted to what the rules told earned, as logarithms of their ranks
  dream   the controller writes rules that nobody trains, and learns from the ensemble's mean by PPO (`dreaming`)
  ask     it writes several times K candidates, those met before mutated until they are new; the most promising are
          proposed, by the mean of the ensemble, and beside them the most uncertain, about which its members differ

Letters: E members of the ensemble; K rules of a generation; L tokens.

References: Micheli, Alonso, Fleuret, "Transformers are sample-efficient world models" (IRIS), ICLR 2023,
arXiv:2209.00588; Chua et al., 2018, arXiv:1805.12114 (ensembles of models). Differs from them: an episode is one rule
whose reward comes at its end, so the model is of the reward alone; it chooses what is tried in earnest.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metarl.update_rules import Grammar

from ..settings.config import SearchConfig
from ..writing.breeding import Met, Renewal
from ..writing.dreaming import Dreamer
from ..writing.judge_model import JudgeModel, JudgeState
from ..writing.ranks import log_ranks
from ..writing.told_rules import ToldRules
from ..writing.writer import as_numbers
from .contract import Feedback, Proposals, Strategy, as_arrays
from .random_search import numpy_generator


class ImaginationState(NamedTuple):
    """The controller, the model of the judge, and what was proposed."""

    learner: Any
    judge: JudgeState
    met: Met


def imagination(grammar: Grammar, config: SearchConfig) -> Strategy:
    """Returns the controller that improves in a model of the judge.

    Args:
      grammar: of the rules.
      config: its `controller` says what writes and how PPO trains it, its `judge_model`, `dream` and `imagination` the
        rest.
    """
    settings = config.imagination

    def lesson(key: jax.Array, told: ToldRules):
        rows = told.rows(key, (config.judge_model.batch,))
        worth = log_ranks(told.rewards, told.present, jnp)[rows]
        return rows, lambda scores: jnp.mean((scores - worth) ** 2)

    model = JudgeModel(grammar, config.judge_model, lesson)
    dreamer = Dreamer(grammar, config.controller, config.dream, model)
    renewed = Renewal(grammar)

    def init(key: jax.Array) -> ImaginationState:
        writer_key, judge_key = jax.random.split(key)
        judge = jax.jit(model.init)(judge_key)
        return ImaginationState(dreamer.init(writer_key), judge, Met.nothing())

    def ask(
        key: jax.Array, state: ImaginationState, count: int
    ) -> tuple[ImaginationState, Proposals]:
        write_key, change_key = jax.random.split(key)
        many = count * settings.candidates
        written = dreamer.rules.write(write_key, state.learner.params, many).tokens
        tokens, _ = renewed(numpy_generator(change_key), np.asarray(written), state.met)
        if int(state.judge.lessons) > 0:
            tokens = tokens[_chosen(model.opinions(state.judge, tokens), count)]
        tokens = tokens[:count]
        met = state.met.after(map(renewed.digest_of, tokens))
        return state._replace(met=met), Proposals(tokens)

    def _chosen(opinions: np.ndarray, count: int) -> np.ndarray:
        """Returns the rows of the candidates to propose, by what each member thinks of each, [E, candidates]."""
        curious = round(settings.curiosity * count)
        promising = np.argsort(-opinions.mean(axis=0), kind="stable")
        others = promising[count - curious :]
        uncertain = others[np.argsort(-opinions.std(axis=0)[others], kind="stable")]
        return np.concatenate([promising[: count - curious], uncertain[:curious]])

    @jax.jit
    def _fit(
        key: jax.Array, judge: JudgeState, tokens: jax.Array, notes: jax.Array, feedback: Feedback
    ):
        fresh = ~feedback.repeated
        told = judge.told.after(tokens, feedback.rewards, fresh, notes)
        foreseen = model.scores(judge.params, tokens, notes)  # [E, K], before it learns of them
        judge, last = model.fitted(key, judge._replace(told=told))
        ranked = log_ranks(feedback.rewards, fresh, jnp)
        return judge, {
            "model_loss": last,
            "model_correlation": _correlation(jnp.mean(foreseen, axis=0), ranked, fresh),
            "model_disagreement": jnp.mean(jnp.std(foreseen, axis=0)),
        }

    def tell(
        key: jax.Array, state: ImaginationState, proposals: Proposals, feedback: Feedback
    ) -> tuple[ImaginationState, dict[str, float]]:
        fit_key, dream_key = jax.random.split(key)
        tokens = jnp.asarray(proposals.tokens, jnp.int32)
        notes = model.notes(proposals.tokens)
        judge, metrics = _fit(fit_key, state.judge, tokens, notes, as_arrays(feedback))
        learner = state.learner
        if int(judge.lessons) > 0:  # before any comparison it has no opinion
            learner, learnt = dreamer.improved(dream_key, learner, judge)
            metrics |= learnt
        return state._replace(learner=learner, judge=judge), as_numbers(metrics)

    return Strategy(init, ask, tell)


def _correlation(x: jax.Array, y: jax.Array, mask: jax.Array) -> jax.Array:
    """Returns the correlation of x and y where the mask holds; 0 where either is constant."""
    count = jnp.maximum(jnp.sum(mask), 1)

    def centred(z: jax.Array) -> jax.Array:
        return jnp.where(mask, z - jnp.sum(jnp.where(mask, z, 0.0)) / count, 0.0)

    x, y = centred(x), centred(y)
    size = jnp.sqrt(jnp.sum(x**2) * jnp.sum(y**2))
    return jnp.where(size > 0, jnp.sum(x * y) / jnp.where(size > 0, size, 1.0), 0.0)
