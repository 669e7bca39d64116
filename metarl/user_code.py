"""A user's own problem, strategy or optimizer, named as my_module:factory.

The module may be installed or lie in the working directory. Whatever goes wrong in a user's code on the way is an
`InvalidInput` that names what was asked for.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any, TypeVar

from metarl.errors import InvalidInput, require, unknown_name

Kind = TypeVar("Kind")


def find_own(kind: str, name: str, expected: type) -> Any:
    """Returns the object that "my_module:factory" names.

    Args:
      kind: what it is to be, in the singular ("problem"); for the messages.
      name: module and attribute with a colon between them.
      expected: the class wanted; its objects are offered when the name is wrong, beside functions and classes.

    Raises:
      InvalidInput: the name is not of that form, the module cannot be imported, or it has no such attribute.
    """
    module_name, _, attribute = name.partition(":")
    require(
        all(part.isidentifier() for part in (*module_name.split("."), attribute)),
        f"{kind.capitalize()} {name[:100]!r} is not of the form my_module:factory.",
    )
    module = _import(kind, name, module_name)
    if hasattr(module, attribute):
        return getattr(module, attribute)
    own = [
        known
        for known, value in vars(module).items()
        if not known.startswith("_")
        and (isinstance(value, expected) or getattr(value, "__module__", None) == module_name)
    ]
    raise unknown_name(f"factory of module {module_name}", attribute, own)


def call_own(kind: str, name: str, expected: type[Kind], **arguments: Any) -> Kind:
    """Returns what a user's factory makes of `arguments`; an object that is already `expected` is returned itself.

    Args:
      kind: see `find_own`.
      name: see `find_own`.
      expected: the class that the factory must give.
      **arguments: what it is called with, in this order; their names are for the messages.

    Raises:
      InvalidInput: it cannot be found or called, raises an exception, or gives something else.
    """
    factory = find_own(kind, name, expected)
    attribute = name.partition(":")[2]
    if isinstance(factory, expected):
        return factory
    about, called = f"{kind.capitalize()} {name!r}", f"{attribute}({', '.join(arguments)})"
    require(
        callable(factory),
        f"{about}: {attribute} is not a function, class or {expected.__name__}.",
    )
    try:
        made = factory(*arguments.values())
    except InvalidInput:
        raise
    except Exception as error:
        raise InvalidInput(f"{about}: {called} raised {type(error).__name__}: {error}.") from error
    require(
        isinstance(made, expected),
        f"{about}: {called} gave {type(made).__name__}; it must give a "
        f"{expected.__module__.rpartition('.')[0]}.{expected.__name__}.",
    )
    return made


def _import(kind: str, name: str, module_name: str) -> Any:
    """Imports a user's module, which may lie in the working directory, as for `python -m`."""
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.append(os.getcwd())  # last: it must not shadow what is installed
        importlib.invalidate_caches()
    try:
        return importlib.import_module(module_name)
    except Exception as error:
        raise InvalidInput(
            f"{kind.capitalize()} {name!r}: module {module_name!r} cannot be imported "
            f"({type(error).__name__}: {error}). It must be installed or lie in the working directory."
        ) from error
