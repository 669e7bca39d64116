"""search, resume, compare and report from the command line: what is refused, in which words, and what is printed."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from pathlib import Path

import pytest

from metarl.cli import bench, compare, main, parse_arguments
from metarl.cli.machine import Machine
from metarl.cli.search import _sampled
from metarl.errors import InvalidInput
from metarl.optimizer_search import SearchConfig, StrategiesConfig, from_dict, to_dict
from metarl.rl_squared import WorldConfig
from metarl.runs import RunDirectory


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Runs each test in an empty directory of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(words, capsys) -> str:
    """Returns the one message of a command that must end with exit code 2 and print nothing else."""
    assert main(words) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--problem", "digit-mlp"], "Unknown problem 'digit-mlp'. Did you mean 'digits-mlp'?"),
        (["--strategy", "pppo"], "Unknown strategy 'pppo'. Did you mean 'ppo'?"),
        (["--space", "arxive"], "Did you mean 'arxiv'?"),
        (["--depth", "5"], "depth is 5; it must be from 1 to 4."),
        (["--depth", "0"], "depth is 0; it must be from 1 to 4."),
        (["--budget", "0"], "budget is 0; it must be at least 1"),
        (["--minutes", "-1"], "minutes is -1.0; it must be positive"),
        (["--lag", "-1"], "lag is -1; it must not be negative."),
        (["--ray-workers", "2"], "--ray-address and --ray-workers go with --evaluator ray."),
        (
            ["--table", "sign-1", "--space", "sign", "--depth", "1", "--evaluator", "ray"],
            "--evaluator ray trains, and --table sign-1 looks losses up; give one.",
        ),
        (
            ["--table", "sign-1", "--space", "sign", "--depth", "1", "--ray-workers", "2"],
            "--ray-address and --ray-workers go with --evaluator ray.",
        ),
        (["--budget", "5", "--minutes", "1"], "Give either a budget or minutes, not both."),
        (["--preset", "lap"], "Unknown preset 'lap'."),
        (["--final.held-out", "wine"], "Unknown problem 'wine'. Did you mean 'wine-mlp'?"),
        (["--final.funnel", "digit-conv"], "Unknown problem 'digit-conv'. Did you mean"),
        (["--final.meta-overfitting", "wine"], "Unknown problem 'wine'. Did you mean 'wine-mlp'?"),
        (
            ["--training.horizons", "1", "0"],
            "an item of training.horizons is 0.0; it must be above 0 and at most 1000.",
        ),
        (["--training.judge-cap", "-1"], "training.judge_cap is -1.0; it must be positive"),
        (["--final.simplify", "-0.1"], "final.simplify is -0.1; it must not be negative"),
        (
            ["--final.funnel-order", "worst"],
            "--final.funnel-order worst orders rules by problems of --final.funnel beside those searched",
        ),
        (
            ["--final.funnel", "rosenbrock", "--reward", "accuracy"],
            "Problem 'rosenbrock' has no metric",
        ),
        (["--problem", "no_such_module:make"], "module 'no_such_module' cannot be imported"),
        (["--init-from", "nowhere"], "nowhere"),
        (["--config", "nowhere.json"], "No such file or directory: nowhere.json"),
        (["--problem", "rosenbrock", "--reward", "accuracy"], "has no metric"),
        (
            ["--problem", "digits-mlp", "quadratic", "beale", "--training.random-width", "2"],
            "--training.random-width varies the hidden layers of a network; 'quadratic', 'beale' have none that can be "
            "widened. Leave them out, or the flag",
        ),
    ],
)
def test_settings_that_cannot_be_used_are_refused_and_nothing_is_written(
    words, message, capsys, elsewhere
):
    assert message in refusal(["search", *words, "--json"], capsys)
    assert list(elsewhere.iterdir()) == []


def test_a_search_goes_on_from_rules_of_its_own_grammar_alone(capsys, elsewhere):
    RunDirectory.create("before", "search", to_dict(SearchConfig(strategy="mcts")), ["metarl"])
    words = ["search", "--strategy", "mcts", "--different-operands", "--init-from", "before"]
    told = refusal(words, capsys)
    assert "that run has different_operands False, not different_operands True" in told
    assert [path.name for path in elsewhere.iterdir()] == ["before"]


def test_a_problem_whose_loss_is_nan_at_the_start_is_refused(capsys, elsewhere):
    (elsewhere / "broken_problem.py").write_text(
        textwrap.dedent(
            """
            import jax.numpy as jnp
            import numpy as np
            from metarl.problems import SPLITS, Problem

            def make():
                return Problem(
                    name="broken",
                    init=lambda key: ({"w": jnp.zeros(3)}, ()),
                    loss=lambda params, state, batch, key: (jnp.nan * jnp.sum(params["w"]), state),
                    evaluate=lambda params, state, batch: {"loss": jnp.sum(params["w"])},
                    examples=lambda split: {"x": np.arange(4.0) + 10 * SPLITS.index(split)},
                    batch_size=2,
                )
            """
        )
    )
    words = ["search", "--problem", "broken_problem:make", "--run-dir", "r"]
    assert "'broken': the loss is nan before the first step" in refusal(words, capsys)
    assert not (elsewhere / "r").exists()


def test_an_existing_run_is_never_overwritten(capsys, elsewhere):
    RunDirectory.create("taken", "search", {"seed": 0}, ["metarl"])
    before = (elsewhere / "taken" / "config.json").read_bytes()
    message = refusal(["search", "--run-dir", "taken"], capsys)
    assert "taken" in message and "resume" in message
    assert (elsewhere / "taken" / "config.json").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--budget", "x"], "Error parsing --budget: 'x' is not a whole number or None"),
        (["--minutes", "soon"], "Error parsing --minutes: 'soon' is not a number or None"),
        (["--batch-size", "1.5"], "Error parsing --batch-size: '1.5' is not a whole number"),
        (["--device", "gppu"], "Expected one of ('None', 'cpu', 'gpu', 'tpu')."),
    ],
)
def test_a_word_in_place_of_a_number_is_told_without_names_of_types(words, message, capsys):
    assert main(["search", *words]) == 2
    printed = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert message in printed and "Annotated" not in printed and "literal" not in printed


def test_a_run_directory_that_cannot_be_written_is_one_line(capsys, monkeypatch):
    def full(*arguments, **settings):
        raise OSError(28, "No space left on device", "r")

    monkeypatch.setattr(RunDirectory, "create", full)
    words = ["search", "--problem", "beale", "--run-dir", "r"]
    assert refusal(words, capsys) == "metarl: error: No space left on device: r\n"


@pytest.mark.parametrize("verb", ["resume", "report"])
def test_what_is_no_run_is_refused(verb, capsys, elsewhere):
    (elsewhere / "letters").mkdir()
    assert "letters" in refusal([verb, "letters"], capsys)
    assert "nowhere" in refusal([verb, "nowhere"], capsys)


def test_a_run_in_use_is_not_resumed(capsys):
    run = RunDirectory.create("busy", "search", {"problem": ["beale"], "seed": 0}, ["metarl"])
    with run.lock():
        assert "in use" in refusal(["resume", "busy"], capsys)


def test_only_a_search_has_evaluators(capsys):
    RunDirectory.create("compared", "compare", {"seed": 0}, ["metarl"])
    message = refusal(["resume", "compared", "--evaluator", "ray"], capsys)
    assert "go with a search or a table, not with a compare" in message


def test_an_unfinished_run_has_no_report(capsys):
    RunDirectory.create("begun", "search", {"seed": 0}, ["metarl"])
    assert "metarl resume begun" in refusal(["report", "begun"], capsys)


@pytest.mark.parametrize(
    "job", ["search", "compare", "enumerate", "table", "table-search", "evaluate", "train"]
)
@pytest.mark.parametrize("text", ['{"best": [{"ru', "{}"])
def test_the_resume_of_a_damaged_result_says_how_it_is_written_again(
    job, text, capsys, elsewhere, monkeypatch
):
    monkeypatch.setattr("metarl.rl_squared.resume_training", lambda *args, **settings: None)
    run = RunDirectory.create("of today/a", job, {"seed": 0}, ["metarl"])
    run.write_outcome({"outcome": "finished"})
    (elsewhere / "of today" / "a" / "result.json").write_text(text)
    message = refusal(["resume", "of today/a"], capsys)
    assert message.startswith("metarl: error: The result of run 'of today/a' is damaged (")
    assert message.endswith(
        "Remove its result.json and write it again by `metarl resume 'of today/a'`.\n"
    )


def test_a_hint_can_be_pasted_where_a_path_has_a_space(capsys):
    RunDirectory.create("of today/a", "search", {"seed": 0}, ["metarl"])
    words = ["search", "--problem", "beale", "--run-dir", "of today/a"]
    assert "`metarl resume 'of today/a'`" in refusal(words, capsys)
    assert "`metarl resume 'of today/a'`" in refusal(["report", "of today/a"], capsys)


@pytest.mark.parametrize(("filtered", "over"), [(30, ""), (25, ", 5 beyond the budget")])
def test_what_became_of_every_sampled_rule_is_told(filtered, over):
    counts = {"rules_sampled": 96, "rules_trained": 60, "filtered": filtered, "duplicates": 6}
    told = f"96 rules sampled: 60 trained, {filtered} filtered out, 6 met before{over}"
    assert _sampled(counts, "trained") == told


def test_damaged_settings_are_refused_by_name(capsys, elsewhere):
    (elsewhere / "config.json").write_text('{"depht": 3}')
    assert "Unknown setting 'depht'. Did you mean 'depth'?" in refusal(
        ["search", "--config", "config.json"], capsys
    )
    (elsewhere / "config.json").write_text('{"depth": "deep"}')
    assert "depth must be int, not 'deep'" in refusal(["search", "--config", "config.json"], capsys)
    (elsewhere / "config.json").write_text("{")
    assert "it is not JSON" in refusal(["search", "--config", "config.json"], capsys)


def test_printed_settings_are_those_of_the_preset_with_changes(capsys, elsewhere):
    assert main(["search", "--preset", "smoke", "--seed", "7", "--print-config"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["budget"] == 48 and printed["seed"] == 7
    (elsewhere / "config.json").write_text(json.dumps(printed))
    assert main(["search", "--config", "config.json", "--depth", "3", "--print-config"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again == {**printed, "depth": 3}
    assert from_dict(SearchConfig, again, "here").depth == 3


@pytest.mark.parametrize("flag", ["--evolution.init-from", "--evolution.init_from"])
def test_a_rule_as_a_setting_may_begin_with_a_minus(capsys, flag):
    assert main(["search", flag, "-g * exp(m)", "--seed", "3", "--print-config"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["evolution"]["init_from"] == "-g * exp(m)" and printed["seed"] == 3


def test_a_comparison_takes_rules_that_begin_with_a_minus_as_they_were_typed():
    words = ["-g * exp(m)", "adam", "-m", "--seeds", "3", "-o", "table.csv"]
    arguments = parse_arguments(compare.Arguments, words, program="metarl compare")
    assert arguments.rules == ("-g * exp(m)", "adam", "-m")
    assert (arguments.compare.seeds, str(arguments.output)) == (3, "table.csv")


@pytest.mark.parametrize("word", ["-seed", "-adamm", "--sed"])
def test_a_flag_that_is_none_is_not_taken_for_a_rule(capsys, word):
    assert main(["compare", word, "3"]) == 2
    assert "nrecognized" in capsys.readouterr().err


def test_a_run_that_was_limited_by_time_is_repeated_with_its_budget(capsys, elsewhere):
    run = RunDirectory.create("timed", "search", {"minutes": 2.0, "seed": 0}, ["metarl"])
    run.write_outcome({"outcome": "finished", "repeats_with_budget": 123})
    assert main(["search", "--config", "timed/config.json", "--print-config"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["budget"] == 123 and printed["minutes"] is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["powersing"], "Did you mean 'powersign'?"),
        (["g ** 2"], "^"),
        (["exp(g"], "exp(g"),
        (["adam", "--problem", "wine"], "Did you mean 'wine-mlp'?"),
        (["adam", "--seeds", "1"], "seeds is 1; it must be from 2 to 100000"),
        (["adam", "--steps", "0"], "steps is 0; it must be from 1 to 2000000"),
        (["nowhere#1"], "nowhere"),
        (["adam", "adam"], "The same optimizer was named twice."),
    ],
)
def test_a_comparison_that_cannot_be_made_is_refused(words, message, capsys):
    assert message in refusal(["compare", *words], capsys)


def test_compare_prints_one_document_with_the_texts_typed_as_keys(capsys):
    rules = ["2 * g", "adam"]
    words = ["--problem", "beale", "--steps", "30", "--seeds", "4", "--tuning-seeds", "2", "--json"]
    quickly = ["--references", "sgd", "--horizons", "--no-time-compilation"]
    assert main(["compare", *rules, *words, *quickly]) == 0
    document = json.loads(capsys.readouterr().out)
    entries = document["problems"]["beale"]
    assert list(entries) == rules
    assert entries["adam"]["difference_to_adam"] == {"iqm": 0.0, "low": None, "high": None}
    assert entries["adam"]["state_bytes_per_parameter"] == 8.0
    assert entries["2 * g"]["state_bytes_per_parameter"] == 0.0
    assert entries["adam"]["metric"] is None
    assert set(entries["2 * g"]) >= {
        *("learning_rate", "final_loss", "metric", "steps_to_target", "difference_to_adam"),
        *("state_bytes_per_parameter", "step_time_relative_to_adam", "diverged"),
    }


@pytest.mark.parametrize(
    ("words", "who"),
    [([], "standard optimizers alone"), (["g", "adam"], "2 named and the others of --references")],
)
def test_a_comparison_says_first_what_it_does(words, who, capsys, monkeypatch):
    monkeypatch.setattr("metarl.optimizer_search.resume_comparison", lambda *run, **how: {})
    assert main(["compare", *words, "--problem", "beale", "--json"]) == 0
    assert f"Comparing {who} on beale: everybody is tuned" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "flag", "of"),
    [
        (["search", "-o", "results"], "--output", "scaling, strategies, problems"),
        (["train", "--rules", "3"], "--rules", "search"),
        (
            ["overhead", "--repeats", "3"],
            "--repeats",
            "search, train, scaling, maze, adapters, table",
        ),
        (["search", "--devices", "1,2"], "--devices", "scaling"),
        (["maze", "--arms", "3"], "--arms", "train, scaling, adapters"),
        (["scaling", "--inner-values"], "--inner-values", "train"),
        (["table", "--searches", "3"], "--searches", "strategies"),
        (["problems", "--force", "--table", "sign-1"], "--table", "strategies, table"),
    ],
)
def test_a_bench_refuses_flags_of_another_measurement(words, flag, of, capsys, monkeypatch):
    """They were given for nothing: no file was written where --output named a folder."""
    monkeypatch.setattr(bench, "show", lambda document: None)
    monkeypatch.setattr(Machine, "start", lambda machine: pytest.fail("it began"))
    assert main(["bench", *words]) == 2
    assert f"has no use for {flag}, which is of metarl bench {of}." in capsys.readouterr().err


def test_a_bench_takes_the_flags_of_its_own():
    for what, names in bench._FLAGS.items():
        assert set(names) <= {
            field.name
            for part in (bench.Arguments, WorldConfig, StrategiesConfig)
            for field in dataclasses.fields(part)
        }, what
    world = WorldConfig(arms=3, episodes=5)
    bench._check_flags(
        bench.Arguments("train", repeats=1, world=world, hidden=4, inner_values=True)
    )
    bench._check_flags(
        bench.Arguments(
            "strategies", strategies=StrategiesConfig(table=("sign-1",), seed=1), force=True
        )
    )


def test_no_devices_are_no_number_of_devices(capsys, monkeypatch):
    monkeypatch.setattr(Machine, "start", lambda machine: pytest.fail("it began"))
    assert main(["bench", "scaling", "--devices", ""]) == 2
    assert "--devices takes numbers from 1 to 512" in capsys.readouterr().err


def test_a_bare_bench_says_first_what_it_measures(capsys, monkeypatch):
    monkeypatch.setattr("metarl.optimizer_search.measure_search", lambda *what: {})
    assert main(["bench", "--json"]) == 0
    assert "Measuring the search: 64 rules on digits-mlp" in capsys.readouterr().err


def test_searches_on_a_table_are_timed_and_leave_nothing_behind(capsys, elsewhere):
    words = ["bench", "table", "--table", "sign-1", "--strategy", "random", "--budget", "20"]
    assert main([*words, "--repeats", "2", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["judges"] == ["quadratic", "digits-mlp"] and document["repeats"] == 2
    (row,) = document["searches"].values()
    assert row["rules_trained"] == 20 <= row["rules_proposed"]
    assert row["processor_seconds"] > 0 and row["first_processor_seconds"] > 0
    assert list(elsewhere.iterdir()) == []


def test_a_table_is_timed_alone(capsys):
    assert main(["bench", "table", "--table", "sign-1", "sign-2"]) == 2
    assert "metarl bench table measures one table; received sign-1, sign-2." in (
        capsys.readouterr().err
    )


def test_a_dry_run_says_what_would_be_trained_and_writes_nothing(capsys, elsewhere):
    words = ["search", "--problem", "beale", "--space", "sign", "--depth", "1", "--budget", "10"]
    words += ["--dry-run", "--json"]
    assert main(words) == 0
    estimate = json.loads(capsys.readouterr().out)["dry_run"]
    assert estimate["rules"] == 10
    assert estimate["problems"]["beale"]["runs_per_rule"] == pytest.approx(3 + 2 + 2 * 4 / 6)
    assert estimate["networks"] == round(10 * (3 + 2 + 2 * 4 / 6) * 2)
    assert (
        estimate["selection_seconds"] > 0
        and estimate["search_seconds"] > 0
        and estimate["memory_mb"] > 0
    )
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "racing"),
    [
        ([], True),
        (["--racing"], True),
        (["--no-racing"], False),
        (["--no_racing", "--racing"], True),
        (["--preset", "smoke"], True),
        (["--preset", "smoke", "--no-racing"], False),
        (["--preset", "paper"], False),
        (["--preset", "demo"], True),
        (["--preset", "demo", "--no-racing"], False),
        (["--reward", "accuracy"], False),
        (["--preset", "demo", "--reward", "accuracy"], False),
        (["--evaluator", "table:sign-1"], False),
        (["--table", "sign-1"], False),
        (["--table", "sign-1", "--racing"], True),
    ],
)
def test_whether_a_search_races_can_be_said_both_ways_the_last_word_counts(words, racing, capsys):
    assert main(["search", *words, "--print-config"]) == 0
    assert json.loads(capsys.readouterr().out)["racing"] is racing


@pytest.mark.parametrize("racing", [True, False])
def test_a_search_races_as_the_settings_that_it_is_given(racing, capsys):
    RunDirectory.create("before", "search", {"racing": racing, "seed": 0}, ["metarl"])
    for word, expected in (([], racing), (["--racing"], True), (["--no-racing"], False)):
        assert main(["search", "--config", "before/config.json", *word, "--print-config"]) == 0
        assert json.loads(capsys.readouterr().out)["racing"] is expected


def test_settings_from_before_there_was_racing_do_not_race_whatever_the_default_of_the_command(
    capsys,
):
    Path("before.json").write_text('{"seed": 0, "budget": 100}', encoding="utf-8")
    assert main(["search", "--config", "before.json", "--print-config"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(
        json.dumps(to_dict(SearchConfig(budget=100)))
    )
    assert SearchConfig().racing is False


def test_settings_that_race_are_taken_at_their_word_on_a_table_and_refused_for_accuracies(capsys):
    Path("raced.json").write_text('{"seed": 0, "racing": true}', encoding="utf-8")
    words = ["search", "--config", "raced.json"]
    assert main([*words, "--table", "sign-1", "--print-config"]) == 0
    assert json.loads(capsys.readouterr().out)["racing"] is True
    message = refusal([*words, "--reward", "accuracy"], capsys)
    assert "--racing compares losses; it goes with --reward loss, not with accuracy." in message


def test_a_search_for_accuracies_is_told_why_it_cannot_race(capsys):
    message = refusal(["search", "--reward", "accuracy", "--racing"], capsys)
    assert "--racing compares losses; it goes with --reward loss, not with accuracy." in message


def test_what_trains_is_not_looked_up_in_a_table(capsys, elsewhere):
    words = ["table", "--space", "sign", "--depth", "1", "--evaluator", "table:sign-1"]
    message = refusal(words, capsys)
    assert (
        "--evaluator table:sign-1 looks losses up, and this trains; take local or ray." in message
    )
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize(
    ("track", "said"),
    [
        ("tuned", "everybody is tuned on each problem, which"),
        (
            "one-rate",
            "Adam is tuned on each problem, and all others' multiple of its rate on the search",
        ),
        ("default", "everybody's one rate is found on the search problems, which"),
    ],
)
def test_a_comparison_begins_with_what_is_tuned_on_its_track(
    track, said, tmp_path, monkeypatch, capsys
):
    def stop(path, **given):
        raise InvalidInput(f"not run: {path}")

    monkeypatch.setattr("metarl.optimizer_search.resume_comparison", stop)
    words = ["compare", "powersign", "--problem", "quadratic", "--track", track, "--seeds", "8"]
    assert main([*words, "--run-dir", str(tmp_path / "run")]) == 2
    assert f"on quadratic: {said}" in capsys.readouterr().err
