"""The network of an agent: the controller, built for an environment's inputs and actions."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from metarl.controller import (
    Core,
    Head,
    Policy,
    categorical_head,
    delta_rule,
    dense_front,
    gaussian_head,
    gru,
    gru_below_delta_rule,
    image_front,
    lru,
    lstm,
    memoryless,
    outer_product_memory,
    recurrent_policy,
    scored_head,
    transformer,
)
from metarl.environments import (
    AuxiliaryTargets,
    Environment,
    Trial,
    feature_size,
    require_numbered,
)
from metarl.errors import InvalidInput, require
from metarl.policy_gradient import ValueBins

from ..settings.network_config import NetworkConfig
from .inner_learner import trust_in_plans
from .inputs import Encoder, Inputs, make_encoder

POLICY = "policy"  # the branch of the parameters that acts
LABELS = "labels"  # the one that predicts what the simulator knows, in learning alone
_ACTIVATIONS = {"tanh": jnp.tanh, "relu": jax.nn.relu}


@functools.cache
def make_policy(
    environment: Environment,
    config: NetworkConfig,
    acting: bool = False,
    predicting: bool = False,
    bins: ValueBins | None = None,
) -> Policy:
    """Returns the recurrent policy for an environment; the same object for the same arguments.

    Args:
      environment: gives the sizes of inputs and actions.
      config: the network; a transformer's context is given, see `fit_to`.
      acting: without the value, which only learning needs.
      predicting: with layers that predict the environment's auxiliary targets from the core, which only learning
        needs.
      bins: that tell the value; None for one number.

    Raises:
      InvalidInput: a space is not supported, or there are no such targets.
    """
    encoder = make_encoder(environment, config)
    task: Any = jax.ShapeDtypeStruct((task_size(environment, config),), jnp.float32)
    look = _front(encoder, config)

    def everything(inputs: Inputs) -> jax.Array:
        return jnp.concatenate([look(inputs), inputs.task], axis=-1)

    targets = require_targets(environment) if predicting else None
    return recurrent_policy(
        Inputs(encoder.example(), task),
        look,
        make_core(encoder, config),
        make_head(environment, config),
        value="none" if acting else config.value,
        value_encoder=everything if is_privileged(environment, config) else None,
        value_core=make_core(encoder, config, scored=False),
        truncate=config.truncate,
        labels=targets.classes if targets else None,
        bins=bins,
    )


def require_targets(environment: Environment) -> AuxiliaryTargets:
    """Returns what a memory may learn to predict in an environment.

    Raises:
      InvalidInput: it does not say.
    """
    targets = environment.auxiliary_targets
    require(
        targets is not None,
        f"--auxiliary-weight needs an environment with 'auxiliary_targets', which {environment.name!r} has not; "
        "leave it out. First-person mazes have them.",
    )
    assert targets is not None
    return targets


def fit_to(trial: Trial, config: NetworkConfig) -> NetworkConfig:
    """Returns the network for some trials: a transformer looks back over the whole of one."""
    if config.core != "transformer" or config.context is not None:
        return config
    return dataclasses.replace(config, context=trial.length)


def is_privileged(environment: Environment, config: NetworkConfig) -> bool:
    """Tells whether the value network sees the task in training."""
    return (
        config.privileged_value
        and config.value == "separate"
        and environment.task_features is not None
    )


def task_size(environment: Environment, config: NetworkConfig) -> int:
    """Returns how many numbers about the task the inputs hold."""
    if not is_privileged(environment, config):
        return 0
    assert environment.task_features is not None

    def features_of(key: jax.Array) -> Any:
        return environment.task_features(environment.sample_task(key))  # type: ignore[misc]

    return jax.eval_shape(features_of, jax.random.key(0)).shape[0]


def make_core(encoder: Encoder, config: NetworkConfig, scored: bool = True) -> Core:
    """Returns the recurrent core, that of a policy or, not `scored`, that of a value.

    Raises:
      InvalidInput: the outer-product memory is asked for where images are seen.
    """
    match config.core:
        case "lstm":
            return lstm(config.hidden)
        case "outer-product":
            return _outer_product_memory(encoder, config, scored)
        case "lru":
            return lru(config.hidden, config.layers)
        case "delta-rule":
            return delta_rule(config.hidden, config.layers, config.heads)
        case "gru-delta-rule":
            return gru_below_delta_rule(config.hidden, config.layers, config.heads)
        case "transformer":
            assert config.context is not None, "given by `fit_to`"
            return transformer(config.hidden, config.layers, config.heads, config.context)
        case "none":
            return memoryless([config.hidden, config.hidden])
    return gru(
        config.hidden,
        _ACTIVATIONS[config.activation],
        config.normalise_weights,
        None if encoder.sees_images else config.input_deviation,
    )


def make_head(environment: Environment, config: NetworkConfig) -> Head:
    """Returns the head for an environment's actions.

    Raises:
      InvalidInput: the actions are neither one of a finite set, counted from 0, nor real numbers.
    """
    space = environment.action_space
    kind = type(space).__name__
    scored = config.core == "outer-product"
    require_numbered(f"Actions of {environment.name!r}", space)
    if kind == "Discrete":
        return (scored_head if scored else categorical_head)(feature_size(space))
    require(
        not scored,
        f"--network.core outer-product needs discrete actions; {environment.name!r} has {kind}.",
    )
    if kind == "Box":
        return gaussian_head(tuple(space.shape or ()))
    raise InvalidInput(
        f"Actions of {environment.name!r} are {kind}; an agent here acts in Discrete or Box."
    )


def _outer_product_memory(encoder: Encoder, config: NetworkConfig, scored: bool) -> Core:
    require(
        not encoder.sees_images,
        f"--network.core outer-product sees no images, which {encoder.environment.name!r} shows; "
        "choose another core.",
    )
    return outer_product_memory(
        config.hidden,
        encoder.layout,
        config.memory_keys,
        config.memory_values,
        scored,
        trust_in_plans(config.inner_trust) if config.inner_values else (),
    )


def _front(encoder: Encoder, config: NetworkConfig) -> Callable[[Inputs], jax.Array]:
    """Returns what comes before the core: nothing, or what sees images."""
    if not encoder.sees_images:
        return lambda inputs: inputs.seen
    if config.pixel_units is None:
        front = image_front(config.filters, config.beside)
    else:
        front = dense_front(config.pixel_units, config.beside)
    return lambda inputs: front(inputs.seen)
