"""Learners from scratch beside others: return against episodes within a task, and when a mark is reached."""

from __future__ import annotations

import csv
import itertools
import json
import math

import numpy as np
import pytest
from numpy import inf

from metarl import rl_baselines
from metarl.cli import evaluate as evaluate_verb
from metarl.cli import main
from metarl.environments import play_split
from metarl.errors import InvalidInput
from metarl.reporting import table_text
from metarl.rl_squared import FromScratchPlan, WorldConfig, evaluate, make_trial, within_task_table
from metarl.rl_squared.evaluating.within_task import (
    blocks,
    first_trials,
    reached_after,
    when_reached,
)
from metarl.rl_squared.reports.within_task_report import (
    _episodes_text,
    curve_table,
    within_task_chart,
)

BANDIT = WorldConfig("bandit", arms=2, episodes=3)
SHORT = FromScratchPlan(episodes=12, tasks=4)


@pytest.fixture(scope="module")
def alone():
    """The document of a learner that stands beside nobody."""
    return evaluate(["q-learning"], world=BANDIT, tasks=4, from_scratch=SHORT).to_json()


@pytest.mark.parametrize(
    ("returns", "mark", "window", "expected"),
    [
        ([0, 0, 1, 1, 1], 1, 1, 3),
        ([0, 1, 0, 1, 1], 1, 1, 4),  # the first 1 was luck
        ([0, 0, 0, 9, 9], 1, 1, 4),  # later episodes do not pay for earlier ones
        ([0, 1, 1, 1, 1], 1, 2, 3),  # both of the last two, so one later
        ([1, 1, 1, 1, 1], 1, 2, 2),  # no sooner than after a window
        ([0, 0, 0, 0, 1], 1, 1, 5),  # nothing is left after it
        ([0, 0, 0, 0, 0], 1, 1, inf),
        ([5, 5, 5, 5, 0], 4, 1, inf),  # not kept
    ],
)
def test_a_mark_is_reached_when_it_is_reached_for_good(returns, mark, window, expected):
    assert reached_after(np.array(returns, float), mark, window) == expected


def test_reaching_is_as_a_loop_over_the_definition_says():
    generator = np.random.default_rng(0)
    for _ in range(50):
        returns, mark = generator.integers(0, 4, 12).astype(float) + np.arange(12) / 4, 3.1
        window = int(generator.integers(1, 4))
        expected = inf
        for n in range(window, 13):
            rest = returns[n:].mean() if n < 12 else inf
            if returns[n - window : n].mean() >= mark and rest >= mark:
                expected = n
                break
        assert reached_after(returns, mark, window) == expected


def test_medians_and_shares_over_tasks():
    steps = np.array([2, 4, 6, 30, 30])
    returns = (np.arange(10)[None] >= steps[:, None]).astype(float)
    reached = when_reached(returns, np.ones(5), window=1)
    assert reached.median.estimate == 7  # after the seventh episode, the first that pays
    assert reached.share == pytest.approx(0.6)
    assert reached.median.high == inf
    assert reached.of_mean.estimate == inf  # two in five never pay
    half = when_reached(returns, np.full(5, 0.5), window=1)
    assert half.of_mean.estimate == 7  # three in five pay: 0.6


def test_blocks_of_a_curve_hold_every_episode_once():
    for episodes in (1, 2, 17, 300):
        found = blocks(episodes)
        assert found[0][0] == 1 and found[-1][1] == episodes
        assert all(before[1] + 1 == after[0] for before, after in itertools.pairwise(found))
    assert len(blocks(1000)) < 60


