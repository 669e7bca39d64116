"""Learning from comparisons: a reward model of which rule is better, and PPO in it.

  tell    the reward model is asked which of the new rules are better (its calibration), then fitted to comparisons of
          the rules told, as Bradley and Terry would: P(first better) = σ(s_1 - s_2)
  dream   the controller writes rules that nobody trains, and learns from their scores by PPO, at a price for every nat
          that it goes away from where it was (`dreaming`)
  ask     the controller writes the next generation; a rule that was written before is mutated until it is new

Letters: E members of the ensemble; K rules of a generation.

References: Christiano, Leike, Brown, Martic, Legg, Amodei, "Deep reinforcement learning from human preferences",
NeurIPS 2017, arXiv:1706.03741; Ziegler et al., 2019, arXiv:1909.08593; Ouyang et al., 2022, arXiv:2203.02155. Differs
from them: the judge that is learnt is no person but the training of networks, which answers every pair by its
rewards; there is no supervised writer to begin with, so the reference is the controller of the last generation.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metarl.policy_gradient import bradley_terry_loss
from metarl.update_rules import Grammar

from ..settings.config import SearchConfig
from ..writing.breeding import Met, Renewal
from ..writing.dreaming import Dreamer
from ..writing.judge_model import JudgeModel, JudgeState, calibration
from ..writing.told_rules import ToldRules
from ..writing.writer import as_numbers
from .contract import Feedback, Proposals, Strategy, as_arrays
from .random_search import numpy_generator


class RewardModelState(NamedTuple):
    """The controller, and the model that rewards it."""

    learner: Any
    judge: JudgeState
    met: Met


def reward_model_search(grammar: Grammar, config: SearchConfig) -> Strategy:
    """Returns the controller that is rewarded by a model of preferences.

    Args:
      grammar: of the rules.
      config: its `controller` says what writes and how PPO trains it, its `judge_model`, `dream` and `rlhf` the rest.
    """

    def lesson(key: jax.Array, told: ToldRules):
        pairs = told.pairs(key, config.judge_model.batch // 2, config.rlhf.sample)

        def loss(scores: jax.Array) -> jax.Array:
            better, worse = jnp.split(scores, 2)
            return bradley_terry_loss(better, worse, pairs.differ)

        return jnp.concatenate([pairs.better, pairs.worse]), loss

    model = JudgeModel(grammar, config.judge_model, lesson)
    dreamer = Dreamer(grammar, config.controller, config.dream, model)

    renewed = Renewal(grammar)

    def init(key: jax.Array) -> RewardModelState:
        writer_key, judge_key = jax.random.split(key)
        judge = jax.jit(model.init)(judge_key)
        return RewardModelState(dreamer.init(writer_key), judge, Met.nothing())

    def ask(
        key: jax.Array, state: RewardModelState, count: int
    ) -> tuple[RewardModelState, Proposals]:
        write_key, change_key = jax.random.split(key)
        written = dreamer.rules.write(write_key, state.learner.params, count).tokens
        tokens, met = renewed(numpy_generator(change_key), np.asarray(written), state.met)
        return state._replace(met=met), Proposals(tokens)

    @jax.jit
    def _fit(
        key: jax.Array, judge: JudgeState, tokens: jax.Array, notes: jax.Array, feedback: Feedback
    ):
        fresh = ~feedback.repeated
        before = jnp.mean(model.scores(judge.params, tokens, notes), axis=0)
        foreseen = calibration(before, feedback.rewards, fresh)
        told = judge.told.after(tokens, feedback.rewards, fresh, notes)
        judge, last = model.fitted(key, judge._replace(told=told))
        return judge, {
            "model_loss": last,
            "model_accuracy": foreseen.accuracy,
            "model_overconfidence": foreseen.overconfidence,
        }

    def tell(
        key: jax.Array, state: RewardModelState, proposals: Proposals, feedback: Feedback
    ) -> tuple[RewardModelState, dict[str, float]]:
        fit_key, dream_key = jax.random.split(key)
        tokens = jnp.asarray(proposals.tokens, jnp.int32)
        notes = model.notes(proposals.tokens)
        judge, metrics = _fit(fit_key, state.judge, tokens, notes, as_arrays(feedback))
        learner = state.learner
        if int(judge.lessons) > 0:  # before any comparison it has no opinion
            learner, learnt = dreamer.improved(dream_key, learner, judge)
            metrics |= learnt
        return RewardModelState(learner, judge, state.met), as_numbers(metrics)

    return Strategy(init, ask, tell)
