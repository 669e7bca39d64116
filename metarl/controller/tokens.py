"""The token policy: writes a sequence of choices, each with a vocabulary of its own.

A sequence has L slots. The policy reads its own last choice through an embedding, and each slot has
its own softmax weights; what a slot may hold is in the inputs, as a mask that the grammar gives.

Letters: B batch; N rows (B, or B times L); L slots; W width, the largest vocabulary; E embedding; H
hidden units; C numbers that a sequence is asked for with.

Reference: Bello et al. (2017), arXiv:1709.07417, figure 3.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import chex
import haiku as hk
import jax
import jax.numpy as jnp

from metarl.errors import require

from .attention import transformer
from .config import TokenPolicyConfig
from .cores import Core, gru, lstm
from .distributions import Categorical, mask_logits
from .heads import SMALL, Head
from .policy import Policy, recurrent_policy

_HEADS = 4  # of a transformer


class TokenInputs(NamedTuple):
    """What a token policy sees before a choice."""

    previous_token: jax.Array  # [B] int32, index in its own slot's vocabulary; 0 at first
    position: jax.Array  # [B] int32, the slot to fill
    mask: jax.Array  # [B, W] bool, True where a token is allowed; at least one is
    condition: Any = ()  # [B, C] float32, what is asked for; nothing where C is 0


@dataclass(frozen=True)
class TokenPolicy(Policy):
    """A `Policy` over `TokenInputs`; an action is an index in its slot's vocabulary."""

    slot_sizes: tuple[int, ...]
    """Size of the vocabulary of each of the L slots."""

    @property
    def length(self) -> int:
        """L, the number of choices."""
        return len(self.slot_sizes)

    @property
    def width(self) -> int:
        """W, the size of the largest vocabulary."""
        return max(self.slot_sizes)


def token_policy(
    slot_sizes: tuple[int, ...], config: TokenPolicyConfig | None = None
) -> TokenPolicy:
    """Builds a token policy.

    Args:
      slot_sizes: size of the vocabulary of each slot.
      config: what it is made of; the laptop preset if None.

    Returns:
      The policy. Tokens beyond a slot's vocabulary have probability 0, whatever the mask says.

    Raises:
      InvalidInput: if there is no slot, or one without a token.
    """
    config = config or TokenPolicyConfig()
    slot_sizes = tuple(int(size) for size in slot_sizes)
    require(
        bool(slot_sizes) and min(slot_sizes, default=0) >= 1,
        f"slot_sizes is {slot_sizes}; give one positive vocabulary size for each slot.",
    )
    policy = recurrent_policy(
        example_inputs=TokenInputs(
            previous_token=jnp.zeros((), jnp.int32),
            position=jnp.zeros((), jnp.int32),
            mask=jnp.ones(max(slot_sizes), bool),
            condition=jnp.zeros(config.condition_size) if config.condition_size else (),
        ),
        encoder=lambda inputs: _LastChoice(slot_sizes, config.embedding_size)(inputs),
        core=_core(config, len(slot_sizes)),
        head=Head(Categorical(), lambda hidden, inputs: _SlotLogits(slot_sizes)(hidden, inputs)),
        value=config.value,
        initial_range=config.initial_range,
    )
    parts = {field.name: getattr(policy, field.name) for field in fields(policy)}
    return TokenPolicy(**parts, slot_sizes=slot_sizes)


def _core(config: TokenPolicyConfig, length: int) -> Core:
    """Returns the maker of the core; a transformer looks back at the whole sequence."""
    if config.core == "transformer":
        require(
            config.hidden_size % (2 * _HEADS) == 0,
            f"A transformer of {config.hidden_size} units cannot be cut into {_HEADS} heads of an even size; "
            f"take a multiple of {2 * _HEADS}.",
        )
        return transformer(config.hidden_size, heads=_HEADS, context=length)
    return {"lstm": lstm, "gru": gru}[config.core](config.hidden_size)


def token_inputs(tokens: jax.Array, masks: jax.Array, condition: Any = ()) -> TokenInputs:
    """Returns what the policy saw while it wrote: the inputs to recompute recorded sequences with.

    Args:
      tokens: [B, L] int32.
      masks: [B, L, W] bool.
      condition: [B, C] what each was asked for with; () where C is 0.

    Returns:
      Inputs with leading axes [B, L].
    """
    chex.assert_rank([tokens, masks], [2, 3])
    tokens = jnp.asarray(tokens, jnp.int32)
    previous = jnp.pad(tokens[:, :-1], ((0, 0), (1, 0)))  # [B, L], 0 before the first
    positions = jnp.broadcast_to(jnp.arange(tokens.shape[1])[None], tokens.shape)
    at_every_step = jax.tree.map(
        lambda x: jnp.broadcast_to(x[:, None], (*tokens.shape, x.shape[1])), condition
    )
    return TokenInputs(previous, positions, jnp.asarray(masks), at_every_step)


class _LastChoice(hk.Module):
    """Embeds the last choice: one table a slot, since an index means something else in each."""

    def __init__(self, slot_sizes: tuple[int, ...], embedding_size: int):
        super().__init__(name="last_choice")
        # The table of slot 0 holds the symbol of the beginning; that of slot l embeds the choice
        # made at slot l - 1.
        self.shape = (len(slot_sizes), max(slot_sizes), embedding_size)

    def __call__(self, inputs: TokenInputs) -> jax.Array:
        chex.assert_rank([inputs.previous_token, inputs.position, inputs.mask], [1, 1, 2])
        tables = hk.get_parameter("tables", self.shape, init=hk.initializers.RandomNormal())
        choice = tables[inputs.position, inputs.previous_token]  # [N, E]
        return jnp.concatenate([choice, *jax.tree.leaves(inputs.condition)], axis=-1)  # [N, E + C]


class _SlotLogits(hk.Module):
    """One softmax layer a slot."""

    def __init__(self, slot_sizes: tuple[int, ...]):
        super().__init__(name="slot_logits")
        self.slot_sizes = slot_sizes

    def __call__(self, hidden: jax.Array, inputs: TokenInputs) -> jax.Array:
        slots, width = len(self.slot_sizes), max(self.slot_sizes)
        columns = (hidden.shape[-1], slots * width)
        weights = hk.get_parameter("weights", columns, init=SMALL)
        biases = hk.get_parameter("biases", (slots * width,), init=jnp.zeros)
        # All slots in one product, then the row's own: several times faster than gathering a matrix
        # for each row.
        every = (hidden @ weights + biases[None]).reshape(-1, slots, width)  # [N, L, W]
        logits = jnp.take_along_axis(every, inputs.position[:, None, None], axis=1)[:, 0]  # [N, W]
        sizes = jnp.asarray(self.slot_sizes)[inputs.position]  # [N]
        in_vocabulary = jnp.arange(width)[None] < sizes[:, None]
        return mask_logits(logits, inputs.mask & in_vocabulary)
