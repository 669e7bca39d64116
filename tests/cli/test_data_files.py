"""`--data-dir`: a folder that is known before problems are loaded, or one line that says what is wrong."""

from __future__ import annotations

import json
import os

import pytest

from metarl.cli import main
from metarl.problems.data_files import VARIABLE


@pytest.fixture(autouse=True)
def no_folder_named(monkeypatch):
    monkeypatch.setenv(VARIABLE, "")


def test_a_problem_that_needs_data_says_which_files_and_where_they_are_published(capsys):
    assert main(["search", "--problem", "cifar10-conv", "--dry-run"]) == 2
    message = capsys.readouterr().err
    assert "give --data-dir DIR or set METARL_DATA_DIR" in message
    assert "data_batch_1.bin" in message and "www.cs.toronto.edu/~kriz/cifar.html" in message


def test_the_papers_preset_asks_for_the_papers_data_before_anything_is_written(capsys, tmp_path):
    folder = tmp_path / "run"
    assert main(["search", "--preset", "paper", "--run-dir", str(folder)]) == 2
    assert "give --data-dir DIR or set METARL_DATA_DIR" in capsys.readouterr().err
    assert not folder.exists()
    assert main(["search", "--preset", "paper", "--print-config"]) == 0
    assert json.loads(capsys.readouterr().out)["problem"] == ["cifar10-conv"]


def test_the_folder_of_the_flag_is_searched(capsys, tmp_path):
    words = ["search", "--problem", "cifar10-conv", "--dry-run", "--data-dir", str(tmp_path)]
    assert main(words) == 2
    assert f"The data folder {str(tmp_path)!r} lacks data_batch_1.bin" in capsys.readouterr().err
    assert os.environ[VARIABLE] == str(tmp_path.resolve())


def test_a_folder_that_does_not_exist_is_refused_before_anything_is_computed(capsys, tmp_path):
    folder = str(tmp_path / "nowhere")
    assert main(["search", "--dry-run", "--data-dir", folder]) == 2
    assert f"--data-dir: there is no folder {folder!r}" in capsys.readouterr().err
