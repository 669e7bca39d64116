"""titled rules: rules as settings name them, "Adam = m / sqrt(v)" or the name of a rule alone."""

from __future__ import annotations

from collections.abc import Sequence

from metarl.errors import require
from metarl.update_rules import NAMED_RULES, Rule, resolve

_SEPARATOR = " = "
FOUND = "found"  # stands for all rules that searches of metarl found


def titled_rules(texts: Sequence[str]) -> dict[str, Rule]:
    """Returns rules by title, in their order.

    Args:
      texts: each "TITLE = RULE", or a rule's name or text, which is its own title; "found" stands for all named rules
        that searches of metarl found.

    Raises:
      InvalidInput: a rule that cannot be read, or a title that stands twice.
    """
    rules: dict[str, Rule] = {}
    for text in _with_found(texts):
        title, separator, rule = text.partition(_SEPARATOR)
        require(title not in rules, f"The title {title!r} stands twice.")
        rules[title] = resolve(rule if separator else title)
    return rules


def _with_found(texts: Sequence[str]) -> list[str]:
    found = [name for name, row in NAMED_RULES.items() if row.found_here]
    return [name for text in texts for name in (found if text == FOUND else [text])]
