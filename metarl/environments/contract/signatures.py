"""Whether a family's functions fit one another and its spaces, seen on abstract values.

Compiled programs cannot raise, and a shape error deep in one tells a user nothing. So a user's family
is run once on shapes alone when it is loaded, which computes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces

from metarl.errors import InvalidInput, require
from metarl.user_code import told

from .encoding import draw_member, feature_size
from .environment import SPLITS, AuxiliaryTargets, Environment, InnerLearning, Split, Step
from .setting_checks import whole_number


def check_signatures(environment: Environment) -> Environment:
    """Runs a family's functions once on abstract values, and compares what they give.

    Raises:
      InvalidInput: see `check_environment`.
    """
    require(
        isinstance(environment, Environment),
        f"An environment must be a metarl.environments.Environment, not "
        f"{type(environment).__name__}.",
    )
    name = f"Environment {environment.name!r}"
    whole_number(f"{name}: horizon", environment.horizon)
    _check_settings(name, environment.settings)
    for space in (environment.observation_space, environment.action_space):
        feature_size(space)
    key = jax.eval_shape(lambda: jax.random.key(0))
    task = _check_tasks(name, environment, key)
    reset = _shapes(f"{name}: reset", environment.reset, key, task)
    require(
        isinstance(reset, tuple) and len(reset) == 2,
        f"{name}: reset must give a pair, observation and state; it gave {type(reset).__name__}.",
    )
    observation, state = reset
    _check_observation(f"{name}: reset", environment.observation_space, observation)
    action = jax.eval_shape(lambda key: draw_member(key, environment.action_space), key)
    step = _shapes(f"{name}: step", environment.step, key, state, action, task)
    _check_step(f"{name}: step", step, observation, state)
    if environment.optimal_return is not None:
        value = _shapes(f"{name}: optimal_return", environment.optimal_return, task)
        _check_array(f"{name}: optimal_return", value, (), "floating")
    if environment.mean_reward is not None:
        mean = _shapes(f"{name}: mean_reward", environment.mean_reward, state, action, task)
        _check_array(f"{name}: mean_reward", mean, (), "floating")
    if environment.oracle is not None:
        solution = _shapes(f"{name}: oracle.solve", environment.oracle.solve, task)
        value = _shapes(f"{name}: oracle.value", environment.oracle.value, solution, state)
        _check_array(f"{name}: oracle.value", value, (), "floating")
    if environment.task_features is not None:
        features = _shapes(f"{name}: task_features", environment.task_features, task)
        shape = (features.size,) if hasattr(features, "size") else (0,)
        _check_array(f"{name}: task_features", features, shape, "floating")
    if environment.auxiliary_targets is not None:
        _check_targets(f"{name}: auxiliary_targets", environment.auxiliary_targets, task, state)
    if environment.inner_learning is not None:
        learning = environment.inner_learning
        _check_learning(f"{name}: inner_learning", learning, observation, action, step)
    return environment


def _check_learning(
    about: str, learning: InnerLearning, observation: Any, action: Any, step: Step
) -> None:
    whole_number(f"{about}: size", learning.size)
    before = _shapes(f"{about}.begin", lambda: learning.begin(8))
    led = (observation, action, step.reward, step.observation, step.terminated, step.truncated)
    after = _shapes(f"{about}.after", learning.after, before, *led)
    require(
        _described(before) == _described(after),
        f"{about}.after gives {_described(after)}; it must be as begin gives it, {_described(before)}.",
    )
    told = _shapes(f"{about}.tell", learning.tell, before, observation)
    _check_array(f"{about}.tell", told, (learning.size,), "floating")


def _check_targets(about: str, targets: AuxiliaryTargets, task: Any, state: Any) -> None:
    require(bool(targets.classes), f"{about}: classes is empty; name at least one label.")
    for label, count in targets.classes.items():
        whole_number(f"{about}: classes of {label!r}", count, 2)
    solution = _shapes(f"{about}.solve", targets.solve, task)
    told = _shapes(f"{about}.tell", targets.tell, solution, state)
    named = sorted(told) if isinstance(told, Mapping) else type(told).__name__
    require(
        named == sorted(targets.classes),
        f"{about}.tell must give the labels {sorted(targets.classes)} by name; it gave {named}.",
    )
    for label in targets.classes:
        _check_array(f"{about}.tell: {label!r}", told[label], (), "integer")


def _check_settings(name: str, settings: Any) -> None:
    try:
        json.dumps(dict(settings), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{name}: settings must be what JSON can hold ({error}).") from error


def _check_tasks(name: str, environment: Environment, key: Any) -> Any:
    """Returns the shapes of a task, which must be the same in all splits."""

    def shape_in(split: Split) -> Any:
        return _shapes(f"{name}: draw_task", lambda key: environment.draw_task(key, split), key)

    shapes = [shape_in(split) for split in SPLITS]
    require(
        bool(jax.tree.leaves(shapes[0])),
        f"{name}: draw_task gives no numbers; a task must hold at least one array.",
    )
    require(
        all(_described(shape) == _described(shapes[0]) for shape in shapes),
        f"{name}: draw_task gives tasks of other shapes in other splits.",
    )
    return shapes[0]


def _check_step(about: str, step: Any, observation: Any, state: Any) -> None:
    require(
        isinstance(step, Step),
        f"{about} must give a metarl.environments.Step; it gave {type(step).__name__}.",
    )
    for part, before, after in (
        ("observation", observation, step.observation),
        ("state", state, step.state),
    ):
        require(
            _described(before) == _described(after),
            f"{about} gives the {part} {_described(after)}; it must be as reset gives it, "
            f"{_described(before)}.",
        )
    _check_array(f"{about}: reward", step.reward, (), "floating")
    _check_array(f"{about}: terminated", step.terminated, (), "bool")
    _check_array(f"{about}: truncated", step.truncated, (), "bool")
    require(isinstance(step.info, dict), f"{about}: info must be a dict.")


def _check_observation(about: str, space: spaces.Space, observation: Any) -> None:
    real = isinstance(space, spaces.Box) and np.issubdtype(space.dtype, np.floating)
    shape = tuple(space.shape or ())
    _check_array(f"{about}: observation", observation, shape, "floating" if real else "integer")


def _check_array(about: str, value: Any, shape: tuple[int, ...], kind: str) -> None:
    kinds = {"floating": jnp.floating, "integer": jnp.integer, "bool": jnp.bool_}
    fits = hasattr(value, "dtype") and value.shape == shape
    fits = fits and jnp.issubdtype(value.dtype, kinds[kind])
    require(bool(fits), f"{about} must be {kind} of shape {shape}; it is {_described(value)}.")


def _shapes(about: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Returns the shapes of what a user's function gives; its errors become `InvalidInput`."""
    with told(f"{about} raised", function):
        return jax.eval_shape(lambda *traced: function(*traced), *arguments)


def _described(value: Any) -> str:
    """Returns structure, types and shapes as text."""
    leaves = [f"{leaf.dtype}{list(leaf.shape)}" for leaf in jax.tree.leaves(value)]
    return leaves[0] if hasattr(value, "dtype") else f"{jax.tree.structure(value)} {leaves}"
