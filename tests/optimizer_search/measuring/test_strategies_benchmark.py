"""Searches on tables: they go as in earnest, are paired and repeatable, and are worth what a loop says they are."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import jax
import numpy as np
import pytest
from made_up_table import GRAMMAR, made_up_table

from metarl.cli import main
from metarl.errors import InvalidInput
from metarl.optimizer_search.measuring import strategies as measuring
from metarl.optimizer_search.measuring.replay import Handover, replay
from metarl.optimizer_search.measuring.strategies import measure_strategies
from metarl.optimizer_search.measuring.strategies_report import FILES, strategies_table
from metarl.optimizer_search.measuring.table_searches import (
    TableSearches,
    rules_ratio,
    search_settings,
    summary,
)
from metarl.optimizer_search.measuring.views import TableViews, View, draw_replicates
from metarl.optimizer_search.settings.strategies_config import StrategiesConfig
from metarl.optimizer_search.strategies import Proposals, Strategy, make


@pytest.fixture
def tables(monkeypatch):
    """Puts made-up tables in place of those on disk; near-duplicates are told by the probes, which they are not."""
    known = {
        "made-up": made_up_table(),
        "noise": made_up_table(60, 8, 0.0, 0.2, 0.0, ("one",), (), 0.0),
    }
    monkeypatch.setattr(measuring, "load_table", lambda name: replace(known[name], name=name))
    monkeypatch.setattr(measuring, "table_names", lambda: ("made-up",))
    monkeypatch.setattr(
        measuring, "near_rules", lambda table: np.eye(len(table.tokens), dtype=bool)
    )
    return known


def listed(order):
    """A strategy that proposes rules of the table in an order, as tokens, and begins again at its end."""
    tokens = made_up_table().tokens

    def ask(key, state, count):
        rows = order[(int(state) + np.arange(count)) % len(order)]
        return np.int64(state + count), Proposals(tokens[rows])

    return Strategy(
        lambda key: np.int64(0), ask, lambda key, state, proposals, feedback: (state, {})
    )


def without_seconds(document):
    text = json.dumps(document)
    plain = json.loads(text)
    for table in plain["tables"].values():
        for row in table["strategies"]:
            del row["seconds"]
    return plain


def test_where_a_table_ends_at_a_size_larger_rules_are_filtered_and_that_is_said(
    tables, monkeypatch
):
    plain = measure_strategies(StrategiesConfig(searches=1, budget=20, strategy=("random",)))
    table = tables["made-up"]
    tables["made-up"] = replace(table, max_size=3)
    made, asked = [], []
    place_of = type(table).place_of

    def noting(self, tokens, max_size=None):
        asked.append(max_size)
        return place_of(self, tokens, max_size)

    monkeypatch.setattr(type(table), "place_of", noting)
    make_strategy = measuring.strategies.make

    def making(name, grammar, config):
        made.append(config.filters.max_size)
        return make_strategy(name, grammar, config)

    monkeypatch.setattr(measuring.strategies, "make", making)
    config = StrategiesConfig(table=("made-up",), searches=1, budget=20, strategy=("random",))
    found = measure_strategies(config)
    assert set(asked) == {3} == set(made)
    ends, whole = found["tables"]["made-up"], plain["tables"]["made-up"]
    assert (ends["filters"]["max_size"], whole["filters"]["max_size"]) == (3, None)
    assert strategies_table("made-up", ends).notes[-1] == (
        "The table ends at 3 nodes; larger rules are filtered (--filters.max-size 3), so no strategy trains what the "
        "table lacks."
    )
    assert len(strategies_table("made-up", whole).notes) == 2


@pytest.mark.slow  # the quick form: whom a strategy stands beside changes nothing
def test_a_table_that_ends_at_a_size_is_searched_only_where_it_is_named(tables, monkeypatch):
    tables["part"] = replace(made_up_table(), max_size=4)
    monkeypatch.setattr(measuring, "table_names", lambda: ("made-up", "part"))
    config = StrategiesConfig(searches=1, budget=4, strategy=("random",))
    assert [*measure_strategies(config)["tables"]] == ["made-up"]
    named = replace(config, table=("part", "made-up"))
    assert [*measure_strategies(named)["tables"]] == ["part", "made-up"]


def test_the_same_seed_gives_the_same_numbers_and_another_gives_others(tables):
    config = StrategiesConfig(strategy=("evolution",), searches=4, budget=40)
    one, again = measure_strategies(config), measure_strategies(config)
    assert without_seconds(one) == without_seconds(again)
    other = measure_strategies(replace(config, seed=1))
    assert without_seconds(one)["tables"] != without_seconds(other)["tables"]


def test_whom_a_strategy_stands_beside_changes_nothing_for_it(tables):
    both = measure_strategies(StrategiesConfig(strategy=("evolution",), searches=8, budget=40))
    alone = measure_strategies(StrategiesConfig(strategy=("random",), searches=8, budget=40))
    rows = [without_seconds(found)["tables"]["made-up"]["strategies"][0] for found in (both, alone)]
    assert rows[0] == rows[1] and rows[0]["strategy"] == "random"


def test_all_strategies_hand_over_the_same_rules_where_all_rules_of_a_table_are_trained(
    tables, monkeypatch
):
    orders = {"forth": np.arange(120), "back": np.arange(120)[::-1]}
    monkeypatch.setattr(
        measuring.strategies, "make", lambda name, *_: listed(orders.get(name, orders["forth"]))
    )
    config = StrategiesConfig(strategy=("forth", "back"), searches=10, budget=120)
    rows = without_seconds(measure_strategies(config))["tables"]["made-up"]["strategies"]
    values = [
        {
            key: row[key]
            for key in (
                "true_score",
                "regret",
                "in_top_percent",
                "handed_over",
                "steps",
                "elsewhere",
            )
        }
        for row in rows
    ]
    assert values[0] == values[1] == values[2]
    assert rows[1]["difference_to_random"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert rows[1]["rules_random_needs"] == {"ratio": 1.0, "low": 1.0, "high": 1.0}


def test_a_search_trains_what_it_proposes_once_until_its_budget_is_spent():
    table, order = made_up_table(), np.array([5, 5, 9, 5, 1, 9, 0, 7, 2])
    told = []
    strategy = listed(order)
    strategy = strategy._replace(
        tell=lambda key, state, proposals, feedback: (told.append(feedback) or state, {})
    )
    rewards = np.linspace(0, 1, 120).astype(np.float32)
    found = replay(strategy, jax.random.key(0), table.place_of, rewards, 5, 4)
    assert found.trained.tolist() == [5, 9, 1, 0, 7]
    assert found.sampled.tolist() == [4, 4, 8, 8, 8]
    np.testing.assert_array_equal(told[0].repeated, [False, True, False, True])
    np.testing.assert_array_equal(told[0].rewards, rewards[[5, 5, 9, 5]])
    np.testing.assert_array_equal(told[1].repeated, [False, True, False, False])
    np.testing.assert_array_equal(told[1].rewards, rewards[[1, 9, 0, 7]])


def test_a_rule_that_the_table_lacks_was_filtered_out_and_has_the_floor():
    table = made_up_table()
    outside = np.argwhere(table.place_of(every_sequence()) < 0)[0, 0]
    inside = table.tokens[3]
    tokens = np.stack([every_sequence()[outside], inside, every_sequence()[outside]])
    told = []
    strategy = Strategy(
        lambda key: (),
        lambda key, state, count: (state, Proposals(tokens)),
        lambda key, state, proposals, feedback: (told.append(feedback) or state, {}),
    )
    found = replay(strategy, jax.random.key(0), table.place_of, np.ones(120, np.float32), 1, 3)
    assert found.trained.tolist() == [3]
    np.testing.assert_array_equal(told[0].rewards, [-5, 1, -5])
    assert not told[0].repeated.any()


def every_sequence():
    return np.stack(np.unravel_index(np.arange(GRAMMAR.size), GRAMMAR.slot_sizes), axis=1)


def test_a_search_that_meets_nothing_new_ends():
    strategy = listed(np.arange(10))
    found = replay(strategy, jax.random.key(0), made_up_table().place_of, np.zeros(120), 120, 64)
    assert found.trained.tolist() == list(range(10)) and set(found.sampled) == {64}


def test_the_choice_takes_the_best_on_choice_data_of_the_best_of_each_group():
    near = np.eye(6, dtype=bool)
    near[0, 1] = near[1, 0] = near[2, 3] = near[3, 2] = True
    rewards = np.array([0.9, 0.8, 0.7, 0.7, 0.6, 0.5], np.float32)
    lasting = np.array([True, True, True, True, False, True])
    choice = np.array([0.1, 0.9, 0.2, 0.8, 0.95, 0.15])
    view = View(rewards, lasting, np.ones(6, int), choice, choice, None)
    handed = lambda rows, count: Handover(near, count).place(np.array(rows, int), view)  # noqa: E731
    assert handed([5, 4, 3, 2, 1, 0], 6) == 2  # 1 and 3 are spoken for, 4 diverges
    assert handed([5, 4, 3, 1], 6) == 1
    assert handed([5, 3], 1) == 3 and handed([0, 5], 6) == 5 and handed([0, 5], 1) == 0
    assert handed([4], 6) == -1 and handed([], 6) == -1


def test_where_rules_differ_by_noise_alone_the_true_score_is_that_of_any_rule(tables):
    """The mean over searches of a handed-over rule's true score; 5 standard errors, below 1e-6 by chance."""
    config = StrategiesConfig(table=("noise",), strategy=("random",), searches=64, budget=30)
    found = measure_strategies(config)["tables"]["noise"]
    views = TableViews(tables["noise"])
    draws = [draw_replicates(np.random.default_rng([0, number]), 8) for number in range(64)]
    truths = np.array([views.view(draw).truth for draw in draws])  # [64, K]
    for row in found["strategies"]:
        mean, high = row["true_score"]["mean"], row["true_score"]["high"]
        error = (high - mean) / 1.96
        assert abs(mean - truths.mean()) < 5 * error
        assert abs(row["regret"]["mean"] - (truths.max(axis=1).mean() - mean)) < 1e-9


