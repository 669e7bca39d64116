"""What searches take beside training: medians of generations, and a table in which the worst come first."""

from __future__ import annotations

from typing import Any

import pytest

from metarl.cli import main
from metarl.errors import InvalidInput
from metarl.optimizer_search.measuring import beside_training
from metarl.optimizer_search.measuring.beside_training import (
    measure_beside_training,
    overhead_table,
)
from metarl.optimizer_search.searching.time_spent import TimeSpent
from metarl.reporting.tables import to_markdown

ROW = {
    **{"generations": 4, "seconds": 0.5, "strategy_seconds": 0.08, "sorting_seconds": 0.01},
    **{"share": 0.18, "share_of_search": 0.19, "compile_seconds": 2.5},
}
DOCUMENT = {
    **{"problem": "digits-mlp", "budget": 256, "seed": 0},
    "overhead": {"ppo": ROW, "dpo": {**ROW, "share": 0.31, "share_of_search": 0.22}},
}


class MadeUpJob:
    """A search of four generations that take what they say; the first and the third compile."""

    def __init__(self, monkeypatch):
        self.time, self.closed = TimeSpent(lambda: self.compiled), False
        self.clock = self.compiled = 0.0
        now = "metarl.optimizer_search.searching.time_spent.time.perf_counter"
        monkeypatch.setattr(now, lambda: self.clock)
        monkeypatch.setattr(beside_training, "compilation_seconds", lambda: self.compiled)

    def init(self):
        return 0

    def finished(self, state):
        return state == 4

    def update(self, state):
        compiling = (9.0, 0.0, 3.0, 0.0)[state]
        with self.time.generation():
            with self.time.part("strategy"):
                self.clock += (1.0, 0.25, 0.25, 1.0)[state] + compiling
                self.compiled += compiling
            with self.time.part("training"):
                self.clock += (1.0, 0.75, 0.75, 1.0)[state]
        return state + 1, {}

    def close(self):
        self.closed = True


def test_medians_are_of_all_generations_but_the_first_and_compiling_is_told_apart(monkeypatch):
    job: Any = MadeUpJob(monkeypatch)
    assert beside_training._searched(job) == {
        "generations": 3,
        "seconds": 1.0,  # of 1, 1 and 2
        "strategy_seconds": 0.25,
        "sorting_seconds": 0.0,
        "share": 0.25,
        "share_of_search": pytest.approx(1.5 / 4.0),
        "compile_seconds": 12.0,
    }
    assert job.closed


def test_the_worst_come_first_and_those_above_a_fifth_are_named():
    table = overhead_table(DOCUMENT)
    assert [row["strategy"] for row in table.rows] == ["dpo", "ppo"]
    assert "More than a fifth of the search outside training: dpo." in to_markdown(table)


def test_bench_overhead_prints_a_row_a_strategy(capsys, monkeypatch):
    asked = []

    def measured(*what):
        asked.append(what[:-1])
        return DOCUMENT

    monkeypatch.setattr("metarl.optimizer_search.measure_beside_training", measured)
    assert main(["bench", "overhead", "--strategy", "ppo", "dpo", "--seed", "3"]) == 0
    first, second = (line for line in capsys.readouterr().out.splitlines() if "0.5" in line)
    assert first.split() == ["dpo", "0.31", "0.22", "0.5", "0.08", "0.01", "4", "2.5"]
    assert second.split()[0] == "ppo"
    assert main(["bench", "overhead", "--budget", "9", "--json"]) == 0
    assert asked == [("digits-mlp", ("ppo", "dpo"), None, 3), ("digits-mlp", (), 9, 0)]


def test_a_strategy_that_nobody_knows_is_refused_before_anything_is_compiled():
    with pytest.raises(InvalidInput, match=r"randon.*random"):
        measure_beside_training("quadratic", ("randon",))


@pytest.mark.slow
def test_searches_with_two_strategies_are_measured():
    found = measure_beside_training("quadratic", ("random", "evolution"), 24)["overhead"]
    assert set(found) == {"random", "evolution"}
    assert all(0.0 < row["share"] < 1.0 for row in found.values())
