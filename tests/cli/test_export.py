"""`metarl export`: a rule by name, by text or from a run, as a file that stands alone."""

from __future__ import annotations

import ast
import json

import pytest

from metarl.cli import bench, main
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
    rates = [provenance[name] for name in ("learning_rate", "adam_learning_rate", "tuned_on")]
    assert rates == [0.001, 0.002, "digits-mlp"]


def test_a_rank_can_be_a_flag_or_stand_behind_the_run(capsys, run_directory):
    flag = exported(capsys, str(run_directory), "--rank", "2", "--to", "optax")
    assert flag == exported(capsys, f"{run_directory}#2", "--to", "optax")
    assert flag["rule"] == POWERSIGN


def test_the_tuned_learning_rate_is_in_the_usage_example(capsys, run_directory):
    assert "0.001" in exported(capsys, str(run_directory), "--to", "optax")["text"]


@pytest.mark.parametrize("target", ["optax", "torch"])
def test_a_rate_that_was_the_peak_of_a_schedule_is_exported_as_that(capsys, run_directory, target):
    def head() -> str:
        text = exported(capsys, str(run_directory), "--to", target)["text"]
        return " ".join(text.partition("Usage:")[0].split())

    result = run_directory / "result.json"
    document = json.loads(result.read_text())
    entry = document["finalists"]["problems"]["digits-mlp"]["adam * 2"]
    entry["schedule"] = "constant"
    result.write_text(json.dumps(document))
    assert "Learning rate: 0.001 on digits-mlp, where Adam's is 0.002." in head()
    entry["schedule"] = "cosine"
    result.write_text(json.dumps(document))
    assert (
        "Learning rate: 0.001 on digits-mlp, as the peak of a cosine schedule (up over the first 5 % of the steps, "
        "then down to zero), where Adam's is 0.002."
    ) in head()


def test_the_rate_is_that_of_the_first_problem_also_where_it_is_of_the_users(capsys, run_directory):
    config = json.loads((run_directory / "config.json").read_text())
    config["problem"] = ["my_module:factory", "digits-mlp"]
    (run_directory / "config.json").write_text(json.dumps(config))
    result = run_directory / "result.json"
    document = json.loads(result.read_text())
    problems = document["finalists"]["problems"]
    document["finalists"]["problems"] = {"mine": {"adam * 2": {"learning_rate": 0.03}}, **problems}
    result.write_text(json.dumps(document))
    text = exported(capsys, str(run_directory), "--to", "optax")["text"]
    assert "Learning rate: 0.03 on mine." in text
    assert "found_rule(learning_rate=0.03)" in text


def test_a_rate_that_only_the_choice_tuned_has_the_schedule_of_the_search(capsys, run_directory):
    config = json.loads((run_directory / "config.json").read_text())
    config["training"] = {"schedule": "linear"}
    (run_directory / "config.json").write_text(json.dumps(config))
    document = exported(capsys, f"{run_directory}#2", "--to", "json")
    assert json.loads(document["text"])["provenance"]["schedule"] == "linear"


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


def test_a_rank_of_what_is_no_run_is_refused(capsys, tmp_path):
    assert main(["export", "powersign", "--rank", "2", "--to", "latex"]) == 2
    assert "A rank (2) goes with a run; 'powersign' is one rule." in capsys.readouterr().err
    for name, document in (
        ("rule.json", exported(capsys, "adam", "--to", "json")["text"]),
        ("document.json", json.dumps(exported(capsys, "adam", "--to", "optax"))),
    ):
        (tmp_path / name).write_text(document)
        message = refused(capsys, f"{tmp_path / name}#2", "--to", "latex")
        assert "A rank (2) goes with a run;" in message and "holds one rule." in message


def test_no_text_is_no_rule(capsys):
    assert "is not a run" not in refused(capsys, "", "--to", "json")


def test_a_directory_that_is_no_run_is_refused(capsys, tmp_path):
    assert "is not a run" in refused(capsys, str(tmp_path), "--to", "json")


@pytest.mark.parametrize(
    ("job", "instead"),
    [("train", "The agent of a training is a file already"), ("table-search", "by its name (`")],
)
def test_a_run_of_another_job_says_what_is_there_instead(job, instead, capsys, tmp_path):
    run = RunDirectory.create(tmp_path / "run", job, {}, ["metarl"])
    assert instead in refused(capsys, str(run.path), "--to", "json")


def test_a_run_without_a_result_says_how_to_finish_it(capsys, tmp_path):
    run = RunDirectory.create(tmp_path / "half", "search", {}, ["metarl"])
    assert f"metarl resume {run.path}" in refused(capsys, str(run.path), "--to", "json")


def test_a_damaged_result_is_refused(capsys, run_directory):
    (run_directory / "result.json").write_text('{"best": [{"ru')
    message = refused(capsys, str(run_directory), "--to", "json")
    assert "is damaged (" in message and ".." not in message and ".)" not in message


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
    assert message == (
        f"metarl: error: --output {str(path)!r}: there is no folder {str(path.parent)!r}. "
        "Make it, or name another.\n"
    )


