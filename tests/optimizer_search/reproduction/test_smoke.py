"""Every experiment by its smoke settings, to the end, and a second time from what is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search import EXPERIMENTS, reproduce
from metarl.reporting import to_json
from metarl.runs import SilentProgress, experiment_folder

pytestmark = pytest.mark.extras


def parts(run_dir: str) -> dict[str, int]:
    """Returns when each part of a reproduction was written."""
    folders = [Path(run_dir, name) for name in ("parts", "searches", "comparisons")]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {str(path): path.stat().st_mtime_ns for path in files}


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
    kept = parts(first["run_dir"])
    second = reproduce(name, "smoke", progress=SilentProgress())
    assert to_json(second) == to_json(first)
    assert parts(second["run_dir"]) == kept