def test_the_row_of_a_strategy_equals_a_loop_over_its_searches(tables):
    config = StrategiesConfig(strategy=("evolution",), searches=12, budget=50, seed=4)
    row = measure_strategies(config)["tables"]["made-up"]["strategies"][1]
    table, search = tables["made-up"], search_settings(tables["made-up"], 50)
    assert (search.batch_size, search.evolution.population, search.evolution.sample) == (8, 12, 3)
    strategy, views = make("evolution", GRAMMAR, search), TableViews(table)
    scores, best, top, elsewhere, steps = [], [], [], [], []
    for number in range(12):
        view = views.view(draw_replicates(np.random.default_rng([4, number]), 8))
        key = jax.random.fold_in(jax.random.key(4), number)
        trained = replay(strategy, key, table.place_of, view.rewards, 50, 8).trained
        good = [rule for rule in trained if view.lasting[rule]]
        candidates = sorted(good, key=lambda rule: (-view.rewards[rule], rule))[:32]
        chosen = max(candidates, key=lambda rule: view.choice[rule])
        scores.append(view.truth[chosen])
        best.append(max(view.truth))
        top.append(chosen == int(np.argmax(view.truth)))  # 1 % of 120 rules is one
        assert view.elsewhere is not None
        elsewhere.append(view.elsewhere[chosen])
        steps.append(sum(view.steps[rule] for rule in trained))
    assert row["true_score"]["mean"] == pytest.approx(np.mean(scores))
    assert row["regret"]["mean"] == pytest.approx(np.mean(np.array(best) - scores))
    assert row["in_top_percent"]["share"] == pytest.approx(np.mean(top))
    assert row["elsewhere"]["mean"] == pytest.approx(np.mean(elsewhere))
    assert row["steps"] == pytest.approx(np.mean(steps)) and row["trained"] == 50


