"""Errors a user can cause: one class, one wording.

Everything that a person can type wrong or hand over wrong is reported as `InvalidInput`: what was received, what is
accepted, what to do. The command line prints its message on one line and exits with code 2; any other exception is a
defect of metarl and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InvalidInput(ValueError):
    """A value that came from the user and cannot be used; the message says what to do about it."""


class UnexpectedKeyword(InvalidInput, TypeError):
    """A keyword that nothing takes. Python's own error is a `TypeError`, on which alone those fall back who probe."""

    def __init__(self, message: str, keyword: str = "") -> None:
        super().__init__(message)
        self.keyword = keyword


def require(condition: bool, message: str) -> None:
    """Raises `InvalidInput(message)` unless `condition` holds."""
    if not condition:
        raise InvalidInput(message)


def reason(error: Exception) -> str:
    """Returns what an error says, to stand within the sentence of another: what a user caused in its own words."""
    if isinstance(error, InvalidInput):
        return str(error).removesuffix(".")
    return f"{type(error).__name__}: {error}"


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """Returns the member of `known` that `name` most likely meant, or None if nothing is close."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    close = difflib.get_close_matches(name[:100].casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else None


def unknown_name(kind: str, name: str, known: Iterable[str]) -> InvalidInput:
    """Returns the error for a name that is in no table.

    Args:
      kind: what the name should have named, in the singular ("problem", "strategy").
      name: what was received.
      known: the names that are accepted.

    Returns:
      The error to raise; it suggests the nearest known name and lists all of them.
    """
    names = sorted(known)
    suggestion = nearest_name(name, names)
    hint = f" Did you mean {suggestion!r}?" if suggestion else ""
    return InvalidInput(f"Unknown {kind} {name[:100]!r}.{hint} Known: {', '.join(names)}.")
