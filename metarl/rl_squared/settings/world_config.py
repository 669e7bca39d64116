"""Settings of a world: an environment, and the budget of a trial in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from metarl.errors import require
from metarl.reading import Count, check_fields


@dataclass(frozen=True)
class EnvironmentConfig:
    """An environment and its settings."""

    environment: str = "bandit"
    """A family (`metarl list environments`), or a factory of your own as my_module:factory."""

    arms: Count | None = None
    """Of a bandit."""

    states: Count | None = None
    """Of an MDP."""

    actions: Count | None = None
    """Of an MDP."""

    horizon: Count | None = None
    """Steps of an episode, where the family lets one choose."""

    size: Count | None = None
    """Cells along one side of a grid or a maze."""

    setting: tuple[str, ...] = ()
    """Other settings of the family, as name=value."""

    def __post_init__(self) -> None:
        check_fields(self)

    def settings(self) -> dict[str, Any]:
        """Returns the settings of the family that were given.

        Raises:
          InvalidInput: one of `setting` is not of the form name=value, or a setting is given twice.
        """
        named = {name: getattr(self, name) for name in _FAMILY_SETTINGS}
        given = {name: value for name, value in named.items() if value is not None}
        for name, value in map(_pair, self.setting):
            require(
                name not in given,
                f"{name} is given twice, as {given.get(name)!r} and as {value!r}; give it once.",
            )
            given[name] = value
        return given


@dataclass(frozen=True)
class WorldConfig(EnvironmentConfig):
    """What is to be learnt: an environment, its settings, and the budget of a trial."""

    episodes: Count | None = None
    """Episodes of a trial; 10 if neither this nor --trial-steps is given."""

    trial_steps: Count | None = None
    """Steps of a trial, instead of a number of episodes."""


_FAMILY_SETTINGS = ("arms", "states", "actions", "horizon", "size")


def _pair(text: str) -> tuple[str, Any]:
    """Returns the name and the value of "name=value"; what looks like a number is one."""
    name, equals, value = text.partition("=")
    require(bool(name and equals and value), f"--setting {text!r} is not of the form name=value.")
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, {"true": True, "false": False}.get(value.casefold(), value)
