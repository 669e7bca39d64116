"""`metarl export`: a rule by name, by text or from a run, as a file that stands alone."""

from __future__ import annotations

import ast
import json

import pytest

from metarl.cli import main
from metarl.runs import RunDirectory
from metarl.update_rules import Rule, parse

POWERSIGN = "exp(sign(g) * sign(m)) * g"


@pytest.fixture
def run_directory(tmp_path):
    """A finished search of two rules, the first of which was tuned to half of Adam's learning rate."""
    config = {"problem": ["digits-mlp"], "seed": 7}
    run = RunDirectory.create(tmp_path / "found", "search", config, ["metarl", "search"])
    rates = {"problems": {"digits-mlp": {"adam * 2": {"learning_rate": 0.001}}}}
    rates["references"] = {"digits-mlp": {"adam": {"learning_rate": 0.002}}}
    best = [
        {"rule": "adam * 2", "reward": 0.3, "choice_score": 0.2, "learning_rate": 0.001},
        {"rule": POWERSIGN, "reward": 0.2, "choice_score": 0.1, "learning_rate": 0.1},
    ]
    (run.path / "result.json").write_text(json.dumps({"best": best, "finalists": rates}))
    return run.path


def exported(capsys, *words: str) -> dict:
    assert main(["export", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys, *words: str) -> str:
    assert main(["export", *words, "--json"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_a_name_and_its_text_are_the_same_rule(capsys):
    assert exported(capsys, "powersign", "--to", "latex") == exported(
        capsys, POWERSIGN, "--to", "latex"
    )


def test_a_run_that_is_not_there_is_not_read_as_a_division(capsys, run_directory):
    message = refused(capsys, f"{run_directory.parent}/fuond", "--to", "latex")
    assert "is no rule, and there is no such directory" in message
    assert f"metarl runs list {run_directory.parent}"[:60] in message
    assert "unknown name 'q'" in refused(capsys, "g/q", "--to", "latex")


@pytest.mark.parametrize(("target", "library"), [("optax", "optax"), ("torch", "torch")])
def test_the_file_is_python_that_imports_its_library_and_not_metarl(capsys, target, library):
    text = exported(capsys, "powersign", "--to", target)["text"]
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(text))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert library in imported
    assert "metarl" not in imported


def test_without_json_the_file_itself_is_printed(capsys):
    text = exported(capsys, "powersign", "--to", "optax")["text"]
    assert main(["export", "powersign", "--to", "optax"]) == 0
    assert capsys.readouterr().out == text


def test_a_file_is_written_and_named(capsys, tmp_path):
    path = tmp_path / "powersign.json"
    assert main(["export", "powersign", "--to", "json", "-o", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: {POWERSIGN}\n"
    assert Rule.from_json(path.read_text()) == parse(POWERSIGN)


def test_a_run_gives_its_best_rule_with_provenance(capsys, run_directory):
    document = exported(capsys, str(run_directory), "--to", "json")
    assert document["rule"] == "adam * 2"
    provenance = json.loads(document["text"])["provenance"]
    assert provenance["found_in"] == "a search of metarl, run found, rank 1"
    assert (provenance["problem"], provenance["seed"]) == ("digits-mlp", 7)
    assert provenance["relative_learning_rate"] == 0.5


def test_a_rank_can_be_a_flag_or_stand_behind_the_run(capsys, run_directory):
    flag = exported(capsys, str(run_directory), "--rank", "2", "--to", "optax")
    assert flag == exported(capsys, f"{run_directory}#2", "--to", "optax")
    assert flag["rule"] == POWERSIGN


def test_the_tuned_learning_rate_is_in_the_usage_example(capsys, run_directory):
    assert "0.001" in exported(capsys, str(run_directory), "--to", "optax")["text"]


def test_a_mistake_in_a_rule_is_shown_with_its_place(capsys):
    message = refused(capsys, "exp(sgn(g)) * g", "--to", "optax")
    assert "Did you mean 'sign'?" in message
    assert message.endswith("  exp(sgn(g)) * g\n      ^\n")


def test_an_unknown_name_suggests_the_nearest(capsys):
    assert "'powersing'. Did you mean 'powersign'?" in refused(capsys, "powersing", "--to", "torch")


@pytest.mark.parametrize(
    ("suffix", "message"),
    [
        ("#3", "has 2 best rules; there is no rank 3."),
        ("#0", "has 2 best rules; there is no rank 0."),
        ("#one", "after # stands a rank, such as RUN_DIR#1, not 'one'"),
    ],
)
def test_a_rank_that_is_not_there_is_refused(capsys, run_directory, suffix, message):
    assert message in refused(capsys, f"{run_directory}{suffix}", "--to", "json")


def test_a_directory_that_is_no_run_is_refused(capsys, tmp_path):
    assert "is not a run" in refused(capsys, str(tmp_path), "--to", "json")


def test_a_run_without_a_result_says_how_to_finish_it(capsys, tmp_path):
    run = RunDirectory.create(tmp_path / "half", "search", {}, ["metarl"])
    assert f"metarl resume {run.path}" in refused(capsys, str(run.path), "--to", "json")


def test_a_damaged_result_is_refused(capsys, run_directory):
    (run_directory / "result.json").write_text('{"best": [{"ru')
    assert "is damaged" in refused(capsys, str(run_directory), "--to", "json")


@pytest.mark.parametrize(
    "result",
    [
        *("[]", '{"best": 3}', '{"best": [3]}', '{"best": [{}]}', '{"best": [{"rule": "g"}]}'),
        '{"best": [{"rule": "g", "learning_rate": 1}], "finalists": []}',
        '{"best": [{"rule": "g", "learning_rate": 1}], "finalists": {"problems": 1}}',
        '{"best": [], "best": []}',
        '{"best": [{"rule": "g", "learning_rate": NaN}]}',
    ],
)
def test_a_forged_result_is_refused_in_words(capsys, run_directory, result):
    (run_directory / "result.json").write_text(result)
    message = refused(capsys, str(run_directory), "--to", "json")
    assert "is damaged" in message or "does not hold a JSON object" in message


def test_a_file_that_cannot_be_written_is_named_as_it_was_typed(capsys, tmp_path):
    path = tmp_path / "missing" / "rule.py"
    message = refused(capsys, "powersign", "--to", "optax", "-o", str(path))
    assert message == f"metarl: error: No such file or directory: {path}\n"
