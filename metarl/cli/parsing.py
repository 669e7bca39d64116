"""From words on the command line to a frozen dataclass, by tyro.

Fields become flags, the docstring under a field becomes its help, `--learning-rate` and `--learning_rate` are the same,
and a list takes its values with spaces between (`--problem digits-mlp wine-mlp`). What cannot be parsed is explained on
standard error and ends with exit code 2. A rule may begin with a minus (`metarl export "-g * exp(m)"`).
"""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Collection, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

from metarl.errors import InvalidInput, require
from metarl.reading import check_fields

from .verbs import VERBS

SHELLS = ("bash", "zsh", "tcsh")

Arguments = TypeVar("Arguments")


def parse_arguments(
    kind: type[Arguments],
    words: Sequence[str],
    *,
    program: str,
    default: Arguments | None = None,
) -> Arguments:
    """Returns the arguments that `words` give.

    Args:
      kind: a frozen dataclass; a field marked `tyro.conf.Positional` is given without a flag.
      words: what was typed after the verb.
      program: what was typed before them, for the help ("metarl search").
      default: where the fields that are not given come from; None is the dataclass's own defaults. A preset or the
        configuration of an earlier run goes here.

    Raises:
      InvalidInput: a number is out of its bounds.
      SystemExit: with code 0 after `--help`, with code 2 when the words cannot be parsed.
    """
    import tyro

    start = tyro.MISSING_NONPROP if default is None else default
    rules = {word for word in words if begins_with_minus(word)}
    given = [f" {word}" if word in rules else word for word in words]
    found = tyro.cli(
        kind, prog=program, args=given, config=_markers(), default=start, registry=_registry()
    )
    typed = _as_typed(found, {f" {word}" for word in rules}) if rules else found
    check_fields(typed, within=True)
    return typed


def _registry() -> Any:
    """Returns how tyro reads numbers, and what may be left out, so that a mistake is told without Python's types.

    Tyro itself shows `typing.Annotated[int, Bounds(least=1, ...)]`, and choices in the order of a set.
    """
    from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

    registry = ConstructorRegistry()

    @registry.primitive_rule
    def number(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
        kinds, none = _kinds(info.type)
        if kinds not in ([int], [float]):
            return None
        (kind,) = kinds
        meant = ("a whole number" if kind is int else "a number") + (" or None" if none else "")

        def read(words: list[str]) -> int | float | None:
            if none and words == ["None"]:
                return None
            try:
                return kind(words[0])
            except ValueError:
                raise ValueError(f"{words[0][:100]!r} is not {meant}") from None

        return PrimitiveConstructorSpec(
            nargs=1,
            metavar="{None}|" * none + kind.__name__.upper(),
            instance_from_str=read,
            is_instance=lambda value: (none and value is None) or isinstance(value, (kind, int)),
            str_from_instance=lambda value: [str(value)],
        )

    @registry.primitive_rule
    def choice_or_none(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
        kinds, none = _kinds(info.type)
        if not none or len(kinds) != 1 or get_origin(kinds[0]) is not Literal:
            return None
        choices = ("None", *get_args(kinds[0]))
        return PrimitiveConstructorSpec(
            nargs=1,
            metavar=f"{{{','.join(choices)}}}",
            instance_from_str=lambda words: None if words == ["None"] else words[0],
            is_instance=lambda value: str(value) in choices,
            str_from_instance=lambda value: [str(value)],
            choices=choices,
        )

    return registry


def _kinds(annotation: Any) -> tuple[list[Any], bool]:
    """Returns the types that an annotation joins, without their marks, and whether None is one of them."""
    union = get_origin(annotation) in (Union, UnionType)
    members = get_args(annotation) if union else (annotation,)
    kinds = [get_args(m)[0] if get_origin(m) is Annotated else m for m in members]
    return [kind for kind in kinds if kind is not type(None)], type(None) in kinds


def begins_with_minus(word: str) -> bool:
    """Returns whether a word is a rule that begins with a minus ("-g * exp(m)"), which tyro would take for a flag.

    Flags are letters, dots and dashes, with a value behind "=" perhaps; numbers, which tyro knows, stay as they are.
    """
    if not word.startswith("-") or word in ("-", "--", "-h", "-o"):
        return False
    if not _LIKE_A_FLAG.fullmatch(word):
        return not _NUMBER.fullmatch(word)
    return not word.startswith("--") and _is_rule(word)


def _is_rule(text: str) -> bool:
    from metarl.update_rules import parse

    try:
        parse(text)
    except InvalidInput:
        return False
    return True


_NUMBER = re.compile(r"-(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_LIKE_A_FLAG = re.compile(r"--?[A-Za-z][\w.-]*(=.*)?", re.DOTALL)


def _as_typed(value: Any, marked: Collection[str]) -> Any:
    """Returns a value, and all within it, without the space that kept a rule from being taken for a flag."""
    if isinstance(value, str):
        return value[1:] if value in marked else value
    if type(value) in (tuple, list):
        return type(value)(_as_typed(one, marked) for one in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        old = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        new = {name: _as_typed(one, marked) for name, one in old.items()}
        changed = {name: one for name, one in new.items() if one is not old[name]}
        return dataclasses.replace(value, **changed) if changed else value
    return value


class Origin(NamedTuple):
    """Where the settings that are not typed come from; both None for the usual preset."""

    preset: str | None
    config: str | None


def find_origin(words: Sequence[str]) -> Origin:
    """Returns what --preset and --config say, before the other words are understood.

    Raises:
      InvalidInput: one of them has no value, or both are given.
    """
    scout = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    scout.add_argument("--preset")
    scout.add_argument("--config")
    try:
        chosen = scout.parse_known_args(list(words))[0]
    except argparse.ArgumentError as error:
        raise InvalidInput(str(error)) from error
    require(not (chosen.preset and chosen.config), "Give either --preset or --config, not both.")
    return Origin(chosen.preset, chosen.config)


def completion_script(shell: str) -> None:
    """Prints the script that completes `metarl`, its verbs and their flags in `shell`; exits with code 0.

    Raises:
      InvalidInput: the shell is not one of `SHELLS`.
      SystemExit: always otherwise; tyro leaves after printing.
    """
    require(
        shell in SHELLS,
        f"--print-completion takes one of {', '.join(SHELLS)}, not {shell[:100]!r}.",
    )
    import tyro

    verbs: list[Any] = [
        Annotated[verb.load().Arguments, tyro.conf.subcommand(verb.name)] for verb in VERBS
    ]
    every_verb: Any = Union[tuple(verbs)]  # noqa: UP007 (the members are not known when this is written)
    tyro.cli(every_verb, prog="metarl", args=["--tyro-print-completion", shell], config=_markers())


def _markers() -> tuple[Any, ...]:
    """Returns how tyro reads every verb: `--json` alone switches it on.

    A group of fields shows its name in its flags (`--controller.hidden`), unless it is marked with `arg(name="")`.
    """
    import tyro

    return (tyro.conf.FlagCreatePairsOff,)
