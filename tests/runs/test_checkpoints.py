"""Both kinds of checkpoints: what is saved is loaded, the newest stay, and damage is passed over."""

from __future__ import annotations

import errno
import signal
import time

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.runs import (
    NpzCheckpoints,
    OrbaxCheckpoints,
    UnusableCheckpoint,
    flatten_tree,
    restore_tree,
)

KINDS = {"npz": NpzCheckpoints, "orbax": OrbaxCheckpoints}
ARRAYS = {
    ".params['lstm/linear']['w']": np.arange(6, dtype=np.float32).reshape(2, 3),
    "": np.array(7),
    "a": np.zeros((0, 4), np.int8),
    "a/b": np.array([1.5, -2.0], ml_dtypes.bfloat16),
    "a.b": np.array([[0.5]], ml_dtypes.float8_e4m3fn),
    "flags": np.array([True, False]),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "a part": np.arange(12.0)[::-2],
    "not finite": np.array([np.nan, np.inf, -0.0]),
    "large": np.array(2**64 - 1, np.uint64),
}
META = {"generation": 3, "rules": ["m * g", "√x"], "nothing": None, "none": {}}


@pytest.fixture(params=KINDS)
def checkpoints(request, tmp_path):
    made = KINDS[request.param](tmp_path / "checkpoints")
    made.sweep()
    yield made
    made.close()


def generations(checkpoints):
    return [int(path.name.partition(".")[0]) for path in checkpoints.paths()]


def files_of(path):
    return [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.is_file())


def test_what_is_saved_is_loaded_bit_for_bit(checkpoints):
    assert checkpoints.newest() is None and checkpoints.load_newest() is None
    checkpoints.save(3, ARRAYS, META)
    checkpoints.wait()
    arrays, meta = checkpoints.load_newest()
    assert meta == META and list(arrays) == list(ARRAYS)
    for name, expected in ARRAYS.items():
        assert arrays[name].dtype == expected.dtype and arrays[name].shape == expected.shape
        assert arrays[name].tobytes() == expected.tobytes(), name


def test_a_tree_of_everything_that_a_state_can_hold_comes_back_bit_for_bit(checkpoints):
    tree = {
        "key": jax.random.key(3),
        "half": jnp.array([1.5, 2.0], jnp.bfloat16),
        "empty": {},
        "count": jnp.array(4),
        "nothing": (),
        "number": 5,
    }
    checkpoints.save(1, flatten_tree(tree), None)
    checkpoints.close()
    arrays, _ = checkpoints.load_newest()
    with jax.debug_key_reuse(False):
        back = restore_tree(tree, arrays)
        assert jax.tree.structure(back) == jax.tree.structure(tree)
        assert jax.random.key_data(back["key"]).tolist() == [0, 3]
    assert back["half"].dtype == jnp.bfloat16 and back["half"].tolist() == [1.5, 2.0]
    assert back["count"].shape == () and back["count"] == 4 and back["number"] == 5


def test_a_checkpoint_without_arrays_is_one_too(checkpoints):
    checkpoints.save(1, {}, [1, None])
    checkpoints.wait()
    assert checkpoints.load_newest() == ({}, [1, None])


def test_arrays_may_change_once_save_has_returned(checkpoints):
    arrays = {"x": np.zeros(300_000)}
    checkpoints.save(1, arrays, None)
    arrays["x"][:] = 1.0
    checkpoints.wait()
    assert not checkpoints.load_newest()[0]["x"].any()


def test_the_newest_are_kept_and_by_orbax_the_best_too(checkpoints):
    for generation, score in enumerate([None, 5.0, 1.0, None, 2.0, None, None], start=1):
        checkpoints.save(generation, {"x": np.array(generation)}, {}, score)
    checkpoints.wait()
    best = [2] if isinstance(checkpoints, OrbaxCheckpoints) else []
    assert generations(checkpoints) == [*best, 6, 7]
    assert checkpoints.load(checkpoints.paths()[-1])[0]["x"] == 7
    names = [path.name for path in checkpoints.paths()]
    assert sorted(path.name for path in checkpoints.directory.iterdir()) == names


