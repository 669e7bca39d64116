"""Environments by name: the built-in families, and a user's own as "my_module:factory"."""

from __future__ import annotations

import copyreg
import dataclasses
import functools
import importlib
import inspect
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from gymnasium import spaces

from metarl.errors import InvalidInput, UnexpectedKeyword, nearest_name, require, unknown_name
from metarl.user_code import find_own, made_by

from .adapters.brax import brax_world
from .adapters.gymnasium_worlds import HostEnvironment
from .adapters.gymnax import gymnax_world
from .adapters.minigrids import navix_world, xminigrid_world
from .contract.environment import Environment
from .contract.signatures import check_signatures

# name -> module and factory
FAMILIES = {
    "bandit": "metarl.environments.bandits.bandit:bandit",
    "contextual-bandit": "metarl.environments.bandits.contextual:contextual_bandit",
    "mdp": "metarl.environments.mdps.mdp:mdp",
    "riverswim": "metarl.environments.mdps.riverswim:riverswim",
    "gridworld": "metarl.environments.mdps.gridworld:gridworld",
    "dark-room": "metarl.environments.mdps.dark_room:dark_room",
    "dark-key-to-door": "metarl.environments.mdps.dark_room:dark_key_to_door",
    "key-to-door": "metarl.environments.mdps.key_to_door:key_to_door",
    "rule-grid": "metarl.environments.mdps.rule_grid:rule_grid",
    "two-step": "metarl.environments.cognition.two_step:two_step",
    "harlow": "metarl.environments.cognition.harlow:harlow",
    "memory-planning": "metarl.environments.cognition.memory_planning:memory_planning",
    "maze": "metarl.environments.mazes.maze:maze",
    "dark-maze": "metarl.environments.mazes.dark_maze:dark_maze",
    "point-robot": "metarl.environments.control.point_robot:point_robot",
    "cartpole": "metarl.environments.control.cartpole:cartpole",
    "pendulum": "metarl.environments.control.pendulum:pendulum",
}

# The same for families that need a library of an extra to be made, and are stepped on the host.
HOST_FAMILIES = {
    "half-cheetah-direction": "metarl.environments.adapters.half_cheetah:half_cheetah_direction",
    "half-cheetah-velocity": "metarl.environments.adapters.half_cheetah:half_cheetah_velocity",
}

# library -> its worlds by their ids, as in "gymnax:CartPole-v1"
LIBRARIES = {
    "gymnax": gymnax_world,
    "navix": navix_world,
    "xminigrid": xminigrid_world,
    "brax": brax_world,
}

_loaded: dict[tuple[str, str], Environment] = {}


class EnvironmentCard(NamedTuple):
    """What one needs to know to choose a family."""

    name: str
    description: str
    settings: dict[str, Any]  # with their defaults; None: its meaning depends on the others
    observation: str
    action: str
    horizon: int


def names() -> tuple[str, ...]:
    """Returns the names of the families that need nothing but metarl; `load` accepts more."""
    return tuple(FAMILIES)


def host_names() -> tuple[str, ...]:
    """Returns the names of the families that need an extra of metarl, and are stepped on the host."""
    return tuple(HOST_FAMILIES)


def cards() -> tuple[EnvironmentCard, ...]:
    """Returns a card for each built-in family, at its default settings; nothing of an extra is needed."""
    own = (_card(load(name)) for name in FAMILIES)
    return (*own, *(_card_unmade(name) for name in HOST_FAMILIES))


def setting_names(name: str) -> tuple[str, ...]:
    """Returns the settings that a family takes, a user's own too.

    Raises:
      InvalidInput: no family has the name.
    """
    return tuple(setting_defaults(name))


def setting_defaults(name: str) -> dict[str, Any]:
    """Returns the settings that a family takes, with their defaults; None: what it is depends on the others.

    Raises:
      InvalidInput: no family has the name.
    """
    factory = _factory(name)
    if isinstance(factory, Environment):
        return {}
    parameters = inspect.signature(factory).parameters
    return {setting: parameter.default for setting, parameter in parameters.items()}


