"""The funnel: every stage ranks what the one before left, counts it, and gives the same bits again."""

from __future__ import annotations

import csv
import dataclasses
import json

import numpy as np
import pytest

from metarl.optimizer_search.judging.evaluators import local_evaluator
from metarl.optimizer_search.judging.panel import sweeping_trial
from metarl.optimizer_search.judging.rewards import FLOOR
from metarl.optimizer_search.reports.selection_report import (
    beside_rival,
    ranked_by,
    selection_charts,
    selection_lines,
    selection_sections,
)
from metarl.optimizer_search.running.pipeline import comparison_config
from metarl.optimizer_search.searching.search_job import SearchJob
from metarl.optimizer_search.selecting.choice import Choice, choose
from metarl.optimizer_search.selecting.funnel import Funnel, _joint_score
from metarl.optimizer_search.selecting.meta_overfitting import META_OVERFITTING, write_points
from metarl.optimizer_search.selecting.simplification import _panel
from metarl.optimizer_search.settings.config import (
    ControllerConfig,
    FinalistConfig,
    SearchConfig,
    TrainingConfig,
)
from metarl.reporting import html_page, to_json
from metarl.statistics import rank_correlation

CONFIG = SearchConfig(
    problem=("toy_problem:logistic",),
    strategy="random",
    space="sign",
    depth=1,
    budget=16,
    batch_size=6,
    seed=2,
    controller=ControllerConfig(hidden=8, embedding=4, epochs=1),
    training=TrainingConfig(steps=6, learning_rates=(0.1, 1.0), seeds=2, horizons=(1.0, 2.0)),
    final=FinalistConfig(
        candidates=6,
        choice_seeds=4,
        funnel=("toy_problem:without_metric",),
        funnel_horizons=(2.0,),
        funnel_rules=4,
        funnel_seeds=3,
        simplify=0.1,
        meta_overfitting=("toy_problem:without_metric",),
    ),
)


def test_every_stage_judges_under_the_schedule_of_the_search():
    """The search, its short runs, and Adam's; the choice in all its rounds; larger problems; the comparison."""
    training = dataclasses.replace(CONFIG.training, schedule="linear")
    config = dataclasses.replace(CONFIG, racing=True, training=training)
    job = SearchJob(config)
    funnel = Funnel(job.grammar, job.problems, config)
    assert funnel._larger is not None
    panels = funnel._choice._judgements, funnel._larger._judgements, job.programs.judgements
    found = {name: one.recipe.trial for panel in panels for name, one in panel.items()}
    assert len(found) > 10 and {trial.schedule for trial in found.values()} == {"linear"}
    rules = [job.grammar.to_rule(row) for row in job.grammar.sample(np.random.default_rng(0), 2)]
    simplifying = _panel(rules, job.grammar, funnel._choice.judges, config, local_evaluator)
    assert simplifying._trial_of(4).schedule == sweeping_trial(4, 1, config).schedule == "linear"
    assert comparison_config(config).schedules == ("linear",)
    final = dataclasses.replace(config.final, schedules=("cosine",))
    assert comparison_config(dataclasses.replace(config, final=final)).schedules == ("cosine",)
    assert comparison_config(CONFIG).schedules == ("constant",)


@pytest.fixture(scope="module")
def searched(toy):
    """A search that is over: job and state."""
    job = SearchJob(CONFIG)
    state = job.init()
    while not job.finished(state):
        state, _ = job.update(state)
    job.close()
    return job, state


@pytest.fixture(scope="module")
def selected(searched):
    job, state = searched
    funnel, told = Funnel(job.grammar, job.problems, CONFIG), []
    best, document = funnel.select(state, 3, told.append)
    document["meta_overfitting"] = funnel.look_again(state)
    funnel.close()
    return best, document, told


def test_every_stage_says_how_many_rules_it_ranked_and_by_whom(selected):
    _, document, told = selected
    stages = {stage["name"]: stage for stage in document["stages"]}
    assert list(stages) == ["search", "choice", "larger problems", "simplification"]
    assert stages["search"]["rules"] == CONFIG.budget
    assert 3 <= stages["choice"]["rules"] <= CONFIG.final.candidates
    assert stages["larger problems"]["rules"] == min(4, stages["choice"]["rules"])
    assert stages["search"]["judged_by"] == ["toy", "toy x2"] == stages["choice"]["judged_by"]
    assert stages["larger problems"]["judged_by"] == ["without-metric x2"]
    assert stages["simplification"]["rules"] == sum(e["tried"] for e in document["simplification"])
    assert any("without-metric x2" in line for line in told)