def test_the_document_holds_what_playing_by_hand_gives():
    document = evaluate(
        ["gittins", "q-learning"], world=BANDIT, tasks=5, seed=2, from_scratch=SHORT
    ).to_json()
    assert set(document["agents"]) == {"gittins", "q-learning"}
    assert len(document["agents"]["q-learning"]["per_episode"]) == 3
    part = document["from_scratch"]
    assert (part["episodes"], part["tasks"], part["window"]) == (12, 4, 3)
    assert part["mark_of"] == "gittins"
    trial = SHORT.trial(make_trial(BANDIT))
    by_hand = play_split(rl_baselines.make("q-learning", trial), trial, 2, 4, "test").returns
    found = part["agents"]["q-learning"]
    assert found["from_scratch"] and not part["agents"]["gittins"]["from_scratch"]
    assert found["last"]["mean"] == pytest.approx(by_hand[:, -3:].mean())
    assert found["first"]["mean"] == pytest.approx(by_hand[:, :3].mean())
    assert found["curve"][0]["mean"] == pytest.approx(by_hand[:, 0].mean())
    assert set(found["reached_after"]) == {"median", "of_mean", "share"}
    assert "reached_after" not in part["agents"]["gittins"]
    assert len(part["agents"]["gittins"]["curve"]) == 3


def test_a_mark_is_the_mean_of_many_trials_in_the_same_tasks():
    trial = make_trial(BANDIT)
    from metarl import classical_agents

    oracle = classical_agents.make("oracle", trial)
    marks = first_trials(oracle, trial, 2, 400).mean(axis=1)
    once = np.asarray(play_split(oracle, trial, 2, 400, "test").returns).mean(axis=1)
    assert np.corrcoef(marks, once)[0, 1] > 0.5  # the same tasks
    # 48 pulls of the best arm of a task, whose means are those of the larger of two uniform numbers
    assert marks.mean() == pytest.approx(2 / 3, abs=0.05)
    assert marks.std() < once.std()


def test_learners_alone_have_curves_but_no_mark(alone):
    part = alone["from_scratch"]
    assert part["mark_of"] is None
    assert "reached_after" not in part["agents"]["q-learning"]
    assert [column.name for column in within_task_table(alone).columns] == [
        "agent",
        "first",
        "last",
    ]


def test_the_two_tables_are_printed_apart(alone, capsys):
    evaluate_verb.show(alone)
    assert "\n\nbandit(" in capsys.readouterr().out


def test_without_learners_nothing_is_played_from_scratch():
    document = evaluate(["gittins"], world=BANDIT, tasks=4).to_json()
    assert "from_scratch" not in document


def test_the_table_says_honestly_what_was_not_reached():
    nowhere = {"estimate": inf, "low": inf, "high": inf}
    partly = {"estimate": 40.0, "low": 30.0, "high": None}  # null is what JSON makes of infinity
    mean = {"mean": 1.0, "standard_error": 0.1, "low": 0.8, "high": 1.2}
    learner = {"from_scratch": True, "first": mean, "last": mean, "curve": [],
               "reached_after": {"median": partly, "of_mean": nowhere, "share": 0.25}}  # fmt: skip
    document = {
        "environment": {"name": "bandit", "arms": 2, "episodes": 3},
        "from_scratch": {
            "episodes": 100, "tasks": 4, "window": 3, "mark_of": "mine",
            "agents": {"mine": {**learner, "from_scratch": False, "reached_after": None}, "dqn": learner},
        },
    }  # fmt: skip
    table = within_task_table(json.loads(json.dumps(document)))
    row = table.rows[1]
    assert row["median"] == "40 [30, >100]"
    assert row["of_mean"] == "not within 100"
    assert row["share"] == "25%"
    assert table.rows[0]["median"] is None
    assert "not within 100" in table_text(table)


@pytest.mark.parametrize(
    ("estimate", "low", "text"),
    [(8.5, None, "8.5 [–]"), (8.5, -inf, "8.5 [–]"), (None, None, "not within 200"), (inf, -inf, "not within 200")],
)  # fmt: skip
def test_what_is_reached_in_too_few_tasks_for_an_interval_is_told_as_reached(estimate, low, text):
    assert _episodes_text({"estimate": estimate, "low": low, "high": None}, 200) == text


@pytest.mark.parametrize(
    ("learners", "labels"),
    [
        (["dqn:exploration_share=0.05,learning_rate=0.0005", "ppo:steps=64"], ["dqn", "ppo"]),
        (["dqn:hidden=8", "dqn:hidden=32"], ["dqn:hidden=8", "dqn:hidden=32"]),
    ],
)
def test_curves_have_the_names_of_learners_and_their_settings_where_names_are_equal(
    learners, labels
):
    point = {"first": 1, "last": 1, "mean": 1.0, "standard_error": 0.1, "low": 0.8, "high": 1.2}
    learner = {"from_scratch": True, "curve": [point, {**point, "first": 2, "last": 2}]}
    agents = dict.fromkeys(learners, learner)
    chart = within_task_chart({"from_scratch": {"mark_of": None, "agents": agents}})
    assert [label.get_text() for label in chart.figure.axes[0].texts] == labels


