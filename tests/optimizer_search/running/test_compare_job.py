"""A comparison on disk: what it leaves, how it resumes, and whose code it runs."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
import sys
import types

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search.comparing.entrants import entrant, rule_entrant
from metarl.optimizer_search.reports.comparison_report import rewrite_comparison_report
from metarl.optimizer_search.reports.score_tables import compared_tables, comparison_sentences
from metarl.optimizer_search.running import compare_job
from metarl.optimizer_search.running.compare_job import (
    begin_comparison,
    control_number,
    resume_comparison,
)
from metarl.optimizer_search.settings.compare_config import PROTOCOL_VERSION, CompareConfig
from metarl.runs import RunDirectory, SilentProgress
from metarl.update_rules import parse

OWN = "own_optimizers:heavy_ball"
PROBLEMS = ("toy_problem:logistic", "toy_problem:gentle")
CONFIG = CompareConfig(
    problem=PROBLEMS, references=(), steps=12, seeds=5, tuning_seeds=2, horizons=(0.5, 1.0), seed=3,
    schedules=("constant", "cosine"), time_compilation=False,
)  # fmt: skip
CLOCK = {"seconds_per_step", "step_time_relative_to_adam", "seconds_to_target", "run_dir"}


class Silent(SilentProgress):
    """Progress that remembers its messages."""

    def __init__(self):
        self.messages, self.positions = [], []

    def begin(self, label, unit):
        self.unit = unit

    def report(self, position, total, text="", seconds_left=None):
        self.positions.append((position, total))

    def message(self, text):
        self.messages.append(text)


def entrants():
    rule = rule_entrant("sign", parse("sign(g)"))
    return [rule._replace(learning_rate_multiple=2.0, rules_trained=7), entrant(OWN)]


@pytest.fixture(scope="module")
def finished(toy, tmp_path_factory):
    run = begin_comparison(entrants(), CONFIG, tmp_path_factory.mktemp("runs") / "whole")
    progress = Silent()
    document = resume_comparison(run.path, own=(OWN, *PROBLEMS), progress=progress)
    return run.path, document, progress


def timeless(value):
    """Returns a document without what depends on the clock."""
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items() if k not in CLOCK}
    return value


def test_progress_counts_problems(finished):
    assert finished[2].positions == [(1, 2), (2, 2)] and finished[2].unit == "problems"


def test_the_document_says_how_it_came_about(finished):
    document = finished[1]
    assert document["protocol"]["version"] == PROTOCOL_VERSION
    assert document["protocol"]["schedules"] in (["constant", "cosine"], ("constant", "cosine"))
    assert document["scores"]["sign"]["rules_trained"] == 7
    assert set(document["scores"]) == {"sign", OWN, "adam"}
    assert document["roles"] == {"toy": "own", "gentle": "own"}
    assert (
        document["language"]["chance"] == "one draw a step of each noise and of each rate of drop"
    )
    assert list(document["problems"]["toy"]) == ["sign", OWN]
    assert list(document["references"]["toy"]) == ["adam"]


def test_every_run_is_a_row(finished):
    with (finished[0] / "runs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    document = finished[1]
    for problem, compared in document["details"].items():
        for label, entry in compared["entries"].items():
            own = [r for r in rows if (r["problem"], r["optimizer"]) == (problem, label)]
            tuning = [r for r in own if r["stage"] == "tuning"]
            report = [r for r in own if r["stage"] == "report"]
            first, all_seeds = CONFIG.tuning_seeds // 2, CONFIG.tuning_seeds
            grid = len(compared["learning_rates"]) * 2 * first
            assert len(tuning) == grid + compared["finer_points"] * all_seeds
            losses = [float(r["loss"]) for r in report]
            np.testing.assert_allclose(losses, [float(x) for x in entry["final_losses"]], rtol=1e-6)
            assert not {r["seed"] for r in tuning} & {r["seed"] for r in report}
            assert {r["schedule"] for r in report} == {entry["schedule"]}


def test_curves_are_plain_arrays(finished):
    with np.load(finished[0] / "curves.npz", allow_pickle=False) as curves:
        assert curves["toy|adam"].shape == (CONFIG.seeds, len(curves["toy|steps"]))
        median = np.quantile(curves["toy|adam"], 0.5, axis=0, method="closest_observation")
    written = finished[1]["details"]["toy"]["entries"]["adam"]["curve"]["median"]
    np.testing.assert_allclose(median, written)


def test_a_page_and_tables_hold_everybody(finished):
    page = (finished[0] / "report.html").read_text(encoding="utf-8")
    for text in ("sign", OWN, "gentle", "Performance profiles", f"protocol {PROTOCOL_VERSION}"):
        assert text in page, text
    by_problem, scores = compared_tables(finished[1])
    assert [row["problem"] for row in by_problem.rows] == ["toy", "gentle"]
    assert len(scores.rows) == 3
    assert comparison_sentences(finished[1])[0].startswith("sign: over 2 problems ")


def test_a_rule_by_roles_is_told_from_the_same_by_shapes_wherever_numbers_stand(tmp_path):
    config = dataclasses.replace(
        CONFIG, problem=PROBLEMS[:1], horizons=(), tensor_functions=("shapes", "roles")
    )
    run = begin_comparison([entrant("ortho(g)")], config, tmp_path / "both")
    assert json.loads((run.path / "config.json").read_text())["compare"]["tensor_functions"] == [
        "shapes",
        "roles",
    ]
    document = resume_comparison(run.path, own=PROBLEMS, progress=Silent())
    assert list(document["problems"]["toy"]) == ["ortho(g)", "ortho(g) by roles"]
    assert set(document["scores"]) == {"ortho(g)", "ortho(g) by roles", "adam"}
    says = 'Rules "by roles": ortho, rownorm and colnorm act on what Muon and SOAP act on'
    assert any(note.startswith(says) for note in compared_tables(document)[1].notes)
    assert says in (run.path / "report.html").read_text(encoding="utf-8").replace("&quot;", '"')


def test_the_page_can_be_written_anew_from_the_result_alone(finished, tmp_path):
    written = (finished[0] / "report.html").read_text(encoding="utf-8")
    apart = shutil.ignore_patterns("report.html", "measurements", "*.csv", "*.npz")
    sent = shutil.copytree(finished[0], tmp_path / finished[0].name, ignore=apart)
    path = sent / "report.html"
    assert rewrite_comparison_report(sent) == path
    assert path.read_text(encoding="utf-8") == written


def test_there_is_no_page_before_there_is_a_result(tmp_path):
    run = begin_comparison([], CompareConfig(problem=("beale",)), tmp_path / "begun")
    with pytest.raises(InvalidInput, match="has no result yet; finish it by `metarl resume"):
        rewrite_comparison_report(run.path)


def test_a_finished_comparison_is_read_and_not_made_again(finished):
    written = (finished[0] / "result.json").read_bytes()
    again = resume_comparison(finished[0], progress=Silent())  # without leave to import anything
    assert again == json.loads(written)
    assert (finished[0] / "result.json").read_bytes() == written


def test_a_comparison_that_was_killed_goes_on_and_equals_one_that_was_not(
    finished, tmp_path, monkeypatch
):
    class Killed(Exception):
        pass

    class Killer(Silent):
        def report(self, position, total, text="", seconds_left=None):
            raise Killed

    run = begin_comparison(entrants(), CONFIG, tmp_path / "killed")
    with pytest.raises(Killed):
        resume_comparison(run.path, own=(OWN, *PROBLEMS), progress=Killer())
    kept = {path.name: path.stat().st_mtime_ns for path in (run.path / "measurements").iterdir()}
    assert list(kept) == ["toy.measured"]
    document = resume_comparison(run.path, own=(OWN, *PROBLEMS), progress=Silent())
    assert (run.path / "measurements" / "toy.measured").stat().st_mtime_ns == kept["toy.measured"]
    assert timeless(json.loads(json.dumps(document))) == timeless(
        json.loads(json.dumps(finished[1]))
    )


def test_the_result_of_an_older_protocol_is_still_read(finished, tmp_path):
    old = shutil.copytree(finished[0], tmp_path / finished[0].name)
    for name in ("config.json", "result.json"):
        text = (old / name).read_text(encoding="utf-8")
        older = text.replace(f'"protocol": {PROTOCOL_VERSION}', '"protocol": 2')
        older = older.replace(f'"version": {PROTOCOL_VERSION}', '"version": 2')
        assert older != text, name
        document = json.loads(older)
        for problem in document.get("details", {}).values():  # before version 5 nobody had these
            del problem["finer_points"]
            for entry in problem["entries"].values():
                del entry["choices"], entry["other_seeds"], entry["extra"]
        older = json.dumps(document)
        (old / name).write_text(older, encoding="utf-8")
    assert resume_comparison(old, progress=Silent())["protocol"]["version"] == 2
    assert "protocol 2" in rewrite_comparison_report(old).read_text(encoding="utf-8")


def test_resuming_runs_nobodys_code_without_being_told(tmp_path):
    run = begin_comparison(entrants(), CONFIG, tmp_path / "sent")
    module = sys.modules.pop("own_optimizers")
    try:
        with pytest.raises(InvalidInput) as refusal:
            resume_comparison(run.path, own=PROBLEMS, progress=Silent())
        assert "own_optimizers" not in sys.modules
    finally:
        sys.modules["own_optimizers"] = module
    assert str(refusal.value) == (
        f"Run {str(run.path)!r} compares {OWN}, which is code outside metarl. To have it imported: "
        f"metarl resume {run.path} --optimizer {OWN} --problem {' '.join(PROBLEMS)}"
    )


def test_an_interruption_says_how_to_go_on(tmp_path, monkeypatch):
    run = begin_comparison(entrants(), CONFIG, tmp_path / "interrupted")

    def interrupted(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(compare_job, "compare", interrupted)
    progress = Silent()
    with pytest.raises(KeyboardInterrupt):
        resume_comparison(run.path, own=(OWN, *PROBLEMS), progress=progress)
    assert progress.messages == [
        f"Interrupted. Go on with: metarl resume {run.path} --optimizer {OWN} --problem "
        f"{' '.join(PROBLEMS)}"
    ]


def test_a_run_of_the_protocol_that_measures_the_same_goes_on_and_is_of_today(finished, tmp_path):
    """Version 6 differs in what it says of speed-ups alone."""
    old = shutil.copytree(finished[0], tmp_path / finished[0].name)
    path = old / "config.json"
    path.write_text(path.read_text().replace(f'"protocol": {PROTOCOL_VERSION}', '"protocol": 6'))
    (old / "result.json").unlink()
    document = resume_comparison(old, own=(OWN, *PROBLEMS), progress=Silent())
    assert document["protocol"]["version"] == PROTOCOL_VERSION
    assert timeless(json.loads(json.dumps({**document, "run_dir": ""}))) == timeless(
        json.loads(json.dumps({**finished[1], "run_dir": ""}))
    )


def test_another_protocol_is_refused(tmp_path):
    run = begin_comparison([], CompareConfig(problem=("beale",)), tmp_path / "old")
    path = run.path / "config.json"
    path.write_text(path.read_text().replace(f'"protocol": {PROTOCOL_VERSION}', '"protocol": 1'))
    with pytest.raises(
        InvalidInput, match=f"version 1 of the protocol, this metarl {PROTOCOL_VERSION};"
    ):
        resume_comparison(run.path, progress=Silent())


def test_a_control_is_a_number_or_that_of_the_rules_of_a_search(tmp_path, monkeypatch, finished):
    assert [control_number(text) for text in (None, "12", "007")] == [None, "12", "7"]
    message = "it must be a number of settings from 1 to 100,000, or the directory of a search"
    for text in ("0", "-3", "1e3", "100001", str(tmp_path / "nowhere")):
        with pytest.raises(InvalidInput, match=message):
            control_number(text)
    with pytest.raises(
        InvalidInput, match="is a comparison, not a search; the control tries as many"
    ):
        control_number(str(finished[0]))
    search = RunDirectory.create(tmp_path / "searched", "search", {}, ["metarl"])
    with pytest.raises(InvalidInput, match="has no result yet; finish it by `metarl resume"):
        control_number(str(search.path))
    result = types.SimpleNamespace(rules_trained=1646)
    monkeypatch.setattr(compare_job.SearchResult, "read", lambda path: result)
    assert control_number(str(search.path)) == "1646"


def test_another_rule_language_is_refused(tmp_path):
    run = begin_comparison([], CompareConfig(problem=("beale",)), tmp_path / "old")
    stored = json.loads((run.path / "config.json").read_text())
    del stored["language"]
    (run.path / "config.json").write_text(json.dumps(stored))
    with pytest.raises(
        InvalidInput, match="is of version 1 of the rule language, this metarl has 2"
    ):
        resume_comparison(run.path, progress=Silent())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("own_optimizers:heavy_bal", "Did you mean 'heavy_ball'?"),
        ("own_optimizers:broken", "broken(learning_rate) raised RuntimeError: no such luck ("),
        ("own_optimizers:number", "number(learning_rate) gave float"),
        (
            "own_optimizers:three",
            "three(learning_rate) gave 3 things; it must give an optax.GradientTransformation, or",
        ),
        ("own_optimizers:ready", "is a transform already; name the function that makes it"),
        ("nowhere_at_all:factory", "cannot be imported"),
    ],
)
def test_an_optimizer_of_ones_own_that_cannot_be_used_is_refused(text, message):
    with pytest.raises(InvalidInput) as refusal:
        entrant(text)
    assert message in str(refusal.value)


def test_nothing_is_written_when_a_name_is_wrong(tmp_path):
    with pytest.raises(InvalidInput, match="Unknown standard optimizer 'lyon'"):
        begin_comparison([], CompareConfig(references=("lyon",)), tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_the_default_track_gives_everybody_one_rate_for_all_problems(toy, monkeypatch, tmp_path):
    from metarl.optimizer_search.comparing import default_rates as module

    monkeypatch.setattr(module.problem_suite, "suite", lambda name: PROBLEMS[1:])
    config = dataclasses.replace(
        CONFIG, problem=PROBLEMS[:1], track="default", schedules=("constant",), horizons=()
    )
    run = begin_comparison([*entrants()[:1], entrant("sgd")], config, tmp_path / "run")
    document = resume_comparison(run.path, own=PROBLEMS[:1], progress=Silent())
    found = document["details"]["toy"]
    assert found["on_edge"] == [] and found["learning_rates"] == [] and found["runs_spent"] == 0
    rates = {label: entry["learning_rate"] for label, entry in found["entries"].items()}
    assert rates == json.loads((run.path / "measurements" / "default_rates.json").read_text())
    assert rates["sign"] == 0.002  # its own multiple
    np.testing.assert_allclose(2 * np.log10(rates["sgd"]) % 1, 0, atol=1e-9)  # half-decades
    report = (run.path / "report.html").read_text()
    assert "Not tuned: one learning rate of each for all problems" in report
