"""writer: the controller as a writer of rules, and its rules as sequences to learn from.

Whatever strategy has a controller writes with it here and hands its rules to an algorithm of `metarl.policy_gradient`
as a `Batch`; so strategies differ in what they learn from, and in nothing else. Writers of one size and the same first
weights are one object, and share what is compiled for them, however they learn.

Letters: K rules; L tokens; W width, the largest vocabulary.

Reference: Bello, Zoph, Vasudevan, Le (2017), arXiv:1709.07417, figure 3.
"""

from __future__ import annotations

import functools
from typing import Any, Literal, NamedTuple

import chex
import jax
import jax.numpy as jnp

from metarl.controller import (
    TokenPolicy,
    TokenPolicyConfig,
    TokenSample,
    sample_tokens,
    token_inputs,
    token_policy,
)
from metarl.policy_gradient import Algorithm, Batch, PPOConfig, ReinforceConfig, ppo, reinforce
from metarl.update_rules import Grammar

from ..settings.config import ControllerConfig
from .sequence_learning import transformer_config

Value = Literal["shared", "separate", "none"]


class WritingRecord(NamedTuple):
    """What the controller thought when it wrote."""

    log_probs: jax.Array  # [K, L]
    values: jax.Array  # [K, L]
    masks: jax.Array  # [K, L, W] bool


class Writer:
    """A controller for the rules of one grammar; made by `writer`."""

    def __init__(self, grammar: Grammar, policy: TokenPolicy):
        """Binds the two; nothing is compiled yet."""
        self.grammar, self.policy = grammar, policy
        self._next_mask = grammar.next_mask  # one object, or every generation would compile anew
        self._record_under = jax.jit(self._read)

    def write(self, key: jax.Array, params: Any, count: int, condition: Any = ()) -> TokenSample:
        """Returns K rules and what the controller thought of every token, by one compiled program.

        Args:
          key: of all choices.
          params: of the controller.
          count: K.
          condition: [K, C], what each rule is asked for with, where the controller takes that.
        """
        return sample_tokens(self.policy, params, key, count, self._next_mask, condition)

    def write_recorded(
        self, key: jax.Array, params: Any, count: int
    ) -> tuple[jax.Array, WritingRecord]:
        """Returns K rules, and the record that an algorithm learns from."""
        sample = self.write(key, params, count)
        return sample.tokens, WritingRecord(sample.log_probs, sample.values, sample.masks)

    def masks(self, tokens: jax.Array) -> jax.Array:
        """Returns what was allowed at every choice of rules that somebody else wrote.

        Args:
          tokens: [K, L] int32, of the grammar.

        Returns:
          bool [K, L, W].
        """
        chex.assert_shape(tokens, (None, self.grammar.length))
        positions = jnp.arange(self.grammar.length, dtype=jnp.int32)
        allowed = jax.lax.map(lambda position: self._next_mask(tokens, position), positions)
        return jnp.swapaxes(allowed, 0, 1)

    def record_of(self, tokens: jax.Array) -> WritingRecord:
        """Returns the record of rules that somebody else wrote: what was allowed, and no probabilities or values."""
        nothing = jnp.zeros(tokens.shape)
        return WritingRecord(nothing, nothing, self.masks(tokens))

    def record_under(self, params: Any, tokens: jax.Array) -> WritingRecord:
        """Returns the record of rules by anybody as if the controller had written them, by one compiled program."""
        return self._record_under(params, tokens)

    def _read(self, params: Any, tokens: jax.Array) -> WritingRecord:
        masks = self.masks(tokens)
        parameters, values = self.policy.apply(params, token_inputs(tokens, masks))
        return WritingRecord(self.policy.distribution.log_prob(parameters, tokens), values, masks)

    def distributions(self, params: Any, tokens: jax.Array, condition: Any = ()) -> Any:
        """Returns the parameters of the controller's choice at every token, [K, L, W], of rules by anybody."""
        return self.policy.apply(params, token_inputs(tokens, self.masks(tokens), condition))[0]

    def log_probs(self, params: Any, tokens: jax.Array) -> jax.Array:
        """Returns the log-probability of every token under the controller, [K, L], of rules by anybody."""
        return self.policy.distribution.log_prob(self.distributions(params, tokens), tokens)


