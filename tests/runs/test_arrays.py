"""Arrays on disk: what comes back, and what is refused."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from metarl.runs import write_arrays


@pytest.mark.parametrize("small", [False, True])
def test_arrays_come_back_by_name_without_pickle(small, tmp_path):
    path = tmp_path / "kept.npz"
    given = {"a problem|its steps": [3, 6], "losses": jnp.array([0.5, jnp.inf]), "names": ["x"]}
    for _ in range(2):  # the second time it replaces what is there
        write_arrays(path, given, small=small)
    with np.load(path, allow_pickle=False) as kept:
        assert set(kept.files) == set(given)
        assert kept["a problem|its steps"].tolist() == [3, 6]
        assert kept["losses"].tolist() == [0.5, np.inf]
        assert kept["names"].tolist() == ["x"]
    assert [file.name for file in tmp_path.iterdir()] == ["kept.npz"]


@pytest.mark.parametrize("small", [False, True])
def test_the_same_arrays_give_the_same_bytes(small, tmp_path):
    for name in ("one.npz", "two.npz"):
        write_arrays(tmp_path / name, {"x": np.arange(100)}, small=small)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_small_files_take_less(tmp_path):
    codes = np.random.default_rng(0).normal(126, 4, (1000, 100)).astype(np.uint8)
    for small in (False, True):
        write_arrays(tmp_path / f"{small}.npz", {"codes": codes.repeat(3, 0)}, small=small)
    assert (tmp_path / "True.npz").stat().st_size < 0.9 * (tmp_path / "False.npz").stat().st_size


def test_objects_are_refused_and_what_is_there_stays(tmp_path):
    path = tmp_path / "kept.npz"
    write_arrays(path, {"x": [1]})
    before = path.read_bytes()
    with pytest.raises(ValueError, match="Only plain arrays can be written; y: objects"):
        write_arrays(path, {"x": [2], "y": np.array([{}])})
    assert path.read_bytes() == before
