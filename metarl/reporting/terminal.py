"""Tables in a terminal: readable at 80 columns, without colour, and in a pipe.

Columns that are not essential give way when the terminal is narrow, then those on the right, and the
line below the table names them. A stream that is no terminal gets plain text, without a single escape code, as wide as
the columns need up to 100.
"""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Mapping
from typing import Any, Literal, TextIO

from .tables import Column, Table, cell_text, is_numeric

PIPE_WIDTH = 100
GAP = 2  # spaces between columns; rich adds one of them itself
MARK = ">"  # before a highlighted row
VERDICT_WIDTH = len("better")
COMFORTABLE_TEXT = 26  # characters of a text, such as a rule, before it is folded
SHORTEST_TEXT = 10


def print_table(table: Table, stream: TextIO | None = None) -> None:
    """Prints a table, in the terminal's width and colours if the stream is one.

    Args:
      table: what to print.
      stream: where to; standard output if None.
    """
    target = stream or sys.stdout
    if target.isatty():
        _render(table, target, shutil.get_terminal_size().columns, "auto")
    else:
        target.write(table_text(table))


def table_text(table: Table, width: int = PIPE_WIDTH) -> str:
    """Returns a table as plain text at most `width` characters wide, ending in a newline."""
    text = io.StringIO()
    _render(table, text, width, None)
    return "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())


def _render(table: Table, stream: TextIO, width: int, colours: Literal["auto"] | None) -> None:
    from rich.console import Console
    from rich.text import Text

    widths = _column_widths(table, width)
    console = Console(
        file=stream,
        width=width,
        force_terminal=colours is not None,
        color_system=colours,
        highlight=False,
    )
    console.print(Text(table.title, style="bold"))
    console.print(_grid(table, widths))
    for note in _notes(table, widths):
        console.print(Text(note, style="dim"))


def _column_widths(table: Table, width: int) -> dict[str, int]:
    """Returns the characters of each column that is shown, by its name.

    Numbers and what is `whole` are never folded. Texts take what is left, and at least
    `SHORTEST_TEXT`; columns that are not essential stay as long as every text keeps
    `COMFORTABLE_TEXT` or all that it wants. Where even the shortest do not fit, columns give way
    from the right.
    """
    wanted = {column.name: _natural_width(table, column) for column in table.columns}
    texts = [c.name for c in table.columns if not c.whole and not is_numeric(table, c)]
    comfortable = {n: min(w, COMFORTABLE_TEXT) if n in texts else w for n, w in wanted.items()}
    room = width + GAP - (len(MARK) + GAP if table.highlighted else 0)
    shortest = {n: min(w, SHORTEST_TEXT) if n in texts else w for n, w in wanted.items()}
    kept = [column.name for column in table.columns if column.essential]
    while len(kept) > 1 and sum(shortest[name] + GAP for name in kept) > room:
        kept.pop()
    shown = {name: comfortable[name] for name in kept}
    room -= sum(shown.values()) + GAP * len(shown)
    for column in table.columns:
        if not column.essential and room >= comfortable[column.name] + GAP:
            shown[column.name] = comfortable[column.name]
            room -= comfortable[column.name] + GAP
    foldable = [name for name in texts if name in shown]
    while room < 0 and any(shown[name] > shortest[name] for name in foldable):
        longest = max(foldable, key=lambda name: shown[name] - shortest[name])
        shown[longest] -= 1
        room += 1
    for name in foldable:
        more = max(0, min(wanted[name] - shown[name], room))
        shown[name] += more
        room -= more
    return {column.name: shown[column.name] for column in table.columns if column.name in shown}


def _natural_width(table: Table, column: Column) -> int:
    """Returns the characters that a column needs to be unfolded; headings fold at their spaces."""
    from rich.cells import cell_len

    cells = [cell_len(_padded(column, row.get(column.name))) for row in table.rows]
    return max([1, *map(cell_len, column.title.split()), *cells])


def _grid(table: Table, widths: Mapping[str, int]) -> Any:
    """Returns the rich table of the columns that have a width."""
    from rich import box
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, GAP - 1, 0, 0), show_edge=False)
    if table.highlighted:
        grid.add_column("", width=len(MARK))
    columns = [column for column in table.columns if column.name in widths]
    for column in columns:
        justify = "right" if is_numeric(table, column) else "left"
        grid.add_column(
            Text(column.title), width=widths[column.name], justify=justify, overflow="fold"
        )
    for index, row in enumerate(table.rows):
        highlighted = index in table.highlighted
        mark = [Text(MARK if highlighted else "")] if table.highlighted else []
        cells = [_styled(column, row.get(column.name)) for column in columns]
        grid.add_row(*mark, *cells, style="bold" if highlighted else None)
    return grid


def _padded(column: Column, value: Any) -> str:
    """Returns a cell's text; without a verdict it keeps the room of one, so that numbers align."""
    cell = cell_text(column, value)
    if column.better is None:
        return cell
    return cell if cell.verdict else cell + " " * (1 + VERDICT_WIDTH)


def _styled(column: Column, value: Any) -> Any:
    """Returns a cell as rich text; never as markup, in which brackets would be tags."""
    from rich.text import Text

    cell = cell_text(column, value)
    text = Text(_padded(column, value))
    if cell.verdict:
        length = len(cell.verdict)
        text.stylize("green" if cell.verdict == "better" else "red", len(cell) - length)
        text.append(" " * (VERDICT_WIDTH - length))
    return text


def _notes(table: Table, widths: Mapping[str, int]) -> list[str]:
    """Returns the lines below the table, among them what was left out for lack of room."""
    hidden = [column.title for column in table.columns if column.name not in widths]
    missing = [f"Not shown in this width: {', '.join(hidden)}."] if hidden else []
    return [*table.notes, *missing]
