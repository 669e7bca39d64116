"""entrants: what a comparison compares, by name, by a rule's text, or from a run.

The names of references mean optax's own optimizers at their default settings, so that nobody has to trust ours. Every
entrant is a function of the learning rate alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import optax

from metarl import optimizers
from metarl.errors import InvalidInput, unknown_name
from metarl.update_rules import NAMED_RULES, Rule, RuleSyntaxError, parse, to_optax

BASELINE = "adam"


class Entrant(NamedTuple):
    """One competitor.

    Attributes:
      label: the text the user typed; how it is called in every table.
      make: (learning rate, total steps, random key) -> optax transform.
      rule: its rule, when it is one.
    """

    label: str
    make: Callable[[Any, int, jax.Array], optax.GradientTransformation]
    rule: Rule | None = None


def _plain(constructor: Callable[..., optax.GradientTransformation], **settings: Any) -> Callable:
    return lambda learning_rate, total_steps, key: constructor(learning_rate, **settings)


_REFERENCES: Mapping[str, Callable] = MappingProxyType(
    {
        "sgd": _plain(optax.sgd),
        "momentum": _plain(optax.sgd, momentum=0.9),
        "nesterov": _plain(optax.sgd, momentum=0.9, nesterov=True),
        "rmsprop": _plain(optax.rmsprop),
        "adam": _plain(optax.adam),
        "adamw": _plain(optax.adamw),
        "nadam": _plain(optax.nadam),
        "sign-sgd": _plain(optax.sign_sgd),
        "lion": _plain(optax.lion),
        "powersign": _plain(optimizers.powersign),
        "addsign": _plain(optimizers.addsign),
    }
)


def references() -> tuple[Entrant, ...]:
    """Returns the standard optimizers that every comparison holds, Adam among them."""
    return tuple(Entrant(name, make) for name, make in _REFERENCES.items())


def rule_entrant(label: str, rule: Rule) -> Entrant:
    """Returns a rule as an entrant, compiled to an optax transform."""

    def make(learning_rate: Any, total_steps: int, key: jax.Array) -> optax.GradientTransformation:
        return to_optax(rule, learning_rate, total_steps=total_steps, seed=key)

    return Entrant(label, make, rule)


def entrant(text: str) -> Entrant:
    """Returns what a user means by a name or a rule's text.

    Raises:
      InvalidInput: neither a known name nor a rule; the message suggests the nearest name or shows the fault.
    """
    if text in _REFERENCES:
        return Entrant(text, _REFERENCES[text])
    if text in NAMED_RULES:
        return rule_entrant(text, parse(NAMED_RULES[text].text))
    try:
        return rule_entrant(text, parse(text))
    except RuleSyntaxError as error:
        if re.fullmatch(r"[A-Za-z][\w-]*", text):
            raise unknown_name("optimizer or rule", text, {*_REFERENCES, *NAMED_RULES}) from error
        raise InvalidInput(str(error)) from error