def test_the_same_generation_may_be_saved_again(checkpoints):
    for _ in range(2):
        checkpoints.save(1, {"x": np.array(1)}, {})
    checkpoints.wait()
    assert generations(checkpoints) == [1]


def test_what_a_dead_process_left_is_swept(checkpoints):
    checkpoints.save(1, {"x": np.array(1)}, None)
    checkpoints.close()
    place = checkpoints.directory
    (place / ".0000000002.checkpoint.123.partial").write_bytes(b"half")
    (place / "0000000002.orbax-checkpoint-tmp-1").mkdir()
    (place / "0000000003" / "arrays").mkdir(parents=True)
    (place / "notes.txt").write_text("mine")
    assert generations(checkpoints) == [1]
    checkpoints.sweep()
    kept = {path.name for path in place.iterdir()} - {checkpoints.newest().name}
    if isinstance(checkpoints, OrbaxCheckpoints):
        assert kept == {".0000000002.checkpoint.123.partial", "notes.txt"}
    else:
        assert kept == {"0000000002.orbax-checkpoint-tmp-1", "0000000003", "notes.txt"}


def test_every_damaged_byte_is_noticed_and_the_one_before_is_used(checkpoints, capsys):
    for generation in (1, 2):
        checkpoints.save(generation, ARRAYS, {"generation": generation})
    checkpoints.wait()
    newest = checkpoints.newest()
    random = np.random.default_rng(0)
    for file in files_of(newest):
        whole = file.read_bytes()
        for place in random.integers(len(whole), size=5):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << random.integers(8)
            file.write_bytes(damaged)
            try:
                found = checkpoints.load_newest()
            except UnusableCheckpoint as error:  # the digit of a version was hit
                assert "has " in str(error) and "format" in str(error)
                continue
            assert found[1] == {"generation": 1} or file.name == "commit_success.txt"
        file.write_bytes(whole)
    assert checkpoints.load_newest()[1] == {"generation": 2}
    assert "Using the one before, 0000000001" in capsys.readouterr().err


