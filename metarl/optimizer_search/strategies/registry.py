"""Strategies by name: the table, and a user's own as "my_module:factory"."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from metarl.errors import InvalidInput, require, unknown_name
from metarl.update_rules import Grammar

from ..config import SearchConfig
from .contract import Strategy, checked

_FACTORIES = {
    "ppo": ("controller_search", "ppo_search"),
    "reinforce": ("controller_search", "reinforce_search"),
    "trpo": ("controller_search", "trpo_search"),
    "evolution": ("evolution", "evolution"),
    "random": ("random_search", "random_search"),
}


def names() -> tuple[str, ...]:
    """Returns the names that `make` accepts, besides "my_module:factory"."""
    return tuple(_FACTORIES)


def make(name: str, grammar: Grammar, config: SearchConfig) -> Strategy:
    """Builds a strategy.

    Args:
      name: a name of `names()`, or "my_module:factory": a function of the user's, called as
        factory(grammar, config), that returns a `Strategy`. The module may lie in the working
        directory.
      grammar: of the rules to propose.
      config: of the search; every strategy reads its own part of it.

    Returns:
      The strategy; a user's own is checked at every call.

    Raises:
      InvalidInput: no strategy has the name; or the user's module or factory cannot be found or
        fails, or gives something else.
    """
    if name in _FACTORIES:
        module, factory = _FACTORIES[name]
        return getattr(importlib.import_module(f"{__package__}.{module}"), factory)(grammar, config)
    if ":" in name:
        return _make_own(name, grammar, config)
    raise unknown_name("strategy", name, [*names(), "my_module:factory"])


def _make_own(name: str, grammar: Grammar, config: SearchConfig) -> Strategy:
    module_name, _, attribute = name.partition(":")
    require(
        all(part.isidentifier() for part in (*module_name.split("."), attribute)),
        f"Strategy {name[:100]!r} is not of the form my_module:factory.",
    )
    module = _import(module_name, name)
    if not hasattr(module, attribute):
        public = [known for known in vars(module) if not known.startswith("_")]
        raise unknown_name(f"factory in module {module_name!r}:", attribute, public)
    factory = getattr(module, attribute)
    require(callable(factory), f"Strategy {name!r}: {attribute} is not a function or class.")
    try:
        strategy = factory(grammar, config)
    except InvalidInput:
        raise
    except Exception as error:
        raise InvalidInput(
            f"Strategy {name!r}: {attribute}(grammar, config) raised "
            f"{type(error).__name__}: {error}."
        ) from error
    require(
        isinstance(strategy, Strategy),
        f"Strategy {name!r}: {attribute}(grammar, config) gave {type(strategy).__name__}; it must "
        "give a metarl.optimizer_search.strategies.Strategy.",
    )
    return checked(strategy, grammar, name)


def _import(module_name: str, name: str) -> Any:
    """Imports a user's module, which may lie in the working directory, as for `python -m`."""
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.append(os.getcwd())  # last: it must not shadow what is installed
        importlib.invalidate_caches()
    try:
        return importlib.import_module(module_name)
    except Exception as error:
        raise InvalidInput(
            f"Strategy {name!r}: module {module_name!r} cannot be imported "
            f"({type(error).__name__}: {error}). It must be installed or lie in the working "
            "directory."
        ) from error
