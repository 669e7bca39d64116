from __future__ import annotations

import re
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from metarl.errors import InvalidInput
from metarl.runs import flatten_tree, load_checkpoint, restore_tree, save_checkpoint


class State(NamedTuple):
    params: Any
    optimizer: Any
    key: Any
    keys: Any
    counted: int
    archive: np.ndarray
    weak: Any
    nothing: None = None


def make_state(seed=0, width=3) -> State:
    params = {"lstm/linear": {"w": jnp.ones((2, width)), "b": jnp.zeros(width, jnp.bfloat16)}}
    return State(
        params=params,
        optimizer=optax.adam(1e-3).init(params),
        key=jax.random.key(seed),
        keys=jax.random.split(jax.random.key(seed + 1, impl="rbg"), 2),
        counted=5,
        archive=np.arange(4, dtype=np.int64),
        weak=jnp.asarray(0.5),
    )


def assert_same(tree, expected):
    assert jax.tree.structure(tree) == jax.tree.structure(expected)
    arrays, expected_arrays = flatten_tree(tree), flatten_tree(expected)
    assert list(arrays) == list(expected_arrays)
    for name, array in arrays.items():
        assert array.dtype == expected_arrays[name].dtype
        assert array.tobytes() == expected_arrays[name].tobytes()


def test_names_are_the_paths_in_the_tree():
    names = list(flatten_tree(make_state()))
    assert ".params['lstm/linear']['w']" in names
    assert ".optimizer[0].mu['lstm/linear']['b']" in names
    assert ".key<threefry2x32 key>" in names and ".keys<rbg key>" in names


def test_a_tree_survives_a_checkpoint(tmp_path):
    save_checkpoint(tmp_path / "x", flatten_tree(make_state(seed=4)), None)
    restored = restore_tree(make_state(seed=0), load_checkpoint(tmp_path / "x")[0])
    assert_same(restored, make_state(seed=4))
    assert type(restored.counted) is int and type(restored.archive) is np.ndarray
    assert isinstance(restored.params["lstm/linear"]["w"], jax.Array)
    draws = jax.random.normal(restored.key, (3,))
    np.testing.assert_array_equal(draws, jax.random.normal(jax.random.key(4), (3,)))


def test_a_restored_state_does_not_recompile():
    traces = []

    @jax.jit
    def update(state):
        traces.append(state)
        return state

    state = {"weak": jnp.asarray(0.5), "x": jnp.ones(3), "key": jax.random.key(0)}
    restored = restore_tree(state, flatten_tree(state))
    update(state)
    update(restored)
    assert len(traces) == 1


def test_shapes_alone_can_be_the_template():
    def make():
        return {"x": jnp.ones(3, jnp.bfloat16), "key": jax.random.key(3)}

    assert_same(restore_tree(jax.eval_shape(make), flatten_tree(make())), make())


def test_a_leaf_alone_is_a_tree():
    assert restore_tree(jnp.zeros(2), flatten_tree(jnp.array([1.0, 2.0]))).tolist() == [1.0, 2.0]


def test_another_shape_is_refused_by_name():
    with pytest.raises(InvalidInput) as error:
        restore_tree(make_state(width=4), flatten_tree(make_state(width=3)))
    assert str(error.value) == (
        "The saved state holds .params['lstm/linear']['b'] as bfloat16[3]; this configuration "
        "needs bfloat16[4]. Resume with the configuration and the version of metarl that wrote it, "
        "or start a new run."
    )


def test_another_type_is_refused_by_name():
    arrays = {"['x']": np.zeros(2, np.float64)}
    with pytest.raises(InvalidInput, match=re.escape("holds ['x'] as float64[2]; this")):
        restore_tree({"x": jnp.zeros(2)}, arrays)


def test_other_names_are_refused():
    saved = {**flatten_tree({"a": 1.0, "b": 2.0, "e": 0, "f": 0}), "['g']": np.zeros(1)}
    with pytest.raises(InvalidInput) as error:
        restore_tree({"a": 1.0, "c": 2.0}, saved)
    assert str(error.value).startswith(
        "The saved state lacks ['c'] and has ['b'], ['e'], ['f'] and 1 more too many. Resume with"
    )


def test_another_generator_is_refused():
    arrays = flatten_tree({"key": jax.random.key(0, impl="rbg")})
    with pytest.raises(InvalidInput, match=r"lacks .*threefry2x32 key.* has .*rbg key"):
        restore_tree({"key": jax.random.key(0)}, arrays)


def test_text_is_not_saved():
    with pytest.raises(TypeError, match=re.escape("arrays only, which these are not: ['rule']")):
        flatten_tree({"rule": "m * g"})
