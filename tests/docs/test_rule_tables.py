"""The page on rule tables: its examples run, and its sizes are those that the command prints."""

from __future__ import annotations

import json
import re

import pytest
from markdown_blocks import blocks

from metarl.cli import main


@pytest.fixture(scope="module")
def page_blocks(docs):
    return blocks(docs / "rule_tables.md")


def test_the_examples_run(page_blocks, capsys):
    for block in page_blocks:
        if block.kind == "python":
            exec(compile(block.text, "rule_tables.md", "exec"), {})
    printed = capsys.readouterr().out
    assert re.match(r"\d+ of 125 rules end below tuned Adam\n\S+", printed)


def test_the_rounding_of_the_page_is_that_of_the_files(docs):
    from metarl.optimizer_search.tables.packing import ROUNDING, STEP

    page = (docs / "rule_tables.md").read_text(encoding="utf-8")
    assert f"exp({STEP} (*c* - 126))" in page and f"({ROUNDING} in its logarithm)" in page


def test_the_sizes_are_those_that_the_command_prints(docs, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    main(["list", "tables"])
    printed = capsys.readouterr().out
    shown = (docs / "rule_tables.txt").read_text(encoding="utf-8")
    assert [line.split() for line in printed.splitlines()] == [
        line.split() for line in shown.splitlines()
    ]
    main(["list", "tables", "--json"])
    facts = json.loads(capsys.readouterr().out)["tables"]
    for name, row in facts.items():
        assert name.partition(": ")[2] in shown and str(row["bytes"]) in shown
