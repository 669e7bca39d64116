"""A policy: acting one step at a time, and recomputed over whole sequences.

`step` carries the recurrent state and is what acts. `apply` gives the same numbers for a recorded
sequence, and is what learns: the core is unrolled over time; the encoder and the heads, which do not
look back, see all steps at once.

Letters: B batch; T steps; N = B, or B T when steps are folded into the batch; F features; H hidden
units.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from metarl.errors import InvalidInput, require

from .cores import Core, unroll
from .distributions import Distribution
from .heads import SMALL, Bins, Head, Inputs

Params = Any
State = Any
Encoder = Callable[[Inputs], jax.Array]


@dataclass(frozen=True)
class Policy:
    """A distribution over actions and a value, given all inputs so far.

    Law: `apply` is the scan of `step` from `initial_state`, so the log-probabilities recorded while
    acting are those recomputed while learning.
    """

    init: Callable[[jax.Array], Params]
    """key -> params"""

    initial_state: Callable[[int], State]
    """B -> state, the same for every row"""

    step: Callable[[Params, State, Inputs], tuple[State, Any, jax.Array]]
    """params, state, inputs [B, ...] -> state, distribution parameters [B, ...], values [B]"""

    apply: Callable[[Params, Inputs], tuple[Any, jax.Array]]
    """params, inputs [B, T, ...] -> distribution parameters [B, T, ...], values [B, T]"""

    value_parameters: Callable[[Params], Any]
    """params -> the same tree of bool: True where a parameter moves the value alone"""

    rescale_value: Callable[[Params, jax.Array, jax.Array], Params]
    """params, scale [], shift [] -> params whose values are scale · value + shift; nothing else is other. Refused by a
    value in bins"""

    distribution: Distribution

    predict: Callable[[Params, Inputs], tuple[Any, jax.Array, Mapping[str, jax.Array]]]
    """params, inputs [B, T, ...] -> what `apply` gives, and logits [B, T, classes] of each label that the core
    learns to predict, and of the bins that tell the value, if any, under `VALUE`"""

    labels: tuple[str, ...]
    """their names; none if nothing is predicted"""


VALUE = "value"  # the name of the logits of a value in bins, and of the branch of the value's parameters


class CoreStates(NamedTuple):
    """Recurrent states; that of the value is empty unless it has a network of its own."""

    policy: State
    value: State


def recurrent_policy(
    example_inputs: Inputs,
    encoder: Encoder,
    core: Core,
    head: Head,
    *,
    value: Literal["shared", "separate", "none"] = "shared",
    value_encoder: Encoder | None = None,
    value_core: Core | None = None,
    initial_range: float | None = None,
    truncate: int | None = None,
    labels: Mapping[str, int] | None = None,
    bins: Bins | None = None,
) -> Policy:
    """Builds a policy: encoder, then core, then head.

    Args:
      example_inputs: arrays or `jax.ShapeDtypeStruct`s of one step of one sequence, without leading
        axes.
      encoder: inputs [N, ...] -> features [N, F]; may create haiku modules, as it runs inside a
        haiku transform.
      core: makes the recurrent core.
      head: gives the distribution.
      value: "shared" reads the value off the policy's core, "separate" gives it an encoder and a
        core of its own, "none" makes it 0.
      value_encoder: the encoder of a separate value, where it is shown other inputs than the policy;
        None takes `encoder`.
      value_core: makes the core of a separate value; None takes `core`.
      initial_range: a, to draw all parameters from U(-a, a); None keeps the initial values that
        modules ask for.
      truncate: `apply` sends gradients back through so many steps at most, between multiples of that
        number, and keeps the hidden states at these alone; the states are carried on. None sends
        them through the whole sequence.
      labels: how many classes each label has that is to be predicted from the policy's core, by a linear layer of
        its own (`predict`); acting needs none of them.
      bins: that tell the value; None for one number.

    Returns:
      The policy.

    Raises:
      InvalidInput: a label has the name of the value.
    """
    transform = functools.partial(_transform, initial_range=initial_range)
    trunk = _Trunk.make(transform, encoder, core, truncate)
    value_trunk = _Trunk.make(transform, value_encoder or encoder, value_core or core, truncate)
    read_action = transform(head.parameters)
    read_value = transform(functools.partial(_read_value, bins.count) if bins else _read_number)
    labels = labels or {}
    require(VALUE not in labels, f"No label may be called {VALUE!r}, as the value is; rename it.")
    read_labels = transform(functools.partial(_read_labels, labels))

    def init(key: jax.Array) -> Params:
        trunk_key, head_key, value_trunk_key, value_head_key = jax.random.split(key, 4)
        inputs = jax.tree.map(lambda x: jnp.zeros((1, *x.shape), x.dtype), example_inputs)
        params, hidden = trunk.init(trunk_key, inputs)
        params["head"] = read_action.init(head_key, hidden, inputs)
        predicting = {}
        if labels:
            predicting["labels"] = read_labels.init(jax.random.fold_in(key, 4), hidden)
        if value == "none":
            return {"policy": params, **predicting}
        value_params = {}
        if value == "separate":
            value_params, hidden = value_trunk.init(value_trunk_key, inputs)
        value_params["head"] = read_value.init(value_head_key, hidden)
        return {"policy": params, "value": value_params, **predicting}

    def initial_state(batch_size: int) -> CoreStates:
        value_state = value_trunk.initial_state(batch_size) if value == "separate" else ()
        return CoreStates(trunk.initial_state(batch_size), value_state)

    def value_of(params: Params, hidden: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Returns values [N], and the logits that tell them, if any do."""
        if value == "none":
            return jnp.zeros(hidden.shape[0], hidden.dtype), {}
        read = read_value.apply(params["value"]["head"], hidden)
        return (bins.told_by(read), {VALUE: read}) if bins else (read, {})

    def step(
        params: Params, state: CoreStates, inputs: Inputs
    ) -> tuple[CoreStates, Any, jax.Array]:
        hidden, policy_state = trunk.step(params["policy"], state.policy, inputs)  # [B, H]
        parameters = read_action.apply(params["policy"]["head"], hidden, inputs)
        value_hidden, value_state = hidden, state.value
        if value == "separate":
            value_hidden, value_state = value_trunk.step(params["value"], state.value, inputs)
        values, _ = value_of(params, value_hidden)
        return CoreStates(policy_state, value_state), parameters, values

    def apply(params: Params, inputs: Inputs) -> tuple[Any, jax.Array]:
        return predict(params, inputs)[:2]

    def predict(params: Params, inputs: Inputs) -> tuple[Any, jax.Array, dict[str, jax.Array]]:
        batch_size, steps = jax.tree.leaves(inputs)[0].shape[:2]
        folded = _fold_time(inputs)  # [T B, ...]
        hidden = trunk.sequence(params["policy"], folded, batch_size)  # [T B, H]
        parameters = read_action.apply(params["policy"]["head"], hidden, folded)
        value_hidden = hidden
        if value == "separate":
            value_hidden = value_trunk.sequence(params["value"], folded, batch_size)
        values, logits = value_of(params, value_hidden)
        if labels:
            logits = {**read_labels.apply(params["labels"], hidden), **logits}
        return _unfold_time((parameters, values, logits), steps)

    return Policy(
        jax.jit(init),
        initial_state,
        step,
        apply,
        _value_parameters,
        _not_rescaled if bins else _rescale_value,
        head.distribution,
        predict,
        tuple(labels),
    )