def test_a_file_that_is_there_is_replaced_only_when_told(capsys, tmp_path):
    path = tmp_path / "rule.py"
    path.write_text("mine")
    words = ("powersign", "--to", "optax", "-o", str(path))
    message = f"{str(path)!r} exists already. Name another file, or give --force to replace it."
    assert refused(capsys, *words) == f"metarl: error: {message}\n"
    assert path.read_text() == "mine"
    assert main(["export", *words, "--force"]) == 0
    assert "def powersign(" in path.read_text()


@pytest.mark.parametrize(
    "words",
    [
        ("compare", "powersign", "--problem", "wine-mlp"),
        ("evaluate", "ucb1", "--environment", "bandit"),
        ("watch", "rl2-maze-5x5"),
    ],
)
def test_no_verb_replaces_the_file_at_output_unasked(capsys, tmp_path, words):
    path = tmp_path / "there"
    path.write_text("mine")
    assert main([*words, "-o", str(path)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main([*words, "-o", str(tmp_path / "missing" / "file")]) == 2
    assert "there is no folder" in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == [path]


def test_a_folder_that_holds_something_is_written_into_only_when_told(
    capsys, tmp_path, monkeypatch
):
    monkeypatch.setattr(bench, "_scaling", lambda arguments: {"would": "measure"})
    monkeypatch.setattr(bench, "show", lambda document: None)
    (tmp_path / "mine.csv").write_text("mine")
    words = ("bench", "scaling", "-o")
    assert main([*words, str(tmp_path)]) == 2
    assert "holds files already. Name another folder, or give --force" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "mine.csv")]) == 2
    assert "is a file; name a folder" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "table.CSV")]) == 2
    assert "has the name of a file, and several files are written" in capsys.readouterr().err
    assert not (tmp_path / "table.CSV").exists()
    assert main([*words, str(tmp_path / "missing" / "folder")]) == 2
    assert "there is no folder" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "new")]) == main([*words, str(tmp_path), "--force"]) == 0


def test_json_that_was_exported_is_exported_again(capsys, tmp_path):
    path = tmp_path / "step_back.json"
    assert main(["export", "adam-step-back", "--to", "json", "-o", str(path)]) == 0
    capsys.readouterr()
    for target in ("optax", "torch", "latex", "json"):
        again = exported(capsys, str(path), "--to", target)
        assert again["text"] == exported(capsys, "adam-step-back", "--to", target)["text"]


@pytest.mark.parametrize("target", ["json", "optax"])
def test_the_document_of_an_export_is_exported_again(capsys, tmp_path, target):
    path = tmp_path / "document.json"
    path.write_text(json.dumps(exported(capsys, "adam * 3", "--to", target)))
    assert exported(capsys, str(path), "--to", "latex") == exported(
        capsys, "adam * 3", "--to", "latex"
    )


def test_the_result_of_a_run_is_read_in_its_run_and_as_a_copy(capsys, run_directory, tmp_path):
    result = run_directory / "result.json"
    for rank in ("", "#2"):
        of_run = exported(capsys, f"{run_directory}{rank}", "--to", "json")
        assert exported(capsys, f"{result}{rank}", "--to", "json") == of_run
    copy = tmp_path / "copy.json"
    copy.write_text(result.read_text())
    document = exported(capsys, str(copy), "--to", "json")
    provenance = json.loads(document["text"])["provenance"]
    assert document["rule"] == "adam * 2"
    assert (provenance["learning_rate"], provenance["seed"]) == (0.001, None)
    assert "there is no rank 3" in refused(capsys, f"{copy}#3", "--to", "json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "does not hold a JSON object"),
        ("{", "it is not JSON"),
        ("{}", "holds no rule. What can be read is what `metarl export` wrote as JSON"),
        ('{"format": "other"}', "its format is not 'metarl.rule'"),
        ('{"format": "metarl.rule", "version": 2}', "this metarl reads version 1"),
        (
            '{"format": "metarl.rule", "version": 1, "text": "g", "provenance": {"seed": "x"}}',
            "seed",
        ),
        ('{"rule": 3, "to": "optax", "text": ""}', "its rule is no text"),
        ('{"best": [{"rule": "g"}]}', "is damaged"),
    ],
)
def test_a_file_that_holds_no_rule_is_refused_in_words(capsys, tmp_path, text, message):
    path = tmp_path / "forged.json"
    path.write_text(text)
    assert message in refused(capsys, str(path), "--to", "optax")


def test_a_file_that_is_not_there_is_named(capsys, tmp_path):
    path = tmp_path / "missing.json"
    assert refused(capsys, str(path), "--to", "json") == (
        f"metarl: error: No such file or directory: {path}\n"
    )


@pytest.mark.parametrize("text", ["-g * exp(m)", "-m", "-(g + m)", "-2 * g", "-g^2", "--g * m"])
def test_a_rule_may_begin_with_a_minus(capsys, text):
    assert exported(capsys, text, "--to", "latex")["rule"] == str(parse(text))
    assert exported(capsys, "--to", "latex", text)["rule"] == str(parse(text))


def test_a_mistake_in_a_rule_that_begins_with_a_minus_is_shown_with_its_place(capsys):
    assert "Did you mean 'exp'?" in refused(capsys, "-g * expp(m)", "--to", "latex")
