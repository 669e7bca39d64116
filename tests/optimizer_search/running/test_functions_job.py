"""The functions of a space as a run: what is written, and that a run that was interrupted ends as another."""

from __future__ import annotations

import csv
import re

import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search import FunctionsConfig, begin_functions, resume_functions
from metarl.optimizer_search.running import functions_job
from metarl.optimizer_search.screening.screened import VERDICTS
from metarl.optimizer_search.settings.config import FilterConfig
from metarl.runs import SilentProgress
from metarl.update_rules import parse


class Stopping(SilentProgress):
    """Interrupts a run at its second block."""

    def report(self, position, total, text="", seconds_left=None):
        if position > 0:
            raise KeyboardInterrupt


def met(place):
    return (place / functions_job.FUNCTIONS).read_text()


def test_a_run_lists_every_function_and_one_that_was_interrupted_lists_the_same(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("metarl.optimizer_search.screening.enumeration._BLOCK", 256)
    monkeypatch.setenv("METARL_CHECKPOINT_SECONDS", "0")
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    config = FunctionsConfig("sign", 1)
    document = resume_functions(begin_functions(config, whole).path, progress=SilentProgress())
    assert document["whole_space"]
    assert document["functions"] == sum(row["functions"] for row in document["by_size"])
    rows = list(csv.DictReader(met(whole).splitlines()))
    assert len(rows) == document["functions"]
    assert [row["rule"] for row in rows if row["verdict"] == "passes"] == [
        row["rule"] for row in document["rules"]
    ]
    assert all(parse(row["rule"]).size == int(row["size"]) for row in rows[:50])

    begin_functions(config, stopped)
    with pytest.raises(KeyboardInterrupt):
        resume_functions(stopped, progress=Stopping())
    assert resume_functions(stopped, progress=SilentProgress()) == document | {
        "run_dir": str(stopped)
    }
    assert met(stopped) == met(whole)
    assert resume_functions(stopped) == document | {"run_dir": str(stopped)}  # read, not run


def test_a_run_stays_in_use_until_its_result_is_there_and_a_signal_says_how_to_go_on(
    tmp_path, stopped_at_the_end
):
    run = begin_functions(FunctionsConfig("sign", 1, max_size=2), tmp_path / "run")
    used, told = stopped_at_the_end(run, resume_functions, functions_job, "write_csv")
    assert used == [True] and told.endswith(f"Go on with: metarl resume {run.path}")


def test_a_budget_ends_a_space_that_is_too_large_and_that_is_said(tmp_path):
    run = begin_functions(FunctionsConfig("sign", 2, budget=300), tmp_path / "run")
    document = resume_functions(run.path, progress=SilentProgress())
    assert not document["whole_space"]
    assert document["tried"] >= 300
    assert document["rules"][0]["rule"] == "g"


def test_the_numbers_of_verdicts_in_checkpoints_stay_what_they_are():
    names = ["not finite", "constant", "one sign", "uphill", "not odd", "passes"]
    assert [str(verdict) for verdict in VERDICTS] == names


def test_a_checkpoint_of_another_rule_language_is_refused():
    job = functions_job.FunctionsJob(FunctionsConfig("sign", 1))
    arrays, meta = job.save(job.init())
    assert job.load(arrays, meta).enumeration.tried == 0
    with pytest.raises(InvalidInput, match="of this enumeration is of version 1 of the rule lang"):
        job.load(arrays, meta | {"language": 1})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"filters": FilterConfig(max_size=4)},
            "--filters.max-size 4 is a filter of searches; where functions of a space are listed or trained, "
            "--max-size 4 says at which size they end.",
        ),
        ({"space": "sing"}, "sign"),
        ({"depth": 5}, "depth is 5; it must be from 1 to 4"),
        ({"budget": 0}, "budget is 0; it must be at least 1"),
        ({"max_size": 0}, "max_size is 0; it must be at least 1"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_before_anything_is_written(
    tmp_path, settings, message
):
    with pytest.raises(InvalidInput, match=re.escape(message)):
        begin_functions(FunctionsConfig(**settings), tmp_path / "run")
    assert not (tmp_path / "run").exists()
