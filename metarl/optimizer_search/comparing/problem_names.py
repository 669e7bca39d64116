"""problem names: which problems a text means, that no two share a name, and what their files are called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from metarl import problems as problem_suite
from metarl.errors import require
from metarl.problems import Problem

from ..settings.compare_config import GROUPS


def suite_names(texts: Sequence[str]) -> list[str]:
    """Returns the problems that texts name, groups written out: search, held-out, all; none that needs data."""
    names: list[str] = []
    for text in texts:
        role = None if text == "all" else text
        names += problem_suite.suite(role) if text in GROUPS else [text]  # type: ignore[arg-type]
    return list(dict.fromkeys(names))


def require_different_names(problems: Iterable[Problem]) -> None:
    """Refuses problems whose results could not be told apart.

    Args:
      problems: one may be among them more than once.

    Raises:
      InvalidInput: two different ones have the same name, or names that make the same name of a file.
    """
    names = [problem.name for problem in {id(problem): problem for problem in problems}.values()]
    require(
        len(set(names)) == len(names),
        f"Two different problems have the same name; received {', '.join(names)}. Rename one.",
    )
    require(
        len(set(map(file_stem, names))) == len(names),
        f"Files of two problems would have the same name; received {', '.join(names)}. Rename one.",
    )


def file_stem(problem: str) -> str:
    """Returns a problem's name as the beginning of the name of a file.

    >>> file_stem("my problem: 2/3")
    'my-problem-2-3'
    """
    return re.sub(r"[^A-Za-z0-9._]+", "-", problem).strip("-.") or "problem"
