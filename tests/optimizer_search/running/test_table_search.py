"""A search on a table: the same strategies on the same job, resumed as any, and told by message what it cannot be."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search import (
    SearchConfig,
    TrainingConfig,
    load_table,
    resume_table_search,
    search_table,
)
from metarl.optimizer_search.running import table_search
from metarl.optimizer_search.screening.probes import Probes
from metarl.optimizer_search.settings.config import FilterConfig, FinalistConfig, to_dict
from metarl.optimizer_search.tables import deal, table_files, truth
from metarl.runs import RunDirectory, SilentProgress

CONFIG = SearchConfig(
    problem=("quadratic", "wine-mlp"),
    strategy="evolution",
    space="sign",
    depth=1,
    budget=60,
    seed=5,
    table="sign-1",
    finalists=3,
)


class Stopping(SilentProgress):
    """Interrupts a search at its second generation."""

    def report(self, position, total, text="", seconds_left=None):
        if position > 20:
            raise KeyboardInterrupt


def searched(place, **values):
    return search_table(dataclasses.replace(CONFIG, **values), place, progress=SilentProgress())


def plain(document):
    return {name: x for name, x in document.items() if name not in ("run_dir", "seconds")}


def test_a_search_on_a_table_is_the_same_whether_it_was_interrupted_or_not(tmp_path, monkeypatch):
    document = searched(tmp_path / "whole")
    assert document["rules_trained"] == 60
    assert document["outside"] == 0
    assert (tmp_path / "whole" / "journal.jsonl").stat().st_size > 0
    monkeypatch.setenv("METARL_CHECKPOINT_SECONDS", "0")
    with pytest.raises(KeyboardInterrupt):
        search_table(CONFIG, tmp_path / "stopped", progress=Stopping())
    resumed = resume_table_search(tmp_path / "stopped", progress=SilentProgress())
    assert plain(resumed) == plain(document)
    assert resume_table_search(tmp_path / "stopped") == resumed


def test_the_truth_is_of_replicates_that_nobody_saw(tmp_path):
    document = searched(tmp_path / "run")
    dealt, table = document["replicates"], load_table("sign-1")
    seen = dealt["sweep"] + dealt["full"] + dealt["choice"]
    assert sorted(seen + dealt["truth"]) == list(range(table.replicates))
    assert (len(dealt["sweep"]), len(dealt["full"])) == (1, 4)
    worth = truth(table, ["quadratic", "wine-mlp"], seen)
    best = document["best"][0]
    assert best["true_score"] in worth
    assert best["true_rank"] == 1 + int((worth > best["true_score"]).sum())
    assert document["best_of_table"]["true_score"] == pytest.approx(worth.max())
    seeds = [judge.seeds for judge in table.judges if judge.name in ("quadratic", "wine-mlp")]
    hidden = {str(row[s]) for row in seeds for s in dealt["truth"] + dealt["choice"]}
    shown = [
        json.loads(line)["specification"]["seeds"]
        for line in (tmp_path / "run" / "journal.jsonl").read_text().splitlines()
        if isinstance(json.loads(line).get("specification"), dict)
    ]
    assert shown and not hidden & {str(seed) for row in shown for seed in row}


def test_the_seed_deals_the_replicates_out():
    table = load_table("sign-1")
    from metarl.optimizer_search.searching.programs import search_trial

    trial = search_trial(200, CONFIG)
    assert deal(table, trial, 1) == deal(table, trial, 1) != deal(table, trial, 2)


def test_no_rule_is_run_on_the_probes_but_the_functions_of_the_table(tmp_path, monkeypatch):
    table, counted = load_table("sign-1"), []
    outputs = Probes.outputs

    def counting(self, tokens):
        counted.append(len(tokens))
        return outputs(self, tokens)

    monkeypatch.setattr(Probes, "outputs", counting)
    searched(tmp_path / "run", strategy="random")
    assert sum(counted) <= len(table.tokens)


def test_a_table_is_searched_at_two_horizons_of_the_digits(tmp_path):
    training = TrainingConfig(horizons=(0.25, 1.0))
    values = {"problem": ("digits-mlp",), "training": training, "strategy": "random", "budget": 8}
    document = searched(tmp_path / "run", **values)
    assert document["judges"] == ["digits-mlp x0.25", "digits-mlp"]
    assert document["rules_trained"] == 8
    assert set(document["best"][0]["scores"]) == {"digits-mlp x0.25", "digits-mlp"}


def test_a_search_makes_its_job_once(tmp_path, monkeypatch):
    made, job = [], table_search._job

    def making(config):
        made.append(config)
        return job(config)

    monkeypatch.setattr(table_search, "_job", making)
    searched(tmp_path / "run", strategy="random", budget=5)
    assert len(made) == 1


def test_without_a_budget_the_table_is_the_budget(tmp_path):
    document = searched(tmp_path / "run", budget=None, strategy="enumeration", batch_size=25)
    assert document["rules_trained"] == 125
    rewards = [row["choice_score"] for row in document["best"]]
    assert rewards == sorted(rewards, reverse=True)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"table": "sgin-1"}, r"Unknown table 'sgin-1'\. Did you mean 'sign-1'\?"),
        ({"depth": 2}, "holds rules of space 'sign' at depth 1; the search is in 'sign' at depth 2"),
        ({"space": "deterministic"}, "the search is in 'deterministic' at depth 1. Add --space sign --depth 1"),
        ({"problem": ("digits-conv",)}, "Unknown judge of table 'sign-1' 'digits-conv'"),
        ({"budget": 126}, "holds 125 rules; a budget of 126 is more than there are. Give --budget 125"),
        ({"filters": FilterConfig(max_size=2)}, "Table 'sign-1' holds 5 rules of at most 2 nodes; a budget of 60 is"),
        ({"filters": FilterConfig(min_cosine=0.0)}, "filters with min_cosine 0.1; the search has 0.0"),
        ({"reward": "accuracy", "problem": ("wine-mlp",)}, "holds losses and no accuracies"),
        ({"training": TrainingConfig(steps=50)}, "has runs of 200 steps by judge 'quadratic'; the search asks for 50"),
        ({"training": TrainingConfig(schedule="cosine")}, "holds runs at constant learning rates; the search"),
        ({"training": TrainingConfig(seeds=15)}, "give at most --training.seeds 13"),
        ({"training": TrainingConfig(learning_rates=(0.02,))}, "0.02 is none of them"),
        ({"training": TrainingConfig(sweep_fraction=0.3)}, "not at 0.3"),
        ({"final": FinalistConfig(funnel=("digits-mlp",))}, "--final.funnel trains networks"),
        ({"init_from": "runs/other"}, "--init-from goes with a search that trains"),
    ],
)  # fmt: skip
def test_what_a_table_cannot_answer_is_refused_before_anything_is_written(tmp_path, values, words):
    with pytest.raises(InvalidInput, match=words):
        searched(tmp_path / "run", **values)
    assert not (tmp_path / "run").exists()


def test_rules_that_are_too_large_for_a_table_earn_the_floor_and_are_counted(tmp_path, monkeypatch):
    from metarl.optimizer_search import TableConfig, begin_table, resume_table

    small = TableConfig("sign", 1, max_size=1, judges=("toy_problem:logistic",), replicates=4)
    run = begin_table(small, tmp_path / "table")
    resume_table(run.path, progress=SilentProgress())
    said = []
    progress = SilentProgress()
    progress.message = said.append  # type: ignore[method-assign]
    table = load_table(tmp_path / "table")
    (tmp_path / "data").mkdir()
    (tmp_path / "table" / "table").rename(tmp_path / "data" / "sign-1-size-1")
    monkeypatch.setattr(table_files, "_DATA", tmp_path / "data")
    config = dataclasses.replace(
        CONFIG,
        table="sign-1",
        problem=("toy_problem:logistic",),
        strategy="random",
        training=TrainingConfig(seeds=1),
        budget=len(table.tokens),
        batch_size=128,
    )
    document = search_table(config, tmp_path / "run", progress=progress)
    assert 0 < document["outside"] <= document["failed"]
    assert any(
        f"{document['outside']} rules that pass the filters are not in the table" in x for x in said
    )
    assert np.isfinite([row["true_score"] for row in document["best"]]).all()
    assert said[0] == (
        f"sign-1: up to size 1, {len(table.tokens)} rules. Larger ones that pass the filters earn the floor; "
        "--filters.max-size filters them."
    )
    assert any("it ends at 1 node) and earned the floor" in x for x in said)
    said.clear()
    bounded = dataclasses.replace(config, filters=FilterConfig(max_size=1))
    found = search_table(bounded, tmp_path / "bounded", progress=progress)
    assert (found["outside"], found["rules_trained"]) == (0, len(table.tokens))
    assert said[0].endswith(f"{len(table.tokens)} rules. Rules of more than 1 node are filtered.")
    assert not any("earned the floor" in x for x in said)
    with pytest.raises(InvalidInput) as told:
        search_table(
            dataclasses.replace(config, filters=FilterConfig(max_size=2)), progress=progress
        )
    assert str(told.value) == (
        "Table 'sign-1-size-1' ends at rules of 1 node; --filters.max-size 2 lets larger ones pass. Give "
        "--filters.max-size 1 or less, or leave it out: then larger rules earn the floor."
    )
    assert json.loads((tmp_path / "run" / "config.json").read_text())["table"] == "sign-1-size-1"


OWN = """
from metarl.optimizer_search import strategies

