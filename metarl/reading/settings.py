"""Settings: from a JSON object to a frozen dataclass, names and types checked."""

from __future__ import annotations

import dataclasses
import functools
import reprlib
from collections.abc import Mapping
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from metarl.errors import InvalidInput, require, unknown_name

from .limits import MOST_WHOLE

Config = TypeVar("Config")


def from_dict(kind: type[Config], values: Mapping[str, Any], where: str) -> Config:
    """Returns the settings that `dataclasses.asdict` was asked for.

    Args:
      kind: a frozen dataclass of settings; of numbers, texts, truth values, tuples of them, None,
        and other such dataclasses.
      values: as read from JSON; what is missing has its default.
      where: what to call its origin in messages.

    Raises:
      InvalidInput: a field that does not exist, or a value of the wrong type, or one that `kind`
        itself refuses.
    """
    require(
        isinstance(values, Mapping),
        f"{where}: settings must be an object, not {_shown(values)}.",
    )
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    hints = _hints(kind)
    for name in values:
        if name not in fields:
            raise InvalidInput(f"{where}: {unknown_name('setting', name, fields)}")
    given = {name: _value(name, value, hints[name], where) for name, value in values.items()}
    missing = [name for name, field in fields.items() if name not in given and _needed(field)]
    require(not missing, f"{where}: {', '.join(missing)} must be given.")
    try:
        return kind(**given)
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {error}") from error


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _needed(field: dataclasses.Field) -> bool:
    return dataclasses.MISSING is field.default and dataclasses.MISSING is field.default_factory


def _value(name: str, value: Any, hint: Any, where: str) -> Any:
    """Returns a value as its field holds it; refuses what no flag would give."""
    if dataclasses.is_dataclass(hint):
        require(
            isinstance(value, Mapping), f"{where}: {name} must be an object, not {_shown(value)}."
        )
        return from_dict(hint, value, where)  # type: ignore[arg-type]
    if get_origin(hint) is tuple:
        require(isinstance(value, (list, tuple)), _wrong(where, name, "a list", value))
        return tuple(_value(f"every item of {name}", x, get_args(hint)[0], where) for x in value)
    choices = get_args(hint) if get_origin(hint) in (UnionType, Union) else (hint,)
    for choice in choices:
        if get_origin(choice) is tuple and isinstance(value, (list, tuple)):
            return _value(name, value, choice, where)
    require(
        any(_fits(value, choice) for choice in choices),
        _wrong(where, name, " or ".join(_described(choice) for choice in choices), value),
    )
    return value


def _fits(value: Any, choice: Any) -> bool:
    if get_origin(choice) is Literal:
        return any(type(value) is type(known) and value == known for known in get_args(choice))
    if choice is bool or isinstance(value, bool):
        return choice is bool and isinstance(value, bool)
    if choice is float:
        return isinstance(value, float) or _fits(value, int)
    if choice is int:
        return isinstance(value, int) and abs(value) <= MOST_WHOLE
    return isinstance(choice, type) and isinstance(value, choice)


def _described(choice: Any) -> str:
    if get_origin(choice) is Literal:
        return f"one of {', '.join(map(str, get_args(choice)))}"
    return "a list" if get_origin(choice) is tuple else _NAMES.get(choice) or choice.__name__


def _wrong(where: str, name: str, accepted: str, value: Any) -> str:
    return f"{where}: {name} must be {accepted}, not {_shown(value)}."


def _shown(value: Any) -> str:
    return reprlib.repr(value)


_NAMES = {type(None): "null", float: "float or int"}
