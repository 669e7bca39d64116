"""Where a rule's text is wrong: the column, the line with a caret below, and what to write instead.

A message shows at most a window of the text around the column, in characters of one column's width,
so it stays readable whatever was handed over.
"""

from __future__ import annotations

import unicodedata

from metarl.errors import InvalidInput

_WINDOW = 60  # columns of the text that a message shows
_CUT = "..."


class RuleSyntaxError(InvalidInput):
    """A text that is not a rule.

    Attributes:
      problem: what is wrong, in one line.
      column: where, counted from 1 within its line.
      line: the line of the text, counted from 1.
    """

    problem: str
    column: int
    line: int

    def __init__(self, problem: str, text: str, offset: int):
        """Builds the message that points at text[offset]."""
        start = text.rfind("\n", 0, offset) + 1
        end = text.find("\n", start)
        self.problem = problem
        self.line = text.count("\n", 0, start) + 1
        self.column = offset - start + 1
        where = f"line {self.line}, " if self.line > 1 else ""
        excerpt, caret = _excerpt(text[start : end if end >= 0 else None], offset - start)
        super().__init__(
            f"At {where}column {self.column} of the rule: {problem}\n  {excerpt}\n  {' ' * caret}^"
        )
        self._arguments = (problem, text, offset)

    def __reduce__(self) -> tuple[type[RuleSyntaxError], tuple[str, str, int]]:
        """Lets the error travel between processes."""
        return type(self), self._arguments


def _excerpt(line: str, column: int) -> tuple[str, int]:
    """Returns a window of the line around a column, and where the column is in it."""
    start = max(0, min(column - _WINDOW // 2, len(line) - _WINDOW))
    shown = "".join(_one_column(character) for character in line[start : start + _WINDOW])
    before = _CUT if start else ""
    after = _CUT if start + _WINDOW < len(line) else ""
    return f"{before}{shown}{after}", len(before) + column - start


def _one_column(character: str) -> str:
    if character.isascii():
        return character if character.isprintable() else " "
    wide = unicodedata.east_asian_width(character) in "WF" or unicodedata.combining(character)
    return "?" if wide or not character.isprintable() else character
