"""A whole search by its smoke preset, from the command line, in processes of their own."""

from __future__ import annotations

import importlib.util
import inspect
import json

import jax.numpy as jnp
import numpy as np
import optax
import pytest

pytestmark = pytest.mark.extras


@pytest.fixture(scope="module")
def document(terminal):
    return terminal.document("search", "--preset", "smoke", "--run-dir", "run")


def test_the_document_has_the_promised_shape(document):
    assert set(document) >= {
        *("run_dir", "rules_sampled", "rules_trained", "duplicates", "filtered", "failed"),
        *("seconds", "rules_per_second", "best", "finalists"),
    }
    assert document["rules_trained"] == 48
    texts = [entry["rule"] for entry in document["best"]]
    scores = [entry["choice_score"] for entry in document["best"]]
    assert len(scores) > 1 and np.all(
        np.isfinite(scores)
    )  # fresh seeds report: their order may differ
    for entries in document["finalists"]["problems"].values():
        assert list(entries) == texts
    assert set(document["finalists"]["problems"]) == {"digits-mlp", "phase-retrieval"}


def test_the_run_directory_holds_everything_and_the_report_asks_for_nothing(document, terminal):
    run = terminal.place / document["run_dir"]
    names = {path.name for path in run.iterdir()}
    assert names >= {"config.json", "provenance.json", "metrics.jsonl", "result.json"}
    assert names >= {"comparison.json", "finalists.csv", "learning_rates.csv", "report.html"}
    page = (run / "report.html").read_text(encoding="utf-8")
    assert document["best"][0]["rule"].split()[0] in page
    assert "<script src" not in page and "<link" not in page


def test_resuming_a_finished_run_prints_its_result(document, terminal):
    again = terminal.document("resume", "run")
    assert again["best"] == document["best"] and again["finalists"] == document["finalists"]


def test_the_winner_can_be_taken_home_and_takes_a_step(document, terminal):
    done = terminal.run("export", "run", "--to", "optax", "-o", "found.py")
    assert done.returncode == 0, done.stderr
    specification = importlib.util.spec_from_file_location("found", terminal.place / "found.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    constructors = [
        value
        for name, value in vars(module).items()
        if inspect.isfunction(value) and not name.startswith("_") and value.__module__ == "found"
    ]
    assert len(constructors) == 1
    settings = {"total_steps": 10} if "total_steps" in constructors[0].__code__.co_varnames else {}
    optimizer = constructors[0](learning_rate=0.1, **settings)
    params = jnp.array([1.0, -2.0, 3.0])
    updates, _ = optimizer.update(params, optimizer.init(params), params)
    assert np.isfinite(np.asarray(optax.apply_updates(params, updates))).all()


def test_an_interrupted_search_ends_cleanly_and_its_resumption_equals_the_whole(document, terminal):
    terminal.interrupt("search", "--preset", "smoke", run_dir="cut")
    again = terminal.document("resume", "cut")
    assert again["best"] == document["best"]
    assert again["rules_sampled"] == document["rules_sampled"]
    ours, theirs = (
        _without_clock(terminal.place / name / "metrics.jsonl") for name in ("cut", "run")
    )
    assert ours == theirs


def _without_clock(path) -> list[dict]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]
