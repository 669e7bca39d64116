"""metarl's docstrings as reStructuredText: what is plain in them stays plain.

The docstrings are written to be read in the source, so three things are said there more simply than Sphinx wants them:

- A paragraph that is indented is a formula or code, and is shown as it stands.
- `*`, `|` and `_` mean themselves, outside of backticks too.
- The meaning and the shape of a field stand behind it in a comment; here they describe it.
- A table or a list of names has no docstring; its names are shown.

napoleon comes afterwards and reads the sections.
"""

from __future__ import annotations

import ast
import inspect
import io
import re
import textwrap
import tokenize
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_SECTION = re.compile(r"(Args|Attributes|Returns|Yields|Raises|Examples?|References?|Papers?):\s*$")
_BEGINS_AN_ITEM = re.compile(r"\s*([-*]|\d+\.) ")
_CODE = re.compile(r"(``.+?``|`[^`]+`(?:__?)?|(?<!\w)\*\w+\*(?!\w))", re.DOTALL)
_FIELD_OF_A_TUPLE = "Alias for field number"  # how Python describes the fields of a NamedTuple


def setup(app: Any) -> dict[str, Any]:
    """Connects to autodoc, before napoleon (whose priority is the usual 500)."""
    app.connect("autodoc-process-docstring", _process, priority=400)
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def plain(lines: list[str]) -> list[str]:
    """Returns a docstring's lines as reStructuredText that shows what they say."""
    made: list[str] = []
    for kind, block in _blocks(lines):
        if kind == "formula":
            made += ["::", "", *(f"  {line}" for line in block), ""]
        elif kind == "text":
            made += _escaped("\n".join(block)).split("\n")
        else:
            made += block
    return made


class Field(NamedTuple):
    """A field of a class, as the source describes it."""

    kind: str  # its type
    comment: str  # behind it
    docstring: str  # below it


def fields_of(source: str) -> dict[str, Field]:
    """Returns the public fields in the source of a class, by name."""
    source = textwrap.dedent(source)
    tree = ast.parse(source).body[0]
    assert isinstance(tree, ast.ClassDef)
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    found: dict[str, Field] = {}
    for node, following in zip(tree.body, [*tree.body[1:], ast.Pass()], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            comment = " ".join(comments[line] for line in lines if line in comments)
            kind = ast.unparse(node.annotation).strip("'\"")
            found[node.target.id] = Field(kind, comment, _text_of(following))
    return {name: field for name, field in found.items() if not name.startswith("_")}


def _process(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    del app, name, options
    has_section = any(line.strip() == "Attributes:" for line in lines)
    if what == "data" and "\n".join(lines).strip() == (inspect.getdoc(type(thing)) or "").strip():
        lines[:] = _names(thing)
    lines[:] = plain(lines)
    if what == "class" and not has_section:
        lines += _attributes(thing)
    if what in ("attribute", "data", "property") and ":" in "".join(lines[:1]):
        lines.insert(0, "\\")  # nothing; or napoleon takes what stands before a colon for a type


def _skip(app: Any, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Leaves out the fields of a NamedTuple, of which Python knows only the number."""
    del app, what, name, skip, options
    return True if (getattr(thing, "__doc__", "") or "").startswith(_FIELD_OF_A_TUPLE) else None


def _attributes(thing: Any) -> list[str]:
    """Returns a description of each field of a class of which autodoc itself says nothing."""
    try:
        fields = fields_of(inspect.getsource(thing))
    except (OSError, TypeError):  # not a class of ours
        return []
    if not issubclass(thing, tuple):  # then autodoc shows the docstrings below fields
        fields = {name: field for name, field in fields.items() if field.comment}
    lines = []
    for name, field in fields.items():
        meaning = _escaped(field.docstring or field.comment)
        lines += ["", f".. attribute:: {name}", f"   :type: {field.kind}", "", f"   {meaning}"]
    return [*lines, ""]


def _names(thing: Any) -> list[str]:
    """Returns what a table or a list holds; nothing for other values."""
    if not isinstance(thing, Mapping | tuple) or not thing:
        return []
    names = [getattr(member, "name", member) for member in thing]
    kind = "table" if isinstance(thing, Mapping) else "tuple"
    return [f"A {kind} of {len(names)}.", "", ", ".join(f"``{name}``" for name in names)]


def _text_of(node: ast.stmt) -> str:
    """Returns the text of a statement that is a text, in one line; "" of any other."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return " ".join(str(node.value.value).split())
    return ""


def _blocks(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yields runs of lines: "text", "formula" (indented, outside of a section) or "as is"."""
    section, directive, kind, block = False, False, "text", []
    blank_before, item = True, False
    for line in lines:
        indented = line.startswith(" ")
        if line.strip() and not indented:
            section = bool(_SECTION.fullmatch(line))
            directive = line.startswith(".. ")
            item = bool(_BEGINS_AN_ITEM.match(line))
        new = kind
        if line.strip():
            new = _kind(line, kind, section, directive, item, blank_before)
        if new != kind and block:
            yield kind, block
            block = []
        kind = new
        if kind == "text" and indented and not section and not item and not blank_before:
            line = line.strip()  # goes on with the line above
        block.append(line)
        blank_before = not line.strip()
    if block:
        yield kind, block


def _kind(
    line: str, before: str, section: bool, directive: bool, item: bool, blank_before: bool
) -> str:
    indented = line.startswith(" ")
    if directive or (section and ".. math::" in line) or line.lstrip().startswith(">>>"):
        return "as is"
    if before == "as is" and not blank_before:
        return "as is"  # what a doctest prints
    if not indented or section or item:
        return "text"
    return "formula" if blank_before or before == "formula" else "text"


def _escaped(text: str) -> str:
    """Returns text in which marks mean themselves, outside of backticks."""
    parts = _CODE.split(text)
    parts[::2] = [re.sub(r"([*|]|_(?=\W|$))", r"\\\1", part) for part in parts[::2]]
    parts[2::2] = [re.sub(r"^(?=\w)", r"\\ ", part) for part in parts[2::2]]  # `name`s
    return "".join(parts)