def asked_writer(grammar: Grammar, settings: ControllerConfig) -> Writer:
    """Returns a causal transformer that writes the rules it is asked for with one number, without a value."""
    return _writer(grammar, transformer_config(settings, condition_size=1))


def writer(grammar: Grammar, settings: ControllerConfig, value: Value) -> Writer:
    """Returns the controller that writes rules of a grammar.

    Args:
      grammar: of the rules.
      settings: its size and first weights.
      value: whether it has a value: none, read off the same core, or from a network of its own.
    """
    config = TokenPolicyConfig(
        hidden_size=settings.hidden,
        embedding_size=settings.embedding,
        initial_range=settings.init_scale,
        value=value,
    )
    return _writer(grammar, config)


@functools.lru_cache(maxsize=64)
def _writer(grammar: Grammar, config: TokenPolicyConfig) -> Writer:
    return Writer(grammar, token_policy(grammar.slot_sizes, config))


def sequences(tokens: jax.Array, record: WritingRecord, returns: jax.Array, mask: Any) -> Batch:
    """Returns rules as sequences whose whole reward comes with the last token, undiscounted.

    Args:
      tokens: [K, L] int32.
      record: of their writing.
      returns: [K], what each is worth.
      mask: [K] bool, which of them are learnt from.
    """
    chex.assert_rank([tokens, returns, mask], [2, 1, 1])
    return Batch(
        inputs=token_inputs(tokens, record.masks),
        actions=tokens,
        log_probs=record.log_probs,
        rewards=jnp.zeros_like(record.log_probs).at[:, -1].set(returns),
        values=record.values,
        discounts=jnp.ones_like(record.log_probs).at[:, -1].set(0.0),
        mask=jnp.broadcast_to(mask[:, None], tokens.shape),
    )


def weighted_likelihood(rules: Writer, settings: ControllerConfig) -> Algorithm:
    """Returns the algorithm that makes the mean of return times log-probability large, in several steps a batch.

    It is REINFORCE without a baseline, so that the returns of a batch are weights: 1 for all of them is plain maximum
    likelihood. It does not read the recorded log-probabilities; whoever wrote the rules may be somebody else.

    Args:
      rules: the controller, without a value.
      settings: learning rate, entropy bonus, and how often a batch is gone over.
    """
    one_step = reinforce(
        rules.policy,
        ReinforceConfig(
            learning_rate=settings.learning_rate,
            baseline="none",
            entropy_weight=settings.entropy_weight,
        ),
    )

    def update(key: jax.Array, state: Any, batch: Batch) -> tuple[Any, dict[str, jax.Array]]:
        def step(state: Any, key: jax.Array) -> tuple[Any, dict[str, jax.Array]]:
            return one_step.update(key, state, batch)

        state, metrics = jax.lax.scan(step, state, jax.random.split(key, settings.epochs))
        return state, jax.tree.map(lambda x: x[-1], metrics)

    return Algorithm(one_step.init, update)


def writing_ppo(rules: Writer, settings: ControllerConfig) -> Algorithm:
    """Returns PPO for a controller with a shared value, whose reward comes with the last token."""
    return ppo(
        rules.policy,
        PPOConfig(
            learning_rate=settings.learning_rate,
            epochs=settings.epochs,
            minibatches=1,  # the last generation of a budget may have any number of rules
            clip=settings.clip_ratio,
            gae_lambda=1.0,
            entropy_weight=settings.entropy_weight,
        ),
    )


def as_numbers(metrics: dict[str, jax.Array]) -> dict[str, float]:
    """Returns metrics as plain numbers, fetched at once."""
    return {name: float(value) for name, value in jax.device_get(metrics).items()}
