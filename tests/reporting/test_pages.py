"""Pages: well-formed, escaped, self-contained, for light and dark."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from metarl.reporting import (
    Code,
    Column,
    Curve,
    Facts,
    Figure,
    Folded,
    Formula,
    Paragraph,
    Section,
    Table,
    curve_chart,
    html_page,
)
from metarl.statistics import Interval

HOSTILE = "<script>alert('x')</script> & \"quoted\""
VOID = {"meta", "br", "hr", "img", "link", "input"}


class Reader(HTMLParser):
    """Collects tags, attributes and text, and complains about tags that do not match."""

    def __init__(self, page: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def page() -> str:
    table = Table(
        HOSTILE,
        [Column("rule", HOSTILE), Column("difference", "minus Adam", better="lower")],
        [
            {"rule": HOSTILE, "difference": Interval(-0.12, -0.15, -0.09)},
            {"rule": "adam", "difference": None},
        ],
        notes=[HOSTILE],
        highlighted=(0,),
    )
    drawing = curve_chart([Curve(HOSTILE, [1, 2], [3, 4])], HOSTILE, "loss")
    blocks = [
        Paragraph(HOSTILE),
        Formula(r"e^{g}", HOSTILE, HOSTILE),
        Figure(drawing, HOSTILE),
        Facts({HOSTILE: HOSTILE, "seconds": 1.5}),
        Code(HOSTILE),
        Folded(HOSTILE, [table]),
        table,
    ]
    return html_page(HOSTILE, [Section(HOSTILE, blocks), Section(HOSTILE, [])], HOSTILE)


def test_every_tag_is_closed_in_order(page):
    reader = Reader(page)
    assert reader.open == []
    assert page.startswith("<!DOCTYPE html>") and reader.named("html")[0]["lang"] == "en"


def test_every_text_is_escaped_and_still_reads_as_it_was_given(page):
    reader = Reader(page)
    assert reader.named("script") == []
    assert "".join(reader.text).count(HOSTILE) >= 12
    assert reader.named("svg")[0]["aria-label"] == HOSTILE


def test_nothing_is_loaded_from_anywhere(page):
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)|javascript:", page)
    for _, attributes in Reader(page).tags:
        assert not {"src", "srcset", "data", "action"} & set(attributes)
        assert all(
            str(attributes[name]).startswith("#") for name in ("href",) if name in attributes
        )
        assert not any(name.startswith("on") for name in attributes)


def test_links_lead_to_ids_and_ids_are_distinct(page):
    reader = Reader(page)
    ids = [str(a["id"]) for tag, a in reader.tags if "id" in a and tag in ("section", "h2")]
    assert len(set(ids)) == len(ids) == 4
    assert {str(a["href"])[1:] for a in reader.named("a")} <= set(ids)


def test_both_colour_schemes_and_a_phone_are_provided_for(page):
    assert "prefers-color-scheme: dark" in page and "color-scheme: light dark" in page
    assert any(a.get("name") == "viewport" for a in Reader(page).named("meta"))
    light, dark = page.split("prefers-color-scheme: dark", 1)
    defined = set(re.findall(r"(--\w+):", light))
    assert set(re.findall(r"(--\w+):", dark)) == defined
    assert set(re.findall(r"var\((--\w+)\)", page)) <= defined


def test_tables_and_figures_scroll_in_boxes_that_a_keyboard_reaches(page):
    boxes = [a for a in Reader(page).named("div") if "scroll" in str(a.get("class"))]
    assert len(boxes) == 5
    assert all(a["tabindex"] == "0" and a["role"] == "region" and a["aria-label"] for a in boxes)


def test_tables_have_headings_for_rows_and_columns_and_words_for_verdicts(page):
    scopes = [a["scope"] for a in Reader(page).named("th")]
    assert scopes.count("col") == 4 and scopes.count("row") == 4
    assert page.count('<span class="verdict better">better</span>') == 2
    assert "−0.12" in page


def test_a_page_of_one_section_has_no_list_of_contents():
    assert "<nav" not in html_page("One", [Section("Only", [])])


def test_what_is_no_block_is_refused():
    with pytest.raises(TypeError, match="received str"):
        html_page("Page", [Section("Part", ["text"])])  # pyright: ignore[reportArgumentType]