@pytest.mark.parametrize("how", ["cut", "gone"])
def test_every_file_that_is_cut_short_or_gone_is_noticed(how, checkpoints):
    for generation in (1, 2):
        checkpoints.save(generation, ARRAYS, {"generation": generation})
    checkpoints.wait()
    told = []
    for file in files_of(checkpoints.newest()):
        whole = file.read_bytes()
        if how == "cut":
            file.write_bytes(whole[: len(whole) // 2])
        else:
            file.unlink()
        _, meta = checkpoints.load_newest(told.append)
        assert meta == {"generation": 1}, file
        file.write_bytes(whole)
    if how == "cut":
        assert len(told) == len(files_of(checkpoints.newest()))


def test_if_none_is_intact_that_is_one_error(checkpoints):
    for generation in (1, 2):
        checkpoints.save(generation, ARRAYS, None)
    checkpoints.wait()
    for path in checkpoints.paths():
        file = files_of(path)[-1]
        file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(UnusableCheckpoint) as error:
        checkpoints.load_newest()
    message = str(error.value)
    assert "0000000001" in message and "0000000002" in message
    assert message.endswith(
        f"No checkpoint of this run is intact: remove the folder '{checkpoints.directory}' "
        "to begin the run again."
    )


def test_a_disk_that_cannot_read_counts_as_damage(checkpoints, monkeypatch):
    for generation in (1, 2):
        checkpoints.save(generation, ARRAYS, generation)
    checkpoints.wait()
    load, newest = checkpoints.load, checkpoints.newest()

    def broken(path):
        if path == newest:
            raise OSError(errno.EIO, "Input/output error", str(path))
        return load(path)

    monkeypatch.setattr(checkpoints, "load", broken)
    told = []
    assert checkpoints.load_newest(told.append)[1] == 1
    assert told and "0000000002" in told[0] and "cannot be read from the disk" in told[0]


def test_damaged_ones_are_set_aside_and_the_next_take_their_place(checkpoints):
    for generation in (1, 2):
        checkpoints.save(generation, ARRAYS, generation)
    checkpoints.close()
    checkpoints.set_aside_after(1)
    assert generations(checkpoints) == [1] and len(checkpoints.leftovers()) == 1
    checkpoints.save(2, ARRAYS, "again")
    checkpoints.close()
    assert checkpoints.load_newest()[1] == "again"
    checkpoints.set_aside_after(1)
    assert len(checkpoints.leftovers()) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_process_killed_while_it_saves_leaves_whole_checkpoints(kind, start, tmp_path):
    program = (
        "import sys, numpy, pathlib; from metarl.runs import OrbaxCheckpoints, NpzCheckpoints\n"
        "kind = {'orbax': OrbaxCheckpoints, 'npz': NpzCheckpoints}[sys.argv[1]]\n"
        "checkpoints = kind(pathlib.Path(sys.argv[2])); checkpoints.sweep()\n"
        "for n in range(1, 10_000):\n"
        "    arrays = {str(i): numpy.full((100, 1000), n) for i in range(5)}\n"
        "    checkpoints.save(n, arrays, n); print(n, flush=True)\n"
    )
    process = start("-c", program, kind, tmp_path)
    for _ in range(4):
        process.stdout.readline()
    time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    checkpoints = KINDS[kind](tmp_path)
    checkpoints.sweep()
    arrays, generation = checkpoints.load_newest(pytest.fail)
    assert generation >= 3
    assert all((array == generation).all() for array in arrays.values())
    checkpoints.close()


def test_what_orbax_cannot_write_is_an_error_of_the_disk(tmp_path, monkeypatch):
    import metarl.runs.orbax_checkpoints as module

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    checkpoints = OrbaxCheckpoints(tmp_path)
    checkpoints.sweep()
    checkpoints.save(1, ARRAYS, 1)
    checkpoints.wait()
    with monkeypatch.context() as patch:
        patch.setattr(module, "write_manifest", full)
        checkpoints.save(2, ARRAYS, 2)
        with pytest.raises(OSError, match=r"No space left on device: '.*0000000002'"):
            checkpoints.wait()
        checkpoints.save(3, ARRAYS, 3)
        with pytest.raises(OSError, match=r"No space left on device: '.*0000000003'"):
            checkpoints.close()
    assert checkpoints.load(checkpoints.paths()[-1])[1] == 1


def test_what_the_system_refuses_while_orbax_writes_is_said_in_its_words_once(start, tmp_path):
    program = (
        "import sys, resource, numpy, pathlib; from metarl.runs import OrbaxCheckpoints\n"
        "checkpoints = OrbaxCheckpoints(pathlib.Path(sys.argv[1])); checkpoints.sweep()\n"
        "arrays = {str(n): numpy.random.default_rng(n).random(10_000) for n in range(20)}\n"
        "checkpoints.save(1, arrays, 1); checkpoints.wait()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))\n"
        "try:\n"
        "    checkpoints.save(2, arrays, 2); checkpoints.wait()\n"
        "except OSError as error:\n"
        "    print(error)\n"
        "checkpoints.close(); print(checkpoints.load_newest()[1])\n"
    )
    output, errors = start("-c", program, tmp_path).communicate(timeout=600)
    place = tmp_path / "0000000002"
    assert output == f"[Errno 27] File too large: '{place}'\n1\n", errors
    assert not errors


def test_a_manifest_of_another_version_is_refused_and_nothing_older_is_used(tmp_path):
    checkpoints = OrbaxCheckpoints(tmp_path)
    checkpoints.sweep()
    for generation in (1, 2):
        checkpoints.save(generation, ARRAYS, generation)
    checkpoints.close()
    manifest = checkpoints.paths()[-1] / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(
        InvalidInput, match=r"has a manifest of format 2, and .* reads format 1\. R"
    ):
        checkpoints.load_newest()


def test_a_manifest_names_nothing_outside_its_directory(tmp_path):
    checkpoints = OrbaxCheckpoints(tmp_path / "checkpoints")
    checkpoints.sweep()
    checkpoints.save(1, ARRAYS, 1)
    checkpoints.close()
    (tmp_path / "secret").write_text("")
    manifest = checkpoints.paths()[-1] / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"_CHECKPOINT_METADATA"', '"../../secret"'))
    with pytest.raises(UnusableCheckpoint, match=r"lacks its file \.\./\.\./secret"):
        checkpoints.load_newest()
