"""The contract of strategies: what is asked, what is told, and the check of a user's own.

A strategy's state is a PyTree of arrays and nothing else, so that any search can be stopped, stored
and taken up again with the same bits. All randomness comes from the keys.

Letters: K rules of a generation; L tokens of a rule.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metarl.errors import InvalidInput, require
from metarl.runs import ADDED_METRICS
from metarl.update_rules import Grammar
from metarl.user_code import told

# What a search itself logs of a generation, beside which a strategy's metrics stand.
LOGGED_BY_THE_SEARCH = frozenset(ADDED_METRICS) | {
    *("sampled", "trained", "failed", "repeated", "filtered", "distinct_share", "steps"),
    *("mean_reward", "better_than_adam", "best_reward", "best_rule"),
}

State = Any  # a PyTree of arrays
ArrayLike = Any  # numpy or jax


class Proposals(NamedTuple):
    """The rules of one generation."""

    tokens: ArrayLike  # [K, L] int32, valid under the grammar
    record: Any = ()  # a PyTree: what `tell` will need (log-probabilities, values, masks)


class Feedback(NamedTuple):
    """What became of them.

    A rule that was filtered out or failed has the floor as its reward. A rule that was proposed
    before has the reward it earned then; what to make of that is the strategy's business.
    """

    rewards: ArrayLike  # [K] float32, finite
    repeated: ArrayLike  # [K] bool, proposed before in this search, or earlier in this generation
    floor: ArrayLike = -math.inf  # [] float32, the reward of a rule that fails; -inf if unknown


class Strategy(NamedTuple):
    """A way to propose rules.

    Attributes:
      init: key -> state.
      ask: (key, state, K) -> state, proposals.
      tell: (key, state, proposals, feedback) -> state, metrics; the metrics are finite numbers, under
        names that the search has not (`LOGGED_BY_THE_SEARCH`).
    """

    init: Callable[[jax.Array], State]
    ask: Callable[[jax.Array, State, int], tuple[State, Proposals]]
    tell: Callable[[jax.Array, State, Proposals, Feedback], tuple[State, dict[str, float]]]


def as_arrays(feedback: Feedback) -> Feedback:
    """Returns feedback as a compiled program takes it: the same types whoever gave it."""
    return Feedback(
        jnp.asarray(feedback.rewards, jnp.float32),
        jnp.asarray(feedback.repeated, bool),
        jnp.asarray(feedback.floor, jnp.float32),
    )


def checked(strategy: Strategy, grammar: Grammar, name: str) -> Strategy:
    """Returns the strategy with every answer of its functions looked at.

    Args:
      strategy: a user's own.
      grammar: the grammar that its rules must obey.
      name: what the user called it, for the messages.

    Returns:
      A strategy that behaves the same, and raises `InvalidInput` as soon as its state could not be
      stored and read again, its tokens are no rules of the grammar, or its metrics no numbers.
    """
    begun: dict[str, Any] = {}  # how the state is laid out at first

    def init(key: jax.Array) -> State:
        with told(f"Strategy {name!r}: init raised", strategy.init):
            state = strategy.init(key)
        begun.update(_layout(_checked_state(state, f"Strategy {name!r}: init")))
        return state

    def kept(state: State, who: str) -> State:
        """Returns a state that is laid out as the first one: a search that is resumed reads it into its place."""
        later = _layout(_checked_state(state, who))
        for place in begun.keys() | later.keys():
            first, now = (found.get(place, "nothing") for found in (begun, later))
            require(
                first == now,
                f"{who}: the state holds {now} at {place or 'its root'}, and {first} after init; a state keeps its "
                "structure, shapes and types, so that a search can be resumed. Give arrays their final size at once.",
            )
        return state

    def ask(key: jax.Array, state: State, count: int) -> tuple[State, Proposals]:
        with told(f"Strategy {name!r}: ask raised", strategy.ask):
            answer = strategy.ask(key, state, count)
        state, proposals = _checked_pair(answer, f"Strategy {name!r}: ask", "state, Proposals")
        require(
            isinstance(proposals, Proposals),
            f"Strategy {name!r}: ask gave {type(proposals).__name__} beside its state; it must "
            "give metarl.optimizer_search.strategies.Proposals.",
        )
        tokens = _checked_tokens(proposals.tokens, grammar, count, f"Strategy {name!r}: ask")
        return kept(state, f"Strategy {name!r}: ask"), proposals._replace(tokens=tokens)

    def tell(
        key: jax.Array, state: State, proposals: Proposals, feedback: Feedback
    ) -> tuple[State, dict[str, float]]:
        with told(f"Strategy {name!r}: tell raised", strategy.tell):
            answer = strategy.tell(key, state, proposals, feedback)
        state, metrics = _checked_pair(answer, f"Strategy {name!r}: tell", "state, metrics")
        metrics = _checked_metrics(metrics, f"Strategy {name!r}: tell")
        return kept(state, f"Strategy {name!r}: tell"), metrics

    return Strategy(init, ask, tell)


def _checked_pair(answer: Any, who: str, meaning: str) -> tuple[Any, Any]:
    require(
        isinstance(answer, tuple) and len(answer) == 2,
        f"{who} must return a pair ({meaning}), not {type(answer).__name__}.",
    )
    return answer


def _checked_state(state: State, who: str) -> State:
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        is_array = isinstance(leaf, (jax.Array, np.ndarray, np.generic, bool, int, float))
        require(
            is_array and getattr(leaf, "dtype", None) != np.dtype(object),
            f"{who}: the state holds {type(leaf).__name__} at "
            f"{jax.tree_util.keystr(path) or 'its root'}; a state is a PyTree of arrays only, since "
            "it is stored in checkpoints.",
        )
    return state


def _layout(state: State) -> dict[str, str]:
    """Returns of each array of a state its type and shape, by its path."""
    return {
        jax.tree_util.keystr(path): f"{_kind(leaf)} {list(np.shape(leaf))}"
        for path, leaf in jax.tree_util.tree_leaves_with_path(state)
    }


def _kind(leaf: Any) -> str:
    return str(leaf.dtype if hasattr(leaf, "dtype") else np.asarray(leaf).dtype)


def _checked_tokens(tokens: Any, grammar: Grammar, count: int, who: str) -> np.ndarray:
    tokens = np.asarray(tokens)
    require(
        tokens.shape == (count, grammar.length),
        f"{who} gave tokens of shape {list(tokens.shape)}; {count} rules of this grammar have "
        f"shape [{count}, {grammar.length}].",
    )
    require(
        np.issubdtype(tokens.dtype, np.integer),
        f"{who} gave tokens of type {tokens.dtype}; they must be integers.",
    )
    sizes = np.asarray(grammar.slot_sizes)[None]
    outside = np.argwhere((tokens < 0) | (tokens >= sizes))
    if len(outside):
        rule, slot = outside[0]
        raise InvalidInput(
            f"{who} gave token {tokens[rule, slot]} in slot {slot} of rule {rule}; that slot has "
            f"the tokens 0 to {sizes[0, slot] - 1}."
        )
    for rule, row in enumerate(tokens):
        try:
            grammar.validate(row)
        except InvalidInput as error:
            raise InvalidInput(
                f"{who} gave a rule the grammar forbids, rule {rule}: {error}"
            ) from None
    return tokens.astype(np.int32)


def _checked_metrics(metrics: Any, who: str) -> dict[str, float]:
    require(
        isinstance(metrics, dict),
        f"{who} gave {type(metrics).__name__} for its metrics; give a dict of numbers, {{}} if none.",
    )
    for metric, value in metrics.items():
        require(
            isinstance(metric, str) and np.ndim(value) == 0 and np.isreal(value),
            f"{who}: metric {metric!r} is {str(value)[:50]!r}; every metric has a text for a name "
            "and one number for a value.",
        )
        require(
            metric not in LOGGED_BY_THE_SEARCH,
            f"{who}: a metric is called {metric!r}, as one of the search's own; give it another name.",
        )
    return {metric: float(value) for metric, value in metrics.items()}
