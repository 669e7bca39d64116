"""What experiments/rl2_table_1/against_published.py says of a cell, and of how many cells."""

from __future__ import annotations

import math
import runpy
from pathlib import Path

import pytest

FILE = Path(__file__).parents[3] / "experiments" / "rl2_table_1" / "against_published.py"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="needs a checkout")


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(FILE))


def cell(ours: float, error: float, rl2: float, snail: float) -> dict[str, dict[str, str]]:
    bounds = {"ours_low": str(ours - 1.96 * error), "ours_high": str(ours + 1.96 * error)}
    return {
        "RL²": {"paper": str(rl2), "ours": str(ours), **bounds},
        "SNAIL (published)": {"paper": str(snail)},
        "Gittins, exact, pulls left": {"ours": "10.5"},
    }


@pytest.mark.parametrize(
    ("ours", "told"),
    [
        (11.1, (True, True, True)),
        (10.8, (False, True, True)),  # lacks two standard errors of 0.1
        (11 - 2 * math.sqrt(0.11) + 0.01, (False, False, True)),
        (11 - 2 * math.sqrt(0.11) - 0.01, (False, False, False)),
    ],
)
def test_the_better_of_both_is_reached_by_our_noise_or_by_that_of_both(script, ours, told):
    found = script["compared"](cell(ours + 1e-9, 0.1, 10.0, 11.0), "RL²")
    assert (found["published"], found["whose"]) == (11.0, "SNAIL")
    assert (found["above"], found["within_ours"], found["within_both"]) == told
    assert found["bound_exceeded"]


def test_the_committed_table_is_what_the_script_makes_of_the_tables(script):
    rows = [row for folder in script["FOLDERS"] for row in script["rows_of"](folder)]
    written = FILE.with_suffix(".md").read_text(encoding="utf-8")
    for line in script["counts"](rows):
        assert line in written
    plain, *_ = script["counts"](rows)
    assert "of 15 cells: above in 4" in plain
