"""A run that is refused as it begins leaves nothing behind; one that has something to lose is kept."""

from __future__ import annotations

import pytest

from metarl.errors import InvalidInput
from metarl.runs import RunDirectory, SilentProgress, drive, leaving_nothing_if_refused


def refused(ToyJob, place, after: int) -> None:
    """Drives a new run, in which a user's own code fails after so many updates."""
    updates = []

    def fail():
        if len(updates) == after:
            raise InvalidInput("my_module.py: step raised KeyError.")
        updates.append(None)

    run = RunDirectory.create(place, "search", {}, ["metarl", "search"])
    with (
        pytest.raises(InvalidInput, match="step raised KeyError"),
        leaving_nothing_if_refused(run),
    ):
        drive(ToyJob(on_update=fail), run, SilentProgress())


def test_a_run_that_is_refused_as_it_begins_leaves_nothing(ToyJob, tmp_path):
    refused(ToyJob, tmp_path / "run", after=0)
    assert not list(tmp_path.iterdir())


def test_a_run_is_kept_once_something_was_computed(ToyJob, tmp_path):
    refused(ToyJob, tmp_path / "run", after=1)
    assert len(RunDirectory.open(tmp_path / "run").metrics.rows()) == 1


@pytest.mark.parametrize("name", ["journal.jsonl", "measurements/quadratic.json"])
def test_a_run_is_kept_that_has_results_in_files_of_its_own(tmp_path, name):
    run = RunDirectory.create(tmp_path / "run", "search", {}, ["metarl", "search"])
    (run.path / "measurements").mkdir()
    with pytest.raises(InvalidInput, match="tell raised"), leaving_nothing_if_refused(run):
        (run.path / name).write_text("a result\n", encoding="utf-8")
        raise InvalidInput("tell raised")
    assert (run.path / name).is_file()


def test_what_a_run_began_with_is_no_result(tmp_path):
    files = {"ancestor.npz": b"weights"}
    run = RunDirectory.create(tmp_path / "run", "train", {}, ["metarl", "train"], files=files)
    with pytest.raises(InvalidInput, match="step"), leaving_nothing_if_refused(run), run.lock():
        raise InvalidInput("step raised KeyError")
    assert not list(tmp_path.iterdir())
