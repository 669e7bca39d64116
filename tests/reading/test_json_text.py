"""JSON is read strictly, within bounds, and not by way of links that lead elsewhere."""

from __future__ import annotations

import json
import os
import tracemalloc
from pathlib import Path

import pytest

from metarl.errors import InvalidInput
from metarl.reading import MOST_DEPTH, parse_json, read_bytes, read_json, read_json_object


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -1, 2**128, 1.5, 1e-320, "", 'é\U0001f600\n"', [], {}, [[1], {"a": {"b": []}}]],
    ids=str,
)
def test_what_json_can_hold_comes_back(value):
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        assert parse_json(text, "it") == parse_json(text.encode(), "it") == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ('{"a": 1} x', "Extra data"),
        ("NaN", "NaN is not a number of JSON"),
        ("[-Infinity]", "-Infinity is not a number of JSON"),
        ("1e999", "the number 1e999 is too large for a float"),
        ("1" * 41, "a whole number has more than 40 digits"),
        ("1" * 10_000, "a whole number has more than 40 digits"),
        ('{"a": 1, "b": 2, "a": 3}', "the name 'a' stands twice in one object"),
        ('"\\ud800"', "not UTF-8 text"),
        ('{"\\uDC00": 1}', "not UTF-8 text"),
        ('"\ud800"', "not UTF-8 text"),
        (b'"\xff"', "not UTF-8 text"),
        ('"é"'.encode("utf-16"), "not UTF-8 text"),
        ("\ufeff1", "Expecting value"),
        ("[" * 100_000, "more than 64 levels deep"),
        ("[" * 100 + "]" * 100, "more than 64 levels deep"),
        ('{"a":' * 100_000, "more than 64 levels deep"),
        ('{"a":' * 65 + "1" + "}" * 65, "more than 64 levels deep"),
    ],
    ids=lambda value: str(value)[:20].encode("ascii", "replace").decode(),
)
def test_what_is_no_strict_json_is_refused_in_one_line(text, reason):
    with pytest.raises(InvalidInput) as refused:
        parse_json(text, "It")
    message = str(refused.value)
    assert message.startswith("It cannot be read") and reason in message and "\n" not in message


def test_the_deepest_document_is_read():
    text = "[" * MOST_DEPTH + "]" * MOST_DEPTH
    assert json.dumps(parse_json(text, "it")) == text


def test_a_pair_of_surrogates_is_one_character():
    assert parse_json('"\\ud83d\\ude00"', "it") == "\U0001f600"


@pytest.mark.parametrize("piece", ["[],", "{},", '{"a":0},', "0,", '"é",', "1.5,", "[[[]]],"])
def test_a_document_takes_a_bounded_multiple_of_its_text(piece):
    text = f"[{piece * (2**18 // len(piece))}0]"
    tracemalloc.start()
    try:
        parse_json(text, "it")
        assert tracemalloc.get_traced_memory()[1] < 45 * len(text)
    finally:
        tracemalloc.stop()


def test_a_file_that_is_too_large_is_refused_unread(tmp_path):
    path = tmp_path / "a.json"
    with path.open("wb") as file:
        file.truncate(2**40)  # takes no place on the disk
    with pytest.raises(InvalidInput, match="1,099,511,627,776 bytes; of such a file at most 1,000"):
        read_json(path, most=1000)


def test_what_is_no_regular_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(InvalidInput, match="is not a regular file"):
            read_bytes(path, 10)


def test_a_link_is_followed_within_its_place_and_not_out_of_it(tmp_path):
    inside = tmp_path / "place"
    inside.mkdir()
    (tmp_path / "outside.json").write_text("1")
    (inside / "own.json").write_text("2")
    (inside / "near.json").symlink_to("own.json")
    (inside / "far.json").symlink_to("../outside.json")
    assert read_json(inside / "near.json", beneath=inside) == 2
    assert read_json(inside / "far.json") == 1
    for far in (inside / "far.json", inside / ".." / "outside.json"):
        with pytest.raises(InvalidInput, match="leads out of"):
            read_json(far, beneath=inside)


def test_an_object_is_asked_for_by_name(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("[1]")
    with pytest.raises(InvalidInput, match="does not hold a JSON object, but a list"):
        read_json_object(path)
    path.write_text('{"a": null}')
    assert read_json_object(path) == {"a": None}
