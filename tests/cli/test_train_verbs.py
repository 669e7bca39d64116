"""train, evaluate and resume from the command line: a small whole, and what is refused in which words."""

from __future__ import annotations

import dataclasses
import json
import textwrap

import numpy as np
import pytest

from metarl.cli import main
from metarl.cli.train import _closing_lines
from metarl.rl_squared import TrainConfig, preset, resume_training, train_config
from metarl.rl_squared.reports.report import _facts
from metarl.runs import RunDirectory

TINY = [
    *("--arms", "2", "--episodes", "3", "--network.hidden", "4", "--batch-steps", "200"),
    *("--env-steps", "400", "--validation-tasks", "20", "--validation-every", "200"),
]


pytestmark = pytest.mark.extras  # whole small trainings from the command line


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Runs a test in an empty directory of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A directory with a finished training in `run`, and its document."""
    place = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr("metarl.rl_squared.learning.train_job.CHUNK_STEPS", 200)
        document = printed(["train", *TINY, "--run-dir", "run"])
    return place, document


@pytest.fixture
def beside_it(trained, monkeypatch):
    """Runs a test beside the finished training."""
    monkeypatch.chdir(trained[0])
    return trained[1]


def printed(words: list[str]) -> dict:
    """Returns the one document of a command that must succeed."""
    import contextlib
    import io

    with contextlib.redirect_stdout(io.StringIO()) as output:
        assert main([*words, "--json"]) == 0
    return json.loads(output.getvalue())


def refusal(words, capsys) -> str:
    """Returns the one message of a command that must end with exit code 2 and print nothing else."""
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_a_training_ends_with_its_agent_beside_classical_ones(trained):
    place, document = trained
    assert document["run_dir"] == "run" and document["env_steps"] == 576
    assert (place / document["agent"]).is_file()
    assert json.loads((place / "run/result.json").read_text()) == document
    evaluation = document["evaluation"]
    assert evaluation["tasks"] == 1000
    assert next(iter(evaluation["agents"])) == "run"
    assert {"gittins", "thompson", "bayes-optimal"} <= set(evaluation["agents"])
    assert any(text.startswith("ucb1:") for text in evaluation["agents"])
    assert set(evaluation["yardsticks"]) == {"random", "oracle"}
    assert "greedy_actions" in evaluation["agents"]["run"]


def test_resuming_a_finished_training_prints_its_table_and_how_to_use_the_agent(beside_it, capsys):
    assert main(["resume", "run"]) == 0
    shown = capsys.readouterr().out
    assert "bandit(rewards=bernoulli, arms=2), trials of 3 episodes: 1,000 test tasks" in shown
    assert "metarl evaluate run --against" in shown
    assert "rl_squared.load('run')" in shown


def test_an_evaluation_anew_is_proposed_at_the_size_that_the_result_names(trained):
    _, document = trained
    assert document["tasks_again"] == 10_000
    proposed = [line for line in _closing_lines({**document, "tasks_again": 50}) if "anew" in line]
    assert len(proposed) == 1 and proposed[0].endswith("--tasks 50")


def test_the_report_gives_the_seconds_that_its_steps_per_second_are_of_and_what_chance_earns():
    numbers = {"env_steps": 20_000, "seconds": 32.0, "compile_seconds": 30.0}
    numbers |= {"validation_return": 4.77, "random_validation_return": 4.8123}
    said = _facts({"warm_start": None, "steps_per_second": 10_000.0, **numbers}).values
    assert said["seconds"] == "2, and 30 of compiling"
    assert said["steps per second"] == "10,000"
    assert said["the same, acting at random"] == "4.812"


def test_evaluate_prints_one_document_with_the_texts_typed_as_keys(beside_it):
    agents = ["run", "run/agent.npz", "gittins", "ucb1:c=0.2"]
    document = printed(["evaluate", *agents[:2], "--against", *agents[2:], "--tasks", "1000"])
    assert list(document["agents"]) == agents
    assert document["agents"]["run"] == document["agents"]["run/agent.npz"]
    assert document["agents"]["run"] == beside_it["evaluation"]["agents"]["run"]
    assert document["environment"]["arms"] == 2


def test_evaluate_writes_a_table_as_csv(beside_it, tmp_path):
    path = tmp_path / "table.csv"
    printed(["evaluate", "run", "-o", str(path)])
    header, *rows = path.read_text().splitlines()
    assert header.startswith("agent,return,return_low,return_high,difference")
    assert {row.partition(",")[0] for row in rows} == {"run", "random", "oracle"}


def test_the_report_is_a_page_that_asks_for_nothing(beside_it):
    page = printed(["report", "run"])["report"]
    with open(page, encoding="utf-8") as file:
        text = file.read()
    assert page == "run/report.html" and "gittins" in text and text.count("<svg") == 2
    assert "<script src" not in text and "<link" not in text


def test_a_training_holds_no_rule(beside_it, capsys):
    assert "agent.npz" in refusal(["export", "run", "--to", "optax"], capsys)


def test_an_interrupted_training_says_how_to_go_on_and_ends_as_if_it_never_was(
    beside_it, elsewhere, capsys, monkeypatch
):
    monkeypatch.setattr("metarl.rl_squared.learning.train_job.CHUNK_STEPS", 200)
    words = ["train", *TINY, "--run-dir", "cut"]

    def interrupted(*arguments, **settings):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("metarl.rl_squared.learning.train_job.TrainJob.update", interrupted)
        assert main(words) == 130
    assert "metarl resume cut" in capsys.readouterr().err
    resumed = printed(["resume", "cut"])
    ours, theirs = resumed["evaluation"]["agents"]["cut"], beside_it["evaluation"]["agents"]["run"]
    assert ours == theirs


def test_an_interrupted_evaluation_is_gone_on_with_by_resume(elsewhere, capsys, monkeypatch):
    def interrupted(*arguments, **settings):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("metarl.rl_squared.evaluating.result.evaluate", interrupted)
        patch.setattr("metarl.rl_squared.evaluating.result.rivals", lambda trial, say: [])
        assert main(["train", *TINY, "--run-dir", "cut"]) == 130
    assert "Interrupted. Go on with: metarl resume cut" in capsys.readouterr().err
    assert not (elsewhere / "cut/result.json").exists()
    assert resume_training("cut").scores["env_steps"] == 576


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--arms", "0"], "arms is 0"),
        (["--episodes", "0"], "episodes is 0"),
        (["--environment", "mdp", "--states", "-1"], "states is -1"),
        (["--environment", "bandid"], "Unknown environment 'bandid'. Did you mean 'bandit'?"),
        (["--environment", "mdp", "--arms", "5"], "'mdp' has no setting 'arms'"),
        (["--environment", "no_such_module:make"], "module 'no_such_module' cannot be imported"),
        (["--setting", "rewards"], "is not of the form name=value"),
        (["--setting", "drfit=0.1"], "Did you mean 'drift'?"),
        (["--warm-start", "gitins"], "Unknown agent 'gitins'. Did you mean 'gittins'?"),
        (["--environment", "mdp", "--warm-start", "gittins"], "'gittins' is for bandits"),
        (["--preset", "lap"], "Unknown preset 'lap'"),
        (["--preset", "smoke", "--config", "x"], "either --preset or --config"),
        (["--init-from", "nowhere"], "Unknown agent 'nowhere'"),
        (["--config", "nowhere.json"], "No such file or directory: nowhere.json"),
        (["--env-steps", "0"], "env_steps is 0"),
        (["--minutes", "-1"], "minutes is -1"),
        (["--seed", "-1"], "seed is -1"),
        (["--network.hidden", "0"], "hidden is 0"),
        (["--algorithm", "a2c"], "a2c"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_and_nothing_is_written(
    words, message, capsys, elsewhere
):
    assert message in refusal(["train", *words, "--json"], capsys)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nobody to evaluate"),
        (["gittins"], "give --environment"),
        (["gitins", "--environment", "bandit"], "Did you mean 'gittins'?"),
        (["gittins", "--environment", "mdp"], "is for bandits"),
        (["run", "--arms", "5"], "run was trained in bandit(rewards=bernoulli, arms=2), whose"),
        (["run", "--environment", "mdp"], "trained in bandit, and mdp is another kind of"),
        (["run", "--tasks", "0"], "tasks is 0"),
        (["nowhere.npz"], "no such file"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(words, message, capsys, beside_it):
    assert message in refusal(["evaluate", *words], capsys)


def test_a_cut_and_a_foreign_file_are_refused(capsys, beside_it, tmp_path):
    with open("run/agent.npz", "rb") as file:
        (tmp_path / "cut.npz").write_bytes(file.read()[:-40])
    with open("run/agent.json", "rb") as file:
        (tmp_path / "cut.json").write_bytes(file.read())
    assert "was cut short" in refusal(["evaluate", str(tmp_path / "cut.npz")], capsys)
    np.savez(tmp_path / "foreign.npz", weights=np.zeros(3))
    assert "lacks foreign.json" in refusal(["evaluate", str(tmp_path / "foreign.npz")], capsys)


def test_an_agent_for_another_number_of_arms_is_no_start(capsys, beside_it):
    words = ["train", "--arms", "3", "--network.hidden", "4", "--init-from", "run"]
    message = refusal(words, capsys)
    assert (
        "trained in bandit(rewards=bernoulli, arms=2), whose action_space is Discrete(2)" in message
    )
    assert "arms=3) has Discrete(3)" in message


def test_a_family_whose_observations_are_nan_is_refused(capsys, elsewhere):
    (elsewhere / "nan_world.py").write_text(
        textwrap.dedent(
            """
            import dataclasses
            import jax.numpy as jnp
            from metarl.environments import load

            def make():
                sound = load("pendulum", horizon=5)

                def reset(key, task):
                    observation, state = sound.reset(key, task)
                    return observation * jnp.nan, state

                return dataclasses.replace(sound, reset=reset)
            """
        )
    )
    message = refusal(["train", "--environment", "nan_world:make", "--run-dir", "r"], capsys)
    assert "nan" in message.lower()
    assert not (elsewhere / "r").exists()


def test_printed_settings_are_those_of_the_preset_with_changes(elsewhere):
    asked = printed(["train", "--preset", "smoke", "--seed", "7", "--arms", "4", "--print-config"])
    config = train_config(asked)
    assert config.seed == 7 and config.world.arms == 4
    assert config.network == preset("smoke").network
    (elsewhere / "config.json").write_text(json.dumps(asked))
    again = printed(["train", "--config", "config.json", "--episodes", "6", "--print-config"])
    assert again == {**asked, "world": {**asked["world"], "episodes": 6}}


def test_damaged_settings_are_refused_by_name(capsys, elsewhere):
    (elsewhere / "config.json").write_text('{"wrold": {}}')
    message = refusal(["train", "--config", "config.json"], capsys)
    assert "Unknown setting 'wrold'. Did you mean 'world'?" in message
    (elsewhere / "config.json").write_text("{")
    assert "it is not JSON" in refusal(["train", "--config", "config.json"], capsys)


def repeated(rows: list[tuple[str, int]], reason: str, **settings):
    """Returns the settings that repeat a training which had two minutes, and ended as is told."""
    config = TrainConfig(minutes=2.0, **settings)
    run = RunDirectory.create("timed", "train", config.to_json(), ["metarl"])
    for number, (phase, position) in enumerate(rows):
        run.metrics.append({"generation": number + 1, "position": position, "phase": phase})
    run.metrics.close()
    run.write_outcome({"outcome": "finished", "reason": reason, "repeats_with_budget": rows[-1][1]})
    return config, train_config(
        printed(["train", "--config", "timed/config.json", "--print-config"])
    )


WARM = [("imitation", 300), ("ppo", 500), ("ppo", 700)]


def test_a_training_that_was_limited_by_time_is_repeated_with_its_budget(elsewhere):
    own, again = repeated(WARM, "time limit", warm_start="gittins")
    decay = {"learning_rate_decay": False}
    assert again == dataclasses.replace(own, env_steps=400, minutes=None, **decay)


@pytest.mark.parametrize("decay", [True, False])
def test_a_training_whose_learning_rate_the_clock_cut_off_keeps_its_clock(elsewhere, decay):
    settings = {"env_steps": 900, "learning_rate_decay": decay, "warm_start": "gittins"}
    own, again = repeated(WARM, "time limit", **settings)
    assert again == (own if decay else dataclasses.replace(own, env_steps=400, minutes=None))


def test_a_training_that_the_clock_ended_while_it_imitated_keeps_its_clock(elsewhere):
    own, again = repeated(WARM[:1], "time limit", warm_start="gittins")
    assert again == own


@pytest.mark.parametrize(
    ("rows", "settings"),
    [
        (WARM, {"warm_start": "gittins", "env_steps": 400}),
        (WARM[:1], {"distil": "algorithm", "teacher": "ucb1", "env_steps": 300}),
    ],
)
def test_a_training_that_ended_before_its_clock_is_repeated_without_it(elsewhere, rows, settings):
    own, again = repeated(rows, "complete", **settings)
    assert again == dataclasses.replace(own, minutes=None)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rl2-table-1", "--cells", "10x6"], "Unknown cell '10x6'. Did you mean '10x5'?"),
        (["rl2-table-9"], "rl2-table-9"),
        (["rl2-table-2", "--scale", "huge"], "huge"),
    ],
)
def test_what_cannot_be_reproduced_is_refused(words, message, capsys, elsewhere):
    assert message in refusal(["reproduce", *words], capsys)
    assert list(elsewhere.iterdir()) == []


def test_a_reproduction_is_gone_on_with_by_its_own_command(capsys, elsewhere):
    RunDirectory.create("runs/r", "reproduce", {}, ["metarl", "reproduce", "rl2-table-1"])
    message = refusal(["resume", "runs/r"], capsys)
    assert "metarl reproduce rl2-table-1" in message
