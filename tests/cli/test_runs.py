"""runs from the command line: the table, the differences, and what is removed only when allowed."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from metarl.cli import main
from metarl.runs import RunDirectory


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(name, **config):
    run = RunDirectory.create(f"runs/{name}", "search", {"seed": 0, **config}, ["metarl"])
    run.checkpoints.sweep()
    for generation in (1, 2):
        run.metrics.append({"generation": generation, "best_reward": 0.1 * generation})
        run.checkpoints.save(generation, {"x": np.zeros(10)}, {})
    run.metrics.close()
    return run


def printed(words, capsys):
    assert main(words) == 0
    return capsys.readouterr().out


def refusal(words, capsys):
    assert main(words) == 2
    found = capsys.readouterr()
    assert not found.out
    return found.err


def test_runs_are_listed_as_a_table_and_as_json(elsewhere, capsys):
    make("a")
    make("b")
    table = printed(["runs", "list"], capsys)
    assert "2 runs" in table and "runs/a" in table and "dead" in table and "0.2" in table
    found = json.loads(printed(["runs", "list", "runs", "--json"], capsys))["runs"]
    assert [row["path"] for row in found] == ["runs/a", "runs/b"]
    assert found[0]["best"] == 0.2 and found[0]["state"] == "dead"


def test_a_folder_without_runs_is_an_empty_table_and_none_is_refused(elsewhere, capsys):
    (elsewhere / "empty").mkdir()
    assert "0 runs" in printed(["runs", "list", "empty"], capsys)
    assert "There is no folder 'runs' here" in refusal(["runs", "list"], capsys)


def test_a_damaged_run_is_listed_with_what_is_wrong(elsewhere, capsys):
    make("a")
    (elsewhere / "runs/a/run.json").write_text("{")
    table = printed(["runs", "list"], capsys)
    assert "unreadable" in table and "run.json" in table


def test_watching_needs_a_terminal(elsewhere, capsys):
    make("a")
    assert "--watch needs a terminal" in refusal(["runs", "list", "--watch"], capsys)


def test_a_watched_table_is_drawn_until_it_is_interrupted(elsewhere, capsys, monkeypatch):
    import metarl.cli.runs as verb

    make("a")
    drawn = []

    def sleep(seconds):
        drawn.append(seconds)
        if len(drawn) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(verb.sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(verb.time, "sleep", sleep)
    assert "runs/a" in printed(["runs", "list", "--watch"], capsys)
    assert drawn == [1.0, 1.0, 1.0]


def test_the_difference_of_two_runs_is_told(elsewhere, capsys):
    make("a", budget=9)
    make("b", budget=18)
    text = printed(["runs", "diff", "runs/a", "runs/b"], capsys)
    assert "budget" in text and "18" in text
    assert "The same 2 rows in both logs, but for the clock." in text
    document = json.loads(printed(["runs", "diff", "runs/a", "runs/b", "--json"], capsys))
    assert document["differences"]["config"] == {"budget": [9, 18]}
    assert "takes two runs, not 1" in refusal(["runs", "diff", "runs/a"], capsys)


def test_without_a_terminal_nothing_is_removed_unless_that_is_said(elsewhere, capsys, monkeypatch):
    runs = make("a"), make("b")
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    message = refusal(["runs", "prune"], capsys)
    assert "To remove 2 old checkpoints of 2 runs" in message and "give --yes" in message
    assert all(len(run.checkpoints.paths()) == 2 for run in runs)
    text = printed(["runs", "prune", "--yes"], capsys)
    assert text.startswith("2 checkpoints removed, ") and text.endswith(" bytes.\n")
    assert all([path.stem for path in r.checkpoints.paths()] == ["0000000002"] for r in runs)
    assert "0 checkpoints removed, 0 bytes." in printed(["runs", "prune", "runs"], capsys)


@pytest.mark.parametrize(("answer", "left"), [("y\n", 1), ("n\n", 2), ("\n", 2), ("", 2)])
def test_a_person_is_asked(answer, left, elsewhere, capsys, monkeypatch):
    run = make("a")
    stdin = io.StringIO(answer)
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", stdin)
    assert main(["runs", "prune", "--json"]) == 0
    found = capsys.readouterr()
    assert "Remove 1 old checkpoint of 1 run, " in found.err
    assert len(json.loads(found.out)["removed"]) == 2 - left
    assert len(run.checkpoints.paths()) == left


def test_a_run_in_use_is_left_alone(elsewhere, capsys):
    run = make("a")
    with RunDirectory.open("runs/a").lock():
        assert "Left alone: runs/a (in use)" in printed(["runs", "prune", "--yes"], capsys)
    assert len(run.checkpoints.paths()) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["diff", "a", "b", "--watch"], "--watch goes with `metarl runs list`"),
        (["list", "--yes"], "--yes goes with `metarl runs prune`"),
        (["prune", "runs", "--keep", "0"], "At least 1 checkpoint of a run is kept, not 0"),
    ],
)
def test_flags_that_do_not_fit_are_refused(words, message, elsewhere, capsys):
    make("a")
    assert message in refusal(["runs", *words], capsys)
