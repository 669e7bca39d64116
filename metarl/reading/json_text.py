"""JSON: strict, of bounded size and depth, one reading for every reader.

RFC 8259, and of what it leaves open the strict choice: text is UTF-8; a name stands once in an
object; numbers are finite, whole ones of at most 40 digits; strings are Unicode, without half
pairs of surrogates. Python's NaN and Infinity are not JSON. Values take at most some thirty times
the memory of their text.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from metarl.errors import InvalidInput, require

from .file_bytes import read_bytes
from .limits import MOST_DEPTH, MOST_DIGITS, MOST_DOCUMENT

_MAY_BE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(text: str | bytes, source: str, most: int = MOST_DOCUMENT) -> Any:
    """Returns the value of a JSON document.

    Args:
      text: the document; bytes are UTF-8.
      source: what to call it in messages.
      most: how long it may be, in bytes or characters.

    Raises:
      InvalidInput: it is no strict JSON, too long or too deep.
    """
    require(
        isinstance(text, (str, bytes)), f"{source} is {type(text).__name__}; JSON is text or bytes."
    )
    require(len(text) <= most, f"{source} is {len(text):,} long; at most {most:,} are read.")
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        elif not text.isascii():
            text.encode("utf-8")  # a Python string can hold half a pair too
        value = _DECODER.decode(text)
        _check_depth(text, value)
        if _MAY_BE_SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError as error:
        raise InvalidInput(f"{source} cannot be read: it is not UTF-8 text.") from error
    except RecursionError as error:
        raise InvalidInput(f"{source} cannot be read: {_TOO_DEEP}") from error
    except ValueError as error:
        raise InvalidInput(f"{source} cannot be read, it is not JSON: {error}.") from error
    return value


def read_json(path: Path, most: int = MOST_DOCUMENT, beneath: Path | None = None) -> Any:
    """Returns the value of the JSON document in a file.

    Args:
      path: of the file.
      most: bytes; a larger file is not read.
      beneath: a directory that the file must lie in when all links are followed; None for any.

    Raises:
      InvalidInput: it is no strict JSON, too large or too deep, or lies elsewhere.
      OSError: it cannot be read.
    """
    return parse_json(read_bytes(path, most, beneath), repr(str(path)), most)


def read_json_object(
    path: Path, most: int = MOST_DOCUMENT, beneath: Path | None = None
) -> dict[str, Any]:
    """Returns the JSON object in a file; see `read_json`.

    Raises:
      InvalidInput: it is something else.
      OSError: it cannot be read.
    """
    value = read_json(path, most, beneath)
    require(
        isinstance(value, dict),
        f"{str(path)!r} does not hold a JSON object, but {_NAMES.get(type(value), 'null')}.",
    )
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice[:100]!r} stands twice in one object")
    return members


def _whole(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError(f"a whole number has more than {MOST_DIGITS} digits")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text[:30]} is too large for a float")
    return number


def _constant(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")


def _check_depth(text: str, value: Any) -> None:
    if text.count("[") + text.count("{") <= MOST_DEPTH:
        return
    level, depth = [value], 0
    while level := [x for x in level if isinstance(x, (list, dict))]:
        depth += 1
        if depth > MOST_DEPTH:
            raise ValueError(_TOO_DEEP)
        level = [x for held in level for x in (held.values() if isinstance(held, dict) else held)]


_TOO_DEEP = f"it is nested more than {MOST_DEPTH} levels deep"
_NAMES = {list: "a list", str: "a text", int: "a number", float: "a number", bool: "a truth value"}
_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_whole, parse_float=_finite, parse_constant=_constant
)
