from __future__ import annotations

import errno

import ml_dtypes
import numpy as np
import pytest

from metarl.runs import (
    DamagedCheckpoint,
    UnusableCheckpoint,
    load_checkpoint,
    save_checkpoint,
)

ARRAYS = {
    ".params['lstm/linear']['w']": np.arange(6, dtype=np.float32).reshape(2, 3),
    "": np.array(7),
    "file": np.zeros((0, 4), np.int8),
    "half": np.array([1.5, -2.0], ml_dtypes.bfloat16),
    "tiny": np.array([[0.5]], ml_dtypes.float8_e4m3fn),
    "flags": np.array([True, False]),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "not finite": np.array([np.nan, np.inf]),
}
META = {"generation": 3, "rules": ["m * g", "√x"], "nothing": None}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "0000000003.checkpoint"
    save_checkpoint(path, ARRAYS, META)
    return path


def test_what_is_saved_is_loaded(path):
    arrays, meta = load_checkpoint(path)
    assert meta == META
    assert list(arrays) == list(ARRAYS)
    for name, expected in ARRAYS.items():
        assert arrays[name].dtype == expected.dtype and arrays[name].shape == expected.shape
        assert arrays[name].tobytes() == expected.tobytes()


def test_a_checkpoint_without_arrays_is_one_too(tmp_path):
    save_checkpoint(tmp_path / "empty", {}, None)
    assert load_checkpoint(tmp_path / "empty") == ({}, None)


def test_python_objects_are_not_saved(tmp_path):
    with pytest.raises(TypeError, match=r"checkpoints hold numbers, not Python objects: rules"):
        save_checkpoint(tmp_path / "x", {"rules": np.array([object()])}, None)
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_cut_short_anywhere_is_refused(path):
    whole = path.read_bytes()
    for length in [0, 1, 50, 90, 200, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(UnusableCheckpoint, match=r"0000000003\.checkpoint' is cut short"):
            load_checkpoint(path)


def test_a_checkpoint_with_one_wrong_bit_is_refused(path):
    whole = path.read_bytes()
    for place in [0, 20, 30, 60, *range(90, len(whole), 97), len(whole) - 1]:
        damaged = bytearray(whole)
        damaged[place] ^= 0b100
        path.write_bytes(damaged)
        with pytest.raises(UnusableCheckpoint, match=r"is damaged|is cut short|has format"):
            load_checkpoint(path)


def test_a_damaged_checkpoint_says_what_is_wrong_and_what_to_do(path):
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(DamagedCheckpoint) as error:
        load_checkpoint(path)
    assert error.value.fault == (
        "is damaged (its bytes do not have the hash that was stored with them)"
    )
    assert str(error.value) == (
        f"Checkpoint '{path}' {error.value.fault}. Remove it to have what it held computed again."
    )


def test_a_checkpoint_of_another_version_is_refused(path):
    path.write_bytes(path.read_bytes().replace(b"metarl-checkpoint 1 ", b"metarl-checkpoint 2 ", 1))
    with pytest.raises(UnusableCheckpoint, match=r"has format 2, and .* reads format 1") as error:
        load_checkpoint(path)
    assert "Resume with the version of metarl that wrote it" in str(error.value)
    assert "remove" not in str(error.value)


def test_another_file_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", x=np.zeros(100))
    with pytest.raises(UnusableCheckpoint, match=r"is damaged in its first line|is cut short"):
        load_checkpoint(tmp_path / "other.npz")


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_save_that_fails_leaves_the_file_as_it_was(function, path, tmp_path, monkeypatch):
    import metarl.runs.durable as durable

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    before = path.read_bytes()
    monkeypatch.setattr(durable.os, function, full)
    with pytest.raises(OSError, match=r"No space left on device: '.*0000000003\.checkpoint'"):
        save_checkpoint(path, {"x": np.zeros(3)}, None)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
