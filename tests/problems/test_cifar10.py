"""CIFAR-10 from small files of the published format, and every way in which files can be wrong."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.problems import SPLITS, cifar10, cifar10_wrn, load, use_data_folder
from metarl.problems.cifar10 import moved, read_records, shades
from metarl.problems.convolutions import conv3x3, conv_net, quick_conv3x3, xla_conv3x3
from metarl.problems.data_files import VARIABLE

NAMES = tuple(cifar10.MD5)
RECORDS = 20


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Returns a data folder of six small files, whose sums stand in for the published ones."""
    random = np.random.default_rng(0)
    unpacked = tmp_path / "cifar-10-batches-bin"
    unpacked.mkdir()
    for name in NAMES:
        records = random.integers(0, 256, size=(RECORDS, 3073), dtype=np.uint8)
        records[:, 0] = np.arange(RECORDS) % 10
        write(monkeypatch, unpacked / name, records.tobytes())
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return unpacked


def write(monkeypatch, path, raw):
    """Writes a file and makes its sum the published one."""
    path.write_bytes(raw)
    monkeypatch.setitem(cifar10.MD5, path.name, hashlib.md5(raw).hexdigest())


def test_a_record_is_a_class_and_three_planes_of_32_by_32(folder):
    images, labels = read_records(folder / "test_batch.bin")
    raw = (folder / "test_batch.bin").read_bytes()
    assert images.shape == (RECORDS, 32, 32, 3) and labels.tolist() == 2 * list(range(10))
    for row, column, colour in ((0, 0, 0), (3, 7, 1), (31, 31, 2)):
        assert (
            images[2, row, column, colour] == raw[2 * 3073 + 1 + 1024 * colour + 32 * row + column]
        )


def test_four_fifths_are_trained_on_and_a_tenth_each_judges_search_and_choice(folder):
    problem = load("cifar10-conv")
    sizes = {split: len(problem.examples(split)["labels"]) for split in SPLITS[:3]}
    assert sizes == {"train": 80, "search": 10, "choice": 10}
    images = [problem.examples(split)["images"] for split in SPLITS[:3]]
    rows = {image.tobytes() for image in np.concatenate(images)}
    published = [read_records(folder / name)[0] for name in NAMES[:5]]
    assert rows == {image.tobytes() for image in np.concatenate(published)} and len(rows) == 100
    np.testing.assert_array_equal(
        problem.examples("test")["images"], read_records(folder / NAMES[5])[0]
    )
    with pytest.raises(ValueError, match="read-only"):
        problem.examples("train")["images"][0] = 0


def test_the_files_may_also_lie_in_the_folder_itself(folder, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(folder))
    assert len(load("cifar10-wrn").examples("test")["labels"]) == RECORDS


def test_the_child_network_trains_and_is_judged_piece_by_piece(folder, monkeypatch):
    monkeypatch.setattr(cifar10, "_JUDGED", 8)  # 20 images: pieces of 8, 8 and 4
    problem = load("cifar10-conv")
    params, model_state = jax.jit(problem.init)(jax.random.key(0))
    assert {k: v.shape for k, v in params.items() if k.startswith(("conv", "head"))} == {
        "conv0": (3, 3, 3, 32),
        "conv1": (3, 3, 32, 32),
        "head": (2048, 10),
        "head_bias": (10,),
    }
    batch = problem.examples("test")
    (loss, following), gradient = jax.jit(jax.value_and_grad(problem.loss, has_aux=True))(
        params, model_state, batch, jax.random.key(1)
    )
    assert 0 < loss < 10 and all(np.isfinite(x).all() for x in jax.tree.leaves(gradient))
    assert not np.allclose(following["norm0"].mean, model_state["norm0"].mean)
    scores = jax.jit(problem.evaluate)(params, model_state, batch)
    network = conv_net(32, 10, side=32, colours=3)
    logits, _ = network.apply(params, model_state, shades(jnp.asarray(batch["images"])), False)
    rows = np.asarray(logits, np.float64)
    terms = np.log(np.exp(rows).sum(axis=1)) - rows[np.arange(RECORDS), batch["labels"]]
    assert float(scores["loss"]) == pytest.approx(terms.mean(), rel=1e-4)
    hits = rows.argmax(axis=1) == batch["labels"]
    assert float(scores["accuracy"]) == pytest.approx(hits.mean())


def test_all_ways_to_convolve_agree():
    random = np.random.default_rng(0)
    images = jnp.asarray(random.normal(size=(2, 8, 8, 3)), jnp.float32)
    kernel = jnp.asarray(random.normal(size=(3, 3, 3, 4)), jnp.float32)
    expected = conv3x3(images, kernel)
    np.testing.assert_allclose(xla_conv3x3(images, kernel), expected, atol=1e-5)
    np.testing.assert_allclose(quick_conv3x3(images, kernel), expected, atol=1e-5)