def failing(grammar, config):
    random = strategies.make("random", grammar, config)
    def ask(key, state, count):
        raise KeyError("beam")
    return random._replace(ask=ask)

def unlearning(grammar, config):
    random = strategies.make("random", grammar, config)
    return random._replace(tell=lambda key, state, proposals, feedback: state)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Two strategies of a user's: one fails as it is asked, the other once it has been told of rewards."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "own_beam.py").write_text(OWN, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)


def test_a_strategy_that_fails_as_it_is_asked_leaves_no_run(own, tmp_path):
    with pytest.raises(InvalidInput, match="'own_beam:failing': ask raised KeyError"):
        searched(tmp_path / "run", strategy="own_beam:failing")
    assert not (tmp_path / "run").exists()


def test_a_strategy_that_fails_later_leaves_what_was_judged_and_is_gone_on_with(own, tmp_path):
    with pytest.raises(InvalidInput, match="'own_beam:unlearning': tell must return a pair"):
        searched(tmp_path / "run", strategy="own_beam:unlearning")
    judged = (tmp_path / "run" / "journal.jsonl").read_bytes()
    with pytest.raises(InvalidInput, match="tell must return a pair"):
        resume_table_search(tmp_path / "run", progress=SilentProgress())
    assert (tmp_path / "run" / "journal.jsonl").read_bytes() == judged


def test_a_resumed_search_that_is_refused_is_kept_though_nothing_was_judged(own, tmp_path):
    config = dataclasses.replace(CONFIG, strategy="own_beam:failing", budget=60)
    run = RunDirectory.create(tmp_path / "run", table_search.JOB, to_dict(config), ["metarl"])
    with pytest.raises(InvalidInput, match="ask raised KeyError"):
        resume_table_search(run.path, progress=SilentProgress())
    assert RunDirectory.open(run.path).config["strategy"] == "own_beam:failing"
