"""Where agents are played: in the world that the trained ones bring along, or in another that they can act in.

Settings that are given take the place of those of the training, one by one; what is left out is as it was there. So a
trained agent can be tried in larger mazes, with other physics, in longer trials. It acts in every world of its kind
whose observations and actions are those of its training; worlds from outside metarl (my_module:factory), which their
author calls what he likes, are of every kind. Classical agents and learners from scratch alone need to be told.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from metarl.environments import Environment, Trial, load, setting_defaults
from metarl.errors import InvalidInput, reason, require

from ..agent.agent import make_trial, trial_in
from ..settings.world_config import WorldConfig
from .entrants import Entrant

_BUDGET = ("episodes", "trial_steps")


def find_trial(entrants: Sequence[Entrant], given: WorldConfig | Mapping[str, Any]) -> Trial:
    """Returns the one trial in which all entrants are played.

    Args:
      entrants: who is to be played.
      given: settings of the world, by the names of `WorldConfig`; all of them, or those that no
        trained entrant tells, or that are to be others than in its training. What is None counts as not given.

    Raises:
      InvalidInput: the world is not told, or is told twice differently; or a trained entrant cannot act in it.
    """
    if isinstance(given, WorldConfig):
        given = dataclasses.asdict(given)
    given = {name: value for name, value in given.items() if value not in (None, ())}
    trained = [entrant for entrant in entrants if entrant.trained is not None]
    if not trained:
        require(
            "environment" in given,
            "Only trained agents say where they act; give --environment, with --arms or "
            "--states and so on, and --episodes.",
        )
        return make_trial(WorldConfig(**given))
    environment = _environment_of(trained, given)
    if any(name in given for name in _BUDGET):
        return trial_in(environment, given.get("episodes"), given.get("trial_steps"))
    trials = [make_trial(_trained_in(entrant)) for entrant in trained]
    require(
        len({(trial.episodes, trial.steps) for trial in trials}) == 1,
        f"{' and '.join(entrant.text for entrant in trained)} were trained in trials of different "
        "lengths; say in which to evaluate them, by --episodes or --trial-steps.",
    )
    return trial_in(environment, trials[0].episodes, trials[0].steps)


def describe_trial(trial: Trial) -> dict[str, Any]:
    """Returns an environment's name and settings, and the budget of a trial in it, as JSON."""
    budget = {"trial_steps": trial.steps} if trial.steps else {"episodes": trial.episodes}
    return {"name": trial.environment.name, **trial.environment.settings, **budget}


def trained_otherwise(entrant: Entrant, trial: Trial) -> dict[str, dict[str, Any]]:
    """Returns what was otherwise in the trials that an entrant was trained in, as JSON; nothing if it is not trained.

    Args:
      entrant: who.
      trial: in which it is played.

    Returns:
      Of each setting that is another here "trained" and "here", None where it was not given and has no usual value; of
      all of them, and of "name", if the environment is another.
    """
    if entrant.trained is None:
        return {}
    there, here = (_with_defaults(each) for each in (entrant.trained.trial, trial))
    elsewhere = there["name"] != here["name"]
    return {
        name: {"trained": there.get(name), "here": here.get(name)}
        for name in dict.fromkeys((*there, *here))
        if elsewhere or there.get(name) != here.get(name)
    }


