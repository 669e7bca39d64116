"""Environments by name: the built-in families, and a user's own as "my_module:factory"."""

from __future__ import annotations

import functools
import importlib
import inspect
from typing import Any

from metarl.errors import require, unknown_name
from metarl.user_code import call_own

from .environment import Environment

# name -> module and factory
FAMILIES = {
    "bandit": "metarl.environments.bandit:bandit",
    "mdp": "metarl.environments.mdp:mdp",
}


def names() -> tuple[str, ...]:
    """Returns the names that `load` accepts, besides "my_module:factory"."""
    return tuple(FAMILIES)


def setting_names(name: str) -> tuple[str, ...]:
    """Returns the settings that a built-in family takes."""
    return tuple(inspect.signature(_factory(name)).parameters)


def load(name: str, **settings: Any) -> Environment:
    """Returns an environment; the same object for the same name and settings.

    Args:
      name: a name of `names()`, or "my_module:factory": a function of the user's that takes the
        settings and gives an `Environment`.
      **settings: of the family; those not given, or None, have the family's defaults.

    Raises:
      InvalidInput: no family has the name, or it has no such setting, or cannot take its value.
    """
    given = {key: value for key, value in settings.items() if value is not None}
    return _load(name, tuple(sorted(given.items())))


@functools.cache
def _load(name: str, settings: tuple[tuple[str, Any], ...]) -> Environment:
    if ":" in name:
        return call_own("environment", name, Environment, **dict(settings))
    factory, accepted = _factory(name), setting_names(name)
    for setting, _ in settings:
        require(
            setting in accepted,
            f"Environment {name!r} has no setting {setting!r}; it takes {', '.join(accepted)}.",
        )
    return factory(**dict(settings))


def _factory(name: str) -> Any:
    if name not in FAMILIES:
        raise unknown_name("environment", name, [*names(), "my_module:factory"])
    module, _, factory = FAMILIES[name].partition(":")
    return getattr(importlib.import_module(module), factory)