class _Trunk(NamedTuple):
    """Encoder and core: from inputs to hidden states."""

    encode: hk.Transformed
    recur: hk.Transformed
    unroll: hk.Transformed
    core: Core
    truncate: int | None

    @classmethod
    def make(
        cls, transform: Callable[..., Any], encoder: Encoder, core: Core, truncate: int | None
    ) -> _Trunk:
        recur = transform(lambda features, state: core()(features, state))
        over_time = transform(lambda features, state=None: unroll(core(), features, state))
        return cls(transform(encoder), recur, over_time, core, truncate)

    def init(self, key: jax.Array, inputs: Inputs) -> tuple[dict[str, Params], jax.Array]:
        encoder_key, core_key = jax.random.split(key)
        state = self.initial_state(1)
        params: dict[str, Params] = {"encoder": self.encode.init(encoder_key, inputs)}
        features = self.encode.apply(params["encoder"], inputs)
        params["core"] = self.recur.init(core_key, features, state)
        return params, self.recur.apply(params["core"], features, state)[0]

    def initial_state(self, batch_size: int) -> State:
        make = hk.without_apply_rng(hk.transform(lambda: self.core().initial_state(batch_size)))
        return make.apply({})

    def step(self, params: Params, state: State, inputs: Inputs) -> tuple[jax.Array, State]:
        features = self.encode.apply(params["encoder"], inputs)  # [B, F]
        return self.recur.apply(params["core"], features, state)

    def sequence(self, params: Params, folded: Inputs, batch_size: int) -> jax.Array:
        features = self.encode.apply(params["encoder"], folded)  # [T B, F]
        features = features.reshape(-1, batch_size, *features.shape[1:])  # [T, B, F]
        advance = functools.partial(self.unroll.apply, params["core"])
        if self.truncate is None or self.truncate >= features.shape[0]:
            hidden, _ = advance(features)
        else:
            start = self.initial_state(batch_size)
            hidden = _unroll_in_parts(advance, start, features, self.truncate)
        return hidden.reshape(-1, *hidden.shape[2:])  # [T B, H]


