"""Every experiment by its smoke settings, to the end, and a second time from what is kept."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search import EXPERIMENTS, reproduce
from metarl.reporting import to_json
from metarl.runs import SilentProgress, experiment_folder

pytestmark = pytest.mark.extras
_AGAIN_SECONDS = 30  # reading parts and drawing, on a busy machine


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_ends_and_does_nothing_twice(name, tmp_path, monkeypatch):
    try:
        experiment_folder(EXPERIMENTS[name].folder)
    except InvalidInput:
        pytest.skip("needs a checkout")
    monkeypatch.chdir(tmp_path)
    first = reproduce(name, "smoke", progress=SilentProgress())
    assert first["claims"] and first["tables"] and first["numbers"]
    written = [Path(path) for path in first["files"]]
    assert all(path.stat().st_size > 0 for path in written)
    assert {".md", ".csv", ".png", ".svg"} == {path.suffix for path in written}
    assert EXPERIMENTS[name].status("smoke") == "done"
    began = time.monotonic()
    second = reproduce(name, "smoke", progress=SilentProgress())
    assert to_json(second) == to_json(first)
    assert time.monotonic() - began < _AGAIN_SECONDS
