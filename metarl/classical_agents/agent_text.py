"""What a person types for an agent: a name, and settings if any, as in "ucb1:c=0.2".

thompson                             a name; every setting has its default
opsrl:samples=5,prior_mean=0         settings, with commas between them
greedy:preset=matched                a named set of settings, under those given
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from metarl.environments import split_settings
from metarl.errors import InvalidInput, unknown_name

from .row import PRESETS, Value
from .table import rows


@dataclass(frozen=True)
class AgentText:
    """A text, understood.

    Attributes:
      name: of the agent.
      settings: those given, by name, in the order given.
      preset: "paper", "matched" or None.
    """

    name: str
    settings: Mapping[str, Value]
    preset: str | None = None

    def __str__(self) -> str:
        """Returns a text that `parse` understands as the same."""
        parts = [f"preset={self.preset}"] if self.preset else []
        parts += [f"{name}={_written(value)}" for name, value in self.settings.items()]
        return self.name + (":" + ",".join(parts) if parts else "")


def parse(text: str) -> AgentText:
    """Returns what a text says, without regard to the environment.

    A setting need only be one of some world's agent of that name; `make` knows the world.

    Args:
      text: such as "ucb1:c=0.2".

    Raises:
      InvalidInput: the name, a setting or a preset is unknown (the nearest is suggested), a setting
        is given twice, or its value is not accepted.

    Examples:
      >>> str(parse("ucb1:c=.20"))
      'ucb1:c=0.2'
    """
    name = text.partition(":")[0]
    known = {row.name for row in rows()}
    if name not in known:
        raise unknown_name("agent", name, known)
    _, settings = split_settings(text)
    preset = settings.pop("preset", None)
    if preset is not None and preset not in PRESETS:
        raise unknown_name("preset", preset, PRESETS)
    checked = {setting: _check(name, setting, value) for setting, value in settings.items()}
    return AgentText(name, checked, preset)


def _check(name: str, setting: str, text: str) -> Value:
    """Returns the value, if an agent of that name in any world accepts it."""
    having = [row for row in rows() if row.name == name and setting in row.settings]
    if not having:
        known = {known for row in rows() if row.name == name for known in row.settings}
        raise unknown_name(f"setting of agent {name!r}", setting, {*known, "preset"})
    complaint: InvalidInput | None = None
    for row in having:
        try:
            return row.check(setting, text)
        except InvalidInput as error:
            complaint = complaint or error
    assert complaint is not None
    raise complaint


def _written(value: Value) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)
