"""What tables say: counts against loops, and that only luck is called luck."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made_up_table import made_up_table

from metarl.errors import InvalidInput
from metarl.optimizer_search.reproduction import rule_tables
from metarl.optimizer_search.reproduction.rule_tables import Settings
from metarl.optimizer_search.tables import beside_table, truth
from metarl.update_rules import Grammar

QUICK = Settings(shown=(1, 4), draws=8, most_rules=40)


def test_rules_ahead_of_adam_are_counted_as_a_loop_counts_them():
    table = made_up_table(rules=30)
    rows = {row["judge"]: row for row in rule_tables._beating(table)}
    means = []
    for judge in table.judges:
        choice, test = table.choice(judge), table.test(judge)
        ahead = clearly = 0
        means.append([])
        for rule in range(30):
            scores = []
            for rate in range(len(table.rates)):
                runs = np.log(judge.adam["choice"]) - np.log(choice[rule, rate])
                scores.append(np.mean(runs) if np.isfinite(runs).all() else -5.0)
            runs = np.log(judge.adam["test"]) - np.log(test[rule, int(np.argmax(scores))])
            runs = np.where(np.isfinite(runs), runs, -5.0)
            reach = 2.3646 * runs.std(ddof=1) / np.sqrt(8)  # Student's t of 7 degrees of freedom
            ahead, clearly = ahead + (runs.mean() > 0), clearly + (runs.mean() - reach > 0)
            means[-1].append(runs.mean())
        assert (rows[judge.name]["ahead"], rows[judge.name]["clearly"]) == (ahead, clearly)
    assert rows["mean of all"]["on_each"] == int((np.array(means) > 0).all(axis=0).sum())


@pytest.mark.parametrize(("noise", "least", "most"), [(0.0, -1e-5, 1e-5), (1.0, 0.1, 9.0)])
def test_the_best_of_many_looks_too_good_by_noise_and_by_nothing_else(noise, least, most):
    table = made_up_table(rules=64, noise=noise, diverging=0.0)
    rows = rule_tables._optimism(table, QUICK, np.random.default_rng(0))
    alone = {row["rules"]: row["optimism"].mean for row in rows if row["replicates"] == 1}
    assert set(alone) == {4, 8, 16, 32, 64}
    assert least <= alone[64] - alone[4] <= most


def test_ranks_of_a_table_without_noise_agree_and_of_noise_alone_do_not():
    sure, noise = (
        made_up_table(rules=40, noise=0.0, diverging=0.0),
        made_up_table(40, 8, 0.0, 0.2, 0.0),
    )
    rows = [
        rule_tables._correlations(table, QUICK, np.random.default_rng(0)) for table in (sure, noise)
    ]
    for agreeing, unrelated in zip(*rows, strict=True):
        assert agreeing["end"].estimate > 0.99 and agreeing["held_out"].estimate > 0.99
        assert abs(unrelated["held_out"].estimate) < 0.8  # five deviations of 1 / sqrt(39)


def test_a_rule_that_a_space_cannot_write_has_no_place():
    table = made_up_table()
    assert rule_tables._place(table, "exp(sign(g) * sign(m)) * g") is None
    assert rule_tables._place(table, "nonsense-name") is None


def test_a_rule_that_a_table_lacks_has_the_rank_that_it_would_have():
    table = made_up_table(rules=30, diverging=0.0)
    places = [7, 3]
    losses = {
        judge.name: {split: loss[places] for split, loss in judge._losses.items()}
        for judge in table.judges
    }
    beside = beside_table(table, table.grammar, table.tokens[places], losses)
    settings = dataclasses.replace(QUICK, rules=("no-such-rule", "nor-this"))
    found = rule_tables._best(table, settings, np.random.default_rng(0), beside)
    worth = truth(table, ["one", "two"])
    for place, name in zip(places, settings.rules, strict=True):
        (row,) = (row for row in found["rules"] if row["name"] == name)
        assert row["inside"] == "no" and row["search"] == pytest.approx(worth[place])
        assert row["rank"] == 1 + int((worth > worth[place]).sum())
    assert [row["rank"] for row in found["rules"]] == sorted(row["rank"] for row in found["rules"])
    table_row = rule_tables._rules_table(table, found)
    assert "trained beside it on its replicates" in table_row.notes[0]
    (_, best, _) = rule_tables._claims(table, rule_tables._beating(table), found, [])
    assert f"the best rule is {table.rule(int(worth.argmax()))}, " in best


def test_a_grammar_is_found_for_rules_that_a_table_cannot_write():
    table = made_up_table()
    grammar = rule_tables._grammar_of(table, ["powersign"])
    assert (grammar.space, grammar.depth) == (Grammar("sign", 2).space, 2)
    grammar = rule_tables._grammar_of(table, ["powersign", "addsign", "ortho(m)"])
    assert (grammar.space, grammar.depth) == (Grammar("modern-arxiv", 3).space, 3)
    with pytest.raises(InvalidInput, match="No space writes all of these rules"):
        rule_tables._grammar_of(table, ["g * 0.123"])
