"""What is said to who goes on with a run where something that decides its numbers is not as it was."""

from __future__ import annotations

import sys
from pathlib import Path

import jax
import pytest

from metarl import user_code
from metarl.runs import RunDirectory, owner_of, resume_command, stands_for, tell_what_changed

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


def reproduction(place: Path, *words: str) -> RunDirectory:
    config = {"experiment": "planners", "scale": "smoke"}
    return RunDirectory.create(place, "reproduce", config, ["metarl", "reproduce", *words])


@pytest.mark.parametrize(
    ("begun_in", "words", "told"),
    [
        ("runs/planners-smoke", ["planners"], "planners --run-dir 'b c'"),
        ("a", ["planners", "--run-dir", "a"], "planners --run-dir 'b c'"),
        ("a", ["planners", "--run-dir=a", "--scale", "smoke"], "planners --scale smoke --run-dir 'b c'"),
        ("runs/planners-smoke", ["all", "--scale", "smoke"], "planners --scale smoke --run-dir 'b c'"),
    ],
)  # fmt: skip
def test_a_reproduction_that_was_moved_is_gone_on_with_where_it_lies_now(
    begun_in, words, told, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    run = reproduction(Path(begun_in), *words)
    assert resume_command(run) == " ".join(["metarl reproduce", *words])
    run.path.rename("b c")
    assert resume_command(RunDirectory.open("b c")) == f"metarl reproduce {told}"


def test_a_reproduction_that_was_renamed_beside_others_is_not_taken_for_the_one_of_that_name(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    reproduction(Path("runs/planners-smoke"), "planners").path.rename("runs/of-may")
    moved = RunDirectory.open("runs/of-may")
    assert resume_command(moved) == "metarl reproduce planners --run-dir runs/of-may"


def test_a_reproduction_that_a_program_began_is_gone_on_with_by_that_program(tmp_path):
    run = RunDirectory.create(
        tmp_path / "a", "reproduce", {}, ["mine.py", "--run-dir", "elsewhere"]
    )
    assert resume_command(run) == "mine.py --run-dir elsewhere"


def test_a_run_in_a_reproduction_is_owned_by_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reproduction(Path("a"), "planners", "--run-dir", "a")
    inner = RunDirectory.create("a/learning/one", "play", {}, ["metarl"])
    owner = owner_of(inner)
    assert owner is not None and str(owner.path) == "a"
    assert owner_of(begun(Path("alone"))) is None and owner_of(owner) is None
