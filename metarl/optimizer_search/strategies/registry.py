"""Strategies by name: the table, and a user's own as "my_module:factory"."""

from __future__ import annotations

import importlib

from metarl.errors import unknown_name
from metarl.update_rules import Grammar
from metarl.user_code import call_own

from ..settings.config import SearchConfig
from .contract import Strategy, checked

_FACTORIES = {
    "ppo": ("controller_search", "ppo_search"),
    "reinforce": ("controller_search", "reinforce_search"),
    "trpo": ("controller_search", "trpo_search"),
    "evolution": ("evolution", "evolution"),
    "random": ("random_search", "random_search"),
    "enumeration": ("enumeration", "enumeration"),
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
        return checked(
            call_own("strategy", name, Strategy, grammar=grammar, config=config), grammar, name
        )
    raise unknown_name("strategy", name, [*names(), "my_module:factory"])
