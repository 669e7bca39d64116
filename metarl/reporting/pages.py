"""Pages: one self-contained HTML file that opens from disk and asks the network for nothing.

Style, figures and formulas stand in the page itself; there is no script. The page follows the
reader's light or dark setting, wide tables and figures scroll inside their own box on a phone, and
everything that came from outside is escaped.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from importlib import resources
from typing import Any

from .blocks import Block, Code, Facts, Figure, Folded, Formula, Paragraph, Section
from .formulas import formula_svg
from .numerals import number_text
from .tables import Cell, Column, Table, cell_text, is_numeric


def html_page(
    title: str, sections: Sequence[Section], subtitle: str = "", language: str = "en"
) -> str:
    """Returns a whole page.

    Args:
      title: the page's title and first heading.
      sections: its parts, listed in the contents when there are several.
      subtitle: one line under the title.
      language: the language of the texts, for screen readers and hyphenation.

    Returns:
      The HTML document; write it with `write_file`.

    Raises:
      InvalidInput: if a formula cannot be set.
    """
    anchors = _anchors([section.heading for section in sections])
    lead = f'<p class="subtitle">{_escape(subtitle)}</p>' if subtitle else ""
    body = [
        f"<header><h1>{_escape(title)}</h1>{lead}</header>",
        _contents(sections, anchors) if len(sections) > 1 else "",
        "<main>",
        *(_section(section, anchor) for section, anchor in zip(sections, anchors, strict=True)),
        "</main>",
    ]
    style = resources.files("metarl.reporting").joinpath("page.css").read_text(encoding="utf-8")
    return (
        f'<!DOCTYPE html>\n<html lang="{_escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{_escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in body if part)
        + "\n</body>\n</html>\n"
    )


def _contents(sections: Sequence[Section], anchors: Sequence[str]) -> str:
    links = "".join(
        f'<li><a href="#{anchor}">{_escape(section.heading)}</a></li>'
        for section, anchor in zip(sections, anchors, strict=True)
    )
    return f'<nav aria-label="Contents"><ul>{links}</ul></nav>'


def _section(section: Section, anchor: str) -> str:
    blocks = "\n".join(_block(block) for block in section.blocks)
    return (
        f'<section id="{anchor}" aria-labelledby="{anchor}-heading">\n'
        f'<h2 id="{anchor}-heading">{_escape(section.heading)}</h2>\n{blocks}\n</section>'
    )


def _block(block: Block) -> str:
    """Returns the HTML of one block."""
    match block:
        case Paragraph(text):
            return f"<p>{_escape(text)}</p>"
        case Formula():
            return _formula(block)
        case Figure(drawing, caption):
            picture = _scrolling(drawing.svg, f"Figure: {caption}", "drawing")
            return f"<figure>{picture}<figcaption>{_escape(caption)}</figcaption></figure>"
        case Facts(values):
            rows = (
                f"<dt>{_escape(k)}</dt><dd>{_escape(_plain(v))}</dd>" for k, v in values.items()
            )
            return f"<dl>{''.join(rows)}</dl>"
        case Code(text):
            return _scrolling(f"<pre><code>{_escape(text)}</code></pre>", "Code", "code")
        case Folded(summary, blocks):
            inner = "\n".join(_block(inner) for inner in blocks)
            return f"<details><summary>{_escape(summary)}</summary>\n{inner}\n</details>"
        case Table():
            return _table(block)
        case _:
            raise TypeError(f"A section holds blocks, and received {type(block).__name__}.")


def _formula(formula: Formula) -> str:
    source = f"<code>{_escape(formula.text)}</code>" if formula.text else ""
    caption = f"<span>{_escape(formula.caption)}</span>" if formula.caption else ""
    below = f"<figcaption>{source}{caption}</figcaption>" if source or caption else ""
    svg = formula_svg(formula.latex, formula.text)
    return f'<figure class="displayed">{_scrolling(svg, "Formula", "line")}{below}</figure>'


def _table(table: Table) -> str:
    """Returns a table under its title, which stays in place when the table scrolls sideways.

    The first cell of a row is the row's heading.
    """
    numeric = [is_numeric(table, column) for column in table.columns]
    heads = "".join(
        f'<th scope="col"{_class("number" if n else "")}>{_escape(column.title)}</th>'
        for column, n in zip(table.columns, numeric, strict=True)
    )
    rows = "\n".join(
        f"<tr{_class('highlighted' if index in table.highlighted else '')}>"
        + "".join(
            _table_cell(column, row.get(column.name), n, first=column is table.columns[0])
            for column, n in zip(table.columns, numeric, strict=True)
        )
        + "</tr>"
        for index, row in enumerate(table.rows)
    )
    notes = "".join(f'<p class="note">{_escape(note)}</p>' for note in table.notes)
    grid = (
        f'<table aria-label="{_escape(table.title)}">\n<thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table>"
    )
    box = _scrolling(grid, f"Table: {table.title}", "rows")
    return f"<h3>{_escape(table.title)}</h3>\n{box}\n{notes}"


def _table_cell(column: Column, value: Any, numeric: bool, first: bool) -> str:
    content = _cell_content(column, cell_text(column, value))
    if first:
        return f'<th scope="row">{content}</th>'
    return f"<td{_class('number' if numeric else '')}>{content}</td>"


def _cell_content(column: Column, cell: Cell) -> str:
    """Returns a cell with the bounds and the verdict of an interval set apart."""
    if not cell.bounds:
        content = _escape(cell)
    else:
        estimate = cell[: cell.index(cell.bounds)].strip()
        bounds = f'<span class="bounds">{_minus(_escape(cell.bounds))}</span>'
        content = f"{_minus(_escape(estimate))} {bounds}"
    if column.better is None:
        return content
    return f'{content} <span class="verdict {cell.verdict}">{cell.verdict}</span>'


def _scrolling(content: str, label: str, kind: str) -> str:
    """Returns a box that scrolls sideways by touch and, as it takes the focus, by keyboard."""
    return f'<div class="scroll {kind}" role="region" aria-label="{_escape(label)}" tabindex="0">{content}</div>'


def _anchors(headings: Sequence[str]) -> list[str]:
    """Returns distinct ids made of the headings' letters and digits."""
    anchors: list[str] = []
    for heading in headings:
        stem = re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-") or "section"
        repeated = sum(re.fullmatch(rf"{stem}(-\d+)?", anchor) is not None for anchor in anchors)
        anchors.append(f"{stem}-{repeated + 1}" if repeated else stem)
    return anchors


def _plain(value: Any) -> str:
    """Returns a fact's value as people read it."""
    return number_text(value, digits=6) if isinstance(value, float) else str(value)


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def _escape(text: object) -> str:
    return html.escape(str(text), quote=True)


def _minus(text: str) -> str:
    """Returns numbers with a minus sign as wide as their plus, but not inside exponents."""
    return re.sub(r"(?<![\w.])-(?=[\d.i])", "−", text)
