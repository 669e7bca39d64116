"""Tables: one cell text for all readers, CSV and JSON of values, terminals of any width."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.reporting import (
    Column,
    Table,
    counted,
    interval_text,
    number_text,
    print_table,
    table_text,
    to_csv,
    to_json,
    to_markdown,
    write_csv,
    write_file,
    write_json,
)
from metarl.statistics import Interval

INF = float("inf")
TABLE = Table(
    "Finalists [digits-mlp]",
    [
        Column("rule", "optimizer"),
        Column("loss", "final test loss"),
        Column("difference", "minus tuned Adam", better="lower"),
        Column("accuracy", essential=False),
        Column("bytes", "state bytes per parameter", essential=False),
    ],
    [
        {
            "rule": "exp(sign(g) * sign(m)) * drop(adam, 0.3)",
            "loss": Interval(0.13123, 0.12834, 0.13411),
            "difference": Interval(-0.012, -0.015, -0.009),
            "accuracy": Interval(0.96, 0.95, 0.97),
            "bytes": np.int32(8),
        },
        {
            "rule": "[bold]sgd[/bold]",
            "loss": Interval(INF, 0.2, INF),
            "difference": Interval(3, 2, INF),
        },
        {"rule": "nadam", "loss": None, "difference": Interval(0.1, -0.1, 0.3), "bytes": 8},
    ],
    notes=["60 runs."],
    highlighted=(0,),
)


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (Interval(0.13123, 0.12834, 0.13411), "0.131 [0.128, 0.134]"),
        (Interval(52.34, 49.1, 55.8), "52 [49, 56]"),
        (Interval(-0.01234, -0.01301, -0.01178), "-0.0123 [-0.0130, -0.0118]"),
        (Interval(0.5, 0.5, 0.5), "0.5 [0.5, 0.5]"),
        (Interval(0.3, -INF, INF), "0.3 [–]"),
        (Interval(0.9123, 0.0, INF), "0.912 [–]"),
        (Interval(INF, -INF, INF), "inf [–]"),
        (Interval(2.0, 0.5, INF), "2.0 [0.5, inf]"),
        (Interval(INF, 0.125, INF), "inf [0.125, inf]"),
        (Interval(1.234e-9, 1.2e-9, 1.3e-9), "1.23e-9 [1.2e-9, 1.3e-9]"),
        (Interval(1.5e9, 1e9, 2e9), "1.5e9 [1e9, 2e9]"),
    ],
)
def test_intervals_show_the_decimals_that_they_support(interval, expected):
    assert " ".join(interval_text(interval)) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [(3, "3"), (100.0, "100"), (0.1, "0.1"), (0.031623, "0.0316"), (3.16e-4, "3.16e-4"),
     (1234.5, "1234"), (-0.5, "-0.5"), (0, "0"), (9.999, "10"), (7e12, "7e12"), (-INF, "-inf")],
)  # fmt: skip
def test_numbers_have_three_significant_digits(number, expected):
    assert number_text(number) == expected


def test_significant_differences_are_called_by_name_and_others_are_not():
    lines = {line.split()[0]: line for line in table_text(TABLE, 140).splitlines()}
    assert "-0.012 [-0.015, -0.009] better" in lines[">"]
    assert lines["[bold]sgd[/bold]"].count("worse") == 1
    assert not any(word in lines["nadam"] for word in ("better", "worse"))
    upward = dataclasses.replace(
        TABLE,
        columns=[*TABLE.columns[:2], Column("difference", better="higher"), *TABLE.columns[3:]],
    )
    assert "-0.009] worse" in table_text(upward, 140)


@pytest.mark.parametrize("width", [70, 80, 100, 140])
def test_no_line_is_wider_than_the_terminal_and_no_number_is_folded(width):
    text = table_text(TABLE, width)
    assert max(map(len, text.splitlines())) <= width
    assert "0.131 [0.128, 0.134]" in text
    assert "[bold]sgd[/bold]" in text.replace("\n", "") or width == 70


def test_columns_that_do_not_fit_are_named_below():
    narrow, wide = table_text(TABLE, 80), table_text(TABLE, 160)
    assert "Not shown in this width: accuracy, state bytes per parameter." in narrow.replace(
        "\n", " "
    )
    assert "Not shown" not in wide and "0.960 [0.950, 0.970]" in wide


@pytest.mark.parametrize("width", [24, 40, 60])
def test_in_a_narrow_terminal_columns_give_way_from_the_right_and_neither_numbers_nor_names_fold(
    width,
):
    columns = [Column("name", whole=True), Column("rules"), Column("meaning"), Column("bytes")]
    row = {"name": "breast-cancer-logistic", "rules": 3675, "meaning": "a b " * 20, "bytes": 403256}
    text = table_text(Table("judges", columns, [row]), width)
    assert max(map(len, text.splitlines())) <= width and "breast-cancer-logistic" in text
    shown = {24: (), 40: ("3675",), 60: ("3675", "a b", "403256")}[width]
    assert all(value in text for value in shown)
    missing = text.replace("\n", " ").partition("Not shown in this width: ")[2].strip()
    assert missing == {24: "rules, meaning, bytes.", 40: "meaning, bytes.", 60: ""}[width]
    narrow = table_text(TABLE, 44)
    assert "0.131 [0.128, 0.134]" in narrow and "minus tuned Adam" in narrow.replace("\n", " ")


def test_a_pipe_gets_plain_text_and_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    pipe, terminal = io.StringIO(), Terminal()
    print_table(TABLE, pipe)
    print_table(TABLE, terminal)
    assert "\x1b" not in pipe.getvalue() and pipe.getvalue() == table_text(TABLE)
    assert "\x1b[" in terminal.getvalue()


def test_csv_holds_full_precision_and_three_columns_per_interval(tmp_path: Path):
    rows = list(csv.DictReader(io.StringIO(to_csv(TABLE))))
    assert rows[0]["loss"] == "0.13123" and rows[0]["loss_low"] == "0.12834"
    assert rows[1]["loss_high"] == "inf" and rows[2]["loss"] == ""
    assert list(rows[0])[-1] == "bytes" and rows[0]["rule"] == TABLE.rows[0]["rule"]
    assert write_csv(tmp_path / "table.csv", TABLE).read_text() == to_csv(TABLE)


def refuse_constant(name: str):
    raise AssertionError(f"{name} is no JSON")


def test_json_is_strict_whatever_it_is_given(tmp_path: Path):
    value = {
        "table": TABLE,
        "losses": np.array([0.5, np.inf, np.nan]),
        "scalar": np.float32(0.5),
        "flag": np.bool_(True),
        "path": Path("here"),
        "set": {2, 1},
        3: -INF,
    }
    read = json.loads(to_json(value), parse_constant=refuse_constant)
    assert read["table"]["rows"][1]["loss"] == {"estimate": None, "low": 0.2, "high": None}
    assert read["losses"] == [0.5, None, None]
    assert (read["scalar"], read["flag"], read["path"], read["set"]) == (0.5, True, "here", [1, 2])
    assert read["3"] is None
    assert json.loads(write_json(tmp_path / "a.json", value).read_text()) == read


@pytest.mark.parametrize("value", [object(), {("a", "b"): 1}, b"bytes"])
def test_what_has_no_counterpart_in_json_is_refused(value):
    with pytest.raises(TypeError, match="JSON"):
        to_json({"value": value} if not isinstance(value, dict) else value)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    target = write_file(tmp_path / "a.txt", "old")

    def no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", no_space)
    with pytest.raises(OSError, match="No space"):
        write_file(target, "new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert target.read_text() == "old"


def test_rows_and_columns_must_match():
    with pytest.raises(InvalidInput, match=r"no column: \['b'\]"):
        Table("t", [Column("a")], [{"b": 1}])
    with pytest.raises(InvalidInput, match="distinct names"):
        Table("t", [Column("a"), Column("a")], [])


def test_a_table_without_rows_is_still_a_table():
    empty = Table("Nothing", [Column("a")], [])
    assert table_text(empty).startswith("Nothing\n") and to_csv(empty) == "a\n"


def test_markdown_has_one_line_a_row_and_no_stray_bars():
    table = Table(
        "Agents",
        [Column("agent"), Column("return", "return of a trial")],
        [{"agent": "a | b", "return": Interval(1.5, 1.0, 2.0)}, {"agent": "c", "return": None}],
        notes=["A note."],
    )
    assert to_markdown(table) == (
        "### Agents\n\n| agent | return of a trial |\n| --- | ---: |\n"
        "| a \\| b | 1.5 [1.0, 2.0] |\n| c | – |\n\nA note.\n"
    )


def test_a_count_agrees_with_its_noun():
    assert [counted(n, "fresh seed") for n in (0, 1, 2)] == [
        "0 fresh seeds",
        "1 fresh seed",
        "2 fresh seeds",
    ]
    assert counted(1_200, "search") == "1,200 searches" and counted(1, "search") == "1 search"
