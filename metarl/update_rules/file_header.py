"""The head of an exported file: the formula, where it was found, how to use it."""

from __future__ import annotations

import keyword
import re
import textwrap
from collections.abc import Iterable

from metarl.errors import require

from .expression import Binary, Operand, Unary, walk
from .named_rules import NAMED_RULES, NamedRule
from .primitives import BINARY, OPERANDS, UNARY
from .provenance import Provenance
from .rule import Rule

_WIDTH = 88
_DEFAULT_NAME = "found_rule"
_ADAM = NAMED_RULES["adam"]
_TUNED_ON = "all search problems of metarl together, which are short"
_IMPORTED_NAMES = ("annotations", "jax", "jnp", "math", "optax", "torch", "Any", "NamedTuple")


def identifier(rule: Rule, name: str | None) -> str:
    """Returns the name under which a rule is exported.

    Args:
      rule: the rule; one that has a name keeps it.
      name: what the user asked for, or None.

    Raises:
      InvalidInput: the name is no public ASCII identifier, or hides a module that the file imports.
    """
    if name is None:
        row = _row(rule)
        name = row.name.replace("-", "_") if row else _DEFAULT_NAME
    usable = (
        isinstance(name, str)
        and name.isidentifier()
        and name.isascii()
        and not keyword.iskeyword(name)
    )
    require(
        usable and not name.startswith("_") and name not in _IMPORTED_NAMES,
        f"The name of an exported rule is an identifier of Python, such as {_DEFAULT_NAME!r}; received {name!r}.",
    )
    return name


def class_name(name: str) -> str:
    """Returns an identifier in the style of classes: `found_rule` becomes `FoundRule`."""
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


def head(
    rule: Rule,
    name: str,
    provenance: Provenance,
    product: str,
    requirements: str,
    usage: Iterable[str],
) -> str:
    """Returns the docstring of an exported file, with its quotes.

    Args:
      rule: the rule.
      name: of what the file exports.
      provenance: where the rule comes from.
      product: what the file holds ("an optax transform").
      requirements: what it imports ("jax and optax").
      usage: lines of an example.
    """
    formula = str(rule).replace(" * ", " · ").replace(" - ", " − ")
    lines = [
        f"{name}: an update rule for neural networks, as {product}.",
        "",
        *_wrapped(f"update = {formula}", "    "),
        "    w ← w − learning_rate · update",
        "",
        *(f"- {line}" for line in _glossary(rule)),
        "",
        *_wrapped(f"LaTeX: {rule.to_latex()}"),
        "",
        *(line for fact in provenance.lines() for line in _wrapped(fact)),
        "",
        "Usage:",
        "",
        *indented(usage),
        "",
        f"Written by metarl; needs {requirements} alone.",
    ]
    # A raw string: LaTeX is full of backslashes. No line can end it, see `plain`.
    return "\n".join(['r"""' + lines[0], *lines[1:], '"""', ""])


def known_provenance(rule: Rule) -> Provenance:
    """Returns what the table of named rules knows of a rule."""
    row = _row(rule)
    if row is None:
        return Provenance()
    found = row.found
    return Provenance(
        found_in=row.source,
        problem=None if found is None else found.problem,
        seed=None if found is None else found.seed,
        metarl_version=None if found is None else found.versions.removeprefix("metarl "),
        learning_rate=row.learning_rate,
        adam_learning_rate=None if row.learning_rate is None else _ADAM.learning_rate,
        tuned_on=None if row.learning_rate is None else _TUNED_ON,
        note="; ".join(filter(None, (found and found.comparison, row.remarks))) or None,
    )


def example_rate(provenance: Provenance) -> str:
    """Returns the learning rate of a usage example: the one that is known, or Adam's 1e-3."""
    return f"{provenance.learning_rate or 1e-3:g}"


def indented(lines: Iterable[str]) -> list[str]:
    """Returns lines one level deeper."""
    return [f"    {line}" if line else "" for line in lines]


def _row(rule: Rule) -> NamedRule | None:
    return next((row for row in NAMED_RULES.values() if row.rule == rule), None)


def _glossary(rule: Rule) -> list[str]:
    """Returns what each operand and function of a rule means, read off the table."""
    meanings = {"g": "gradient", "w": "parameter"}
    for part in walk(rule.expression):
        match part:
            case Operand(name=name):
                meanings[name] = OPERANDS[name].meaning
            case Unary(name=name) if UNARY[name].precedence == 0:
                arguments = "x, k" if UNARY[name].constant else "x"
                meanings[f"{name}({arguments})"] = UNARY[name].meaning
            case Binary(name=name):
                # In the table, x and y are the arguments; here y is also an average of g^3.
                meaning = re.sub(r"\by\b", "b", re.sub(r"\bx\b", "a", BINARY[name].meaning))
                meanings[f"a {name} b"] = meaning
    if "progress" in rule.needs:
        meanings["p"] = (
            "min(t, T) / T, where t is the number of steps taken, T that of the whole run"
        )
    return [
        f"{name}: {meaning}"
        for name, meaning in meanings.items()
        if not _says_the_same(name, meaning)
    ]


def _says_the_same(name: str, meaning: str) -> bool:
    return re.sub(r"[() ]", "", name) == re.sub(r"[() ]", "", meaning)


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
