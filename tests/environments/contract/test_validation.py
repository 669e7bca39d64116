"""A family of your own: each way to get it wrong has its message."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces

from metarl.environments import AuxiliaryTargets, InnerLearning, check_environment, check_task
from metarl.errors import InvalidInput


def changed(counting, **parts):
    """Returns the counting family, with parts of what its step gives changed."""
    step = counting().step

    def changed_step(key, state, action, task):
        given = step(key, state, action, task)
        return given._replace(**{name: change(given) for name, change in parts.items()})

    return counting(step=changed_step)


def told(classes, labels):
    """Returns targets that say the same of every state."""
    return AuxiliaryTargets(classes, lambda task: task, lambda task, state: labels)


def learning(**parts):
    """Returns an inner learner that counts steps and shows two numbers, with parts of it changed."""
    counts = {
        "size": 2,
        "revision": 1,
        "begin": lambda steps: jnp.zeros(()),
        "after": lambda known, *step: known + 1,
        "tell": lambda known, seen: jnp.stack([known, known]),
    }
    return InnerLearning(**{**counts, **parts})


def test_a_family_that_keeps_the_laws_is_given_back(counting):
    environment = counting(inner_learning=learning())
    assert check_environment(environment) is environment


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"horizon": 0}, "'counting': horizon is 0; it must be a whole number of at least 1."),
        ({"settings": {"a": object()}}, "settings must be what JSON can hold"),
        ({"action_space": spaces.Text(3)}, "Space Text is not supported"),
        ({"draw_task": lambda key, split: ()}, "draw_task gives no numbers"),
        (
            {"draw_task": lambda key, split: jnp.zeros(3 if split == "test" else 2)},
            "draw_task gives tasks of other shapes in other splits",
        ),
        ({"draw_task": lambda key, split: 1 / 0}, "draw_task raised ZeroDivisionError"),
        (
            {"reset": lambda key, task: jnp.zeros(())},
            "reset must give a pair, observation and state",
        ),
        (
            {"reset": lambda key, task: (jnp.zeros(2), 0)},
            r"reset: observation must be floating of shape \(\); it is float32\[2\]",
        ),
        ({"step": lambda key, state: None}, "step raised TypeError"),
        ({"step": lambda *given: (0, 0, 0.0)}, "step must give a metarl.environments.Step"),
        (
            {"optimal_return": lambda task: jnp.zeros(2)},
            r"optimal_return must be floating of shape",
        ),
        ({"task_features": lambda task: task.steps}, "task_features must be floating of shape"),
        ({"auxiliary_targets": told({}, {})}, "auxiliary_targets: classes is empty; name at least"),
        (
            {"auxiliary_targets": told({"place": 1}, {"place": jnp.zeros((), int)})},
            "auxiliary_targets: classes of 'place' is 1",
        ),
        (
            {"auxiliary_targets": told({"place": 2}, {"way": jnp.zeros((), int)})},
            r"tell must give the labels \['place'\] by name; it gave \['way'\]",
        ),
        (
            {"auxiliary_targets": told({"place": 2}, {"place": jnp.zeros(())})},
            r"tell: 'place' must be integer of shape \(\)",
        ),
        (
            {"inner_learning": learning(size=0)},
            "inner_learning: size is 0; it must be a whole number of at least 1",
        ),
        (
            {"inner_learning": learning(after=lambda known, *step: known > 0)},
            r"inner_learning.after gives bool\[\]; it must be as begin gives it, float32\[\]",
        ),
        (
            {"inner_learning": learning(tell=lambda known, seen: known)},
            r"inner_learning.tell must be floating of shape \(2,\); it is float32\[\]",
        ),
        ({"inner_learning": learning(begin=lambda: 0)}, "inner_learning.begin raised TypeError"),
    ],
)
def test_functions_and_facts_that_do_not_fit_are_named(counting, parts, message):
    with pytest.raises(InvalidInput, match=message):
        check_environment(counting(**parts))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"reward": lambda step: jnp.zeros(1)}, r"step: reward must be floating of shape \(\)"),
        ({"terminated": lambda step: jnp.zeros(())}, "step: terminated must be bool of shape"),
        ({"truncated": lambda step: None}, "step: truncated must be bool of shape"),
        ({"info": lambda step: ()}, "step: info must be a dict"),
        ({"state": lambda step: (step.state,)}, "step gives the state"),
        ({"state": lambda step: step.observation}, "step gives the state float32.*as reset gives"),
        ({"observation": lambda step: step.state}, "step gives the observation int32"),
    ],
)
def test_steps_that_do_not_fit_are_named(counting, parts, message):
    with pytest.raises(InvalidInput, match=message):
        check_environment(changed(counting, **parts))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"observation": lambda step: step.observation * 2}, "is not in the observation space"),
        (
            {"observation": lambda step: step.observation * jnp.nan},
            "is not in the observation space",
        ),
        ({"reward": lambda step: step.reward / 0}, "a reward is NaN or infinite"),
        (
            {
                "terminated": lambda step: jnp.zeros((), bool),
                "truncated": lambda step: step.state > 9,
            },
            "an episode has not ended after 4 steps",
        ),
    ],
)
def test_numbers_that_break_a_law_are_named(counting, parts, message):
    with pytest.raises(InvalidInput, match=message):
        check_environment(changed(counting, **parts))


def test_fixed_length_must_be_true(counting):
    with pytest.raises(InvalidInput, match="an episode ended before its horizon 4"):
        check_environment(counting(fixed_length=True))


def test_the_first_observation_is_looked_at_too(counting):
    def reset(key, task):
        return jnp.full((), -1.0), jnp.zeros((), jnp.int32)

    with pytest.raises(InvalidInput, match=r"observation -1.0 is not in the observation space"):
        check_environment(counting(reset=reset))


def test_a_task_with_nan_is_seen(counting):
    length = type(counting().draw_task(None, None))
    broken = counting(draw_task=lambda key, split: length(jnp.full((), jnp.nan)))
    with pytest.raises(InvalidInput, match=r"draw_task gives NaN or infinity.* in split 'train'"):
        check_environment(broken)


def number(key):
    return jax.random.uniform(key)


def test_every_split_is_played(counting):
    """Only the train split was: a family broken in another passed."""

    def draw_task(key, split):
        return number(key) * (jnp.nan if split == "test" else 1.0)

    def step(key, state, action, task):
        return counting().step(key, state, action, type_of_task(counting)(jnp.int32(3)))

    with pytest.raises(InvalidInput, match="NaN or infinity in split 'test'"):
        check_environment(counting(draw_task=draw_task, step=step, shared_tasks=False))

    def worse(key, state, action, task):
        taken = step(key, state, action, task)
        return taken._replace(reward=jnp.where(task > 1, jnp.nan, taken.reward))

    def draw_larger(key, split):
        return number(key) + 2.0 * (split == "validation")

    with pytest.raises(InvalidInput, match="a reward is NaN or infinite"):
        check_environment(counting(draw_task=draw_larger, step=worse, shared_tasks=False))


def type_of_task(counting):
    return type(counting().draw_task(None, None))


def test_a_split_may_hold_no_task_of_another_unless_it_is_said(counting):
    message = (
        r"64 of 64 tasks drawn for 'validation' were drawn for 'train' too.*"
        r"say shared_tasks=True"
    )
    with pytest.raises(InvalidInput, match=message):
        check_environment(counting(shared_tasks=False))
    assert check_environment(counting(shared_tasks=True)).shared_tasks


def test_luck_that_is_not_the_keys_is_seen(counting):
    calls = itertools.count()
    with pytest.raises(InvalidInput, match="the same key gives other numbers the second time"):
        check_environment(changed(counting, reward=lambda step: jnp.float32(next(calls))))


def test_what_is_no_environment_is_refused():
    with pytest.raises(InvalidInput, match=r"must be a metarl\.environments\.Environment, not int"):
        check_environment(3)  # pyright: ignore[reportArgumentType]


def test_a_task_is_given_back_as_arrays_of_the_familys_types(counting, lengths):
    kind = type(lengths(1))
    task = check_task(counting(), kind(np.int64(2)))
    assert isinstance(task.steps, jax.Array) and task.steps.dtype == jnp.int32 and task.steps == 2
    assert check_task(counting(), kind(np.array([1, 2, 3])), (3,)).steps.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("steps", "leading", "message"),
    [
        (2.5, (), "task.steps is of type float64; it must be int32"),
        (np.nan, (), "task.steps is of type float64; it must be int32"),
        ([1, 2], (), r"task.steps has shape \(2,\); it must be \(\)"),
        ([1, 2], (3,), r"task.steps has shape \(2,\); it must be \(3,\)"),
    ],
)
def test_a_task_that_is_none_is_refused(counting, lengths, steps, leading, message):
    with pytest.raises(InvalidInput, match=message):
        check_task(counting(), type(lengths(1))(np.array(steps)), leading)
