"""How settings are written behind an agent's name: "ucb1:c=0.2", "dqn:hidden=32,double=false"."""

from __future__ import annotations

from metarl.errors import require


def split_settings(text: str) -> tuple[str, dict[str, str]]:
    """Returns the name and the settings that a text gives, all as texts, in the order given.

    Args:
      text: a name; behind a colon name=value, with commas between them.

    Raises:
      InvalidInput: it is not of this form, or gives a setting twice.

    Examples:
      >>> split_settings("opsrl:samples=5, prior_mean=0")
      ('opsrl', {'samples': '5', 'prior_mean': '0'})
    """
    name, colon, rest = text.partition(":")
    require(bool(rest) or not colon, f"{text[:100]!r}: after the colon settings are missing.")
    settings: dict[str, str] = {}
    for part in rest.split(",") if colon else ():
        setting, mark, value = (piece.strip() for piece in part.partition("="))
        require(
            bool(mark and value), f"{text[:100]!r}: {part[:40]!r} is not of the form name=value."
        )
        require(setting not in settings, f"{text[:100]!r}: {setting!r} is given twice.")
        settings[setting] = value
    return name, settings