def otherwise_in_words(text: str, otherwise: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns the sentence about an agent that is played elsewhere than it was trained.

    Args:
      text: that names it.
      otherwise: see `trained_otherwise`.
    """
    trained = {name: pair["trained"] for name, pair in otherwise.items()}
    if "name" in trained:
        given = (f"{k}={v}" for k, v in trained.items() if k != "name" and v is not None)
        return f"{text} was trained in {trained['name']} ({', '.join(given)})."
    words = (
        f"{name}{_written(pair['trained'], '=')} (here{_written(pair['here'], ' ')})"
        for name, pair in otherwise.items()
    )
    return f"{text} was trained with {', '.join(words)}."


def _written(value: Any, mark: str) -> str:
    return " not given" if value is None else f"{mark}{value}"


def _with_defaults(trial: Trial) -> dict[str, Any]:
    """Returns what describes a trial, with the usual values of settings that a family leaves unsaid."""
    told = describe_trial(trial)
    usual = setting_defaults(told["name"])
    unsaid = {k: v for k, v in usual.items() if isinstance(v, int | float | str)}
    return {**told, **{name: value for name, value in unsaid.items() if name not in told}}


def _environment_of(trained: Sequence[Entrant], given: Mapping[str, Any]) -> Environment:
    """Returns the environment that is meant where these entrants and settings are named together."""
    name = given.get("environment", _trained_in(trained[0]).environment)
    for entrant in trained:
        _require_kind(entrant, name)
    alike = [entrant for entrant in trained if _trained_in(entrant).environment == name]
    asked = _settings_of(given)
    meant = [_with_settings_of(entrant, asked) for entrant in alike] or [load(name, **asked)]
    for entrant in trained:
        entrant.require_fits(meant[0])
    for entrant, environment in zip(alike[1:], meant[1:], strict=True):
        _require_same(alike[0].text, meant[0], entrant.text, environment)
    return meant[0]


def _require_kind(entrant: Entrant, name: str) -> None:
    """Refuses another family of metarl's than the one that an entrant was trained in."""
    own = _trained_in(entrant).environment
    require(
        name == own or ":" in name or ":" in own,
        f"{entrant.text} was trained in {own}, and {name} is another kind of environment. Choose other settings of "
        f"{own}, give a world of your own with the same observations and actions (--environment my_module:factory), or "
        "name another agent.",
    )


def _with_settings_of(entrant: Entrant, asked: Mapping[str, Any]) -> Environment:
    """Returns the environment of an entrant's training, with other settings where they are asked for."""
    world = _trained_in(entrant)
    name, own = world.environment, world.settings()
    if not asked:
        return make_trial(world).environment
    kept = {setting: value for setting, value in own.items() if setting not in asked}
    try:
        if "horizon" in kept and _other_horizon(name, own, {**kept, **asked}):
            del kept["horizon"]
        return load(name, **kept, **asked)
    except InvalidInput as error:
        if not _is_accepted(name, asked):
            raise
        inherited = ", ".join(f"{setting}={value}" for setting, value in kept.items())
        raise InvalidInput(
            f"{reason(error)}. ({entrant.text} was trained with {inherited}, which counts as given where no flag "
            "says otherwise.)"
        ) from error


def _is_accepted(name: str, settings: Mapping[str, Any]) -> bool:
    try:
        load(name, **settings)
    except InvalidInput:
        return False
    return True


def _other_horizon(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Tells whether a family's horizon follows from settings such as the size, and these are others now."""
    if setting_defaults(name).get("horizon", 0) is not None:
        return False
    usual = [
        load(
            name, **{setting: value for setting, value in settings.items() if setting != "horizon"}
        )
        for settings in (before, after)
    ]
    sizes = {environment.settings.get("size") for environment in usual}
    return len(sizes) > 1 or usual[0].horizon != usual[1].horizon


def _require_same(text: str, first: Environment, other_text: str, second: Environment) -> None:
    """Refuses two trained agents of which each brings another world along, in which both could act."""
    one, other = dict(first.settings), dict(second.settings)
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    told = ", ".join(f"{name}={one.get(name)} and {name}={other.get(name)}" for name in names)
    flags = " and ".join(
        f"--{name}" if hasattr(WorldConfig, name) else f"--setting {name}=..." for name in names
    )
    require(
        not names,
        f"{text} and {other_text} were trained in different worlds, {told}; say in which to evaluate them, by {flags}.",
    )


def _settings_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings of the family that are given."""
    return WorldConfig(**{k: v for k, v in given.items() if k not in _BUDGET}).settings()


def _trained_in(entrant: Entrant) -> WorldConfig:
    assert entrant.trained is not None
    return entrant.trained.config.world
