"""A row of the table of agents: what it is called, what can be set, and how it is built."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from metarl.environments import Agent, Trial
from metarl.errors import InvalidInput, require

World = Literal["bandit", "gaussian-bandit", "mdp", "maze", "any"]
Value = float | int | str

PRESETS = ("paper", "matched")
"""`paper`: as Duan et al. (2016) had it; `matched`: with the true prior of the task distribution."""

NOTHING: Mapping[str, Value] = MappingProxyType({})


@dataclass(frozen=True)
class Setting:
    """One setting of an agent: its default, and the values it may have.

    Attributes:
      default: what it is unless said.
      meaning: in one line, with the letter of the formula and the unit.
      low: the least number accepted.
      high: the greatest number accepted.
      whole: only whole numbers are accepted.
      words: if not empty, the words that are accepted; then numbers are not.
    """

    default: Value
    meaning: str
    low: float = -math.inf
    high: float = math.inf
    whole: bool = False
    words: tuple[str, ...] = ()

    @property
    def accepted(self) -> str:
        """The accepted values, as a person reads them."""
        if self.words:
            return " or ".join(self.words)
        kind = "a whole number" if self.whole else "a number"
        if math.isfinite(self.high):
            return f"{kind} from {self.low:g} to {self.high:g}"
        return f"{kind}, at least {self.low:g}" if math.isfinite(self.low) else kind

    def read(self, text: str) -> Value | None:
        """Returns the value that a text names, or None if it is not accepted."""
        if self.words:
            return text if text in self.words else None
        try:
            number = float(text)
        except ValueError:
            return None
        if not (math.isfinite(number) and self.low <= number <= self.high):
            return None
        if self.whole:
            return int(number) if number.is_integer() else None
        return number


@dataclass(frozen=True)
class Row:
    """One agent of one world.

    Attributes:
      name: how it is called on the command line.
      world: where it can act: "bandit" (Bernoulli rewards), "gaussian-bandit", "mdp", "maze" or "any".
      caption: what it does, in one line.
      formula: how it acts, in one line of Unicode.
      paper: where it comes from.
      build: values of all settings, trial -> agent. What can be traced is handed to `make_agent` as
        numbers, so that one program serves all values.
      settings: by name.
      presets: for each of `PRESETS`, the settings in which it differs from the defaults.
      grids: for each of `PRESETS` with a grid, setting -> values to choose from.
    """

    name: str
    world: World
    caption: str
    formula: str
    paper: str
    build: Callable[[Mapping[str, Value], Trial], Agent] = field(repr=False, compare=False)
    settings: Mapping[str, Setting] = field(default_factory=dict)
    presets: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    grids: Mapping[str, Mapping[str, tuple[Value, ...]]] = field(default_factory=dict)

    def values(self, given: Mapping[str, Value], preset: str | None = None) -> dict[str, Value]:
        """Returns the values of all settings: what is given, else the preset's, else the default.

        Raises:
          InvalidInput: `given` names no setting of this row, or a value that it does not accept.
        """
        defaults = {name: setting.default for name, setting in self.settings.items()}
        changed = self.presets.get(preset, NOTHING) if preset else NOTHING
        checked = {name: self.check(name, str(value)) for name, value in given.items()}
        return {**defaults, **changed, **checked}

    def check(self, name: str, text: str) -> Value:
        """Returns the value of a setting that a text names.

        Raises:
          InvalidInput: there is no such setting, or it does not accept the value.
        """
        known = ", ".join(self.settings) or "none"
        require(
            name in self.settings,
            f"Agent {self.name!r} of world {self.world!r} has no setting {name!r}; it has: {known}.",
        )
        value = self.settings[name].read(text)
        if value is None:
            accepted = self.settings[name].accepted
            raise InvalidInput(f"{self.name}: {name} is {text[:40]!r}; it must be {accepted}.")
        return value
