"""The stored result of a run: read, missing, or damaged and told so."""

from __future__ import annotations

import pytest

from metarl.errors import InvalidInput
from metarl.runs import RunDirectory, no_result_yet, stored_result, telling_of_damage


@pytest.fixture
def run(tmp_path):
    return RunDirectory.create(tmp_path / "a run", "search", {}, ["metarl", "search"])


def test_a_run_without_a_result_is_not_complete(run):
    assert stored_result(run, "best") is None
    assert str(no_result_yet(run)).endswith(f"finish it by `metarl resume '{run.path}'`.")


def test_a_result_is_read_whole(run):
    (run.path / "result.json").write_text('{"best": [1, 2]}')
    assert stored_result(run, "best") == {"best": [1, 2]}


def test_the_result_of_a_run_that_was_moved_tells_where_it_lies_now(run, tmp_path):
    (run.path / "result.json").write_text('{"best": 1, "run_dir": "runs/before"}')
    run.path.rename(tmp_path / "now")
    moved = RunDirectory.open(tmp_path / "now")
    assert stored_result(moved) == {"best": 1, "run_dir": str(tmp_path / "now")}


@pytest.mark.parametrize("text", ["", '{"best": [{"ru', "[]", '{"worst": 1}', '{"best": NaN}'])
def test_a_damaged_result_says_what_to_remove_and_the_command_that_writes_it_again(run, text):
    (run.path / "result.json").write_text(text)
    with pytest.raises(InvalidInput) as caught:
        stored_result(run, "best")
    message = str(caught.value)
    assert message.startswith(f"The result of run '{run.path}' is damaged (")
    assert message.endswith(
        f"Remove its result.json and write it again by `metarl resume '{run.path}'`."
    )


@pytest.mark.parametrize(
    "read", [lambda d: d["best"], lambda d: d[0].x, lambda d: d.best, lambda d: int("d")]
)
def test_what_cannot_be_made_of_a_result_is_told_as_its_damage(run, read):
    with pytest.raises(InvalidInput, match="is damaged"), telling_of_damage(run):
        read({})


def test_what_only_a_defect_or_the_world_outside_can_cause_stays_itself(run):
    for error in (BrokenPipeError, RuntimeError, KeyboardInterrupt):
        with pytest.raises(error), telling_of_damage(run):
            raise error
