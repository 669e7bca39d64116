"""True score against compute: who led a search and when, that nobody is measured twice, and what a doubling gains."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search.reproduction import Work, strategies
from metarl.optimizer_search.reproduction.by_compute import by_compute, compute_rows, gain_rows
from metarl.optimizer_search.reproduction.fresh import FreshJudges, fresh_panel
from metarl.optimizer_search.reproduction.strategies import Rival, Settings
from metarl.optimizer_search.searching.search_job import SearchJob
from metarl.optimizer_search.settings.config import (
    EvolutionConfig,
    FinalistConfig,
    SearchConfig,
    TrainingConfig,
)
from metarl.runs import RunDirectory, SilentProgress

RANDOM = Rival("random", "random", batch_size=16, racing=False)
BRED = Rival(
    "bred",
    "evolution",
    batch_size=4,
    racing=False,
    evolution=EvolutionConfig(population=4, sample=2),
)
SETTINGS = Settings(
    SearchConfig(
        problem=("quadratic",),
        depth=1,
        budget=12,
        training=TrainingConfig(steps=4, seeds=1),
        final=FinalistConfig(candidates=1, choice_seeds=2),
    ),
    (RANDOM, BRED),
    seeds=1,
    tuning_seeds=1,
    report_seeds=3,
    positions=(1, 5, 12),
)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A small experiment that has been to its end."""
    place = tmp_path_factory.mktemp("small")
    made = Work(
        SETTINGS,
        RunDirectory.create(place / "run", "reproduce", {}, ["metarl"]),
        place,
        0,
        SilentProgress(),
    )
    strategies.compare_strategies(made)
    return made


@pytest.fixture
def measured(monkeypatch):
    """The rates that rules come with which are measured from now on."""
    asked, less_adams = [], FreshJudges.less_adams

    def counted(self, tokens, rates=None):
        asked.append(rates)
        return less_adams(self, tokens, rates)

    monkeypatch.setattr(FreshJudges, "less_adams", counted)
    return asked


def leaders_by_hand(rival):
    """Returns who is the archive's best after each generation of a search, with the rules trained by then."""
    job = SearchJob(rival.config(SETTINGS, 1).validate())
    state, led = job.init(), []
    while not job.finished(state):
        state, _ = job.update(state)
        led += [(state.counts.trained, best) for best in state.archive.best(1)]
    job.close()
    return led


@pytest.mark.parametrize("rival", [RANDOM, BRED], ids=lambda rival: rival.name)
def test_at_a_position_leads_who_was_best_when_the_last_generation_before_it_ended(work, rival):
    told = strategies.compare_strategies(work).numbers["leaders"][rival.name]
    led, job = leaders_by_hand(rival), SearchJob(rival.config(SETTINGS, 1).validate())
    references = job.programs.references
    panel = fresh_panel(job, job.problems, (1.0,), 1, 3)
    fresh = FreshJudges(panel, lambda name: references[name].learning_rate)
    assert len(led) > 1 if rival is BRED else led
    for place, position in enumerate(SETTINGS.positions):
        before = [best for trained, best in led if trained <= position]
        if not before:
            assert told["rules"][0][place] == "" and told["true_scores"][0][place] is None
            continue
        rule = str(job.grammar.to_rule(before[-1].tokens).canonical())
        score = fresh.less_adams(before[-1].tokens, before[-1].learning_rates).replicates[0]
        assert told["rules"][0][place] == rule
        assert told["true_scores"][0][place] == pytest.approx(score.mean())
    rising = [
        trained
        for (trained, best), (_, before) in zip(led[1:], led, strict=False)
        if best.reward > before.reward
    ]
    assert told["since"] == [[led[0][0], *rising]]
    panel.close()
    job.close()


def test_nobody_is_measured_twice_and_positions_may_be_added(work, measured):
    parts = work.run.path / "parts"
    kept = {path.name: path.stat().st_mtime_ns for path in parts.iterdir()}
    first = strategies.compare_strategies(work).numbers
    assert measured == []
    (gone,) = [path for path in parts.glob("leader-seed-1-*")][:1]
    gone.unlink()
    assert strategies.compare_strategies(work).numbers == first
    assert len(measured) == 1 and measured[0].shape == (1,)  # one judge, tuned about its rate
    more = dataclasses.replace(SETTINGS, positions=tuple(range(1, 13)))
    numbers = strategies.compare_strategies(dataclasses.replace(work, settings=more)).numbers
    everybody = {rule for rules in numbers["leaders"].values() for rule in rules["rules"][0]}
    assert len(list(parts.glob("leader-seed-1-*"))) == len(everybody - {""})
    now = {path.name: path.stat().st_mtime_ns for path in parts.iterdir()}
    assert {name: now[name] for name in kept if name != gone.name} == {
        name: time for name, time in kept.items() if name != gone.name
    }


