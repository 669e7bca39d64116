"""dreaming: the controller learns by PPO from rules that nobody trains, rewarded by a model of the judge.

  reward of a rule = its score, brought to mean 0 and deviation 1 over the dream
  reward of a token = -β (log π(token) - log π_ref(token)), and the rule's reward with the last

What keeps it from the places where the model is wrong is the price of leaving a reference, as in learning from human
feedback; the reference is the controller as it was before the dreams of this generation.

Letters: D dreams a generation; K rules of one; L tokens.

References: Christiano et al., 2017, arXiv:1706.03741; Ziegler et al., 2019, arXiv:1909.08593 (the
penalty).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from metarl.update_rules import Grammar

from ..settings.config import ControllerConfig, DreamConfig
from .judge_model import JudgeModel, JudgeState
from .writer import sequences, writer, writing_ppo


class Dreamer:
    """A controller that improves in dreams."""

    def __init__(
        self,
        grammar: Grammar,
        controller: ControllerConfig,
        settings: DreamConfig,
        model: JudgeModel,
    ):
        """Compiles nothing.

        Args:
          grammar: of the rules.
          controller: what writes, and how PPO trains it.
          settings: D, K and β.
          model: of the judge.
        """
        self.rules = writer(grammar, controller, "shared")
        self._algorithm = writing_ppo(self.rules, controller)
        self._settings, self._model = settings, model
        self._learn = jax.jit(self._update)
        self.init = jax.jit(lambda key: self._algorithm.init(self.rules.policy.init(key)))

    def improved(
        self, key: jax.Array, learner: Any, judge: JudgeState
    ) -> tuple[Any, dict[str, jax.Array]]:
        """Returns the controller after D dreams, and the metrics of the last."""
        reference, metrics = learner.params, {}
        for write_key, learn_key in jax.random.split(key, (self._settings.dreams, 2)):
            dreamt = self.rules.write_recorded(write_key, learner.params, self._settings.rules)
            notes = self._model.notes(np.asarray(dreamt[0]))
            learner, metrics = self._learn(
                learn_key, learner, reference, judge.params, dreamt, notes
            )
        return learner, metrics

    def _update(
        self, key: jax.Array, learner: Any, reference: Any, judge: Any, dreamt: Any, notes: Any
    ):
        tokens, record = dreamt
        scores = jnp.mean(self._model.scores(judge, tokens, notes), axis=0)  # [K]
        worth = (scores - jnp.mean(scores)) / (jnp.std(scores) + 1e-6)
        gone = record.log_probs - self.rules.log_probs(reference, tokens)  # [K, L]
        batch = sequences(tokens, record, worth, jnp.ones(len(tokens), bool))
        batch = batch._replace(rewards=batch.rewards - self._settings.beta * gone)
        learner, metrics = self._algorithm.update(key, learner, batch)
        distance = jnp.mean(jnp.sum(gone, axis=1))
        return learner, metrics | {"dreamt_score": jnp.mean(scores), "kl_to_reference": distance}
