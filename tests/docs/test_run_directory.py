"""The page about run directories against what real runs write: files, fields, and how they are read."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from markdown_blocks import blocks

from metarl.optimizer_search import SearchConfig, TrainingConfig, search
from metarl.optimizer_search.comparing import comparison
from metarl.optimizer_search.comparing.entrants import entrant
from metarl.optimizer_search.settings.config import ControllerConfig, FinalistConfig
from metarl.rl_squared import NetworkConfig, TrainConfig, WorldConfig, conclude, train
from metarl.runs import SilentProgress, run_status
from metarl.runs.status import RunState

# `random-search/` is left out, and these pages are written on request.
NOT_HERE = {
    "search": {"random-search/"},
    "training": {"report.html", "ancestor.npz", "ancestor.json"},
}


@pytest.fixture(scope="module")
def guide(docs):
    return docs / "run_directory.md"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A small search and a small training, complete; two references in place of all, which compile for long."""
    place = tmp_path_factory.mktemp("runs")
    settings = SearchConfig(
        problem=("quadratic",),
        space="sign",
        depth=1,
        strategy="random",
        budget=6,
        batch_size=12,
        finalists=1,
        controller=ControllerConfig(hidden=8, embedding=4, epochs=1),
        training=TrainingConfig(steps=6, learning_rates=(0.1, 1.0), seeds=1),
        final=FinalistConfig(
            candidates=2,
            choice_seeds=2,
            tuning_seeds=1,
            report_seeds=2,
            held_out=(),
            random_baseline=False,
        ),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparison, "references", lambda: (entrant("sgd"), entrant("adam")))
        search(settings, place / "runs" / "my-search", progress=SilentProgress())
    world = TrainConfig(
        world=WorldConfig(arms=2, episodes=3),
        network=NetworkConfig(hidden=8),
        batch_steps=240,
        env_steps=480,
        validation_tasks=10,
        validation_every=240,
    )
    train(world, place / "runs" / "my-training", progress=SilentProgress())
    conclude(place / "runs" / "my-training", tasks=10)
    return place


def written(run):
    return {path.name + "/" * path.is_dir() for path in run.iterdir()}


@pytest.mark.parametrize("job", ["search", "training"])
def test_every_file_of_a_run_is_described_and_every_described_file_is_there(job, runs, guide):
    described = rows(guide, "Files of every run") | rows(guide, f"Files of a {job}")
    assert written(runs / "runs" / f"my-{job}") == described - NOT_HERE[job]


def rows(page, heading):
    """Returns the names in the tables right below a heading of any level."""
    text = page.read_text(encoding="utf-8")
    found = re.search(
        rf"^#+ {re.escape(heading)}$\n(.*?)(?=^#|\Z)", text, flags=re.DOTALL | re.MULTILINE
    )
    assert found, heading
    cells = re.findall(r"^\| (`.+?`) \| ", found[1], flags=re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


@pytest.mark.parametrize("job", ["search", "training"])
@pytest.mark.parametrize("name", ["run.json", "provenance.json", "outcome.json", "heartbeat.json"])
def test_every_field_is_described(name, job, runs, guide):
    found = json.loads((runs / "runs" / f"my-{job}" / name).read_text())
    assert set(found) == rows(guide, name)


def test_every_field_of_a_manifest_is_described(runs, guide):
    newest = max((runs / "runs/my-training/checkpoints").glob("[0-9]*"))
    found = json.loads((newest / "manifest.json").read_text())
    described = rows(guide, "orbax")
    assert {"arrays/", "meta/"} <= written(newest) & described
    assert set(found) <= described
    assert {"bytes", "sha256"} == {name for file in found["files"].values() for name in file}


def test_every_state_is_described(guide, runs):
    assert rows(guide, "How runs stand") == set(RunState.__args__)
    assert {run_status(run).state for run in (runs / "runs").iterdir()} == {"finished"}


def test_the_page_reads_checkpoints_without_metarl(guide, runs):
    """As it says, in processes that import nothing of metarl."""
    programs = [b.text for b in blocks(guide) if b.kind == "python" and "checkpoints" in b.text]
    assert len(programs) == 2
    for program, job in zip(programs, ("search", "training"), strict=True):
        assert "metarl" not in program
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program],
            cwd=runs,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        generation, arrays = map(int, done.stdout.split())
        outcome = json.loads((runs / "runs" / f"my-{job}" / "outcome.json").read_text())
        assert generation == outcome["generations"] and arrays > 3