def test_without_positions_nothing_is_said_of_compute(work, measured):
    without = dataclasses.replace(work, settings=dataclasses.replace(SETTINGS, positions=()))
    found = strategies.compare_strategies(without)
    assert measured == [] and set(found.tables) == {"strategies"}
    assert {chart.name for chart in found.charts} == {"rules", "steps"}
    assert set(found.numbers) == {"first", "further"}


@pytest.mark.parametrize("positions", [(8, 4), (4, 4), (4, 13)])
def test_positions_that_do_not_rise_to_the_budget_are_refused(positions):
    with pytest.raises(InvalidInput, match="budget of 12, not " + ", ".join(map(str, positions))):
        dataclasses.replace(SETTINGS, positions=positions)


def searched(scores):
    """Returns the log of a search whose leader is worth so much at 8, 16 and 32 rules, the same on all fresh seeds."""
    return {
        "trained": np.array([8.0, 16.0, 24.0, 32.0]),
        "steps": np.array([80.0, 160.0, 240.0, 320.0]),
        "seconds": np.array([6.0, 12.0, 18.0, 60.0]),
        "led_scores": np.repeat(np.asarray(scores, float)[:, None], 8, axis=1),
        "led_rules": np.array(["g"] * len(scores)),
        "led_since": np.array([8]),
    }


def test_a_doubling_gains_the_slope_of_each_search_and_leads_are_paired_by_seed():
    luck = np.linspace(-1.0, 1.0, 8)  # of the seed, which drops out of the lead
    runs = {
        "random": [searched([x, x + 0.1, x + 0.2]) for x in luck],
        "ours": [searched([x + 0.5, x + 0.5, x + 0.5]) for x in luck],
    }
    random, ours = gain_rows(runs, (8, 16, 32))
    assert (random["first"], random["last"], random["lead"]) == (8, 32, None)
    assert random["gain"].mean == pytest.approx(0.1) and ours["gain"][:2] == (0.0, 0.0)
    assert ours["lead"].mean == pytest.approx(0.3)
    assert ours["lead_gain"].mean == pytest.approx(-0.1) and ours["lead_gain"].high < -0.099
    found = by_compute(runs, (8, 16, 32))
    assert "in the end, shrinks: -0.100" in found.claims[1]
    rows = {(row["strategy"], row["rules"]): row for row in compute_rows(runs, (8, 16, 31))}
    assert rows["ours", 16]["difference"].mean == pytest.approx(0.4)
    assert (rows["ours", 31]["minutes"], rows["ours", 31]["steps"]) == (0.3, 240.0)
    assert rows["random", 8]["better"] == 4 and rows["ours", 8]["better"] == 6
    runs["ours"][0] = searched([-1.0, 0.0, -5.0])  # one that diverges in the end
    one = gain_rows(runs, (8, 16, 32))[1]
    assert one["lead_gain"].mean < -0.3 and one["lead_gain_iqm"].estimate == pytest.approx(-0.1)


def test_where_a_search_has_no_leader_yet_its_rival_has_no_row_and_nobody_is_fitted():
    late = [searched([np.nan, x, x + 1.0]) for x in np.linspace(0.0, 1.0, 8)]
    runs = {"random": late, "ours": [searched([0.0, 3.0, 5.0])] * 8}
    found = by_compute(runs, (8, 16, 32))
    shown = [(row["strategy"], row["rules"]) for row in found.tables["compute"].rows]
    assert shown == [("random", 16), ("random", 32), ("ours", 8), ("ours", 16), ("ours", 32)]
    assert found.tables["compute"].rows[2]["difference"] is None
    assert [(row["first"], row["gain"].mean) for row in found.numbers["gains"]] == [
        (16, 1.0),
        (16, 2.0),
    ]
    assert found.numbers["leaders"]["random"]["true_scores"][0] == [None, 0.0, 1.0]
    nobody = by_compute({"random": [searched([np.nan])] * 8}, (8,))
    assert nobody.charts == [] and nobody.claims == [] and set(nobody.tables) == {"compute"}


def test_rivals_are_held_beside_each_other_seed_by_seed():
    luck = np.linspace(-1.0, 1.0, 8)  # of the seed, which drops out
    rows = [
        {"strategy": name, "choice_scores": luck + gain, "fresh_scores": luck - gain}
        for name, gain in (("random", 0.0), ("one", 0.3), ("two", 0.1), ("three", 0.1))
    ]
    table = strategies._pair_table(rows, range(1, 9))
    assert [(row["strategy"], row["less"]) for row in table.rows] == [
        ("one", "two"),
        ("one", "three"),
        ("two", "three"),
    ]
    first = table.rows[0]
    assert first["choice_difference"].mean == pytest.approx(0.2)
    assert first["fresh_difference"].mean == pytest.approx(-0.2)
    assert first["choice_difference"].high < 0.2001
    one_seed = [{**row, "choice_scores": luck[:1], "fresh_scores": luck[:1]} for row in rows[:3]]
    (few,) = strategies._pair_table(one_seed, range(1, 2)).rows
    assert few["choice_difference"] == 0.0  # without an interval