def _unroll_in_parts(
    advance: Callable[[jax.Array, State], tuple[jax.Array, State]],
    start: State,
    features: jax.Array,
    length: int,
) -> jax.Array:
    """Unrolls over features [T, B, F] in parts, between which no gradient flows; returns outputs [T, B, H]."""
    steps = features.shape[0]
    beyond = -steps % length
    parts = jnp.pad(features, ((0, beyond), (0, 0), (0, 0)))
    parts = parts.reshape(-1, length, *features.shape[1:])

    @jax.checkpoint
    def part(state: State, features: jax.Array) -> tuple[State, jax.Array]:
        outputs, state = advance(features, jax.lax.stop_gradient(state))
        return state, outputs

    _, outputs = jax.lax.scan(part, start, parts)
    return outputs.reshape(-1, *outputs.shape[2:])[:steps]


def _transform(function: Callable, initial_range: float | None) -> hk.Transformed:
    """Makes a pure pair of functions of `function`, which may create haiku modules."""
    if initial_range is None:
        return hk.without_apply_rng(hk.transform(function))
    uniform = hk.initializers.RandomUniform(-initial_range, initial_range)

    def create(next_creator: Callable, shape: Any, dtype: Any, init: Any, context: Any) -> Any:
        del init, context
        return next_creator(shape, dtype, uniform)

    def drawn_uniformly(*args: Any) -> Any:
        with hk.custom_creator(create):
            return function(*args)

    return hk.without_apply_rng(hk.transform(drawn_uniformly))


def _read_number(hidden: jax.Array) -> jax.Array:
    return hk.Linear(1, name="value")(hidden)[:, 0]  # [N]


def _read_value(bins: int, hidden: jax.Array) -> jax.Array:
    return hk.Linear(bins, w_init=SMALL, name="value")(hidden)  # [N, K]


def _read_labels(labels: Mapping[str, int], hidden: jax.Array) -> dict[str, jax.Array]:
    return {name: hk.Linear(count, name=name)(hidden) for name, count in labels.items()}


def _rescale_value(params: Params, scale: jax.Array, shift: jax.Array) -> Params:
    if "value" not in params:  # it is 0, whatever the unit
        return params
    layer = params["value"]["head"]["value"]
    head = {"value": {"w": scale * layer["w"], "b": scale * layer["b"] + shift}}
    return {**params, "value": {**params["value"], "head": head}}


def _not_rescaled(params: Params, scale: jax.Array, shift: jax.Array) -> Params:
    raise InvalidInput(
        "A value in bins cannot be rescaled by its last layer; its bins stay where they are."
    )


def _value_parameters(params: Params) -> Any:
    return {
        network: jax.tree.map(lambda _, owner=network: owner == "value", tree)
        for network, tree in params.items()
    }


def _fold_time(tree: Any) -> Any:
    """[B, T, ...] -> [T B, ...], time first, since that is what a scan wants."""

    def fold(x: jax.Array) -> jax.Array:  # not reshape(-1, ...): inputs may hold no numbers
        return jnp.swapaxes(x, 0, 1).reshape(x.shape[0] * x.shape[1], *x.shape[2:])

    return jax.tree.map(fold, tree)


def _unfold_time(tree: Any, steps: int) -> Any:
    """[T B, ...] -> [B, T, ...]."""
    return jax.tree.map(lambda x: jnp.swapaxes(x.reshape(steps, -1, *x.shape[1:]), 0, 1), tree)