def test_the_larger_problems_rank_the_first_of_the_choice(selected, searched):
    job, state = searched
    _, document, _ = selected
    choice, larger = (stage["ranking"] for stage in document["stages"][1:3])
    left = [row for row in choice if row["seeds"] == 4][: CONFIG.final.funnel_rules]
    assert left == choice[: len(left)] and len(left) >= len(larger)
    assert [row["score"] for row in larger] == sorted((r["score"] for r in larger), reverse=True)
    assert {row["rule"] for row in larger} == {row["rule"] for row in choice[: len(larger)]}
    before = {row["rule"]: row["score"] for row in choice}
    assert all(row["score_before"] == before[row["rule"]] for row in larger)
    assert [c.rule for c in choose(state.archive, job.grammar, job.problems, CONFIG)] == list(
        before
    )


def test_the_score_of_a_stage_is_the_mean_over_its_judges(selected):
    _, document, _ = selected
    for row in document["stages"][1]["ranking"]:
        assert list(row["by_judge"]) == ["toy", "toy x2"]
        assert row["score"] == pytest.approx(np.mean(list(row["by_judge"].values())), abs=1e-5)


def test_the_agreement_of_two_stages_is_a_rank_correlation(selected):
    for stage in selected[1]["stages"][1:3]:
        score = "first_score" if stage["name"] == "choice" else "score"
        pairs = [(row["score_before"], row[score]) for row in stage["ranking"]]
        before, after = zip(*pairs, strict=True)
        expected = rank_correlation(before, after)
        assert stage["rank_correlation"] == expected._asdict()


def test_finalists_are_distinct_simplified_and_in_the_order_of_the_larger_problems(selected):
    best, document, _ = selected
    assert 1 <= len(best) <= 3 and len({choice.rule for choice in best}) == len(best)
    scores = [choice.larger_score for choice in best]
    assert scores == sorted(scores, reverse=True)
    entries = {entry["rule"]: entry["simplified"] for entry in document["simplification"]}
    for choice in best:
        found = choice.simplified_from or choice.rule
        assert entries[found] == choice.rule
        assert choice.larger_scores == {"without-metric x2": choice.larger_score}


@pytest.mark.parametrize(
    ("order", "of"),
    [pytest.param("mean", np.mean, marks=pytest.mark.slow), ("worst", np.min)],
)
def test_a_winner_may_be_ranked_by_all_problems_together(order, of, selected, searched):
    """The scores are those of the order by further problems alone; only what is made of them differs."""
    job, state = searched
    final = dataclasses.replace(
        CONFIG.final, funnel_order=order, simplify=None, meta_overfitting=()
    )
    config = dataclasses.replace(CONFIG, final=final)
    funnel = Funnel(job.grammar, job.problems, config)
    funnel.prepare()
    best, document = funnel.select(state, 4)
    funnel.close()
    stage, alone = document["stages"][2], selected[1]["stages"][2]
    assert (stage["order"], alone["order"]) == (order, "alone")
    scores = {row["rule"]: row["by_judge"] for row in alone["ranking"]}
    assert {row["rule"]: row["by_judge"] for row in stage["ranking"]} == scores
    joint = [row["joint_score"] for row in stage["ranking"]]
    assert joint == sorted(joint, reverse=True) and len(set(joint)) > 2
    for choice, row in zip(best, stage["ranking"], strict=True):
        every = [*choice.scores.values(), *choice.larger_scores.values()]
        assert len(every) == 3 and choice.rule == row["rule"]
        assert choice.joint_score == row["joint_score"] == pytest.approx(of(every), abs=1e-6)
    name = {"mean": "mean score", "worst": "lowest score"}[order]
    by = f"by the {name} on choice data of toy, toy x2, without-metric x2"
    assert ranked_by(json.loads(to_json(document)), best[0]) == by
    assert f"; {name} {joint[1]:+.3f}, the winner's {joint[0]:+.3f}" in beside_rival(
        document, *best[:2]
    )


