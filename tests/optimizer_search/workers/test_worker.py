"""A worker in this process: what it learns is what was meant, and fingerprints tell what differs."""

from __future__ import annotations

import dataclasses
import json

import jax
import numpy as np
import pytest

from metarl import problems
from metarl.optimizer_search.journal.specification import digest, specification
from metarl.optimizer_search.judging.candidates import Candidates, Trial, make_judgement
from metarl.optimizer_search.judging.evaluators import LocalEvaluator
from metarl.optimizer_search.workers import surroundings
from metarl.optimizer_search.workers.surroundings import (
    differences,
    process_fingerprint,
    settings_for_workers,
)
from metarl.optimizer_search.workers.worker import Worker, by_name, loaded
from metarl.update_rules import Grammar, Space

SPACE = Space("few", ("g", "noise"), ("x", "-x"), ("*", "+"), "with draws, quick to compile")
GRAMMAR = Grammar(SPACE, depth=1)
TRIAL = Trial(sweep_steps=1, full_steps=2, sweep_replicates=1, full_replicates=1, num_rates=2)
WIDTH = 3


@pytest.fixture(scope="module")
def judgement(toy):
    return make_judgement(toy, GRAMMAR, TRIAL, "search", [1, 2])


@pytest.fixture(scope="module")
def taught(judgement):
    """A worker that knows the judgement, and under which name."""
    worker, specified = Worker(), digest(specification(judgement, WIDTH))
    assert worker.learn(specified, judgement.recipe, WIDTH) is None
    return worker, specified


def test_a_worker_gives_the_verdicts_of_a_thread_without_the_padding(judgement, taught):
    worker, specified = taught
    tokens = GRAMMAR.sample(np.random.default_rng(0), WIDTH)
    rates = np.full((WIDTH, 2), 0.1, np.float32)
    evaluator = LocalEvaluator({"toy": judgement}, WIDTH)
    expected = evaluator.evaluate(tokens[:2], rates[:2])["toy"]
    evaluator.close()
    chunk = Candidates(tokens.astype(np.int32), rates, np.array([True, True, False]))
    found = worker.judge(specified, tuple(chunk))
    for ours, theirs in zip(found, expected, strict=True):
        assert isinstance(ours, np.ndarray) and ours.tobytes() == theirs.tobytes()


def test_a_problem_that_is_another_one_here_is_not_learnt(judgement, toy):
    specified = digest(specification(judgement, WIDTH))
    evaluate = toy.evaluate

    def twice(params, state, batch):
        found = evaluate(params, state, batch)
        return {**found, "loss": 2.0 * found["loss"]}

    for change in ({"batch_size": 4}, {"evaluate": twice}):
        other = judgement.recipe._replace(problem=dataclasses.replace(toy, **change))
        wrong = Worker().learn(specified, other, WIDTH)
        assert wrong is not None and "comes out as another one" in wrong
    assert Worker().learn(specified, judgement.recipe, WIDTH + 1) is not None


def test_problems_of_metarl_travel_by_name_and_others_as_they_are(judgement):
    known = judgement.recipe._replace(problem=problems.load("quadratic"))
    assert by_name(known).problem == "quadratic" and loaded(by_name(known)) == known
    assert by_name(judgement.recipe) is judgement.recipe is loaded(judgement.recipe)
    changed = dataclasses.replace(problems.load("quadratic"), steps=7)
    assert by_name(known._replace(problem=changed)).problem is changed


def test_a_name_that_only_the_other_side_knows_is_said(judgement):
    wrong = Worker().learn("x", judgement.recipe._replace(problem="of-mine"), WIDTH)
    assert wrong is not None and wrong.startswith("Unknown problem 'of-mine'")


def test_a_judgement_can_be_forgotten(judgement):
    worker, specified = Worker(), digest(specification(judgement, WIDTH))
    assert worker.learn(specified, judgement.recipe, WIDTH) is None
    worker.forget(specified)
    worker.forget(specified)
    with pytest.raises(KeyError):
        worker.judge(specified, ())


def test_a_fingerprint_names_all_that_decides_bits_and_equals_itself():
    ours = process_fingerprint()
    assert differences(ours, Worker().fingerprint()) == []
    assert {"python", "jax", "jaxlib", "numpy", "metarl", "sources of metarl"} <= set(ours)
    assert {"processor", "device", "threads", "matmul precision"} <= set(ours)
    assert all(isinstance(value, str) for value in ours.values())


def test_every_difference_is_said_in_words():
    ours = {"jax": "0.10.2", "threads": "2", "device": "cpu"}
    assert differences(ours, {**ours, "jax": "0.10.1", "threads": "4"}) == [
        "jax is 0.10.1, not 0.10.2",
        "threads is 4, not 2",
    ]
    assert differences(ours, {"jax": "0.10.2", "threads": "2"}) == ["device is unknown, not cpu"]
    assert differences({}, {"new": "x"}) == ["new is x, not unknown"]


def test_what_a_worker_takes_over_is_plain_and_complete(monkeypatch):
    monkeypatch.setenv("METARL_DATA_DIR", "/data")
    settings = settings_for_workers()
    assert json.loads(json.dumps(settings)) == settings
    assert settings["environment"]["METARL_DATA_DIR"] == "/data"
    assert int(settings["environment"]["NPROC"]) >= len(jax.devices("cpu"))
    taken = {}
    monkeypatch.setattr(jax.config, "update", lambda name, value: taken.update({name: value}))
    monkeypatch.setattr(surroundings.os, "environ", environment := {})
    surroundings.take_over({**settings, "path": []})
    assert environment == settings["environment"] and taken["jax_num_cpu_devices"] == 1
    assert taken["jax_numpy_rank_promotion"] == "raise"
