"""The text, its windows, and the recurrent network against naive loops."""

from __future__ import annotations

import hashlib
import importlib.resources
import itertools
import lzma

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.problems import SPLITS, language, load


def test_the_text_is_the_recorded_one_with_its_licence_beside_it():
    text = language.text()
    assert hashlib.sha256(text.encode()).hexdigest() == language.SHA256
    assert len(text) == 414_039
    assert set(text) <= set(language.ALPHABET)
    folder = importlib.resources.files("metarl.problems").joinpath("text")
    licence = folder.joinpath("LICENSE-PSF.txt").read_text()
    assert "PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2" in licence
    assert language.SHA256 in folder.joinpath("README.md").read_text()


def test_a_damaged_text_is_refused(monkeypatch):
    monkeypatch.setattr(lzma, "decompress", lambda packed: b"something else")
    with pytest.raises(RuntimeError, match="python-docs-gru is damaged"):
        language.text()


@pytest.mark.parametrize("split", SPLITS)
def test_windows_are_pieces_of_the_text(split):
    windows = load("python-docs-gru").examples(split)["characters"]
    assert windows.dtype == np.uint8 and windows.shape[1] == 33
    assert windows.max() < len(language.ALPHABET) == 96
    text = language.text()
    for window in windows[:: max(len(windows) // 20, 1)]:
        assert "".join(language.ALPHABET[code] for code in window) in text


def test_a_gru_step_equals_the_formula_unit_by_unit():
    random = np.random.default_rng(0)
    recurrent, bias = random.normal(size=(2, 6)), random.normal(size=6)
    hidden, inward = random.normal(size=(3, 2)), random.normal(size=(3, 6))
    received = language.gru_step(
        *(jnp.asarray(leaf, jnp.float32) for leaf in (recurrent, bias, hidden, inward))
    )
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    for row in range(3):
        own = hidden[row] @ recurrent + bias
        for unit in range(2):
            reset = sigmoid(inward[row, unit] + own[unit])
            keep = sigmoid(inward[row, 2 + unit] + own[2 + unit])
            candidate = np.tanh(inward[row, 4 + unit] + reset * own[4 + unit])
            expected = keep * hidden[row, unit] + (1 - keep) * candidate
            assert float(received[row, unit]) == pytest.approx(expected, rel=1e-5)


def test_bits_per_character_equal_a_loop_over_characters():
    problem = load("python-docs-gru")
    params, model_state = jax.jit(problem.init)(jax.random.key(0))
    batch = {"characters": problem.examples("test")["characters"][:2]}
    w = jax.tree.map(np.asarray, params)
    bits, step = [], jax.jit(language.gru_step)
    for window in batch["characters"]:
        hidden = np.zeros((1, 32), np.float32)
        for given, following in itertools.pairwise(window):
            inward = w["inward"][given][None, :] + w["inward_bias"]
            hidden = step(w["recurrent"], w["recurrent_bias"], hidden, inward)
            logits = (np.asarray(hidden) @ w["head"] + w["head_bias"])[0].astype(np.float64)
            bits.append(np.log2(np.exp(logits).sum()) - logits[following] / np.log(2))
    scores = problem.evaluate(params, model_state, batch)
    assert float(scores["bits per character"]) == pytest.approx(np.mean(bits), rel=1e-4)
    assert float(scores["loss"]) == pytest.approx(np.mean(bits) * np.log(2), rel=1e-4)


def test_an_untrained_model_needs_as_many_bits_as_the_alphabet_has():
    problem = load("python-docs-gru")
    batch = {"characters": problem.examples("train")["characters"][:64]}
    params, model_state = jax.jit(problem.init)(jax.random.key(0))
    scores = problem.evaluate(params, model_state, batch)
    assert problem.chance == pytest.approx(np.log2(96))
    assert float(scores["bits per character"]) == pytest.approx(problem.chance, abs=0.2)
