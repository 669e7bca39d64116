"""The tutorials run from top to bottom, in a fresh process and an empty directory, and print what they show."""

from __future__ import annotations

import json

import pytest
from markdown_blocks import table_below
from tutorial_script import Ran, differences, run_tutorial

pytestmark = pytest.mark.extras
_ran: dict[str, Ran] = {}


@pytest.fixture
def run_once(tmp_path_factory):
    """Returns a function that runs a tutorial, or gives what came of it before."""

    def run(page) -> Ran:
        if page.stem not in _ran:
            _ran[page.stem] = run_tutorial(page, tmp_path_factory.mktemp(page.stem))
        return _ran[page.stem]

    return run


def test_every_block_runs_and_prints_what_the_page_shows(tutorial, run_once):
    if "flax" in tutorial.stem:
        pytest.importorskip("flax")
    ran = run_once(tutorial)
    assert ran.returncode == 0, ran.errors
    complaints = differences(tutorial, ran)
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize(
    ("name", "method", "log"),
    [
        ("search_on_my_problem", "optimizer_search", "runs/moons/metrics.jsonl"),
        ("train_on_my_environment", "rl_squared", "runs/numbers/metrics.jsonl"),
    ],
)
def test_every_field_that_a_tutorials_run_logged_is_explained(docs, run_once, name, method, log):
    ran = run_once(docs / "tutorials" / f"{name}.md")
    assert ran.returncode == 0, ran.errors
    lines = (ran.folder / log).read_text(encoding="utf-8").splitlines()
    explained = table_below(docs / "methods" / f"{method}.md", "What is logged")
    for line in lines:
        assert set(json.loads(line)) <= set(explained)