def test_the_rules_that_random_search_needs_are_read_from_its_rising_curve():
    marks, curve = np.array([10, 20, 40, 80]), np.array([0.0, 0.1, 0.2, 0.3])
    assert rules_ratio(marks, curve, 0.2, 40) == pytest.approx(1.0)
    assert rules_ratio(marks, curve, 0.3, 40) == pytest.approx(2.0)
    assert rules_ratio(marks, curve, 0.25, 40) == pytest.approx(2**0.5)
    assert rules_ratio(marks, curve, 0.31, 40) == np.inf
    assert rules_ratio(marks, curve, -1.0, 40) == pytest.approx(0.25)  # at most that
    flat = np.array([0.0, 0.2, 0.1, 0.3])  # 20 and 40 are one piece at 0.15, whose middle is 28.3
    assert rules_ratio(marks, flat, 0.2, 20) == 1.0
    assert rules_ratio(marks, flat, 0.3, 20) == pytest.approx(80 / (40 * 2 ** (1 / 3)))
    assert rules_ratio(marks, flat, 0.15, 20) == pytest.approx(800**0.5 / (40 * 2 ** (1 / 3)))
    falls = np.array(
        [0.0, 0.2, 0.3, 0.1]
    )  # a curve that noise has bent: the same is the same for all that
    assert rules_ratio(marks, falls, 0.1, 80) == 1.0 and rules_ratio(marks, falls, 0.3, 40) == 1.0