@pytest.mark.parametrize(
    ("plan", "world", "message"),
    [
        ({"episodes": 2}, {}, "the trial that it is compared with has 3"),
        ({"episodes": 0}, {}, "there must be at least 1"),
        ({"tasks": 1}, {}, "there must be from 2 to 100000"),
        ({"tasks": 10**14}, {}, "tasks from scratch are 100000000000000; there must be from 2"),
        ({}, {"trial_steps": 9}, "give --episodes instead of --trial-steps"),
    ],
)
def test_what_cannot_be_compared_is_refused(plan, world, message):
    given = {"environment": "bandit", "arms": 2, "episodes": 3} | world
    if "trial_steps" in world:
        del given["episodes"]
    with pytest.raises(InvalidInput, match=message):
        evaluate(["q-learning"], world=given, tasks=2, from_scratch=FromScratchPlan(**plan))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dqn", "--environment", "pendulum"], "dqn needs Discrete actions"),
        (["q-learning", "--environment", "cartpole"], "q-learning needs Discrete observations"),
        (["q-lerning", "--environment", "bandit"], "Did you mean 'q-learning'?"),
        (["dqn:lerning_rate=1", "--environment", "bandit"], "Did you mean 'learning_rate'?"),
    ],
)
def test_the_command_refuses_in_one_line(words, message, capsys):
    assert main(["evaluate", *words]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.out == ""


def test_the_command_writes_how_long_learning_takes_beside_the_table(tmp_path, capsys):
    words = ["gittins", "--against", "q-learning", "--environment", "bandit", "--arms", "2"]
    sizes = ["--episodes", "3", "--tasks", "4", "--episodes-from-scratch", "12"]
    path = tmp_path / "found.csv"
    command = ["evaluate", *words, *sizes, "--tasks-from-scratch", "4", "-o", str(path)]
    assert main(command) == 0
    assert "within a task" in capsys.readouterr().out
    with (tmp_path / "found-within-a-task.csv").open(newline="") as file:
        assert [row["agent"] for row in csv.DictReader(file)] == ["gittins", "q-learning"]
    with (tmp_path / "found-curves.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["agent"] for row in rows} == {"gittins", "q-learning"}
    assert sum(row["agent"] == "q-learning" for row in rows) == len(blocks(12))
    assert all(math.isfinite(float(row["return"])) for row in rows)
    assert {p.suffix for p in tmp_path.glob("found-curves.*")} == {".csv", ".svg", ".png"}


def test_settings_are_chosen_on_validation_tasks_if_asked():
    plan = FromScratchPlan(episodes=12, tasks=4, tune=True)
    texts = ["q-learning", "q-learning:exploration_share=0.25"]
    said: list[str] = []
    found = evaluate(texts, world=BANDIT, tasks=2, from_scratch=plan, say=said.append)
    best = rl_baselines.tune("q-learning", plan.trial(make_trial(BANDIT)))
    assert list(found.agents) == [best, texts[1]]  # who is named with settings keeps them
    assert sum("on 64 validation tasks" in line for line in said) == 9


def test_tuning_takes_the_best_of_the_grid():
    trial = make_trial(WorldConfig("bandit", arms=2, episodes=30))
    said: list[str] = []
    text = rl_baselines.tune("q-learning", trial, tasks=20, say=said.append)
    assert len(said) == 9
    earned = {}
    for member in rl_baselines.grid("q-learning"):
        played = play_split(rl_baselines.make(member, trial), trial, 0, 20, "validation")
        earned[member] = float(np.mean(played.totals))
    assert text == max(earned, key=earned.__getitem__)


def test_curves_are_rows_for_each_block(alone):
    table = curve_table(alone)
    assert [row["first_episode"] for row in table.rows] == [first for first, _ in blocks(12)]
