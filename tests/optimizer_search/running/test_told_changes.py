"""Every job of an optimizer search that goes on says first what has changed since it began."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import pytest

from metarl import user_code
from metarl.optimizer_search import (
    CompareConfig,
    FunctionsConfig,
    SearchConfig,
    TableConfig,
    begin_comparison,
    begin_functions,
    begin_table,
    preset,
    resume,
    resume_comparison,
    resume_functions,
    resume_table,
    resume_table_search,
)
from metarl.optimizer_search.comparing.entrants import entrant
from metarl.optimizer_search.settings.config import to_dict
from metarl.problems import registry
from metarl.runs import RunDirectory, SilentProgress

MODULE = "a_factory_of_the_users"
PROBLEM, OPTIMIZER = f"{MODULE}:problem", f"{MODULE}:optimizer"
SOURCE = """
import numpy as np
import optax
from metarl.problems import Card, classification, mlp

def problem():
    data = lambda: (np.arange(60.0).reshape(-1, 1), np.arange(60) % 2)
    return classification(Card("counted", steps=10, batch_size=8), mlp(1, 2), data)

def optimizer(learning_rate):
    return optax.sgd(learning_rate)
"""


class Told(Exception):
    """A message came, and what would follow is not done."""


class FirstWords(SilentProgress):
    """Ends a job at its first message."""

    def message(self, text):
        raise Told(text)


def on_a_table(place: Path) -> None:
    config = SearchConfig(problem=("quadratic",), space="sign", depth=1, table="sign-1", budget=10)
    RunDirectory.create(place, "table-search", to_dict(config), ["metarl"])


JOBS = {
    "compare": (
        lambda place: begin_comparison([], CompareConfig(problem=("quadratic",)), place),
        resume_comparison,
    ),
    "enumerate": (
        lambda place: begin_functions(FunctionsConfig("sign", 1), place),
        resume_functions,
    ),
    "table": (
        lambda place: begin_table(TableConfig(space="sign", judges=("quadratic",)), place),
        resume_table,
    ),
    "table-search": (on_a_table, resume_table_search),
    "search": (
        lambda place: RunDirectory.create(place, "search", to_dict(preset("smoke")), ["metarl"]),
        resume,
    ),
}


@pytest.mark.parametrize("job", JOBS)
def test_a_job_that_goes_on_under_another_jax_says_so(job, tmp_path):
    begin, go_on = JOBS[job]
    begin(tmp_path / "run")
    path = tmp_path / "run" / "provenance.json"
    recorded = json.loads(path.read_text())
    recorded["versions"]["jax"] = "0.1"
    path.write_text(json.dumps(recorded))
    with pytest.raises(Told, match=r"these have changed: versions\.jax \(0\.1, now "):
        go_on(tmp_path / "run", progress=FirstWords())


@pytest.fixture
def edited(tmp_path, monkeypatch):
    """Returns a function that edits the user's module, as another process finds it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def edit(more: str = "") -> None:
        Path(tmp_path, f"{MODULE}.py").write_text(SOURCE + more)
        sys.modules.pop(MODULE, None)
        monkeypatch.setattr(user_code, "_sources", {})
        monkeypatch.setattr(registry, "_loaded", {})

    edit()
    yield edit
    sys.modules.pop(MODULE, None)


def compared(place: Path, problem: str, optimizers: list[str]) -> None:
    begin_comparison(list(map(entrant, optimizers)), CompareConfig(problem=(problem,)), place)


def searched(place: Path, **names: tuple[str, ...]) -> None:
    config = preset("smoke")
    final = {name: value for name, value in names.items() if name != "problem"}
    config = dataclasses.replace(
        config,
        problem=names.get("problem", config.problem),
        final=dataclasses.replace(config.final, **final),
    )
    registry.load(PROBLEM)  # as `search` does before it makes the directory
    RunDirectory.create(place, "search", to_dict(config), ["metarl"])


@pytest.mark.parametrize(
    ("begin", "go_on"),
    [
        (lambda place: compared(place, "quadratic", [OPTIMIZER]), resume_comparison),
        (lambda place: compared(place, PROBLEM, []), resume_comparison),
        (lambda place: searched(place, problem=(PROBLEM,)), resume),
        (lambda place: searched(place, held_out=(PROBLEM,)), resume),
    ],
    ids=["optimizer", "problem of a comparison", "problem of a search", "held-out problem"],
)
def test_a_job_that_goes_on_with_other_code_of_the_users_says_so(begin, go_on, edited, tmp_path):
    begin(tmp_path / "run")
    edited("# another version\n")
    own = {} if go_on is resume else {"own": (PROBLEM, OPTIMIZER)}
    with pytest.raises(Told, match=f"code of yours has changed: {MODULE}"):
        go_on(tmp_path / "run", progress=FirstWords(), **own)