def test_under_the_mean_a_judge_counts_at_most_its_cap_and_divergence_is_the_floor():
    scores = Choice("g", 0.1, 0.2, 0.1, {"a": 0.2}, larger_score=0.6, larger_scores={"b": 0.8})
    diverged = scores._replace(larger_scores={"b": FLOOR})
    final = FinalistConfig(funnel=("b",), funnel_order="mean")
    plain = SearchConfig(final=final)
    capped = SearchConfig(final=final, training=TrainingConfig(judge_cap=0.3))
    worst = SearchConfig(final=dataclasses.replace(final, funnel_order="worst"))
    assert _joint_score(scores, plain) == pytest.approx(0.5)
    assert _joint_score(scores, capped) == pytest.approx(0.25)
    assert _joint_score(scores, worst) == 0.2
    assert {_joint_score(diverged, config) for config in (plain, capped, worst)} == {FLOOR}


def test_the_leaders_are_judged_again_elsewhere(selected, searched, tmp_path):
    _, state = searched
    found = selected[1]["meta_overfitting"]
    records = state.records.spaced(16)
    assert [p["rules_trained"] for p in found["points"]] == [int(r.trained) for r in records]
    assert [p["search_score"] for p in found["points"]] == [float(r.reward) for r in records]
    assert found["problems"] == ["without-metric"]
    for point in found["points"]:
        for name in ("choice", "other_problems"):
            assert point[name]["low"] <= point[name]["mean"] <= point[name]["high"]
    search = [p["search_score"] for p in found["points"]]
    choice = [p["choice"]["mean"] for p in found["points"]]
    assert found["rank_correlation"]["choice"]["estimate"] == pytest.approx(
        rank_correlation(search, choice).estimate
    )
    write_points(found, tmp_path)
    with (tmp_path / META_OVERFITTING).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["choice_mean"]) for row in rows] == pytest.approx(choice)
    assert {"rule", "search_score", "other_problems_low"} <= set(rows[0])


@pytest.mark.slow  # the quick form: a search that was killed selects as one that was not, in test_pipeline
def test_selecting_again_gives_the_same_document(selected, searched):
    job, state = searched
    funnel = Funnel(job.grammar, job.problems, CONFIG)
    best, document = funnel.select(job.load(*job.save(state)), 3)
    document["meta_overfitting"] = funnel.look_again(state)
    funnel.close()
    assert best == selected[0] and to_json(document) == to_json(selected[1])


def test_without_the_options_there_are_two_stages_and_no_rule_is_changed(searched):
    job, state = searched
    plain = dataclasses.replace(
        CONFIG, final=FinalistConfig(candidates=6, choice_seeds=4, held_out=())
    )
    funnel = Funnel(job.grammar, job.problems, plain)
    best, document = funnel.select(state, 2)
    funnel.close()
    assert [stage["name"] for stage in document["stages"]] == ["search", "choice"]
    assert document["simplification"] == []
    assert best == choose(state.archive, job.grammar, job.problems, plain)[:2]


def test_a_search_that_found_nothing_selects_nothing(toy):
    job = SearchJob(CONFIG)
    funnel = Funnel(job.grammar, job.problems, CONFIG)
    best, document = funnel.select(job.init(), 3)
    assert best == [] and [s["rules"] for s in document["stages"]] == [0, 0]
    assert funnel.look_again(job.init())["points"] == []
    assert selection_charts({"meta_overfitting": funnel.look_again(job.init())}) == []
    funnel.close()


def test_terminal_and_page_say_what_the_document_says(selected):
    best, document, _ = selected
    stored = json.loads(to_json(document))
    text = "\n".join(selection_lines(stored, best[0]))
    assert f"{CONFIG.budget} trained by the search" in text
    assert "ranked on further problems" in text and "rank correlation" in text
    assert ranked_by(stored, best[0]) == "on choice data of without-metric x2"
    assert "The winner's choice score: toy " in text
    page = html_page("Selection", selection_sections(stored))
    assert "How the finalists were chosen" in page and "without-metric x2" in page
    assert "simpler rules judged" in page
    assert [chart.name for chart in selection_charts(stored)] == ["meta-overfitting"]


def test_a_result_from_before_there_was_a_funnel_says_nothing():
    assert selection_lines({}, None) == selection_sections({}) == selection_charts({}) == []