def test_shades_lie_between_minus_one_and_one():
    np.testing.assert_allclose(shades(jnp.array([0, 255], jnp.uint8)), [-1, 1])


def test_moved_images_are_pieces_of_the_padded_one_or_its_mirror_image():
    random = np.random.default_rng(0)
    images = random.integers(1, 256, size=(16, 32, 32, 3), dtype=np.uint8)
    received = np.asarray(jax.jit(moved)(jax.random.key(0), jnp.asarray(images)))
    mirrored = 0
    for before, after in zip(images, received, strict=True):
        padded = np.pad(before, ((4, 4), (4, 4), (0, 0)))
        pieces = [padded[y : y + 32, x : x + 32] for y in range(9) for x in range(9)]
        straight = any(np.array_equal(piece, after) for piece in pieces)
        mirrored += any(np.array_equal(piece[:, ::-1], after) for piece in pieces)
        assert straight or any(np.array_equal(piece[:, ::-1], after) for piece in pieces)
    assert 2 <= mirrored <= 14


def test_only_the_wide_resnet_moves_its_training_images(folder, monkeypatch):
    monkeypatch.setattr(cifar10, "shades", lambda images: np.zeros((1, 32, 32, 3)) + images.sum())
    calls = []
    monkeypatch.setattr(cifar10, "moved", lambda key, images: calls.append(1) or images)
    wide = cifar10_wrn(depth=10, widening=1)
    start = jax.eval_shape(wide.init, jax.random.key(0))
    batch = {name: leaf[:2] for name, leaf in wide.examples("test").items()}
    jax.eval_shape(wide.loss, *start, batch, jax.random.key(0))
    assert calls == [1]
    jax.eval_shape(wide.evaluate, *start, batch)
    assert calls == [1]


def test_a_wide_resnet_of_another_size_has_another_name():
    assert cifar10_wrn().name == "cifar10-wrn"
    wide = cifar10_wrn(widening=2)
    assert wide.name == "cifar10-wrn(16, 2)" and "16-2" in wide.description
    params = jax.eval_shape(wide.init, jax.random.key(0))[0]
    assert params["head"].shape == (128, 10) and len(params["blocks"]) == 6


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"depth": 17}, "depth must be 10, 16, 22, 28 ..., not 17"),
        ({"widening": 0}, "widening must be a whole number of at least 1, not 0"),
    ],
)
def test_a_wide_resnet_refuses_sizes_it_cannot_have(settings, message):
    with pytest.raises(InvalidInput, match=re.escape(message)):
        cifar10_wrn(**settings)


def test_without_a_data_folder_the_message_says_what_to_get_and_where(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(InvalidInput) as error:
        load("cifar10-conv").examples("train")
    assert str(error.value) == (
        "No data folder is named; give --data-dir DIR or set METARL_DATA_DIR. It must hold "
        "data_batch_1.bin, data_batch_2.bin, data_batch_3.bin, data_batch_4.bin, "
        "data_batch_5.bin, test_batch.bin. Get cifar-10-binary.tar.gz (162 MB, MD5 "
        "c32a1d4ab5d03f1284b67883e8d87530) from the CIFAR-10 page, "
        "www.cs.toronto.edu/~kriz/cifar.html, and unpack it there."
    )


def test_missing_files_are_named(folder):
    (folder / "data_batch_2.bin").unlink()
    (folder / "test_batch.bin").unlink()
    with pytest.raises(
        InvalidInput, match=r"lacks data_batch_2.bin, test_batch.bin\. Get cifar-10"
    ):
        load("cifar10-conv").examples("train")


def test_a_file_that_is_not_the_published_one_is_refused(folder):
    path = folder / "data_batch_3.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InvalidInput, match=r"is not the published file: 61,459 bytes with MD5"):
        load("cifar10-conv").examples("train")


def test_a_file_that_is_not_made_of_records_is_refused(folder, monkeypatch):
    write(monkeypatch, folder / "data_batch_1.bin", b"\0" * 3074)
    with pytest.raises(InvalidInput, match="3,074 bytes are no whole number of records of 3073"):
        load("cifar10-conv").examples("train")


def test_a_class_above_nine_is_refused(folder, monkeypatch):
    write(monkeypatch, folder / "data_batch_1.bin", b"\12" + b"\0" * 3072)
    with pytest.raises(InvalidInput, match=r"a class is 10; they are 0 \.\.\. 9"):
        load("cifar10-conv").examples("train")


def test_a_data_folder_that_does_not_exist_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "before")
    with pytest.raises(InvalidInput, match="--data-dir: there is no folder"):
        use_data_folder(tmp_path / "nowhere")


def test_a_data_folder_is_known_to_processes_started_later(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "before")
    use_data_folder(tmp_path)
    code = f"import os; print(os.environ[{VARIABLE!r}])"
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == str(tmp_path.resolve())
