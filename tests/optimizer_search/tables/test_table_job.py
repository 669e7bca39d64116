"""A table as a run: one that was interrupted ends as another, and what cannot be built is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from toy_tables import TOY, Stopping, contents

from metarl.errors import InvalidInput
from metarl.optimizer_search import TableConfig, begin_table, load_table, resume_table
from metarl.optimizer_search.settings.config import FilterConfig
from metarl.optimizer_search.tables import table_job, write_again
from metarl.optimizer_search.tables.table_files import FUNCTIONS, read_file
from metarl.optimizer_search.tables.table_job import TableJob
from metarl.runs import SilentProgress


def test_a_run_that_was_interrupted_ends_as_one_that_was_not(built, tmp_path, monkeypatch):
    monkeypatch.setenv("METARL_CHECKPOINT_SECONDS", "0")
    run = begin_table(TOY, tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        resume_table(run.path, progress=Stopping())
    half = load_table(run.path)
    assert [judge.name for judge in half.judges] == ["toy"]  # of use already
    document = resume_table(run.path, progress=SilentProgress())
    assert resume_table(run.path) == document  # read, not run
    assert [row["judge"] for row in document["judges"]] == ["toy", "toy x2"]
    for name in ("functions.npz", "toy.npz", "toy-x2.npz"):
        assert contents(run.path / "table" / name) == contents(built / "table" / name)


def test_a_table_stays_in_use_until_its_result_is_there_and_a_signal_says_how_to_go_on(
    tmp_path, stopped_at_the_end
):
    run = begin_table(dataclasses.replace(TOY, judges=TOY.judges[:1]), tmp_path / "run")
    used, told = stopped_at_the_end(run, resume_table, table_job, "load_table")
    assert used == [True] and told.endswith(f"Go on with: metarl resume {run.path}")


def test_files_are_written_again_from_the_losses_before_rounding(built, tmp_path):
    table = write_again(built, tmp_path / "again")
    assert [judge.name for judge in table.judges] == ["toy", "toy x2"]
    for name in ("functions.npz", "toy.npz", "toy-x2.npz"):
        assert contents(tmp_path / "again" / name) == contents(built / "table" / name)


def test_a_table_of_before_filters_had_a_bound_on_sizes_is_the_same_table(tmp_path):
    table = load_table("sign-2")
    assert "max_size" not in table.document["filters"] and table.filters.max_size is None
    count = len(table.tokens)
    prints = [np.frombuffer(table.places.fingerprint(place), np.uint8) for place in range(count)]
    functions = {"tokens": table.tokens, "sizes": table.sizes, "fingerprints": np.stack(prints)}
    config = TableConfig("sign", 2, table.max_size, ("quadratic",))
    TableJob(config, tmp_path).write_functions(functions, tmp_path)
    document, _ = read_file(tmp_path / FUNCTIONS, "functions")
    assert document["identity"] == table.document["identity"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"judges": ("digits-mpl",)}, "Did you mean 'digits-mlp'"),
        ({"judges": ("quadratic xfour",)}, "a horizon is a positive multiple"),
        (
            {"judges": ("quadratic x1e99",)},
            "a positive multiple of the problem's steps, at most 1,000",
        ),
        ({"judges": ("quadratic", "quadratic")}, "judges must be one or more different problems"),
        ({"space": "sing"}, "Did you mean 'sign'"),
        ({"filters": FilterConfig(max_size=2)}, "--max-size 2 says at which size they end"),
        ({"replicates": 1}, "replicates is 1; it must be from 2 to 100000"),
    ],
)
def test_settings_that_cannot_be_built_are_refused(tmp_path, values, words):
    with pytest.raises(InvalidInput, match=words):
        begin_table(dataclasses.replace(TOY, **values), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_space_that_is_too_large_is_refused_with_the_size_that_fits(tmp_path, monkeypatch):
    monkeypatch.setattr(table_job, "_MOST_FUNCTIONS", 20)
    run = begin_table(TOY, tmp_path / "run")
    with pytest.raises(InvalidInput, match=r"has more than 20 functions that pass.*--max-size 2"):
        resume_table(run.path, progress=SilentProgress())
