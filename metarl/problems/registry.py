"""Problems by name: the built-in ones, registered ones, and a user's own as "my_module:factory".

`cards` and `names` read a table; only `load` imports the module that builds a problem. A user's
problem is tried out once when it is loaded, so that a malformed split is one clear message and not
a shape error deep in a compiled loop.
"""

from __future__ import annotations

import importlib

from metarl.errors import require, unknown_name
from metarl.user_code import call_own

from .catalogue import CARDS, FACTORIES
from .problem import Card, Problem, Role

_loaded: dict[str, Problem] = {}
_registered: dict[str, Problem] = {}


def cards() -> tuple[Card, ...]:
    """Returns the cards of all named problems, in the order of the table; loads no data."""
    return (*CARDS.values(), *_registered.values())


def names() -> tuple[str, ...]:
    """Returns the names that `load` accepts, besides "my_module:factory"."""
    return tuple(card.name for card in cards())


def suite(role: Role | None = None) -> tuple[str, ...]:
    """Returns the names of the problems that need no further data, in the order of the table.

    Args:
      role: those that rules are searched on, or those held out that tell optimizers apart; all if not given, blunt ones
        too.
    """
    return tuple(
        card.name
        for card in cards()
        if not card.needs_data and (role is None or (role == card.role and not card.is_blunt))
    )


def load(name: str) -> Problem:
    """Returns the problem of that name; the same object at every call.

    Args:
      name: a name of `names()`, or "my_module:factory": a function or class of the user's that
        takes no arguments and gives a `Problem`. The module may lie in the working directory.

    Returns:
      The problem. Its data are read at the first call of `examples`, a user's at once.

    Raises:
      InvalidInput: no problem has the name; the module or the factory cannot be found or fails;
        what the factory gives is not a `Problem`; its examples are malformed.
    """
    require(isinstance(name, str), f"A problem's name must be a text, not {type(name).__name__}.")
    if name in _registered:
        return _registered[name]
    if name not in _loaded:
        _loaded[name] = _build(name)
    return _loaded[name]


def register(problem: Problem) -> Problem:
    """Makes `problem` known under its name, for this process, and returns it.

    Raises:
      InvalidInput: it is not a `Problem`, its examples are malformed, or the name is taken.
    """
    from .validation import check_problem

    require(
        isinstance(problem, Problem),
        f"register takes a metarl.problems.Problem, not {type(problem).__name__}.",
    )
    require(
        problem.name not in names(),
        f"There is a problem named {problem.name!r} already; choose another name.",
    )
    _registered[problem.name] = check_problem(problem)
    return problem


def _build(name: str) -> Problem:
    """Returns a new problem from the table's factory or the user's."""
    if name in FACTORIES:
        module, _, factory = FACTORIES[name].partition(":")
        return getattr(importlib.import_module(module), factory)()
    if ":" in name:
        from .validation import check_problem

        return check_problem(call_own("problem", name, Problem))
    raise unknown_name("problem", name, [*names(), "my_module:factory"])
