"""What is said to who goes on with a run where something that decides its numbers is not as it was."""

from __future__ import annotations

import sys
from pathlib import Path

import jax
import pytest

from metarl import user_code
from metarl.runs import RunDirectory, stands_for, tell_what_changed

MODULE = "a_module_of_the_users"


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Returns a function that a new process would be: the module has a text, and is imported by its name."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(
        sys, "dont_write_bytecode", True
    )  # else an edit of the same length is not seen

    def imported(text: str) -> None:
        Path(tmp_path, f"{MODULE}.py").write_text(text)
        sys.modules.pop(MODULE, None)
        monkeypatch.setattr(user_code, "_sources", {})
        user_code.find_own("problem", f"{MODULE}:made", object)

    yield imported
    sys.modules.pop(MODULE, None)


def begun(place: Path) -> RunDirectory:
    return RunDirectory.create(place, "search", {"seed": 0}, ["metarl", "search"])


def told(run: RunDirectory) -> list[str]:
    said: list[str] = []
    tell_what_changed(run, said.append)
    return said


def test_the_precision_of_a_run_is_that_of_jax_when_it_began_and_is_held_against_that_of_who_goes_on(
    tmp_path,
):
    with jax.default_matmul_precision("highest"):
        run = begun(tmp_path / "run")
        assert run.provenance["matmul_precision"] == "highest"
        assert told(run) == []
    assert told(run) == [
        "Since the run began these have changed: matmul_precision (highest, now not set). Its last bits may differ "
        "from those of an uninterrupted run."
    ]


def test_a_module_of_the_users_that_was_edited_since_the_run_began_is_named(tmp_path, module):
    module("made = 1\n")
    run = begun(tmp_path / "run")
    assert set(run.provenance["own_code"]) == {MODULE}
    assert told(run) == []
    module("made = 2\n")
    assert told(run) == [
        f"Since the run began code of yours has changed: {MODULE}. What it had computed then is kept beside what it "
        "computes now; begin a new run unless the change alters no number."
    ]


def test_a_module_that_only_one_of_the_two_has_imported_is_no_change(tmp_path, module, monkeypatch):
    before = begun(tmp_path / "before")
    module("made = 1\n")
    assert told(before) == []
    during = begun(tmp_path / "during")
    monkeypatch.setattr(user_code, "_sources", {})
    assert told(during) == []


def test_a_path_in_a_run_that_was_moved_stands_for_the_one_of_before(tmp_path):
    run = begun(tmp_path / "new")
    now = str(tmp_path / "new" / "trainings" / "a")
    assert stands_for(run, "runs/old/trainings/a", now) and stands_for(run, now, now)
    assert not stands_for(run, "runs/old/trainings/b", now)
    assert not stands_for(run, "runs/old/a", now)
    assert stands_for(run, "ucb1", "ucb1") and not stands_for(run, "a/ucb1", "ucb1")
    assert not stands_for(run, "elsewhere", str(run.path))
