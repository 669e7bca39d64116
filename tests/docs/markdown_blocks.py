"""What the tests read in a page: its fenced blocks, the commands in them, its links, its tables of fields.

A block is a run of lines between two fences. Five kinds have a meaning:

    python                   runs
    {code-block} python      with a caption: becomes a file of that name
    console                  lines that begin with `$ ` are commands, the others what they print
    output                   what the block before it prints; `...` stands for anything
    text                     an example of what it prints, where that depends on the machine
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_FENCE = re.compile(r"^(`{3,})\s*(\{[\w-]+\})?\s*(.*?)\s*$")
_OPTION = re.compile(r"^:([\w-]+):\s*(.*)$")


class Block(NamedTuple):
    """A fenced block.

    Attributes:
      kind: its language, or the name of its directive in braces.
      caption: of a block that is a file; else "".
      lines: what is in it.
      fence: the number of the line that opens it, from 1.
      first: the number of the first of `lines`.
    """

    kind: str
    caption: str
    lines: list[str]
    fence: int
    first: int

    @property
    def text(self) -> str:
        """The block as one text, which ends with a line end."""
        return "".join(line + "\n" for line in self.lines)


def blocks(page: Path) -> list[Block]:
    """Returns the fenced blocks of a page, in their order."""
    found, opened, marks = [], None, ""
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        fence = _FENCE.match(line)
        if opened is None:
            if fence:
                marks, directive, word = fence.groups()
                kind = word if directive in (None, "{code-block}") else directive
                opened = Block(kind, "", [], number, number + 1)
        elif fence and fence[1] == marks and not fence[3]:
            found.append(opened)
            opened = None
        elif (option := _OPTION.match(line)) and not opened.lines:
            caption = option[2] if option[1] == "caption" else opened.caption
            opened = opened._replace(caption=caption, first=number + 1)
        elif line or opened.lines or not opened.caption:
            opened.lines.append(line)
        else:
            opened = opened._replace(first=number + 1)  # the empty line after options
    assert opened is None, f"{page}: the block of line {opened.fence} is not closed"  # type: ignore[union-attr]
    return found


def commands(page: Path) -> Iterator[tuple[int, list[str]]]:
    """Yields the words of every `metarl` command of a page's blocks, with the number of its line."""
    for block in blocks(page):
        if block.kind not in ("console", "bash", "", "sh"):
            continue
        prompt = "$ " if block.kind == "console" else ""
        lines = iter(enumerate(block.lines, start=block.first))
        for number, line in lines:
            if not line.startswith(f"{prompt}metarl "):
                continue
            while line.endswith("\\"):
                line = line[:-1] + next(lines)[1]
            typed = re.sub(r"\s[#>].*$", "", line.removeprefix(prompt))  # RUN_DIR#2 is no comment
            yield number, shlex.split(typed)


def links(page: Path) -> list[str]:
    """Returns where the links of a page lead, without those to the network."""
    text = re.sub(
        r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    text = re.sub(r"`[^`\n]+`", "", text)
    targets = re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text)
    return [target for target in targets if not target.startswith(("http:", "https:"))]


def headings(page: Path) -> set[str]:
    """Returns the anchors of a page's headings, as MyST makes them."""
    titles = re.findall(r"^#{1,3} (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    kept = [re.sub(r"[^\w\- ²]", "", title.strip().lower()) for title in titles]
    return {title.replace(" ", "-") for title in kept}


def table_below(page: Path, heading: str) -> dict[str, str]:
    """Returns name -> meaning of the tables in the section of that heading; a row may explain several names."""
    text = page.read_text(encoding="utf-8")
    found = re.search(
        rf"^(#+) {re.escape(heading)}$\n(.*?)(?=^#{{1,2}} |\Z)",
        text,
        flags=re.DOTALL | re.MULTILINE,
    )
    assert found, f"{page} has no heading {heading!r}"
    rows = re.findall(r"^\| (`.+?`) \| (.+) \|$", found[2], flags=re.MULTILINE)
    return {name: meaning for cell, meaning in rows for name in re.findall(r"`([^`]+)`", cell)}
