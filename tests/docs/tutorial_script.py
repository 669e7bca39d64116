"""A tutorial as one script, whose line numbers are those of the page, run in a process of its own.

A block of Python stands where it stands in the page. Where a fence opens, the script prints a mark, so that what each
block prints can be told apart; commands run by the same interpreter; a block with a caption is written as a file.
"""

from __future__ import annotations

import doctest
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from markdown_blocks import Block, blocks

_MARK = "\x1e"
_CHECKER = doctest.OutputChecker()


class Ran(NamedTuple):
    """A tutorial that has run.

    Attributes:
      folder: where it ran, with what it wrote.
      returncode: of the process.
      printed: by the line of a block's fence, what it printed.
      errors: the end of standard error.
      seconds: what it took.
    """

    folder: Path
    returncode: int
    printed: dict[int, str]
    errors: str
    seconds: float


def run_tutorial(page: Path, folder: Path) -> Ran:
    """Runs every block of a page in order, in a fresh process in `folder`."""
    script = folder / f"{page.stem}_tutorial.py"
    script.write_text(script_of(page), encoding="utf-8")
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, script.name], cwd=folder, capture_output=True, text=True, timeout=900
    )
    parts = done.stdout.split(_MARK)[1:]
    printed = {int(number): text for number, _, text in (part.partition("\n") for part in parts)}
    return Ran(folder, done.returncode, printed, done.stderr[-4000:], time.monotonic() - begun)


def script_of(page: Path) -> str:
    """Returns the script of a page."""
    found = blocks(page)
    lines = [""] * (max((block.first + len(block.lines) for block in found), default=0) + 1)
    for block in found:
        opening, body = _code(block)
        lines[block.fence - 1] = opening
        lines[block.first - 1 : block.first - 1 + len(body)] = body
    return "\n".join(lines) + "\n"


def differences(page: Path, ran: Ran) -> list[str]:
    """Returns a complaint for each output of a page that is not what its block printed."""
    complaints, found = [], blocks(page)
    for before, block in zip([*found[:1], *found], found, strict=False):
        if block.kind == "output":
            wanted, got = block.text, ran.printed.get(before.fence, "")
        elif block.kind == "console":
            wanted = "".join(f"{line}\n" for line in block.lines if not line.startswith("$ "))
            got = ran.printed.get(block.fence, "")
        else:
            continue
        if not _CHECKER.check_output(wanted, got, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE):
            complaints.append(f"{page.name}:{block.fence}: shows\n{wanted}but got\n{got}")
    return complaints


def _code(block: Block) -> tuple[str, list[str]]:
    """Returns what stands in the line of a block's fence, and in its lines."""
    mark = f"print({_MARK + str(block.fence)!r}, flush=True)"
    if block.caption:
        return f"import pathlib; pathlib.Path({block.caption!r}).write_text({block.text!r})", []
    if block.kind == "python":
        return mark, block.lines
    if block.kind == "console":
        return mark, [_command(line) for line in block.lines]
    return "", []


def _command(line: str) -> str:
    """Returns the statement that runs a command, with this interpreter; nothing for a line of output."""
    if not line.startswith("$ "):
        return ""
    words = ["-m", *shlex.split(line.removeprefix("$ "))]
    return f"import subprocess, sys; subprocess.run([sys.executable, *{words}], check=True)"
