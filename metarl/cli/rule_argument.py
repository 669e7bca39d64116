"""What a person types for a rule: a name, a rule's text, a run, a rank in a run (`RUN_DIR#2`), or a file of JSON.

A run's rules are those of its `result.json`, in the order of their score on choice data; their provenance (problem,
seed, learning rate beside Adam's) comes with them. A file is one that metarl wrote: `metarl export --to json`, the
document of `metarl export --json`, or the result of a run, which may have been copied out of it.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metarl.errors import InvalidInput, reason, require
from metarl.reading import MOST_SETTINGS, from_dict, parse_json, read_json_object
from metarl.runs import RunDirectory, no_result_yet, stored_result, telling_of_damage
from metarl.update_rules import NAMED_RULES, Provenance, Rule, parse, resolve


@dataclass(frozen=True)
class FoundRule:
    """A rule, and what is known of it beside its text.

    Attributes:
      rule: the rule.
      provenance: where it was found; None for a name or a text, whose provenance the exporters know.
    """

    rule: Rule
    provenance: Provenance | None = None


def read_rule(text: str, rank: int = 1) -> FoundRule:
    """Returns the rule that a person means.

    Args:
      text: a name ("powersign"), a rule's text, the directory of a run, a file of JSON, or one of these two and a
        rank ("RUN_DIR#2", "result.json#2").
      rank: which of a run's best rules, counted from 1, where the text has no rank of its own.

    Raises:
      InvalidInput: there is no such rule, run, file or rank; the message says what there is.
    """
    place, mark, number = text.rpartition("#")
    if mark:
        require(
            number.isascii() and number.isdigit(),
            f"{text[:100]!r}: after # stands a rank, such as RUN_DIR#1, not {number[:20]!r}.",
        )
        text, rank = place, int(number[:9])
    if _is_json(text):
        return _rule_of_file(Path(text), rank)
    if mark or (text not in NAMED_RULES and _is_directory(text)):
        return _rule_of_run(text, rank)
    try:
        found = FoundRule(resolve(text))
    except InvalidInput as error:
        raise _no_such_run(text) or error from None
    require(rank == 1, f"A rank ({rank}) goes with a run; {text[:100]!r} is one rule.")
    return found


def is_stored(text: str) -> bool:
    """Returns whether the text names a run, a rank in one, or a file, rather than a rule."""
    return "#" in text or _is_json(text) or (text not in NAMED_RULES and _is_directory(text))


def _is_json(text: str) -> bool:
    return text.casefold().endswith(".json")


def _no_such_run(text: str) -> InvalidInput | None:
    """Returns the error for what is no rule and lies where runs are; None if it does not."""
    folder = text.rpartition("/")[0]
    if not folder or not _is_directory(folder):
        return None
    return InvalidInput(
        f"{text[:100]!r} is no rule, and there is no such directory. Give a name (`metarl list rules`), a rule's text, "
        f"or the directory of a search; `metarl runs list {shlex.quote(folder[:100])}` shows what there is."
    )


def _is_directory(text: str) -> bool:
    try:
        return text != "" and Path(text).is_dir()
    except (OSError, ValueError):  # too long for a path, or a NUL in it
        return False


def _rule_of_file(path: Path, rank: int) -> FoundRule:
    """Returns the rule in a file that metarl wrote."""
    document = read_json_object(path)
    where = str(path)
    require(
        rank == 1 or ("format" not in document and "to" not in document),
        f"A rank ({rank}) goes with a run; {where!r} holds one rule.",
    )
    if "format" in document:
        return _rule_of_document(document, where)
    if document.get("to") == "json" and isinstance(document.get("text"), str):
        return _rule_of_document(parse_json(document["text"], where, MOST_SETTINGS), where)
    if {"rule", "to", "text"} <= set(document):
        require(isinstance(document["rule"], str), f"{where!r}: its rule is no text.")
        return FoundRule(parse(document["rule"]))
    require(
        isinstance(document.get("best"), list),
        f"{where!r} holds no rule. What can be read is what `metarl export` wrote as JSON, and the result.json of a "
        "search.",
    )
    run = None
    if (path.parent / "run.json").exists():
        run = RunDirectory.open(path.parent)
    return _rule_of_result(where, document, rank, run)


def _rule_of_document(document: Any, where: str) -> FoundRule:
    """Returns what `metarl.update_rules.to_json` wrote."""
    rule = Rule.from_json(json.dumps(document))
    known = document.get("provenance")
    return FoundRule(rule, None if known is None else from_dict(Provenance, known, where))


_BY_TEXT = "A rule is also taken by its name (`metarl list rules`) or its text."
_INSTEAD = {
    "train": "The agent of a training is a file already: agent.npz, with agent.json beside it."
}


def _rule_of_run(place: str, rank: int) -> FoundRule:
    """Returns the rule of that rank in a finished run."""
    run = RunDirectory.open(place)
    require(
        run.job == "search",
        f"Run {str(run.path)!r} is {run.described} and holds no rule to take home. {_INSTEAD.get(run.job, _BY_TEXT)}",
    )
    return _rule_of_result(str(run.path), _result(run), rank, run)


def _rule_of_result(
    where: str, result: dict[str, Any], rank: int, run: RunDirectory | None
) -> FoundRule:
    """Returns the rule of that rank in the result of a search; `run` is None for a result on its own."""
    best = result["best"]
    require(
        1 <= rank <= len(best),
        f"Run {where!r} has {len(best)} best rules; there is no rank {rank}.",
    )
    try:
        entry = best[rank - 1]
        return FoundRule(parse(entry["rule"]), _provenance(run, result, entry, rank))
    except (KeyError, TypeError, AttributeError, ArithmeticError) as error:
        raise InvalidInput(f"The result of run {where!r} is damaged ({reason(error)}).") from error


def _result(run: RunDirectory) -> dict[str, Any]:
    """Returns the document of a finished search."""
    result = stored_result(run)
    if result is None:
        raise no_result_yet(run)
    with telling_of_damage(run):
        require(isinstance(result.get("best"), list), "no list of best rules")
    return result


def _provenance(
    run: RunDirectory | None, result: dict[str, Any], entry: dict[str, Any], rank: int
) -> Provenance:
    """Returns where a rule was found, and its learning rate: as the comparison tuned it, or as the search did."""
    settings, versions, name = {}, {}, Path(str(result.get("run_dir", ""))).name
    if run is not None:
        settings, versions, name = run.config, run.provenance.get("versions", {}), run.path.name
    problems = settings.get("problem") or []
    compared = result.get("finalists", {}).get("problems", {})
    # those searched come first there, a user's by its own name and not as my_module:factory
    place = next((problem for problem, rules in compared.items() if entry["rule"] in rules), None)
    tuned = compared[place][entry["rule"]] if place else {}
    own, schedule = tuned.get("learning_rate"), tuned.get("schedule")
    if not own:
        schedule = settings.get("training", {}).get("schedule")
    references = result.get("finalists", {}).get("references", {})
    return Provenance(
        found_in=f"a search of metarl, run {name}, rank {rank}",
        problem=", ".join(problems) or None,
        seed=settings.get("seed"),
        metarl_version=versions.get("metarl"),
        learning_rate=own or entry["learning_rate"],
        adam_learning_rate=_adams_rate(references.get(place, {})) if own else None,
        schedule=None if schedule is None else str(schedule),
        tuned_on=place or (", ".join(problems) or None),
    )


def _adams_rate(references: dict[str, Any]) -> float | None:
    return references.get("adam", {}).get("learning_rate")
