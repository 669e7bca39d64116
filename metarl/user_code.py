"""A user's own problem, strategy or optimizer, named as my_module:factory.

The module may be installed or lie in the working directory. Whatever goes wrong in a user's code on the way, also that
it leaves the interpreter, is an `InvalidInput` that names what was asked for and the user's file and line.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import inspect
import os
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from metarl.errors import InvalidInput, require, unknown_name

Kind = TypeVar("Kind")

_DIGITS = 16  # of a digest
_MOST_LISTED = 50  # names of a module that a message shows
_PACKAGES = frozenset({"site-packages", "dist-packages"})
_SCRIPT = (
    " A module is imported here, not run: what it does as a script (parsing arguments, training, "
    "leaving) belongs below `if __name__ == '__main__':`."
)


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
    if not 0 < len(own) <= _MOST_LISTED:  # a library, not a module of the user's
        raise InvalidInput(f"Module {module_name!r} has nothing called {attribute!r}.")
    raise unknown_name(f"factory of module {module_name}", attribute, own)


def own_sources() -> dict[str, str]:
    """Returns the modules that were found here in this process, by name, each with the beginning of the SHA-256 of its
    file as it was then; what has no file is left out.
    """
    return dict(_sources)


def call_own(kind: str, name: str, expected: type[Kind], /, **arguments: Any) -> Kind:
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
    return made_by(factory, f"{about}: {called}", expected, *arguments.values())


def made_by(
    factory: Callable[..., Any],
    about: str,
    expected: type[Kind],
    /,
    *arguments: Any,
    **settings: Any,
) -> Kind:
    """Returns what a user's factory makes of its arguments.

    Args:
      factory: a function or class.
      about: what is called, for the messages ("Problem 'mine:spheres': spheres()").
      expected: the class that it must give.
      *arguments: given by place.
      **settings: given by name.

    Raises:
      InvalidInput: it raises an exception or gives something else.
    """
    with told(f"{about} raised", factory):
        made = factory(*arguments, **settings)
    wanted = public_name(expected)
    article = "an" if wanted[0] in "aeiou" else "a"
    require(
        isinstance(made, expected),
        f"{about} gave {type(made).__name__}; it must give {article} {wanted}.",
    )
    return made


@contextlib.contextmanager
def told(what: str, code: Any = None) -> Iterator[None]:
    """Makes one `InvalidInput` of whatever goes wrong in a user's code inside: its fault, its file and line.

    So is `SystemExit`, which would end metarl without a word. An interruption stays one, and an `InvalidInput` has said
    already what is wrong.

    Args:
      what: the beginning of the message, with its verb ("Problem 'mine:spheres': loss raised").
      code: the function called, where it is known; the error is looked for in its package even if that is installed,
        and its definition is named when it could not be entered.

    Raises:
      InvalidInput: the code inside raised an exception.
    """
    try:
        yield
    except (InvalidInput, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise InvalidInput(f"{what} {fault(error, code)}") from error


def fault(error: BaseException, code: Any = None) -> str:
    """Returns an error of a user's code as a sentence: "ValueError: too few rows (mine.py:12)."."""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    first = text.strip().partition("\n")[0].rstrip(".")
    message = f"{type(error).__name__}: {first}" if first else type(error).__name__
    place = _place(error, code)
    return f"{message} ({place})." if place else f"{message}."


def public_name(kind: type) -> str:
    """Returns the shortest dotted name under which a class can be imported: optax.GradientTransformation."""
    parts = kind.__module__.split(".")
    paths = (".".join(parts[:count]) for count in range(1, len(parts) + 1))
    shown = (path for path in paths if getattr(sys.modules.get(path), kind.__name__, None) is kind)
    return f"{next(shown, parts[0])}.{kind.__name__}"


def _import(kind: str, name: str, module_name: str) -> Any:
    """Imports a user's module, which may lie in the working directory, as for `python -m`."""
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.append(os.getcwd())  # last: it must not shadow what is installed
        importlib.invalidate_caches()
    about = f"{kind.capitalize()} {name!r}: module {module_name!r} cannot be imported:"
    try:
        module = importlib.import_module(module_name)
        _remember_source(module_name, module)
        return module
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if isinstance(error, ModuleNotFoundError) and _is_within(module_name, error.name):
            raise InvalidInput(
                f"{about} {error}. It must be installed or lie in the working directory."
            ) from error
        advice = _SCRIPT if isinstance(error, SystemExit) else ""
        raise InvalidInput(f"{about} {fault(error, module_name)}{advice}") from error


def _remember_source(name: str, module: Any) -> None:
    file = getattr(module, "__file__", None)
    if name in _sources or not file:
        return
    with contextlib.suppress(OSError):
        _sources[name] = hashlib.sha256(Path(file).read_bytes()).hexdigest()[:_DIGITS]


_sources: dict[str, str] = {}  # see `own_sources`


def _is_within(module_name: str, package: str | None) -> bool:
    """Tells whether a module is `package` or lies in it."""
    return package is not None and f"{module_name}.".startswith(f"{package}.")


def _place(error: BaseException, code: Any) -> str:
    """Returns the user's file and line in which an error arose, as file:line; "" if no file is the user's."""
    if isinstance(error, SyntaxError) and error.filename:
        return _shown(error.filename, error.lineno)
    package = code if isinstance(code, str) else str(getattr(code, "__module__", None) or "")
    lines = [
        (frame.f_code.co_filename, line, str(frame.f_globals.get("__name__", "")))
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    with contextlib.suppress(AttributeError, ValueError):  # it may not have been entered
        function: Any = code
        definition = inspect.unwrap(function).__code__
        lines.insert(0, (definition.co_filename, definition.co_firstlineno, package))
    own = [
        _shown(file, line)
        for file, line, module in lines
        if not file.startswith("<")
        and _top(module) != "metarl"
        and (_top(module) == _top(package) or not _is_installed(Path(file)))
    ]
    return own[-1] if own else ""


def _top(module_name: str) -> str:
    return module_name.partition(".")[0]


def _is_installed(file: Path) -> bool:
    """Tells whether a file is of the standard library or of an installed package."""
    library = sysconfig.get_path("stdlib")
    return file.is_relative_to(library) or not _PACKAGES.isdisjoint(file.parts)


def _shown(file: str, line: int | None) -> str:
    """Returns file:line, the file relative to the working directory if it lies below it."""
    path = Path(file)
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return f"{path}:{line}"
