"""judge model: an ensemble of small networks that guess what a rule is worth before it is trained.

They see a rule's tokens and what it does on the probes. All members learn from the same rules told, each from draws
of its own, so where rules like these are known they agree, and where they are not they differ. Fitted to rewards they
are a model of the judge; fitted to comparisons, a reward model. A controller can be improved against either by PPO,
without training any rule.

Letters: E members; K rules; L tokens; W width; B numbers noted of a rule; N rules or pairs of a step; D dreams, each
of K rules.

References: Lakshminarayanan et al., 2017, arXiv:1612.01474 (ensembles); Christiano et al., 2017, arXiv:1706.03741.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from metarl.errors import require
from metarl.update_rules import Grammar

from ..screening.probes import probes_of
from ..settings.config import JudgeModelConfig
from . import behaviour
from .told_rules import ToldRules

# (key, the rules told) -> rows of rules that one member is asked of, and the loss of its scores of them
Lesson = Callable[[jax.Array, ToldRules], tuple[jax.Array, Callable[[jax.Array], jax.Array]]]


class JudgeState(NamedTuple):
    """An ensemble, and what it has learnt from."""

    params: Any  # with a leading axis [E]
    optimizer: optax.OptState
    told: ToldRules
    lessons: jax.Array  # [] int32, gradient steps that had something to learn from


class JudgeModel:
    """An ensemble for the rules of one grammar."""

    def __init__(self, grammar: Grammar, settings: JudgeModelConfig, lesson: Lesson):
        """Compiles nothing.

        Args:
          grammar: of the rules.
          settings: E, sizes, memory and how it is fitted.
          lesson: (key, rules told) -> rows [N], and the function that makes a loss of one member's scores of them, [N].
        """
        self._grammar, self._settings, self._lesson = grammar, settings, lesson
        self._probes = probes_of(grammar)
        self._optimizer = optax.adam(settings.learning_rate)
        self._score = jax.jit(self.scores)

    def init(self, key: jax.Array) -> JudgeState:
        """Returns an ensemble that was told nothing."""
        settings, grammar = self._settings, self._grammar
        sizes = (
            grammar.length * grammar.width + behaviour.NUMBERS,
            settings.hidden,
            settings.hidden,
            1,
        )
        keys = jax.random.split(key, settings.members)
        params = jax.vmap(lambda key: _network(key, sizes))(keys)
        told = ToldRules.none(settings.memory, grammar.length, behaviour.NUMBERS)
        return JudgeState(params, self._optimizer.init(params), told, jnp.zeros((), jnp.int32))

    def notes(self, tokens: np.ndarray) -> np.ndarray:
        """Returns what rules do on the probes as numbers, [K, B]."""
        return behaviour.notes(self._probes.outputs(np.asarray(tokens)), self._probes)

    def scores(self, params: Any, tokens: jax.Array, notes: jax.Array) -> jax.Array:
        """Returns what every member thinks of every rule, [E, K]; can be traced."""
        return jax.vmap(_apply, in_axes=(0, None))(params, self._features(tokens, notes))

    def opinions(self, state: JudgeState, tokens: np.ndarray) -> np.ndarray:
        """Returns what every member thinks of every rule.

        Args:
          state: of the ensemble.
          tokens: [K, L].

        Returns:
          [E, K]; only their differences mean something where it was fitted to comparisons.

        Raises:
          InvalidInput: it has seen no comparison, so it has no opinion.
        """
        require(
            int(state.lessons) > 0,
            "This reward model has seen no comparison of two rules yet, so what it says means nothing; tell the "
            "strategy of a generation in which two rules earned different rewards first.",
        )
        return np.asarray(self._score(state.params, jnp.asarray(tokens), self.notes(tokens)))

    def fitted(self, key: jax.Array, state: JudgeState) -> tuple[JudgeState, jax.Array]:
        """Returns the ensemble after some gradient steps on the rules told, and its last loss; can be traced."""
        told = state.told

        def of_one(params: Any, key: jax.Array) -> jax.Array:
            rows, loss = self._lesson(key, told)
            return loss(_apply(params, self._features(told.tokens[rows], told.notes[rows])))

        def mean_loss(params: Any, key: jax.Array) -> jax.Array:
            keys = jax.random.split(key, self._settings.members)
            return jnp.mean(jax.vmap(of_one)(params, keys))

        def step(learner: Any, key: jax.Array) -> Any:
            params, optimizer_state = learner
            loss, gradient = jax.value_and_grad(mean_loss)(params, key)
            change, optimizer_state = self._optimizer.update(gradient, optimizer_state, params)
            return (optax.apply_updates(params, change), optimizer_state), loss

        keys = jax.random.split(key, self._settings.steps)
        (params, optimizer_state), losses = jax.lax.scan(
            step, (state.params, state.optimizer), keys
        )
        rewards = jnp.where(told.present, told.rewards, told.rewards[0])
        compared = jnp.any(told.present) & (jnp.max(rewards) > jnp.min(rewards))
        lessons = state.lessons + jnp.where(compared, self._settings.steps, 0)
        return JudgeState(params, optimizer_state, told, lessons.astype(jnp.int32)), losses[-1]

    def _features(self, tokens: jax.Array, notes: jax.Array) -> jax.Array:
        one_hot = jax.nn.one_hot(tokens, self._grammar.width).reshape(len(tokens), -1)
        return jnp.concatenate([one_hot, notes], axis=1)  # [K, L W + B]


class Calibration(NamedTuple):
    """How well preferences were foreseen, before anything was learnt from them."""

    accuracy: jax.Array  # share of pairs in which the favoured rule earned more; 1/2 without pairs
    overconfidence: jax.Array  # how sure it was on average, less the accuracy


def calibration(scores: jax.Array, rewards: jax.Array, wanted: jax.Array) -> Calibration:
    """Compares the preferences of scores with those of rewards, over all pairs of rules that differ in reward.

    Args:
      scores: [K], of a Bradley-Terry model.
      rewards: [K].
      wanted: [K] bool, which rules count.
    """
    sure = jax.nn.sigmoid(jnp.abs(scores[:, None] - scores[None]))  # [K, K]
    differ = (rewards[:, None] > rewards[None]) & wanted[:, None] & wanted[None]
    right = jnp.where(scores[:, None] == scores[None], 0.5, scores[:, None] > scores[None])
    pairs = jnp.sum(differ)
    count = jnp.maximum(pairs, 1)
    accuracy = jnp.where(pairs > 0, jnp.sum(jnp.where(differ, right, 0.0)) / count, 0.5)
    confidence = jnp.where(pairs > 0, jnp.sum(jnp.where(differ, sure, 0.0)) / count, 0.5)
    return Calibration(accuracy, confidence - accuracy)


def _network(key: jax.Array, sizes: tuple[int, ...]) -> list[tuple[jax.Array, jax.Array]]:
    """Returns weights and biases of a network of such sizes."""
    keys = jax.random.split(key, len(sizes) - 1)
    return [
        (jax.random.normal(key, (before, after)) / jnp.sqrt(before), jnp.zeros(after))
        for key, before, after in zip(keys, sizes[:-1], sizes[1:], strict=True)
    ]


def _apply(params: list[tuple[jax.Array, jax.Array]], features: jax.Array) -> jax.Array:
    """Returns the scores [K] of features [K, F]."""
    *hidden, (weights, bias) = params
    for layer, shift in hidden:
        features = jax.nn.relu(features @ layer + shift[None])
    return (features @ weights + bias[None])[:, 0]