def load(name: str, /, **settings: Any) -> Environment:
    """Returns an environment; the same object for the same name and settings.

    Args:
      name: a name of `names()` or `host_names()`, or "my_module:factory": a function of the user's that takes the
        settings by name and gives an `Environment`, or the environment itself. Its functions are
        tried on abstract values; `check_environment` does more. Or a world of another library, such
        as "gymnax:CartPole-v1" (see `from_gymnax`), "navix:ID", "xminigrid:ID" or "brax:NAME".
      **settings: of the family; those not given, or None, have the family's defaults.

    Raises:
      InvalidInput: no family has the name, or it has no such setting, or cannot take its value; or
        a user's module cannot be imported, its factory fails, or what it gives is malformed.
    """
    require(
        isinstance(name, str), f"An environment's name must be a text, not {type(name).__name__}."
    )
    given = {key: value for key, value in settings.items() if value is not None}
    call = (name, _as_text(name, given))
    if call not in _loaded:
        environment = _build(name, given)
        # Two ways to write the same settings give one object, so programs are compiled once.
        canonical = (name, _as_text(name, environment.settings))
        _loaded[call] = _loaded.setdefault(canonical, environment)
    return _loaded[call]


def reduced(environment: Environment) -> Any:
    """Returns how a family is pickled: by name and settings if `load` gave it, else part by part."""
    name, settings = environment.name, dict(environment.settings)
    if _loaded.get((name, _as_text(name, settings))) is environment:
        return _load_again, (name, settings)
    return object.__reduce_ex__(environment, 2)


for kind in (Environment, HostEnvironment):
    copyreg.pickle(kind, reduced)


def _load_again(name: str, settings: dict[str, Any]) -> Environment:
    return load(name, **settings)


def _build(name: str, settings: dict[str, Any]) -> Environment:
    factory = _factory(name)
    _check_names(name, factory, settings)
    if ":" not in name:
        return factory(**settings)
    if isinstance(factory, Environment):
        made = factory
    else:
        made = made_by(factory, f"Environment {name!r}: its factory", Environment, **settings)
    # Under this name, with these settings, a saved agent finds its environment again.
    made = dataclasses.replace(made, name=name, settings=settings)
    return made if made.on_host else check_signatures(made)


def _factory(name: str) -> Any:
    library, colon, world = name.partition(":")
    if colon and library in LIBRARIES:
        return functools.partial(LIBRARIES[library], world)
    if ":" in name:
        return find_own("environment", name, Environment)
    families = FAMILIES | HOST_FAMILIES
    if name not in families:
        raise unknown_name("environment", name, [*families, "my_module:factory"])
    module, _, factory = families[name].partition(":")
    return getattr(importlib.import_module(module), factory)


def _check_names(name: str, factory: Any, settings: dict[str, Any]) -> None:
    """Refuses settings that the family does not take."""
    require(
        isinstance(factory, Environment) or callable(factory),
        f"Environment {name!r} is a {type(factory).__name__}; it must be a function that gives a "
        "metarl.environments.Environment, or one itself.",
    )
    accepted = setting_names(name)
    if _takes_any(factory):
        return
    for setting in settings:
        if setting in accepted:
            continue
        nearest = nearest_name(setting, accepted)
        hint = f" Did you mean {nearest!r}?" if nearest else ""
        raise UnexpectedKeyword(
            f"Environment {name!r} has no setting {setting!r}.{hint} "
            f"It takes {', '.join(accepted) or 'none'}.",
            setting,
        )


def _takes_any(factory: Any) -> bool:
    if isinstance(factory, Environment):
        return False
    parameters = inspect.signature(factory).parameters.values()
    return any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)


def _as_text(name: str, settings: Mapping[str, Any]) -> str:
    """Returns settings as JSON, in which 5, 5.0 and True differ."""

    def plain(value: Any) -> Any:
        if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:  # a numpy number
            return value.item()
        raise TypeError(f"{type(value).__name__} is not JSON")

    try:
        return json.dumps(dict(settings), sort_keys=True, default=plain)
    except TypeError as error:
        raise InvalidInput(
            f"Environment {name!r}: settings must be numbers, texts or lists of them ({error})."
        ) from error


def _card(environment: Environment) -> EnvironmentCard:
    settings = setting_defaults(environment.name) | dict(environment.settings)
    return EnvironmentCard(
        environment.name,
        environment.description,
        settings,
        _written(environment.observation_space),
        _written(environment.action_space),
        environment.horizon,
    )


def _card_unmade(name: str) -> EnvironmentCard:
    """Returns the card of a family that is not made, since its library may be missing."""
    factory = _factory(name)
    about = importlib.import_module(factory.__module__)
    return EnvironmentCard(
        name,
        about.describe(factory),
        setting_defaults(name),
        about.OBSERVATION,
        about.ACTION,
        about.HORIZON,
    )


def _written(space: spaces.Space) -> str:
    """Returns a space in a few characters; the bounds of a `Box` would fill the line."""
    return f"Box{space.shape}" if isinstance(space, spaces.Box) else str(space)
