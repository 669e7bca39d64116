"""`metarl list`: what there is, as a table and as JSON."""

from __future__ import annotations

import json
import re

import optax
import pytest

from metarl import (
    classical_agents,
    environments,
    optimizers,
    problems,
    rl_baselines,
    rl_squared,
    update_rules,
)
from metarl.cli import main
from metarl.optimizer_search import references, strategies


def listed(capsys, kind: str) -> dict:
    assert main(["list", kind, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_problems_are_listed_with_what_one_needs_to_choose(capsys):
    document = listed(capsys, "problems")
    assert tuple(document["problems"]) == problems.names()
    digits = document["problems"]["digits-mlp"]
    facts = {"role", "family", "data", "metric", "chance", "steps", "needs_data"}
    assert set(digits) == facts | {"tells_apart"} and digits["tells_apart"] is True
    assert document["problems"]["wine-mlp"]["tells_apart"] is False
    assert (digits["role"], digits["metric"], digits["chance"]) == ("search", "accuracy", 0.1)


def test_rules_are_listed_with_texts_that_can_be_typed(capsys):
    rules = listed(capsys, "rules")["rules"]
    facts = {"text", "source", "found_here", "learning_rate"}
    assert all(set(row) == facts for row in rules.values())
    assert rules["adam-step-back"]["learning_rate"] == 10**-1.5
    assert rules["powersign"]["text"] == "exp(sign(g) * sign(m)) * g"
    for name, row in rules.items():
        assert update_rules.resolve(name) == update_rules.parse(row["text"])


def test_no_table_shows_a_mark_without_words(capsys):
    assert main(["list", "rules"]) == 0
    printed = capsys.readouterr().out
    assert "powersign" in printed
    assert not re.search(r"\[[?vr]\]", printed)


def test_a_narrow_terminal_shows_names_whole(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["list", "rules"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in update_rules.NAMED_RULES)


def test_standard_optimizers_are_listed_with_where_they_are_from(capsys):
    rows = listed(capsys, "optimizers")["optimizers"]
    assert list(rows) == [reference.label for reference in references()]
    facts = {"code", "source", "roles", "extra_points", "classic"}
    assert all(set(row) == facts and row["code"] and row["source"] for row in rows.values())
    assert {name for name, row in rows.items() if row["roles"] != "none"} == {"muon", "soap"}
    assert rows["lion"]["extra_points"][:2] == [{"b1": 0.95}, {"b2": 0.95}]
    assert (rows["lion"]["classic"], rows["nadamw"]["classic"]) == (True, False)
    for name, row in rows.items():
        module, _, what = row["code"].partition(",")[0].rpartition(".")
        known = {"optax": optax, "optax.contrib": optax.contrib, "metarl.optimizers": optimizers}
        assert callable(getattr(known[module], what)), name


def test_every_primitive_and_space_is_listed_under_a_name_of_its_own(capsys):
    document = listed(capsys, "primitives")
    tables = (update_rules.OPERANDS, update_rules.UNARY, update_rules.BINARY)
    assert len(document["primitives"]) == sum(len(table) for table in tables)
    assert {"g", "-x", "x - y", "exp(x)", "clip(x, k)", "x ^ y"} <= set(document["primitives"])
    assert document["spaces"]["icml"]["binary"] == ["+", "-", "*", "/", "^", "keep"]


def test_the_listed_strategies_are_those_that_can_be_chosen(capsys):
    assert set(listed(capsys, "strategies")["strategies"]) == set(strategies.names())


def test_environments_are_listed_with_their_settings(capsys):
    rows = listed(capsys, "environments")["environments"]
    assert tuple(rows) == (*environments.names(), *environments.host_names())
    assert {"states": 10, "actions": 5, "horizon": 10}.items() <= rows["mdp"]["settings"].items()
    assert rows["mdp"]["settings"]["alpha"] == 1
    assert rows["bandit"]["observation"] == "Discrete(1)"


def test_agents_are_listed_for_each_world_with_what_can_be_set(capsys):
    document = listed(capsys, "agents")
    assert set(document) == {
        *("agents", "learners_from_scratch", "learners_from_offline_data", "trained_agents"),
    }
    assert tuple(document["learners_from_offline_data"]) == rl_baselines.offline_names()
    assert tuple(document["learners_from_scratch"]) == rl_baselines.names()
    assert document["learners_from_scratch"]["dqn"]["settings"]["batch_size"] == 64
    agents = document["agents"]
    assert tuple(agents) == classical_agents.names()
    assert set(agents["greedy"]["worlds"]) >= {"bandit", "mdp"}
    ucb = agents["ucb1"]["worlds"]["bandit"]
    assert set(ucb) == {"caption", "formula", "paper", "settings", "presets"}
    assert set(ucb["settings"]["c"]) == {"default", "accepted", "meaning"}
    assert tuple(document["trained_agents"]) == rl_squared.agent_names()


KINDS = ["problems", "rules", "optimizers", "primitives", "strategies", "environments", "agents"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_names_everything(capsys, kind):
    document = listed(capsys, kind)
    assert main(["list", kind]) == 0
    printed = capsys.readouterr().out
    first_words = {line.partition("  ")[0] for line in printed.splitlines()}
    missing = {name for facts in document.values() for name in facts} - first_words
    assert not missing


def test_an_unknown_kind_is_refused(capsys):
    assert main(["list", "problemz", "--json"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "problemz" in captured.err and "problems" in captured.err
