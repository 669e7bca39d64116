"""What a person types for a rule: a name, a rule's text, a run, or a rank in a run (`RUN_DIR#2`).

A run's rules are those of its `result.json`, in the order of their score on choice data; their provenance (problem,
seed, learning rate relative to Adam's) comes with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metarl.errors import InvalidInput, require
from metarl.reading import read_json_object
from metarl.runs import RunDirectory
from metarl.update_rules import NAMED_RULES, Provenance, Rule, parse, resolve


@dataclass(frozen=True)
class FoundRule:
    """A rule, and what is known of it beside its text.

    Attributes:
      rule: the rule.
      provenance: where it was found; None for a name or a text, whose provenance the exporters know.
      learning_rate: the one it was tuned to, or None.
    """

    rule: Rule
    provenance: Provenance | None = None
    learning_rate: float | None = None


def read_rule(text: str, rank: int = 1) -> FoundRule:
    """Returns the rule that a person means.

    Args:
      text: a name ("powersign"), a rule's text, the directory of a run, or "RUN_DIR#rank".
      rank: which of a run's best rules, counted from 1, where the text has no rank of its own.

    Raises:
      InvalidInput: there is no such rule, run or rank; the message says what there is.
    """
    place, mark, number = text.rpartition("#")
    if mark:
        require(
            number.isascii() and number.isdigit(),
            f"{text[:100]!r}: after # stands a rank, such as RUN_DIR#1, not {number[:20]!r}.",
        )
        return _rule_of_run(place, int(number[:9]))
    if text not in NAMED_RULES and _is_directory(text):
        return _rule_of_run(text, rank)
    try:
        return FoundRule(resolve(text))
    except InvalidInput as error:
        raise _no_such_run(text) or error from None


def is_of_run(text: str) -> bool:
    """Returns whether the text names a run, or a rank in one, rather than a rule."""
    return "#" in text or (text not in NAMED_RULES and _is_directory(text))


def _no_such_run(text: str) -> InvalidInput | None:
    """Returns the error for what is no rule and lies where runs are; None if it does not."""
    folder = text.rpartition("/")[0]
    if not folder or not _is_directory(folder):
        return None
    return InvalidInput(
        f"{text[:100]!r} is no rule, and there is no such directory. Give a name (`metarl list rules`), "
        f"a rule's text, or the directory of a search; `metarl runs list {folder[:100]}` shows those there are."
    )


def _is_directory(text: str) -> bool:
    try:
        return Path(text).is_dir()
    except (OSError, ValueError):  # too long for a path, or a NUL in it
        return False


def _rule_of_run(place: str, rank: int) -> FoundRule:
    """Returns the rule of that rank in a finished run."""
    run = RunDirectory.open(place)
    require(
        run.job == "search",
        f"Run {str(run.path)!r} is a {run.job} and holds no rule. The agent of a training is a file "
        "already: agent.npz, with agent.json beside it.",
    )
    result = _result(run)
    best = result["best"]
    require(
        1 <= rank <= len(best),
        f"Run {str(run.path)!r} has {len(best)} best rules; there is no rank {rank}.",
    )
    entry = best[rank - 1]
    try:
        provenance = _provenance(run, result, entry, rank)
        return FoundRule(parse(entry["rule"]), provenance, entry["learning_rate"])
    except (KeyError, TypeError, AttributeError, ArithmeticError) as error:
        raise InvalidInput(
            f"The result of run {str(run.path)!r} is damaged ({type(error).__name__}: {error})."
        ) from error


def _result(run: RunDirectory) -> dict[str, Any]:
    """Returns the document of a finished search."""
    path = run.path / "result.json"
    require(
        path.exists(),
        f"Run {str(run.path)!r} has no result yet; finish it by `metarl resume {run.path}`.",
    )
    try:
        result = read_json_object(path, beneath=run.path)
        require(isinstance(result.get("best"), list), "no list of best rules")
    except (ValueError, AttributeError) as error:
        raise InvalidInput(f"{str(path)!r} is damaged: {error}.") from error
    return result


def _provenance(
    run: RunDirectory, result: dict[str, Any], entry: dict[str, Any], rank: int
) -> Provenance:
    problems = run.config.get("problem") or []
    return Provenance(
        found_in=f"a search of metarl, run {run.path.name}, rank {rank}",
        problem=", ".join(problems) or None,
        seed=run.config.get("seed"),
        metarl_version=run.provenance.get("versions", {}).get("metarl"),
        relative_learning_rate=_relative_rate(result, problems, entry["rule"]),
    )


def _relative_rate(result: dict[str, Any], problems: list[str], rule: str) -> float | None:
    """Returns the rule's tuned learning rate over Adam's on the first problem, where both are known."""
    if not problems:
        return None
    finalists = result.get("finalists", {})
    own, references = (
        finalists.get(part, {}).get(problems[0], {}) for part in ("problems", "references")
    )
    rates = [
        own.get(rule, {}).get("learning_rate"),
        references.get("adam", {}).get("learning_rate"),
    ]
    return rates[0] / rates[1] if all(rates) else None
