"""A row of the table of agents: what it is called, what can be set, and how it is built."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from metarl.environments import Agent, Distribution, Trial
from metarl.errors import InvalidInput, require

World = Literal[
    "bandit",
    "gaussian-bandit",
    "mdp",
    "maze",
    "dark-room",
    "key-to-door",
    "two-step",
    "harlow",
    "contextual-bandit",
    "point-robot",
    "rule-grid",
    "pictured-grid",
    "memory-planning",
    "any",
]
Value = float | int | str

PRESETS = ("paper", "matched")
"""`paper`: as Duan et al. (2016) had it; `matched`: with the true prior of the task distribution."""

NOTHING: Mapping[str, Value] = MappingProxyType({})

Assumption = Literal["stationary", "independent"]
ASSUMPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "stationary": "arms that stay as they are",
        "independent": "arms that tell nothing of each other",
    }
)
"""By the field of a `BanditDistribution` that says whether it is so."""

Told = Callable[[Distribution | None, Mapping[str, Value]], Mapping[str, Value]]


def nothing_told(
    distribution: Distribution | None, given: Mapping[str, Value]
) -> Mapping[str, Value]:
    """Returns no settings: what a row is told whose agent has no prior."""
    del distribution, given
    return NOTHING


def _brief(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


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
      or_number: numbers are accepted beside the words.
    """

    default: Value
    meaning: str
    low: float = -math.inf
    high: float = math.inf
    whole: bool = False
    words: tuple[str, ...] = ()
    or_number: bool = False

    @property
    def accepted(self) -> str:
        """The accepted values, as a person reads them."""
        if self.words:
            return " or ".join(self.words) + (f" or {self._numbers}" if self.or_number else "")
        return self._numbers

    @property
    def _numbers(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        if math.isfinite(self.high):
            return f"{kind} from {self.low:g} to {self.high:g}"
        return f"{kind}, at least {self.low:g}" if math.isfinite(self.low) else kind

    def read(self, text: str) -> Value | None:
        """Returns the value that a text names, or None if it is not accepted."""
        if self.words and (text in self.words or not self.or_number):
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
      world: where it can act: one of `World`; "bandit" has Bernoulli rewards.
      caption: what it does, in one line.
      formula: how it acts, in one line of Unicode.
      paper: where it comes from.
      build: values of all settings, trial -> agent. What can be traced is handed to `make_agent` as
        numbers, so that one program serves all values.
      settings: by name.
      presets: for each of `PRESETS`, the settings in which it differs from the defaults.
      grids: for each of `PRESETS` with a grid, setting -> values to choose from.
      told: what the family says of its tasks, and the settings that were given -> the settings that
        this decides; none if it says nothing, or of other tasks.
      beliefs: the names of those settings.
      trusts: what is told are the defaults too, and not of the preset "matched" alone.
      assumes: what else must be true of the tasks for it to do what it claims: of `ASSUMPTIONS`.
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
    told: Told = field(default_factory=lambda: nothing_told, repr=False, compare=False)
    beliefs: tuple[str, ...] = ()
    trusts: bool = True
    assumes: tuple[Assumption, ...] = ()

    def values(
        self,
        given: Mapping[str, Value],
        preset: str | None = None,
        distribution: Distribution | None = None,
    ) -> dict[str, Value]:
        """Returns the values of all settings: what is given, else the preset's, else the default.

        A value that is the name of another setting stands for that one's value. Defaults, and the
        preset "matched", follow what the family says of its tasks.

        Args:
          given: settings, by name.
          preset: one of `PRESETS`, or None.
          distribution: what the family says of its tasks.

        Raises:
          InvalidInput: `given` names no setting of this row, or a value that it does not accept.
        """
        defaults = {name: setting.default for name, setting in self.settings.items()}
        changed = self.presets.get(preset, NOTHING) if preset else NOTHING
        checked = {name: self.check(name, str(value)) for name, value in given.items()}
        told = self._told(distribution, given) if self.trusts or preset == "matched" else {}
        layers = (changed, told) if preset == "matched" else (told, changed)
        values = {**defaults, **layers[0], **layers[1], **checked}
        return {name: values.get(str(value), value) for name, value in values.items()}

    def _told(
        self, distribution: Distribution | None, given: Mapping[str, Value]
    ) -> dict[str, Value]:
        """Returns what is told, within the bounds of the settings."""
        told: dict[str, Value] = {}
        for name, value in self.told(distribution, given).items():
            setting = self.settings[name]
            told[name] = value if isinstance(value, str) else float(max(value, setting.low))
        return told

    def doubts(
        self,
        given: Mapping[str, Value],
        preset: str | None = None,
        distribution: Distribution | None = None,
    ) -> tuple[str, ...]:
        """Returns what the agent believes or assumes that the family denies or does not say.

        Args:
          given: settings, by name.
          preset: one of `PRESETS`, or None.
          distribution: what the family says of its tasks.

        Returns:
          Sentences without a subject, such as "assumes arms that stay as they are".
        """
        values = self.values(given, preset, distribution)
        told, found = self._told(distribution, NOTHING), []
        if self.beliefs and not told:
            believed = ", ".join(f"{name}={_brief(values[name])}" for name in self.beliefs)
            found.append(f"believes {believed}; the family does not say what its tasks are")
        wrong = [name for name in self.beliefs if name in told and values[name] != told[name]]
        if wrong:
            believed, true = (
                ", ".join(f"{name}={_brief(of[name])}" for name in wrong) for of in (values, told)
            )
            found.append(f"believes {believed} where the tasks have {true}")
        found += [
            f"assumes {ASSUMPTIONS[name]}"
            for name in self.assumes
            if not getattr(distribution, name, True)
        ]
        return tuple(found)

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
