"""entrants: what a comparison compares, by name, by a rule's text, or from a run.

The names of references mean optax's own optimizers at their default settings, so that nobody has to trust ours; any
other optax optimizer joins as my_module:factory. Every entrant is a function of the learning rate alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import optax

from metarl import optimizers
from metarl.errors import InvalidInput, require, unknown_name
from metarl.update_rules import NAMED_RULES, Rule, RuleSyntaxError, parse, to_optax
from metarl.user_code import call_own, find_own

BASELINE = "adam"
RANDOM_PREFIX = "random search: "  # of the label of what random search found
ADAMS_RATE = 1e-3
_OWN = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class Entrant(NamedTuple):
    """One competitor.

    Attributes:
      label: the text the user typed; how it is called in every table.
      make: (learning rate or schedule, total steps, random key) -> optax transform.
      rule: its rule, when it is one.
      learning_rate_multiple: its one learning rate for all problems in multiples of Adam's 1e-3; None where that is to
        be found on the search problems.
      rules_trained: how many rules were trained to find it.
      is_own: whether it is a user's own transform.
    """

    label: str
    make: Callable[[Any, int, jax.Array], optax.GradientTransformation]
    rule: Rule | None = None
    learning_rate_multiple: float | None = None
    rules_trained: int | None = None
    is_own: bool = False


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


def is_own(text: str) -> bool:
    """Tells whether a text names a user's own code, my_module:factory."""
    return _OWN.fullmatch(text) is not None


def own_entrant(text: str) -> Entrant:
    """Returns a user's own optimizer, my_module:factory with factory(learning_rate) -> optax transform.

    The learning rate is a number or, where schedules are compared, a function of steps, as optax optimizers take it.

    Raises:
      InvalidInput: it cannot be imported, or gives no transform.
    """

    def make(learning_rate: Any, total_steps: int, key: jax.Array) -> optax.GradientTransformation:
        return call_own(
            "optimizer", text, optax.GradientTransformation, learning_rate=learning_rate
        )

    make(1e-3, 1, jax.random.key(0))
    factory = find_own("optimizer", text, optax.GradientTransformation)
    require(
        not isinstance(factory, optax.GradientTransformation),
        f"Optimizer {text!r} is a transform already; name the function that makes it of a learning rate, for that is "
        "what is tuned.",
    )
    return Entrant(text, make, is_own=True)


def entrant(text: str) -> Entrant:
    """Returns what a user means by a name, a rule's text or my_module:factory.

    Raises:
      InvalidInput: neither a known name nor a rule; the message suggests the nearest name or shows the fault.
    """
    if is_own(text):
        return own_entrant(text)
    if text in _REFERENCES:
        return Entrant(text, _REFERENCES[text])
    if text in NAMED_RULES:
        row = NAMED_RULES[text]
        trained = None if row.found is None else row.found.rules_trained
        multiple = None if row.learning_rate is None else row.learning_rate / ADAMS_RATE
        return rule_entrant(text, row.rule)._replace(
            learning_rate_multiple=multiple, rules_trained=trained
        )
    try:
        return rule_entrant(text, parse(text))
    except RuleSyntaxError as error:
        if re.fullmatch(r"[A-Za-z][\w-]*", text):
            raise unknown_name("optimizer or rule", text, {*_REFERENCES, *NAMED_RULES}) from error
        raise InvalidInput(str(error)) from error