def test_fewer_searches_than_random_searchs_are_held_against_all_of_these(tables):
    """The ratio is read from the curve of all random searches, whoever is beside them."""
    table, budget = tables["made-up"], 40
    searches = TableSearches(table, TableViews(table), np.eye(120, dtype=bool), budget, 0)
    random = make("random", GRAMMAR, search_settings(table, budget))
    evolution = make("evolution", GRAMMAR, search_settings(table, budget))
    many = searches.many(random, range(24), 64, beyond=True)
    few = searches.many(evolution, range(10), 8)
    found = summary("evolution", few, many, budget, table)
    marks, wanted = many.marks, few.scores[:, few.at(budget)]
    expected = rules_ratio(marks, many.scores.mean(axis=0), wanted.mean(), budget)
    needs = found["rules_random_needs"]
    assert needs["ratio"] == pytest.approx(expected)
    generator, ratios = np.random.default_rng(1), []
    for _ in range(300):
        curve = many.scores[generator.integers(24, size=24)].mean(axis=0)
        one = wanted[generator.integers(10, size=10)].mean()
        ratios.append(rules_ratio(marks, curve, one, budget))
    inside = np.mean((np.array(ratios) >= needs["low"]) & (np.array(ratios) <= needs["high"]))
    assert 0.87 < inside <= 1.0  # 0.95, by more than five deviations
    paired = few.scores[:, few.at(budget)] - many.scores[:10, many.at(budget)]
    assert found["difference_to_random"]["mean"] == pytest.approx(paired.mean())


def test_fewer_than_eight_searches_have_no_interval_and_no_verdict(tables):
    config = StrategiesConfig(strategy=("evolution",), searches=7, budget=40)
    document = measure_strategies(config)
    row = document["tables"]["made-up"]["strategies"][1]
    assert row["difference_to_random"]["low"] == -np.inf
    assert (row["rules_random_needs"]["low"], row["rules_random_needs"]["high"]) == (0.0, np.inf)
    table = strategies_table("made-up", json.loads(json.dumps(document))["tables"]["made-up"])
    assert "Fewer than 8 searches have no intervals: random, evolution." in " ".join(table.notes)
    assert table.title == "made-up: 120 rules of space sign, depth 1; 40 trained in a search"
    part = document["tables"]["made-up"] | {"max_size": 6}
    title = strategies_table("made-up", json.loads(json.dumps(part))).title
    assert "depth 1, up to size 6; 40 trained" in title


def test_a_budget_beyond_a_table_is_refused(tables):
    with pytest.raises(
        InvalidInput, match="--budget 121 is more than table 'made-up' has: it holds 120 rules"
    ):
        measure_strategies(StrategiesConfig(budget=121))


def test_a_strategy_of_ones_own_that_breaks_its_contract_is_told(
    tables, tmp_path, monkeypatch, capsys
):
    (tmp_path / "my_way.py").write_text("def factory(grammar, config):\n    return 3\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["bench", "strategies", "--strategy", "my_way:factory"]) == 2
    assert "it must give a metarl" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        ("np.full((n, 5), 99)", "Strategy 'my_way:factory': ask gave token 99 in slot 0 of rule 0; that slot has"),
        ("np.zeros((n, 10), int)", "rules of this grammar have shape [8, 5]"),
    ],
)  # fmt: skip
def test_a_strategy_that_proposes_a_rule_outside_a_table_ends_in_one_message(
    tables, tmp_path, monkeypatch, capsys, tokens, words
):
    (tmp_path / "my_way.py").write_text(
        "import numpy as np\n"
        "from metarl.optimizer_search.strategies import Proposals, Strategy\n"
        "def factory(grammar, config):\n"
        f"    ask = lambda key, state, n: (state, Proposals({tokens}))\n"
        "    return Strategy(lambda key: (), ask, lambda key, state, *told: (state, {}))\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_way", raising=False)
    command = ["bench", "strategies", "--strategy", "my_way:factory", "--searches", "1"]
    assert main([*command, "--budget", "64"]) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert words in message


def test_the_command_prints_a_document_and_writes_tables_figures_and_a_page(
    tables, tmp_path, capsys
):
    words = ["bench", "strategies", "--strategy", "evolution", "--searches", "8", "--budget", "40"]
    assert main([*words, "-o", str(tmp_path / "out"), "--json"]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert [row["strategy"] for row in document["tables"]["made-up"]["strategies"]] == [
        "random",
        "evolution",
    ]
    assert "made-up: 16/16 searches" in err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(FILES)
    assert json.loads((tmp_path / "out" / "strategies.json").read_text()) == document
    page = (tmp_path / "out" / "report.html").read_text()
    assert "evolution" in page and "Rules handed over most often" in page
    assert main(words) == 0
    assert "less random search" in capsys.readouterr().out
